"""Queries of the pages on a million images and a year of light curves: ``python -m benchmarks.load.queries``.

Without a browser: the table of the image archive page (filter, sort, count, one page of rows, the counts of their runs)
and a window of the light curves. Targets: page p95 ≤ 50 ms, a year of light curves ≤ 200 ms, constant memory.
"""

from __future__ import annotations

import argparse
import gc
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from archive import Archive, ImageFilter
from benchmarks.load import images, lightcurves
from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section

PAGE_MS, YEAR_MS, GROWTH_MIB = 50.0, 200.0, 10.0
QUERIES = 1000
SIZE = 25
SORTS = ("-t_start", "t_start", "-goes_flux", "-total_flux", "chi2", "peak_hpc_x", "-created_at", "uid")


def filters(rng: np.random.Generator) -> dict[str, ImageFilter]:
    """One filter of every kind that the page offers."""
    start = np.datetime64("2021-01-01", "us") + rng.integers(0, 5 * 365 * 86400).astype("m8[s]")
    day = start.astype("M8[D]")
    return {
        "everything": ImageFilter(),
        "one day": ImageFilter(t_start=start, t_end=start + np.timedelta64(1, "D")),
        "one month": ImageFilter(t_start=start, t_end=start + np.timedelta64(30, "D")),
        "one year": ImageFilter(t_start=start, t_end=start + np.timedelta64(365, "D")),
        "method": ImageFilter(methods=("clean",)),
        "minimum GOES class": ImageFilter(goes_min=1e-5),
        "energy and trusted": ImageFilter(e_low=4.0, e_high=10.0, trusted=True),
        "position": ImageFilter(x_min=-200.0, x_max=0.0, y_min=100.0, y_max=250.0),
        "minimum counts": ImageFilter(counts_min=50_000.0),
        "images of a user": ImageFilter(author="alice", viewer="alice"),
        "part of a flare id": ImageFilter(text=str(day)[2:].replace("-", "")[:5]),
    }


def ask_page(archive: Archive, which: ImageFilter, sort: str, page: int) -> int:
    """Run the queries for one page of the table; returns the number of matching images."""
    rows, total = archive.image_page(which, sort=(sort,), size=SIZE, page=page)
    if rows:
        archive.rows(
            "SELECT run_id, counts_total, counts_background FROM runs WHERE run_id IN (SELECT unnest(?))",
            [sorted({row.recipe_id for row in rows})],
        )
    return total


@dataclass(frozen=True)
class Asked:
    """Time of one query, ms: elapsed, and CPU time of all cores."""

    wall: float
    cpu: float


def timed(ask: Callable[[], Any]) -> Asked:
    begin, busy = perf_counter(), process_time()
    ask()
    return Asked((perf_counter() - begin) * 1e3, (process_time() - busy) * 1e3)


def memory_mib() -> float:
    """Resident memory of this process now."""
    (resident,) = re.findall(r"^VmRSS:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(resident) / 1024


def measure_pages(archive: Archive, number: int = QUERIES, seed: int = 1) -> tuple[dict[str, list[Asked]], list[float]]:
    """Times by kind of query, and resident memory [MiB] after every fifty."""
    rng = np.random.default_rng(seed)
    times: dict[str, list[Asked]] = {}
    memory = []
    for kind, which in filters(rng).items():  # warm up: a server that was just started is not in a steady state
        ask_page(archive, which, SORTS[0], 1)
        times[kind] = []
    for turn in range(number):
        kind, which = list(filters(rng).items())[turn % len(times)]
        sort, page = str(rng.choice(SORTS)), int(rng.choice((1, 1, 1, 2, 5, 40)))
        times[kind].append(timed(partial(ask_page, archive, which, sort, page)))
        if turn % 50 == 49:
            gc.collect()
            memory.append(memory_mib())
    return times, memory


def measure_windows(archive: Archive, number: int = 40) -> dict[str, list[Asked]]:
    """Times of light-curve windows by length."""
    spans = {"one hour": 1 / 24, "one day": 1.0, "one month": 30.0, "one year": 364.0}
    rng = np.random.default_rng(2)
    times: dict[str, list[Asked]] = {}
    for name, days in spans.items():
        length = np.timedelta64(round(days * 86400), "s")
        latest = int((364.0 - days) * 86400) + 1

        def ask(length: np.timedelta64 = length, latest: int = latest) -> None:
            start = lightcurves.FIRST.astype("M8[us]") + rng.integers(0, latest).astype("m8[s]")
            archive.light_curve(start, start + length, simulated=True)

        ask()
        times[name] = [timed(ask) for _ in range(number)]
    return times


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.queries", description=__doc__)
    parser.add_argument("--images", type=Path, default=Path("load-images"), help="a million images")
    parser.add_argument("--lightcurves", type=Path, default=Path("load-lightcurves"), help="a year of light curves")
    parser.add_argument("--rows", type=int, default=images.ROWS)
    parser.add_argument("--days", type=int, default=lightcurves.DAYS)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--no-page", action="store_true", help="print only, do not write docs/reliability.md")
    given = parser.parse_args()
    text = report(
        images.build(given.images, given.rows), lightcurves.build(given.lightcurves, given.days), given.queries
    )
    print(text)
    if not given.no_page:
        write_section("queries", "Queries on a large archive", text)


def report(million: Archive, year: Archive, queries: int) -> str:
    """Measure both; returns the section."""
    times, memory = measure_pages(million, queries)
    together = [one for kind in times.values() for one in kind]
    growth = memory[-1] - memory[len(memory) // 4]
    windows = measure_windows(year)
    rows = [_row(f"page: {kind}", found) for kind, found in times.items()]
    rows.append(_row("**page: all**", together, PAGE_MS))
    rows += [
        _row(f"light curves: {span}", found, YEAR_MS if span == "one year" else None) for span, found in windows.items()
    ]
    growth_met = verdict(met=growth <= GROWTH_MIB)
    columns = ("query", "repetitions", "median, ms", "p95, ms", "slowest, ms", "p95 of CPU, ms", "target")
    table = markdown_table(columns, rows)
    bins = int(year.rows("SELECT count(*) AS n FROM lightcurves")[0]["n"])
    return (
        f"{million.count_images(images.EVERYTHING):,} images, {bins:,} light-curve samples. A page consists of the "
        f"queries of the image archive: filter, sort, count, {SIZE} rows, and the counts of their runs.\n\n{table}\n\n"
        f"Resident memory: {memory[len(memory) // 4]:.0f} MiB after a quarter of the queries, {memory[-1]:.0f} MiB at "
        f"the end; growth {growth:.1f} MiB, target ≤ {GROWTH_MIB:g} MiB: {growth_met}.\n\n"
        + circumstances("python -m benchmarks.load.queries")
    )


def _row(what: str, found: Sequence[Asked], bar: float | None = None) -> list[object]:
    wall, cpu = np.array([one.wall for one in found]), np.array([one.cpu for one in found])
    p95 = float(np.percentile(wall, 95))
    said = "" if bar is None else f"p95 ≤ {bar:g} ms: {verdict(met=p95 <= bar)}"
    return [what, len(found), float(np.median(wall)), p95, float(wall.max()), float(np.percentile(cpu, 95)), said]


if __name__ == "__main__":
    main()
