"""Previews that would be made otherwise today: a nearer background, an ephemeris, a flare, a newer version came later.

Files arrive in any order. What was imaged without them is given up here and made again by the previews that follow, so
that the archive depends on the set of files and not on the order in which they came.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from archive import Archive, AuxFile, Flare, Run, RunFilter, RunKind, RunStatus, ScienceFile, ScienceFilter
from archive.filters import ImageFilter
from archive.records import keep_records
from jobs.backgrounds import MAX_DISTANCE, BackgroundChoice, choose_background
from jobs.boxes import Box, FlareInterval, PreviewRules, band_label, flare_named_in, preview_boxes
from stixcore.calibration.pointing import MAX_GAP, pointing_at
from stixcore.errors import StixError
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.fits.spec import ProductKind
from stixcore.reconstruct import LOCATION_ENERGY

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outdated:
    """A preview, or a recorded skip, that would be another today, and why."""

    run: Run
    reason: str


def give_up_outdated(
    archive: Archive, rules: PreviewRules | None = None, *, uids: Sequence[str] = ()
) -> tuple[Outdated, ...]:
    """Remove previews that would be made otherwise today; the next `make_previews` makes them.

    Runs of users stay as they are: they were asked for like that. Where the same background would be chosen today, for
    the same images, but among other candidates, only the record of the choice is brought up to date.

    Parameters
    ----------
    archive : Archive
    rules : PreviewRules, optional
        Those of the previews.
    uids : sequence of str
        Previews of these science requests only.

    Returns
    -------
    tuple of Outdated
        What was removed.
    """
    now = _Today.of(archive, rules or PreviewRules())
    outdated: list[Outdated] = []
    rewritten: list[Run] = []
    for run in archive.runs(RunFilter(kind=RunKind.AUTO, all_hidden=True), sort=("t_start",)):
        if uids and run.uid not in uids:
            continue
        reason = now.objection(run)
        if reason:
            outdated.append(Outdated(run, reason))
            log.info("%s %s: %s, made again", run.uid, run.band, reason)
        elif run.status == RunStatus.DONE:
            choice = now.background_of(run)
            said = choice.chosen.uid if choice.chosen else None, choice.reason, choice.candidates_json
            if said != (run.background_uid, run.background_reason, run.background_candidates):
                uid, why, candidates = said
                rewritten.append(
                    replace(run, background_uid=uid, background_reason=why, background_candidates=candidates)
                )
    _discard(archive, [one.run for one in outdated])
    if rewritten:
        with archive.write_lock():
            for run in rewritten:
                images = archive.images(ImageFilter(recipe_id=run.run_id, all_hidden=True))
                keep_records(archive.root, [run], images)
            archive.upsert("runs", rewritten)
    return tuple(outdated)


def _discard(archive: Archive, runs: Sequence[Run]) -> None:
    """Files first, then images, then runs: while a run stands in the index it is known what remains to be given up."""
    if not runs:
        return
    with archive.write_lock():
        images = [
            image
            for run in runs
            if run.status == RunStatus.DONE
            for image in archive.images(ImageFilter(recipe_id=run.run_id, all_hidden=True))
        ]
        for folder in sorted({run.folder for run in runs if run.folder}):
            place = archive.path_of(folder)
            for path in place.glob("*"):
                path.unlink(missing_ok=True)
            if place.is_dir():
                place.rmdir()
        archive.delete("images", [image.image_id for image in images])
        archive.delete("runs", [run.run_id for run in runs])


@dataclass(frozen=True)
class _Today:
    """What the archive has now, asked for once."""

    archive: Archive
    rules: PreviewRules
    science: dict[str, ScienceFile]
    quiet: dict[bool, list[ScienceFile]]
    aspect: dict[bool, list[AuxFile]]
    flares: list[Flare]

    @classmethod
    def of(cls, archive: Archive, rules: PreviewRules) -> _Today:
        every = archive.science_files(ScienceFilter(product=ProductKind.PIXEL_DATA, superseded=True))
        quiet = [file for file in every if file.is_background and file.superseded_by is None]
        span = np.datetime64("1970-01-01", "us"), np.datetime64("2100-01-01", "us")
        aspect = _aux_files(archive)
        return cls(
            archive,
            rules,
            {file.name: file for file in every},
            {which: sorted((f for f in quiet if f.simulated == which), key=_middle) for which in (False, True)},
            {which: [row for row in aspect if row.simulated == which] for which in (False, True)},
            [flare for flare in archive.flares(*span) if flare.t_start and flare.t_end],
        )

    @cached_property
    def _middles(self) -> dict[bool, list[np.datetime64]]:
        return {which: [_middle(file) for file in files] for which, files in self.quiet.items()}

    def objection(self, run: Run) -> str:
        """Why a run would be another today; empty when it would not."""
        file = self.science.get(run.science_name)
        if file is None:
            return ""  # gone: nothing better can be made
        if file.superseded_by is not None:
            return f"{file.superseded_by} took the place of its science file"
        if run.status == RunStatus.FAILED:
            return ""
        recipe = json.loads(run.recipe) if run.recipe else None
        checks: tuple[Callable[[ScienceFile, Run, Any], str], ...] = (self._other_flare, self._other_files)
        return next((reason for check in checks if (reason := check(file, run, recipe))), "")

    def background_of(self, run: Run) -> BackgroundChoice:
        """The background that would be chosen today for a run that is done."""
        recipe = json.loads(run.recipe or "")
        begin, end = (np.datetime64(time, "us") for time in recipe["time_range"])
        middle = begin + (end - begin) // 2
        low, high = recipe["energy_range_kev"]
        files, middles = self.quiet[run.simulated], self._middles[run.simulated]
        near = files[bisect_left(middles, middle - MAX_DISTANCE) : bisect_right(middles, middle + MAX_DISTANCE)]
        energy = min(low, LOCATION_ENERGY[0]), max(high, LOCATION_ENERGY[1])
        return choose_background(near, middle, energy, run.science_name)

    def _other_flare(self, file: ScienceFile, run: Run, recipe: Any) -> str:
        """Whether the flare list gives the file other flares, or the flare other limits, than when it was imaged."""
        flares = {
            flare.flare_id: flare
            for flare in self.flares
            if file.t_start <= flare.t_peak < file.t_end and flare.simulated == file.simulated
        }
        wanted = set(flares) or {flare_named_in(file.purpose)}
        if (run.flare_id or "") not in wanted:
            return "the flare list has other flares in its file now"
        flare = flares.get(run.flare_id or "")
        if flare is None or flare.updated_at <= run.started_at:
            return ""
        intervals = [FlareInterval(f.flare_id, f.t_start, f.t_end) for f in flares.values() if f.t_start and f.t_end]
        try:
            boxes = preview_boxes(read_pixel_data(self.archive.path_of(file.path)), self.rules, intervals)
        except (StixError, OSError):
            return ""
        own = [box for box in boxes if box.flare_id == run.flare_id and band_label(box.band) == run.band]
        return "" if any(_is_same(box, run, recipe) for box in own) else "the flare list has other limits for its flare"

    def _other_files(self, file: ScienceFile, run: Run, recipe: Any) -> str:
        if recipe is None:  # a skip needs no other files
            return ""
        if recipe["science"]["sha256"] != file.sha256:
            return "its science file was reissued"
        chosen = self.background_of(run).chosen
        used = recipe["background"]
        if (chosen and (chosen.name, chosen.sha256)) != (used and (used["name"], used["sha256"])):
            return f"the background to use is {chosen.name if chosen else 'none'} now"
        near = self._aux_for(run, recipe)
        if {(row.name, row.sha256) for row in near} == {(one["name"], one["sha256"]) for one in recipe["aspect"]}:
            return ""
        if not recipe["aspect"] and not self._points(near, recipe):
            return ""  # there is a file, and it has no record near
        return "there are other auxiliary files now"

    def _aux_for(self, run: Run, recipe: Any) -> list[AuxFile]:
        begin, end = (np.datetime64(time, "us") for time in recipe["time_range"])
        middle = begin + (end - begin) // 2
        rows = self.aspect[run.simulated]
        return [row for row in rows if row.t_start - MAX_GAP <= middle <= row.t_end + MAX_GAP]

    def _points(self, files: Iterable[AuxFile], recipe: Any) -> bool:
        """Whether a pointing can be had from some files."""
        begin, end = (np.datetime64(time, "us") for time in recipe["time_range"])
        try:
            pointing_at([read_aspect(self.archive.path_of(row.path)) for row in files], begin, end)
        except (StixError, OSError, ValueError):
            return False
        return True


def _aux_files(archive: Archive) -> list[AuxFile]:
    from archive.schema import AUX_FILES

    found = archive.query("SELECT * FROM aux_files WHERE superseded_by IS NULL ORDER BY t_start, name")
    return AUX_FILES.to_rows(found.select(AUX_FILES.arrow.names))


def _is_same(box: Any, run: Run, recipe: Any) -> bool:
    """Whether a box of today is the one of a run: the same window, or a skip for the same reason."""
    if not isinstance(box, Box):
        return bool(run.status == RunStatus.SKIPPED and run.reason == box.reason)
    if recipe is None:
        return False
    begin, end = (np.datetime64(time, "us") for time in recipe["time_range"])
    tolerance = np.timedelta64(1, "ms")  # recipes keep milliseconds
    return bool(abs(box.start - begin) <= tolerance and abs(box.end - end) <= tolerance)


def _middle(file: ScienceFile) -> np.datetime64:
    return file.t_start + (file.t_end - file.t_start) // 2
