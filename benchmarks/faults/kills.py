"""SIGKILL at random times during ingest, previews and worker: after a restart, nothing is wrong or missing.

    python -m benchmarks.faults.kills [--kills 200] [--minutes M] [--seed 1] [--work DIR]

A simulated flare is processed once without interruption. Then, for every kill, a step is started on a copy of the
archive from before that step and killed at a random time; sometimes a child process of the worker is killed instead,
and one time in four the restart is killed as well. Then the step runs again without interruption: `check` must report
no findings, no step may have anything left to do, and all rows must be equal to those of the undisturbed archive.
Commands run in processes forked from one that has already imported everything, so that kills hit the work, not the
imports.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archive import Archive
from archive.checks.findings import Level
from archive.checks.run import check
from benchmarks.faults.archives import rows_of
from benchmarks.timing import print_table
from jobs.queue.journal import Journal, RequestState
from jobs.queue.requests import parse_request
from jobs.queue.submit import submit
from stixcore.simulation.campaign import simulate_campaign

STEPS = ("ingest", "previews", "worker")
#: Fraction of kills that hit a child process of the worker, and that are followed by a kill of the restart.
CHILD_SHARE, AGAIN_SHARE = 0.3, 0.25
PRELOAD = [
    *(
        "jobs.cli.commands",
        "jobs.previews.run",
        "jobs.queue.worker",
        "jobs.flares.detect",
        "jobs.imaging.report",
        "jobs.imaging.figures",
    ),
    *(
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "stixcore.image_files.write",
        "pyarrow.parquet",
        "duckdb",
    ),
]
#: How often each step is killed: the worker is slowest, as its child processes import everything again.
SHARES = {"ingest": 0.4, "previews": 0.4, "worker": 0.2}
START = np.datetime64("2026-03-14T06:00:00", "us")


def command(step: str, root: str) -> None:
    """Run a command in the process; its output is discarded."""
    from jobs.cli.parser import main

    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    words = {
        "ingest": ["ingest", "--incoming", f"{root}/incoming"],
        "flares": ["flares"],
        "previews": ["previews"],
        "worker": ["worker", "--once"],
    }[step]
    raise SystemExit(main([*words, "--archive", root]))


@dataclass
class Steps:
    """The undisturbed archive before and after every step, and how long each took, s."""

    before: dict[str, Path]
    after: dict[str, dict[str, Any]]
    seconds: dict[str, float]


def undisturbed(context: Any, folder: Path) -> Steps:
    """Run all steps once."""
    warm = context.Process(target=int)  # import everything in the process from which the others are forked
    warm.start()
    warm.join()
    root, data = folder / "undisturbed", folder / "files"
    (truth,) = simulate_campaign(data, 3, START, 0.2, 5.0, min_separation=3600.0)
    archive = Archive(root, create=True)
    for path in data.iterdir():
        shutil.copy(path, root / "incoming")
    steps = Steps({}, {}, {})
    for step in STEPS:
        if step == "worker":
            for energy in ((4, 10), (6, 12)):
                submit_one(archive, truth, energy)
        archive.close()
        steps.before[step] = folder / f"before-{step}"
        shutil.copytree(root, steps.before[step])
        begin = time.perf_counter()
        finish(context, step, root)
        steps.seconds[step] = time.perf_counter() - begin
        if step == "ingest":
            finish(context, "flares", root)
        steps.after[step] = state_of(archive)
    return steps


def submit_one(archive: Archive, truth: dict[str, Any], energy: tuple[int, int]) -> None:
    peak = np.datetime64(truth["peak_utc"], "s")
    times = [[str(peak + np.timedelta64(s, "s")) for s in span] for span in ((-60, 0), (0, 60))]
    asked = {"uid": truth["uid"], "time_ranges": times, "energy_ranges_kev": [energy], "methods": ["bp", "clean"]}
    submit(archive, Journal(archive.root), parse_request(json.dumps(asked)), "anna", np.datetime64("now", "us"))


def state_of(archive: Archive) -> dict[str, Any]:
    """Rows of the index, and results of the requests."""
    journal = Journal(archive.root)
    requests = [
        (
            one.request_id,
            str(one.state),
            [(part.part, part.run_id, part.reason) for part in journal.parts(one.request_id)],
        )
        for one in journal.requests()
    ]
    return {**rows_of(archive), "requests": requests}


def finish(context: Any, step: str, root: Path) -> None:
    """Run a step and let it end."""
    process = context.Process(target=command, args=(step, str(root)))
    process.start()
    process.join(600)
    if process.exitcode != 0:
        message = f"{step} ended with exit status {process.exitcode}"
        raise RuntimeError(message)


def kill_once(context: Any, step: str, root: Path, delay: float, rng: np.random.Generator) -> str:
    """Start a step and kill it or a child process after a while; returns what was hit."""
    process = context.Process(target=command, args=(step, str(root)))
    process.start()
    time.sleep(delay)
    if not process.is_alive():
        process.join()
        return "too late"
    children = children_of(process.pid)
    if step == "worker" and children and rng.random() < CHILD_SHARE:
        os.kill(int(rng.choice(children)), signal.SIGKILL)
        process.join(600)  # the worker replaces its child and continues
        return "child"
    process.kill()
    process.join()
    for child in children:  # they exit with their parent; no process may be running when the archive is copied
        wait_for(lambda pid=child: not Path(f"/proc/{pid}/task").exists(), 30.0)
    return "itself"


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)


def complaints(archive: Archive, expected: dict[str, Any]) -> list[str]:
    """What is wrong with an archive after the restart."""
    found = [
        f"check: {one.code} {one.file}: {one.message}"
        for one in check(archive, np.datetime64("now", "us"))
        if one.level is not Level.INFO
    ]
    state = state_of(archive)
    found += [f"{name} differs" for name in expected if state[name] != expected[name]]
    if any((archive.root / "incoming").iterdir()):
        found.append("files left in incoming")
    open_ones = Journal(archive.root).counts()
    if open_ones[RequestState.QUEUED] + open_ones[RequestState.RUNNING]:
        found.append("requests left")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no new kill after this time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for the archives (default: a temporary one)")
    arguments = parser.parse_args()
    folder = arguments.work or Path(tempfile.mkdtemp(prefix="kills-"))
    rng = np.random.default_rng(arguments.seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    steps = undisturbed(context, folder)
    hits: Counter[tuple[str, str]] = Counter()
    faults: Counter[str] = Counter()

    def killed() -> int:
        return sum(number for (_, what), number in hits.items() if what != "too late")

    until = time.monotonic() + 60.0 * arguments.minutes
    while killed() < arguments.kills and time.monotonic() < until:
        step = str(rng.choice(STEPS, p=[SHARES[step] for step in STEPS]))
        root = folder / "killed"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(steps.before[step], root)
        again = True
        while again:
            delay = float(rng.uniform(0.0, 1.1 * steps.seconds[step]))
            hits[step, kill_once(context, step, root, delay, rng)] += 1
            again = rng.random() < AGAIN_SHARE
        finish(context, step, root)
        if step == "ingest":
            finish(context, "flares", root)
        archive = Archive(root)
        for sentence in complaints(archive, steps.after[step]):
            faults[step] += 1
            print(f"{step}, kill {killed()}: {sentence}", flush=True)
        archive.close()
    print_table(
        f"SIGKILL at random times (seed {arguments.seed}), then the same command again",
        ["step", "undisturbed [s]", "killed", "child killed", "ended before the kill", "failed"],
        [
            [step, steps.seconds[step], *(hits[step, what] for what in ("itself", "child", "too late")), faults[step]]
            for step in STEPS
        ],
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
