"""The readers: every generation of real files, laziness, and one named error for whatever is wrong with a file."""

from __future__ import annotations

import gc
import gzip
import os
import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct, StixError
from stixcore.fits.compression import compression_variance
from stixcore.fits.read import read_aspect, read_header, read_light_curve, read_pixel_data, read_spectrogram
from stixcore.fits.spec import ProductKind
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices

CPD_2020 = "solo_L1_stix-sci-xray-cpd_20200505T235959-20200506T000019_V01_0087031809-50883.fits"
V02 = "formats/solo_L1_stix-sci-xray-cpd_20220911T021423-20220911T030223_V02_2209115148-62679.fits"
L1A = "formats/solo_L1A_stix-sci-xray-l1-2207235029_20220723T113947-20220723T122747_079205_V01.fits"
EARLY = "formats/solo_L1_stix-sci-xray-l1-1178451984_20200607T225959-20200607T235900_V01.fits"
DEMO = "demo20200607/solo_L1_stix-sci-xray-cpd_20200607T213709-20200607T215208_V01_1178428688-49155.fits"
MANY_BINS = "nov2022/l1/solo_L1_stix-sci-xray-cpd_20221111T042931-20221111T044939_V01_2211117374-54704.fits"
QUICK_LOOK = "formats/solo_L1A_stix-ql-lightcurve_20210606_010104_V01.fits"
SPECTROGRAM = "formats/solo_L1_stix-sci-xray-spec_20221227T135500-20221227T200000_V02_2212273755-58243.fits"


@pytest.fixture
def cpd_2020(stixpy_products) -> Path:
    """A real pixel-data file that is always there: development L1 of May 2020, five bins of 4 s."""
    return stixpy_products / CPD_2020


# --- every generation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "level", "version", "uid", "shape", "pixels", "energies", "begin", "seconds"),
    [
        (V02, "L1", "02", "2209115148", (1, 31), 8, (4, np.inf), "2022-09-11T02:14:23.017", 2880.0),
        (L1A, "L1A", "01", "2207235029", (1, 31), 12, (4, np.inf), "2022-07-23T11:39:47.309", 2880.0),
        (EARLY, "L1", "01", "1178451984", (1, 17), 12, (4, 28), "2020-06-07T22:59:59.137", 3541.1),
        (DEMO, "L1", "01", "1178428688", (45, 18), 8, (4, 32), "2020-06-07T21:37:09.684", 887.3),
        (MANY_BINS, "L1", "01", "2211117374", (103, 22), 8, (4, 50), "2022-11-11T04:29:31.330", 1208.2),
    ],
)
def test_pixel_data_of_each_generation(shared_data, name, level, version, uid, shape, pixels, energies, begin, seconds):
    """V01 and V02 keep centiseconds, L1A and the early L1 (no STYPE) seconds, and always 32 channels, used or not."""
    data = read_pixel_data(shared_data / name)
    assert (data.header.kind, data.header.level, data.header.version) == (ProductKind.PIXEL_DATA, level, version)
    assert data.header.request_id == uid
    assert (data.t_start.size, data.e_low.size) == shape
    assert (data.e_low[0], data.e_high[-1]) == energies
    np.testing.assert_array_equal(data.e_low[1:], data.e_high[:-1])
    np.testing.assert_array_equal(data.pixel_mask.sum(axis=1), pixels)
    assert data.detector_mask.all()
    assert not data.rcr.any()
    assert data.header.date_beg == np.datetime64(begin)
    assert abs(data.t_start[0] - data.header.date_beg) <= np.timedelta64(5, "ms")
    assert data.duration.sum() == pytest.approx(seconds)
    assert abs(data.t_end[-1] - data.header.date_end) <= np.timedelta64(6, "ms")
    assert ("DSUN_OBS" in data.header.ephemeris) == (
        name != EARLY
    )  # in 2020 the observer stood in the auxiliary file only
    counts = data.read()
    assert counts.counts.shape == (shape[0], 32, 12, shape[1])
    assert counts.triggers.shape == (shape[0], 16)
    assert (counts.counts_variance >= counts.counts).all()
    assert counts.counts[:, :, pixels:].sum() == 0


