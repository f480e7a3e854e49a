"""Disks that are full, slow or closed: nothing that was acknowledged is lost, nothing half-written stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from archive import Archive, Outcome, OutcomeStatus
from archive.checks.findings import Code, is_sound
from archive.checks.run import check
from archive.index.schema import select_files
from archive.ingest.ingest import ingest
from jobs.cli.parser import main as stix_jobs
from stixcore.recipe import sha256_of

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-11-22T12:00:00", "us")


@pytest.fixture
def files(shared_data: Path) -> list[Path]:
    """Small files of three days, and a pointing file of 0.4 MB."""
    small = [path for path in sorted((shared_data / "nov2022" / "l1").glob("*.fits")) if path.stat().st_size < 140_000]
    return [*small[:10], *sorted((shared_data / "nov2022" / "aux").glob("*.fits"))[:1]]


type Resize = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system of its own, and a function to mount it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=True)

    def change(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)

    try:
        yield place, change
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def everything_acknowledged_is_there(archive: Archive, outcomes: list[Outcome]) -> None:
    rows = {row["name"]: row for row in archive.rows(select_files("name, path, sha256"))}
    taken = [outcome for outcome in outcomes if outcome.status is OutcomeStatus.INGESTED]
    assert {outcome.name for outcome in taken} <= rows.keys()
    for row in rows.values():
        assert sha256_of(archive.path_of(row["path"])) == row["sha256"]


@pytest.mark.needs_mount
@pytest.mark.parametrize("free_kib", [0, 40, 180, 300, 700])
def test_disk_full_while_files_are_taken_in(disk, files, free_kib):
    place, change = disk
    archive = Archive(place / "archive", create=True)
    ingest(archive, files[:2], NOW)
    used = sum(path.lstat().st_blocks * 512 for path in place.rglob("*"))
    change(f"size={used // 1024 + free_kib}k")
    told: list[Outcome] = []
    with pytest.raises(OSError, match="No space left"):
        ingest(archive, files, NOW, report=told.append)
    everything_acknowledged_is_there(archive, told)
    assert not list(archive.root.rglob(".part-*"))
    assert is_sound([finding for finding in check(archive, NOW) if finding.code is not Code.FILE_UNINDEXED])
    change("size=64m")
    again = ingest(archive, files, NOW)
    assert {outcome.status for outcome in again} <= {OutcomeStatus.INGESTED, OutcomeStatus.KNOWN}
    assert len(archive.science_files()) == len(files) - 1
    assert check(archive, NOW) == ()


@pytest.mark.needs_mount
def test_disk_full_while_images_are_written(disk, science, aspect, capsys):
    place, change = disk
    shutil.copy(science, place)
    asked = ["image", str(place / science.name), "--aux", str(aspect), "--energy", "6", "10", "--method", "bp"]
    asked += ["--start", "2022-11-09T04:55:00", "--end", "2022-11-09T05:05:00", "--out", str(place / "images")]
    change("size=100k")
    assert stix_jobs(asked) == 1
    assert "space" in capsys.readouterr().err
    assert not [path for path in place.rglob("*") if path.is_file() and path.name != science.name]
    change("size=64m")
    assert stix_jobs(asked) == 0
    assert len(list((place / "images").glob("*_bp.fits"))) == 1


@pytest.mark.needs_mount
def test_a_disk_that_may_only_be_read(disk, files, capsys):
    place, change = disk
    archive = Archive(place / "archive", create=True)
    ingest(archive, files[:3], NOW)
    archive.build_read_model()
    change("ro")
    try:
        root = str(archive.root)
        assert stix_jobs(["query", "select count(*) as n from science_files", "--archive", root]) == 0
        assert "3" in capsys.readouterr().out
        assert stix_jobs(["check", "--archive", root]) == 0
        assert "no problems" in capsys.readouterr().out
        assert stix_jobs(["ingest", str(files[5]), "--archive", root]) == 1
        said = capsys.readouterr().err
        assert "Read-only file system" in said
        assert "Traceback" not in said
    finally:
        change("rw")
    assert stix_jobs(["ingest", str(files[5]), "--archive", root]) == 0
    assert check(archive, NOW) == ()


def without_rights(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run ``stix-jobs`` so that modes of files count: root, who runs these tests, is refused nothing."""
    rights = "-dac_override,-dac_read_search,-fowner"
    code = "import sys; from jobs.cli.parser import main; sys.exit(main(sys.argv[1:]))"
    words = ["setpriv", "--bounding-set", rights, "--inh-caps", rights, sys.executable, "-c", code, *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.needs_setpriv
def test_permission_denied_is_a_sentence(tmp_path, files):
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, files[:2], NOW)
    before = sorted(archive.root.rglob("*"))
    for path in (archive.root, *before):
        path.chmod(0o555 if path.is_dir() else 0o444)
    refused = without_rights(["ingest", str(files[3]), "--archive", str(archive.root)])
    assert refused.returncode == 1, refused.stderr
    assert "Permission denied" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert sorted(archive.root.rglob("*")) == before
    asked = without_rights(["query", "select count(*) as n from science_files", "--archive", str(archive.root)])
    assert (asked.returncode, asked.stdout.split()[2]) == (0, "2"), asked.stderr
    assert without_rights(["check", "--archive", str(archive.root)]).returncode == 0


