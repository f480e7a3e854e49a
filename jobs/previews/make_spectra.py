"""Make the missing and stale spectra of previews, and put them into the index.

Each time range of a flare in which a preview was imaged has one spectrum, with the background, the auxiliary files and
the calibration of that preview, and the location from the thermal images. All of that is in the recipe of the spectrum,
so a spectrum is stale when its previews now give another recipe.
"""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from archive import Archive, NotInArchive, RunFilter, RunKind, RunStatus, Spectrum, SpectrumFilter
from archive.chianti import thermal_table
from archive.index.schema import Run, ScienceFile
from jobs.executors.base import Executor
from jobs.executors.make import run_all
from jobs.inputs import InputCatalog
from jobs.spectra.task import SpectrumContext, SpectrumTask, run_spectrum
from stixcore.errors import StixError
from stixcore.measure_spectrum import thermal_reference
from stixcore.recipe import Recipe
from stixcore.references import TableReference
from stixcore.spectra.fit.recipe import AUTO
from stixcore.spectrum_recipe import SPECTRUM_REVISION, SpectrumRecipe, SpectrumRequest

log = logging.getLogger(__name__)

#: Rows go into the index after this many spectra, so that a crash costs little and a batch is not slowed down.
BATCH = 32


@dataclass(frozen=True)
class SpectrumRules:
    """What all spectra of previews have in common; they are made again when it changes.

    Attributes
    ----------
    thermal : TableReference or None
        Table of thermal emission; None if that of the archive is damaged, so that no spectra are made.
    revision : int
        See `stixcore.spectrum_recipe.SPECTRUM_REVISION`.
    """

    thermal: TableReference | None
    revision: int = SPECTRUM_REVISION

    @classmethod
    def of(cls, archive: Archive) -> SpectrumRules:
        """The rules for an archive."""
        try:
            return cls(thermal_reference(AUTO, thermal_table(archive.root)))
        except StixError as error:
            log.warning("no spectra are made: %s", error)
            return cls(None)


@dataclass(frozen=True)
class SpectrumChanges:
    """Spectra that were made, and ids of those that were removed or got another flare."""

    made: tuple[Spectrum, ...] = ()
    removed: tuple[str, ...] = ()
    relinked: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.made or self.removed or self.relinked)


@dataclass(frozen=True)
class _Planned:
    """A spectrum that previews should have: its recipe, and the preview with its files."""

    recipe: SpectrumRecipe
    run: Run

    @property
    def context(self) -> SpectrumContext:
        run = self.run
        return SpectrumContext(
            kind=RunKind.AUTO,
            author="auto",
            uid=run.uid,
            science_name=run.science_name,
            flare_id=run.flare_id,
            background_uid=run.background_uid,
            hidden=run.hidden,
        )


def make_spectra(
    archive: Archive,
    inputs: InputCatalog,
    rules: SpectrumRules,
    now: np.datetime64,
    *,
    months: Collection[str] | None = None,
    uids: Sequence[str] = (),
    names: Collection[str] = (),
    force: bool = False,
    executor: Executor | None = None,
) -> SpectrumChanges:
    """Make the spectra of the previews in the index, and remove stale ones.

    A spectrum that cannot be made is left out, with the reason in the log. Running it again changes nothing.

    Parameters
    ----------
    archive : Archive
        Build the read model afterwards, if something has changed.
    inputs : InputCatalog
    rules : SpectrumRules
    now : datetime64
        Written as creation time.
    months : collection of str, optional
        Look only at files of these months ("2022-11"), and at those in ``names``.
    uids : sequence of str
        Look only at these science requests.
    names : collection of str
        Names of science files whose previews have just changed.
    force : bool
        Also make spectra that exist.
    executor : Executor, optional
    """
    if rules.thermal is None:
        return SpectrumChanges()
    tasks: list[SpectrumTask] = []
    removed: list[str] = []
    relinked: list[str] = []
    for files in _by_month(inputs, months, uids, names):
        runs, known = _previews(archive, files), _known(archive, files)
        planned, unplanned = _plan(inputs, rules, runs)
        stale = [
            row
            for row in known.values()
            if row.kind == RunKind.AUTO and row.spectrum_id not in planned and row.science_name not in unplanned
        ]
        _discard(archive, stale)
        removed += [row.spectrum_id for row in stale]
        relinked += _follow(archive, planned, known)
        for spectrum_id, one in planned.items():
            if spectrum_id not in known or (force and known[spectrum_id].kind == RunKind.AUTO):  # others stay a user's
                tasks += _task(archive, inputs, one, now)
    return SpectrumChanges(_make(archive, tasks, executor), tuple(removed), tuple(relinked))


def _by_month(
    inputs: InputCatalog, months: Collection[str] | None, uids: Sequence[str], names: Collection[str]
) -> Iterator[list[ScienceFile]]:
    """Science files, also those that were replaced, one month at a time to bound memory."""
    found: dict[str, list[ScienceFile]] = defaultdict(list)
    for file in inputs.science.values():
        near = months is None or file.name in names or {str(file.t_start)[:7], str(file.t_end)[:7]} & set(months)
        if near and (not uids or file.uid in uids):
            found[str(file.t_start)[:7]].append(file)
    for month in sorted(found):
        yield found[month]


