"""Stale previews: their inputs have changed, because a background, auxiliary file, flare or newer version arrived.

Files arrive in any order. Stale previews are discarded here and the next `make_previews` makes them again, so the
archive depends on which files it has and not on the order in which they arrived.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from archive import Archive, AuxFile, Run, RunFilter, RunKind, RunStatus, ScienceFile
from archive.index.filters import ImageFilter
from archive.replaced import file_replaced
from jobs.imaging.task import band_label
from jobs.inputs import BackgroundChoice, InputCatalog, flare_named_in
from jobs.previews.quiet import background_of_file, set_counts
from jobs.previews.windows import (
    PreviewRules,
    PreviewWindow,
    SkippedBand,
    intervals_of,
    is_background,
    preview_windows,
)
from jobs.queue.journal import Journal
from jobs.shared.links import rewrite_runs
from stixcore.calibration.catalog import CalibrationCatalog
from stixcore.calibration.pointing import pointing_at
from stixcore.errors import StixError
from stixcore.fits.read import read_aspect, read_pixel_data

log = logging.getLogger(__name__)

FLARES_CHANGED = "the flares in its file have changed"


@dataclass(frozen=True)
class StalePreview:
    """A preview or recorded skip whose inputs have changed, and which of them."""

    run: Run
    reason: str


def discard_stale_previews(
    archive: Archive,
    now: np.datetime64,
    rules: PreviewRules | None = None,
    *,
    inputs: InputCatalog | None = None,
    months: Collection[str] | None = None,
    uids: Sequence[str] = (),
) -> tuple[StalePreview, ...]:
    """Remove stale previews; the next `make_previews` makes them again.

    Runs that users requested are kept. A preview that answered a user's request becomes that user's run. Where the
    same background is chosen from other candidates, only the record of the choice is updated; where another flare has
    the same window, only the flare of the preview.

    Parameters
    ----------
    archive : Archive
    now : datetime64
        Recorded with the image sets that are removed (`archive.replaced`).
    rules : PreviewRules, optional
        As `make_previews`.
    inputs : InputCatalog, optional
        Files and flares of the archive; read from its index by default.
    months : collection of str, optional
        Check only runs of these months ("2022-11"); all by default.
    uids : sequence of str
        Check only previews of these science requests.

    Returns
    -------
    tuple of StalePreview
        What was removed.
    """
    check = StalenessCheck(archive, rules or PreviewRules(), inputs or InputCatalog.of(archive))
    stale: list[StalePreview] = []
    rewritten: list[Run] = []
    for run in _previews(archive, months):
        if uids and run.uid not in uids:
            continue
        reason = check.stale_reason(run)
        flare_id = check.flare_with_same_window(run) if reason == FLARES_CHANGED else run.flare_id
        if reason == FLARES_CHANGED and flare_id != run.flare_id:
            rewritten.append(replace(run, flare_id=flare_id))
        elif reason:
            stale.append(StalePreview(run, reason))
            log.info("%s %s: %s, made again", run.uid, run.band, reason)
        elif run.status == RunStatus.DONE and run.science_name in check.inputs.science:
            choice = check.background_of(run)
            said = choice.chosen.uid if choice.chosen else None, choice.reason, choice.candidates_json
            if said != (run.background_uid, run.background_reason, run.background_candidates):
                uid, why, candidates = said
                rewritten.append(
                    replace(run, background_uid=uid, background_reason=why, background_candidates=candidates)
                )
    discard_runs(archive, stale, now)
    rewrite_runs(archive, rewritten)
    return tuple(stale)


def _previews(archive: Archive, months: Collection[str] | None) -> Iterable[Run]:
    """Previews and skips without those of cubes, one month at a time to bound memory."""
    if months is None:
        return archive.runs(RunFilter(kind=RunKind.AUTO, grouped=False, all_hidden=True), sort=("t_start",))
    one, moment = np.timedelta64(1, "M"), np.timedelta64(1, "us")
    return chain.from_iterable(
        [
            run
            for run in archive.runs(
                RunFilter(
                    kind=RunKind.AUTO,
                    grouped=False,
                    all_hidden=True,
                    t_start=np.datetime64(month, "us") - moment,
                    t_end=(np.datetime64(month, "M") + one).astype("datetime64[us]"),
                ),
                sort=("t_start",),
            )
            if str(run.t_start.astype("datetime64[M]")) == month
        ]
        for month in sorted(months)
    )


def discard_runs(archive: Archive, stale: Sequence[StalePreview], now: np.datetime64) -> None:
    """Remove files, then image rows, then runs: a run in the index shows that its removal is unfinished.

    What the landing pages of the image sets still say is recorded first.
    """
    if not stale:
        return
    with archive.write_lock():
        users = Journal(archive.root).askers([one.run.run_id for one in stale])
        gone = [one.run for one in stale if one.run.run_id not in users]
        kept = [one.run for one in stale if one.run.run_id in users]
        rewrite_runs(archive, [replace(run, kind=RunKind.USER, author=users[run.run_id]) for run in kept])
        images = []
        for one in stale:
            if one.run.status == RunStatus.DONE and one.run.run_id not in users:
                of_run = archive.images(ImageFilter(recipe_id=one.run.run_id, all_hidden=True))
                if of_run:
                    file_replaced(archive.root, one.run, of_run, one.reason, now)
                images += of_run
        for folder in sorted({run.folder for run in gone if run.folder}):
            place = archive.path_of(folder)
            for path in place.glob("*"):
                path.unlink(missing_ok=True)
            if place.is_dir():
                place.rmdir()
        archive.delete("images", [image.image_id for image in images])
        archive.delete("runs", [run.run_id for run in gone])


@dataclass(frozen=True)
class StalenessCheck:
    """Compares recorded previews with what their inputs are now."""

    archive: Archive
    rules: PreviewRules
    inputs: InputCatalog

    def stale_reason(self, run: Run) -> str:
        """Why a run is stale; empty when it is not."""
        file = self.inputs.science.get(run.science_name)
        if file is None:
            return ""  # the science file is gone: it cannot be imaged again
        if file.superseded_by is not None:
            return f"its science file was replaced by {file.superseded_by}"
        if run.status == RunStatus.FAILED:
            return "its science file was ingested again" if file.ingested_at > run.started_at else ""
        recipe = json.loads(run.recipe) if run.recipe else None
        checks: tuple[Callable[[ScienceFile, Run, Any], str], ...] = (
            self._other_flare,
            self._other_rules,
            self._other_files,
            self._other_calibration,
        )
        return next((reason for check in checks if (reason := check(file, run, recipe))), "")

    def background_of(self, run: Run) -> BackgroundChoice:
        """The background that is now chosen for a run that is done."""
        recipe = json.loads(run.recipe or "")
        file = self.inputs.science[run.science_name]
        return self.inputs.background_for(file, *_window(recipe), tuple(recipe["energy_range_kev"]))

    def _other_flare(self, file: ScienceFile, run: Run, recipe: Any) -> str:
        """Whether the flares in the file, or the limits of its flare, have changed in the flare list."""
        flares = self.inputs.flares_in(file)
        wanted = set(flares) or {self.inputs.listed_id(flare_named_in(file.purpose))}
        if (run.flare_id or "") not in wanted:
            return FLARES_CHANGED
        flare = flares.get(run.flare_id or "")
        if flare is None or (flare.limits_changed_at or flare.updated_at) <= run.started_at:
            return ""
        return "" if self._has_its_window(file, run, recipe) else "the limits of its flare have changed"

    def _other_rules(self, file: ScienceFile, run: Run, recipe: Any) -> str:
        """Whether a band that was skipped has enough counts by today's rules or background, or images have not."""
        if run.status == RunStatus.DONE:
            kept = not self._has_few_counts(run) or self._has_its_window(file, run, recipe)
            return "" if kept else "its images have too few counts above background"
        if run.status != RunStatus.SKIPPED:
            return ""
        judged_by = background_of_file(self.inputs, file)
        same_rules = f" {self.rules.min_net_counts:.0f} needed" in run.reason
        if same_rules and (judged_by.uid if judged_by else None) == run.background_uid:
            return ""
        return "" if self._has_its_window(file, run, recipe) else "its counts are judged differently now"

    def _has_few_counts(self, run: Run) -> bool:
        """Whether images have fewer counts above background than today's rules ask for."""
        if run.counts_total is None or run.counts_background is None or run.background_uid is None:
            return False
        counts = run.counts_total, run.counts_background
        small = "counts above background" in (run.window_reason or "")
        return is_background(*counts) or (small and counts[0] - counts[1] < self.rules.min_net_counts)

    def _has_its_window(self, file: ScienceFile, run: Run, recipe: Any) -> bool:
        """Whether the window, or the reason for a skip, is still the one of a run; true if the file is unreadable."""
        try:
            windows = self._windows(file, run)
        except (StixError, OSError):
            return True
        return any(_is_same(window, run, recipe) for window in windows if window.flare_id in ("", run.flare_id))

    def flare_with_same_window(self, run: Run) -> str | None:
        """The flare that now has the window of a preview whose flare is gone; the flare of the run without one.

        A skipped band may fit several flares; the first one takes it.
        """
        file = self.inputs.science[run.science_name]
        named = self.inputs.listed_id(flare_named_in(file.purpose)) or None
        try:
            windows = self._windows(file, run)
        except (StixError, OSError):
            return run.flare_id
        recipe = json.loads(run.recipe) if run.recipe else None
        return next((one.flare_id or named for one in windows if _is_same(one, run, recipe)), run.flare_id)

    def _windows(self, file: ScienceFile, run: Run) -> list[PreviewWindow | SkippedBand]:
        """Windows of a file by the rule of a run's band, one for each flare."""
        data = read_pixel_data(self.archive.path_of(file.path))
        flares = intervals_of(self.inputs.flares_in(file).values())
        windows = preview_windows(data, self.rules, flares, set_counts(self.archive, self.inputs, file, data))
        label = self.rules.labels_of(run.band)[0]
        return [window for window in windows if band_label(window.rule_band) == label]

    def _other_files(self, file: ScienceFile, run: Run, recipe: Any) -> str:
        if recipe is None:  # a skip needs no other files
            return ""
        if recipe["science"]["sha256"] != file.sha256:
            return "its science file was reissued"
        chosen = self.background_of(run).chosen
        used = recipe["background"]
        if (chosen and (chosen.name, chosen.sha256)) != (used and (used["name"], used["sha256"])):
            return f"the background is now {chosen.name if chosen else 'none'}"
        near = self.inputs.aspect_for(file, *_window(recipe))
        if {(row.name, row.sha256) for row in near} == {(one["name"], one["sha256"]) for one in recipe["aspect"]}:
            return ""
        if not recipe["aspect"] and not self._points(near, recipe):
            return ""  # the file has no record near this time
        return "its auxiliary files have changed"

    def _other_calibration(self, _file: ScienceFile, run: Run, recipe: Any) -> str:
        """Whether the energy table or CAL file has changed."""
        if recipe is None:
            return ""
        today = self.inputs.calibration.reference_at(run.t_start, run.t_end)
        used = recipe.get("calibration")
        if used is None:  # version 1: by the list of its time
            old = CalibrationCatalog(version_1=True).energy_table_at(run.t_start)
            used = {"energy_table": {"name": old.name, "sha256": old.sha256}, "cal_file": None}
        if used["energy_table"] != asdict(today.energy_table):
            return f"the energy table is now {today.energy_table.name}"
        if used["cal_file"] != (today.cal_file and asdict(today.cal_file)):
            return f"the daily energy calibration is now {today.cal_file.name if today.cal_file else 'none'}"
        return ""

    def _points(self, files: Iterable[AuxFile], recipe: Any) -> bool:
        """Whether files give a pointing for a recipe's window."""
        try:
            pointing_at([read_aspect(self.archive.path_of(row.path)) for row in files], *_window(recipe))
        except (StixError, OSError, ValueError):
            return False
        return True


def _window(recipe: Any) -> tuple[np.datetime64, np.datetime64]:
    begin, end = (np.datetime64(time, "us") for time in recipe["time_range"])
    return begin, end


def _is_same(window: Any, run: Run, recipe: Any) -> bool:
    """Whether a window, or a skip and its reason, is the one of a run."""
    if not isinstance(window, PreviewWindow):
        return bool(run.status == RunStatus.SKIPPED and run.reason == window.reason)
    if recipe is None:
        return False
    begin, end = _window(recipe)
    tolerance = np.timedelta64(1, "ms")  # recipes keep milliseconds
    same_time = abs(window.start - begin) <= tolerance and abs(window.end - end) <= tolerance
    return bool(same_time and band_label(window.band) == run.band)
