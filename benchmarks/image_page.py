"""The image archive page in a real browser, with 61 rows and with a million: ``python -m benchmarks image_page``.

Archives are kept in ``$STIX_BENCH``; otherwise a temporary folder is used, without the million rows (which take four
minutes once). Times are from an action to the expected change, with server and browser on the same machine.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.chromium import FIRST_CONTENT_BAR, FLIP_BAR, MANY_RATIO, chromium, serving, visit, watched_page
from benchmarks.load import images
from benchmarks.timing import print_table

FEW, MANY = 61, images.ROWS
REPEAT = 5
#: Timeout for a change of order, s.
SORT_PATIENCE_S = 20.0
#: Targets, s.
BARS = {"first content": FIRST_CONTENT_BAR, "next page": FLIP_BAR}
#: Rows that are part of the document, and whether the live table is ready.
_ROWS = "#opening tbody tr"
_ALIVE = "Bokeh.documents[0].roots().length > 0"


def run() -> None:
    """Print the table."""
    kept = os.environ.get("STIX_BENCH")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(kept or temporary)
        archives = [images.build(root / f"images-{rows}", rows) for rows in ((FEW, MANY) if kept else (FEW,))]
        sizes = [archive.count_images(images.EVERYTHING) for archive in archives]
        for archive in archives:
            archive.close()
        few, *many = [_measure(archive.root) for archive in archives]
    table = [_row(name, few[name], [times[name] for times in many]) for name in few]
    columns = ["what", *(f"{size:,} rows [s]" for size in sizes), "target [s]", "met"]
    title = f"Image archive page in Chromium, warm, median of {REPEAT}, load {os.getloadavg()[0]:.1f}"
    print_table(f"{title}; with a million rows the target is {MANY_RATIO:g} times as long", columns, table)


def _row(name: str, few: float, many: list[float]) -> list[object]:
    bar = BARS.get(name)
    within = "" if bar is None else "yes" if few <= bar and all(time <= MANY_RATIO * bar for time in many) else "NO"
    return [name, *(f"{time:.2f}" for time in (few, *many)), "–" if bar is None else f"{bar:g}", within]


def _measure(archive: Path) -> dict[str, float]:
    with serving(archive) as url, chromium() as context:
        page, address = watched_page(context, _ROWS), f"{url}/image_archive"
        for _ in range(2):  # Chromium caches compiled scripts from the second visit
            visit(page, address, _ALIVE)
        first, live = zip(*(visit(page, address, _ALIVE) for _ in range(REPEAT)), strict=True)
        page.wait_for_selector(".rows tbody tr")
        times = {
            "first content": median(first),
            "live page": median(live),
            "next page": median(_flip(page, number) for number in (2, 3, 2, 3, 2)),
            "sort by χ²": median(_sorted(page) for _ in range(REPEAT)),
        }
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("button", name="Less", exact=True).wait_for()
        for name, addition in FILTERS.items():
            times[f"filter {name}"] = median(_filtered(page, *addition) for _ in range(3))
        times["select"] = median(_selected(page, number) for number in range(1, REPEAT + 1))
        times["open an image"] = median(_opened(page) for _ in range(REPEAT))
    return times


#: Fields to fill: label and text.
FILTERS: dict[str, tuple[str, str]] = {
    "time": ("From (UTC)", "2023-06"),
    "text": ("Uid, flare or image id", "2203"),
    "GOES class": ("GOES class", "C1-M5"),
    "position": ("Solar X [″]", "-300..300"),
    "counts": ("Min. counts", "10000"),
}


#: Line above the table.
NUMBER = re.compile(r"\d of [\d\s]+ images|^no images")


def _until_total_changes(page: Any, action: Callable[[], None]) -> float:
    """Time from an action until the line with the number of rows changes."""
    line = page.get_by_text(NUMBER).first
    before = line.inner_text()
    begin = time.perf_counter()
    action()
    page.wait_for_function("([line, before]) => line.innerText !== before", arg=[line.element_handle(), before])
    return time.perf_counter() - begin


def _flip(page: Any, number: int) -> float:
    button = page.get_by_role("button", name=f"Go to page {number}", exact=True)
    return _until_total_changes(page, button.click)


def _first_picture(page: Any) -> str:
    return str(page.locator(".rows tbody tr .thumb").first.get_attribute("aria-label"))


def _sorted(page: Any) -> float:
    before = _first_picture(page)
    begin = time.perf_counter()
    page.locator(".rows th button", has_text="χ²").click()
    while _first_picture(page) == before:
        if time.perf_counter() - begin > SORT_PATIENCE_S:
            message = "the first row did not change after a click on a column header"
            raise TimeoutError(message)
        page.wait_for_timeout(5)
    return time.perf_counter() - begin


def _filtered(page: Any, label: str, text: str) -> float:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    took = _until_total_changes(page, lambda: field.press("Enter"))
    _until_total_changes(page, page.get_by_role("button", name="Clear", exact=True).click)
    return took


def _selected(page: Any, number: int) -> float:
    begin = time.perf_counter()
    page.locator(".rows tbody tr input[type=checkbox]").nth(number).check()
    page.get_by_role("status").filter(has_text=f"{number} selected").wait_for()
    return time.perf_counter() - begin


def _opened(page: Any) -> float:
    begin = time.perf_counter()
    page.locator(".rows tbody tr .thumb").nth(1).click()
    page.locator("img.large").wait_for()
    took = time.perf_counter() - begin
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    return took
