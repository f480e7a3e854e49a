"""Files that older software filed under a wrong name go to their own place; no readable file of ours goes away."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, OutcomeStatus
from archive.checks.findings import Code, is_sound
from archive.checks.run import check
from archive.index.schema import TABLES
from archive.ingest.ingest import ingest


@dataclass(frozen=True)
class Day:
    """A day of quick-look light curves that begins half a second before midnight, in bins of a minute."""

    day: str
    counts: int = 7

    @property
    def name(self) -> str:
        """Its right name."""
        return f"solo_L1_stix-ql-lightcurve_{self.day.replace('-', '')}_V01.fits"

    def write(self, path: Path) -> Path:
        """Write it, with check sums, under any name."""
        n = 1440
        begin = np.datetime64(self.day, "ms") - np.timedelta64(500, "ms")
        dtype = [("time", "f8"), ("timedel", "f8"), ("counts", "f8", (5,)), ("triggers", "f8"), ("rcr", "u1")]
        rows = np.zeros(n, dtype)
        rows["time"], rows["timedel"] = 60.0 * np.arange(n) + 30, 60.0
        rows["counts"], rows["triggers"] = self.counts, 20
        energies = np.array([(4, 10), (10, 15), (15, 25), (25, 50), (50, 84)], [("e_low", "f8"), ("e_high", "f8")])
        primary = fits.PrimaryHDU()
        primary.header.update(
            {
                "TELESCOP": "SOLO/STIX",
                "LEVEL": "L1",
                "VERSION": "01",
                "STYPE": 21,
                "SSTYPE": 6,
                "SSID": 30,
                "DATE-BEG": str(begin),
                "DATE-END": str(begin + np.timedelta64(1, "D")),
                "DATE": "2023-01-01T00:00:00",
            }
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        tables = [fits.BinTableHDU(rows, name="DATA"), fits.BinTableHDU(energies, name="ENERGIES")]
        fits.HDUList([primary, *tables]).writeto(path, checksum=True)
        return path

    def place(self, archive: Archive, day: str = "") -> Path:
        """Place inside an archive: its own, or that of another day."""
        day = day or self.day
        folder = archive.root / "fits" / "L1" / day.replace("-", "/") / "QL"
        return folder / Day(day).name


def later() -> np.datetime64:
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


def lose_index(archive: Archive) -> None:
    for name in TABLES:
        shutil.rmtree(archive.index / name, ignore_errors=True)
    shutil.rmtree(archive.index / "read", ignore_errors=True)


def filed_early(archive: Archive, tmp_path: Path, days: list[str], now: np.datetime64) -> dict[str, list[dict]]:
    """Days as older software left them, each under the day before; returns the rows that they should have."""
    sound = Archive(tmp_path / "sound", create=True)
    for day in days:
        path = Day(day).write(tmp_path / "source" / Day(day).name)
        before = str(np.datetime64(day) - np.timedelta64(1, "D"))
        wrong = Day(day).place(archive, before)
        wrong.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, wrong)
    assert {one.status for one in ingest(sound, [tmp_path / "source"], now)} == {OutcomeStatus.INGESTED}
    return rows(sound)


def rows(archive: Archive) -> dict[str, list[dict]]:
    files = "SELECT * EXCLUDE ingested_at FROM quicklook_files ORDER BY name"
    return {"files": archive.rows(files), "curves": archive.rows("SELECT * FROM lightcurves ORDER BY time")}


def quarantined(archive: Archive) -> list[str]:
    return sorted(path.name for path in archive.root.glob("quarantine/*/*") if path.is_file())


@pytest.mark.parametrize("days", [["2023-03-05"], ["2023-03-05", "2023-03-06", "2023-03-07"]])
def test_days_filed_a_day_early_go_to_their_own_day(archive: Archive, tmp_path: Path, make, days) -> None:
    expected = filed_early(archive, tmp_path, days, make.now)
    found = check(archive, later(), repair=True)
    assert {one.code for one in found} >= {Code.FILE_MISPLACED}
    assert is_sound(found)
    assert rows(archive) == expected
    assert quarantined(archive) == []
    assert check(archive, later()) == ()
    lose_index(archive)
    check(archive, later(), repair=True)
    assert rows(archive) == expected


def test_a_row_of_the_wrong_day_follows_its_file(archive: Archive, tmp_path: Path, make) -> None:
    expected = filed_early(archive, tmp_path, ["2023-03-05"], make.now)
    check(archive, later(), repair=True)
    right, wrong = Day("2023-03-05").place(archive), Day("2023-03-05").place(archive, "2023-03-04")
    row = archive.rows("SELECT * FROM quicklook_files")[0]
    archive.delete("quicklook_files", [right.name])
    right.rename(wrong)
    archive.upsert("quicklook_files", [row | {"name": wrong.name, "path": str(wrong.relative_to(archive.root))}])
    found = check(archive, later(), repair=True)
    assert {one.code for one in found} == {Code.FILE_MISPLACED}
    assert rows(archive) == expected
    assert (right.is_file(), wrong.exists()) == (True, False)


def test_both_files_stay_where_the_right_place_is_taken(archive: Archive, tmp_path: Path, make) -> None:
    expected = filed_early(archive, tmp_path, ["2023-03-05"], make.now)
    taken = Day("2023-03-05", counts=9).write(Day("2023-03-05").place(archive))
    wrong = Day("2023-03-05").place(archive, "2023-03-04")
    contents = taken.read_bytes(), wrong.read_bytes()
    found = check(archive, later(), repair=True)
    (blocked,) = [one for one in found if not one.repaired]
    assert (blocked.code, blocked.file) == (Code.FILE_MISPLACED, str(wrong.relative_to(archive.root)))
    assert "neither is changed" in blocked.message
    assert (taken.read_bytes(), wrong.read_bytes()) == contents
    assert quarantined(archive) == []
    assert len(rows(archive)["files"]) == len(expected["files"]) == 1
    shutil.copy(wrong, taken)  # now it is the same file twice
    assert is_sound(check(archive, later(), repair=True))
    assert rows(archive) == expected
    assert not wrong.exists()


def test_a_file_that_comes_does_not_push_out_one_that_was_filed_in_its_place(
    archive: Archive, tmp_path: Path, make
) -> None:
    days = ["2023-03-05", "2023-03-06"]
    filed_early(archive, tmp_path, days, make.now)
    comes = Day("2023-03-04", counts=5).write(tmp_path / "comes" / Day("2023-03-04").name)
    (outcome,) = ingest(archive, [comes], make.now)
    assert (outcome.status, outcome.reason) == (OutcomeStatus.INGESTED, "")
    names = [row["name"] for row in archive.rows("SELECT name FROM quicklook_files ORDER BY name")]
    assert names == [Day(day).name for day in ("2023-03-04", *days)]
    assert quarantined(archive) == []
    before = rows(archive)
    lose_index(archive)
    check(archive, later(), repair=True)
    assert rows(archive) == before


def test_a_whole_file_that_todays_rules_refuse_stays_after_the_index_is_lost(
    archive: Archive, tmp_path: Path, make, monkeypatch
) -> None:
    from archive.ingest import describe as rules

    ingest(archive, [make.pixel_file().write(tmp_path)], make.now)
    (place,) = archive.root.glob("fits/*/*/*/*/SCI/*.fits")
    lose_index(archive)
    monkeypatch.setattr(rules, "BEYOND", np.datetime64("2022-11-01"))
    found = check(archive, later(), repair=True)
    assert {one.code for one in found} == {Code.FILE_REFUSED}
    assert place.is_file()
    assert quarantined(archive) == []
    monkeypatch.undo()
    check(archive, later(), repair=True)
    assert archive.science_file(place.name).path == str(place.relative_to(archive.root))


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error"), MemoryError()]
)
@pytest.mark.parametrize("lost", [False, True])
def test_a_file_that_cannot_be_read_now_stays(archive: Archive, tmp_path: Path, make, monkeypatch, error, lost) -> None:
    ingest(archive, [make.pixel_file().write(tmp_path)], make.now)
    (place,) = archive.root.glob("fits/*/*/*/*/SCI/*.fits")
    content = place.read_bytes()
    if lost:
        lose_index(archive)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("archive.checks.files.describe_filed", fail)
    found = check(archive, later(), repair=True)
    assert {one.code for one in found} == {Code.FILE_INACCESSIBLE}
    assert not is_sound(found)
    assert place.read_bytes() == content
    assert quarantined(archive) == []
    monkeypatch.undo()
    assert is_sound(check(archive, later(), repair=True))
    assert len(archive.rows("SELECT name FROM science_files")) == 1


def test_what_cannot_be_copied_into_quarantine_is_not_removed(
    archive: Archive, tmp_path: Path, make, monkeypatch
) -> None:
    from archive.checks import inspection

    stranger = archive.root / "fits/L1/2022/11/11/SCI/notes.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("to do")

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(inspection, "open_regular", fail)
    check(archive, later(), repair=True)
    assert stranger.read_text() == "to do"
