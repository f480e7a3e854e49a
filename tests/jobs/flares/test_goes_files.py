import os

import h5netcdf
import numpy as np
import pytest

from archive import Archive
from archive.goes import add_goes_minutes, goes_curve, goes_months
from jobs.flares.goes_files import InvalidGoesFile, read_goes_file

DAY = np.datetime64("2022-11-11T00:00:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")
SECOND = np.timedelta64(1_000_000, "us")
NAME = "sci_xrsf-l2-avg1m_g16_d20221111_v2-2-1.nc"
FLAGS = ("xrsa_flux", "xrsb_flux", "xrsa_flags", "xrsb_flags")
FLUX = 1e-6 + 1e-9 * np.arange(1440)


def times(n=1440, step=MINUTE):
    return DAY + np.arange(n) * step


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", create=True)


def test_a_day_of_minutes(goes_file):
    found = read_goes_file(goes_file(NAME, times(), FLUX))
    assert found.satellite == 16
    assert (found.time == times()).all()
    assert found.long == pytest.approx(FLUX, rel=1e-6)
    assert found.short == pytest.approx(FLUX / 10, rel=1e-6)


def test_bad_quality_and_missing_values_are_left_out(goes_file):
    flags, flux = np.zeros(1440), FLUX.copy()
    flags[10], flags[20], flags[30] = 1, 2, 255
    flux[40], flux[50] = np.nan, -1e-7
    found = read_goes_file(goes_file(NAME, times(), flux, flags=flags))
    left_out = set(times()[[10, 20, 30, 40, 50]])
    assert set(times()) - set(found.time) == left_out


@pytest.mark.parametrize(
    ("name", "names", "platform", "satellite"),
    [
        ("sci_xrsf-l2-avg1m_g15_y2020_v1-0-0.nc", FLAGS, "g15", 15),
        ("sci_xrsf-l2-avg1m_g18_s20220617_e20261001_v2-2-1.nc", None, "goes-18", 18),
        ("sci_xrsf-l2-avg1m_g17_d20221111_v2-2-1.nc", None, "", 17),
    ],
)
def test_generations_and_satellites(goes_file, name, names, platform, satellite):
    options = {"platform": platform} | ({"names": names} if names else {})
    assert read_goes_file(goes_file(name, times(), FLUX, **options)).satellite == satellite


@pytest.mark.parametrize(
    ("name", "step", "n", "names"),
    [
        ("sci_xrsf-l2-flx1s_g16_d20221111_v2-2-1.nc", SECOND, 3600, FLAGS),
        ("sci_gxrs-l2-irrad_g15_d20221111_v0-0-0.nc", 2.048 * 1e6, 1758, ("a_flux", "b_flux", "a_flags", "b_flags")),
    ],
)  # fmt: skip
def test_seconds_are_averaged_to_minutes(goes_file, name, step, n, names):
    time = DAY + (np.arange(n) * (step if isinstance(step, float) else step / np.timedelta64(1, "us"))).astype(
        "timedelta64[us]"
    )
    flux = 1e-6 * (1 + (time.astype("datetime64[m]") - DAY) / MINUTE)
    flags = np.zeros(n)
    flags[(time >= DAY + 5 * MINUTE) & (time < DAY + 5 * MINUTE + 40 * SECOND)] = 1  # less than half is left
    flags[(time >= DAY + 7 * MINUTE) & (time < DAY + 7 * MINUTE + 20 * SECOND)] = 1
    found = read_goes_file(goes_file(name, time, flux, flags=flags, names=names))
    minutes = ((found.time - DAY) / MINUTE).astype(int)
    assert 5 not in minutes
    assert 7 in minutes
    assert found.long == pytest.approx(1e-6 * (1 + minutes), rel=1e-5)
    assert found.rank < read_goes_file(goes_file(NAME, times(), FLUX)).rank  # minutes of NOAA come first


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"without": ("xrsb_flux",)}, "expected a variable xrsb_flux or b_flux, found time, xrsa_flag"),
        ({"without": ("xrsb_flag",)}, "expected a variable xrsb_flag or xrsb_flags or b_flags, found none"),
        ({"units": "mW/m2"}, "expected xrsb_flux in W/m2, found xrsb_flux:units = 'mW/m2'"),
        ({"time_units": "days since 2000-01-01"}, "found time:units = 'days since 2000-01-01'"),
        ({"time_units": "seconds since 1970-01-01"}, "expected time between 2020-02-10"),
        ({"platform": "NOAA"}, "expected the attribute platform (g16), found platform = 'NOAA'"),
    ],
)
def test_other_files_are_refused_with_field_and_value(goes_file, options, sentence):
    path = goes_file("strange.nc", times(), FLUX, **options)
    with pytest.raises(InvalidGoesFile) as error:
        read_goes_file(path)
    assert str(error.value).startswith("strange.nc: expected ")
    assert sentence in str(error.value)


