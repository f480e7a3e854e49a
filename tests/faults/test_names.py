"""Names of files that hold what a terminal obeys or what forges a line of a log, and where files are on the machine."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import Ran, stix_jobs

from archive import Archive
from archive.ingest.ingest import ingest
from jobs.imaging.uploads import UploadRefused, check_upload
from jobs.queue.claimed import sentence_of
from jobs.shared.logs import escape_records
from stixcore.errors import InvalidProduct, StixError, public_sentence
from stixcore.printable import printable, without_folders

pytestmark = pytest.mark.system

NOW = np.datetime64("2030-01-01T00:00:00", "us")
FORGED = "2026-11-28T00:00:00Z ERROR forged"
#: Colour, bell, C1, direction of writing, a line of a log, a byte that is no text.
NAME = f"solo\x1b[31m\x07\x9b2J\u202egpj\u2066\r\n{FORGED}\udcff.fits"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive", create=True)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A file with such a name, and nothing in it that could be taken in."""
    path = tmp_path / "inbox" / NAME
    path.parent.mkdir()
    path.write_bytes(b"no FITS file")
    os.utime(path, (1e9, 1e9))
    return path


def check_harmless(*texts: str) -> None:
    for text in texts:
        assert not [char for char in text if not (char.isprintable() or char == "\n")]
        assert not [line for line in text.split("\n") if line.startswith(FORGED)]


def check_output(ran: Ran) -> None:
    check_harmless(ran.out.decode(), ran.err.decode())
    assert b"Traceback" not in ran.err


@pytest.mark.parametrize("log", [(), ("--verbose", "--log-json")])
def test_ingest(archive: Archive, hostile: Path, log: tuple[str, ...]) -> None:
    """Control characters in the name of a file that is refused do not reach the terminal or the log."""
    moved = archive.root / "incoming" / NAME
    shutil.copy2(hostile, moved)
    ran = stix_jobs(*log, "ingest", hostile, "--archive", archive.root, "--incoming", moved.parent)
    assert ran.status == 1
    assert b"forged" in ran.err
    check_output(ran)


def test_check_and_doctor(archive: Archive, hostile: Path) -> None:
    """Control characters in the name of a file in the archive reach no terminal and stop no check."""
    place = archive.root / "fits" / "L1" / "2022" / "11" / "11" / "SCI" / NAME
    place.parent.mkdir(parents=True)
    shutil.copy2(hostile, place)
    shutil.copy2(hostile, archive.root / "incoming")
    for words in (("check", "--repair"), ("doctor", "--pages", "")):
        ran = stix_jobs(*words, "--archive", archive.root)
        assert b"forged" in ran.out or words[0] == "doctor"
        check_output(ran)
    assert json.loads((archive.root / "findings.json").read_text())["findings"]


@pytest.mark.parametrize("command", ["import-flares", "reproduce"])
def test_files_that_are_named(archive: Archive, hostile: Path, command: str) -> None:
    """Control characters in the name of a file that a command cannot use do not reach the terminal."""
    ran = stix_jobs(command, hostile, "--archive", archive.root)
    assert ran.status == 1
    check_output(ran)


def test_arguments(hostile: Path) -> None:
    """Control characters in a wrong argument do not reach the terminal."""
    ran = stix_jobs("check", "\x1b]0;title\x07", f"--{NAME}")
    assert ran.status == 2
    check_output(ran)


def test_uploads(hostile: Path) -> None:
    """Control characters in the name of an uploaded file do not reach the sentence that refuses it."""
    with pytest.raises(UploadRefused) as caught:
        check_upload(hostile)
    check_harmless(str(caught.value))


def test_reasons(archive: Archive, hostile: Path) -> None:
    """A reason in quarantine names a file by its place in the archive, never by a folder of the machine."""
    moved = archive.root / "incoming" / NAME
    shutil.copy2(hostile, moved)
    outcomes = ingest(archive, [hostile], NOW, incoming=moved.parent)
    notes = [path.read_text() for path in (archive.root / "quarantine").rglob("*.json")]
    assert notes
    for text in (*notes, *(outcome.reason for outcome in outcomes)):
        assert str(archive.root.parent) not in text
        assert str(hostile.parent) not in text
    check_harmless(*(outcome.reason for outcome in outcomes), *notes)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler with a format of its own writes, as that of the pages."""
    factory, stream = logging.getLogRecordFactory(), io.StringIO()
    escape_records()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("test_names")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    logging.setLogRecordFactory(factory)


def test_every_log(log: io.StringIO) -> None:
    """No log of this software holds control characters or forged lines, wherever a name is logged."""
    logging.getLogger("test_names").warning("found %s", NAME)
    error = ValueError(f"{NAME}\n{FORGED}")
    try:
        raise error
    except ValueError:
        logging.getLogger("test_names").exception("failed on %s", NAME)
    check_harmless(log.getvalue())
    assert log.getvalue().count("forged") == 4


def test_exceptions_and_sentences() -> None:
    check_harmless(str(StixError(NAME)), str(InvalidProduct(NAME, NAME, NAME)))
    place = "/srv/stix/archive/fits/x.fits"
    for error in (
        OSError(28, "No space left on device", place),
        StixError(f"{place} cannot be read"),
        ValueError(place),
    ):
        assert "/srv" not in public_sentence(error)
        assert "/srv" not in sentence_of(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("flare.fits: found µ – 4–10 keV…", "flare.fits: found µ – 4–10 keV…"),
        ("a\u00a0b", "a\u00a0b"),
        ("a\tb\x7f", "a\\tb\\x7f"),
        ("\u202e\udcff\U000e0041", "\\u202e\\udcff\\U000e0041"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Errno 2] No such file: '/srv/a/b.fits'", "[Errno 2] No such file: 'b.fits'"),
        ("/a/b/c: it is gone", "c: it is gone"),
        ("see http://host:80/a/b and fits/L1/x.fits, 3/4", "see http://host:80/a/b and fits/L1/x.fits, 3/4"),
        ("stix-jobs ingest --incoming=/srv/in/", "stix-jobs ingest --incoming=…"),
    ],
)
def test_without_folders(text: str, shown: str) -> None:
    assert without_folders(text) == shown
