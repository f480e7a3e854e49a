"""The flare of 2024-03-10: counts and fit published with sunkit-spex (soler-he/sunkit-spex_demo), and our response."""

import json

import numpy as np
import pytest
from astropy.io import fits

from stixcore.spectra.counts import CountSpectrum, systematic_errors
from stixcore.spectra.fit import fit_spectrum
from stixcore.spectra.fit.model import SpectralModel
from stixcore.spectra.models.albedo import Albedo, ReflectionTable
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectra.response import make_response
from stixcore.spectra.tables import response_tables

#: Exposure of the five seconds before, expected counts and first channel of the check; see the dossier of spectroscopy.
LIVETIME = 4.001
DIRECT = [2199, 2465, 1565, 1433, 945, 719, 682, 517, 477, 424, 302, 151, 142, 162]
TOTAL = [3454, 3969, 2543, 2327, 1524, 1147, 1073, 801, 726, 629, 438, 214, 197, 218]
FROM_20_KEV = slice(14, 28)
COARSE = tuple(d for d in range(32) if d not in (8, 9, 10, 11, 12, 16, 17, 18))


@pytest.fixture(scope="module")
def published(shared_data):
    path = shared_data / "spectroscopy" / "truth" / "published_fits.json"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return json.loads(path.read_text())["soler_20240310"]


@pytest.fixture(scope="module")
def green(shared_data):
    """The Green's functions that the published fit used, 1 keV bins from 3 keV."""
    path = shared_data / "spectroscopy" / "tables" / "albedo_green_3_300keV.fits.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with fits.open(path) as hdus:
        values = next(np.asarray(hdu.data, dtype=float) for hdu in hdus if hdu.data is not None)
    return ReflectionTable(0.05 * np.arange(1, 20), 3.5 + np.arange(values.shape[1]), values)


@pytest.fixture(scope="module")
def response(published):
    return make_response(
        response_tables().channel_edges,
        detectors=COARSE,
        pixels=range(8),
        place=tuple(published["flare_location_stx_arcsec"]),
        tailing=False,
    )


@pytest.fixture
def spectrum(published, response):
    counts = np.array(published["counts_background_subtracted"])
    low, high = response.channel_edges[:-1], response.channel_edges[1:]
    return CountSpectrum(
        e_low=low,
        e_high=high,
        counts=counts,
        sigma=np.sqrt(np.maximum(counts, 1.0)),
        background=np.zeros(counts.size),
        systematic=systematic_errors(low, high),
        livetime=LIVETIME,
        t_start=np.datetime64("2024-03-10T12:05:55"),
        t_end=np.datetime64("2024-03-10T12:06:00"),
        detectors=COARSE,
        pixels=tuple(range(8)),
    )


@pytest.mark.parametrize(("albedo", "expected"), [(False, DIRECT), (True, TOTAL)])
def test_the_published_model_gives_the_expected_counts(agrees, published, response, green, albedo, expected):
    reflection = Albedo(response.photon_edges, published["albedo_angle_deg"], table=green)

    def fold(flux):
        seen = flux + reflection.reflected(flux) if albedo else flux
        return response.fold(seen) * LIVETIME / published["distance_AU"] ** 2

    fit = published["fit"]
    # the electrons end at the break of 1500 keV: the index above is steep
    model = SpectralModel("thick2", response.photon_edges, fold, {"e_break_keV": 1500.0, "delta_above": 20.0})
    x = np.log([fit["Flux_1e35"], fit["delta"] - 1.0, fit["Elow_keV"]])
    counts = model.exact(x)["thick2"][FROM_20_KEV]
    name = "with" if albedo else "without"
    agrees(f"counts of the published fit of 2024-03-10, 20-84 keV, {name} albedo", counts, expected, rtol=5e-3)


def test_the_fit_agrees_with_the_published_one(agrees, published, response, spectrum):
    found = fit_spectrum(
        spectrum,
        response,
        distance=published["distance_AU"],
        angle=published["albedo_angle_deg"],
        energy=(4.0, 84.0),
    )
    expected = published["fit"]
    assert found.model == "vth+thick2"
    got = {name: value.value for name, value in found.parameters.items()}
    agrees("its fit: T [MK]", got["T_keV"] / KEV_PER_MK, expected["T_MK"], rtol=0.05)
    agrees("EM [10⁴⁹ cm⁻³]", got["EM_1e49_cm3"], expected["EM_1e49"], rtol=0.05)
    agrees("δ", got["delta"], expected["delta"], atol=0.1)
    agrees("E_c [keV]", got["e_cut_keV"], expected["Elow_keV"], atol=2)
    agrees("F₀ [10³⁵ s⁻¹]", got["norm_1e35_per_s"], expected["Flux_1e35"], rtol=0.3)
    assert found.pair is not None
    assert found.pair.correlation < -0.9
    assert found.reduced_chi2 < 2
    assert found.verdict == "trusted"