@pytest.mark.needs_setpriv
def test_a_file_that_may_not_be_read_waits_with_its_reason(tmp_path, files):
    closed, good = tmp_path / files[0].name, tmp_path / files[1].name
    shutil.copy(files[0], closed)
    shutil.copy(files[1], good)
    closed.chmod(0o000)
    taken = without_rights(["ingest", str(closed), str(good), "--archive", str(tmp_path / "archive")])
    assert taken.returncode == 1
    assert f"{closed.name}: expected a file that can be read, found Permission denied." in taken.stderr
    assert taken.stdout == f"{good}: ingested\n1 ingested, 1 quarantined\n"
    assert [row.name for row in Archive(tmp_path / "archive").science_files()] == [good.name]


def test_two_processes_take_the_same_files_at_once(tmp_path, files):
    root = tmp_path / "archive"
    Archive(root, create=True)
    command = [sys.executable, "-c", TAKE_ALL, str(root), *map(str, files)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    archive = Archive(root)
    assert len(archive.science_files()) == len(files) - 1
    assert check(archive, NOW) == ()
    for outcomes in said:
        assert set(outcomes.split()) <= {"ingested", "known"}


TAKE_ALL = """
import sys
from pathlib import Path
import numpy as np
from archive import Archive
from archive.ingest.ingest import ingest
for outcome in ingest(Archive(sys.argv[1]), map(Path, sys.argv[2:]), np.datetime64("2026-11-22T12:00:00", "us")):
    print(outcome.status)
"""


def test_renames_that_take_long_hide_nothing(tmp_path, files, monkeypatch):
    """As on a network file system: readers see every month before or after a rename, at any moment of it."""
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, files[:2], NOW)
    archive.build_read_model()
    real = Path.replace

    def slow(path: Path, target: Path) -> Path:
        time.sleep(0.05)
        done = real(path, target)
        time.sleep(0.05)
        return done

    monkeypatch.setattr(Path, "replace", slow)
    writer = threading.Thread(target=lambda: [ingest(archive, [file], NOW) for file in files[2:7]])
    writer.start()
    seen, reader = [], Archive(archive.root)
    while writer.is_alive():
        seen.append(reader.rows("SELECT count(*) AS n FROM science_files")[0]["n"])
    writer.join()
    assert seen == sorted(seen)
    assert seen[0] >= 2
    assert check(archive, NOW) == ()


@pytest.mark.parametrize("step", [np.timedelta64(-3650, "D"), np.timedelta64(-1, "h"), np.timedelta64(3650, "D")])
def test_a_clock_that_jumps_changes_no_answer(tmp_path, files, step):
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, files[:3], NOW)
    outcomes = ingest(archive, files[:5], NOW + step)
    assert Counter(outcome.status for outcome in outcomes) == {OutcomeStatus.KNOWN: 3, OutcomeStatus.INGESTED: 2}
    assert check(archive, NOW + step) == ()
    assert check(archive, NOW) == ()


@pytest.mark.parametrize("what", ["deleted", "truncated", "other content"])
def test_a_month_of_the_index_comes_back_from_the_files(tmp_path, files, what, capsys):
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, files[:4], NOW)
    before = archive.query("SELECT * EXCLUDE ingested_at FROM science_files ORDER BY name").to_pylist()
    (month,) = (archive.index / "science_files").glob("*.parquet")
    match what:
        case "deleted":
            month.unlink()
        case "truncated":
            month.write_bytes(month.read_bytes()[:-100])
        case _:
            month.write_bytes(b"PAR1" + os.urandom(1000) + b"PAR1")
    archive.close()
    assert stix_jobs(["check", "--repair", "--archive", str(archive.root)]) == 0
    assert "(repaired)" in capsys.readouterr().out
    assert archive.query("SELECT * EXCLUDE ingested_at FROM science_files ORDER BY name").to_pylist() == before
    assert is_sound(check(archive, NOW))
