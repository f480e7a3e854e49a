"""Every finding by its code: how serious it is, and whether position, flux or shape are doubted for it."""

import inspect
import re
from dataclasses import replace

import numpy as np
import pytest

from stixcore.background_check import BackgroundCheck, QuietLevel
from stixcore.coordinates import PointingSource, hpc_to_stix
from stixcore.imaging import trust
from stixcore.imaging.coarse_locator import COUNT_FACTOR, LEAKAGE, locate_coarsely
from stixcore.imaging.position_error import PositionError
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import Aspect, Severity, assess, flux_at_edge, verdict
from stixcore.instrument.flare_locator import PIXEL_AREA, lit_areas
from stixcore.references import FileReference

pytestmark = pytest.mark.needs_shared_data

NOTE, DOUBT = Severity.NOTE, Severity.DOUBT
POSITION, FLUX, SHAPE = ({aspect} for aspect in Aspect)
EVERYTHING = set(Aspect)


@pytest.fixture
def images(november_images):
    """The brightest flare, as if there were a CAL file of the day: no doubt, and a note on its forward fit."""
    cal_file = FileReference("cal.fits", "", "0" * 64)
    return replace(november_images, calibration=replace(november_images.calibration, cal_file=cal_file))


def recipe(**changes):
    return lambda images: replace(images, recipe=replace(images.recipe, **changes))


def pointing(**changes):
    return lambda images: recipe(pointing=replace(images.recipe.pointing, **changes))(images)


def pixels(**changes):
    def change(images):
        values = {name: value(images.pixels) if callable(value) else value for name, value in changes.items()}
        return replace(images, pixels=replace(images.pixels, **values))

    return change


def only(*methods, **changes):
    """These images alone; ``changes`` are made to the last."""

    def change(images):
        last = images.images[methods[-1]]
        values = {name: value(last) if callable(value) else value for name, value in changes.items()}
        chosen = {method: images.images[method] for method in methods[:-1]} | {methods[-1]: replace(last, **values)}
        return replace(images, images=chosen)

    return change


def a_rival(probability, height=0.95, **changes):
    """A second peak of the full-disk map, 500″ west of Sun center."""

    def change(images):
        rival = replace(images.location.candidates[1], x=500.0, y=0.0, relative_height=height)
        location = replace(images.location, candidates=(images.location.candidates[0], rival))
        return replace(images, location=location, position=replace(images.position, rival=probability), **changes)

    return change


def seen_at(x, y):
    """Counts of the coarse locator as if the flare were at (x, y), with a second peak 500″ west of Sun center."""

    def change(images):
        seen, pointing = images.locator.observed, images.recipe.pointing
        areas = lit_areas(*hpc_to_stix(x, y, pointing)) + LEAKAGE * PIXEL_AREA
        moved = replace(seen, net=np.where(np.isfinite(seen.net), COUNT_FACTOR * seen.fluence * areas, np.nan))
        locator = locate_coarsely(moved, pointing, images.locator.rsun)
        return replace(a_rival(0.0, height=0.6)(images), locator=locator)

    return change


def background(ratio, share):
    """A background with a share of the counts, and the quietest part of the file with ``ratio`` times of it."""

    def change(images):
        start, end = images.pixels.t_start, images.pixels.t_end
        check = BackgroundCheck(start, end, 120.0, ratio * 1e4, 1e4, 0.02)
        return replace(pixels(background=lambda p: share * p.counts)(images), background_check=check)

    return change


def without_background(level):
    """No background was subtracted; ``level`` is its share of the counts in the quietest part, with its error."""

    def change(images):
        images = recipe(background=None)(images)
        if level is None:
            return images
        share, sigma = level
        return replace(images, quiet_level=QuietLevel(120.0, share * images.counts[0], sigma * images.counts[0]))

    return change


def a_bin_beyond(name):
    """What was asked for is no whole bins, for the image or for the background."""
    return lambda images: replace(images, **{name: replace(images.asked, differs=True)})


def header_of_2021(images):
    return pixels(header=replace(images.pixels.header, bins_late=True))(images)


def rows(odd, even):
    """Counts of the top row times a factor, in every other detector."""
    return pixels(top_bottom=lambda p: p.top_bottom * np.array([[odd, 1.0], [even, 1.0]] * 16))


def at_the_edge(image):
    moved = image.image.copy()
    moved[0, 40] = 2.0 * moved.max()
    return moved


def north(image):
    """The picture 40″ further north."""
    return np.roll(image.image, 20, axis=0)


def footpoints(images):
    """Two equal sources, 60″ apart; EM and MEM_GE have the northern one as the brightest."""
    rows, columns = np.indices(images.images[Method.EM].image.shape)
    south, north = (np.exp(-((rows - row) ** 2 + (columns - 64) ** 2) / 18.0) for row in (49, 79))
    brighter = {Method.EM, Method.MEM_GE}
    changed = {
        method: replace(images.images[method], image=south + north + 0.1 * (north if method in brighter else south))
        for method in (Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.MEM_GE)
    }
    return replace(images, images=changed | {Method.VIS_FWDFIT: replace(changed[Method.CLEAN], sources=())})


