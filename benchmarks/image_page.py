"""The image archive page in a real browser, at 61 rows and at a million: ``python -m benchmarks image_page``.

The archives stay in ``$STIX_BENCH`` (else a temporary folder, and the million is made anew: four minutes), so that they
are made once. Times are from the visitor's action to the change they wait for, server and browser on the same machine.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import images
from benchmarks.timing import print_table

FEW, MANY = 61, images.ROWS
REPEAT = 5
#: How long an answer is waited for.
PATIENCE_S = 20.0
#: What the project asks for, s.
BARS = {"first content": 0.6, "page flip": 0.4}


def run() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(os.environ.get("STIX_BENCH", temporary))
        archives = [images.build(root / f"images-{rows}", rows) for rows in (FEW, MANY)]
        few, many = (_measure(archive.root) for archive in archives)
        sizes = [archive.count_images(images.EVERYTHING) for archive in archives]
    table: list[list[object]] = []
    for name in few:
        bar = f"{BARS[name]:g}" if name in BARS else ""
        table.append([name, f"{few[name]:.2f}", f"{many[name]:.2f}", f"{many[name] / few[name]:.1f}×", bar])
    columns = ["what", *(f"{size:,} rows [s]" for size in sizes), "ratio", "bar [s]"]
    print_table(f"Image archive page, in the browser, median of {REPEAT}", columns, table)


def _measure(archive: Path) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with _serving(archive) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        _open(page, url)  # scripts into the browser's cache
        times = {
            "first content": median(_first_content(page, url) for _ in range(REPEAT)),
            "live page": median(_timed(lambda: _open(page, url)) for _ in range(REPEAT)),
        }
        _open(page, url)
        times["page flip"] = median(_flip(page, number) for number in (2, 3, 2, 3, 2))
        times["sort by χ²"] = median(_sorted(page) for _ in range(REPEAT))
        for name, addition in FILTERS.items():
            times[f"filter {name}"] = median(_filtered(page, url, *addition) for _ in range(3))
        _open(page, url)
        times["select"] = median(_selected(page, number) for number in range(1, REPEAT + 1))
        times["open an image"] = median(_opened(page) for _ in range(REPEAT))
        browser.close()
    return times


#: Fields to fill: label, text, and whether it stands among those that are folded away.
FILTERS: dict[str, tuple[str, str, bool]] = {
    "time": ("From (UTC)", "2023-06", False),
    "text": ("Uid, flare or image id", "2203", False),
    "GOES class": ("GOES class", "C1-M5", True),
    "position": ("Solar X [″]", "-300..300", True),
    "counts": ("Counts at least", "10000", True),
}


def _open(page: Any, url: str) -> None:
    page.goto(f"{url}/image_archive")
    page.wait_for_selector("#opening", state="detached")
    page.wait_for_selector(".tabulator-row")


def _first_content(page: Any, url: str) -> float:
    page.goto(f"{url}/image_archive", wait_until="commit")
    page.wait_for_selector("#opening tbody tr")
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    page.wait_for_function(paint)
    return float(page.evaluate(paint)) / 1e3


def _timed(action: Callable[[], None]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


#: The line above the table.
NUMBER = re.compile(r"\d of [\d\s]+ images|^no images")


def _until_total_changes(page: Any, action: Callable[[], None]) -> float:
    """From an action until the line with the number of rows says something else."""
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
    return str(page.locator(".tabulator-row .thumb").first.get_attribute("aria-label"))


def _sorted(page: Any) -> float:
    before = _first_picture(page)
    begin = time.perf_counter()
    page.locator(".tabulator-col", has_text="χ²").click()
    while _first_picture(page) == before:
        if time.perf_counter() - begin > PATIENCE_S:
            message = "the first row is still the same after a click on the head of a column"
            raise TimeoutError(message)
        page.wait_for_timeout(5)
    return time.perf_counter() - begin


def _filtered(page: Any, url: str, label: str, text: str, folded: bool) -> float:
    _open(page, url)
    if folded:
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("button", name="Less", exact=True).wait_for()
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return _until_total_changes(page, lambda: field.press("Enter"))


def _selected(page: Any, number: int) -> float:
    begin = time.perf_counter()
    page.locator(".tabulator-row input[type=checkbox]").nth(number).check()
    page.get_by_role("status").filter(has_text=f"{number} selected").wait_for()
    return time.perf_counter() - begin


def _opened(page: Any) -> float:
    begin = time.perf_counter()
    page.locator(".tabulator-row .thumb").nth(1).click()
    page.locator("img.large").wait_for()
    took = time.perf_counter() - begin
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    return took


@contextmanager
def _serving(archive: Path) -> Iterator[str]:
    """Serve an archive on a free port, and end the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "dashboards", "--port", str(port)]
    process = subprocess.Popen(
        command, env=os.environ | {"STIX_ARCHIVE": str(archive)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120.0
        while True:
            try:
                with urllib.request.urlopen(f"{url}/image_archive", timeout=30):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)
