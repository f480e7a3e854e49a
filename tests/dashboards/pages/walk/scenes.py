"""Where the walk goes: every page, in every state in which it has other controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from archive import Archive, Flare, FlareFilter, ImageFilter

#: A flare of November 2022 with images in two bands, and a window of the simulated week.
FLARE = "2211116471"
#: The day whose files have the background detector.
MAY_2020 = "start=1588723200&span=86400"


def _nothing(page: Page) -> None:
    """The page as it opens."""


def _filters(page: Page) -> None:
    folded = page.get_by_role("button", name="Filter", exact=True)
    if folded.is_visible():  # on a telephone
        folded.click()


def _more_filters(page: Page) -> None:
    _filters(page)
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_label("Flare id")).to_be_visible()


def _more_flare_filters(page: Page) -> None:
    _filters(page)
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_label("Estimated class")).to_be_visible()


def _dialog(name: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return act


def _analysis(page: Page) -> None:
    expect(page.get_by_text("will be made")).to_be_visible(timeout=60_000)


def _spectrum(page: Page) -> None:
    expect(page.get_by_text("Ready to fit")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Advanced").click()
    expect(page.get_by_label("Fixed delta", exact=True)).to_be_visible()


def _advanced(page: Page) -> None:
    _analysis(page)
    page.get_by_role("button", name="Advanced").click()
    expect(page.get_by_text("Sub-collimators").first).to_be_visible()


def _regions(page: Page) -> None:
    expect(page.get_by_text("of the whole band")).to_be_visible()
    page.get_by_role("button", name="Add circle").click()
    expect(page.get_by_label("Name of region 1")).to_be_visible()


def _opened(page: Page) -> None:
    expect(page.get_by_role("dialog").locator("img.large")).to_be_visible()


def _with_map(page: Page) -> None:
    for picture in page.locator(".context image").all():
        expect(picture).to_be_visible()


def _with_movie(page: Page) -> None:
    expect(page.locator("video").first).to_be_visible()


def _files(page: Page) -> None:
    page.locator("summary").filter(has_text="image files").click()


def _with_images(page: Page) -> None:
    expect(page.locator("[data-image]").first).to_be_visible()


@dataclass(frozen=True)
class Scene:
    """A page in one state.

    Attributes
    ----------
    name : str
    address : str
        With the names of `places_of` in braces.
    act : callable
        What is done before the page is looked at.
    who : tuple of str
        For whom it has controls of its own; "" is a guest.
    not_here : tuple of str
        Names of controls that are not used, only come to.
    crowded : bool
        Over the archive of 40,000 flares, not that of real and simulated files.
    """

    name: str
    address: str
    act: Callable[[Page], None] = _nothing
    who: tuple[str, ...] = ("",)
    not_here: tuple[str, ...] = ()
    crowded: bool = False

    @property
    def page(self) -> str:
        """Page and archive, in which a control is used once."""
        return f"{self.address.partition('?')[0]}{' of many flares' if self.crowded else ''}"


def places_of(archive: Archive) -> dict[str, str]:
    """What addresses of scenes need to know of an archive of real and simulated files."""
    made = archive.images(ImageFilter(uid=FLARE, methods=("clean", "mem_ge"), grouped=False), limit=3)
    (simulated,) = archive.images(ImageFilter(simulated=True, methods=("clean",), grouped=False), limit=1)
    november, moment = (int(i.t_start.astype("datetime64[s]").astype(int)) - 1800 for i in (made[0], simulated))
    steps = archive.images(ImageFilter(grouped=True, all_hidden=True), limit=1000)
    listed = {flare.flare_id for flare in archive.flares()}
    (disk,) = archive.images(ImageFilter(recipe_ids=(made[0].recipe_id,), methods=("full_disk_bp",)), limit=1)
    flare = archive.flare(_highest(archive, FlareFilter(verdict="trusted")))
    return {
        "picked": ",".join(image.image_id for image in made),
        "image": made[0].image_id,
        "run": made[0].recipe_id,
        "simulated": simulated.image_id,
        "simulated_uid": simulated.uid,
        "disk": disk.image_id,
        "flare": flare.flare_id,
        "of_flare": flare.best_image_thermal or made[0].image_id,
        "doubtful": _highest(archive, FlareFilter(verdict="doubtful")),
        "bare": _highest(archive, FlareFilter(has_images=False)),
        "cubed": next((step.flare_id for step in steps if step.flare_id in listed), None)
        or _highest(archive, FlareFilter(has_images=True)),
        "mapped": mapped_flare(archive).flare_id,
        "november": f"start={november}&span=3600&img=yes",
        "week": f"start={moment}&span=3600&series=simulated&img=yes",
    }


def mapped_flare(archive: Archive) -> Flare:
    """The highest simulated flare with a trusted position that the Earth sees; `build` writes a context map of it."""
    seen = FlareFilter(simulated=True, verdict="trusted", earth_visible=True)
    (flare,) = archive.flare_page(seen, sort=("-peak_counts",), limit=1)
    return flare


def _highest(archive: Archive, which: FlareFilter) -> str:
    """Id of the highest flare of a filter; of those with images if a given archive has none."""
    for each in (which, FlareFilter(has_images=True)):
        for flare in archive.flare_page(each, sort=("-peak_counts",), limit=1):
            return flare.flare_id
    message = "the archive has no flare with images"
    raise LookupError(message)


def crowded_places_of(archive: Archive) -> dict[str, str]:
    """What addresses of scenes need to know of the archive of 40,000 flares."""
    return {"flare": _highest(archive, FlareFilter(has_images=True)), "last": str(-(-archive.count_flares() // 25))}


GUEST, USER, OPERATOR = "", "alice", "olga"
BOTH = (GUEST, USER)
ACCOUNT_FORMS = (
    "Label", "Create token", "Revoke", "Current password", "New password", "New password again",
    "Change password", "Sign out everywhere",
)  # fmt: skip
_PICKED, _ANALYSIS = "image_archive?picked={picked}", f"science_data?uid={FLARE}&tab=analysis"
SCENES = (
    Scene("flares", "flares", who=BOTH),
    Scene("flares, more filters", "flares", _more_flare_filters),
    Scene("flares, from the Earth", "flares?view=earth&color=time"),
    Scene("flares, Carrington map", "flares?view=carrington"),
    Scene("flares, nothing found", "flares?text=nothing-is-called-so"),
    Scene("flares, 40 000", "flares", crowded=True),
    Scene("flares, last page by class", "flares?sort=-goes_flux&page={last}", crowded=True),
    Scene("flares, part of the Sun", "flares?view=carrington&box=carrington:100,200,-30,30", crowded=True),
    Scene("flare of many", "flare?id={flare}", crowded=True),
    Scene("flare", "flare?id={flare}", who=BOTH),
    Scene("flare, doubtful", "flare?id={doubtful}"),
    Scene("flare, without images", "flare?id={bare}"),
    Scene("flare, cube", "flare?id={cubed}", _with_movie, (USER, OPERATOR)),
    Scene("flare, context map", "flare?id={mapped}", _with_map),
    Scene("flare, files", "flare?id={flare}", _files),
    Scene("flare, image", "flare?id={flare}&image={of_flare}", _opened),
    Scene("flare, clock at the Earth", "flare?id={flare}&clock=earth"),
    Scene("image archive", "image_archive", who=BOTH),
    Scene("image archive, opened set", f"image_archive?rows_of={{run}}&uid={FLARE}", who=BOTH),
    Scene("image archive, single images", "image_archive?tab=images", who=BOTH),
    Scene("image archive, cube of a flare", "image_archive?flare={cubed}", who=(USER,)),
    Scene("image archive, more filters", "image_archive", _more_filters, (USER,)),
    Scene("image archive, nothing found", "image_archive?text=nothing-is-called-so"),
    Scene("image archive, bands without image", "image_archive?tab=imageless"),
    Scene("image archive, selection", _PICKED, who=BOTH),
    Scene("image archive, compare", _PICKED + "&tab=compare"),
    Scene("image archive, tracks", _PICKED + "&tab=tracks"),
    Scene("image archive, image", "image_archive?image={image}", _opened),
    Scene("image archive, full-disk image", "image_archive?image={disk}", _opened),
    Scene("image archive, another pointing", "image_archive?image={image}&pointing=spacecraft", _opened),
    Scene("image archive, significance contours", "image_archive?image={image}&significance=contours", _opened),
    Scene("image archive, significance", "image_archive?image={image}&significance=map", _opened),
    Scene("image archive, animation", _PICKED, _dialog("Create animation…"), BOTH),
    Scene("image archive, overlay", _PICKED, _dialog("Create overlay…"), BOTH),
    Scene("image archive, cube", _PICKED, _dialog("Image cube…"), (USER,)),
    Scene("image archive, download", _PICKED, _dialog("Download…")),
    Scene("light curves", "lightcurves"),
    Scene("light curves, corrected", f"lightcurves?{MAY_2020}&livetime=corrected&attenuator=corrected"),
    Scene("light curves, background detector", f"lightcurves?{MAY_2020}&detector=yes"),
    Scene("light curves, from T0", "lightcurves?{week}&t0=peak"),
    Scene("light curves, images", "lightcurves?{week}", _with_images, BOTH),
    Scene("light curves, images alone", "lightcurves?{november}", _with_images),
    Scene("light curves, image", "lightcurves?{week}&image={simulated}", _opened),
    Scene("science data", "science_data", _filters, BOTH),
    Scene("science data, file", f"science_data?uid={FLARE}"),
    Scene("science data, simulated file", "science_data?uid={simulated_uid}"),
    Scene("science data, analysis", _ANALYSIS, _analysis, BOTH),
    Scene("science data, advanced", _ANALYSIS, _advanced, (USER,)),
    Scene("science data, spectrum", f"science_data?uid={FLARE}&tab=spectrum", _spectrum),
    Scene("science data, regions", f"science_data?uid={FLARE}&tab=regions", _regions),
    Scene("operations", "operations", who=(GUEST, OPERATOR)),
    # what their forms do is told in test_signing_in.py; here it would end the walk
    Scene("sign in", "login", not_here=("Name", "Password", "Sign in")),
    Scene("account", "account", who=(USER,), not_here=ACCOUNT_FORMS),
)
