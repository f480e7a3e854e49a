"""The thermal spectrum: OSPEX's numbers, published scaling, bins, abundance, refusals."""

import csv
import json

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import SelectionError
from stixcore.spectra.models.thermal import (
    AU,
    EM_UNIT,
    KEV_PER_MK,
    ThermalTable,
    abundance_factors,
    built_in_table,
    thermal,
)

HC = 12.39841984  # keV Å
FINE = np.arange(4.0, 60.0, 0.01)


@pytest.fixture(scope="module")
def ospex(shared_data):
    """f_vth, its continuum and its lines at 6 MK and 10⁴⁴ cm⁻³, as SolarSoft prints them (CHIANTI 7.1)."""
    return json.loads((shared_data / "spectroscopy/truth/models_idl.json").read_text())["thermal"]


def at_ospex_energies(edges, temperature, abundance=1.0):
    """Continuum where OSPEX evaluates it: at the geometric mean of the edges, not as the mean of the bin."""
    energy = np.sqrt(edges[1:] * edges[:-1])
    return built_in_table().continuum_emissivity(energy, temperature, abundance) * 1e44 / (4 * np.pi * AU**2)


def test_continuum_is_that_of_ospex_within_one_percent(agrees, ospex):
    edges = np.arange(3, 28.1, 0.5)
    agrees("f_vth continuum, 6 MK, 3-28 keV", at_ospex_energies(edges, 6.0), ospex["continuum"], rtol=0.01)
    agrees("the same, 6-28 keV", at_ospex_energies(edges, 6.0)[6:], ospex["continuum"][6:], rtol=0.004)


def test_lines_are_those_of_ospex_within_the_flux(agrees, ospex):
    edges = np.arange(3, 28.1, 0.5)
    bins = thermal(edges, 6.0, 1e-5)
    mean_continuum = thermal(edges, 6.0, 1e-5, table=without_lines(built_in_table()))
    lines, whole = np.array(ospex["lines"]), np.array(ospex["f_vth"])
    agrees("lines ÷ f_vth, 6 MK, 3-28 keV", (bins - mean_continuum) / whole, lines / whole, atol=0.03)
    total = at_ospex_energies(edges, 6.0) + bins - mean_continuum
    agrees("f_vth, 6 MK, 3-28 keV (CHIANTI 7.1)", total, ospex["f_vth"], rtol=0.03)


@pytest.mark.parametrize("temperature", [6.30957, 10.0, 15.8489, 19.9526, 31.6228, 50.1187])
def test_lines_and_continuum_are_those_of_chianti_10(shared_data, temperature):
    path = shared_data / "spectroscopy/tables/chianti10_emissivity_1_6A.csv"
    with path.open() as stream:
        rows = list(csv.reader(line for line in stream if not line.startswith("#")))
    wavelength = np.array(rows[0][1:], dtype=float)
    row = min(rows[1:], key=lambda row: abs(float(row[0]) / (temperature * 1e6) - 1))
    expected, kelvin = np.array(row[1:], dtype=float) * 4 * np.pi, float(row[0])
    table, energy = built_in_table(), HC / wavelength
    continuum = table.continuum_emissivity(energy, kelvin / 1e6) * energy / wavelength  # per Å
    edges = np.sort(HC / np.append(wavelength + 0.05, wavelength[0] - 0.05))
    strength = table.line_emissivity(kelvin / 1e6)
    lines = np.histogram(table.line_energy, edges, weights=strength)[0][::-1] / 0.1
    ratio = (continuum + lines) / expected
    # 1.9 Å completes the table; at 1.4 Å, beside the edge of Fe XXV, ours has up to 6 % more: satellites of Fe XXV
    checked = (wavelength < 4.05) & ~np.isclose(wavelength, 1.9) & ~np.isclose(wavelength, 1.4)
    np.testing.assert_allclose(ratio[checked], 1, atol=0.012)
    assert np.sqrt(np.mean((ratio[checked] - 1) ** 2)) < 0.005


