"""The flares page over 40,000 flares: queries, exports and a real browser: ``python -m benchmarks flares_page``.

The archive is kept in ``$STIX_BENCH``; otherwise it is made in a temporary folder, which takes some minutes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from archive import Archive, FlareFilter
from archive.exports import FORMATS, described
from archive.index.schema import FLARES
from benchmarks.chromium import JUDGED, chromium, judged, serving, visit
from benchmarks.load import flares
from benchmarks.timing import print_table
from dashboards.pages.flares.sky import marks_of, rate_of, read_sky
from dashboards.pages.flares.views import SunView

REPEAT = 5
QUERY_BAR_MS, FIRST_CONTENT_BAR, LIVE_BAR = 50.0, 0.3, 1.5
SIZE = 25


def run() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="stix-flares-") as scratch:
        folder = Path(os.environ.get("STIX_BENCH", scratch)) / "flares"
        archive = flares.build(folder)
        circumstances = f"{archive.count_flares():,} flares, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        columns = ["operation", "median [ms]", "CPU [ms]", "target [ms]"]
        print_table(f"Queries of the flares page, {circumstances}", columns, _queries(archive))
        print_table(f"Exports of all flares, {circumstances}", ["format", "size [MB]", "CPU [s]"], _exports(archive))
        archive.close()
        with serving(folder, Path(scratch) / "log.txt") as url, chromium() as context:
            page = context.new_page()
            for _ in range(2):  # warm up: Chromium caches compiled scripts from the second visit
                visit(page, f"{url}/flares", _ROWS, _ALIVE)
            first, live = zip(*(visit(page, f"{url}/flares", _ROWS, _ALIVE) for _ in range(REPEAT)), strict=True)
    rows = [judged(["first content"], first, FIRST_CONTENT_BAR), judged(["live page"], live, LIVE_BAR)]
    print_table(f"Flares page in Chromium, warm, {circumstances}", ["operation", *JUDGED], rows)


#: Rows that are part of the document; rows of the live table.
_ROWS = "#opening tbody tr"
_ALIVE = "[...(window.Bokeh?.documents?.[0]?._all_models.values() ?? [])].some((m) => m.type === 'Figure')"


def _queries(archive: Archive) -> list[list[object]]:
    everything, year = FlareFilter(), FlareFilter(goes_min=1e-6, earth_visible=True, verdict="trusted")
    sky = read_sky(archive, everything)
    asked: dict[str, tuple[Callable[[], Any], float | None]] = {
        "newest page": (lambda: archive.flare_page(everything, limit=SIZE), QUERY_BAR_MS),
        "page 800 by class": (
            lambda: archive.flare_page(everything, sort=("-goes_flux",), limit=SIZE, offset=800 * SIZE), QUERY_BAR_MS,
        ),
        "page 40 by duration": (
            lambda: archive.flare_page(everything, sort=("-duration_s",), limit=SIZE, offset=40 * SIZE), QUERY_BAR_MS,
        ),
        "page of a filter": (lambda: archive.flare_page(year, limit=SIZE), QUERY_BAR_MS),
        "positions of all": (lambda: read_sky(archive, everything), None),
        "marks of the Sun figure": (lambda: marks_of(sky, SunView.EARTH), None),
        "bars of the flare rate": (lambda: rate_of(sky), None),
    }  # fmt: skip
    return [[name, *_timed(ask), "–" if bar is None else bar] for name, (ask, bar) in asked.items()]


def _timed(ask: Callable[[], Any]) -> tuple[float, float]:
    """Medians of elapsed and processor time, ms."""
    ask()
    times = []
    for _ in range(REPEAT * 4):
        begin, busy = perf_counter(), process_time()
        ask()
        times.append(((perf_counter() - begin) * 1e3, (process_time() - busy) * 1e3))
    return median(wall for wall, _ in times), median(cpu for _, cpu in times)


def _exports(archive: Archive) -> list[list[object]]:
    rows: list[list[object]] = []
    for form, (_, write) in FORMATS.items():
        busy = process_time()
        table = archive.flare_table()
        schema = described(table.schema, FLARES.columns)
        parts = (table.slice(begin, 4000).cast(schema) for begin in range(0, table.num_rows, 4000))
        size = sum(map(len, write(schema, parts)))
        rows.append([form, size / 1e6, process_time() - busy])
    return rows