def _span(files: Sequence[ScienceFile]) -> tuple[np.datetime64, np.datetime64]:
    """Time range of some files, with a second more on both sides."""
    one = np.timedelta64(1, "s")
    return min(file.t_start for file in files) - one, max(file.t_end for file in files) + one


def _previews(archive: Archive, files: Sequence[ScienceFile]) -> list[Run]:
    """Finished previews of some files, those of the lowest band first."""
    start, end = _span(files)
    done = RunFilter(
        kind=RunKind.AUTO, statuses=(RunStatus.DONE,), grouped=False, all_hidden=True, t_start=start, t_end=end
    )
    names = {file.name for file in files}
    found = [run for run in archive.runs(done) if run.science_name in names]
    return sorted(found, key=lambda run: (run.e_low, run.e_high, run.run_id))


def _known(archive: Archive, files: Sequence[ScienceFile]) -> dict[str, Spectrum]:
    """Spectra of some files by id."""
    start, end = _span(files)
    names = {file.name for file in files}
    found = archive.spectra(SpectrumFilter(t_start=start, t_end=end, all_hidden=True))
    return {row.spectrum_id: row for row in found if row.science_name in names}


def _plan(inputs: InputCatalog, rules: SpectrumRules, runs: Sequence[Run]) -> tuple[dict[str, _Planned], set[str]]:
    """Spectra by id that previews should have, and names of files that keep their spectra because planning failed.

    The preview of the lowest band of a time range gives background, auxiliary files and calibration; the preview of the
    lowest band of a flare in a file gives the location.
    """
    locations: dict[tuple[str, str | None], Recipe] = {}
    leads: dict[tuple[str, str | None, np.datetime64, np.datetime64], tuple[Run, Recipe]] = {}
    unplanned: set[str] = set()
    for run in runs:
        try:
            recipe = Recipe.from_json(run.recipe or "")
        except StixError as error:
            log.warning("%s %s: no spectrum: %s", run.uid, run.band, error)
            unplanned.add(run.science_name)
            continue
        locations.setdefault((run.science_name, run.flare_id), recipe)
        leads.setdefault((run.science_name, run.flare_id, run.t_start, run.t_end), (run, recipe))
    planned: dict[str, _Planned] = {}
    for (name, flare_id, start, end), (run, recipe) in leads.items():
        try:
            calibration = recipe.calibration or inputs.calibration.reference_at(start, end)
            wanted = SpectrumRecipe(
                science=recipe.science,
                background=recipe.background,
                aspect=recipe.aspect,
                calibration=calibration,
                thermal=rules.thermal,
                request=SpectrumRequest(start=start, end=end),
                location=locations[name, flare_id].location,
                revision=rules.revision,
            )
        except StixError as error:
            log.warning("%s %s: no spectrum: %s", run.uid, run.band, error)
            unplanned.add(name)
            continue
        planned.setdefault(wanted.spectrum_id, _Planned(wanted, run))
    return planned, unplanned


def _follow(archive: Archive, planned: dict[str, _Planned], known: dict[str, Spectrum]) -> list[str]:
    """Give spectra the flare of their preview; returns the ids of those that had another one."""
    changed = [
        replace(known[spectrum_id], flare_id=one.run.flare_id)
        for spectrum_id, one in planned.items()
        if spectrum_id in known
        and known[spectrum_id].kind == RunKind.AUTO
        and known[spectrum_id].flare_id != one.run.flare_id
    ]
    if changed:
        archive.write_spectra(changed)
    return [row.spectrum_id for row in changed]


def _discard(archive: Archive, rows: Sequence[Spectrum]) -> None:
    """Remove files, then rows: a row without files shows that its removal is unfinished."""
    if not rows:
        return
    with archive.write_lock():
        for row in rows:
            log.info("%s %s: the spectrum is stale and removed", row.uid, row.spectrum_id)
            folder = archive.path_of(row.folder)
            if folder.is_dir():
                shutil.rmtree(folder)
        archive.delete("spectra", [row.spectrum_id for row in rows])


def _task(archive: Archive, inputs: InputCatalog, one: _Planned, now: np.datetime64) -> list[SpectrumTask]:
    """The task of a spectrum; empty if a file is missing."""
    try:
        return [SpectrumTask.of_recipe(archive, one.recipe, one.context, created=now, calibration=inputs.calibration)]
    except NotInArchive as error:
        log.info("%s %s: no spectrum: %s", one.run.uid, one.run.band, error)
        return []


def _make(archive: Archive, tasks: Sequence[SpectrumTask], executor: Executor | None) -> tuple[Spectrum, ...]:
    """Run the tasks and write their rows, a batch at a time."""
    made: list[Spectrum] = []
    batch: list[Spectrum] = []
    for task, result in run_all(run_spectrum, tasks, executor=executor):
        if isinstance(result, Spectrum):
            made.append(result)
            batch.append(result)
        elif isinstance(result, StixError):
            log.warning("%s: no spectrum: %s", task.context.uid, result)
        else:  # a fault of the software; the images are not affected
            log.error("%s: no spectrum", task.context.uid, exc_info=result)
        if len(batch) >= BATCH:
            archive.write_spectra(batch)
            batch = []
    if batch:
        archive.write_spectra(batch)
    return tuple(made)