@pytest.mark.parametrize(
    ("name", "count_column", "error_column", "first"),
    [
        (V02, "counts", "counts_comp_err", 0),
        (L1A, "counts", "counts_err", 1),
        (EARLY, "counts", None, 1),
        (DEMO, "counts", "counts_comp_err", 0),
        (MANY_BINS, "counts", "counts_comp_err", 0),
    ],
)
def test_counts_equal_what_astropy_reads(shared_data, name, count_column, error_column, first):
    data = read_pixel_data(shared_data / name)
    ours = data.read()
    with fits.open(shared_data / name) as hdus:
        table = hdus["DATA"].data
        used = slice(first, first + data.e_low.size)
        counts = table[count_column].astype(float)[..., used]
        triggers = table["triggers"].astype(float)
        error = table[error_column][..., used].astype(float) if error_column else None
    n_pixel = counts.shape[2]
    np.testing.assert_array_equal(ours.counts[:, :, :n_pixel], counts)
    np.testing.assert_array_equal(ours.triggers, triggers)
    lost = compression_variance(counts, (0, 4, 4)) if error is None else error**2
    np.testing.assert_allclose(ours.counts_variance[:, :, :n_pixel], lost + counts, rtol=1e-12)


def test_every_file_of_november_2022(november):
    """Nothing refused; counts present; bins follow each other within the 0.1 s to which the files round them."""
    paths = sorted((november.folder / "l1").glob("*.fits"))
    assert len(paths) == 69
    for path in paths:
        data = read_pixel_data(path)
        counts = data.read(channels=slice(0, 6))
        assert counts.counts[:, detector_indices(IMAGING_LABELS)].sum() > 1000
        gaps = (data.t_start[1:] - data.t_end[:-1]) / np.timedelta64(1, "s")
        assert (np.abs(gaps) < 0.101).all()
        assert path.stem.split("_")[-1].split("-")[0] == data.header.request_id


def test_the_background_says_so(november, demo):
    assert "quiet" in november.background.header.purpose
    assert "background" in demo.background.header.purpose
    assert demo.background.duration.sum() == pytest.approx(3539.0)
    assert demo.background.pixel_mask.all()


def test_untransmitted_channels_are_no_channels(shared_data):
    """Early L1 and L1A files hold channels not sent down as zeros: they must not pass for a measured nothing."""
    early = read_pixel_data(shared_data / EARLY)
    assert early.read().counts.sum(axis=(0, 1, 2)).min() > 0
    with pytest.raises(StixError, match="28-32 keV is not inside the file, which covers 4-28 keV"):
        early.energy_channels(28, 32)


def test_compression_error_of_a_real_count(shared_data):
    """375 counts stand in steps of 16: the file's own error is 4.637, and the variance adds Poisson's."""
    counts = read_pixel_data(shared_data / V02).read()
    here = counts.counts == 375
    assert here.any()
    np.testing.assert_allclose(counts.counts_variance[here], 4.637**2 + 375, rtol=1e-4)


def test_development_files_of_may_2020(cpd_2020):
    data = read_pixel_data(cpd_2020)
    assert data.e_low.size == 32
    assert np.isinf(data.e_high[-1])
    assert data.header.request_id == "0087031809"
    np.testing.assert_allclose(data.duration.sum(), 20.0)


def test_quick_look_light_curve_of_swf(shared_data):
    curve = read_light_curve(shared_data / QUICK_LOOK)
    assert curve.counts.shape == (16802, 5)
    np.testing.assert_array_equal(curve.duration, 4.0)
    np.testing.assert_array_equal(curve.e_low, [4, 10, 15, 25, 50])
    np.testing.assert_array_equal(curve.e_high, [10, 15, 25, 50, 84])
    assert abs(curve.t_start[0] - np.datetime64("2021-06-06T05:19:51.007")) < np.timedelta64(1, "ms")
    assert curve.triggers.shape == (16802,)
    assert (curve.counts_variance >= curve.counts).all()
    assert curve.header.request_id == ""


