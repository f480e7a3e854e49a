"""The light-curve page in a real browser, for one hour and for 240 days: ``python -m benchmarks pages``.

The year of light curves is kept in ``$STIX_BENCH``; otherwise it is made in a temporary folder, which takes a minute.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from benchmarks.chromium import FIRST_CONTENT_BAR, JUDGED, chromium, judged, serving, visit, watched_page
from benchmarks.load import lightcurves
from benchmarks.timing import print_table

REPEAT = 5
PAN_BAR = 0.3


def run() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="stix-pages-") as scratch:
        folder = Path(os.environ.get("STIX_BENCH", scratch)) / "light-curves"
        lightcurves.build(folder).close()
        with serving(folder, Path(scratch) / "log.txt") as url, chromium() as context:
            rows = _light_curves(context, url)
    title = f"Light-curve page in Chromium, warm, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    print_table(title, ["window", "operation", *JUDGED], rows)


def _light_curves(context: BrowserContext, url: str) -> list[list[object]]:
    """First content, and panning, for a year and for one hour of it."""
    start = lightcurves.FIRST.astype("datetime64[s]").astype(int) + 60 * 86_400
    page = watched_page(context, _CURVES)
    rows: list[list[object]] = []
    for name, span in (("one hour", 3600), ("240 days", 240 * 86_400)):
        address = f"{url}/lightcurves?start={start}&span={span}"
        for _ in range(2):  # warm up: Chromium caches compiled scripts from the second visit
            visit(page, address, _ALIVE)
        first, live = zip(*(visit(page, address, _ALIVE) for _ in range(REPEAT)), strict=True)
        rows += [
            judged([name, "first content"], first, FIRST_CONTENT_BAR),
            judged([name, "live plot"], live, None),
            judged([name, "pan by a tenth of the window"], _pans(page), PAN_BAR),
        ]
    return rows


#: Curves that are part of the document; the figure of the rates, and whether it is ready.
_CURVES = "svg.curves"
_FIGURE = "[...(window.Bokeh?.documents?.[0]?._all_models.values() ?? [])].find((model) => model.name === 'rates')"
_ALIVE = f"({_FIGURE})?.inner_width > 0"
_WATCH = f"""() => {{
    const source = ({_FIGURE}).renderers.find((r) => r.data_source?.data.mean_4_10).data_source
    window.arrived = undefined
    const drawn = () => requestAnimationFrame(() => {{ window.arrived = performance.now() }})
    source.connect(source.properties.data.change, drawn)
}}"""


def _pans(page: Page) -> list[float]:
    """Time from the end of a drag until the new window is drawn, including the delay of 120 ms before an update."""
    box = page.locator(".bk-Figure").first.bounding_box()
    assert box is not None
    x, y = box["x"] + 600, box["y"] + 200
    page.evaluate(_WATCH)
    times = []
    for turn in range(2 * REPEAT):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + (110 if turn % 2 else -110), y, steps=4)
        released = page.evaluate("window.arrived = undefined, performance.now()")
        page.mouse.up()
        page.wait_for_function("window.arrived !== undefined")
        times.append((float(page.evaluate("window.arrived")) - released) / 1e3)
        page.wait_for_timeout(400)  # pending updates arrive
    return times[2:]  # the first ones are warm-up
