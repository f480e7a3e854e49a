"""Resolution, loss of charge and detector matrix against numbers of the ground software and published tables."""

import io
import json
import lzma
from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import CalibrationError
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.spectra import tables
from stixcore.spectra.detector import (
    _below,
    _cumulative,
    attenuation,
    charge_collection,
    detector_matrix,
    fano_fwhm,
    fwhm,
    layer_edges,
    tailing_matrix,
)
from stixcore.spectra.makers import response as maker
from stixcore.spectra.makers.response import WRONG_SIDE, packed_response
from stixcore.spectra.response import RCR_AREA, make_response
from stixcore.spectra.tables import response_tables
from stixcore.spectra.transmission import window_transmission

COARSE = tuple(sorted(int(i) for i in detector_indices(IMAGING_LABELS)))
LARGE = tuple(range(8))


# --- detector ---------------------------------------------------------------------------------------------------------


def test_resolution_as_the_ground_software_computes_it(agrees, gdl):
    for function, key in ((fwhm, "stx_fwhm"), (fano_fwhm, "stx_fwhm_fano")):
        agrees(f"{key} [keV]", function(np.array(gdl[key]["E"], dtype=float)), gdl[key]["keV"], rtol=1e-5)


def test_areas_of_the_rate_control(agrees, gdl):
    agrees("stx_rcr_area [cm²]", RCR_AREA, gdl["stx_rcr_area(all)"], rtol=1e-12)


def test_charge_collection_by_depth(agrees):
    # stx_tailing_matrix of ground software v0.6.2
    got = charge_collection(np.array([0.0, 1.0, 500.0, 999.0]))
    agrees("charge collection at 0, 1, 500, 999 µm", got, [0.1996, 0.9157, 0.9663, 0.8734], atol=6e-5)
    assert layer_edges().size == 2995
    assert (np.diff(layer_edges()) > 0).all()


def test_tailing_as_the_ground_software_computes_it(agrees, gdl):
    shipped = response_tables()
    energy = 4.25 + 0.5 * np.arange(292)
    s = attenuation(0.5 * (energy[1:] + energy[:-1]), shipped.cadmium_telluride_energy, shipped.cadmium_telluride)
    matrix = tailing_matrix(energy, s)
    (key,) = (key for key in gdl["stx_tailing_matrix"] if key.startswith("rows"))
    for source, row in gdl["stx_tailing_matrix"][key].items():
        j = round((float(source) - 4.25) / 0.5)
        at = [round((float(destination) - 4.25) / 0.5) for destination in row if destination != "sum"]
        got = [matrix[j].sum() if key == "sum" else matrix[j, at.pop(0)] for key in row]
        agrees(f"stx_tailing_matrix, row of {source} keV", got, list(row.values()), atol=1e-5)


def test_tables_follow_from_the_published_ones(spectroscopy):
    def arrays(packed):
        with np.load(io.BytesIO(lzma.decompress(packed))) as data:
            return {name: data[name] for name in data.files}

    made = arrays(packed_response(spectroscopy))
    packed = files("stixcore.spectra").joinpath("data", "response.npz.xz").read_bytes()
    assert len(packed) < 300_000
    shipped = arrays(packed)
    assert made.keys() == shipped.keys()
    for name in made.keys() - {"tailed"}:  # sums, whose last bit depends on the machine
        np.testing.assert_array_equal(made[name], shipped[name], err_msg=name)
    before, after = (tables.unpacked_spectra(which["tailed"], 3210) for which in (shipped, made))
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-12)


def test_matrix_equals_the_published_one(spectroscopy, native, photon):
    with fits.open(spectroscopy / "truth" / "drm_no_tail.fits") as file:
        np.testing.assert_allclose(response_tables().photon_edges, file["EDGES"].data, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(native, file["CHANNELS"].data)
        expected = np.array(file["DRM"].data, dtype=float)
    got = detector_matrix(native, tailing=False).T
    repaired = [int(np.abs(photon - kev).argmin()) for kev in WRONG_SIDE]
    np.testing.assert_allclose(np.delete(got, repaired, axis=0), np.delete(expected, repaired, axis=0), rtol=1e-6)
    np.testing.assert_allclose(got[repaired].sum(axis=1) / expected[repaired].sum(axis=1), [1.0147, 1.0014], atol=1e-4)


def test_tables_of_another_schema_or_unit_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "SCHEMA", 99)
    response_tables.cache_clear()
    try:
        with pytest.raises(CalibrationError, match="schema 1, this software reads 99"):
            response_tables()
    finally:
        response_tables.cache_clear()
    with pytest.raises(CalibrationError, match=r"some\.csv: an energy is not a multiple of 0\.0001 keV"):
        maker._integers(np.array([3.00005]), "some.csv")


