"""The demonstration: a simulated campaign (or a folder of real files) → archive → flares → previews and one cube."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from archive import Archive, Outcome, OutcomeStatus, Run, RunFilter, RunStatus
from archive.ingest.ingest import ingest
from jobs.executors.base import Executor
from jobs.flares.detect import detect_flares
from jobs.flares.refresh import refresh_flares
from jobs.previews.run import PreviewReport, make_previews
from jobs.previews.settings import configured_cube
from stixcore.errors import StixError
from stixcore.simulation.campaign import simulate_campaign

#: Seed of the simulated campaign; the same seed gives the same files.
SEED = 104
START = np.datetime64("2024-05-10T06:00:00", "us")
DAYS, FLARES_PER_DAY = 1.25, 6.0
#: Largest number of steps in a band of the cube of the brightest flare.
CUBE_STEPS = 6


class NothingToShow(StixError):
    """None of the files in the given folder could be used."""


def build_demo(
    root: Path,
    now: np.datetime64,
    *,
    data: Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int, Run], None] | None = None,
) -> tuple[list[Outcome], PreviewReport]:
    """Fill an archive with demonstration data. Running it again adds only what is missing.

    Parameters
    ----------
    root : Path
        Folder of the archive, created if needed.
    now : datetime64
        Current time, UTC.
    data : Path, optional
        Folder of level-1 files. Without it a campaign is simulated, and all products are marked SIMULATED.
    executor, progress : optional
        As `make_previews`.

    Raises
    ------
    NothingToShow
        When no science file of ``data`` could be ingested.
    """
    archive = Archive(root, create=True)
    if data is not None:
        outcomes = ingest(archive, [data], now)
    else:
        with tempfile.TemporaryDirectory(prefix="stix-campaign-") as folder:
            simulate_campaign(folder, SEED, START, DAYS, FLARES_PER_DAY)
            outcomes = ingest(archive, [Path(folder)], now)
    taken = (OutcomeStatus.INGESTED, OutcomeStatus.KNOWN)
    if not any(outcome.status in taken for outcome in outcomes):
        reasons = "; ".join(f"{outcome.path.name}: {outcome.reason}" for outcome in outcomes[:5]) or "it is empty"
        message = f"no STIX file in {data} could be used ({reasons})"
        raise NothingToShow(message)
    detect_flares(archive, None, None, now)
    report = make_previews(archive, now, executor=executor, progress=progress)
    refresh_flares(archive, now)
    brightest = _brightest_file(archive)
    rules = configured_cube(root)
    if brightest is not None and rules is not None:  # cubes of all flares would take minutes
        rules = replace(rules, max_steps=min(rules.max_steps, CUBE_STEPS))
        make_previews(archive, now, uids=[brightest], executor=executor, cube=rules)
        refresh_flares(archive, now)
    return outcomes, report


def _brightest_file(archive: Archive) -> str | None:
    """The science file of the flare with the largest peak that has image sets; None when there is none."""
    runs = archive.runs(RunFilter(statuses=(RunStatus.DONE,), grouped=False))
    files = {run.flare_id: run.uid for run in runs if run.flare_id is not None}
    flares = [flare for flare in archive.flares() if flare.flare_id in files]
    brightest = max(flares, key=lambda flare: flare.peak_counts or 0.0, default=None)
    return None if brightest is None else files[brightest.flare_id]