def test_quick_look_light_curve_of_2020(stixpy_products):
    curve = read_light_curve(stixpy_products / "solo_L1_stix-ql-lightcurve_20200506_V01.fits")
    assert curve.counts.shape == (21516, 5)
    assert curve.counts.sum() > 0
    np.testing.assert_allclose(curve.duration, 4.0, atol=0.2)


def test_spectrogram(shared_data):
    spectrogram = read_spectrogram(shared_data / SPECTROGRAM)
    assert spectrogram.counts.shape == (10352, 32)
    assert np.isinf(spectrogram.e_high[-1])
    assert spectrogram.t_start[0] == np.datetime64("2022-12-27T13:55:00.118")
    end = spectrogram.t_start[-1] + np.timedelta64(round(1e6 * spectrogram.duration[-1]), "us")
    assert abs(end - np.datetime64("2022-12-27T20:00:00.656")) < np.timedelta64(2, "s")


def test_a_spectrogram_of_five_channels_is_no_light_curve(stixpy_products, tmp_path):
    """The number of bands does not tell quick-look data; that nobody requested them does."""

    def cut(hdus):
        replace_column(hdus, "counts", lambda old: old[:, 1:6], fmt="5J")
        replace_column(hdus, "counts_err", lambda old: old[:, 1:6], fmt="5E")
        hdus["ENERGIES"].data = hdus["ENERGIES"].data[1:6]

    name = "solo_L1_stix-sci-xray-spec_20200505T235959-20200506T000019_V01_0087031812-50886.fits"
    spectrogram = read_spectrogram(changed(stixpy_products / name, tmp_path, cut))
    assert spectrogram.counts.shape[1] == 5


@pytest.mark.parametrize("date", ["20221109", "20221110", "20221111"])
def test_auxiliary_files_without_sas_ok(november, date):
    path = next((november.folder / "aux").glob(f"*_{date}_*.fits"))
    table = read_aspect(path)
    assert table.time.shape == (1350,)
    # stamps minus half the cadence of 64 s
    assert table.time[0] == table.header.date_beg - np.timedelta64(32, "s")
    np.testing.assert_allclose(np.diff(table.time) / np.timedelta64(1, "s"), 64.0, atol=0.1)
    np.testing.assert_array_equal(table.sas_ok, np.isfinite(table.y_srf) & np.isfinite(table.z_srf))
    assert ((table.rsun > 1500) & (table.rsun < 1650)).all()
    # distance, apparent radius and Cartesian position tell the same story
    np.testing.assert_allclose(table.dsun, np.linalg.norm(table.heeq, axis=1), rtol=1e-5)
    np.testing.assert_allclose(np.rad2deg(np.arcsin(6.957e8 / table.dsun)) * 3600, table.rsun, rtol=1e-3)


def test_the_present_auxiliary_file_has_a_flag(november, tmp_path):
    path = next((november.folder / "aux").glob("*_20221110_*.fits"))

    def add_flag(hdus):
        old = hdus["DATA"]
        flag = np.arange(len(old.data)) % 3 == 0
        columns = [*old.columns, fits.Column("sas_ok", "L", array=flag)]
        hdus["DATA"] = fits.BinTableHDU.from_columns(fits.ColDefs(columns), name="DATA")

    table = read_aspect(changed(path, tmp_path, add_flag))
    np.testing.assert_array_equal(np.flatnonzero(table.sas_ok), np.arange(0, 1350, 3))


def test_simulated_files_are_known_by_their_comment(cpd_2020, tmp_path):
    def say(hdus):
        hdus[0].header["COMMENT"] = "SIMULATED data"

    assert not read_header(cpd_2020).simulated
    assert read_header(changed(cpd_2020, tmp_path, say)).simulated


