"""Images of a file that is not in the archive, made in a child process and written to a given folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.executors.base import report_progress
from jobs.executors.limited import ChildLimits, run_limited
from jobs.imaging.products import describe, save_images
from jobs.imaging.task import Locator
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.imaging.reconstruction import method_name
from stixcore.options import ImageRequest
from stixcore.pointings import with_solutions
from stixcore.reconstruct import prepare_recipe, reconstruct

#: Limits of time [s] and of memory [byte] (beyond that of the libraries) for one image set.
SECONDS, MEMORY = 120.0, 1 << 30


@dataclass(frozen=True)
class OwnTask:
    """A task for one image set: request, input files, output folder, time written into headers, calibration."""

    request: ImageRequest
    science: Path
    background: Path | None
    aspect: tuple[Path, ...]
    folder: Path
    created: np.datetime64
    calibration: CalibrationCatalog = SHIPPED


def make_own_images(task: OwnTask) -> dict[str, Any]:
    """Make the images of a task and describe them as ``stix-jobs image --json`` does.

    Raises
    ------
    StixError
        When the files or the selection allow no image.
    """
    recipe = prepare_recipe(task.request, task.science, task.background, task.aspect, catalog=task.calibration)
    images = reconstruct(
        recipe,
        Locator.of(task.science, task.background, *task.aspect),
        progress=lambda method, number, total: report_progress(method_name(method), number + 1, total),
        catalog=task.calibration,
    )
    images = with_solutions(images, task.aspect)
    return describe(images, save_images(images, task.folder, task.created))


def run_in_child(
    task: OwnTask,
    on_progress: Callable[[str, int, int], None] | None = None,
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> dict[str, Any]:
    """Run `make_own_images` in a child process with limits.

    Raises
    ------
    LimitReached
        When it takes too long or needs too much memory.
    StixError, WorkerDied
        As `make_own_images`; when the process ends early.
    """
    result: dict[str, Any] = run_limited(make_own_images, task, ChildLimits(seconds, memory, "the images"), on_progress)
    return result
