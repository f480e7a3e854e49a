"""Make the missing and stale cubes of flares, and put them into the index.

A cube whose images are up to date but whose fits are not keeps its images, and gets only the fits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from archive import Archive, RunFilter, RunKind, RunStatus
from archive.atomic import write_text
from archive.errors import NotInArchive
from archive.index.schema import Run, ScienceFile
from jobs.executors.base import Executor
from jobs.executors.make import run_all
from jobs.inputs import InputCatalog
from jobs.previews.cubes import RECORD, CubeRows, CubeRules, CubeTask, plan_cube, run_cube
from jobs.previews.spectrum_track import thermal_source
from jobs.previews.stale import FLARES_CHANGED, StalePreview, discard_runs
from stixcore.recipe import Recipe

log = logging.getLogger(__name__)


def make_cubes(
    archive: Archive,
    inputs: InputCatalog,
    files: Sequence[ScienceFile],
    rules: CubeRules,
    now: np.datetime64,
    *,
    months: Collection[str] | None = None,
    runs: Sequence[Run] = (),
    force: bool = False,
    executor: Executor | None = None,
) -> tuple[CubeRows, ...]:
    """Make the cubes of flares in some files.

    Parameters
    ----------
    archive : Archive
    inputs : InputCatalog
    files : sequence of ScienceFile
    rules : CubeRules
    now : datetime64
        Written as creation time.
    months : collection of str, optional
        Look only at files of these months ("2022-11") and at those of ``runs``.
    runs : sequence of Run
        Previews that were just made.
    force : bool
        Also make cubes that exist.
    executor : Executor, optional
    """
    fresh = {run.science_name for run in runs}
    near = [file for file in files if months is None or str(file.t_start)[:7] in months or file.name in fresh]
    tasks: list[CubeTask] = []
    for file in near:
        planned = _plan(archive, inputs, file, rules, now)
        _discard_foreign(archive, file, {task.group_id for task in planned}, now)
        if force:
            tasks += planned
        else:
            tasks += [replace(task, keeps_images=task.record is not None) for task in planned if not task.is_made]
    made = []
    for task, result in run_all(run_cube, tasks, executor=executor):
        if isinstance(result, CubeRows):
            _index(archive, task, result, now)
            made.append(result)
        else:
            log.error("%s failed", task.group_id, exc_info=result)
    return tuple(made)


def _plan(
    archive: Archive, inputs: InputCatalog, file: ScienceFile, rules: CubeRules, now: np.datetime64
) -> list[CubeTask]:
    """A task for each flare of a file with a finished preview; that of the lowest band is the base."""
    done = RunFilter(kind=RunKind.AUTO, uid=file.uid, statuses=(RunStatus.DONE,), grouped=False, all_hidden=True)
    base: dict[str | None, Run] = {}
    for run in sorted(archive.runs(done), key=lambda run: (run.e_low, run.run_id)):
        if run.science_name == file.name:
            base.setdefault(run.flare_id, run)
    tasks, flares = [], inputs.flares_in(file)
    thermal = thermal_source(archive.root)
    for flare_id, run in base.items():
        recipe = Recipe.from_json(run.recipe or "")
        try:
            paths = [
                archive.locate(reference.name)
                for reference in (recipe.science, recipe.background, *recipe.aspect)
                if reference is not None
            ]
        except NotInArchive:  # a preview whose files are gone keeps what it has
            continue
        flare = flares.get(flare_id or "")
        tasks.append(plan_cube(archive.root, rules, file, run, flare, paths, now, inputs.calibration, thermal))
    return tasks


def _discard_foreign(archive: Archive, file: ScienceFile, groups: set[str], now: np.datetime64) -> None:
    """Remove cubes of a file whose flare is no longer in it; tracks and movies are removed with them."""
    found = archive.runs(RunFilter(kind=RunKind.AUTO, uid=file.uid, grouped=True, all_hidden=True))
    foreign = [run for run in found if run.science_name == file.name and run.group_id not in groups]
    discard_runs(archive, [StalePreview(run, FLARES_CHANGED) for run in foreign], now)
    for group in {run.group_id for run in foreign}:
        for record in (archive.root / "cubes").glob(f"*/*/*/{group}/{RECORD}"):
            _clear(record)


def _clear(record: Path) -> None:
    """Remove the files of a cube, its record first, so that an interrupted removal is repeated."""
    record.unlink(missing_ok=True)
    for path in record.parent.glob("*"):
        path.unlink(missing_ok=True)
    record.parent.rmdir()


def _index(archive: Archive, task: CubeTask, cube: CubeRows, now: np.datetime64) -> None:
    """Replace the image sets of a group, unless it keeps them, then write its record."""
    if not cube.keeps_images:
        _replace_sets(archive, task, cube, now)
    write_text(task.folder / RECORD, json.dumps(cube.record, indent=1) + "\n")


def _replace_sets(archive: Archive, task: CubeTask, cube: CubeRows, now: np.datetime64) -> None:
    before = archive.runs(RunFilter(group_id=task.group_id, all_hidden=True))
    made = {rows.run.run_id for rows in cube.sets}
    with archive.write_lock():
        archive.write_runs((rows.run for rows in cube.sets), (image for rows in cube.sets for image in rows.images))
        gone = [StalePreview(run, "the cube of its flare was made again") for run in before if run.run_id not in made]
        discard_runs(archive, gone, now)
