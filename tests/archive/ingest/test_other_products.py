"""Products that are neither imaged nor drawn: kept, found, checked and rebuilt like every other file. Real samples."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, OtherFile, OutcomeStatus
from archive.calibration import calibration_catalog, list_calibration
from archive.checks.findings import Code
from archive.checks.run import check
from archive.ingest.describe import describe
from archive.ingest.ingest import ingest
from stixcore.errors import InvalidProduct
from stixcore.fits.read import read_pixel_data

CAL_FILE = "solo_CAL_stix-cal-energy_20250302T230511-20250303T230512_V02.fits"
#: Sums of counts: ../shared/calibration_products.md, 1.3. Of ql-background the sum of its five bands.
KNOWN = {
    "solo_L1_stix-ql-background_20200506_V01.fits": (
        "ql-background", 10758, 8.0, 390693 + 502171 + 361213 + 328318 + 393154, "2020-05-05T23:59:59.531",
    ),
    "solo_L1_stix-ql-variance_20200506_V01.fits": ("ql-variance", 21516, 4.0, None, "2020-05-05T23:59:59.531"),
    "solo_L1_stix-ql-spectra_20200506_V01.fits": ("ql-spectra", 12, 32.0, 366820, "2020-05-06T01:47:35.542"),
    "solo_L1_stix-ql-flareflag_20200506_V01.fits": ("ql-flareflag", 85, 1020.0, None, "2020-05-05T23:55:07.431"),
    "solo_L1_stix-ql-ql-tmstatusflarelist_20200506_V01.fits": (
        "ql-tmstatusflarelist", 1, None, None, "2020-05-06T17:33:38.375",
    ),
    "solo_L1_stix-cal-energy_20200506_V01.fits": ("cal-spectra", 2, 4734.5, 936450, "2020-05-06T17:32:44.439"),
    "solo_L1_stix-hk-maxi_20200501_V01.fits": ("hk-maxi", 1350, 64.0, None, "2020-05-01T00:00:30.226"),
    CAL_FILE: ("cal-energy", 1, 86400.0, None, "2025-03-02T23:05:11.912"),
    "solo_L3_stix-flarelist-sdcloc_20240901T000000-20241001T004710_V02.fits": (
        "flarelist", 2360, None, None, "2024-09-01T00:00:00",
    ),
    "solo_L3_stix-flarelist-sdcloc_20241001T000000-20241101T000546_V02.fits": (
        "flarelist", 2516, None, None, "2024-10-01T00:00:00",
    ),
}  # fmt: skip


def later() -> np.datetime64:
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


@pytest.mark.parametrize("name", KNOWN)
def test_a_product_of_each_kind_is_described(shared_data, make, name: str) -> None:
    product, n_rows, cadence, counts, t_start = KNOWN[name]
    row = describe(shared_data / "products" / name, "", make.now).row
    assert isinstance(row, OtherFile)
    assert (row.product, row.n_rows, row.cadence_s, row.counts) == (product, n_rows, cadence, counts)
    assert row.t_start == np.datetime64(t_start)
    assert row.energy_table == ("elut_table_20241114" if name == CAL_FILE else None)


@pytest.mark.parametrize(
    ("name", "total"), [("rpd_20200505", 19086), ("cpd_20200505", 19078), ("scpd_20200505", 19079), ("l0-8703", 5902)]
)
def test_one_observation_at_every_compression_level(shared_data, name: str, total: int) -> None:
    (path,) = (shared_data / "products").glob(f"*sci-xray-{name}*")
    counts = read_pixel_data(path).read()
    assert counts.counts.sum() == pytest.approx(total)
    if name.startswith(("rpd", "l0")):  # not compressed: Poisson alone, also where the scheme says 0, 0, 0
        assert np.array_equal(counts.counts_variance, counts.counts)


def test_the_files_of_a_day_are_found_by_name_and_time(archive: Archive, shared_data, make) -> None:
    ingest(archive, [shared_data / "products"], make.now)
    day = np.datetime64("2020-05-06", "us")
    found = [row.product for row in archive.other_files(day, day + np.timedelta64(1, "D"))]
    assert sorted(found) == [
        "cal-spectra", "ql-background", "ql-flareflag", "ql-spectra", "ql-tmstatusflarelist", "ql-variance",
    ]  # fmt: skip
    for name in KNOWN:
        assert archive.locate(name).read_bytes() == (shared_data / "products" / name).read_bytes()


def test_an_older_version_of_a_list_is_superseded(archive: Archive, shared_data, tmp_path: Path, make) -> None:
    name = "solo_L3_stix-flarelist-sdcloc_20240901T000000-20241001T004710_V02.fits"
    with fits.open(shared_data / "products" / name) as hdus:
        hdus[0].header["VERSION"] = "01"
        hdus[0].header["FILENAME"] = older = name.replace("_V02", "_V01")
        hdus.writeto(tmp_path / older, checksum=True)
    ingest(archive, [tmp_path / older, shared_data / "products" / name], make.now)
    marks = {row["name"]: row["superseded_by"] for row in archive.rows("SELECT name, superseded_by FROM other_files")}
    assert marks == {older: name, name: None}


# Daily energy calibration ---------------------------------------------------------------------------------------------


def test_a_cal_file_that_is_taken_in_is_in_the_catalogue(archive: Archive, shared_data, make) -> None:
    (outcome,) = ingest(archive, [shared_data / "products" / CAL_FILE], make.now)
    assert (outcome.status, outcome.name) == (OutcomeStatus.INGESTED, CAL_FILE)
    place = archive.root / "calibration" / "cal" / CAL_FILE
    assert archive.locate(CAL_FILE) == place
    assert [file.path for file in archive.calibration.cal_files] == [place]
    assert [entry.name for entry in list_calibration(archive.root) if entry.kind == "CAL file"] == [CAL_FILE]
    window = np.datetime64("2025-03-04T12:00", "us")
    chosen = archive.calibration.choose(window, window + np.timedelta64(60, "s"))
    assert chosen.cal_file is not None
    assert chosen.cal_file.name == CAL_FILE
    assert check(archive, later()) == ()


@pytest.mark.parametrize("lost", ["list", "file", "damaged list"])
def test_the_list_of_cal_files_follows_the_files(archive: Archive, shared_data, make, lost: str) -> None:
    ingest(archive, [shared_data / "products" / CAL_FILE], make.now)
    cal_list = archive.root / "calibration" / "cal_files.json"
    if lost == "list":
        cal_list.unlink()
    elif lost == "file":
        archive.locate(CAL_FILE).unlink()
    else:
        cal_list.write_text("[")
    assert Code.CAL_LIST_STALE in {one.code for one in check(archive, later())}
    check(archive, later(), repair=True)
    assert len(calibration_catalog(archive.root).cal_files) == (lost != "file")
    assert check(archive, later()) == ()


def test_a_cal_file_of_an_unknown_energy_table_waits_for_it(
    archive: Archive, shared_data, tmp_path: Path, make
) -> None:
    with fits.open(shared_data / "products" / CAL_FILE) as hdus:
        hdus["CONTROL"].data["ob_elut_name"][0] = "elut_table_20990101"
        (archive.root / "incoming").mkdir(exist_ok=True)
        hdus.writeto(archive.root / "incoming" / CAL_FILE, checksum=True)
    (outcome,) = ingest(archive, [], make.now, incoming=archive.root / "incoming")
    assert outcome.status is OutcomeStatus.IGNORED
    assert "the unknown energy table elut_table_20990101; add that table first" in outcome.reason
    assert (archive.root / "incoming" / CAL_FILE).is_file()


def test_a_cal_file_that_contradicts_the_tables_is_refused(archive: Archive, shared_data, tmp_path: Path, make) -> None:
    with fits.open(shared_data / "products" / CAL_FILE) as hdus:
        hdus["DATA"].data["offset"][0, 3, 4] += 5
        hdus.writeto(tmp_path / CAL_FILE, checksum=True)
    (outcome,) = ingest(archive, [tmp_path / CAL_FILE], make.now)
    assert outcome.status is OutcomeStatus.QUARANTINED
    assert "differ by" in outcome.reason
    assert archive.calibration.cal_files == ()


def test_times_and_rows_that_cannot_be_are_refused(shared_data, tmp_path: Path, make) -> None:
    name = "solo_L1_stix-ql-variance_20200506_V01.fits"
    shutil.copy(shared_data / "products" / name, tmp_path / name)
    with fits.open(tmp_path / name, mode="update") as hdus:
        hdus["DATA"].data["time"][7] = 2**32 - 1
    with pytest.raises(InvalidProduct, match="rows within a year after DATE-BEG"):
        describe(tmp_path / name, "", make.now)


def test_a_later_version_of_a_product_without_request_takes_over(archive: Archive, shared_data, tmp_path, make) -> None:
    """Also when it comes alone: the earlier one is found by its time."""
    source = shared_data / "products" / "solo_L1_stix-hk-maxi_20200501_V01.fits"
    later = tmp_path / source.name.replace("V01", "V02")
    with fits.open(source) as hdus:
        hdus[0].header["VERSION"] = "02"
        hdus.writeto(later, checksum=True)
    for path in (source, later):
        assert [outcome.status for outcome in ingest(archive, [path], make.now)] == [OutcomeStatus.INGESTED]
    found = archive.rows("SELECT name, superseded_by FROM other_files ORDER BY name")
    assert found == [{"name": source.name, "superseded_by": later.name}, {"name": later.name, "superseded_by": None}]
