"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from archive.atomic import atomic_path, copy_file, leftovers, make_folder, remove_file, write_text
from archive.errors import ArchiveError

KILLED_BEFORE_RENAME = """
import os, sys
from pathlib import Path
from archive.atomic import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os._exit(9)
"""


def test_writes_into_folders_that_do_not_exist_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "π")
    assert path.read_bytes() == "π".encode()
    assert list(path.parent.iterdir()) == [path]


def test_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text() == "new"


def test_the_temporary_name_is_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "map.fits") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".part-")
        assert temporary.suffix == ".fits"
        temporary.write_text("x")


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_no_litter(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "c.txt"
    write_text(path, "old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    write_text(path, "old")
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert path.read_text() == "old"


def test_a_killed_process_leaves_the_old_file_and_a_hidden_one(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    write_text(path, "old")
    child = subprocess.run([sys.executable, "-c", KILLED_BEFORE_RENAME, str(path)], check=False)
    assert child.returncode == 9
    assert path.read_text() == "old"
    assert [part.read_text() for part in leftovers(tmp_path)] == ["half"]


def test_copies_bytes_and_says_their_hash(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b" / "a"
    source.write_bytes(b"0123" * 700_000)
    expected = hashlib.sha256(source.read_bytes()).hexdigest()
    assert copy_file(source, target, expected) == expected
    assert target.read_bytes() == source.read_bytes()


def test_a_source_that_changed_is_not_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("new")
    with pytest.raises(ArchiveError, match="a changed while it was copied"):
        copy_file(source, target, hashlib.sha256(b"old").hexdigest())
    assert not target.exists()


def test_files_get_the_usual_permissions(tmp_path: Path) -> None:
    plain, written = tmp_path / "plain", tmp_path / "written"
    plain.write_text("x")
    write_text(written, "x")
    assert written.stat().st_mode == plain.stat().st_mode


def test_removing_and_making_may_be_repeated(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    write_text(tmp_path / "c", "x")
    remove_file(tmp_path / "c")
    remove_file(tmp_path / "c")
    remove_file(tmp_path / "nowhere" / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
