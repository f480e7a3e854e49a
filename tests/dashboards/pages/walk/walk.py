"""Every control of every page, by mouse and by keyboard, as guest, user and operator: ``make walk``.

Controls are found on the pages themselves, so that new ones are tested without a change here. It takes an hour and
a half on a quiet machine and is not part of ``make test``. ``STIX_WALK_ARCHIVE`` names an archive of real and simulated
files that is there, ``STIX_WALK_FLARES`` one of 40,000 flares; copies of them are used. ``STIX_WALK_PICTURES`` is a
folder for pictures of every scene. A scene fails at an error of the console, a failed request, a
request to another host, a page wider than its window, a text that is cut off, and what axe finds serious.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from controls import SCRIPT, Control, controls_of, cut_off, focused_on, rest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from scenes import FLARE, SCENES, USER, Scene
from user_actions import AROUND, Hand, Outcome, Use, found_again, use

from archive import ImageFilter
from jobs.queue.journal import Journal

log = logging.getLogger("walk")
pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
PICTURES = os.environ.get("STIX_WALK_PICTURES", "")
WIDTHS = {"wide": (1280, 900), "phone": (390, 844)}
SLOW = 120_000
#: More often than any page has places to come to.
MOST_TABS = 320
#: What may change nothing, and why.
QUIET = {
    "Clear": "there is no filter to clear",
    "Check status": "nothing has changed since",
    "Whole file": "the whole file is shown",
    "Reset": "nothing was zoomed",
    "Print": "the browser prints",
    "Save": "the browser hands a picture over",
    "Map in this archive": "there is none",
    "Less: Min. length [min]": "it is at its least",
}
#: How the names of figures begin that are looked at, or show all there is.
LOOKED_AT = ("Amplitude [", "Phase [", "Count rate against time, by", "Live time and")
#: What no key reaches, and what does the same.
BESIDE = {"figure": "fields and buttons beside it say the same"}

EVERY = [
    pytest.param(scene, who, id=f"{scene.name} {who or 'guest'}".replace(", ", "-").replace(" ", "-"))
    for scene in SCENES
    for who in scene.who
]


@pytest.fixture(scope="module")
def contexts(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[[str], BrowserContext]]:
    """The browser of a person who has signed in; "" is a guest's, for whom the large archive alone is enough."""
    expect.set_options(timeout=SLOW)
    made: dict[str, BrowserContext] = {}

    def context_of(who: str) -> BrowserContext:
        if who not in made:
            made[who] = browser.new_context(viewport={"width": 1280, "height": 900})
            made[who].add_init_script(SCRIPT)
            made[who].grant_permissions(["clipboard-write"])
            if who:
                sign_in(made[who], request.getfixturevalue("walked"), who)
        return made[who]

    yield context_of
    for context in made.values():
        context.close()


def sign_in(context: BrowserContext, walked: Any, who: str) -> None:
    page = context.new_page()
    page.goto(f"{walked.url}/login?next=operations")
    page.get_by_label("Name").fill(who)
    page.get_by_label("Password").fill(walked.passwords[who])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/operations")
    page.close()


@pytest.fixture
def site(scene: Scene, request: pytest.FixtureRequest) -> Any:
    """The server of a scene."""
    return request.getfixturevalue("crowded" if scene.crowded else "walked")


def go_to(watched: Any, scene: Scene, places: Mapping[str, str]) -> Page:
    """The page of a scene, at rest."""
    page: Page = watched.page
    page.goto(f"{watched.url}/{scene.address.format(**places)}", timeout=SLOW)
    expect(page.locator("#opening")).to_have_count(0, timeout=SLOW)
    scene.act(page)
    rest(page)
    return page


@pytest.mark.parametrize("hand", Hand)
@pytest.mark.parametrize(("scene", "who"), EVERY)
def test_every_control(
    watch: Callable[..., Any], contexts: Callable[[str], BrowserContext], site: Any,
    scene: Scene, who: str, hand: Hand, shared_data: Path,
) -> None:  # fmt: skip
    watched = watch(contexts(who), site.url)
    page = go_to(watched, scene, site.places)
    file = next((shared_data / "nov2022" / "l1").glob(f"*_{FLARE}-*.fits"))
    every = controls_of(page)
    reached = tab_through(page, every) if hand == Hand.KEYS else {}
    bad = []
    for control in every:
        notes = []
        if hand == Hand.KEYS and not control.off and control.kind not in BESIDE:
            notes.append(reached.get(control.key) or ("arrows" if control.by_arrows else "NOT REACHED"))
        # what stands on several pages, or in several scenes of one, is used once by everybody
        place = "every page" if control.kind == "link" and not control.download else scene.page
        used = control.name not in (*scene.not_here, "Sign out")  # who is out would be a guest from here on
        new = used and site.table.is_new(hand, who, place, control.key)
        if new and not (hand == Hand.KEYS and control.kind in BESIDE):
            page, found = _use(watched, control, scene, site.places, hand, file)
            notes.append(str(found))
        if notes:
            log.info("%s %s: %s", control.kind, control.name, "; ".join(notes))
            site.table.add(scene.name, who or "guest", hand, control, "; ".join(notes))
        bad += [f"{control.kind} {control.name}: {note}" for note in notes if _is_bad(note)]
    assert not bad, "\n".join(bad)


def _is_bad(note: str) -> bool:
    return note.isupper() or note.startswith((Outcome.NOTHING, Outcome.FAILED))