# --- selections and laziness ------------------------------------------------------------------------------------------


def test_a_selection_equals_the_same_part_of_everything(shared_data):
    data = read_pixel_data(shared_data / MANY_BINS)
    everything, part = data.read(), data.read(slice(10, 20), slice(2, 6))
    np.testing.assert_array_equal(part.counts, everything.counts[10:20, :, :, 2:6])
    np.testing.assert_array_equal(part.counts_variance, everything.counts_variance[10:20, :, :, 2:6])
    np.testing.assert_array_equal(part.triggers, everything.triggers[10:20])
    np.testing.assert_array_equal(part.triggers_variance, everything.triggers_variance[10:20])
    np.testing.assert_array_equal(part.t_start, everything.t_start[10:20])
    np.testing.assert_array_equal(part.e_low, [6, 7, 8, 9])


def test_an_empty_selection_is_empty(cpd_2020):
    assert read_pixel_data(cpd_2020).read(slice(0, 0)).counts.shape == (0, 32, 12, 32)


def test_only_the_selected_bins_and_channels_are_touched(cpd_2020, tmp_path):
    """Rows and channels full of NaN do no harm as long as nobody asks for them."""

    def spoil(hdus):
        def add_nan(old):
            new = np.array(old, dtype=float)
            new[2:] = np.nan
            new[:, :, :, 20:] = np.nan
            return new

        replace_column(hdus, "counts_err", add_nan, fmt="12288E", dim="(32,12,32)")

    whole, spoilt = read_pixel_data(cpd_2020), read_pixel_data(changed(cpd_2020, tmp_path, spoil))
    good = slice(0, 2), slice(3, 20)
    np.testing.assert_array_equal(spoilt.read(*good).counts_variance, whole.read(*good).counts_variance)
    for bad in ((slice(2, 3), slice(3, 20)), (slice(0, 2), slice(19, 21))):
        with pytest.raises(InvalidProduct, match="expected finite numbers in column counts_err"):
            spoilt.read(*bad)


def test_memory_follows_the_selection_not_the_file(shared_data):
    path = shared_data / MANY_BINS
    tracemalloc.start()
    try:
        part = read_pixel_data(path).read(slice(50, 52), slice(2, 6))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert part.counts.nbytes == 2 * 32 * 12 * 4 * 8
    assert peak < path.stat().st_size / 2


def test_the_file_is_not_held_open(cpd_2020, november):
    """Thousands of files may be looked at in one process: nothing stays open but the map of data still in hand."""

    def held():
        """How many descriptors of this process lead to a FITS file; what else it has open is not ours."""
        places = Path("/proc/self/fd").iterdir()
        return sum(os.path.realpath(place).endswith(".fits") for place in places)

    before = held()
    data = read_pixel_data(cpd_2020)
    data.read()
    assert held() <= before + 1
    del data
    for _ in range(20):
        read_header(cpd_2020)
        read_pixel_data(cpd_2020).read()
        read_aspect(next((november.folder / "aux").glob("*.fits")))
    gc.collect()
    assert held() == before


# --- what is refused --------------------------------------------------------------------------------------------------


def changed(source: Path, folder: Path, edit) -> Path:
    """A copy of a file in ``folder``, changed by ``edit(hdus)``."""
    target = folder / "changed.fits"
    with fits.open(source) as hdus:
        for hdu in hdus:
            for key in ("CHECKSUM", "DATASUM"):
                hdu.header.remove(key, ignore_missing=True)
        edit(hdus)
        hdus.writeto(target, overwrite=True)
    return target


def replace_column(hdus, name: str, edit, *, fmt: str, dim: str | None = None, table: str = "DATA") -> None:
    """Replace the values of a column by ``edit(values)`` and its format by ``fmt``."""
    old = hdus[table]
    columns = [
        fits.Column(c.name, fmt, unit=c.unit, dim=dim, array=edit(old.data[c.name]))
        if c.name == name
        else fits.Column(c.name, c.format, unit=c.unit, dim=c.dim, bzero=c.bzero, array=old.data[c.name])
        for c in old.columns
    ]
    hdus[table] = fits.BinTableHDU.from_columns(columns, name=table)


