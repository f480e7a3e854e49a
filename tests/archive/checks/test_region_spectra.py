"""Region spectra in the checks: as spectra, except that their files are those that the record names."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, RegionFilter, RegionSpectra, regions_folder
from archive.checks.findings import Code, Level, is_sound
from archive.checks.run import check
from archive.index.recorded import REGION_RECORDS
from archive.layout import REGIONS_RECORD

FILES = ("stx_spectrum_1_north.fits", "stx_srm.fits", "regions.png")
START = np.datetime64("2022-11-11T12:00", "us")


def row_of(number: int, **changes: Any) -> RegionSpectra:
    region_id = f"{number:016x}"
    start = START + np.timedelta64(number * 20, "D")  # months differ
    values: dict[str, Any] = {
        "region_id": region_id,
        "kind": "user",
        "uid": "2211116471",
        "science_name": "science.fits",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        "method": "clean" if number % 2 else "em",
        "n_regions": 1,
        "names": '["north"]',
        "n_channels": 4,
        "copies": 20,
        "distance_au": 0.6,
        "recipe": "{}",
        "folder": str(regions_folder(start, region_id)),
        "size": 100 * len(FILES),
        "author": "eva",
        "version": "0.1.0",
        "created_at": START,
    }
    return RegionSpectra(**(values | changes))


def write_files(root: Path, row: RegionSpectra) -> None:
    folder = root / row.folder
    folder.mkdir(parents=True)
    for seed, name in enumerate(FILES):
        (folder / name).write_bytes(np.random.default_rng([int(row.region_id, 16), seed]).bytes(100))
    REGION_RECORDS.write(folder, row, {"regions": []}, FILES)


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Three sets of region spectra with files, records and rows."""
    rows = [row_of(1), row_of(2, hidden=True), row_of(3)]
    for row in rows:
        write_files(archive.root, row)
    archive.write_region_spectra(rows)
    return archive


def everything(archive: Archive) -> list[RegionSpectra]:
    return archive.region_spectra(RegionFilter(all_hidden=True))


def problems(archive: Archive, **options: Any) -> list[tuple[str, str, str]]:
    """Codes, tables and files of a check some hours later, without information."""
    now = np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")
    found = check(archive, now, **options)
    assert not options.get("repair") or is_sound(found)
    return [(str(one.code), one.table, one.file) for one in found if one.level is not Level.INFO]


def test_a_sound_archive_has_no_findings(filled: Archive) -> None:
    assert problems(filled) == problems(filled, deep=False) == []


def without_picture(folder: Path) -> None:
    (folder / "regions.png").unlink()


def without_record(folder: Path) -> None:
    (folder / REGIONS_RECORD).unlink()


def with_another_byte(folder: Path) -> None:
    content = bytearray((folder / FILES[0]).read_bytes())
    content[50] ^= 0x40
    (folder / FILES[0]).write_bytes(content)


def with_a_name_outside(folder: Path) -> None:
    """Its record is changed to name a file elsewhere, which must not be read."""
    record = (folder / REGIONS_RECORD).read_text()
    (folder / REGIONS_RECORD).write_text(record.replace('"regions.png"', '"../../../../../users.json"'))


@pytest.mark.parametrize(
    ("damage", "code", "name"),
    [
        (without_picture, Code.SPECTRUM_INCOMPLETE, "regions.png"),
        (without_record, Code.SPECTRUM_INCOMPLETE, REGIONS_RECORD),
        (with_another_byte, Code.SPECTRUM_DAMAGED, FILES[0]),
        (with_a_name_outside, Code.SPECTRUM_INCOMPLETE, "../../../../../users.json"),
    ],
)
def test_what_only_a_new_measurement_repairs(
    filled: Archive, damage: Callable[[Path], None], code: Code, name: str
) -> None:
    row = row_of(2, hidden=True)
    before = everything(filled)
    damage(filled.root / row.folder)
    assert problems(filled) == [(str(code), "region_spectra", f"{row.folder}/{name}")]

    def measure(known: Any) -> bool:
        assert known == row
        shutil.rmtree(filled.root / row.folder)
        write_files(filled.root, row)
        filled.write_region_spectra([row])
        return True

    problems(filled, repair=True, remeasure=measure)
    assert problems(filled) == []
    assert everything(filled) == before
    damage(filled.root / row.folder)
    problems(filled, repair=True)  # without a measurement
    assert [one.region_id for one in everything(filled)] == [row_of(n).region_id for n in (3, 1)]
    assert not (filled.root / row.folder).exists()
    assert problems(filled) == []


def test_rows_come_back_from_their_records(filled: Archive) -> None:
    before = everything(filled)
    filled.delete("region_spectra", [row_of(1).region_id])
    assert problems(filled) == [("spectrum-unindexed", "region_spectra", row_of(1).folder)]
    filled.upsert("region_spectra", [replace(row_of(3), flare_id="2211111200")])
    problems(filled, repair=True)
    assert problems(filled) == []
    assert {one.flare_id for one in everything(filled)} == {None, "2211111200"}
    filled.write_region_spectra([row_of(3)])
    filled.close()
    shutil.rmtree(filled.index)
    again = Archive(filled.root, create=True)
    problems(again, repair=True)
    assert everything(again) == before
    assert problems(again) == []


def test_filters_find_rows_by_their_values(filled: Archive) -> None:
    def found(**which: Any) -> list[int]:
        return [int(one.region_id, 16) for one in filled.region_spectra(RegionFilter(**which))]

    assert found() == [3, 1]  # newest first, without the hidden one
    assert found(viewer="eva") == [3, 2, 1]
    assert found(viewer="bob") == [3, 1]
    assert found(method="em", all_hidden=True) == [2]
    assert found(text="north") == [3, 1]
    assert found(verdict="trusted") == found(science_name="other.fits") == found(kind="auto") == []
    assert filled.count_region_spectra(RegionFilter(t_start=row_of(3).t_start)) == 1