def without_lines(table):
    return ThermalTable(
        "no lines",
        "",
        "",
        table.log_t,
        table.energy,
        table.continuum,
        np.array([5.0]),
        np.array([0]),
        np.full((len(table.log_t), 1), -690.0),
    )


def test_doubled_abundance_adds_more_than_iron_alone(ospex):
    # OSPEX's numbers double iron alone; the parameter also scales Ni, Si, Ca and half of S. At 6 MK recombination to Si
    # is three times that to Fe
    edges = np.arange(3, 28.1, 0.5)
    ratio = at_ospex_energies(edges, 6.0, 2.0) / at_ospex_energies(edges, 6.0)
    iron = np.array(ospex["continuum_Fe_x2"]) / np.array(ospex["continuum"])
    assert np.all(ratio > iron)
    assert np.all(ratio < 1.35)


def test_a_mean_of_a_bin_is_the_integral():
    wide = thermal([10.0, 12.0], 8.0, 1.0)
    fine = thermal(np.linspace(10.0, 12.0, 2001), 8.0, 1.0)
    np.testing.assert_allclose(wide, fine.mean(), rtol=1e-5)
    very_wide = thermal([9.5, 40.0], 8.0, 1.0)
    np.testing.assert_allclose(
        very_wide * 30.5, thermal(np.linspace(9.5, 40.0, 30501), 8.0, 1.0).sum() * 1e-3, rtol=1e-3
    )


def test_lines_keep_their_photons_and_their_energy():
    table = built_in_table()
    coarse, fine = np.arange(6.0, 9.01, 0.25), np.arange(6.0, 9.0001, 0.01)
    total = table.line_emissivity(20.0)[(table.line_energy > 6) & (table.line_energy < 9)].sum()
    for edges in (coarse, fine):
        lines = thermal(edges, 20.0, 1.0) - thermal(edges, 20.0, 1.0, table=without_lines(table))
        counts = lines * np.diff(edges)
        assert counts.sum() == pytest.approx(total * EM_UNIT / (4 * np.pi * AU**2), rel=1e-3)
        mean = (counts * (edges[1:] + edges[:-1]) / 2).sum() / counts.sum()
        assert mean == pytest.approx(6.75, abs=0.1)


def test_iron_complex_grows_and_moves_as_the_plasma_is_heated():
    table = built_in_table()
    complex_ = (table.line_energy > 6.3) & (table.line_energy < 7.0)
    strength, centre = [], []
    for temperature in (8.0, 12.0, 20.0, 30.0):
        lines = table.line_emissivity(temperature)[complex_]
        strength.append(lines.sum() / table.continuum_emissivity(np.array([6.7]), temperature)[0])
        centre.append((lines * table.line_energy[complex_]).sum() / lines.sum())
    assert strength[0] < strength[1] < strength[2]
    # 6.5 keV where Fe XXI-XXIII satellites rule, 6.67 for Fe XXV, higher with Fe XXVI (Phillips 2004, ApJ 605, 921)
    assert centre == sorted(centre)
    # equivalent width of 3-5 keV at 20-30 MK (Phillips 2004, figure 4)
    assert 2.5 < strength[2] < 5.5
    assert centre[2] == pytest.approx(6.67, abs=0.02)


def test_far_above_the_edges_it_is_bremsstrahlung():
    # Tandberg-Hanssen & Emslie 1988, eq. 5.7-5.10: 8.1e-39 g e^{-E/kT} T^{-1/2} EM/E with g = (kT/E)^0.4 per keV, a
    # formula of hydrogen alone: helium and metals add half as much and more, less so at high temperature
    energy = np.array([15.0, 20.0, 30.0])
    ratios = []
    for temperature in (20.0, 30.0, 60.0):
        kt = KEV_PER_MK * temperature
        simple = 8.1e-39 * (kt / energy) ** 0.4 * np.exp(-energy / kt) / np.sqrt(temperature * 1e6) / energy
        found = built_in_table().continuum_emissivity(energy, temperature) / (4 * np.pi * AU**2)
        ratios.append(found / simple)
    ratios = np.array(ratios)
    assert np.all(ratios > 1.0)
    assert np.all(ratios < 3.5)
    assert np.all(np.diff(ratios, axis=0) < 0)