def rename(table: str, old: str, new: str):
    def edit(hdus):
        hdus[table].columns.change_name(old, new)

    return edit


def swap(first: str, second: str):
    def edit(hdus):
        for old, new in ((first, "between"), (second, first), ("between", second)):
            hdus["DATA"].columns.change_name(old, new)

    return edit


def new_times(name: str, edit, fmt: str = "D"):
    return lambda hdus: replace_column(hdus, name, edit, fmt=fmt)


def put(values, index, value):
    new = np.array(values, dtype=float)
    new[index] = value
    return new


def energies(edit):
    def change(hdus):
        hdus["ENERGIES"].data = edit(hdus["ENERGIES"].data.copy())

    return change


def falling(rows):
    rows["e_low"][5] = 1.0
    return rows


def header(key, value, table=0):
    def edit(hdus):
        hdus[table].header[key] = value

    return edit


def drop(table):
    def edit(hdus):
        del hdus[table]

    return edit


REFUSED = {
    "another telescope": (
        lambda hdus: [hdus[0].header.set(key, "EUI") for key in ("TELESCOP", "INSTRUME")],
        r"a STIX product .*found TELESCOP = 'EUI'",
    ),
    "no DATA": (drop("DATA"), "expected an extension DATA, found extensions"),
    "no ENERGIES": (drop("ENERGIES"), "expected extensions CONTROL, DATA, ENERGIES, found no ENERGIES"),
    "no CONTROL": (drop("CONTROL"), "found no CONTROL"),
    "no triggers": (rename("DATA", "triggers", "bells"), "expected column triggers in DATA"),
    "no rcr": (rename("DATA", "rcr", "rcs"), "expected column rcr in DATA or CONTROL"),
    "swapped time and duration": (swap("time", "timedel"), "expected time rising from row to row, found row 1"),
    "swapped counts and triggers": (
        swap("counts", "triggers"),
        r"counts of shape \(32, up to 12 pixels, channels\) per row",
    ),
    "swapped counts and mask": (
        swap("counts", "pixel_masks"),
        r"counts of shape \(32, up to 12 pixels, channels\) per row",
    ),
    "swapped errors": (swap("counts_err", "triggers_err"), "columns counts_err and counts of the same shape"),
    "too few ENERGIES": (energies(lambda rows: rows[:-2]), r"expected 32 rows in ENERGIES .*found 30 rows"),
    "too many channels": (
        lambda hdus: replace_column(hdus, "counts", lambda c: c[..., :31], fmt="11904J", dim="(31,12,32)"),
        r"expected columns counts_err and counts|expected 31 rows in ENERGIES .*found 32 rows",
    ),
    "falling ENERGIES": (energies(falling), "expected rising channel edges in ENERGIES"),
    "ENERGIES upside down": (energies(lambda rows: rows[::-1].copy()), "expected rising channel edges in ENERGIES"),
    "negative duration": (
        new_times("timedel", lambda values: put(values, 2, -400)),
        "expected positive timedel in every row, found -4 s",
    ),
    "zero duration": (new_times("timedel", lambda values: put(values, 0, 0)), "found 0 s"),
    "NaN time": (new_times("time", lambda values: put(values, 1, np.nan)), "finite values in column time, found NaN"),
    "NaN duration": (new_times("timedel", lambda values: put(values, 1, np.nan)), "finite values in column timedel"),
    "infinite time": (new_times("time", lambda values: put(values, -1, np.inf)), "finite values in column time"),
    "time standing still": (new_times("time", lambda values: put(values, 1, values[0])), "row 1 not after the one"),
    "time years away": (new_times("time", lambda values: put(values, -1, 1e12)), "rows within a year after DATE-BEG"),
    "time in hours": (
        lambda hdus: setattr(hdus["DATA"].columns["time"], "unit", "h"),
        "time in s or cs, found unit 'h'",
    ),
    "no date": (lambda hdus: hdus[0].header.remove("DATE-BEG"), "expected keyword DATE-BEG"),
    "empty date": (header("DATE-BEG", ""), r"an ISO date in DATE-BEG, found ''"),
    "not a time": (header("DATE-BEG", "NaT"), r"an ISO date in DATE-BEG, found 'NaT'"),
    "the present": (header("DATE-BEG", "now"), r"an ISO date in DATE-BEG, found 'now'"),
    "a wrong date": (header("DATE-BEG", "2020-13-45T00:00:00"), "2020-13-45|Month out of range"),
    "no rows": (lambda hdus: setattr(hdus["DATA"], "data", hdus["DATA"].data[:0]), "expected at least one row in DATA"),
    "fewer accumulators": (
        lambda hdus: replace_column(hdus, "triggers", lambda values: values[:, :8], fmt="8J"),
        r"expected 16 trigger accumulators per row, found shape \(8,\)",
    ),
    "a text for a mask": (
        lambda hdus: replace_column(hdus, "pixel_masks", lambda values: values[:, 0], fmt="B"),
        r"pixel_masks of shape \(12,\) or \(12, 12\) per row, found shape \(\)",
    ),
    "impossible compression": (
        lambda hdus: hdus["CONTROL"].data["compression_scheme_counts_skm"].__setitem__((0, 2), 200),
        "a scheme of at most 8 bits",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_contradicts_itself_is_refused(case, cpd_2020, tmp_path):
    edit, complaint = REFUSED[case]
    path = changed(cpd_2020, tmp_path, edit)
    with pytest.raises(InvalidProduct, match=complaint) as caught:
        read_pixel_data(path)
    assert_names(caught.value, path)


def assert_names(error: InvalidProduct, path: Path) -> None:
    """One sentence: file, expectation, finding."""
    assert error.file == path.name
    assert str(error) == f"{path.name}: expected {error.expected}, found {error.found}."
    assert error.expected
    assert error.found


@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0])
def test_impossible_counts_are_refused_when_read(value, cpd_2020, tmp_path):
    def spoil(hdus):
        replace_column(hdus, "counts", lambda old: put(old, (1, 5, 2, 7), value), fmt="12288E", dim="(32,12,32)")

    data = read_pixel_data(changed(cpd_2020, tmp_path, spoil))
    data.read(slice(2, 4))
    with pytest.raises(InvalidProduct, match="expected finite, non-negative counts"):
        data.read()


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_impossible_triggers_are_refused_when_read(value, cpd_2020, tmp_path):
    def spoil(hdus):
        replace_column(hdus, "triggers", lambda old: put(old, (1, 5), value), fmt="16E")

    with pytest.raises(InvalidProduct, match="expected finite, non-negative triggers"):
        read_pixel_data(changed(cpd_2020, tmp_path, spoil)).read()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("read", [read_header, read_pixel_data])
