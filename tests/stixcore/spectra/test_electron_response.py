"""Counts per electron flux: against the models of thin and thick target, which integrate differently."""

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.spectra.electron_response import UNIT, electron_edges, electron_response, thick_target_electrons
from stixcore.spectra.models.albedo import Albedo
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.models.thin_target import NORM, thin_target
from stixcore.spectra.response import make_response

CHANNELS = np.array([10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63.0])
EDGES = electron_edges(10.0)
CENTRES = np.sqrt(EDGES[1:] * EDGES[:-1])


@pytest.fixture(scope="module")
def response():
    return make_response(CHANNELS, detectors=tuple(detector_indices(IMAGING_LABELS)), pixels=tuple(range(8)))


@pytest.mark.parametrize("delta", [3.0, 4.0, 7.0])
def test_a_thin_target_gives_its_counts(response, delta):
    """The bins begin at 8.5 keV: photons below scatter into no channel that is used."""
    electrons = ElectronSpectrum(delta, EDGES[0], e_high=EDGES[-1])
    counts = response.fold(thin_target(response.photon_edges, 1.0, electrons))
    flux = NORM * electrons.flux(CENTRES) / UNIT
    np.testing.assert_allclose(electron_response(response, EDGES, 1.0) @ flux, counts, rtol=3e-3)


@pytest.mark.parametrize("delta", [4.0, 6.0])
def test_a_thick_target_gives_its_counts(response, delta):
    electrons = ElectronSpectrum(delta, 18.0)
    counts = response.fold(thick_target(response.photon_edges, 2.0, electrons))
    flux = thick_target_electrons(CENTRES, 2.0, electrons)
    # of δ = 4, 1 % of the photons at 60 keV are from electrons above 1 MeV
    np.testing.assert_allclose(electron_response(response, EDGES, 1.0) @ flux, counts, rtol=0.02)


def test_distance_and_reflected_photons(response):
    near, far = (electron_response(response, EDGES, distance) for distance in (0.5, 1.0))
    np.testing.assert_allclose(near, 4.0 * far, rtol=1e-12)
    electrons = ElectronSpectrum(4.0, EDGES[0], e_high=EDGES[-1])
    direct = thin_target(response.photon_edges, 1.0, electrons)
    counts = response.fold(direct + Albedo(response.photon_edges, 30.0).reflected(direct))
    reflecting = electron_response(response, EDGES, 1.0, 30.0)
    np.testing.assert_allclose(reflecting @ (NORM * electrons.flux(CENTRES) / UNIT), counts, rtol=3e-3)
    assert (counts > 1.1 * response.fold(direct)).all()


def test_wrong_edges_and_distances_are_refused(response):
    with pytest.raises(SelectionError, match="at least two ascending positive energies"):
        electron_response(response, np.array([10.0, 10.0]), 1.0)
    with pytest.raises(SelectionError, match="distance to the Sun must be a positive number of AU, found 0"):
        electron_response(response, EDGES, 0.0)
