"""The flare pages over 40,000 flares and over the demonstration: ``python -m benchmarks flares_page``.

Queries, exports, and both pages in a real browser. The tables are printed and written to ``docs/speed.md``. Archives
are kept in ``$STIX_BENCH``; otherwise they are made in a temporary folder, which takes some minutes. Processor times
are beside elapsed times, because other programs change them less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from archive import Archive, FlareFilter, ImageFilter
from archive.exports import FORMATS, described
from archive.index.schema import FLARES
from benchmarks.accuracy_page import replace_section
from benchmarks.chromium import ROOT, Visit, chromium, measured_visit, served, watched_page
from benchmarks.load import flares, images
from benchmarks.load.sections import markdown_table
from benchmarks.speed import PAGE
from benchmarks.timing import Table, print_table
from dashboards.pages.flares.sky import marks_of, rate_of, read_sky
from dashboards.pages.flares.views import SunView

REPEAT = 5
QUERY_BAR_MS, FIRST_CONTENT_BAR, LIVE_BAR = 50.0, 0.3, 1.5
SIZE = 25
#: Images of as many image sets as 40,000 flares have in two bands.
SET_IMAGES = 2 * 7 * flares.ROWS
HEADING = "## Flares page"


def run() -> None:
    """Print the tables and write them to docs/speed.md."""
    with tempfile.TemporaryDirectory(prefix="stix-flares-") as scratch:
        root = Path(os.environ.get("STIX_BENCH", scratch))
        archive, sets, demo = flares.build(root / "flares"), _sets_archive(root), _demonstration(root)
        tables: list[Table] = [
            ("Queries", ["operation", "elapsed [ms]", "processor [ms]", "target [ms]"], _queries(archive, sets)),
            ("All flares as a file", ["format", "size [MB]", "processor [s]"], _exports(archive)),
        ]
        flare, n_sets = _flare_with_images(archive), sets.count_runs()
        archive.close()
        sets.close()
        rows = _visits(root / "flares", f"{flares.ROWS:,} flares", flare, Path(scratch) / "log.txt")
        with closing(Archive(demo)) as opened:
            flare = _flare_with_images(opened)
        rows += _visits(demo, "demonstration", flare, Path(scratch) / "log.txt")
        tables.append(("Pages in Chromium, warm", ["page", *_COLUMNS], rows))
    for table in tables:
        print_table(*table)
    replace_section(PAGE, _section(tables, n_sets), HEADING)


def _section(tables: Sequence[Table], n_sets: int) -> str:
    text = (
        f"{flares.ROWS:,} flares, and {n_sets:,} image sets in an archive of their own; medians on {os.cpu_count()} "
        f"processors at a load of {os.getloadavg()[0]:.1f}. Other programs lengthen elapsed times more than processor "
        "times (of all threads). First content is the document when first painted; the live page answers to clicks. "
        "`make bench ARGS=flares_page` writes this section."
    )
    parts = [
        HEADING,
        text,
        *(f"**{title}**\n\n{markdown_table(columns, rows)}" for title, columns, rows in tables),
    ]
    return "\n\n".join(parts)


def _sets_archive(root: Path) -> Archive:
    """An archive with as many image sets as 40,000 flares have."""
    archive = images.build(root / "sets", SET_IMAGES)
    archive.build_read_model()
    return archive


def _demonstration(root: Path) -> Path:
    """The archive of ``make demo``: simulated flares with all their products, and a cube."""
    folder = root / "demo"
    command = [sys.executable, "-m", "jobs.cli", "demo", "--no-serve", "--archive", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def _flare_with_images(archive: Archive) -> str:
    """Id of the highest flare with images."""
    (flare,) = archive.flare_page(FlareFilter(has_images=True), sort=("-peak_counts",), limit=1)
    return flare.flare_id


# -- queries and exports ----------------------------------------------------------------------------------------------


def _queries(archive: Archive, sets: Archive) -> list[list[object]]:
    everything, year = FlareFilter(), FlareFilter(goes_min=1e-6, earth_visible=True, verdict="trusted")
    sky, default = read_sky(archive, everything), ImageFilter(grouped=False)
    methods = ImageFilter(grouped=False, methods=("clean",), trusted=True)

    def flare_page(which: FlareFilter, sort: str = "-t_peak", page: int = 1) -> Callable[[], Any]:
        return lambda: archive.flare_page(which, sort=(sort,), limit=SIZE, offset=(page - 1) * SIZE)

    def set_page(which: ImageFilter, sort: str = "-t_start", page: int = 1) -> Callable[[], Any]:
        return lambda: sets.set_page(which, sort=(sort,), size=SIZE, page=page)

    last = -(-sets.count_runs() // SIZE)
    asked: dict[str, tuple[Callable[[], Any], float | None]] = {
        "newest page of flares": (flare_page(everything), QUERY_BAR_MS),
        "page 801 by class": (flare_page(everything, "-goes_flux", 801), QUERY_BAR_MS),
        "page 41 by duration": (flare_page(everything, "-duration_s", 41), QUERY_BAR_MS),
        "page of a filter": (flare_page(year), QUERY_BAR_MS),
        "part of an id": (flare_page(FlareFilter(text="2403")), QUERY_BAR_MS),
        "positions of all": (lambda: read_sky(archive, everything), None),
        "marks of the Sun figure": (lambda: marks_of(sky, SunView.EARTH), None),
        "bars of the flare rate": (lambda: rate_of(sky), None),
        "newest page of image sets": (set_page(default), QUERY_BAR_MS),
        "last page of image sets": (set_page(default, page=last), QUERY_BAR_MS),
        "image sets by counts": (set_page(default, "-net_counts"), QUERY_BAR_MS),
        "image sets by class": (set_page(default, "-goes_flux"), QUERY_BAR_MS),
        "image sets with a trusted CLEAN image": (set_page(methods), QUERY_BAR_MS),
    }
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


# -- pages in a browser -----------------------------------------------------------------------------------------------

#: What is part of the document, and whether the live page is ready.
_ROWS, _SHEET = "#opening tbody tr", "#opening section"
_FIGURES = "[...(window.Bokeh?.documents?.[0]?._all_models.values() ?? [])].some((m) => m.type === 'Figure')"
_ALIVE = "window.Bokeh?.documents?.[0]?.roots().length > 0"
_COLUMNS = (
    "first content [s]", "target [s]", "live [s]", "target [s]", "server [s]", "browser [s]",
)  # fmt: skip


def _visits(folder: Path, name: str, flare: str, log: Path) -> list[list[object]]:
    """Rows of the table for both pages of an archive."""
    pages = {"flares": (_ROWS, _FIGURES), f"flare?id={flare}": (_SHEET, _ALIVE)}
    rows: list[list[object]] = []
    with served(folder, log) as server, chromium() as context:
        for path, (content, alive) in pages.items():
            page = watched_page(context, content)
            for _ in range(2):  # warm up: Chromium caches compiled scripts from the second visit
                measured_visit(page, server, path, alive)
            visits = [measured_visit(page, server, path, alive) for _ in range(REPEAT)]
            rows.append([f"`/{path.partition('?')[0]}`, {name}", *_row(visits)])
            page.close()
    return rows


def _row(visits: Sequence[Visit]) -> list[object]:
    def middle(times: Sequence[float]) -> str:
        return f"{median(times):.2f}"

    return [
        middle([one.first for one in visits]), f"{FIRST_CONTENT_BAR:g}",
        middle([one.live for one in visits]), f"{LIVE_BAR:g}",
        middle([one.server for one in visits]), middle([one.browser for one in visits]),
    ]  # fmt: skip