def test_rows_with_and_without_windows_grids_and_tailing(agrees, spectroscopy, native, photon):
    rows = json.loads((spectroscopy / "truth" / "drm_rows.json").read_text())["rows"]
    assert len(rows) == 18
    choice = {"detectors": COARSE, "pixels": LARGE}
    matrix = {t: detector_matrix(native, tailing=t) for t in (False, True)}
    for row in rows.values():
        j = row["row"]
        assert photon[j] == pytest.approx(np.mean(row["photon_bin_keV"]), abs=1e-6)
        np.testing.assert_allclose(matrix[False][:, j], row["drm_no_tail"], rtol=6e-6, atol=1e-10)  # six digits
        # the two repaired rows add up to 1e-6 to those with tailing
        np.testing.assert_allclose(matrix[True][:, j], row["drm_tail"], rtol=6e-6, atol=1e-6)
        for shut in (False, True):
            for tail in (False, True):
                key = f"srm_{'att' if shut else 'no_att'}_{'tail' if tail else 'no_tail'}_per_photon"
                got = make_response(native, **choice, attenuator=shut, tailing=tail).matrix[:, j]
                np.testing.assert_allclose(got, row[key], rtol=1e-5, atol=2e-6 * got.max())
    places = [row["row"] for row in rows.values()]
    for tailing, key, words in ((False, "drm_no_tail", "without"), (True, "drm_tail", "with")):
        expected = [row[key] for row in rows.values()]
        agrees(f"detector at 18 energies {words} loss of charge", matrix[tailing][:, places].T, expected, atol=1e-6)


def test_totals_with_tailing(agrees, native, photon):
    # total and main channels, as computed apart from this code with stx_tailing_matrix
    tailed = detector_matrix(native, tailing=True)
    for energy, total, parts in [
        (6.02, 0.6716, {5: 0.3494, 6: 0.1853, 4: 0.1343}),
        (10.02, 0.9120, {9: 0.4418, 10: 0.3416, 8: 0.0543}),
        (20.025, 0.9787, {18: 0.5783, 20: 0.3791, 16: 0.0075}),
        (50.025, 0.9863, {45: 0.7286, 50: 0.1248}),
        (100.025, 0.6599, {84: 0.5807, 76: 0.0275, 63: 0.0076}),
    ]:
        row = tailed[:, np.abs(photon - energy).argmin()]
        got = [row.sum(), *(row[list(native).index(channel)] for channel in parts)]
        agrees(
            f"{energy:.0f} keV with loss of charge: all counts, main channels", got, [total, *parts.values()], atol=6e-5
        )


@pytest.mark.parametrize("tailing", [False, True])
def test_a_native_edge_that_is_taken_away_is_interpolated(native, photon, tailing):
    below, above = _cumulative(tailing)
    weight = photon**-4.0 * np.diff(response_tables().photon_edges)
    weight *= window_transmission(photon, (0,), attenuator=False)
    worst = {}
    for i in range(1, 30):
        rest = np.delete(np.arange(31), i)
        got = _below(native[i], native[rest], photon, below[rest], above[rest])
        for low, high in ((below[i - 1], got), (got, below[i + 1])):
            true = below[i] - below[i - 1] if high is got else below[i + 1] - below[i]
            error = abs(((high - low) * weight).sum() / (true * weight).sum() - 1.0)
            worst[native[i]] = max(worst.get(native[i], 0.0), error)
    # the limits of the docstring; each of these channels is twice as wide as any that real edges divide
    assert max(worst.values()) < 0.16
    assert max(error for edge, error in worst.items() if edge >= 6) < 0.055
    assert max(error for edge, error in worst.items() if 7 <= edge <= 18) < 0.015
