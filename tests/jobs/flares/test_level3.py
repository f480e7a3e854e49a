"""Flare lists of level 3, in FITS."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive
from jobs.flares.csv import InvalidFlareList
from jobs.flares.level3 import read_level3_list
from jobs.flares.lists import import_flares

NOW = np.datetime64("2026-11-22T12:00:00", "us")
#: Julian date of 2022-11-11T00:00, in two parts.
START_OF_DAY = 2_459_895.0, -0.5


def write_level3(path, *changes, without="", formats=None):
    """A list with one row per mapping of changes, or None for a row as it is."""
    fraction = {"start_UTC": 11 / 24, "peak_UTC": 11.5 / 24, "end_UTC": 12 / 24, "location_time_UTC": 11.5 / 24}
    row = {name: (START_OF_DAY[0], START_OF_DAY[1] + part) for name, part in fraction.items()}
    row |= {
        "flare_id": 2211111130, "att_in": True, "GOES_class": "C3.4", "GOES_flux": 3.4e-6, "goes_min_flux_est": -6.0,
        "goes_max_flux_est": -5.0, "goes_mean_flux_est": -5.5, "lc_peak": [900.0, 90.0, 9.0, 1.0, 1.0],
        "_position_status": True, "sidelobes_ratio": 0.5, "visible_from_earth": True, "location_icrs.ra": 0.0,
        "location_icrs.dec": 0.0, "location_icrs.distance": 700_000.0, "solo_location_icrs.ra": 0.0,
        "solo_location_icrs.dec": 0.0, "solo_location_icrs.distance": 9e7,
    }  # fmt: skip
    kinds = {"flare_id": "K", "lc_peak": "5D", "GOES_class": "4A", "att_in": "L", "_position_status": "L"}
    kinds |= {"visible_from_earth": "L"} | dict.fromkeys(fraction, "2D") | (formats or {})
    rows = [row | (one or {}) for one in changes]
    columns = [
        fits.Column(name, kinds.get(name, "D"), array=np.array([one[name] for one in rows]))
        for name in row
        if name != without
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="DATA")]).writeto(path)
    return path


def test_values_of_a_row(tmp_path):
    found = read_level3_list(write_level3(tmp_path / "list.fits", None))
    (layer,) = found.layers
    assert (found.lines, found.bad, found.unseen, layer.source, layer.flare_id) == (1, (), 0, "list.fits", "2211111130")
    values = layer.values
    times = [str(values[name]) for name in ("t_start", "t_peak", "t_end")]
    assert times == [f"2022-11-11T{clock}:00.000000" for clock in ("11:00", "11:30", "12:00")]
    assert (values["peak_counts"], values["peak_counts_15_25"], values["attenuator_in"]) == (900.0, 9.0, True)
    assert (values["goes_class"], values["goes_flux"]) == ("C3.4", 3.4e-6)
    # fluxes are logarithms
    assert values["goes_estimated_flux"] == pytest.approx(10.0**-5.5)
    assert values["goes_estimated_low"] == "C1.0"
    assert values["location_source"] == "imported list"
    assert "location_verdict" not in values


def test_a_name_that_is_not_utf8_is_stored_as_text(tmp_path):
    found = read_level3_list(write_level3(tmp_path / "list\udcff.fits", None))
    assert found.source == found.layers[0].source == "list\\udcff.fits"


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"GOES_flux": 0.0}, "goes_class"),
        ({"GOES_flux": np.nan}, "goes_flux"),
        ({"visible_from_earth": False}, "goes_class"),
        ({"goes_mean_flux_est": np.nan}, "goes_estimated"),
        ({"_position_status": False}, "hpc_x"),
        ({"location_icrs.ra": np.nan}, "location_source"),
        ({"lc_peak": [np.nan] * 5}, "peak_counts"),
    ],
)
def test_unknown_values(tmp_path, changes, absent):
    (layer,) = read_level3_list(write_level3(tmp_path / "list.fits", changes)).layers
    assert absent not in layer.values


def test_side_lobes_are_a_doubt(tmp_path):
    """From 0.9 on, as in the list's own recommendation."""
    rows = [{"sidelobes_ratio": 0.9}, {"sidelobes_ratio": 0.89, "flare_id": 2211111131}]
    first, second = read_level3_list(write_level3(tmp_path / "list.fits", *rows)).layers
    assert first.values["location_verdict"] == "doubtful"
    assert "0.90 times" in json.loads(first.values["location_doubts"])[0]
    assert "location_verdict" not in second.values


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"flare_id": 22111111300}, "flare_id", "ten digits"),
        ({"flare_id": -22111111}, "flare_id", "ten digits"),
        ({"peak_UTC": (1e300, 1e300)}, "peak_UTC", "Julian date"),
        ({"solo_location_icrs.distance": 0.0}, "solo_location_icrs.distance", "above 0"),
        ({"peak_UTC": (np.nan, 0.0)}, "peak_UTC", "Julian date"),
        ({"end_UTC": START_OF_DAY}, "peak_UTC", "not between"),
        ({"start_UTC": (2_400_000.0, 0.0)}, "start_UTC", "expected a time between"),
    ],
)
def test_bad_rows_are_named(tmp_path, changes, field, reason):
    found = read_level3_list(write_level3(tmp_path / "list.fits", changes, None, None))
    assert len(found.layers) == 1
    first, twice = found.bad
    assert (first.line, first.field, twice.line, twice.field) == (1, field, 3, "flare_id")
    assert reason in first.reason