def test_abundance_scales_four_elements_and_half_of_sulphur():
    assert abundance_factors(0.5) == (1.0, 0.5, 0.75)
    edges = np.array([6.4, 7.0])
    one, half, none = (thermal(edges, 20.0, 1.0, abundance=a) for a in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(half, (one + none) / 2, rtol=1e-6)
    assert none < 0.35 * one


def test_emission_measure_is_linear_and_zero_is_nothing():
    np.testing.assert_allclose(thermal(FINE, 15.0, 3.0), 3 * thermal(FINE, 15.0, 1.0))
    assert not thermal(FINE, 15.0, 0.0).any()


@pytest.mark.parametrize("temperature", [1.0, 3.7, 5.0, 11.2, 20.0, 49.0, 100.0])
def test_finite_and_positive_on_the_axis_of_the_instrument(temperature):
    edges = np.concatenate([np.arange(3.0, 20.0, 0.01), np.arange(20.0, 100.0, 0.1), np.arange(100, 496, 5.0)])
    flux = thermal(edges, temperature, 1.0)
    assert np.all(np.isfinite(flux))
    assert np.all(flux >= 0)
    assert flux[0] > 0


def test_the_grid_of_temperatures_leaves_no_steps():
    temperatures = np.geomspace(5.0, 60.0, 600)
    flux = np.array([thermal([6.0, 7.0], t, 1.0)[0] for t in temperatures])
    logarithm = np.log(flux)
    slope = np.diff(logarithm) / np.diff(np.log(temperatures))
    assert np.abs(np.diff(slope)).max() < 0.15
    assert np.all(slope > 0.2)


def test_counts_of_the_flare_of_2024_03_10_below_the_thick_target(shared_data):
    # Published fit (sunkit-spex with CHIANTI 7.1): 20.18 MK, 0.247·10⁴⁹ cm⁻³. At 6-10 keV thermal photons, with 5-15 %
    # of albedo and thick target not included here, make nearly all counts.
    folder = shared_data / "spectroscopy"
    with fits.open(folder / "truth/drm_no_tail.fits") as hdus:
        edges, channels = hdus["EDGES"].data.astype(float), hdus["CHANNELS"].data.astype(float)
    with fits.open(folder / "srm/stixpy_pr192_20240310_top24.fits") as hdus:
        srm, area, exposure = hdus["SRM"].data.astype(float), hdus[0].header["GEOAREA"], hdus[0].header["EXPTIME"]
    fit = json.loads((folder / "truth/published_fits.json").read_text())["soler_20240310"]
    flux = thermal(edges, fit["fit"]["T_MK"], fit["fit"]["EM_1e49"]) / fit["distance_AU"] ** 2
    counts = (flux * np.diff(edges)) @ srm * area * exposure
    ratio = counts / np.array(fit["counts_background_subtracted"])
    assert channels[2] == 6
    assert np.all((ratio[2:5] > 0.75) & (ratio[2:5] < 1.0))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"temperature": 0.5}, "temperature 0.5 MK is outside"),
        ({"temperature": np.nan}, "temperature nan MK is outside"),
        ({"emission_measure": -1.0}, "emission_measure -1 is negative"),
        ({"abundance": np.inf}, "abundance inf is negative or not finite"),
        ({"photon_edges": [5.0]}, "photon_edges"),
        ({"photon_edges": [5.0, 5.0]}, "photon_edges"),
        ({"photon_edges": [0.0, 5.0]}, "photon_edges"),
    ],
)
def test_refusals(changed, said):
    arguments = {"photon_edges": [5.0, 6.0], "temperature": 10.0, "emission_measure": 1.0} | changed
    with pytest.raises(SelectionError, match=said):
        thermal(**arguments)


def test_the_table_says_what_it_is():
    table = built_in_table()
    assert table.label == "CHIANTI 10.1 (built in)"
    assert table.temperature_range == pytest.approx((1.0, 100.0))
