"""The instrument's tables against the ground software's numbers and ``stixpy``, whose files they are read from."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from stixcore.calibration import catalog
from stixcore.errors import CalibrationError
from stixcore.instrument import tables
from stixcore.instrument.geometry import mean_orientation

#: Detector number of sub-collimators a, b, c of each label (Krucker et al. 2020; ground software).
DETECTORS = {
    10: (3, 20, 22), 9: (16, 14, 32), 8: (21, 26, 4), 7: (24, 8, 28), 6: (15, 27, 31),
    5: (6, 30, 2), 4: (25, 5, 23), 3: (7, 29, 1), 2: (12, 19, 17), 1: (11, 13, 18),
}  # fmt: skip

#: Of the ground software v0.6.2, run in GDL: detector, trigger accumulator, phase sense, grid and ad-hoc phase
#: correction (deg), mean grid orientation from the detector side (deg), transmission on axis, its slope (1/deg).
PER_DETECTOR = """
 3  7 +1  -51.90  -0.70 149.938 0.2358 -0.0006
20 11 -1   54.10   0.19  90.011 0.2418 -0.0120
22 10 -1   14.60  -9.53  30.078 0.2457 -0.0011
16  5 +1  -34.00  -7.07 170.000 0.2396  0.0029
14  4 -1   89.10   0.21 109.983 0.2470  0.0014
32  8 +1  -35.30   0.46  50.046 0.2404  0.0058
21 11 -1  -18.00 -12.55  10.018 0.2164 -0.0019
26  9 +1 -116.10  -7.19 129.988 0.2255 -0.0014
 4  7 -1  116.30 -11.22  70.020 0.2381 -0.0029
24 14 -1   12.50   4.35  30.013 0.1999 -0.0013
 8  6 +1 -147.50  -4.65 150.000 0.2105 -0.0033
28 10 +1 -151.90  -6.57  90.007 0.2231  0.0040
15  4 +1 -149.00  18.86  50.007 0.1996  0.0073
27  9 -1  121.20  20.49 170.007 0.1854 -0.0158
31  8 -1 -135.90  24.42 110.008 0.1973 -0.0032
 6  1 -1  -56.20 -12.00  70.003 0.1879  0.0064
30 15 +1   77.10   0.35  10.014 0.2058 -0.0223
 2  0 +1  -19.60  18.23 129.996 0.1768 -0.0009
25 14 -1  107.70  10.83  90.002 0.1965 -0.0024
 5  2 -1   91.80 -12.81  30.008 0.1967  0.0065
23 13 +1  -88.70   7.50 149.995 0.2105  0.0142
 7  1 +1  -79.60  16.51 110.001 0.2717  0.0230
29 15 +1   77.20 -40.60  50.000 0.2722  0.0047
 1  0 -1   58.40 -18.79 170.006 0.2978  0.0235
