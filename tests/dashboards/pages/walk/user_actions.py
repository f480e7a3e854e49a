"""How a person uses what is on a page, with a mouse and with a keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from controls import Control, controls_of, looks_of, rest
from playwright.sync_api import Error, Page
from playwright.sync_api import TimeoutError as TooSlow

#: How long something is waited for that should come at once, ms: the machine may be busy.
SOON = 20_000
#: How long the page around a control is waited for when only the control itself has changed, ms.
AROUND = 8_000
#: What is typed where neither an example in the field nor its present value suggests something.
TYPED: Mapping[str, str] = {
    "Uid, flare or image id": "2211",
    "Uid, name or subject": "2211",
    "Flare id or time (UTC)": "2022-11-11T11:36",
    "Covers [keV]": "6-10",
    "Label": "walk",
    "From (UTC)": "2022-11-11",
    "To (UTC)": "2022-11-11T18:00",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+")


class Hand(StrEnum):
    """With what a page is used."""

    MOUSE = "mouse"
    KEYS = "keys"


class Outcome(StrEnum):
    """What came of using something."""

    WORKS = "works"
    ITSELF = "itself"  # its own value changes, and nothing else on the page
    NOTHING = "nothing happens"
    OFF = "off"
    FAILED = "failed"


@dataclass(frozen=True)
class Use:
    """What came of using a control, and how that was seen."""

    outcome: Outcome
    note: str = ""

    @property
    def is_bad(self) -> bool:
        return self.outcome in (Outcome.NOTHING, Outcome.FAILED)

    def __str__(self) -> str:
        return f"{self.outcome}{': ' if self.note else ''}{self.note}"


def use(page: Page, control: Control, hand: Hand, file: Path, patience: int = 3 * SOON) -> Use:
    """Use a control once.

    Parameters
    ----------
    page : Page
    control : Control
    hand : Hand
    file : Path
        What is given to fields that take one.
    patience : int, ms
        How long something is waited for that changes.
    """
    if control.off:
        return Use(Outcome.OFF)
    said: list[str] = []
    page.once("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    before, around = looks_of(page), looks_of(page, control.number)
    try:
        if control.kind == "link":
            return _follow(page, control, hand)
        if control.download or control.name in DOWNLOADS:
            return _download(page, control, hand)
        if control.kind == "region":
            return _scroll(page, control, hand)
        if control.kind == "file":
            control.on_page(page).set_input_files(file)
        else:
            (_WITH_MOUSE if hand == Hand.MOUSE else _WITH_KEYS)[control.kind](page, control)
        came = _watched(page, before, around, control.number, patience)
        return Use(Outcome.WORKS, said[0]) if said else Use(came)
    except Error as error:
        said_last = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Use(Outcome.FAILED, f"{said_last[0]} {said_last[-3:]}")


#: Buttons that hand over a file.
DOWNLOADS = {"Table"}


def _scroll(page: Page, control: Control, hand: Hand) -> Use:
    """Scroll sideways what is wider than its place; elsewhere there is nothing to do."""
    region = control.on_page(page)
    if not region.evaluate("node => node.scrollWidth > node.clientWidth + 1"):
        return Use(Outcome.WORKS, "all of it is shown")
    if hand == Hand.KEYS:
        _press(page, control, "ArrowRight")
    else:
        region.hover(timeout=SOON)
        page.mouse.wheel(60, 0)
    page.wait_for_timeout(1000)  # it moves smoothly
    return Use(Outcome.WORKS if region.evaluate("node => node.scrollLeft") > 0 else Outcome.NOTHING)


def _watched(page: Page, before: str, around: str, number: int, patience: int) -> Outcome:
    """What comes to look different: the page around a control, only the control itself, nothing."""
    page.evaluate("window.itself = 0")
    try:
        seen = page.wait_for_function(
            """([before, around, number, rest]) => {
                if (!window.walk || walk.looks(number) !== around) { return "works" }
                if (walk.looks(null) !== before) { window.itself ||= Date.now() }
                return window.itself && Date.now() - window.itself > rest ? "itself" : false
            }""",
            arg=[before, around, number, AROUND],
            timeout=patience,
            polling=200,  # looking at the whole page is work for the browser
        )
        return Outcome(str(seen.json_value()))
    except TooSlow:
        return Outcome.NOTHING


def _press(page: Page, control: Control, key: str) -> None:
    control.on_page(page).focus(timeout=SOON)
    page.keyboard.press(key)


def _try_keys(page: Page, control: Control) -> None:
    """Scroll, and push: Bokeh's tools are buttons without a role."""
    _press(page, control, "ArrowDown")
    _press(page, control, "Enter")