def test_truncated_files(share, read, cpd_2020, tmp_path):
    content = cpd_2020.read_bytes()
    path = tmp_path / "short.fits"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InvalidProduct) as caught:
        read(path)
    assert_names(caught.value, path)


def test_a_truncated_table_says_how_much_is_missing(cpd_2020, tmp_path):
    path = tmp_path / "short.fits"
    path.write_bytes(cpd_2020.read_bytes()[:200_000])
    with pytest.raises(
        InvalidProduct, match=r"bytes up to extension DATA, found 200000 bytes \(the file is truncated\)"
    ):
        read_pixel_data(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"hello, I am a text\n", b"\x89PNG\r\n\x1a\n" + bytes(5000), b"SIMPLE  =", bytes(2880)]
)
def test_files_of_another_kind(content, tmp_path):
    path = tmp_path / "other.fits"
    path.write_bytes(content)
    with pytest.raises(InvalidProduct, match="FITS file") as caught:
        read_header(path)
    assert_names(caught.value, path)


def test_fits_files_of_another_kind(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(path)
    with pytest.raises(InvalidProduct, match=r"a STIX product \(TELESCOP = 'SOLO/STIX'\), found TELESCOP = ''"):
        read_header(path)


def test_compressed_files_are_told_apart(cpd_2020, tmp_path):
    """The memory map would read compressed bytes as counts."""
    path = tmp_path / "packed.fits"
    path.write_bytes(gzip.compress(cpd_2020.read_bytes()))
    with pytest.raises(InvalidProduct, match=r"a FITS file \(SIMPLE  =\)"):
        read_pixel_data(path)


def test_things_that_are_no_files(tmp_path):
    fifo = tmp_path / "pipe.fits"
    os.mkfifo(fifo)  # opening it for reading would wait for ever
    for path, found in (
        (tmp_path, "a folder or special file"),
        (fifo, "a folder or special file"),
        (tmp_path / "x", "no such"),
    ):
        with pytest.raises(InvalidProduct, match=f"expected a regular file, found {found}") as caught:
            read_header(path)
        assert_names(caught.value, path)


@pytest.mark.parametrize(
    ("reader", "name", "expected"),
    [
        (
            read_pixel_data,
            "solo_L1_stix-ql-lightcurve_20200506_V01.fits",
            "a sci-xray-cpd product, found a ql-lightcurve",
        ),
        (read_light_curve, CPD_2020, "a ql-lightcurve product, found a sci-xray-cpd product"),
        (read_spectrogram, CPD_2020, "a sci-xray-spec product, found a sci-xray-cpd product"),
        (read_aspect, CPD_2020, "a asp-ephemeris product, found a sci-xray-cpd product"),
        (read_spectrogram, "solo_L1_stix-cal-energy_20200506_V01.fits", "found a cal-spectra product"),
        (read_aspect, "solo_L1_stix-hk-maxi_20200501_V01.fits", "found a hk-maxi product"),
        # it has all columns of a light curve but one
        (read_light_curve, "solo_L1_stix-ql-background_20200506_V01.fits", "found a ql-background product"),
    ],
)
def test_other_stix_products(stixpy_products, reader, name, expected):
    with pytest.raises(InvalidProduct, match=expected) as caught:
        reader(stixpy_products / name)
    assert len(str(caught.value)) < 700


def test_damaged_files_raise_one_exception(cpd_2020, tmp_path):
    """Bytes and header values changed at random: a reading or an `InvalidProduct`, never anything else."""
    random = np.random.default_rng(20200607)
    original = cpd_2020.read_bytes()
    cards = [
        i for i in range(0, len(original), 80) if original[i + 8 : i + 10] == b"= " and original[i : i + 80].isascii()
    ]
    values = [b"''", b"'NaT'", b"-1", b"0", b"9" * 20, b"1e400", b"T", b"'XX'", b""]
    path, refused = tmp_path / "damaged.fits", 0
    for _ in range(120):
        content = bytearray(original)
        for _ in range(random.integers(1, 4)):
            card = cards[random.integers(len(cards))]
            if random.random() < 0.5:
                content[card + random.integers(10, 40)] = random.integers(32, 127)
            else:
                content[card : card + 80] = (content[card : card + 10] + values[random.integers(len(values))]).ljust(80)
        path.write_bytes(content)
        try:
            read_pixel_data(path).read(slice(0, 1))
        except InvalidProduct as error:
            refused += 1
            assert_names(error, path)
    assert 10 < refused < 110


def test_the_exception_crosses_process_borders():
    error = InvalidProduct(Path("/some/where/a.fits"), "bread", "stone")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.file, again.expected, again.found) == (str(error), "a.fits", "bread", "stone")
    assert str(error) == "a.fits: expected bread, found stone."