def test_not_a_list(tmp_path):
    with pytest.raises(InvalidFlareList, match="no column sidelobes_ratio"):
        read_level3_list(write_level3(tmp_path / "list.fits", None, without="sidelobes_ratio"))
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "image.fits")
    with pytest.raises(InvalidFlareList, match="no table DATA"):
        read_level3_list(tmp_path / "image.fits")


@pytest.mark.parametrize(
    ("name", "form", "value"),
    [("peak_UTC", "D", 2_459_895.0), ("peak_UTC", "3D", (0.0, 0.0, 0.0)), ("flare_id", "D", np.nan),
     ("GOES_flux", "3A", "M1"), ("lc_peak", "D", 3.0), ("sidelobes_ratio", "2D", (0.5, 0.5))],
)  # fmt: skip
def test_columns_of_another_type_or_shape_are_named(tmp_path, name, form, value):
    path = write_level3(tmp_path / "list.fits", {name: value}, formats={name: form})
    with pytest.raises(InvalidFlareList, match=f"not a flare list of level 3: {name}: expected .* found"):
        read_level3_list(path)


def test_a_damaged_header_is_no_list(tmp_path):
    path = write_level3(tmp_path / "list.fits", None)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"TTYPE2  = '", b"TTYPE2  = \x07"))
    assert path.read_bytes() != whole
    with pytest.raises(InvalidFlareList, match="no table DATA"):
        read_level3_list(path)


def test_real_lists(shared_data, tmp_path):
    """Of September 2024, 4 entries are another entry of the same flare."""
    archive = Archive(tmp_path / "archive", create=True)
    name = "solo_L3_stix-flarelist-sdcloc_20240901T000000-20241001T004710_V02.fits"
    report = import_flares(archive, shared_data / "products" / name, NOW)
    assert (report.lines, len(report.written), report.bad) == (2360, 2356, ())
    assert report.merged == ("2409011818", "2409041303", "2409071314", "2409120728")
    assert archive.flare("2409011818").flare_id == "2409011816"
    row = archive.flare("2409010036")
    assert (row.off_limb, row.earth_view, row.earth_visible, row.goes_class) == (True, "behind", False, None)
    assert row.location_verdict == "doubtful"
    # time_shift of the list, from Sun center: 192.27 s
    assert row.earth_delay_s == pytest.approx(192.27, abs=2.4)
