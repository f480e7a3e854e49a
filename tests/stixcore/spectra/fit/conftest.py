"""A small instrument, a stand-in for the thermal model, and spectra with known truth."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.spectra.counts import CountSpectrum, systematic_errors
from stixcore.spectra.fit import components
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.response import Response

EDGES = np.array(
    [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 84.0]
)
PLACE = {"detectors": (0, 1, 2), "pixels": (0, 1)}


def thermal_flux(edges, shape, constants):
    """exp(−E/kT)/(E √kT), about the flux of 10⁴⁹ cm⁻³ at 1 AU."""
    middle = np.sqrt(edges[1:] * edges[:-1])
    return 1.3e8 * constants["abundance"] * np.exp(-middle / shape[0]) / (middle * np.sqrt(shape[0]))


@pytest.fixture
def thermal_stand_in(monkeypatch):
    monkeypatch.setitem(components.COMPONENTS, "vth", replace(components.COMPONENTS["vth"], flux=thermal_flux))


@pytest.fixture(scope="session")
def instrument():
    """Response with 1 keV resolution, a window, and an attenuator that stops what is below 10 keV."""
    from scipy.special import ndtr

    photons = np.geomspace(3.5, 300.0, 250)
    energy = np.sqrt(photons[1:] * photons[:-1])
    spread = ndtr((EDGES[:, None] - energy) / 0.43)

    def make(*, attenuator=False, tailing=True):
        passed = 0.2 * np.exp(-((7.0 / energy) ** 3)) * np.exp(-((18.0 / energy) ** 3) * attenuator)
        return Response(
            photon_edges=photons,
            channel_edges=EDGES,
            matrix=np.diff(spread, axis=0) * passed,
            area=18.0,
            scheme="gsw-2026",
            attenuator=attenuator,
            place=(0.0, 0.0),
            tailing=tailing,
            **PLACE,
        )

    return make


@pytest.fixture(scope="session")
def make_spectrum():
    """Counts of a thermal and a thick-target component; expected ones without a generator of random numbers."""

    def make(
        response,
        kt=1.5,
        em=0.25,
        norm=0.0,
        delta=4.0,
        e_cut=20.0,
        *,
        rng=None,
        livetime=4.0,
        distance=1.0,
        back=3.0,
        systematic=None,
        rcr=0,
        exposures=30.0,
    ):
        flux = em * thermal_flux(response.photon_edges, (kt,), {"abundance": 1.0})
        if norm:
            flux = flux + thick_target(response.photon_edges, norm, ElectronSpectrum(delta, e_cut))
        source = response.fold(flux) * livetime / distance**2
        background = np.full(source.size, back * livetime)
        if rng is None:
            total, measured = source + background, background
        else:
            total = rng.poisson(source + background).astype(float)
            measured = rng.poisson(background * exposures) / exposures
        fraction = systematic_errors(EDGES[:-1], EDGES[1:]) if systematic is None else np.full(source.size, systematic)
        return CountSpectrum(
            e_low=EDGES[:-1],
            e_high=EDGES[1:],
            counts=total - measured,
            sigma=np.sqrt(total + measured / exposures),
            background=measured,
            background_sigma=np.sqrt(measured / exposures),
            systematic=fraction,
            livetime=livetime,
            t_start=np.datetime64("2024-03-10T12:00:00"),
            t_end=np.datetime64("2024-03-10T12:00:04"),
            rcr=rcr,
            **PLACE,
        )

    return make
