"""No thread outlives the call that started it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from commands import stix_jobs

from archive import Archive, QueryRefused, QueryTimeout
from archive.ingest.ingest import ingest

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-11-22T12:00:00", "us")
#: How often the command runs: the fault showed itself in about one run of three.
RUNS = 40 if os.environ.get("STIX_ATTACK") == "long" else 3
#: Starts every thread and makes it slow to see that it shall end, as on a busy machine.
SLOW_THREADS = """
import threading, time
run = threading.Timer.run
def slow(self):
    run(self)
    time.sleep(0.5)
threading.Timer.run = slow
"""


@pytest.fixture
def archive(tmp_path: Path, science: Path) -> Archive:
    made = Archive(tmp_path / "archive", create=True)
    ingest(made, [science], NOW)
    return made


def test_a_query_says_nothing_on_standard_error(archive: Archive, tmp_path: Path) -> None:
    """A query that succeeds writes nothing to standard error, run after run."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(SLOW_THREADS)
    for number in range(RUNS):
        folder = tmp_path / "slow" if number == 0 else None
        ran = stix_jobs("query", "SELECT name FROM science_files", "--archive", archive.root, folder=folder)
        assert (ran.status, ran.err) == (0, b"")


def test_no_thread_outlives_its_call(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread is alive after a call that had a time limit, however the call ended."""
    seen: list[threading.Thread] = []

    class Watched(threading.Thread):
        def start(self) -> None:
            seen.append(self)
            super().start()

        def run(self) -> None:
            super().run()
            threading.Event().wait(0.2)  # a busy machine lets it end late

    monkeypatch.setattr("archive.index.reader.threading.Thread", Watched)
    archive.query("SELECT name FROM science_files", time_limit_s=60)
    with pytest.raises(QueryRefused):
        archive.query("SELECT nothing FROM science_files", time_limit_s=60)
    with pytest.raises(QueryTimeout):
        archive.query("SELECT count(*) FROM range(1000000000000) AS r WHERE range % 7 = 3", time_limit_s=0.1)
    assert len(seen) >= 3
    assert [thread for thread in seen if thread.is_alive()] == []
