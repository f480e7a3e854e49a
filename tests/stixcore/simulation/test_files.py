"""Files: laid out as real ones, readable by stixpy and by us, honest about being simulated, the same for a seed."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from stixcore.calibration.pointing import pointing_at
from stixcore.coordinates import PointingSource
from stixcore.errors import SelectionError
from stixcore.fits.read import read_aspect, read_header, read_light_curve, read_pixel_data
from stixcore.fits.spec import ProductKind
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.files import ScienceRequest, write_auxiliary, write_pixel_data, write_quicklook
from stixcore.simulation.flare import Component, FastRise, Flare
from stixcore.simulation.observation import expected_counts, observe
from stixcore.simulation.quicklook import QUICKLOOK_DETECTORS, quicklook_rates
from stixcore.simulation.sources import Circle
from stixcore.simulation.spectrum import ThermalSpectrum

START = np.datetime64("2022-11-10T12:00:00.300", "us")
ORBIT = Orbit(START)
POINTING = ORBIT.pointing(START)
DURATION = np.array([20.0, 8.0, 4.0, 4.0, 12.5, 20.0])
T_START = START + (np.concatenate([[0.0], np.cumsum(DURATION)[:-1]]) * 1e6).astype("int64").astype("timedelta64[us]")
PEAK = START + np.timedelta64(32, "s")
FLARE = Flare((Component((Circle(400.0, 300.0, 20.0),), ThermalSpectrum(400.0), FastRise(PEAK, 10.0, 60.0)),))
REQUEST = ScienceRequest(2211101234, 54321, "Flare 2211101200, Solar Flare, simulated")
REAL_V02 = "solo_L1_stix-sci-xray-cpd_20220911T021423-20220911T030223_V02_2209115148-62679.fits"
# Text is as long as it has to be, and numbers of packets and pixels vary from file to file.
VARIES = {"raw_file", "parent", "num_substructures", "packet", "counts", "counts_comp_err"}


@pytest.fixture(scope="module")
def observation():
    return observe(expected_counts((FLARE,), T_START, DURATION, POINTING), np.random.default_rng(1))


@pytest.fixture(scope="module")
def flare_file(tmp_path_factory, observation):
    return write_pixel_data(tmp_path_factory.mktemp("flare"), observation, REQUEST, ORBIT, {"kind": "flare"})


@pytest.fixture(scope="module")
def background_file(tmp_path_factory):
    expected = expected_counts((), np.array([START]), np.array([2880.0]), POINTING)
    request = ScienceRequest(
        2211109000, 60000, "BKG quiet, Background, Background request for 2022-11-10", (4.0, np.inf), 8
    )
    drawn = observe(expected, np.random.default_rng(2))
    return write_pixel_data(tmp_path_factory.mktemp("background"), drawn, request, ORBIT, {"kind": "background"})


@pytest.fixture(scope="module")
def auxiliary_file(tmp_path_factory):
    return write_auxiliary(tmp_path_factory.mktemp("aux"), np.datetime64("2022-11-10"), ORBIT)


@pytest.fixture(scope="module")
def quicklook_file(tmp_path_factory):
    end = np.datetime64("2022-11-11", "us")
    return write_quicklook(
        tmp_path_factory.mktemp("ql"), [FLARE], np.datetime64("2022-11-10T06:00"), end, ORBIT, np.random.default_rng(3)
    )


@pytest.fixture
def quiet_stixpy():
    """Warnings stixpy gives for real files, too: it leaves them open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def columns(path, name):
    with fits.open(path) as hdus:
        return {
            column.name: (column.format, column.unit, column.dim, column.bzero, column.bscale)
            for column in hdus[name].columns
        }


@pytest.mark.needs_shared_data
def test_extensions_and_columns_are_those_of_a_real_file(shared_data, background_file):
    real = shared_data / "formats" / REAL_V02
    with fits.open(real) as theirs, fits.open(background_file) as ours:
        assert [hdu.name for hdu in ours] == [*(hdu.name for hdu in theirs), "TRUTH"]
    for name in ("CONTROL", "DATA", "IDB_VERSIONS", "ENERGIES"):
        wanted, found = columns(real, name), columns(background_file, name)
        assert list(found) == list(wanted)
        for column in set(wanted) - (VARIES if name == "CONTROL" else set()):
            assert found[column] == wanted[column], (name, column)
    for column in VARIES & set(columns(real, "CONTROL")):
        wanted, found = (columns(path, "CONTROL")[column] for path in (real, background_file))
        assert wanted[0].lstrip("0123456789") == found[0].lstrip("0123456789")
        assert (wanted[1], wanted[3:]) == (found[1], found[3:])


