"""File systems whose locks lock nothing, and the rows that get lost on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import stix_jobs

from archive import Archive
from archive.checks.findings import Level
from archive.checks.run import check
from archive.ingest.ingest import ingest
from jobs.cli.lock_probe import locks_hold

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-11-22T12:00:00", "us")
#: What such a file system does: flock answers that all is well, and keeps nobody out.
LOCKS_NOTHING = "import fcntl\nfcntl.flock = lambda *_: None\n"


def doctors_look(archive: Path, folder: Path | None = None) -> dict[str, str]:
    ran = stix_jobs("doctor", "--archive", archive, "--pages", "", "--json", folder=folder)
    (look,) = [look for look in json.loads(ran.out) if look["subject"] == "locks"]
    return look


def test_a_file_system_that_ignores_locks(tmp_path: Path) -> None:
    """The doctor says when the file system of the archive ignores locks."""
    archive = Archive(tmp_path / "archive", create=True)
    assert doctors_look(archive.root)["verdict"] == "good"
    (tmp_path / "no-locks").mkdir()
    (tmp_path / "no-locks" / "sitecustomize.py").write_text(LOCKS_NOTHING)
    look = doctors_look(archive.root, tmp_path / "no-locks")
    assert look["verdict"] == "wrong"
    assert "ignores locks" in look["text"]
    assert list((archive.root / "locks").glob(".*")) == []


def test_a_lock_that_cannot_be_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locks_hold(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("import os\nos._exit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(OSError, match="status 9"):
        locks_hold(tmp_path)


def test_rows_that_were_lost(tmp_path: Path, science: Path) -> None:
    """A file that lost its row is an error of the check, and the check fails."""
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, [science], NOW)
    shutil.rmtree(archive.root / "index" / "science_files")
    (archive.root / "index" / "science_files").mkdir()
    found = [finding for finding in check(Archive(archive.root), NOW) if finding.code == "file-unindexed"]
    assert [finding.level for finding in found] == [Level.ERROR]
    ran = stix_jobs("check", "--archive", archive.root)
    assert ran.status == 1
    assert b"error file-unindexed" in ran.out
