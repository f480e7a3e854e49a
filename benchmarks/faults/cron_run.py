"""Files copied to ``incoming`` in random order and batches, while a real cron runs; compared with a single run.

    python -m benchmarks.faults.cron_run --data FOLDER… [--batches 3] [--seed 1] [--work DIR]

Uses the line of deploy/crontab.example that ingests files and makes images, in the crontab of the current user, which
is restored at the end. Needs the Debian package cron and the permission to start its daemon, unless it is already
running. Installs nothing. Takes at least three minutes plus the time for the images.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from archive import Archive
from benchmarks.faults.archives import TABLES, rows_of
from jobs.cli.parser import main as stix_jobs
from jobs.shared.lock import AlreadyRunning, single_instance

ROOT = Path(__file__).resolve().parents[2]


def crontab_for(root: Path) -> str:
    lines = (ROOT / "deploy/crontab.example").read_text().splitlines()
    (line,) = (line for line in lines if "stix-jobs" in line and "ingest" in line and "previews" in line)
    line = line.replace("stix-jobs", f"cd {shlex.quote(str(ROOT))}; {shlex.quote(sys.executable)} -m jobs.cli")
    return f"SHELL=/bin/sh\nPATH=/usr/bin:/bin\nSTIX_ARCHIVE={root}\nSTIX_LOGS={root.parent}\n{line}\n"


@contextmanager
def cron(table: str) -> Iterator[None]:
    """Install a crontab; the previous one is restored on exit."""
    before = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
    subprocess.run(["crontab", "-"], input=table, text=True, check=True)
    daemon = subprocess.Popen(["cron", "-f"])
    try:
        yield
    finally:
        if before.returncode == 0:
            subprocess.run(["crontab", "-"], input=before.stdout, text=True, check=True)
        else:
            subprocess.run(["crontab", "-r"], check=False)
        daemon.terminate()
        daemon.wait()


def at_rest(root: Path, quiet_s: float = 75.0) -> None:
    """Wait until incoming is empty, no command is running and nothing was written for more than a minute."""
    since, last = time.monotonic(), -1.0
    while time.monotonic() - since < quiet_s:
        time.sleep(2)
        newest = max((path.stat().st_mtime for path in (root / "index").rglob("*.parquet")), default=0.0)
        if any((root / "incoming").iterdir()) or newest != last or is_at_work(root):
            since, last = time.monotonic(), newest


def is_at_work(root: Path) -> bool:
    for name in ("ingest", "flares", "previews"):
        try:
            with single_instance(root, name):
                pass
        except AlreadyRunning:
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, nargs="+")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for the two archives (default: a temporary one)")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="cron-run-"))
    once, by_cron = work / "once", work / "by-cron"
    for words in (["ingest", *map(str, arguments.data)], ["flares"], ["previews"]):
        stix_jobs([*words, "--archive", str(once)])
    incoming = Archive(by_cron, create=True).root / "incoming"
    files = sorted(path for folder in arguments.data for path in folder.rglob("*.fits") if path.is_file())
    order = np.random.default_rng(arguments.seed).permutation(len(files))
    with cron(crontab_for(by_cron)):
        for number, batch in enumerate(np.array_split(order, arguments.batches), 1):
            for place in batch:
                part = incoming / f".{files[place].name}"
                shutil.copyfile(files[place], part)
                part.rename(incoming / files[place].name)
            print(f"batch {number}: {batch.size} files", flush=True)
            at_rest(by_cron, 75.0 if number == arguments.batches else 5.0)
    ours, theirs = rows_of(Archive(by_cron)), rows_of(Archive(once))
    equal = True
    for table in TABLES:
        mine, others = ours[table], theirs[table]
        same = sum(mine.get(name) == row for name, row in others.items())
        equal &= same == len(mine) == len(others)
        print(f"{table:16s} {len(others):6d} rows of a single run, {len(mine):6d} with cron, {same:6d} equal")
        for name in [name for name in mine if name in others and mine[name] != others[name]]:
            wrong = [column for column in mine[name] if mine[name][column] != others[name][column]]
            print(f"  {name} differs in {', '.join(wrong)}")
    status = stix_jobs(["check", "--archive", str(by_cron)])
    print("equal" if equal else "DIFFERENT", "check:", status, "archives in", work)
    return 0 if equal and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