@pytest.mark.needs_shared_data
def test_keywords_are_those_of_a_real_file_in_their_order(shared_data, background_file):
    real, ours = fits.getheader(shared_data / "formats" / REAL_V02), fits.getheader(background_file)
    comments = {"HISTORY", "COMMENT", ""}
    assert [key for key in ours if key not in comments] == [key for key in real if key not in comments]
    for key in set(real) - comments - {"DATE", "BLANK"}:
        assert type(ours[key]) is type(real[key]), key
    for key in ("LEVEL", "VERSION", "OBSRVTRY", "TELESCOP", "INSTRUME", "STYPE", "SSTYPE", "SSID", "TIMESYS", "BUNIT"):
        assert ours[key] == real[key]
    assert ours.comments["EAR_TDEL"] == real.comments["EAR_TDEL"]


@pytest.mark.needs_shared_data
def test_auxiliary_columns_are_those_of_a_real_file_plus_the_flag(shared_data, auxiliary_file):
    (real,) = (shared_data / "nov2022" / "aux").glob("*20221110*")
    for name in ("CONTROL", "DATA", "IDB_VERSIONS"):
        wanted, found = columns(real, name), columns(auxiliary_file, name)
        assert set(found) - set(wanted) == ({"sas_ok", "sas_error"} if name == "DATA" else set())
        assert [column for column in found if column in wanted] == list(wanted)
        for column in set(wanted) - VARIES:
            assert found[column] == wanted[column], (name, column)


def test_stixpy_reads_what_we_write(quiet_stixpy, flare_file, background_file, quicklook_file, observation):
    from stixpy.product import Product

    flare = Product(flare_file)
    assert type(flare).__name__ == "CompressedPixelData"
    assert flare.data["counts"].shape == (6, 32, 8, 17)
    assert (flare.data["counts"].value == observation.counts[:, :, :8, 1:18]).all()
    assert flare.data["triggers"].tolist() == observation.triggers.tolist()
    assert flare.time_range.start.isot == "2022-11-10T12:00:00.300"
    assert Product(background_file).energies["e_low"].value.tolist()[-1] == 150.0
    assert type(Product(quicklook_file)).__name__ == "QLLightCurve"


def test_our_reader_gets_back_what_was_drawn(flare_file, observation):
    data = read_pixel_data(flare_file)
    assert data.header.kind is ProductKind.PIXEL_DATA
    assert data.header.simulated
    assert data.header.request_id == "2211101234"
    assert data.header.purpose == "Flare 2211101200, Solar Flare, simulated"
    assert (data.t_start == observation.t_start).all()
    assert data.duration == pytest.approx(DURATION)
    assert data.pixel_mask.sum() == 6 * 8
    counts = data.read()
    assert (counts.counts[:, :, :8] == observation.counts[:, :, :8, 1:18]).all()
    assert counts.counts_variance[:, :, :8] == pytest.approx(
        observation.counts_comp_err[:, :, :8, 1:18] ** 2 + observation.counts[:, :, :8, 1:18]
    )
    assert (counts.triggers == observation.triggers).all()


def test_file_names_and_dates_agree(flare_file):
    header = fits.getheader(flare_file)
    assert flare_file.name == header["FILENAME"]
    assert flare_file.name == "solo_L1_stix-sci-xray-cpd_20221110T120000-20221110T120108_V02_2211101234-54321.fits"
    beg, avg, end = (np.datetime64(header[f"DATE-{which}"], "us") for which in ("BEG", "AVG", "END"))
    assert (avg - beg, end - beg) == (np.timedelta64(34_250, "ms"), np.timedelta64(68_500, "ms"))
    millisecond = np.timedelta64(1, "ms")
    at_earth, at_sun = (np.datetime64(header[key], "us") for key in ("DATE_EAR", "DATE_SUN"))
    assert (at_earth - beg) / millisecond == pytest.approx(header["EAR_TDEL"] * 1e3, abs=1.0)
    assert (beg - at_sun) / millisecond == pytest.approx(header["SUN_TIME"] * 1e3, abs=1.0)
    assert header["XPOSURE"] == 4.0


@pytest.mark.parametrize("name", ["flare_file", "background_file", "auxiliary_file", "quicklook_file"])
def test_every_file_says_that_it_is_simulated_and_checks(name, request):
    path = request.getfixturevalue(name)
    assert read_header(path).simulated
    with fits.open(path, checksum=True) as hdus:  # a wrong checksum is a warning, and warnings are errors
        assert hdus[0].header["ORIGIN"] == "SIMULATED"
        assert all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)
        assert json.loads(str(hdus["TRUTH"].data["json"][0]))["kind"] in (
            "flare",
            "background",
            "auxiliary",
            "quicklook",
        )


def test_the_auxiliary_file_leads_to_the_true_pointing(auxiliary_file):
    table = read_aspect(auxiliary_file)
    assert table.sas_ok.all()
    assert table.time[0] == np.datetime64("2022-11-10T00:00:00")
    assert table.header.level == "ANC"
    for hour in (0.1, 7.3, 23.9):
        middle = np.datetime64("2022-11-10", "us") + np.timedelta64(round(hour * 3600), "s")
        found = pointing_at(table, middle - np.timedelta64(30, "s"), middle + np.timedelta64(30, "s"))
        truth = ORBIT.pointing(middle)
        assert found.source is PointingSource.ASPECT
        assert (found.x, found.y) == pytest.approx((truth.x, truth.y), abs=1e-4)
        assert found.roll == pytest.approx(truth.roll, abs=1e-4)
        assert found.rsun == pytest.approx(truth.rsun, rel=1e-5)
        assert found.dsun == pytest.approx(truth.dsun, rel=1e-5)
        assert found.b0 == pytest.approx(truth.b0, abs=1e-5)
        assert found.stonyhurst_lon == pytest.approx(truth.stonyhurst_lon, abs=2e-3)