12  3 -1    0.00   0.00 130.006 0.1309  0.0164
19 12 +1    0.00   0.00  70.011 0.0763  0.0094
17 13 -1    0.00   0.00  10.012 0.1839  0.0199
11  2 +1    0.00   0.00 150.005 0.1165  0.0245
13  3 +1    0.00   0.00  90.002 0.0384  0.0093
18 12 -1    0.00   0.00  30.008 0.0908  0.0243
"""
TABLE = np.array([[float(cell) for cell in line.split()] for line in PER_DETECTOR.split("\n") if line])
DETECTOR = TABLE[:, 0].astype(int) - 1


def test_labels():
    expected = {
        number: f"{label}{letter}"
        for label, trio in DETECTORS.items()
        for number, letter in zip(trio, "abc", strict=True)
    }
    expected |= {9: "cfl", 10: "bkg"}
    assert tables.subcollimator_table().label == tuple(expected[number] for number in range(1, 33))


def test_phase_sense():
    sense = tables.subcollimator_table().phase_sense
    np.testing.assert_array_equal(sense[DETECTOR], TABLE[:, 2])
    np.testing.assert_array_equal(sense[[8, 9]], 0)


def test_pitch_and_orientation_are_missing_where_there_is_no_grid():
    table = tables.subcollimator_table()
    for column in (table.front_pitch, table.rear_pitch, table.front_orientation, table.rear_orientation):
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(column)), [8, 9])


def test_trigger_accumulators():
    """The map of ``stx_adg_sc_table``; the one printed in ``stx_ltpair_assignment`` is outdated."""
    expected = [
        0,
        0,
        7,
        7,
        2,
        1,
        1,
        6,
        6,
        5,
        2,
        3,
        3,
        4,
        4,
        5,
        13,
        12,
        12,
        11,
        11,
        10,
        13,
        14,
        14,
        9,
        9,
        10,
        15,
        15,
        8,
        8,
    ]
    np.testing.assert_array_equal(tables.trigger_accumulator(), expected)
    np.testing.assert_array_equal(tables.trigger_accumulator()[DETECTOR], TABLE[:, 1])


def test_each_accumulator_serves_two_detectors():
    np.testing.assert_array_equal(np.bincount(tables.trigger_accumulator()), 2)


def test_pixel_areas():
    # large: 2.2 mm · 4.6 mm - ½ · 1.1 mm · 0.91 mm;  small: 1.1 mm · 0.91 mm
    np.testing.assert_allclose(tables.pixel_area(), 8 * [0.0961950] + 4 * [0.0100100], rtol=1e-6)


def test_phase_corrections():
    np.testing.assert_allclose(tables.phase_correction()[DETECTOR], TABLE[:, 3] + TABLE[:, 4], atol=0.011)


def test_phase_corrections_equal_those_of_stixpy():
    from astropy.table import Table

    grid = Table.read(tables._stixpy_table("grid", "GridCorrection.csv"), header_start=2, data_start=3)
    ad_hoc = Table.read(tables._stixpy_table("grid", "PhaseCorrFactors.csv"), header_start=3, data_start=4)
    column = "Phase correction factor"
    np.testing.assert_array_equal(grid.columns[0], np.arange(1, 33))
    np.testing.assert_allclose(
        tables.phase_correction(), np.asarray(grid[column]) + np.asarray(ad_hoc[column]), atol=1e-12
    )


def test_mean_orientation():
    np.testing.assert_allclose(mean_orientation()[DETECTOR], TABLE[:, 5], atol=6e-4)


def test_transmission():
    table = tables.transmission_table()
    np.testing.assert_array_equal(table.intercept[DETECTOR], TABLE[:, 6])
    np.testing.assert_array_equal(table.slope[DETECTOR], TABLE[:, 7])
    np.testing.assert_array_equal(table.intercept[[8, 9]], 0.0)


def test_transmission_stands_as_in_the_ground_software(shared_data):
    original = np.genfromtxt(
        shared_data / "tables" / "stix_subcoll_transmission_10_15keV.csv",
        delimiter=",",
        skip_header=1,
        usecols=(0, 2, 4),
    )
    np.testing.assert_array_equal(original[:, 0], np.arange(1, 33))
    np.testing.assert_array_equal(tables.transmission_table().intercept, original[:, 1])
    np.testing.assert_array_equal(tables.transmission_table().slope, original[:, 2])


@pytest.mark.parametrize("side", ["front", "rear"])
def test_grids_against_the_file_as_stixpy_reads_it(side):
    from astropy.table import Table

    names = ["sc", "p", "o", "phase", "slit", "grad", "rms", "thick", "bwidth", "bpitch"]
    rows = Table.read(tables._stixpy_table("grid", f"grid_param_{side}.txt"), format="ascii", names=names)
    ours = tables.grid_table(side)
    columns = {
        "p": ours.pitch,
        "o": ours.orientation,
        "slit": ours.slit,
        "thick": ours.thickness,
        "bwidth": ours.bridge_width,
        "bpitch": ours.bridge_pitch,
    }
    for column, values in columns.items():
        for number in set(rows["sc"]):  # the finest grids: mean over their layers
            assert values[number - 1] == pytest.approx(np.mean(rows[column][rows["sc"] == number]), rel=1e-12)
    assert np.isnan(ours.pitch[[8, 9]]).all()


@pytest.mark.parametrize("entry", [n if n % 4 == 0 else pytest.param(n, marks=pytest.mark.thorough) for n in range(17)])
def test_energy_tables_equal_those_of_stixpy(entry, patience):
    from stixpy.io.readers import read_elut, read_sci_energy_channels

    row = catalog.SHIPPED.validity[entry]
    channels = read_sci_energy_channels(tables._stixpy_table("detector", "ScienceEnergyChannels_1000.csv"))
    theirs = read_elut(tables._stixpy_table("elut", f"{row.name}.csv"), channels)
    ours = catalog.energy_lookup_table(row.start + np.timedelta64(1, "m"))
    assert ours.name == row.name
    np.testing.assert_allclose(ours.edges, theirs.e_actual, rtol=1e-12)


@pytest.mark.parametrize(
    ("date", "name"),
    [
        ("2020-06-07T21:39:00", "elut_table_20200519"),
        ("2021-12-08T23:59:59", "elut_table_20210625"),
        ("2021-12-09T00:00:00", "elut_table_20211209"),
        ("2022-11-10T00:00:00", "elut_table_20220918"),
        ("2023-01-30T12:00:00", "elut_table_20221220"),  # three days of other science channels
        ("2024-02-19T00:01:59", "elut_table_20231019"),
        ("2024-02-19T00:02:00", "elut_table_20240205"),
        ("2026-01-12T00:02:59", "elut_table_20250523"),
        ("2026-01-12T00:03:00", "elut_table_20251120"),
        ("2026-07-11T11:36:00", "elut_table_20260529"),
    ],
)
def test_energy_table_by_date(date, name):
    table = catalog.energy_lookup_table(np.datetime64(date))
    assert table.name == name
    assert table.edges.shape == (32, 12, 31)
    # the edges of the table scatter by half an ADC step around the nominal ones: a good 0.05 keV
    assert np.abs(table.edges - table.nominal).max() < 0.06


def test_energy_table_holds_the_science_channels_of_its_time():
    usual = [*range(4, 17), 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 76, 84, 100, 120, 150]
    np.testing.assert_array_equal(catalog.energy_lookup_table(np.datetime64("2022-11-10")).nominal, usual)
    other = catalog.energy_lookup_table(np.datetime64("2023-08-15")).nominal
    np.testing.assert_array_equal(other[:5], [4.0, 5.5, 6.3, 6.56, 6.8])


def test_no_energy_table_before_launch():
    with pytest.raises(CalibrationError, match=r"2019-01-01.*first one starts at 2020-02-14"):
        catalog.energy_lookup_table(np.datetime64("2019-01-01"))


def test_tables_are_read_without_importing_stixpy():
    """``import stixpy.…`` loads sunpy and Matplotlib, seconds that a web process does not have."""
    code = (
        "import sys; from stixcore.instrument import geometry, tables; geometry.uv_points(); tables.pixel_area();"
        "tables.transmission_table(); tables.phase_correction();"
        "print(sorted({'stixpy', 'sunpy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
