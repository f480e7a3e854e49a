"""Bremsstrahlung against the numbers that SolarSoft's IDL procedures print."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.spectra.models import thick_target, thin_target
from stixcore.spectra.models.bremsstrahlung import (
    AU,
    ELECTRON_RADIUS,
    MC2,
    ElectronSpectrum,
    cross_section,
    energy_loss,
)
from stixcore.spectra.models.thick_target import thick_target_flux
from stixcore.spectra.models.thin_target import thin_target_flux

EDGES = np.arange(25.0, 100.01, 0.5)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
MISPRINT = 129


@pytest.fixture(scope="module")
def truth(shared_data):
    return json.loads((shared_data / "spectroscopy" / "truth" / "models_idl.json").read_text())


def brm2(truth, start):
    return np.array(next(value for key, value in truth["brm2"].items() if key.startswith(start)))


def test_cross_section_and_loss_are_those_of_idl(agrees, truth):
    energies = np.array([1.0, 10.0, 100.0, 1000.0])
    agrees(
        "cross-section of Haug [cm²]", cross_section(energies + 1, energies), brm2(truth, "cross_section"), rtol=1e-12
    )
    agrees("energy loss", energy_loss(energies), brm2(truth, "energy_loss"), rtol=1e-12)


def test_electron_spectrum_is_that_of_idl(agrees, truth):
    energies = np.array([5.0, 10, 50, 150, 300, 500, 750, 1000])
    electrons = ElectronSpectrum(3, 3, 150, 5, 1e4)
    agrees("electrons per keV", electrons.flux(energies), brm2(truth, "distribution"), rtol=1e-12)
    agrees("electrons above an energy", electrons.above(energies), brm2(truth, "density_same"), rtol=1e-12)


def idl_quadrature(photon, electrons):
    """Thick target as IDL integrates it: Gauss-Legendre in log E, points doubled until 1e-4; its error is 6e-5."""

    def integrand(logs):
        energies = 10**logs
        slowed = np.sqrt(energies * (energies + 2 * MC2)) / ((energies / MC2 + 1) * energy_loss(energies))
        return energies * np.log(10) * electrons.above(energies) * cross_section(energies, photon) * slowed

    bounds = [photon, *(part for part in electrons.parts if part > photon)]
    total = 0.0
    for low, high in zip(np.log10(bounds[:-1]), np.log10(bounds[1:]), strict=True):
        last = 0.0
        for power in range(2, 12):
            nodes, weights = np.polynomial.legendre.leggauss(2**power)
            value = (integrand((high - low) / 2 * nodes + (high + low) / 2) * weights).sum() * (high - low) / 2
            if abs(value - last) <= 1e-4 * abs(value):
                break
            last = value
        total += value
    return total / (4 * np.pi * AU**2) / (4 * np.pi * ELECTRON_RADIUS**2 * MC2**3)


def test_thick_target_is_that_of_idl_up_to_its_integration(agrees, truth):
    energies = np.array([5.0, 10, 50, 150, 300, 500])
    expected = brm2(truth, "thick p=5")[:6]
    electrons = ElectronSpectrum(5, 10, 1000, 5, 1e4)
    quadrature = [idl_quadrature(e, electrons) for e in energies]
    agrees("thick target (brm2), integrated as in IDL", quadrature, expected, rtol=1e-6)
    agrees("thick target (brm2), ours", thick_target_flux(energies, electrons), expected, rtol=6e-5)


def test_arrays_are_those_of_idl(agrees, truth):
    electrons = ElectronSpectrum(2, 7, 100, 5, 1500)
    right = np.arange(CENTRES.size) != MISPRINT
    thick = 1.5e35 * thick_target_flux(CENTRES, electrons) / truth["thick_target"]["IDL"]
    agrees("thick target, 25-100 keV, relative", thick[right], np.ones(right.sum()), rtol=4e-4)
    thin = 1.5e55 * thin_target_flux(CENTRES, electrons) / truth["thin_target"]["IDL"]
    agrees("thin target, 25-100 keV, relative", thin, np.ones(thin.size), rtol=2e-5)


@pytest.mark.parametrize(
    ("model", "flux", "norm"), [(thick_target, thick_target_flux, 1e35), (thin_target, thin_target_flux, 1e55)]
)
@pytest.mark.parametrize("shape", [(2, 7, 100, 5, 1500), (5, 20, 1e6, 6, 3.2e4), (4, 12, 30, 8, 60)])
def test_bins_hold_the_mean_of_the_flux(model, flux, norm, shape):
    electrons, high = ElectronSpectrum(*shape), shape[-1]
    edges = np.array([4.0, 4.5, 6, 9, 13, 19, 22, 35, 50, 58, 70, 100])
    got = model(edges, 2.0, electrons)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    for value, low, top in zip(got, edges[:-1], edges[1:], strict=True):
        energies = (top + low) / 2 + (top - low) / 2 * nodes
        reached = np.where(energies < high, energies, high * 2)
        expected = 2 * norm * (flux(reached, electrons) * weights).sum() / 2
        assert value == pytest.approx(expected, rel=3e-3 if top > 0.8 * high else 5e-4, abs=1e-300)


def test_the_gsw_axis_is_right_to_a_few_in_ten_thousand():
    edges = np.concatenate([np.arange(3.005, 20, 0.01), np.arange(20, 100, 0.1), np.arange(100, 500, 5)])
    centres = (edges[1:] + edges[:-1]) / 2
    got = thick_target(edges, 1.0, ElectronSpectrum(3.85, 17.4))
    expected = 1e35 * thick_target_flux(centres, ElectronSpectrum(3.85, 17.4, 1e6, 6, 3.2e4))
    np.testing.assert_allclose(got[centres < 100], expected[centres < 100], rtol=2e-4)


def test_index_one_is_a_logarithm():
    near = thick_target(EDGES, 1.0, ElectronSpectrum(1.0 + 1e-7, 7, 300, 1.0, 2000))
    exact = thick_target(EDGES, 1.0, ElectronSpectrum(1.0, 7, 300, 1.0, 2000))
    np.testing.assert_allclose(exact, near, rtol=1e-5)
    assert np.isfinite(exact).all()


def test_no_photon_has_more_energy_than_the_electrons():
    flux = thick_target(np.array([5.0, 20, 30, 40, 50]), 1.0, ElectronSpectrum(4, 10, e_high=30))
    assert (flux[:2] > 0).all()
    assert (flux[2:] == 0).all()
    assert (thin_target(np.array([40.0, 50, 60]), 1.0, ElectronSpectrum(4, 10, e_high=30)) == 0).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"e_cut": -1.0}, "e_cut must be between 0 and e_high .*found -1 keV"),
        ({"e_cut": 50.0, "e_high": 40.0}, "e_cut must be between 0 and e_high"),
        ({"delta": np.nan}, "delta must be a finite number, found nan"),
        ({"e_break": 0.0}, "e_break must be positive, found 0"),
    ],
)
def test_impossible_electrons_are_refused(changes, sentence):
    with pytest.raises(SelectionError, match=sentence):
        ElectronSpectrum(**{"delta": 4.0, "e_cut": 10.0} | changes)


@pytest.mark.parametrize("model", [thick_target, thin_target])
@pytest.mark.parametrize("edges", [[5.0, 4.0], [0.0, 4.0]])
def test_impossible_edges_are_refused(model, edges):
    with pytest.raises(SelectionError, match="photon_edges must be"):
        model(np.array(edges), 1.0, ElectronSpectrum(4.0, 10.0))