def _follow(page: Page, control: Control, hand: Hand) -> Use:
    """Come to a link, and fetch its address; following it is the browser's work, and that page is another scene."""
    if control.download:
        return _download(page, control, hand)
    link = control.on_page(page)
    if hand == Hand.KEYS:
        link.focus()
    else:
        link.click(timeout=SOON, trial=True)  # it is seen, at rest, and nothing is over it
    address = link.evaluate("link => link.href")
    answer = page.request.get(address, timeout=3 * SOON)
    return Use(Outcome.WORKS if answer.ok else Outcome.FAILED, f"{answer.status}")


def _download(page: Page, control: Control, hand: Hand) -> Use:
    with page.expect_download(timeout=3 * SOON) as started:
        _click(page, control, hand)
    size = Path(started.value.path()).stat().st_size
    return Use(Outcome.WORKS if size else Outcome.FAILED, f"{started.value.suggested_filename[-40:]}, {size} byte")


def _click(page: Page, control: Control, hand: Hand = Hand.MOUSE) -> None:
    if hand == Hand.KEYS:
        _press(page, control, "Enter")
    else:
        control.on_page(page).click(timeout=SOON)


def _choose(page: Page, control: Control) -> None:
    box = control.on_page(page).bounding_box(timeout=SOON)
    assert box is not None
    # at its arrow: elsewhere what is chosen may stand, with buttons that take it away
    control.on_page(page).click(timeout=SOON, position={"x": box["width"] - 12, "y": box["height"] / 2})
    page.locator(_OPTIONS).first.wait_for(timeout=SOON)
    options = page.locator("[role=option]:not([aria-selected=true]), [role=menuitem]:not(.Mui-selected)")
    if _says_none(page):
        _take_away(page, control)
        control.on_page(page).click(timeout=SOON, position={"x": box["width"] - 12, "y": 20})
    options.last.click(timeout=SOON)
    _close_list(page)


_OPTIONS = "[role=option], [role=menuitem]"


def _says_none(page: Page) -> bool:
    """Whether a list says that there is nothing to choose, as everything is chosen; then it is closed again."""
    if page.locator(_OPTIONS).last.get_attribute("aria-disabled") != "true":
        return False
    page.keyboard.press("Escape")
    page.locator(_OPTIONS).first.wait_for(state="hidden", timeout=SOON)
    return True


def _take_away(page: Page, control: Control) -> None:
    """Take away one of those that are chosen."""
    control.on_page(page).locator(".MuiChip-deleteIcon").last.click(timeout=SOON)
    page.wait_for_timeout(300)


def _choose_by_key(page: Page, control: Control) -> None:
    _press(page, control, "ArrowDown")
    options = page.locator(_OPTIONS)
    options.first.wait_for(timeout=SOON)
    if _says_none(page):
        control.on_page(page).locator(".MuiChip-deletable").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
        _press(page, control, "ArrowDown")
        options.first.wait_for(timeout=SOON)
    page.wait_for_timeout(300)  # the list has grown
    chosen = page.locator("[role=option][aria-selected=true], [role=menuitem].Mui-selected").last
    last = options.count() > 1 and chosen.count() and chosen.evaluate("node => !node.nextElementSibling")
    page.keyboard.press("ArrowUp" if last else "ArrowDown")
    page.keyboard.press("Enter")
    _close_list(page)


