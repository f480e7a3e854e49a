"""OGIP files: the split of a response is clean, numbers come back, and other programs read them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct, SelectionError
from stixcore.spectra.files import read_response_file, read_spectrum_file, write_arf, write_pha, write_rmf
from stixcore.spectra.files.ogip import PhaContent
from stixcore.spectra.files.shared import detectors_label, elements_label, elements_of_label, pixels_label

CREATED = np.datetime64("2026-07-07T12:00:00", "us")


@pytest.fixture
def spectrum(made_spectrum):
    return made_spectrum()


@pytest.fixture
def response(spectrum, plain_response):
    return plain_response(spectrum.edges)


@pytest.fixture
def written(response, tmp_path):
    paths = tmp_path / "a.rmf.fits", tmp_path / "a.arf.fits"
    write_rmf(paths[0], response, created=CREATED)
    write_arf(paths[1], response, created=CREATED)
    return paths


# --- responses --------------------------------------------------------------------------------------------------------


def test_rows_of_the_matrix_are_probabilities(written, response):
    """Σ_i RMF = 1 where a photon can be detected at all; ARF = A·Σ_i R."""
    with fits.open(written[0]) as rmf, fits.open(written[1]) as arf:
        total = rmf["MATRIX"].data["MATRIX"].sum(axis=1)
        detected = response.matrix.sum(axis=0)
        np.testing.assert_allclose(total[detected > 0], 1.0)
        assert (total[detected == 0] == 0).all()
        assert (detected == 0).any()
        np.testing.assert_allclose(arf["SPECRESP"].data["SPECRESP"], response.area * detected)
        assert (rmf["MATRIX"].header["HDUCLAS3"], arf["SPECRESP"].header["HDUCLAS2"]) == ("REDIST", "SPECRESP")
        assert arf["SPECRESP"].columns["SPECRESP"].unit == "cm**2"
        assert rmf["MATRIX"].header["RSPSCHEM"] == "gsw-2026"


def test_matrix_times_area_is_the_response(written, response):
    found = read_response_file(*written)
    np.testing.assert_allclose(found.matrices[0], response.matrix * response.area, rtol=1e-12)
    np.testing.assert_array_equal(found.photon_edges, response.photon_edges)
    np.testing.assert_array_equal(found.channel_edges, response.channel_edges)
    flux = found.photon_edges[:-1] ** -4.0  # at the spacecraft: no distance anywhere
    np.testing.assert_allclose(found.fold(flux), response.fold(flux), rtol=1e-12)
    assert (found.detectors, found.pixels) == (response.detectors, response.pixels)


def test_matrix_with_groups_and_channels_from_one(tmp_path):
    """Files of other programs: two groups in a row, channels from 1, none for a row."""
    rows = np.empty(2, object), np.empty(2, object), np.empty(2, object)
    for column, values in zip(rows, (([1, 4], [0]), ([2, 1], [0]), ([0.1, 0.2, 0.3], [])), strict=True):
        column[0], column[1] = (np.array(one, float) for one in values)
    columns = [
        fits.Column("ENERG_LO", "D", array=[1.0, 2.0]),
        fits.Column("ENERG_HI", "D", array=[2.0, 3.0]),
        fits.Column("N_GRP", "I", array=[2, 0]),
        fits.Column("F_CHAN", "PI()", array=rows[0]),
        fits.Column("N_CHAN", "PI()", array=rows[1]),
        fits.Column("MATRIX", "PD()", array=rows[2]),
    ]
    matrix = fits.BinTableHDU.from_columns(columns, name="MATRIX")
    matrix.header["DETCHANS"] = 4
    bounds = [fits.Column("E_MIN", "D", array=np.arange(4.0)), fits.Column("E_MAX", "D", array=np.arange(1.0, 5.0))]
    table = fits.BinTableHDU.from_columns(bounds, name="EBOUNDS")
    fits.HDUList([fits.PrimaryHDU(), matrix, table]).writeto(tmp_path / "b.fits")
    found = read_response_file(tmp_path / "b.fits")
    np.testing.assert_array_equal(found.matrices[0].T, [[0.1, 0.2, 0.0, 0.3], [0, 0, 0, 0]])
    with fits.open(tmp_path / "b.fits", mode="update") as hdus:
        hdus["MATRIX"].header["TLMIN4"] = 2
    with pytest.raises(InvalidProduct, match="expected channels within 4 in MATRIX"):
        read_response_file(tmp_path / "b.fits")


def test_an_area_of_other_photon_bins_is_refused(written, plain_response, tmp_path):
    other = plain_response(np.arange(4.25, 12.5))
    write_arf(tmp_path / "other.fits", other, created=CREATED)
    with pytest.raises(InvalidProduct, match=r"other\.fits: expected the \d+ photon bins of the matrix"):
        read_response_file(written[0], tmp_path / "other.fits")
    with pytest.raises(InvalidProduct, match="expected an extension SPECRESP"):
        read_response_file(written[0], written[0])


# --- spectra ----------------------------------------------------------------------------------------------------------


def test_one_spectrum_comes_back(spectrum, tmp_path):
    path = tmp_path / "a.pha.fits"
    good = spectrum.e_low >= 6
    write_pha(path, spectrum, created=CREATED, response_file="a.rmf.fits", area_file="a.arf.fits", good=good)
    found = read_spectrum_file(path)
    for key in ("counts", "sigma", "livetime"):
        np.testing.assert_allclose(getattr(found, key)[0], getattr(spectrum, key), rtol=1e-12)
    np.testing.assert_allclose(found.systematic[0], spectrum.systematic, rtol=1e-6)
    assert found.subtracted
    assert found.t_start[0] == spectrum.t_start
    assert (found.detectors, found.pixels) == (spectrum.detectors, spectrum.pixels)
    with fits.open(path) as hdus:
        header, data = hdus["SPECTRUM"].header, hdus["SPECTRUM"].data
        expected = {
            "HDUCLAS1": "SPECTRUM", "HDUCLAS2": "NET", "HDUCLAS3": "COUNT", "HDUCLAS4": "TYPE:I", "CHANTYPE": "PI",
            "POISSERR": False, "TLMIN1": 0, "TLMAX1": 13, "DETCHANS": 14, "RESPFILE": "a.rmf.fits",
            "ANCRFILE": "a.arf.fits", "BACKFILE": "none", "EXPOSURE": 3.75,
        }  # fmt: skip
        assert {key: header[key] for key in expected} == expected
        np.testing.assert_array_equal(data["QUALITY"], np.where(good, 0, 1))


def test_total_and_background_differ_by_the_net_counts(spectrum, tmp_path):
    for content in PhaContent:
        write_pha(tmp_path / f"{content}.fits", spectrum, created=CREATED, content=content)
    net, total, quiet = (read_spectrum_file(tmp_path / f"{content}.fits") for content in PhaContent)
    np.testing.assert_allclose(total.counts - quiet.counts, net.counts)
    np.testing.assert_allclose(total.sigma**2 + quiet.sigma**2, net.sigma**2)
    assert (total.subtracted, net.subtracted) == (False, True)
    assert (quiet.systematic == 0).all()  # the systematic error is one of the response


def test_several_spectra_in_one_file(spectrum, made_spectrum, tmp_path):
    later = made_spectrum(
        counts=2 * spectrum.counts,
        livetime=1.5,
        t_start=spectrum.t_end,
        t_end=spectrum.t_end + np.timedelta64(2, "s"),
    )
    write_pha(tmp_path / "a.fits", [spectrum, later], created=CREATED)
    found = read_spectrum_file(tmp_path / "a.fits")
    np.testing.assert_allclose(found.counts, [spectrum.counts, later.counts])
    np.testing.assert_array_equal(found.livetime, [3.75, 1.5])
    np.testing.assert_array_equal(found.t_end, [spectrum.t_end, later.t_end])
    with fits.open(tmp_path / "a.fits") as hdus:
        assert hdus["SPECTRUM"].header["HDUCLAS4"] == "TYPE:II"


def test_what_would_be_wrong_is_refused(spectrum, tmp_path):
    with pytest.raises(SelectionError, match="the background is already subtracted"):
        write_pha(tmp_path / "a.fits", spectrum, created=CREATED, background_file="b.fits")
    with pytest.raises(SelectionError, match="same channels"):
        write_pha(tmp_path / "a.fits", [spectrum, replace(spectrum, detectors=(1,))], created=CREATED)
    assert not (tmp_path / "a.fits").exists()


# --- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detectors", "pixels", "label"),
    [
        (tuple(range(32)), tuple(range(12)), "All, Pixels: All"),
        (tuple(d for d in range(32) if d not in (8, 9)), (0, 1, 2, 3), "Imaging, Pixels: Top"),
        ((9,), (4, 5, 6, 7), "BKG, Pixels: Bottom"),
        ((10, 11, 12, 16, 17, 18), (8, 9, 10, 11), "Fine, Pixels: Small"),
        # examples of the ground software's documentation
        (tuple(range(16)), tuple(range(11)), "Custom 0x0000FFFF, Pixels: Custom 0x7FF"),
        ((0,), (9,), "3c, Pixels: S9"),
    ],
)
def test_labels_as_in_the_ground_software(detectors, pixels, label):
    assert elements_label(detectors, pixels) == label
    assert elements_of_label(label) == (detectors, pixels)


def test_labels_of_the_usual_sets(spectrum):
    assert detectors_label(spectrum.detectors) == "Top24"
    assert pixels_label(spectrum.pixels) == "Large"
    assert elements_of_label("1") == ((), ())
    assert elements_of_label("Custom 0xyz, Pixels: L12") == ((), ())


@pytest.mark.needs_gammapy
def test_gammapy_reads_the_three_files(spectrum, response, written, tmp_path):
    """The counts that gammapy predicts for a power law are those of the response."""
    path, quiet = tmp_path / "pha_obs1.fits", tmp_path / "bkg_obs1.fits"
    write_pha(quiet, spectrum, created=CREATED, content=PhaContent.BACKGROUND)
    write_pha(
        path,
        spectrum,
        created=CREATED,
        content=PhaContent.TOTAL,
        response_file=written[0].name,
        area_file=written[1].name,
        background_file=quiet.name,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gammapy.datasets import SpectrumDatasetOnOff
        from gammapy.modeling.models import PowerLawSpectralModel, SkyModel

        dataset = SpectrumDatasetOnOff.read(path)
        model = PowerLawSpectralModel(index=3.0, amplitude="1e3 cm-2 s-1 keV-1", reference="10 keV")
        dataset.models = SkyModel(spectral_model=model, name="flare")
        predicted = dataset.npred_signal().data.ravel()
    low, high = response.photon_edges[:-1], response.photon_edges[1:]
    flux = 1e3 * 10.0**3 * (low**-2.0 - high**-2.0) / 2.0 / (high - low)
    np.testing.assert_allclose(predicted, response.fold(flux) * spectrum.livetime, rtol=1e-3)
    np.testing.assert_allclose(dataset.counts.data.ravel(), spectrum.counts + spectrum.background, rtol=1e-6)
    np.testing.assert_allclose(dataset.counts_off.data.ravel(), spectrum.background, rtol=1e-6)
