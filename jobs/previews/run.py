"""Previews: images of every new pixel-data file, made automatically."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from archive import Archive
from archive.index.schema import Flare, Run, RunKind, RunStatus, ScienceFile, Spectrum
from archive.layout import skipped_run_id
from jobs.executors.base import Executor
from jobs.executors.make import run_all
from jobs.imaging.task import (
    ImagingTask,
    RunContext,
    RunRows,
    band_label,
    failed_run,
    run_preview,
    skipped_run,
)
from jobs.inputs import InputCatalog, classes_of, flare_named_in
from jobs.previews.checkpoint import PreviewCheckpoint
from jobs.previews.cubes import CubeRows, CubeRules
from jobs.previews.make_cubes import make_cubes
from jobs.previews.make_spectra import SpectrumRules, make_spectra
from jobs.previews.quiet import background_of_file, set_counts
from jobs.previews.stale import StalePreview, discard_stale_previews
from jobs.previews.windows import PreviewRules, PreviewWindow, SkippedBand, intervals_of, preview_windows
from stixcore.errors import StixError, public_sentence
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.trust import Finding, Severity
from stixcore.options import ImageRequest

log = logging.getLogger(__name__)

#: Rows go into the index after this many runs, so that a crash costs little and a batch is not slowed down.
BATCH = 32
RULES = PreviewRules()
#: Code of the note that another band than that of the rules was imaged.
OTHER_BAND = "other_band"


@dataclass(frozen=True)
class PreviewReport:
    """Result of `make_previews`: files without previews, their runs, removed stale previews, cubes and spectra made."""

    considered: int
    runs: tuple[Run, ...]
    discarded: tuple[StalePreview, ...] = ()
    cubes: tuple[CubeRows, ...] = ()
    spectra: tuple[Spectrum, ...] = ()

    def having(self, status: RunStatus) -> tuple[Run, ...]:
        """Runs with one status."""
        return tuple(run for run in self.runs if run.status == status)


def make_previews(
    archive: Archive,
    now: np.datetime64,
    *,
    uids: Sequence[str] = (),
    force: bool = False,
    executor: Executor | None = None,
    rules: PreviewRules | None = None,
    cube: CubeRules | None = None,
    copies: int = 0,
    progress: Callable[[int, int, Run], None] | None = None,
) -> PreviewReport:
    """Make the missing and the stale preview images of all pixel-data files, and their spectra.

    Running it again changes nothing: a file is finished when each of its bands has a run, done or skipped with a
    reason. Without new files it returns at once (`jobs.previews.checkpoint`). Previews that were made before there were
    spectra get theirs.

    Parameters
    ----------
    archive : Archive
    now : datetime64
        Written as creation time.
    uids : sequence of str
        Only these science requests.
    force : bool
        Also make previews that exist, and those that failed, again.
    executor : Executor, optional
        Where the images are made; in this process by default.
    rules : PreviewRules, optional
    cube : CubeRules, optional
        Also make the missing and stale cubes of all flares; none are made, and none removed, without it.
    copies : int
        Simulated copies of the data per method, for uncertainty maps and errors of the previews that are made: 0, or
        2 to 1000. It does not make existing ones again.
    progress : callable, optional
        Called after each run with its number (from 1), how many there are, and its row.
    """
    rules = rules or RULES
    basis = rules, cube, SpectrumRules.of(archive)
    seen, before = PreviewCheckpoint.now(archive, basis), PreviewCheckpoint.before(archive)
    if seen == before and not (uids or force):
        return PreviewReport(0, ())
    inputs = InputCatalog.of(archive)
    months = None if force else seen.touched_since(before)
    discarded = discard_stale_previews(archive, now, rules, inputs=inputs, months=months, uids=uids)
    known = _known(archive, rules)
    files = [file for file in inputs.science.values() if _is_candidate(file) and (not uids or file.uid in uids)]
    plans = [plan for file in files if (plan := _plan(archive, inputs, file, rules, now, known, force=force))]
    steps = list(chain.from_iterable(plans))
    recorded = [step for step in steps if isinstance(step, Run)]
    tasks = [replace(step, ensemble=copies) for step in steps if isinstance(step, ImagingTask)]
    runs: list[Run] = []
    batch: list[RunRows] = []
    for outcome in chain(map(RunRows, recorded), _outcomes(tasks, executor)):
        batch.append(outcome)
        runs.append(outcome.run)
        if progress is not None:
            progress(len(runs), len(steps), outcome.run)
        if len(batch) >= BATCH:
            index_previews(archive, batch, rules)
            batch = []
    index_previews(archive, batch, rules)
    names = {run.science_name for run in (*runs, *(one.run for one in discarded))}
    spectra = make_spectra(
        archive, inputs, basis[-1], now, months=months, uids=uids, names=names, force=force, executor=executor
    )
    cubes: tuple[CubeRows, ...] = ()
    if cube is not None:
        cubes = make_cubes(archive, inputs, files, cube, now, months=months, runs=runs, force=force, executor=executor)
    if runs or discarded or cubes or spectra:
        archive.build_read_model()
    if not uids:  # inputs that arrived meanwhile are checked by the next call
        seen.with_runs_of(PreviewCheckpoint.now(archive, basis)).keep(archive)
    return PreviewReport(len(plans), tuple(runs), discarded, cubes, spectra.made)


def index_previews(archive: Archive, outcomes: Iterable[RunRows], rules: PreviewRules = RULES) -> None:
    """Put runs and images into the index; a run that is done replaces its recorded skip or failure."""
    outcomes = list(outcomes)
    if not outcomes:
        return
    done = [outcome.run for outcome in outcomes if outcome.run.status == RunStatus.DONE]
    with archive.write_lock():
        archive.write_runs(
            (outcome.run for outcome in outcomes), (image for outcome in outcomes for image in outcome.images)
        )
        labels = [(run, label) for run in done for label in rules.labels_of(run.band)]
        archive.delete("runs", [skipped_run_id(run.uid, label, run.flare_id or "") for run, label in labels])


def _is_candidate(file: ScienceFile) -> bool:
    """Whether a pixel-data file is a flare observation and its newest version."""
    return not file.is_background and file.superseded_by is None


def _known(archive: Archive, rules: PreviewRules) -> set[tuple[str, str | None, str]]:
    """Request, flare and band of the rules of every preview that was made, skipped or failed."""
    found = archive.query(
        "SELECT uid, flare_id, band FROM runs WHERE kind = ? AND group_id IS NULL", [str(RunKind.AUTO)]
    )
    columns = (found[name].to_pylist() for name in ("uid", "flare_id", "band"))
    return {(uid, flare_id, rules.labels_of(band)[0]) for uid, flare_id, band in zip(*columns, strict=True)}


def _plan(
    archive: Archive,
    inputs: InputCatalog,
    file: ScienceFile,
    rules: PreviewRules,
    now: np.datetime64,
    known: set[tuple[str, str | None, str]],
    *,
    force: bool,
) -> list[ImagingTask | Run]:
    """Plan a file: its tasks, and the runs of bands that are skipped or unreadable."""
    flares = inputs.flares_in(file)
    named = inputs.listed_id(flare_named_in(file.purpose))
    wanted = {(flare or None, band_label(band)) for flare in flares or {named} for band in rules.bands}
    missing = {one for one in wanted if force or (file.uid, *one) not in known}
    if not missing:
        return []
    try:
        data = read_pixel_data(archive.path_of(file.path))
        counts = set_counts(archive, inputs, file, data)
        windows = preview_windows(data, rules, intervals_of(flares.values()), counts)
    except StixError as error:
        return [_unreadable(file, flare, band, public_sentence(error), now) for flare, band in sorted(missing, key=str)]
    steps: list[ImagingTask | Run] = []
    for window in windows:
        flare_id = window.flare_id or named or None
        if (flare_id, band_label(window.rule_band)) in missing:
            steps.append(_step(archive, inputs, file, data, window, flares.get(flare_id or ""), flare_id, now))
    return steps


def _step(
    archive: Archive,
    inputs: InputCatalog,
    file: ScienceFile,
    data: PixelData,
    window: PreviewWindow | SkippedBand,
    flare: Flare | None,
    flare_id: str | None,
    now: np.datetime64,
) -> ImagingTask | Run:
    context = RunContext(
        kind=RunKind.AUTO,
        author="auto",
        uid=file.uid,
        science_name=file.name,
        band=band_label(window.band),
        flare_id=flare_id,
        **classes_of(flare),
        simulated=file.simulated,
    )
    if isinstance(window, SkippedBand):
        judged_by = background_of_file(inputs, file)
        context = replace(context, background_uid=judged_by.uid if judged_by else None)
        return skipped_run(context, window.reason, (data.t_start[0], data.t_end[-1]), now)
    context = replace(context, window_reason=window.why, notes=_notes(window))
    return plan_imaging(archive, inputs, file, ImageRequest(window.start, window.end, window.energy), context, now)


def _notes(window: PreviewWindow) -> tuple[Finding, ...]:
    """What a reader of the image must know about its window."""
    if window.instead_of is None:
        return ()
    return (Finding(OTHER_BAND, Severity.NOTE, f"{band_label(window.band)}: {window.why}"),)


def notes_of(run: Run) -> tuple[Finding, ...]:
    """The notes with which a preview was made."""
    return tuple(
        Finding(one["code"], Severity(one["severity"]), one["text"])
        for one in json.loads(run.warnings)
        if one["code"] == OTHER_BAND
    )


def plan_imaging(
    archive: Archive,
    inputs: InputCatalog,
    file: ScienceFile,
    request: ImageRequest,
    context: RunContext,
    now: np.datetime64,
) -> ImagingTask:
    """A task for a science file of the archive, with its background and auxiliary files chosen."""
    choice = inputs.background_for(file, request.start, request.end, request.energy)
    aspect = inputs.aspect_for(file, request.start, request.end)
    return ImagingTask(
        root=archive.root,
        request=request,
        science=archive.path_of(file.path),
        background=archive.path_of(choice.chosen.path) if choice.chosen else None,
        aspect=tuple(archive.path_of(row.path) for row in aspect),
        context=replace(
            context,
            background_uid=choice.chosen.uid if choice.chosen else None,
            background_reason=choice.reason,
            background_candidates=choice.candidates_json,
        ),
        created=now,
        calibration=inputs.calibration,
    )


def _outcomes(tasks: list[ImagingTask], executor: Executor | None) -> Iterator[RunRows]:
    for task, result in run_all(run_preview, tasks, executor=executor):
        if isinstance(result, RunRows):
            yield result
        else:  # a fault of the software: recorded as a failed run, with a traceback in the log
            log.error("%s %s failed", task.context.uid, task.context.band, exc_info=result)
            yield RunRows(failed_run(task, f"internal error: {type(result).__name__}: {result}", 0.0))


def _unreadable(file: ScienceFile, flare_id: str | None, band: str, reason: str, now: np.datetime64) -> Run:
    context = RunContext(RunKind.AUTO, "auto", file.uid, file.name, band, flare_id=flare_id, simulated=file.simulated)
    return skipped_run(context, reason, (file.t_start, file.t_end), now, status=RunStatus.FAILED)