def test_where_the_aspect_is_lost_the_attitude_is_off_by_its_error(tmp_path):
    lost = (np.datetime64("2022-11-10T10:00"), np.datetime64("2022-11-10T11:00"))
    table = read_aspect(write_auxiliary(tmp_path, np.datetime64("2022-11-10"), ORBIT, aspect_lost=lost))
    found = pointing_at(table, np.datetime64("2022-11-10T10:30"), np.datetime64("2022-11-10T10:31"))
    assert found.source is PointingSource.SPACECRAFT
    assert (found.x - ORBIT.pointing_x, found.y - ORBIT.pointing_y) == pytest.approx(ORBIT.attitude_error, abs=1e-3)
    assert 0 < (~table.sas_ok).sum() < 60


def test_the_quicklook_curve_shows_the_flare(quicklook_file):
    curve = read_light_curve(quicklook_file)
    assert curve.header.kind is ProductKind.LIGHT_CURVE
    assert curve.e_low.tolist() == [4.0, 10.0, 15.0, 25.0, 50.0]
    assert curve.e_high.tolist() == [10.0, 15.0, 25.0, 50.0, 84.0]
    assert (np.diff(curve.t_start) == np.timedelta64(4, "s")).all()
    assert curve.t_start.size == 18 * 900
    brightest = curve.t_start[int(curve.counts[:, 0].argmax())]
    assert abs(brightest - PEAK) < np.timedelta64(12, "s")
    night = curve.t_start < np.datetime64("2022-11-10T11:00")
    rates, triggers = quicklook_rates([], curve.t_start[0], 1, POINTING)
    assert curve.counts[night].mean(axis=0) == pytest.approx(4.0 * rates[0], rel=0.02)
    assert curve.triggers[night].mean() == pytest.approx(4.0 * triggers[0], rel=0.01)


def test_quicklook_and_pixel_data_agree():
    rates, triggers = quicklook_rates([FLARE], START, 5, POINTING)
    starts = START + np.arange(5) * np.timedelta64(4, "s")
    pixels = expected_counts((FLARE,), starts, np.full(5, 4.0), POINTING)
    per_band = [
        pixels.counts[:, QUICKLOOK_DETECTORS][..., low:high].sum(axis=(1, 2, 3)) / 4.0
        for low, high in ((1, 7), (7, 12), (12, 17), (17, 23), (23, 28))
    ]
    # bands of 15-25 and 25-50 keV need no splitting: their edges are edges of science channels
    assert np.stack(per_band, axis=1) == pytest.approx(rates, rel=1e-9)
    assert pixels.triggers.sum(axis=1) / 4.0 == pytest.approx(triggers, rel=1e-9)


def test_the_same_seed_gives_the_same_bytes(tmp_path, flare_file):
    drawn = observe(expected_counts((FLARE,), T_START, DURATION, POINTING), np.random.default_rng(1))
    again = write_pixel_data(tmp_path, drawn, REQUEST, ORBIT, {"kind": "flare"})
    assert again.read_bytes() == flare_file.read_bytes()


@pytest.mark.needs_fitsverify
def test_fitsverify_finds_no_error(flare_file, auxiliary_file, quicklook_file):
    import subprocess

    for path in (flare_file, auxiliary_file, quicklook_file):
        report = subprocess.run(["fitsverify", str(path)], capture_output=True, text=True, check=False).stdout
        assert "0 error(s)" in report or "0 errors" in report
        # long file names continue without LONGSTRN, as in real files
        assert report.count("*** Warning") <= 1, report


def test_expected_values_are_no_file(tmp_path):
    expected = expected_counts((FLARE,), T_START, DURATION, POINTING)
    with pytest.raises(SelectionError, match="whole counts"):
        write_pixel_data(tmp_path, expected, REQUEST, ORBIT, {})


def test_bins_have_to_fit_into_centiseconds(tmp_path, observation):
    odd = replace(observation, duration=observation.duration + 0.001)
    with pytest.raises(SelectionError, match="centiseconds"):
        write_pixel_data(tmp_path, odd, REQUEST, ORBIT, {})


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScienceRequest(2211101234, 1, "", (4.0, 17.0)),
        lambda: ScienceRequest(2211101234, 1, "", n_pixels=10),
        lambda: ScienceRequest(1 << 33, 1, ""),
        lambda: ScienceRequest(2211101234, 1 << 17, ""),
    ],
)
def test_impossible_requests_are_refused(make):
    with pytest.raises(SelectionError):
        make()
