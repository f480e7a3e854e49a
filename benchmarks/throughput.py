"""A whole archive imaged with one process, two, and a Dask cluster of two workers: time, memory, and the same files.

Every executor runs in a separate process on a separate archive: ingest, flares, then previews, which are timed. Memory
is the largest of any single process except for the scheduler of the cluster, sampled ten times per second. CPU time is
that of all processes, which is independent of other load. Rows and pixels of all archives must be bitwise equal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from archive import Archive, RunStatus
from benchmarks.processor_time import cpu_seconds, descendants
from benchmarks.real_data import SHARED_DATA
from benchmarks.timing import print_table
from jobs.cli.parser import main as stix_jobs

ENGINES = ("1 process", "2 processes", "Dask, 2 workers")
BAR_S, BAR_MIB = 240.0, 1024.0
_EVERY_S = 0.1
#: Columns that depend only on the time of processing; hash and size of files, whose headers contain times.
_TIMES = ("created_at", "elapsed_s", "sha256", "size")


@dataclass
class Measured:
    """Time and memory of one executor.

    Attributes
    ----------
    seconds, cpu : float, s
    memory : dict of int to int, KiB
        Largest resident set by process id.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    memory: dict[int, int] = field(default_factory=dict)

    @property
    def peak_mib(self) -> float:
        return max(self.memory.values()) / 1024.0


def run() -> None:
    """Print the table for the files of November 2022 or, without them, for a simulated week."""
    with TemporaryDirectory(prefix="throughput-") as folder:
        measure(Path(folder))


def measure(folder: Path) -> None:
    data = _data(folder)
    rows, images = [], {}
    for number, engine in enumerate(ENGINES):
        root = folder / f"archive-{number}"
        stix_jobs(["ingest", *map(str, data), "--archive", str(root)])
        stix_jobs(["flares", "--archive", str(root)])
        taken = _previews(root, engine, folder)
        archive = Archive(root)
        images[engine] = _rows(archive)
        sets = len([run for run in archive.runs() if run.status == RunStatus.DONE])
        skipped = len([run for run in archive.runs() if run.status == RunStatus.SKIPPED])
        flares = len({run.uid for run in archive.runs() if run.status == RunStatus.DONE})
        same = "yes" if images[engine] == images[ENGINES[0]] else "NO"
        rate = 60.0 * flares / taken.seconds
        rows.append([engine, sets, len(images[engine]), skipped, taken.seconds, taken.cpu, rate, taken.peak_mib, same])
    load = os.getloadavg()[0]
    print_table(
        f"All previews of an archive ({os.cpu_count()} cores, load {load:.1f}; targets {BAR_S:g} s, {BAR_MIB:g} MiB)",
        ["engine", "image sets", "images", "skipped", "time [s]", "CPU [s]", "flares/min", "peak MiB", "same images"],
        rows,
    )


def _data(folder: Path) -> list[Path]:
    real = SHARED_DATA / "nov2022"
    if real.is_dir():
        return [real / "l1", real / "aux"]
    from stixcore.simulation.campaign import simulate_campaign

    simulate_campaign(folder / "week", 5, np.datetime64("2024-05-06", "us"), 7.0, 8.0)
    return [folder / "week"]


def _previews(root: Path, engine: str, folder: Path) -> Measured:
    words = [sys.executable, "-m", "jobs.cli", "previews", "--archive", str(root)]
    with _cluster(folder) if engine.startswith("Dask") else _children(engine[0]) as (options, watched):
        before = sum(cpu_seconds(pid) for pid in descendants(watched))
        begin = time.perf_counter()
        process = subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken = Measured()
        own: dict[int, float] = {}
        while process.poll() is None:
            for pid in descendants([process.pid, *watched]):
                taken.memory[pid] = max(taken.memory.get(pid, 0), _peak(pid))
                own[pid] = max(own.get(pid, 0.0), cpu_seconds(pid))
            time.sleep(_EVERY_S)
        taken.seconds = time.perf_counter() - begin
        taken.cpu = sum(own.values()) - before
    if process.returncode:
        message = f"previews ended with exit status {process.returncode}"
        raise RuntimeError(message)
    return taken


@contextmanager
def _children(number: str) -> Iterator[tuple[list[str], list[int]]]:
    yield ["--workers", number], []


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[list[str], list[int]]]:
    """Start a scheduler and two workers on loopback; returns the processes of the workers."""
    file = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    common = ["--no-dashboard", "--scheduler-file", str(file)]
    worker = [
        "--nthreads",
        "1",
        "--memory-limit",
        "0",
        "--preload",
        "jobs.imaging.task",
        "--local-directory",
        str(folder),
    ]

    def start(what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *common, *options]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    processes += [start("worker", *worker) for _ in range(2)]
    try:
        while not file.is_file():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        yield ["--scheduler", address], [process.pid for process in processes[1:]]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _rows(archive: Archive) -> list[dict[str, object]]:
    """Rows of all images without times, with a hash of the pixels."""
    from hashlib import sha256

    from astropy.io import fits

    found = archive.query(f"SELECT * EXCLUDE ({', '.join(_TIMES)}) FROM images ORDER BY image_id").to_pylist()
    for row in found:
        row["pixels"] = sha256(fits.getdata(archive.path_of(row["file"])).tobytes()).hexdigest()
    return found


def _peak(pid: int) -> int:
    """Largest resident set of a process, KiB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
