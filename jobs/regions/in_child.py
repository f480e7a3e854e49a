"""Spectra of regions for somebody who waits: measured in a child process, written to a given folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.executors.limited import ChildLimits, run_limited
from jobs.regions.command import regions_command
from jobs.regions.products import describe_regions, save_regions
from jobs.regions.task import RegionChoice, report_channel
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.imaging_spectroscopy.measure_regions import measure_regions
from stixcore.spectra.models.thermal import ThermalTable

#: Time and memory (beyond that of the libraries) of one measurement.
LIMITS = ChildLimits(seconds=600.0, memory=1 << 30, what="the spectra of the regions")


@dataclass(frozen=True)
class OwnRegionTask:
    """A task for one measurement: what to measure, input files, output folder, time written into headers."""

    choice: RegionChoice
    science: Path
    background: Path | None
    aspect: tuple[Path, ...]
    folder: Path
    created: np.datetime64
    calibration: CalibrationCatalog = SHIPPED
    table: ThermalTable | None = None


def measure_task(task: OwnRegionTask) -> tuple[dict[str, Any], str]:
    """Measure the regions of a task, and write their files.

    Returns
    -------
    dict, str
        The description that ``stix-jobs regions --json`` prints, and the command that measures them again.

    Raises
    ------
    StixError
        When the files, the selection or the regions allow no measurement.
    """
    recipe, locate = task.choice.recipe(task.science, task.background, task.aspect, task.calibration, task.table)
    measured = measure_regions(recipe, locate, catalog=task.calibration, table=task.table, progress=report_channel)
    background = None if task.background is None else task.background.name
    command = regions_command(recipe, task.science.name, background, [path.name for path in task.aspect])
    return describe_regions(measured, save_regions(measured, task.folder, task.created)), command


def measure_in_child(
    task: OwnRegionTask,
    on_progress: Callable[[str, int, int], None] | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> tuple[dict[str, Any], str]:
    """Run `measure_task` in a child process with limits.

    Raises
    ------
    LimitReached
        When it takes too long, needs too much memory, or is no longer wanted.
    StixError, WorkerDied
        As `measure_task`; when the process ends early.
    """
    result: tuple[dict[str, Any], str] = run_limited(measure_task, task, LIMITS, on_progress, is_wanted)
    return result
