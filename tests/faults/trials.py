"""Broken files, one after the other, through ingest and imaging, in a child process with limits.

``python trials.py`` is that child: it says which seed it begins with and what became of it, a line of JSON each. The
parent (`run_trials`) starts a new child where one ends before its time, and counts that against the file it was at.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from mutations import break_file, originals
from process_memory import memory_kib

SECONDS, MEMORY = 5.0, 1 << 30
#: A child that says nothing for this long hangs outside of Python, s.
SILENCE = 60.0
NOW = np.datetime64("2026-11-22T12:00:00", "us")
#: Files share an archive, so that ingest meets rows of others; a new one keeps the months short.
PER_ARCHIVE = 100
#: A reason that only repeats what a library said names no field.
UNNAMED = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning)\b")


@dataclass
class Trial:
    """One broken file and what became of it.

    Attributes
    ----------
    seed : int
    file, how : str
        The original, and what was done to it.
    ingest, image : str
        "ingested", "quarantined" …; "made", "refused".
    reason : str
        Of the quarantine.
    faults : list of str
        What must not happen; empty when all went well.
    seconds : float
        Computing time, of both together.
    peak_mib : float
        Most memory that its process had until then.
    """

    seed: int
    file: str
    how: str = ""
    ingest: str = ""
    image: str = ""
    reason: str = ""
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_mib: float = 0.0


@dataclass
class Summary:
    """What a run of trials came to."""

    trials: list[Trial]

    @property
    def peak_mib(self) -> float:
        return max((trial.peak_mib for trial in self.trials), default=0.0)

    @property
    def faults(self) -> list[str]:
        return [f"seed {t.seed} ({t.file}; {t.how}): {fault}" for t in self.trials for fault in t.faults]

    def count(self, what: str) -> Counter[str]:
        return Counter(getattr(trial, what) for trial in self.trials)


# The parent


def run_trials(shared: Path, seeds: range, *, methods: str = "bp", deadline: float = float("inf")) -> Summary:
    """Try seeds one after the other; stops early when `time.monotonic` passes ``deadline``."""
    trials: list[Trial] = []
    rest = list(seeds)
    while rest and time.monotonic() < deadline:
        command = [sys.executable, __file__, str(shared), str(rest[0]), str(rest[-1] + 1), "--methods", methods]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as child:
            current = rest[0]
            for said in _lines(child, deadline):
                if "begin" in said:
                    current = said["begin"]
                else:
                    trials.append(Trial(**said))
            silent = child.poll() is None
            child.kill()
            complaint = child.stderr.read() if child.stderr else ""
        done = {trial.seed for trial in trials}
        if current not in done and time.monotonic() < deadline:
            how = f"silent for {SILENCE:g} s" if silent else f"ended with status {child.returncode}"
            fault = f"the child {how}: {complaint.strip()[-400:]}"
            trials.append(Trial(current, _original(shared, current).name, faults=[fault]))
            done.add(current)
        rest = [seed for seed in rest if seed not in done]
    return Summary(trials)


def _lines(child: subprocess.Popen[str], deadline: float) -> Iterator[dict[str, Any]]:
    """What the child says, until it ends or says nothing for too long."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline and selector.select(SILENCE):
            line = child.stdout.readline()
            if not line:
                child.wait(SILENCE)
                return
            yield json.loads(line)


def _original(shared: Path, seed: int) -> Path:
    files = originals(shared)
    return files[seed % len(files)]


# The child


class OutOfTime(BaseException):
    """A file took more computing time than it may; no ``except Exception`` on the way may swallow that."""


