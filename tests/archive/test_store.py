"""Opening an archive, for reading and for writing."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archive import Archive, ArchiveBusy, IndexVersion, NotAnArchive
from archive.index.migrations import MIGRATIONS


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchive, match="is not an archive"):
        Archive(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_lost_its_index_is_to_be_repaired(archive: Archive) -> None:
    shutil.rmtree(archive.root / "index")
    with pytest.raises(NotAnArchive, match=r"its index folder is missing.*check --repair rebuilds it"):
        Archive(archive.root)
    with pytest.raises(NotAnArchive, match=r"it has no index folder.*create it with stix-jobs ingest FOLDER"):
        Archive(archive.root / "deeper")


def test_a_new_archive_has_its_folders(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "deep" / "archive", create=True)
    expected = {"fits", "images", "incoming", "index", "locks", "quarantine"}
    assert {path.name for path in archive.root.iterdir()} == expected
    assert Archive(archive.root).images() == []


def test_opening_again_changes_nothing(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1)])
    before = make.tree(archive.root)
    Archive(archive.root, create=True).images()
    assert make.tree(archive.root) == before


@pytest.mark.parametrize("name", ["a*b", "a?b", "[a]", "{a}"])
def test_paths_that_duckdb_would_expand_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAnArchive, match="may not contain"):
        Archive(tmp_path / name, create=True)


def test_a_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAnArchive, match="is a file"):
        Archive(tmp_path / "file", create=True)


def test_it_travels_to_another_process(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1)])
    archive.images()
    copy = pickle.loads(pickle.dumps(archive))
    assert copy.root == archive.root
    assert copy.images() == [make.image(1)]


@pytest.fixture
def locked_away(archive: Archive, make):
    archive.upsert("images", [make.image(1)])
    archive.build_read_model()
    places = [archive.root, *(path for path in archive.root.rglob("*") if path.is_dir())]
    for place in places:
        place.chmod(0o555)
    yield archive
    for place in places:
        place.chmod(0o755)


def test_a_read_only_archive_can_be_read(locked_away: Archive, make) -> None:
    before = make.tree(locked_away.root)
    archive = Archive(locked_away.root)
    assert archive.images() == [make.image(1)]
    assert archive.query("SELECT count(*) AS n FROM images").to_pylist() == [{"n": 1}]
    assert make.tree(locked_away.root) == before
    if os.geteuid():  # nobody forbids the superuser anything
        with pytest.raises(PermissionError):
            archive.upsert("images", [make.image(2)])


def test_an_index_of_newer_software_is_refused_in_one_sentence(archive: Archive) -> None:
    (archive.index / "schema.json").write_text(f'{{"applied": ["{MIGRATIONS[0].name}", "2031-05 more columns"]}}')
    for create in (False, True):
        with pytest.raises(IndexVersion, match="written by newer software") as caught:
            Archive(archive.root, create=create)
        assert "2031-05 more columns" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_index_of_older_software_waits_for_a_writer(archive: Archive) -> None:
    (archive.index / "schema.json").unlink()
    with pytest.raises(IndexVersion, match="written by older software"):
        Archive(archive.root)
    Archive(archive.root, create=True)
    Archive(archive.root)


HOLDER = """
import sys
from archive import Archive
with Archive(sys.argv[1]).write_lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_writer_waits_and_then_says_so(archive: Archive, make) -> None:
    command = [sys.executable, "-c", HOLDER, str(archive.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        impatient = Archive(archive.root, lock_timeout_s=0.2)
        with pytest.raises(ArchiveBusy, match=r"another process has been writing to .* for 0\.2 s"):
            impatient.upsert("images", [make.image(1)])
        assert impatient.images() == []  # readers do not wait
        holder.kill()  # the lock goes with the process
        holder.wait()
    impatient.upsert("images", [make.image(1)])
    assert impatient.images() == [make.image(1)]


def test_the_lock_may_be_taken_again_inside(archive: Archive, make) -> None:
    with archive.write_lock(), archive.write_lock():
        archive.upsert("images", [make.image(1)])
        archive.build_read_model()
    assert archive.images() == [make.image(1)]