def _use(
    watched: Any, control: Control, scene: Scene, places: Mapping[str, str], hand: Hand, file: Path
) -> tuple[Page, Use]:
    """Use a control, wherever it is now; leaves the page so that the next one can be looked for."""
    page: Page = watched.page
    present = found_again(page, control)
    if present is None:  # what was used before has taken it away
        page = go_to(watched, scene, places)
        present = found_again(page, control)
    if present is None:
        return page, Use(Outcome.FAILED, "it is gone when the page is loaded anew")
    address, within = page.url, page.locator("[role=dialog]").count()
    quiet = control.name in QUIET or control.on or control.name.startswith(LOOKED_AT)
    patience = {"patience": AROUND} if quiet else {}
    found = use(page, present, hand, file, **patience)
    if "detached" in found.note or "waiting for locator" in found.note:  # rows that arrive late are drawn again
        rest(page)
        found = use(page, found_again(page, control) or present, hand, file, **patience)
    if found.outcome == Outcome.NOTHING and quiet:
        found = Use(Outcome.WORKS, QUIET.get(control.name, "it is chosen" if control.on else "there is nothing to use"))
    elsewhere = urlsplit(page.url).path != urlsplit(address).path
    if elsewhere or found.is_bad or page.locator("[role=dialog]").count() != within:
        return go_to(watched, scene, places), found
    rest(page)
    return page, found


def tab_through(page: Page, controls: list[Control]) -> dict[str, str]:
    """Which controls Tab comes to, and whether one sees that it did: key → how."""
    by_number = {control.number: control for control in controls}
    reached: dict[str, str] = {}
    looks: dict[str, bool] = {}
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        at = focused_on(page)
        if at is None:
            continue  # from the last one into the browser's own buttons
        if at["again"]:
            break
        control = by_number.get(at["walk"])
        if control is None:  # one of many alike
            continue
        if at["looks"] not in looks:  # what is built alike looks alike
            looks[at["looks"]] = is_seen(page, at["box"])
        reached[control.key] = "reached" if looks[at["looks"]] else "NOT SEEN"
    return reached


def is_seen(page: Page, box: list[float]) -> bool:
    """Whether the place of the focus looks otherwise than without it."""
    size = page.viewport_size
    assert size is not None
    left, top = max(box[0] - 5, 0), max(box[1] - 5, 0)
    right, bottom = min(box[0] + box[2] + 5, size["width"]), min(box[1] + box[3] + 5, size["height"])
    if right - left < 1 or bottom - top < 1:
        return False
    clip: Any = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    page.wait_for_timeout(400)  # rings and shades come slowly
    focused = page.screenshot(clip=clip)
    page.evaluate("walk.leave()")
    page.wait_for_timeout(400)
    without = page.screenshot(clip=clip)
    page.evaluate("walk.back()")
    return focused != without


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("scene", "who"), EVERY)
def test_nothing_stands_in_anybodys_way(
    watch: Callable[..., Any], browser: Browser, contexts: Callable[[str], BrowserContext], site: Any,
    axe: Callable[..., None], scene: Scene, who: str, width: str, theme: Any,
) -> None:  # fmt: skip
    size: Any = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    state: Any = contexts(who).storage_state()
    with browser.new_context(viewport=size, color_scheme=theme, storage_state=state) as context:
        context.add_init_script(SCRIPT)
        context.add_cookies([{"name": "stix_theme", "value": theme, "url": site.url}])
        watched = watch(context, site.url)
        page = go_to(watched, scene, site.places)
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{scene.name} {who or 'guest'} {width} {theme}.png")
        axe(page)
        watched.expect_no_sideways_scrolling()
        assert cut_off(page) == []
        page.close()


def test_from_the_brush_to_the_light_curves(
    watch: Callable[..., Any], contexts: Callable[[str], BrowserContext], walked: Any
) -> None:
    """Brush → submit → images at the bottom → in the archive → on the light-curve page under IMG."""
    watched = watch(contexts(USER), walked.url)
    page = watched.visit(f"science_data?uid={FLARE}&tab=analysis")
    expect(page.get_by_text("will be made")).to_be_visible(timeout=SLOW)
    first = page.locator("p.box").inner_text()
    watched.brush(0.62, 0.68, 0.3, 0.6)
    expect(page.locator("p.box")).not_to_have_text(first, timeout=SLOW)
    known = page.locator("[data-image]").count()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**request=**")
    number = int(watched.query["request"][0])
    expect(page.get_by_text(f"Request {number}")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Its images are below")).to_be_visible(timeout=SLOW)  # by itself: the worker is at work
    expect(page.locator("[data-image]")).to_have_count(known + 6, timeout=SLOW)
    (part,) = Journal(walked.archive.root).parts(number)
    made = walked.archive.images(ImageFilter(recipe_id=part.run_id))
    assert {image.author for image in made} == {USER}

    watched.visit(f"image_archive?author=mine&uid={FLARE}")
    for image in made:
        row = page.locator(".rows tbody tr").filter(has=page.locator(f'[href*="{image.image_id}"]').first)
        expect(row).to_have_count(1)
    begin = int(made[0].t_start.astype("datetime64[s]").astype(int))
    watched.visit(f"lightcurves?start={begin}&span={(made[0].t_end - made[0].t_start) // np.timedelta64(1, 's')}")
    page.get_by_role("button", name="IMG").click()
    for image in made:
        expect(page.locator(f'[data-image="{image.image_id}"]')).to_be_visible(timeout=SLOW)
    walked.table.rows.append(("brush to light curves", USER, "mouse", "the whole path", "works"))
