"""Time of the spectra of previews, for ``docs/speed.md``: each time range of November 2022, warm, in one process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

from archive.index.schema import RunKind
from benchmarks.accuracy_page import replace_section
from benchmarks.november_2022 import FOLDER
from benchmarks.november_spectra import Fitted, fitted_windows
from benchmarks.speed import PAGE
from benchmarks.timing import markdown_table, print_table
from jobs.spectra.task import SpectrumContext, SpectrumTask, measure_task, write_spectrum
from stixcore.imaging.threads import single_threaded

#: Longest mean time of a spectrum, s.
BAR = 0.3


class Steps:
    """Elapsed and processor times of steps, s, by name of the step."""

    def __init__(self) -> None:
        self.times: dict[str, list[tuple[float, float]]] = {}

    def timed[Result](self, name: str, function: Callable[[], Result]) -> Result:
        """The result of a step."""
        begin, busy = perf_counter(), process_time()
        result = function()
        self.times.setdefault(name, []).append((perf_counter() - begin, process_time() - busy))
        return result

    def rows(self) -> list[list[object]]:
        """Name, mean, median and longest processor time, and mean elapsed time, of each step."""
        rows: list[list[object]] = []
        for name, times in self.times.items():
            elapsed, busy = zip(*times, strict=True)
            rows.append([name, *map(_number, (np.mean(busy), median(busy), max(busy), np.mean(elapsed)))])
        return rows


def run() -> None:
    """Print the table and write it into the page."""
    found = list(fitted_windows())
    steps = Steps()
    with tempfile.TemporaryDirectory() as folder, single_threaded():
        tasks = [_task(Path(folder), one) for one in found]
        _measure(tasks[0], Steps())  # fill caches
        for task in tasks:
            steps.timed("whole spectrum", partial(_measure, task, steps))
    rows = sorted(steps.rows(), key=lambda row: row[0] == "whole spectrum")
    rows = [[*row, f"{BAR:g}" if row[0] == "whole spectrum" else ""] for row in rows]
    columns = ["step", "mean [s]", "median [s]", "longest [s]", "elapsed, mean [s]", "target [s]"]
    print_table(TITLE, columns, rows)
    heading, _, table = markdown_table(TITLE, columns, rows).strip().partition("\n")
    text = INTRODUCTION.format(number=len(tasks), load=os.getloadavg()[0]).strip()
    replace_section(PAGE, f"{heading}\n\n{text}\n\n{table.strip()}", "## Flares page")


def _task(folder: Path, one: Fitted) -> SpectrumTask:
    """The task of a preview for a spectrum that has been measured."""
    recipe = one.measured.recipe
    assert recipe.background is not None
    return SpectrumTask(
        wanted=recipe,
        root=folder,
        science=FOLDER / "l1" / recipe.science.name,
        background=FOLDER / "l1" / recipe.background.name,
        aspect=tuple(FOLDER / "aux" / reference.name for reference in recipe.aspect),
        context=SpectrumContext(kind=RunKind.AUTO, author="auto", uid=one.uid, science_name=recipe.science.name),
        created=np.datetime64("2026-01-01T00:00:00", "us"),
    )


def _measure(task: SpectrumTask, steps: Steps) -> None:
    """What `jobs.spectra.task.run_spectrum` does, in two steps."""
    begin = perf_counter()
    measured = steps.timed("files read, counts, response and fit", lambda: measure_task(task))
    steps.timed("files and record written", lambda: write_spectrum(task, measured, begin))


def _number(value: float) -> str:
    return f"{value:.3f}"


TITLE = "Spectra of previews"
INTRODUCTION = """
The {number} time ranges that previews show of the flares of 9-11 November 2022, warm, in one process with linear
algebra on one thread: processor times, and elapsed times at a load of {load:.0f} on two cores. For each spectrum, input
files are verified, and its files and record are written to disk. With headers made by astropy, writing takes six times
as long, and the whole spectrum 1.5 times as long (alternating runs, 0.21 s and 0.15 s).
`make bench ARGS=preview_spectra` measures again and writes this section.
"""
