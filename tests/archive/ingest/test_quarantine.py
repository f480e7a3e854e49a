"""Refused files are kept with the reason, once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from archive.ingest.quarantine import Refusal, put_aside
from stixcore.recipe import sha256_of

NOW = np.datetime64("2026-11-22T12:00:00", "us")
LATER = np.datetime64("2026-11-23T12:00:00", "us")
REFUSAL = Refusal("bad.fits: expected this, found that.", "this", "that")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.fits"
    path.write_text("rubbish")
    return path


def test_the_file_and_the_reason(tmp_path: Path, bad: Path) -> None:
    note = put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(bad))
    assert note == tmp_path / "quarantine" / "2026-11-22" / "bad.fits.reason.json"
    assert json.loads(note.read_text()) == {
        "file": "bad.fits",
        "source": "bad.fits",  # where it was is the operator's affair
        "sha256": sha256_of(bad),
        "reason": "bad.fits: expected this, found that.",
        "expected": "this",
        "found": "that",
        "quarantined_at": "2026-11-22T12:00:00Z",
    }
    assert (note.parent / "bad.fits").read_text() == bad.read_text() == "rubbish"


def test_the_copy_that_was_judged_is_kept(tmp_path: Path, bad: Path) -> None:
    """The owner may have changed the file since it was judged."""
    copy = tmp_path / "copy"
    copy.write_text("what was judged")
    note = put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(copy), copy=copy)
    assert (note.parent / "bad.fits").read_text() == "what was judged"
    assert not copy.exists()
    assert bad.read_text() == "rubbish"


def test_of_a_file_in_the_archive_the_place_is_named(tmp_path: Path, bad: Path) -> None:
    inside = tmp_path / "incoming" / "today" / "bad.fits"
    inside.parent.mkdir(parents=True)
    bad.rename(inside)
    note = put_aside(tmp_path / "quarantine", inside, REFUSAL, NOW, sha256_of(inside))
    assert json.loads(note.read_text())["source"] == "incoming/today/bad.fits"


def test_only_the_owner_reads_it(tmp_path: Path, bad: Path) -> None:
    folder = tmp_path / "quarantine"
    folder.mkdir(mode=0o755)  # as older software made it
    put_aside(folder, bad, REFUSAL, NOW, sha256_of(bad))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    assert modes == {"quarantine": 0o700, "2026-11-22": 0o700, "bad.fits": 0o600, "bad.fits.reason.json": 0o600}


def test_the_same_file_again_changes_nothing(tmp_path: Path, bad: Path, make) -> None:
    first = put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(bad))
    before = make.tree(tmp_path)
    assert put_aside(tmp_path / "quarantine", bad, Refusal("another reason"), LATER, sha256_of(bad)) == first
    assert make.tree(tmp_path) == before


def test_other_content_of_the_same_name_is_kept_too(tmp_path: Path, bad: Path, make) -> None:
    put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(bad))
    bad.write_text("other rubbish")
    for _ in range(2):
        put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(bad))
    kept = [path.read_text() for path in (tmp_path / "quarantine").rglob("*bad.fits")]
    assert sorted(kept) == ["other rubbish", "rubbish"]


def test_a_copy_whose_note_was_never_written_gets_it(tmp_path: Path, bad: Path) -> None:
    day = tmp_path / "quarantine" / "2026-11-22"
    day.mkdir(parents=True)
    (day / "bad.fits").write_text("rubbish")
    assert put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(bad)) == day / "bad.fits.reason.json"
    assert len(list(day.iterdir())) == 2


def test_other_content_without_a_note_is_not_overwritten(tmp_path: Path, bad: Path) -> None:
    """A run that was killed may have left it."""
    day = tmp_path / "quarantine" / "2026-11-22"
    day.mkdir(parents=True)
    (day / "bad.fits").write_text("other rubbish")
    note = put_aside(tmp_path / "quarantine", bad, REFUSAL, NOW, sha256_of(bad))
    assert note.name == f"{sha256_of(bad)[:8]}-bad.fits.reason.json"
    assert (day / "bad.fits").read_text() == "other rubbish"


def test_without_content_there_is_only_the_note(tmp_path: Path, make) -> None:
    for _ in range(2):
        note = put_aside(tmp_path / "quarantine", tmp_path / "link.fits", Refusal("a link"), NOW)
    assert [path.name for path in (tmp_path / "quarantine").rglob("*") if path.is_file()] == [note.name]


@pytest.mark.parametrize(
    "name",
    ["a\nb.fits", ".hidden.fits", "ü" * 120 + ".fits", "x" * 250 + ".fits", "…", "-rf", "a b;c|d.fits", "%s{0}.fits"],
)
def test_names_are_made_harmless(tmp_path: Path, name: str) -> None:
    source = tmp_path / name[-250:]
    source.write_text("x")
    note = put_aside(tmp_path / "quarantine", source, REFUSAL, NOW, sha256_of(source))
    assert json.loads(note.read_text())["file"] == source.name
    names = [path.name for path in note.parent.iterdir()]
    assert len(names) == 2
    assert all(each.isascii() and each.isprintable() and not each.startswith(".") for each in names)


def test_bytes_that_are_no_text_in_a_name(tmp_path: Path) -> None:
    source = Path(bytes(tmp_path).decode()) / b"bad\xff.fits".decode("utf-8", "surrogateescape")
    source.write_text("x")
    note = put_aside(tmp_path / "quarantine", source, REFUSAL, NOW, sha256_of(source))
    assert json.loads(note.read_text())["file"] == source.name
