"""10,000 requests in the journal: time to start a worker, and to claim the next request.

The start is measured from the command ``stix-jobs worker`` until its first claim is in the journal. The other rows are
`Leases.claim` and the queries of the pages.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from archive import Archive
from benchmarks.processor_time import cpu_seconds
from benchmarks.timing import print_table
from jobs.queue.journal import Journal
from jobs.queue.leases import Leases

REQUESTS, USERS, STARTS, PICKS = 10_000, 50, 5, 200
BAR_START_S, BAR_PICK_MS = 2.0, 50.0


def run() -> None:
    """Print the table."""
    with TemporaryDirectory(prefix="journal-") as folder:
        root = Archive(Path(folder) / "archive", create=True).root
        fill(Journal(root))
        starts, processor = (sorted(some) for some in zip(*(_start(root) for _ in range(STARTS)), strict=True))
        journal, leases, now = Journal(root), Leases(root), np.datetime64("now", "us")
        last = journal.requests(limit=1)[0].request_id
        with_hold = leases.hold()  # as in a worker
        rows = [
            _row("claim the next request", lambda: leases.claim("w", now, 600.0), BAR_PICK_MS),
            _row("queue position of the last request", lambda: journal.position(last)),
            _row("list the first 25 of the queue", lambda: journal.queue(25)),
            _row("requests by state", journal.counts),
            _row("renew a lease", lambda: leases.beat("w", now, 600.0)),
        ]
        with_hold.close()
    print_table(
        f"A journal with {REQUESTS} waiting requests of {USERS} users (load {os.getloadavg()[0]:.1f})",
        ["operation", "best [ms]", "median [ms]", "slowest [ms]", "target [ms]"],
        [
            ["start a worker until its first claim", *_summary(starts), 1e3 * BAR_START_S],
            ["… of which CPU time", *_summary(processor), ""],
            *rows,
        ],
    )


def fill(journal: Journal) -> None:
    """Write all requests at once; they will fail, as their file does not exist."""
    now = np.datetime64("now", "us")
    for number in range(USERS):
        journal.submit(f"user{number}", f'{{"n":{number}}}', now, uid="2603141000", task_count=1)
    with journal.writing() as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
            "INSERT INTO requests (user, body, body_hash, uid, recipes, state, submitted_at, queued_at, not_before) "
            "SELECT 'user' || (i % ?), i, i, '2603141000', 1, 'queued', submitted_at, queued_at, not_before "
            "FROM n, (SELECT * FROM requests LIMIT 1)",
            (USERS, REQUESTS, USERS),
        )


def _start(root: Path) -> tuple[float, float]:
    """Seconds from the command to its first claim, and CPU time; releases what was claimed."""
    journal = Journal(root)
    before = journal.read("SELECT coalesce(max(served), 0) AS n FROM requests")[0]["n"]
    begin = time.perf_counter()
    command = [sys.executable, "-m", "jobs.cli", "worker", "--archive", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while journal.read("SELECT coalesce(max(served), 0) AS n FROM requests")[0]["n"] == before:
        if process.poll() is not None or time.perf_counter() - begin > 120.0:
            message = "the worker did not claim a request"
            raise RuntimeError(message)
        time.sleep(0.005)
    taken, processor = time.perf_counter() - begin, cpu_seconds(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with journal.writing() as db:
        db.execute("UPDATE requests SET state = 'queued', owner = NULL, finished_at = NULL, reason = ''")
    return taken, processor


def _row(name: str, action: Callable[[], object], bar: float | None = None) -> list[object]:
    taken = []
    for _ in range(PICKS):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return [name, *_summary(sorted(taken)), "" if bar is None else bar]


def _summary(taken: list[float]) -> tuple[float, float, float]:
    """Best, median and slowest, ms."""
    return 1e3 * taken[0], 1e3 * taken[len(taken) // 2], 1e3 * taken[-1]
