"""The OSPEX pair: the layout of the ground software's own files, units, and the same counts by every way of reading."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct, SelectionError
from stixcore.spectra.files import (
    read_response_file,
    read_spectrum_file,
    write_ospex_response,
    write_ospex_spectra,
)
from stixcore.spectra.files.ospex import OspexPair

CREATED = np.datetime64("2026-07-07T12:00:00", "us")
PAIR = OspexPair(
    spectrum_file="stx_spectrum_2403109216.fits",
    response_file="stx_srm_2403109216.fits",
    distance=0.5605425,
    created=CREATED,
)


@pytest.fixture
def spectra(made_spectrum):
    """Four bins: attenuator out, out, in, in; a minute apart across midnight."""
    step = np.timedelta64(60, "s")
    start = np.datetime64("2024-03-10T23:58:30", "us")
    return [
        made_spectrum(
            t_start=start + n * step,
            t_end=start + n * step + np.timedelta64(4_500, "ms"),
            rcr=int(n > 1),
            counts=made_spectrum().counts * (n + 1),
            livetime=3.75 - 0.5 * n,
        )
        for n in range(4)
    ]


@pytest.fixture
def responses(spectra, plain_response):
    out = plain_response(spectra[0].edges)
    return {0: out, 1: replace(out, matrix=0.3 * out.matrix, area=0.5 * out.area, attenuator=True)}


@pytest.fixture
def written(spectra, responses, tmp_path):
    paths = tmp_path / PAIR.spectrum_file, tmp_path / PAIR.response_file
    write_ospex_spectra(paths[0], spectra, responses, PAIR)
    write_ospex_response(paths[1], spectra, responses, PAIR)
    return paths


def test_spectra_come_back(written, spectra):
    found = read_spectrum_file(written[0])
    for key in ("counts", "sigma", "systematic", "livetime", "duration"):
        expected = np.array([getattr(one, key) for one in spectra])
        np.testing.assert_allclose(getattr(found, key), expected, rtol=1e-6)
    assert (found.counts < 0).any()  # negative counts are not cut
    np.testing.assert_array_equal(found.t_start, [one.t_start for one in spectra])
    np.testing.assert_array_equal(found.t_end, [one.t_end for one in spectra])
    np.testing.assert_array_equal(found.e_low, spectra[0].e_low)
    assert found.subtracted
    assert (found.detectors, found.pixels) == (spectra[0].detectors, spectra[0].pixels)
    assert found.response_file == PAIR.response_file


def test_rates_are_per_second_of_live_time(written, spectra):
    with fits.open(written[0]) as hdus:
        row, header = hdus["RATE"].data[1], hdus["RATE"].header
        np.testing.assert_allclose(row["RATE"], spectra[1].counts / spectra[1].livetime, rtol=1e-6)
        assert row["LIVETIME"] == pytest.approx(spectra[1].livetime / 4.5)
        assert row["EXPOSURE"] == pytest.approx(spectra[1].livetime)
        assert header["EXPOSURE"] == pytest.approx(sum(one.livetime for one in spectra))
        # MJD 43874 + 16505 d is 2024-03-10; the second bin begins at 23:59:30
        assert (header["MJDREF"], header["TIMEZERO"]) == (43874.0, 16505.0)
        assert row["TIME"] == pytest.approx(86400 - 30 + 2.25)
        assert (header["TSTARTI"], header["TSTOPI"]) == (16505, 16506)
        assert header["GEOAREA"] == pytest.approx(18.46944 / 0.5605425**2)


def test_layout_is_that_of_the_ground_software(shared_data, written):
    """Extensions, columns, formats, units and keywords of a response of v0.5.3, but for what IDL adds."""
    with (
        fits.open(shared_data / "spectroscopy" / "srm" / "stx_srm_2303197888.fits") as theirs,
        fits.open(written[1]) as ours,
    ):
        assert [hdu.name.upper() for hdu in ours[:4]] == [hdu.name.upper() for hdu in theirs]
        for our, their in zip(ours[1:4], theirs[1:], strict=True):
            assert our.columns.names == their.columns.names
            assert our.columns.units == [unit or "" for unit in their.columns.units] or our.name.startswith("HESSI")
        for name in ("SPECRESP MATRIX", "EBOUNDS"):
            their, our = theirs[name], ours[name]
            kinds = ["".join(filter(str.isalpha, form)) for form in their.columns.formats]
            assert ["".join(filter(str.isalpha, form)) for form in our.columns.formats] == kinds
            long = {"SUN_DIST": "SUN_DISTANCE", "GRID_FAC": "GRID_FACTOR", "TIME_SHI": "TIME_SHIFT"}
            keys = {long.get(key, key) for key in their.header} - {"COMMENT", "", "OBSERVER", "GRID_FACTOR"}
            assert keys <= set(our.header)
        for key in ("HDUCLASS", "HDUCLAS1", "HDUCLAS2", "HDUVERS", "CHANTYPE", "TLMIN4", "SOFTWARE", "SEPDETS"):
            assert ours["SPECRESP MATRIX"].header[key] == theirs["SPECRESP MATRIX"].header[key]


def test_columns_of_the_spectrum_file(shared_data, written):
    with fits.open(shared_data / "spectroscopy" / "files" / "stx_spectrum_20220723_122031.fits") as theirs:
        expected, keys = set(theirs["RATE"].columns.names), set(theirs["RATE"].header) - {"COMMENT", "HDUCALS3", ""}
    with fits.open(written[0]) as ours:
        assert expected | {"EXPOSURE"} == set(ours["RATE"].columns.names)
        assert ours["RATE"].columns.names[:2] == ["RATE", "STAT_ERR"]
        missing = {key for key in keys - set(ours["RATE"].header) if not key.startswith("TDIM")}
        # what that file says of its user, its pointing and clock errors says nothing of the data
        assert missing <= {
            "OBSERVER", "AUTHOR", "RA_NOM", "DEC_NOM", "EQUINOX", "RADECSYS", "VERSION", "TELAPSE", "TIERRELA",
            "TIERABSO",
        }  # fmt: skip


def test_both_states_fold_to_the_counts_of_their_responses(written, responses):
    """counts per photon = MATRIX·ΔE; the area and D² once; a state with half the area gives half the counts."""
    found = read_response_file(written[1])
    flux_at_1_au = np.diff(found.photon_edges) ** 0 * 1e3 * found.photon_edges[:-1] ** -3
    for state, response in responses.items():
        at_spacecraft = flux_at_1_au / PAIR.distance**2
        np.testing.assert_allclose(found.fold(flux_at_1_au, state), response.fold(at_spacecraft), rtol=1e-6)
    assert found.distance == PAIR.distance
    assert found.grid_included is False
    assert "does not contain" in found.decision
    assert found.scheme == "gsw-2026"
    with fits.open(written[1]) as hdus:
        assert [hdu.header.get("FILTER") for hdu in hdus if "MATRIX" in hdu.name] == [0, 1]
        states = hdus[3].data[0]
        np.testing.assert_array_equal(states["SP_ATTEN_STATE$$STATE"], [0, 1])
        begin = (np.datetime64("2024-03-11T00:00:30") - np.datetime64("1979-01-01")) / np.timedelta64(1, "s")
        assert states["SP_ATTEN_STATE$$TIME"][1] == begin


def test_times_at_earth(spectra, responses, tmp_path):
    write_ospex_spectra(tmp_path / "a.fits", spectra, responses, replace(PAIR, time_shift=235.5))
    found = read_spectrum_file(tmp_path / "a.fits")
    assert found.t_start[0] == spectra[0].t_start + np.timedelta64(235_500, "ms")


def test_what_does_not_belong_together_is_refused(spectra, responses, plain_response, tmp_path):
    path = tmp_path / "a.fits"
    with pytest.raises(SelectionError, match=r"no response for the attenuator state \(rcr\) 1"):
        write_ospex_spectra(path, spectra, {0: responses[0]}, PAIR)
    with pytest.raises(SelectionError, match="channel edges of the response"):
        write_ospex_spectra(path, spectra[:1], {0: plain_response(np.arange(4.0, 21.0))}, PAIR)
    with pytest.raises(SelectionError, match=r"pixels \[0, 1, 2, 3, 4, 5, 6, 7\] of the spectrum, but \[0, 1\]"):
        write_ospex_spectra(path, spectra[:1], {0: replace(responses[0], pixels=(0, 1))}, PAIR)
    with pytest.raises(SelectionError, match="at least one spectrum"):
        write_ospex_spectra(path, [], responses, PAIR)
    with pytest.raises(SelectionError, match="same channels"):
        write_ospex_spectra(path, [spectra[0], replace(spectra[1], pixels=(0,))], responses, PAIR)
    for distance in (0.0, 2.5, np.nan):
        with pytest.raises(SelectionError, match="distance to the Sun must be in AU"):
            write_ospex_response(path, spectra, responses, replace(PAIR, distance=distance))
    assert not path.exists()


def test_a_gap_between_channels_has_no_edges(made_spectrum):
    spectrum = made_spectrum()
    apart = replace(spectrum, e_low=spectrum.e_low + np.where(spectrum.e_low > 9, 0.5, 0))
    with pytest.raises(SelectionError, match=r"no channel between 10 and 10\.5 keV"):
        _ = apart.edges


# --- files of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "included", "says"),
    [
        # 30 detectors × 12 pixels ÷ D²; the matrix contains the factor
        ("stx_srm_2303197888.fits", (30, 1028), False, "does not contain the grid factor"),
        # GEOAREA = 24.288 · 0.261085 / D²
        ("stx_srm_2021feb14_0140_0155.fits", (20, 1020), True, r"contains the grid factor 0\.2611"),
        ("stx_srm_20211028_1505.fits", (29, 1027), None, "cannot be checked"),
    ],
)
def test_responses_of_the_ground_software(shared_data, name, shape, included, says):
    found = read_response_file(shared_data / "spectroscopy" / "srm" / name)
    assert found.matrices[0].shape == shape
    assert found.grid_included is included
    assert re.search(says, found.decision)
    assert (np.diff(found.photon_edges) > 0).all()
    assert found.channel_edges[0] == 4.0
    # counts per photon: never more than one
    assert 0.05 < found.matrices[0].sum(axis=0).max() < 1.0


def test_area_of_a_response_of_the_ground_software(shared_data):
    found = read_response_file(shared_data / "spectroscopy" / "srm" / "stx_srm_2303197888.fits")
    assert len(found.detectors) == 30
    assert len(found.pixels) == 12
    # 24.288 cm² / (0.5233 AU)²
    assert found.geoarea * found.distance**2 == pytest.approx(24.288, rel=1e-4)


def test_spectrum_of_stix2xspec(shared_data):
    found = read_spectrum_file(shared_data / "spectroscopy" / "files" / "stx_spectrum_20220723_122031.fits")
    assert found.counts.shape == (1359, 30)
    # MJD 43874 + 15909 d, 0.51414 d
    assert found.t_start[0] == np.datetime64("2022-07-23T12:20:21.723", "us")
    assert found.detectors == ()


# --- bad files --------------------------------------------------------------------------------------------------------


def test_files_that_are_neither_are_refused(written, tmp_path):
    text = tmp_path / "text.fits"
    text.write_text("no FITS file")
    for read in (read_spectrum_file, read_response_file):
        with pytest.raises(InvalidProduct, match=r"text\.fits: expected a FITS file with spectra or responses"):
            read(text)
    with pytest.raises(InvalidProduct, match="expected an extension RATE or SPECTRUM"):
        read_spectrum_file(written[1])
    with pytest.raises(InvalidProduct, match="expected an extension with a column MATRIX"):
        read_response_file(written[0])


def test_damaged_values_are_named(written):
    with fits.open(written[0], mode="update") as hdus:
        hdus["RATE"].data["TIMEDEL"][1] = np.nan
    with pytest.raises(InvalidProduct, match="expected finite numbers in column TIMEDEL"):
        read_spectrum_file(written[0])
    with fits.open(written[1], mode="update") as hdus:
        hdus[1].header["GEOAREA"] = "large"
    with pytest.raises(InvalidProduct, match="expected a number in keyword GEOAREA, found 'large'"):
        read_response_file(written[1])


@pytest.mark.needs_sunkit_spex
def test_sunkit_spex_reads_the_pair(written, spectra, responses):
    """The same exposure, channels and response; it sets negative rates to zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sunkit_spex.extern.stix import STIXLoader

        loader = STIXLoader(*map(str, written))
    np.testing.assert_allclose(loader._counts_perspec, np.maximum([one.counts for one in spectra], 0), rtol=1e-5)
    response = responses[0]
    expected = (response.matrix * response.area / PAIR.distance**2).T
    np.testing.assert_allclose(loader._srm["srm_options"][0], expected, rtol=1e-5)