@contextmanager
def limited() -> Iterator[None]:
    """Computing time of one file; a busy machine does not count."""

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit_memory() -> None:
    most = memory_kib("VmData") * 1024 + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--methods", default="bp")
    given = parser.parse_args()

    def say(message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    from archive import Archive

    workshop = Path(tempfile.mkdtemp(prefix="trials-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        run_one = _prepared(given.shared, workshop, given.methods.split(","))
        limit_memory()
        archive = None
        for seed in range(given.first, given.end):
            if archive is None or seed % PER_ARCHIVE == 0:
                if archive is not None:
                    archive.close()  # what DuckDB holds would add up, and be taken for what a file takes
                shutil.rmtree(workshop / "archive", ignore_errors=True)
                archive = Archive(workshop / "archive", create=True)
            say({"begin": seed})
            say(asdict(run_one(seed, archive)))
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _prepared(shared: Path, workshop: Path, names: list[str]) -> Any:
    """Everything imported and every original looked at, before memory is limited."""
    from importlib import import_module

    from archive import OutcomeStatus
    from archive.index.schema import select_files
    from stixcore.calibration.pointing import assumed_pointing
    from stixcore.errors import InvalidProduct, StixError
    from stixcore.fits.read import read_pixel_data
    from stixcore.imaging.methods import default_methods
    from stixcore.imaging.reconstruction import Method
    from stixcore.options import ImageRequest
    from stixcore.reconstruct import prepare_recipe, reconstruct

    ingest = import_module("archive.ingest.ingest").ingest
    methods = [Method(name) for name in names]
    files = originals(shared)
    contents = [path.read_bytes() for path in files]
    aspect = files[-1]
    requests: dict[str, ImageRequest] = {}
    for path in files:
        try:
            data = read_pixel_data(path)
        except InvalidProduct:
            continue
        at = int(np.argmax(data.summed(float(data.e_low[0]), float(data.e_low[-1])) / data.duration))
        energy = (6.0, 10.0) if data.e_low[0] <= 6 and data.e_high[-1] >= 10 else (data.e_low[0], data.e_low[-1])
        # files before 2021 say nothing of the observer, and the pointing at hand is of another day
        pointing = None if "RSUN_ARC" in data.header.ephemeris else assumed_pointing(950.0)
        requests[path.name] = ImageRequest(
            data.t_start[at], data.t_end[at], energy, shape=(65, 65), pixel=4.0, pointing=pointing
        )
    science = files[0]

    def ingested(trial: Trial, path: Path, archive: Any) -> None:
        try:
            (outcome,) = ingest(archive, [path], NOW)
        except OutOfTime:
            trial.faults.append(f"ingest took more than {SECONDS:g} s")
            return
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not happen
            trial.faults.append(f"ingest raised {type(error).__name__}: {error}")
            return
        trial.ingest, trial.reason = str(outcome.status), outcome.reason
        trial.faults += _ingest_faults(archive, path, outcome)

    def _ingest_faults(archive: Any, path: Path, outcome: Any) -> Iterator[str]:
        content = path.read_bytes()
        if outcome.status in (OutcomeStatus.INGESTED, OutcomeStatus.KNOWN):
            rows = archive.rows(select_files("path, size", " WHERE name = $1"), [outcome.name])
            if len(rows) != 1 or archive.path_of(rows[0]["path"]).read_bytes() != content:
                yield f"{outcome.status}, but {len(rows)} rows or other content"
        elif outcome.status is OutcomeStatus.QUARANTINED:
            kept = [p for p in (archive.root / "quarantine").rglob("*.json") if path.name in p.name]
            if not any(json.loads(p.read_text())["reason"] == outcome.reason for p in kept):
                yield "quarantined without its note"
            if "expected" not in outcome.reason or UNNAMED.search(outcome.reason):
                yield f"the reason names no field: {outcome.reason}"
        elif content[:9] == b"SIMPLE  =":
            yield f"ignored: {outcome.reason}"
        litter = [p.name for p in archive.root.rglob(".part-*")]
        if litter:
            yield f"left {litter}"

    def imaged(trial: Trial, path: Path) -> None:
        if path.name not in requests and path.name != aspect.name:
            trial.image = "no pixel data"
            return
        pixel_file, aux = (path, aspect) if path.name in requests else (science, path)
        method = methods[trial.seed % len(methods)]
        try:
            request = replace(requests[pixel_file.name], methods={method: default_methods()[method]})
            recipe = prepare_recipe(request, pixel_file, None, [aux])
            images = reconstruct(recipe, lambda reference: path if reference.name == path.name else _locate(reference))
        except OutOfTime:
            trial.faults.append(f"image ({method}) took more than {SECONDS:g} s")
        except StixError as error:
            trial.image = "refused"
            if UNNAMED.search(str(error)):
                trial.faults.append(f"image refused without a field: {error}")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not happen
            trial.faults.append(f"image ({method}) raised {type(error).__name__}: {error} at {_where(error)}")
        else:
            trial.image = "made"
            if not all(np.isfinite(image.image).all() for image in images.images.values()):
                trial.faults.append(f"image ({method}) with NaN or infinity")

    def _locate(reference: Any) -> Path:
        return next(file for file in files if file.name == reference.name)

    def run_one(seed: int, archive: Any) -> Trial:
        file = seed % len(files)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            broken = break_file(contents[file], seed)
            trial = Trial(seed, files[file].name, broken.how)
            path = workshop / files[file].name
            path.write_bytes(broken.content)
            begin = time.process_time()
            with limited():
                ingested(trial, path, archive)
            with limited():
                imaged(trial, path)
        trial.seconds = time.process_time() - begin
        trial.peak_mib = memory_kib("VmHWM") / 1024
        return trial

    return run_one


def _where(error: BaseException) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return "?" if place is None else f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"


if __name__ == "__main__":
    main()