def _close_list(page: Page) -> None:
    """A list in which several can be chosen stays open."""
    shown = page.locator(_OPTIONS).locator("visible=true")
    if shown.count():
        page.wait_for_timeout(300)
        if shown.count():
            page.keyboard.press("Escape")
            page.locator(_OPTIONS).first.wait_for(state="hidden", timeout=SOON)


def _type(page: Page, control: Control) -> None:
    field = control.on_page(page)
    text = _text_for(field.input_value(), field.get_attribute("placeholder") or "", control.name)
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")


def _text_for(value: str, example: str, name: str) -> str:
    """What somebody could type here."""
    if _TIME.fullmatch(value):
        return str(np.datetime64(value, "ms") + np.timedelta64(2, "m"))
    if example:
        return example.partition(", or")[0].removeprefix("e.g. ")
    if name in TYPED:
        return TYPED[name]
    try:
        number = float(value)
    except ValueError:
        return "walk"
    return f"{number + 1:g}" if value.isdecimal() else f"{number * 0.9 + 0.1:.3g}"


def _drag(page: Page, control: Control) -> None:
    control.on_page(page).scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    box = control.on_page(page).bounding_box()
    assert box is not None
    x, y = box["x"] + 0.45 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 15, steps=3)
    page.mouse.move(x + 80, y + 40, steps=3)
    page.mouse.up()


def _play(page: Page, control: Control) -> None:
    """The button at the lower left, above the bar."""
    film = control.on_page(page)
    film.scroll_into_view_if_needed(timeout=SOON)
    box = film.bounding_box(timeout=SOON)
    assert box is not None
    film.click(timeout=SOON, position={"x": 26, "y": box["height"] - 44})


def _slide(page: Page, control: Control) -> None:
    box = control.on_page(page).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])


def _tab_by_key(page: Page, control: Control) -> None:
    tab = control.on_page(page)
    tab.focus()
    others = tab.evaluate("tab => [...tab.parentElement.querySelectorAll('[role=tab]')].indexOf(tab)")
    # from the neighbour, as a person comes to it
    page.keyboard.press("ArrowLeft" if others else "ArrowRight")
    page.keyboard.press("ArrowRight" if others else "ArrowLeft")
    page.keyboard.press("Enter")


Hands = Mapping[str, Callable[[Page, Control], None]]
_WITH_MOUSE: Hands = {
    "button": _click, "tab": _click, "fold": _click, "head": _click, "tool": _click, "checkbox": _click,
    "film": _play, "place": _click,
    "chip": lambda page, control: control.on_page(page).locator(".MuiChip-deleteIcon").click(timeout=SOON),
    "choice": _choose, "field": _type, "figure": _drag, "slider": _slide,
}  # fmt: skip
_WITH_KEYS: Hands = {
    "button": lambda page, control: _press(page, control, "Enter"),
    "fold": lambda page, control: _press(page, control, "Enter"),
    "head": lambda page, control: _press(page, control, "Enter"),
    "tool": lambda page, control: _press(page, control, "Enter"),
    "checkbox": lambda page, control: _press(page, control, "Space"),
    "chip": lambda page, control: _press(page, control, "Enter"),
    "film": lambda page, control: _press(page, control, "Space"),
    "place": _try_keys,
    "slider": lambda page, control: _press(page, control, "ArrowRight"),
    "tab": _tab_by_key, "choice": _choose_by_key, "field": _type,
}  # fmt: skip


def found_again(page: Page, control: Control) -> Control | None:
    """The same control on a page that has changed since."""
    return next((one for one in controls_of(page) if one.key == control.key), None)


__all__ = ["Hand", "Outcome", "Use", "found_again", "rest", "use"]