def test_other_cadence_is_refused(goes_file):
    with pytest.raises(InvalidGoesFile, match="a step of 300 s in time"):
        read_goes_file(goes_file(NAME, times(100, 5 * MINUTE), FLUX[:100]))


def test_equal_times_are_refused(goes_file):
    with pytest.raises(InvalidGoesFile, match="a step of 0 s in time"):
        read_goes_file(goes_file(NAME, np.full(60, DAY), np.full(60, 1e-6)))


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(InvalidGoesFile, match=r"pipe\.nc: .* found a folder or a special file"):
        read_goes_file(tmp_path / "pipe.nc")


def test_a_name_that_is_no_text_is_stored_as_text(archive, goes_file, tmp_path):
    path = goes_file(NAME, times(60), FLUX[:60]).rename(tmp_path / f"\udcff{NAME}")
    assert add_goes_minutes(archive.root, read_goes_file(path)) == 60


def test_a_small_file_with_too_many_values_is_refused_unread(tmp_path):
    path = tmp_path / NAME
    with h5netcdf.File(path, "w") as file:  # nothing is stored: the file has a few kB
        file.dimensions = {"time": 10**12}
        time = file.create_variable("time", ("time",), "f8", chunks=(10**6,))
        time.attrs["units"] = "seconds since 2000-01-01 12:00:00"
    with pytest.raises(InvalidGoesFile, match="at most 20000000 values, found time of shape"):
        read_goes_file(path)


@pytest.mark.parametrize("content", [b"", b"CDF\x01 an old NetCDF", b"SIMPLE  =                    T"])
def test_what_is_no_netcdf_is_refused(tmp_path, content):
    path = tmp_path / "no.nc"
    path.write_bytes(content)
    with pytest.raises(InvalidGoesFile, match=r"no\.nc: expected a NetCDF-4 file of GOES/XRS"):
        read_goes_file(path)


def test_a_file_that_is_cut_off_is_refused(goes_file, tmp_path):
    whole = goes_file(NAME, times(), FLUX).read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidGoesFile, match=r"cut\.nc"):
        read_goes_file(tmp_path / "cut.nc")


def store(archive, *paths):
    with archive.write_lock():
        return [add_goes_minutes(archive.root, read_goes_file(path)) for path in paths]


def content(archive):
    return {path.name: path.read_bytes() for path in sorted((archive.root / "goes").iterdir())}


def test_stored_once_and_the_same_in_any_order(archive, goes_file, tmp_path):
    other = Archive(tmp_path / "other", create=True)
    old = goes_file("sci_xrsf-l2-avg1m_g16_d20221111_v2-1-0.nc", times(), 2 * FLUX)
    new = goes_file(NAME, times(), FLUX)
    seconds = goes_file("sci_xrsf-l2-flx1s_g16_d20221111_v2-2-1.nc", times(3600, SECOND), np.full(3600, 5e-6))
    assert store(archive, old, new, seconds, new) == [1440, 1440, 0, 0]
    store(other, seconds, new, old)
    assert content(archive) == content(other)
    assert goes_months(archive.root) == ("2022-11",)
    found = goes_curve(archive.root, DAY, DAY + 1440 * MINUTE)
    assert found.flux == pytest.approx(FLUX, rel=1e-6)


def test_gaps_are_filled_from_the_next_satellite(archive, goes_file):
    first = np.ones(1440, bool)
    first[100:110] = False
    store(
        archive,
        goes_file("sci_xrsf-l2-avg1m_g18_d20221111_v2-2-1.nc", times(), 1.1 * FLUX, satellite=18),
        goes_file(NAME, times()[first], FLUX[first]),
    )
    found = goes_curve(archive.root, DAY, DAY + 1440 * MINUTE)
    assert found.time.size == 1440
    assert set(found.satellite[~first]) == {18}
    assert set(found.satellite[first]) == {16}
    assert found.flux[105] == pytest.approx(1.1 * FLUX[105])


def test_months_are_separate_files(archive, goes_file):
    start = np.datetime64("2022-11-30T23:00", "us")
    store(archive, goes_file(NAME, start + np.arange(120) * MINUTE, FLUX[:120]))
    assert goes_months(archive.root) == ("2022-11", "2022-12")
    assert goes_curve(archive.root, start, start + 120 * MINUTE).time.size == 120
    assert goes_curve(archive.root, start + 50 * MINUTE, start + 70 * MINUTE).time.size == 20


def test_no_files_no_curve(archive):
    assert goes_curve(archive.root, DAY, DAY + MINUTE).time.size == 0
