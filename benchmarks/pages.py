"""Pages in a real browser: when the first content stands, and how long visitors wait for what they asked for.

Each page has a function that measures it and returns rows; `MEASURED` lists them. Bars are those of the project, warm,
on two cores that browser and server share.
"""

from __future__ import annotations

import os
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

import numpy as np
from playwright.sync_api import BrowserContext, Page, sync_playwright

from benchmarks.load import lightcurves
from benchmarks.timing import print_table

ROOT = Path(__file__).resolve().parents[1]
#: Folder to keep the year of light curves in between runs, so that it is made once.
FOLDER = Path(os.environ.get("STIX_BENCH_ARCHIVE", "")) if os.environ.get("STIX_BENCH_ARCHIVE") else None
REPEAT = 5

#: What was measured, median and worst [s], and what the project asks for [s].
type Row = list[object]


def run() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="stix-pages-") as scratch:
        folder = FOLDER or Path(scratch) / "archive"
        lightcurves.build(folder)
        with _serving(folder, Path(scratch) / "log.txt") as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
                rows = [row for measure in MEASURED for row in measure(context, url)]
            browser.close()
    title = f"Pages in Chromium, warm, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    print_table(title, ["page", "what", "median [s]", "worst [s]", "bar [s]"], rows)


def light_curve_page(context: BrowserContext, url: str) -> list[Row]:
    """First content; panning over a year and over an hour of it."""
    start = lightcurves.FIRST.astype("datetime64[s]").astype(int) + 60 * 86_400
    year, hour = (f"{url}/lightcurves?start={start}&span={span}" for span in (240 * 86_400, 3600))
    page = context.new_page()
    rows: list[Row] = []
    for name, address in (("an hour", hour), ("240 days", year)):
        _ready(page, address)  # warms up
        rows.append(
            _row("light curves", f"first content, {name}", [_first_content(page, address) for _ in range(REPEAT)], 0.6)
        )
        live = [_ready(page, address) for _ in range(REPEAT)]
        rows.append(_row("light curves", f"live plot, {name}", live, None))
        rows.append(_row("light curves", f"pan by a tenth, {name}", _pans(page), 0.3))
    page.close()
    return rows


#: One function per page.
MEASURED: tuple[Callable[[BrowserContext, str], list[Row]], ...] = (light_curve_page,)


def _first_content(page: Page, address: str) -> float:
    """Until the browser has painted the curves that come with the document."""
    page.goto("about:blank")
    page.goto(address, wait_until="commit")
    page.wait_for_function(
        "performance.getEntriesByName('first-contentful-paint').length > 0 && document.querySelector('svg.curves')"
    )
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1e3


def _ready(page: Page, address: str) -> float:
    """Until the live plot stands."""
    begin = time.perf_counter()
    page.goto(address)
    page.wait_for_function(f"!document.getElementById('opening') && ({_FIGURE})?.inner_width > 0")
    return time.perf_counter() - begin


#: The figure of the rates, and the source of its lines.
_FIGURE = "[...(window.Bokeh?.documents?.[0]?._all_models.values() ?? [])].find((model) => model.name === 'rates')"
_WATCH = f"""() => {{
    const source = ({_FIGURE}).renderers.find((r) => r.data_source?.data.mean_4_10).data_source
    window.arrived = undefined
    const drawn = () => requestAnimationFrame(() => {{ window.arrived = performance.now() }})
    source.connect(source.properties.data.change, drawn)
}}"""


def _pans(page: Page) -> list[float]:
    """Dragging to and fro: from letting go until the new window is drawn, the 120 ms included that we wait for rest."""
    box = page.locator(".bk-Figure").first.bounding_box()
    assert box is not None
    x, y = box["x"] + 600, box["y"] + 200
    page.evaluate(_WATCH)
    times = []
    for turn in range(2 * REPEAT):
        page.evaluate("window.arrived = undefined")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + (110 if turn % 2 else -110), y, steps=4)
        released = page.evaluate("performance.now()")
        page.mouse.up()
        page.wait_for_function("window.arrived !== undefined")
        times.append((float(page.evaluate("window.arrived")) - released) / 1e3)
        page.wait_for_timeout(200)
    return times[2:]  # the first ones warm up


def _row(page: str, what: str, times: list[float], bar: float | None) -> Row:
    return [page, what, round(median(times), 3), round(float(np.max(times)), 3), "–" if bar is None else bar]


@contextmanager
def _serving(archive: Path, log: Path) -> Iterator[str]:
    """The pages of an archive, served as `python -m dashboards` does, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {"STIX_ARCHIVE": str(archive), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "dashboards", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{url}/liveness", timeout=10):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text()) from None
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)
