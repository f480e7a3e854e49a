"""Damaged, lost and half-written spectra are found, and a repair loses nothing that can be read."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, Spectrum, read_spectrum_record, write_spectrum_record
from archive.checks.findings import Code, Level, is_sound
from archive.checks.run import check
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD


def later(hours: float = 2.0) -> np.datetime64:
    """Some time after everything that this test wrote."""
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(round(hours * 3600), "s")


def problems(archive: Archive, **options: Any) -> list[tuple[str, str]]:
    """Codes and files of a check, without information."""
    found = check(archive, later(), **options)
    return [(str(one.code), one.file) for one in found if one.level is not Level.INFO]


@pytest.fixture
def filled(archive: Archive, make: Any) -> Archive:
    """Three spectra of two months with files, records and rows."""
    rows = [make.spectrum(1), make.spectrum(2, author="eva", kind="user"), make.spectrum(3, "2022-12-01T06:00")]
    for row in rows:
        make.spectrum_files(archive.root, row)
    archive.write_spectra(rows)
    archive.build_read_model()
    return archive


def contents(archive: Archive) -> set[bytes]:
    """Contents of all files of spectra, also of those in quarantine."""
    places = [*archive.root.glob("spectra/**/*"), *archive.root.glob("quarantine/*/*")]
    return {path.read_bytes() for path in places if path.is_file() and not path.name.endswith(".reason.json")}


def test_a_sound_archive_has_no_findings(filled: Archive) -> None:
    assert problems(filled) == problems(filled, deep=False) == []


def without_file(folder: Path) -> None:
    (folder / RESPONSE_FILE).unlink()


def without_record(folder: Path) -> None:
    (folder / SPECTRUM_RECORD).unlink()


def without_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def with_half_a_record(folder: Path) -> None:
    path = folder / SPECTRUM_RECORD
    path.write_bytes(path.read_bytes()[:-30])


def with_the_record_of_another(folder: Path) -> None:
    record = read_spectrum_record(folder)
    write_spectrum_record(folder, replace(record.row, spectrum_id="f" * 16), record.document)


def with_another_byte(folder: Path) -> None:
    content = bytearray((folder / SPECTRUM_FILE).read_bytes())
    content[100] ^= 0x40
    (folder / SPECTRUM_FILE).write_bytes(content)


def with_half_a_file(folder: Path) -> None:
    (folder / SPECTRUM_FILE).write_bytes((folder / SPECTRUM_FILE).read_bytes()[:100])


BROKEN = [
    (without_file, Code.SPECTRUM_INCOMPLETE, RESPONSE_FILE, True),
    (without_record, Code.SPECTRUM_INCOMPLETE, SPECTRUM_RECORD, True),
    (without_folder, Code.SPECTRUM_INCOMPLETE, "", True),
    (with_half_a_record, Code.SPECTRUM_DAMAGED, SPECTRUM_RECORD, True),
    (with_the_record_of_another, Code.SPECTRUM_DAMAGED, SPECTRUM_RECORD, True),
    (with_another_byte, Code.SPECTRUM_DAMAGED, SPECTRUM_FILE, False),
    (with_half_a_file, Code.SPECTRUM_DAMAGED, SPECTRUM_FILE, True),
]


@pytest.mark.parametrize(("damage", "code", "name", "is_seen"), BROKEN)
def test_what_only_a_new_measurement_repairs(
    filled: Archive, make: Any, damage: Callable[[Path], None], code: Code, name: str, is_seen: bool
) -> None:
    """Without one, what is left goes into quarantine and the row goes; all other spectra stay."""
    row = make.spectrum(2)
    damage(filled.root / row.folder)
    left = contents(filled)
    expected = [(str(code), f"{row.folder}/{name}".rstrip("/"))]
    assert problems(filled, deep=False) == (expected if is_seen else [])
    assert problems(filled) == expected
    assert is_sound(check(filled, later(), repair=True))
    assert problems(filled) == []
    assert {one.spectrum_id for one in filled.spectra()} == {make.spectrum(n).spectrum_id for n in (1, 3)}
    assert not (filled.root / row.folder).exists()
    assert contents(filled) == left


@pytest.mark.parametrize(("damage", "code", "name", "is_seen"), BROKEN)
def test_a_new_measurement_repairs_it(
    filled: Archive, make: Any, damage: Callable[[Path], None], code: Code, name: str, is_seen: bool
) -> None:
    asked: list[Spectrum] = []

    def measure(row: Spectrum) -> bool:
        asked.append(row)
        shutil.rmtree(filled.root / row.folder, ignore_errors=True)
        make.spectrum_files(filled.root, row)
        filled.write_spectra([row])
        return True

    before = filled.spectra()
    damage(filled.root / make.spectrum(2).folder)
    assert is_sound(check(filled, later(), repair=True, remeasure=measure))
    assert asked == [make.spectrum(2, author="eva", kind="user")]
    assert problems(filled) == []
    assert filled.spectra() == before


def test_a_measurement_that_fails_repairs_nothing(filled: Archive, make: Any) -> None:
    with_half_a_record(filled.root / make.spectrum(1).folder)
    assert is_sound(check(filled, later(), repair=True, remeasure=lambda _: False))
    assert filled.count_spectra() == 2
    assert len(list(filled.root.glob(f"quarantine/*/*{SPECTRUM_FILE}"))) == 1


def test_a_row_is_written_again_from_its_record(filled: Archive, make: Any) -> None:
    before = filled.spectra()
    filled.delete("spectra", [make.spectrum(2).spectrum_id])
    assert problems(filled, deep=False) == problems(filled) == [("spectrum-unindexed", make.spectrum(2).folder)]
    assert is_sound(check(filled, later(), repair=True))
    assert filled.spectra() == before


def test_a_row_that_differs_from_an_older_record_is_right(filled: Archive, make: Any) -> None:
    row = replace(make.spectrum(1), flare_id="2211111200")
    filled.upsert("spectra", [row])
    assert problems(filled) == [("record-stale", f"{row.folder}/{SPECTRUM_RECORD}")]
    assert is_sound(check(filled, later(), repair=True))
    assert filled.spectrum(row.spectrum_id) == row
    record = read_spectrum_record(filled.root / row.folder)
    assert record.row == row
    assert record.document["counts"] == [1.0, 2.0]
    assert problems(filled) == []


def test_a_record_that_is_newer_than_the_row_is_right(filled: Archive, make: Any) -> None:
    """A writer was killed between the two."""
    old = make.spectrum(1)
    row = replace(old, temperature=15.5, created_at=old.created_at + np.timedelta64(60, "s"))
    write_spectrum_record(filled.root / row.folder, row, {"counts": [3.0]})
    assert problems(filled) == [("row-contradicts", row.folder)]
    assert is_sound(check(filled, later(), repair=True))
    assert filled.spectrum(row.spectrum_id) == row
    assert problems(filled) == []


def test_a_wrong_size_of_whole_files_is_corrected(filled: Archive, make: Any) -> None:
    row = make.spectrum(1)
    filled.write_spectra([replace(row, size=17)])
    assert problems(filled, deep=False) == problems(filled) == [("row-contradicts", row.folder)]
    assert is_sound(check(filled, later(), repair=True))
    assert filled.spectrum(row.spectrum_id) == row
    assert problems(filled) == []


def test_a_row_with_the_wrong_folder_follows_the_record(filled: Archive, make: Any) -> None:
    row = make.spectrum(1)
    filled.upsert("spectra", [replace(row, folder="../outside")])
    assert problems(filled) == [("row-contradicts", row.folder)]
    assert is_sound(check(filled, later(), repair=True))
    assert filled.spectrum(row.spectrum_id) == row


def test_a_lost_index_is_rebuilt_from_the_records(filled: Archive) -> None:
    before = filled.spectra()
    filled.close()
    shutil.rmtree(filled.index)
    again = Archive(filled.root, create=True)
    assert again.spectra() == []
    assert is_sound(check(again, later(), repair=True))
    assert again.spectra() == before
    assert problems(again) == []


def test_a_damaged_month_is_rebuilt_from_the_records(filled: Archive) -> None:
    before = filled.spectra()
    filled.close()
    shutil.rmtree(filled.index / "read")
    month = filled.index / "spectra" / "2022-11.parquet"
    month.write_bytes(b"PAR1 damaged")
    assert problems(filled) == [("month-unreadable", "index/spectra/2022-11.parquet")]  # of its rows nothing is known
    assert is_sound(check(filled, later(), repair=True))
    assert filled.spectra() == before


def test_a_writer_in_progress_is_left_alone(archive: Archive, make: Any) -> None:
    now = later(0)
    row = make.spectrum(1)
    folder = make.spectrum_files(archive.root, row)
    assert check(archive, now) == ()  # files and record, no row yet
    (folder / SPECTRUM_RECORD).unlink()
    assert check(archive, now) == check(archive, now, repair=True) == ()
    assert sorted(path.name for path in folder.iterdir()) == [SPECTRUM_FILE, RESPONSE_FILE]
    archive.upsert("spectra", [row])
    write_spectrum_record(folder, row, {"counts": []})
    with_another_byte(folder)  # as if it was measured once more
    assert check(archive, now) == ()
    assert [one.code for one in check(archive, later())] == [Code.SPECTRUM_DAMAGED]


def test_a_finished_spectrum_is_indexed_by_a_repair_at_once(archive: Archive, make: Any) -> None:
    make.spectrum_files(archive.root, make.spectrum(1))
    assert is_sound(check(archive, later(0), repair=True))
    assert archive.spectra() == [make.spectrum(1)]


def test_files_without_record_and_row_go_into_quarantine(archive: Archive, make: Any) -> None:
    """A writer was killed before the spectrum was complete: nobody has seen it."""
    folder = make.spectrum_files(archive.root, make.spectrum(1))
    (folder / SPECTRUM_RECORD).unlink()
    left = contents(archive)
    assert problems(archive) == [("spectrum-incomplete", f"{make.spectrum(1).folder}/{SPECTRUM_RECORD}")]
    assert is_sound(check(archive, later(), repair=True))
    assert not folder.exists()
    assert contents(archive) == left


def test_no_link_is_followed(filled: Archive, make: Any, tmp_path: Path) -> None:
    folder = filled.root / make.spectrum(1).folder
    shutil.move(folder / SPECTRUM_RECORD, tmp_path / "record.json")
    (folder / SPECTRUM_RECORD).symlink_to(tmp_path / "record.json")
    assert read_spectrum_record(folder) is None
    assert problems(filled) == [("spectrum-incomplete", f"{make.spectrum(1).folder}/{SPECTRUM_RECORD}")]
    (folder / SPECTRUM_RECORD).unlink()
    os.mkfifo(folder / SPECTRUM_RECORD)
    assert read_spectrum_record(folder) is None
    assert json.loads((tmp_path / "record.json").read_text())["row"]["spectrum_id"] == make.spectrum(1).spectrum_id