def flux_off(method, share):
    """The flux of a method lacks a share of what was counted."""
    return only(method, certificate={"missing_flux": share, "counted_flux": 1.0})


DECONVOLVED = Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.MEM_GE, Method.VIS_FWDFIT
THREE = Method.CLEAN, Method.MEM_GE, Method.EM
FINDINGS = [
    ("sidelobe", a_rival(0.5, locator=None), DOUBT, EVERYTHING),
    ("sidelobe", a_rival(0.0, locator=None), NOTE, None),
    ("sidelobe", a_rival(0.5), NOTE, None),  # the coarse locator rules it out
    ("locator", seen_at(500.0, 0.0), DOUBT, EVERYTHING),
    ("locator", seen_at(-500.0, 0.0), NOTE, None),  # where there is no peak
    ("off_disk", lambda i: recipe(location=replace(i.recipe.location, x=2100.0))(i), DOUBT, POSITION),
    ("position_unknown", lambda i: replace(i, position=None), DOUBT, POSITION),
    ("position_error", lambda i: replace(i, position=PositionError(4.0, 4.0, off=0.9)), DOUBT, POSITION),
    ("time_range", a_bin_beyond("asked"), NOTE, None),
    ("few_counts", pixels(background=lambda p: p.counts - 10.0), DOUBT, FLUX | SHAPE),
    ("small_flare", pixels(background=lambda p: p.counts - 40.0), NOTE, None),
    ("low_snr", lambda i: replace(i, vis=replace(i.vis, sigma=i.vis.amplitude / 2)), DOUBT, SHAPE),
    ("no_background", recipe(background=None), NOTE, None),
    ("background_unknown", without_background(None), DOUBT, FLUX),
    ("background_unknown", without_background((0.12, 0.001)), DOUBT, FLUX),
    ("background_unknown", without_background((0.09, 0.005)), DOUBT, FLUX),  # it can be 10 %
    ("energy_range", recipe(energy_range=(6.2, 10.0)), NOTE, None),
    *(("missing_flux", flux_off(method, 0.24), NOTE, None) for method in DECONVOLVED),
    *(("missing_flux", flux_off(method, -0.06), NOTE, None) for method in DECONVOLVED),
    *(("missing_flux", flux_off(method, 0.26), DOUBT, FLUX) for method in DECONVOLVED),
    *(("missing_flux", flux_off(method, -0.26), DOUBT, FLUX) for method in DECONVOLVED),
    ("flux_estimate", only(Method.MEM_GE, flux_estimate="largest_amplitude"), NOTE, None),
    ("background_range", a_bin_beyond("background_asked"), NOTE, None),
    ("background_mismatch", background(1.5, 0.5), DOUBT, FLUX),
    ("background_mismatch", background(1.5, 0.01), NOTE, None),
    ("attenuator", pixels(rcr=1), NOTE, None),
    ("bins_shifted", recipe(shift_bins=True), NOTE, None),
    ("bins_late", header_of_2021, NOTE, None),
    ("partial_illumination", rows(1.7, 1.7), DOUBT, FLUX),
    ("partial_illumination", rows(1.35, 1.35), NOTE, None),
    ("uneven_illumination", rows(1.6, 1.0), DOUBT, SHAPE),
    ("pointing_moved", pointing(rms_x=11.0, rms_y=0.0, peak_to_peak=30.0), DOUBT, POSITION | SHAPE),
    ("pointing_moved", pointing(rms_x=0.0, rms_y=3.1, peak_to_peak=9.0), NOTE, None),
    ("pointing_outliers", pointing(rejected=1), NOTE, None),
    ("pointing_assumed", pointing(source=PointingSource.ASSUMED), DOUBT, POSITION),
    ("pointing_spacecraft", pointing(source=PointingSource.SPACECRAFT), NOTE, None),
    ("pointing_manual", pointing(source=PointingSource.MANUAL), NOTE, None),
    ("energy_table_unknown", pixels(t_start=np.datetime64("2028-01-01", "us")), DOUBT, FLUX),
    ("energy_table_channels", pixels(e_low=6.3), DOUBT, FLUX),
    ("no_cal_file", lambda i: replace(i, calibration=replace(i.calibration, cal_file=None)), NOTE, None),
    ("method_failed", lambda i: replace(i, failures={Method.EM: "no counts"}), NOTE, None),
    ("flux_outside", only(Method.MEM_GE, image=at_the_edge), DOUBT, FLUX | SHAPE),
    ("edge_peak", only(Method.MEM_GE, image=at_the_edge), DOUBT, EVERYTHING),
    ("wide_field", recipe(pixel=3.2), NOTE, None),  # 413″
    ("poor_fit", only(Method.CLEAN, chi2=9.0), DOUBT, FLUX | SHAPE),
    ("poor_fit", only(Method.CLEAN, Method.VIS_FWDFIT, chi2=30.0), DOUBT, FLUX | SHAPE),
    ("low_chi2", only(Method.CLEAN, chi2=0.1), NOTE, None),
    ("disagreement", only(*THREE, image=north), DOUBT, POSITION | SHAPE),
    ("disagreement", only(*THREE[1:], image=north), NOTE, None),
    ("disagreement", footpoints, NOTE, None),
    ("location_disagrees", lambda i: recipe(location=replace(i.recipe.location, y=170.0))(i), DOUBT, POSITION),
]


