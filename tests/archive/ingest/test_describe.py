"""What a file says of itself, and what cannot be true."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archive.index.schema import AuxFile, QuicklookFile, ScienceFile
from archive.ingest import describe as module
from archive.ingest.describe import describe
from stixcore.errors import InvalidProduct

SHA = "0" * 64


def test_a_small_file(tmp_path: Path, make) -> None:
    path = make.pixel_file().write(tmp_path)
    row = describe(path, SHA, make.now).row
    assert isinstance(row, ScienceFile)
    assert row.name == path.name
    assert row.path == f"fits/L1/2022/11/11/SCI/{path.name}"
    assert (str(row.t_start), str(row.t_end)) == ("2022-11-11T12:00:00.000000", "2022-11-11T12:01:00.000000")
    assert (row.duration_s, row.n_bins, row.bin_min_s, row.bin_max_s) == (60.0, 3, 20.0, 20.0)
    assert (row.n_pixels, row.n_channels, row.e_low, row.e_high) == (12, 5, 4.0, 15.0)
    assert row.counts == 3 * 3 * 32 * 12 * 5
    assert row.rate_4_10 == pytest.approx(3 * 32 * 12 * 4 / 20)
    assert (row.uid, row.level, row.version, row.product) == ("2211116471", "L1", "01", "sci-xray-cpd")
    assert (row.all_detectors, row.rcr_min, row.rcr_max) == (True, 0, 0)
    assert row.purpose == "Flare 2211111200, Solar Flare, CL1"
    assert not row.is_background
    assert row.dsun_au == pytest.approx(0.615, abs=1e-3)
    assert (row.hgln, row.hglt) == (-21.0, 7.9)
    assert row.size == path.stat().st_size
    assert row.created == np.datetime64("2023-01-01")
    assert row.ingested_at == make.now
    assert row.superseded_by is None


def test_pixels_and_attenuator_may_change_within_a_file(tmp_path: Path, make) -> None:
    masks = np.ones((3, 12), np.uint8)
    masks[1, 8:] = 0
    columns = {"pixel_masks": masks, "rcr": np.array([0, 2, 1], np.uint8), "timedel": np.array([20.0, 30.0, 10.0])}
    row = describe(make.pixel_file(columns=columns).write(tmp_path), SHA, make.now).row
    assert row.n_pixels == 12
    assert (row.rcr_min, row.rcr_max) == (0, 2)
    assert (row.bin_min_s, row.bin_max_s) == (10.0, 30.0)


def test_large_files_are_summed_piece_by_piece(tmp_path: Path, make, monkeypatch) -> None:
    path = make.pixel_file(bins_s=(1.0,) * 7).write(tmp_path)
    whole = describe(path, SHA, make.now).row
    monkeypatch.setattr(module, "_CHUNK", 2 * 32 * 12 * 5)
    assert describe(path, SHA, make.now).row == whole


LONG = {"bins_s": (1500.0,), "counts": 40}  # 41 ct/s in 4-10 keV


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"purpose": "BKG quiet, Background, Backgroundrequest for 2022-11-09"}, True),
        ({"purpose": "L1 background June 7, L1 background every day for an hour, N/A"}, True),
        ({"purpose": "Flare 2211111200, Solar Flare, with background before"}, False),
        ({"purpose": "Flare 2211111200, Solar Flare, CL1", **LONG}, False),
        ({"purpose": "Backgrounds", **LONG}, False),
        ({"purpose": "", **LONG}, True),
        ({"purpose": "", **LONG, "bins_s": (1200.0,)}, True),
        ({"purpose": "", **LONG, "bins_s": (1199.0,)}, False),
        ({"purpose": "", "bins_s": (1536.0,), "counts": 100}, True),  # 100 ct/s
        ({"purpose": "", **LONG, "bins_s": (1500.0, 1500.0)}, False),
        ({"purpose": "", **LONG, "counts": 100}, False),  # 102 ct/s
        ({"purpose": "", **LONG, "edges": (4.0, 6.0, 12.0)}, False),  # the rate cannot be told
        ({"purpose": "", **LONG, "columns": {"rcr": np.array([1], np.uint8)}}, False),
        ({"purpose": "", **LONG, "columns": {"detector_masks": np.eye(1, 32, dtype=np.uint8)}}, False),
    ],
)
def test_which_files_are_background(tmp_path: Path, make, change: dict[str, Any], expected: bool) -> None:
    row = describe(make.pixel_file(**change).write(tmp_path), SHA, make.now).row
    assert isinstance(row, ScienceFile)
    assert row.is_background is expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "2019-11-11T12:00:00.000"}, "times between 2020-02-10"),
        ({"start": "2060-11-11T12:00:00.000"}, "times between 2020-02-10"),
        ({"bins_s": (86400.0 * 5,)}, "at most 4 days in one file"),
        ({"header": {"DSUN_OBS": 9.2e7}}, "DSUN_OBS between 0.2 and 1.2 au"),
        ({"header": {"DATE-BEG": "2022-11-11T13:00:00.000"}}, "DATE-BEG near 2022-11-11T12:00:00 as in the file name"),
        ({"name": "solo_L1_stix-sci-xray-cpd_20221111T120000-20221111T120100_V01_2211110000-1.fits"}, "request_id"),
        ({"name": "solo_L1_stix-sci-xray-spec_20221111T120000-20221111T120100_V01_2211116471-1.fits"}, "sci-xray-spec"),
        ({"name": "solo_L1_stix-ql-lightcurve_20221111_V01.fits"}, "ql-lightcurve"),
        ({"name": "solo_L1_stix-ql-background_20221111_V01.fits"}, "1-dimensional counts per row"),
        ({"columns": {"counts": np.full((3, 32, 12, 5), -1, np.int32)}}, "non-negative counts"),
        ({"columns": {"counts": np.full((3, 32, 12, 5), np.nan, np.float32)}}, "finite, non-negative counts"),
        ({"columns": {"timedel": np.array([20.0, -20.0, 20.0])}}, "positive timedel"),
        ({"header": {"TELESCOP": "SDO/AIA"}}, "TELESCOP"),
        ({"name": "mine.fits", "level": "../../L1"}, "LEVEL"),
    ],
)
def test_what_cannot_be_true_is_refused(tmp_path: Path, make, change: dict[str, Any], message: str) -> None:
    path = make.pixel_file(**change).write(tmp_path)
    with pytest.raises(InvalidProduct, match=message) as caught:
        describe(path, SHA, make.now)
    assert caught.value.file == path.name
    assert caught.value.expected
    assert caught.value.found


@pytest.mark.parametrize(
    "change",
    [
        {"start": "2020-02-10T00:00:00.000"},
        {"start": "2049-12-31T23:58:59.000"},
        {"bins_s": (86400.0 * 4,)},
        {"header": {"DSUN_OBS": 0.21 * module.AU_M}},
        {"header": {"DSUN_OBS": 1.19 * module.AU_M}},
    ],
)
def test_what_is_just_possible_is_taken(tmp_path: Path, make, change: dict[str, Any]) -> None:
    recipe = make.pixel_file(**change)
    row = describe(recipe.write(tmp_path), SHA, make.now).row
    assert row.t_start == np.datetime64(recipe.start)
    assert row.duration_s == sum(recipe.bins_s)


def test_a_file_ends_before_the_latest_time_that_is_accepted(tmp_path: Path, make) -> None:
    with pytest.raises(InvalidProduct, match="times between 2020-02-10"):
        describe(make.pixel_file(start="2049-12-31T23:59:00.000").write(tmp_path), SHA, make.now)


def test_a_renamed_file_gets_its_name_back(tmp_path: Path, make) -> None:
    recipe = make.pixel_file()
    recipe = make.pixel_file(name="my flare.fits", header={"FILENAME": recipe.file_name})
    assert describe(recipe.write(tmp_path), SHA, make.now).row.name == make.pixel_file().file_name


def test_a_file_without_a_name_gets_one(tmp_path: Path, make) -> None:
    path = make.pixel_file(name="my flare.fits").write(tmp_path)
    expected = "solo_L1_stix-sci-xray-cpd_20221111T120000-20221111T120100_V01_2211116471.fits"
    assert describe(path, SHA, make.now).row.name == expected


def test_every_flipped_bit_is_noticed(tmp_path: Path, make) -> None:
    path = make.pixel_file().write(tmp_path)
    content = path.read_bytes()
    for place in np.random.default_rng(1).integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (int(place) % 8)
        path.write_bytes(damaged)
        with pytest.raises(InvalidProduct):
            describe(path, SHA, make.now)


def test_files_without_check_sums_are_taken(tmp_path: Path, make) -> None:
    path = make.pixel_file().write(tmp_path)
    with fits.open(path, mode="update") as hdus:
        for hdu in hdus:
            del hdu.header["CHECKSUM"], hdu.header["DATASUM"]
    assert describe(path, SHA, make.now).row.n_bins == 3


@pytest.mark.parametrize("length", [0, 1, 30, 2880, 5000, 30_000, 30_001])
def test_truncated_files_are_refused(tmp_path: Path, make, length: int) -> None:
    path = make.pixel_file().write(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InvalidProduct):
        describe(path, SHA, make.now)


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_file_may_lack_bytes_that_fill_its_last_block(tmp_path: Path, make, lost: int) -> None:
    path = make.pixel_file().write(tmp_path)
    content = path.read_bytes()
    assert not any(content[-lost:])
    path.write_bytes(content[:-lost])
    assert describe(path, SHA, make.now).row.n_bins == 3


def test_nothing_is_unpacked(tmp_path: Path, make) -> None:
    path = make.pixel_file().write(tmp_path)
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InvalidProduct, match="begins with SIMPLE = T"):
        describe(path, SHA, make.now)


def test_huge_files_are_not_read(tmp_path: Path, make) -> None:
    path = make.pixel_file().write(tmp_path)
    with path.open("r+b") as file:
        file.truncate(module.MAX_BYTES + 1)  # sparse
    with pytest.raises(InvalidProduct, match="at most 1073741824 bytes"):
        describe(path, SHA, make.now)


@pytest.mark.needs_shared_data
def test_real_files_of_every_generation(shared_data: Path, make) -> None:
    rows = {path.name: describe(path, SHA, make.now).row for path in shared_data.glob("formats/solo_*.fits")}
    by_start = {str(row.t_start)[:10]: row for row in rows.values()}
    light_curve = by_start.pop("2021-06-06")
    assert isinstance(light_curve, QuicklookFile)
    assert (light_curve.n_bins, light_curve.n_bands, light_curve.cadence_s) == (16802, 5, 4.0)
    assert light_curve.path.startswith("fits/L1A/2021/06/06/QL/")
    assert all(isinstance(row, ScienceFile) for row in by_start.values())
    early, late = by_start["2020-06-07"], by_start["2022-07-23"]
    assert (early.level, early.dsun_au, early.is_background, early.purpose) == ("L1", None, True, "")
    assert (late.level, late.is_background, late.e_high) == ("L1A", True, np.inf)
    assert late.rate_4_10 == pytest.approx(63.5, abs=0.1)
    quiet = by_start["2022-09-11"]
    assert (quiet.version, quiet.n_pixels, quiet.is_background) == ("02", 8, True)
    spectrogram = by_start["2022-12-27"]
    assert (spectrogram.product, spectrogram.n_bins, spectrogram.n_pixels) == ("sci-xray-spec", 10352, None)


@pytest.mark.needs_shared_data
def test_real_pointing(shared_data: Path, make) -> None:
    row = describe(shared_data / "nov2022/aux/solo_L2_stix-aux-ephemeris_20221109_V01.fits", SHA, make.now).row
    assert isinstance(row, AuxFile)
    assert (row.n_records, row.has_sas_ok, row.level) == (1350, False, "L2")
    assert row.path == "fits/L2/2022/11/09/AUX/solo_L2_stix-aux-ephemeris_20221109_V01.fits"


@pytest.mark.needs_shared_data
def test_a_minute_of_a_light_curve(shared_data: Path, make) -> None:
    """Its times are those of its header: twelve bins of 4 s."""
    path = shared_data / "found" / "solo_L1_stix-ql-LightCurve_20210117_V01.fits"
    row = describe(path, SHA, make.now).row
    assert isinstance(row, QuicklookFile)
    header = fits.getheader(path)
    assert (row.t_start, row.t_end) == tuple(np.datetime64(header[key]) for key in ("DATE_BEG", "DATE_END"))
    assert (row.n_bins, row.cadence_s, row.n_bands, row.e_low, row.e_high) == (12, 4.0, 5, 4.0, 84.0)


@pytest.mark.needs_shared_data
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_one_impossible_count_of_a_light_curve_is_enough(shared_data: Path, tmp_path: Path, make, value: float) -> None:
    source = shared_data / "found" / "solo_L1_stix-ql-LightCurve_20210117_V01.fits"
    with fits.open(source) as hdus:
        counts = hdus["DATA"].data["counts"].astype(np.float32)
        counts[3, 2] = value
        columns = [c for c in hdus["DATA"].columns if c.name != "counts"]
        columns.append(fits.Column("counts", "5E", array=counts))
        data = fits.BinTableHDU.from_columns(columns, name="DATA")
        fits.HDUList([*hdus[:2], data, hdus["ENERGIES"]]).writeto(tmp_path / source.name)
    with pytest.raises(InvalidProduct, match="finite, non-negative counts"):
        describe(tmp_path / source.name, SHA, make.now)


@pytest.mark.needs_shared_data
def test_two_aspect_records_of_one_time_are_refused(shared_data: Path, tmp_path: Path, make) -> None:
    source = shared_data / "nov2022" / "aux" / "solo_L2_stix-aux-ephemeris_20221109_V01.fits"
    with fits.open(source) as hdus:
        hdus["DATA"].data["time"][7] = hdus["DATA"].data["time"][6]
        hdus.writeto(tmp_path / source.name, checksum=True)
    with pytest.raises(InvalidProduct, match="time rising from record to record"):
        describe(tmp_path / source.name, SHA, make.now)


@pytest.mark.needs_shared_data
def test_pointing_with_marked_solutions(shared_data: Path, tmp_path: Path, make) -> None:
    source = shared_data / "nov2022" / "aux" / "solo_L2_stix-aux-ephemeris_20221109_V01.fits"
    with fits.open(source) as hdus:
        mark = fits.Column("sas_ok", "I", array=np.arange(1350) < 5)
        data = fits.BinTableHDU.from_columns([*hdus["DATA"].columns, mark], name="DATA")
        others = [data if hdu.name == "DATA" else hdu for hdu in hdus]
        fits.HDUList(others).writeto(tmp_path / source.name, checksum=True)
    row = describe(tmp_path / source.name, SHA, make.now).row
    assert isinstance(row, AuxFile)
    assert row.has_sas_ok