def test_time_bins_of_early_flight_software(shared_data, tmp_path):
    """Many bins before 2021-12-09: late unless the file says it was corrected; one bin, or later, is never late."""
    demo = shared_data / DEMO
    assert read_pixel_data(demo).header.bins_late
    assert not read_pixel_data(shared_data / EARLY).header.bins_late
    assert not read_pixel_data(shared_data / V02).header.bins_late
    repaired = tmp_path / demo.name
    with fits.open(demo) as hdus:
        hdus[0].header["HISTORY"] = "Time and count arrays were shifted to fix offset"
        hdus.writeto(repaired)
    assert not read_pixel_data(repaired).header.bins_late


def test_counts_move_to_the_bin_before(pixel_data):
    """counts[i], triggers, attenuator and masks of row i belong to time and length of row i - 1."""
    counts = np.zeros((4, 32, 12, 8))
    counts[:] = np.arange(4)[:, None, None, None]
    data = pixel_data(counts, duration=[1, 2, 3, 4], rcr=[0, 0, 1, 1], triggers=counts[:, :16, 0, 0])
    moved = data.with_shifted_bins()
    assert moved.duration.tolist() == [1, 2, 3]
    assert moved.rcr.tolist() == [0, 1, 1]
    assert moved.read().counts[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert moved.read(slice(1, 3)).triggers[:, 0].tolist() == [2, 3]
    assert moved.read(slice(1, 3)).duration.tolist() == [2, 3]
    assert moved.t_end[-1] == data.t_end[-2]


def test_masks_move_with_their_counts(pixel_data):
    pixels = np.arange(12) < np.array([[12], [11], [10], [9]])
    detectors = np.arange(32) != np.array([[0], [1], [2], [3]])
    data = pixel_data(np.ones((4, 32, 12, 8)), pixel_mask=pixels, detector_mask=detectors)
    moved = data.with_shifted_bins()
    np.testing.assert_array_equal(moved.pixel_mask, pixels[1:])
    np.testing.assert_array_equal(moved.detector_mask, detectors[1:])
    part = moved.part(slice(1, 3))
    np.testing.assert_array_equal(part.read(slice(1, 2)).pixel_mask, pixels[3:])
    np.testing.assert_array_equal(part.read(slice(1, 2)).detector_mask, detectors[3:])


@pytest.mark.parametrize(
    ("late", "kept", "shortest", "can"),
    [
        (True, False, 0.5, True),
        (True, False, 3.9, True),
        (True, False, 4.0, False),
        (True, False, 5.0, False),
        (True, False, 20.0, False),
        (True, True, 0.5, False),
        (False, False, 0.5, False),
    ],
)
def test_bins_move_only_in_full_resolution(pixel_data, late, kept, shortest, can):
    data = pixel_data(np.ones((3, 32, 12, 8)), duration=[20.0, shortest, 20.0])
    data = replace(data, header=replace(data.header, bins_late=late, bins_kept_late=kept))
    assert data.can_shift_bins is can


def test_an_early_file_shortens_the_name_of_the_scheme_of_triggers(shared_data, tmp_path):
    """``compression_scheme_trig_skm`` counts like the long name: without a column of errors they are computed by it."""

    def edit(hdus):
        hdus["CONTROL"].data["compression_scheme_triggers_skm"][:] = (0, 4, 4)
        hdus["CONTROL"].columns.change_name("compression_scheme_triggers_skm", "compression_scheme_trig_skm")

    found = read_pixel_data(changed(shared_data / EARLY, tmp_path, edit)).read()
    expected = compression_variance(found.triggers, (0, 4, 4))
    np.testing.assert_allclose(found.triggers_variance, expected + found.triggers, rtol=1e-12)
    assert (expected != compression_variance(found.triggers, (0, 5, 3))).any()


def test_the_demo_stays_as_the_ground_software_reads_it(shared_data):
    """Its bins of 20 s are no full resolution."""
    assert not read_pixel_data(shared_data / DEMO).can_shift_bins