def test_every_code_stands_in_the_table():
    assert {code for code, *_ in FINDINGS} == set(re.findall(r"Finding\(\s*\"(\w+)\"", inspect.getsource(trust)))


@pytest.mark.parametrize(("code", "change", "severity", "doubted"), FINDINGS)
def test_what_a_finding_doubts(images, code, change, severity, doubted):
    found = [finding for finding in assess(change(images)) if finding.code == code]
    assert {finding.severity for finding in found} == {severity}
    for finding in found:
        judged = verdict((finding,), finding.method or Method.CLEAN)
        assert {aspect for aspect in Aspect if judged.word(aspect) == "doubtful"} == (doubted or set())


@pytest.mark.parametrize(("code", "change"), [(code, change) for code, change, *_ in FINDINGS])
def test_sentences_have_the_display_names_of_methods(images, code, change):
    values = re.compile(rf"\b({'|'.join(Method)})\b")
    assert [found.text for found in assess(change(images)) if values.search(found.text)] == []


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("locator", lambda i: i),
        ("locator", lambda i: seen_at(i.recipe.location.x, i.recipe.location.y)(i)),
        ("locator", lambda i: replace(seen_at(500.0, 0.0)(i), locator=None)),
        # a person chose the place: the flare need not be there
        ("location_disagrees", lambda i: recipe(location=replace(i.recipe.location, y=170.0, found_by="given"))(i)),
        ("location_disagrees", lambda i: recipe(location=replace(i.recipe.location, y=155.0))(i)),
        ("pointing_moved", pointing(rms_x=2.9, rms_y=2.9, peak_to_peak=9.0)),
        ("pointing_outliers", pointing(records=9, rejected=0)),
        ("wide_field", recipe(pixel=3.1)),  # 400″
        ("wide_field", recipe(pixel=2.0, shape=(300, 129))),  # one side alone
        # its residual reaches the edge everywhere
        ("flux_outside", only(Method.CLEAN, image=at_the_edge)),
        ("flux_outside", only(Method.VIS_FWDFIT, image=at_the_edge)),
        ("poor_fit", only(Method.CLEAN, chi2=3.9)),
        ("background_unknown", without_background((0.09, 0.003))),
        ("background_unknown", lambda i: only(Method.CLEAN)(without_background(None)(i))),  # of differences
        *(("missing_flux", flux_off(method, share)) for method in DECONVOLVED for share in (0.14, -0.04)),
    ],
)
def test_what_is_no_finding(images, code, change):
    assert code not in {finding.code for finding in assess(change(images))}


def test_what_the_coarse_locator_says(images):
    (found,) = [one for one in assess(seen_at(500.0, 0.0)(images)) if one.code == "locator"]
    assert re.fullmatch(
        r"the coarse locator puts the flare at \((49|50)\d, -?\d\)″, \d{3}″ from the location, where the full-disk map "
        "has another peak",
        found.text,
    )
    (found,) = [one for one in assess(seen_at(-500.0, 0.0)(images)) if one.code == "locator"]
    assert found.text.endswith("from the location, where the full-disk map has no peak")
    (found,) = [one for one in assess(a_rival(0.5)(images)) if one.code == "sidelobe"]
    assert found.text.endswith("; the coarse locator rules it out")


def test_the_image_of_clean_may_reach_the_edge(images):
    assert not flux_at_edge(replace(images.images[Method.CLEAN], image=at_the_edge(images.images[Method.CLEAN])))
    assert flux_at_edge(replace(images.images[Method.EM], image=at_the_edge(images.images[Method.EM])))


def test_methods_are_compared_by_their_strongest_source(images):
    """A narrow one of little flux, 40″ from the flare, has the brightest pixel of a fit, and is no other place."""

    def speckled(image):
        row, column = np.unravel_index(image.image.argmax(), image.image.shape)
        spotted = image.image.copy()
        spotted[row - 20, column] = 1.2 * spotted.max()
        return spotted

    found = assess(only(*THREE[:2], Method.VIS_FWDFIT, image=speckled)(images))
    assert [finding for finding in found if finding.code == "disagreement"] == []
