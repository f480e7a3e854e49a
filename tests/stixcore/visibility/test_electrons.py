"""Inversion of visibilities to electrons: exact data, known spectra, coverage of the errors, symmetries."""

import numpy as np
import pytest

from stixcore.errors import ReconstructionError
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.spectra.electron_response import UNIT, electron_edges, electron_response, thick_target_electrons
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.models.thin_target import NORM, thin_target
from stixcore.spectra.response import make_response
from stixcore.visibility.electrons import invert, reference_spectrum
from stixcore.visibility.form import SYSTEMATIC_ERROR

CHANNELS = np.array([10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63.0])
EDGES = electron_edges(10.0)
CENTRES = np.sqrt(EDGES[1:] * EDGES[:-1])
ENERGIES = np.array([12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0])
N_VIS = 24
#: σ of a visibility of unit flux, times the root of the counts of its sub-collimator.
NOISE = 2.2


@pytest.fixture(scope="module")
def response():
    return make_response(CHANNELS, detectors=tuple(detector_indices(IMAGING_LABELS)), pixels=tuple(range(8)))


@pytest.fixture(scope="module")
def matrix(response):
    return electron_response(response, EDGES, 1.0)


class Flare:
    """Sources with known electrons, and counts from models of their own."""

    def __init__(self, counts, electrons, matrix, total, seed=0):
        rng = np.random.default_rng(seed)
        shape = rng.uniform(0.3, 1.0, (len(counts), N_VIS)) * np.exp(
            2j * np.pi * rng.uniform(size=(len(counts), N_VIS))
        )
        norm, self.shape = total / np.sum(counts), shape
        self.matrix, self.counts, self.electrons = matrix, norm * np.sum(counts, axis=0), norm * np.array(electrons)
        self.vis = (norm * np.array(counts)).T @ shape / self.counts[:, None]
        at = np.array([np.exp(np.interp(np.log(ENERGIES), np.log(CENTRES), np.log(one))) for one in self.electrons])
        self.truth, self.total = at.T @ shape, at.sum(axis=0)
        self.sigma = np.repeat(NOISE * np.sqrt(N_VIS / self.counts)[:, None], N_VIS, axis=1)
        self.error = np.sqrt(self.counts + (0.03 * self.counts) ** 2)
        self.reference = reference_spectrum(matrix, self.counts, self.error, CENTRES)

    def noisy(self, rng):
        return self.vis + self.sigma * (rng.normal(size=self.vis.shape) + 1j * rng.normal(size=self.vis.shape))

    def invert(self, vis=None, **others):
        vis = self.vis if vis is None else vis
        return invert(
            vis, self.sigma, self.counts, self.error, self.matrix, self.reference, CENTRES, ENERGIES, **others
        )


def footpoints(response, matrix, total=1e6):
    spectra = [ElectronSpectrum(4.0, 14.0), ElectronSpectrum(6.0, 14.0)]
    counts = [response.fold(thick_target(response.photon_edges, 1.0, one)) for one in spectra]
    electrons = [thick_target_electrons(CENTRES, 1.0, one) for one in spectra]
    scale = [1.0 / one.sum() for one in counts]  # as many counts from each
    return Flare(
        [s * one for s, one in zip(scale, counts, strict=True)],
        [s * one for s, one in zip(scale, electrons, strict=True)],
        matrix,
        total,
    )


@pytest.mark.parametrize("delta", [3.0, 5.0, 7.0])
def test_electrons_of_a_thin_target_are_found(response, matrix, delta):
    spectrum = ElectronSpectrum(delta, EDGES[0], e_high=EDGES[-1])
    counts = response.fold(thin_target(response.photon_edges, 1.0, spectrum))
    flare = Flare([counts], [NORM * spectrum.flux(CENTRES) / UNIT], matrix, 1e6)
    rng = np.random.default_rng(3)
    flare.counts = rng.normal(flare.counts, np.sqrt(flare.counts))
    found = flare.invert(flare.noisy(rng))
    np.testing.assert_allclose(found.total, flare.total, rtol=0.1)
    assert (np.abs(found.total - flare.total) < 3.0 * found.total_sigma + 0.03 * flare.total).all()


def test_electrons_of_two_thick_targets_are_found_with_their_indices(response, matrix):
    flare = footpoints(response, matrix)
    found = flare.invert(flare.noisy(np.random.default_rng(4)))
    np.testing.assert_allclose(found.total[2:], flare.total[2:], rtol=0.1)
    assert found.dof > 2.0
    assert found.reduced_chi2 == pytest.approx(1.0, abs=0.1)
    assert found.quantiles()[2, 1] == pytest.approx(20.0, rel=0.1)


@pytest.mark.parametrize("total", [3e4, 1e5, 1e6])
def test_errors_cover_the_truth(response, matrix, total):
    """Also what smoothing removes: without that part, pulls reach 3."""
    flare = footpoints(response, matrix, total)
    rng = np.random.default_rng(5)
    pulls = []
    for _ in range(30):
        found = flare.invert(flare.noisy(rng))
        without_gain = np.sqrt(found.sigma**2 - (SYSTEMATIC_ERROR * np.abs(found.vis)) ** 2)
        off = (found.vis - flare.truth) / without_gain
        pulls.append(np.concatenate([off.real, off.imag], axis=1))
    spread = np.sqrt((np.concatenate(pulls, axis=1) ** 2).mean(axis=1))
    assert (spread > 0.4).all()
    assert (spread < 1.3).all()
    assert np.sqrt((spread**2).mean()) == pytest.approx(0.9, abs=0.25)


def test_weak_regularization_gives_exact_data_back(response, matrix):
    flare = footpoints(response, matrix)
    found = flare.invert(strength=1e-9)
    assert found.chi2_of_labels.max() < 1e-6 * (np.abs(flare.vis / flare.sigma) ** 2).sum()


def test_with_as_few_bins_as_channels_exact_data_give_exact_electrons(response):
    edges = np.geomspace(10.0, 70.0, 9)
    centres = np.sqrt(edges[1:] * edges[:-1])
    matrix = electron_response(response, edges, 1.0)
    electrons = np.array([1e5 * (centres / 10.0) ** -4.0, 1e4 * (centres / 10.0) ** -2.0])
    shape = np.exp(2j * np.pi * np.random.default_rng(6).uniform(size=(2, N_VIS)))
    counts = matrix @ electrons.sum(axis=0)
    vis = (electrons @ matrix.T).T @ shape / counts[:, None]
    found = invert(
        vis, np.full(vis.shape, 1e-3), counts, 0.01 * counts, matrix, electrons.sum(axis=0), centres, centres,
        strength=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(found.vis, electrons.T @ shape, rtol=1e-6)
    np.testing.assert_allclose(found.kernel, np.eye(8), atol=1e-6)


def test_a_flare_with_one_spectrum_has_the_same_map_at_all_energies(response, matrix):
    """Strong regularization leaves the energy dependence of the whole flare, and nothing of the others."""
    flare = footpoints(response, matrix)
    shape = np.exp(2j * np.pi * np.random.default_rng(7).uniform(size=N_VIS))
    found = flare.invert(np.tile(shape, (flare.counts.size, 1)), strength=1e6)
    np.testing.assert_allclose(found.vis / found.total[:, None], np.tile(shape, (ENERGIES.size, 1)), rtol=1e-6)
    np.testing.assert_allclose(found.kernel.sum(axis=1), 1.0, rtol=1e-9)


def test_kernel_is_what_the_inversion_does(response, matrix):
    """For exact counts of any electrons, the result is their average with the kernel."""
    flare = footpoints(response, matrix)
    found = flare.invert(strength=100.0)
    other = 1e4 * np.exp(-(((CENTRES - 30.0) / 8.0) ** 2))
    vis = np.tile((matrix @ other / flare.counts)[:, None].astype(complex), (1, N_VIS))
    again = flare.invert(vis, strength=100.0)
    spectrum = np.exp(np.interp(np.log(ENERGIES), np.log(CENTRES), np.log(flare.reference)))
    expected = spectrum * (found.kernel @ (other / flare.reference))
    np.testing.assert_allclose(again.vis[:, 0].real, expected, rtol=1e-6)


@pytest.mark.parametrize("total", [3e4, 1e5, 1e6])
def test_contrast_is_the_share_of_a_difference_of_indices_that_is_left(response, matrix, total):
    """Indices that differ by 2, from the fluxes of two sources whose places are known."""
    flare = footpoints(response, matrix, total)
    found = flare.invert()
    # W = Σ_source flux · shape; neighbouring energies give the index
    first, second = np.linalg.lstsq(flare.shape.T, found.vis.T)[0].real
    steps = np.diff(np.log(ENERGIES[2:6]))
    difference = np.diff(np.log(first / second)[2:6]) / steps
    between = 0.5 * (found.contrast[2:5] + found.contrast[3:6])
    np.testing.assert_allclose(difference / 2.0, between, atol=0.08)


def test_contrast_of_extreme_strengths(response, matrix):
    flare = footpoints(response, matrix)
    np.testing.assert_allclose(flare.invert(strength=1e6).contrast, 0.0, atol=0.02)
    np.testing.assert_allclose(flare.invert(strength=1e-4).contrast[2:-1], 1.0, atol=0.1)


def test_linear_for_a_given_strength_and_the_same_wherever_the_map_centre_is(response, matrix):
    flare = footpoints(response, matrix)
    rng = np.random.default_rng(8)
    first, second = flare.noisy(rng), flare.noisy(rng)
    one, two, both = (flare.invert(vis, strength=50.0).vis for vis in (first, second, first + 2.0 * second))
    np.testing.assert_allclose(both, one + 2.0 * two, rtol=1e-9)
    turn = np.exp(2j * np.pi * rng.uniform(size=N_VIS))
    still, moved = flare.invert(first), flare.invert(first * turn)
    assert moved.strength == still.strength
    np.testing.assert_allclose(moved.vis, still.vis * turn, rtol=1e-9)
    np.testing.assert_allclose(moved.sigma, still.sigma, rtol=1e-9)


def test_channels_that_disagree_have_larger_errors(response, matrix):
    flare = footpoints(response, matrix)
    rng = np.random.default_rng(9)
    noise = flare.noisy(rng)
    found, worse = flare.invert(noise, strength=50.0), flare.invert(3.0 * noise - 2.0 * flare.vis, strength=50.0)
    assert found.scale == pytest.approx(1.0, abs=0.1)
    assert worse.scale > 4.0
    assert worse.reduced_chi2 > 4.0


def test_data_that_cannot_be_inverted_are_refused(response, matrix):
    flare = footpoints(response, matrix)
    given = (flare.vis, flare.sigma, flare.counts, flare.error, matrix, flare.reference, CENTRES)
    with pytest.raises(ReconstructionError, match=r"electron energies are 8\.8-961 keV, found 5 keV"):
        invert(*given, np.array([5.0]))
    with pytest.raises(ReconstructionError, match="at least 4 channels, found 3"):
        invert(*(one[:3] for one in given[:5]), flare.reference, CENTRES, ENERGIES)
    with pytest.raises(ReconstructionError, match="not a finite number with a positive error"):
        invert(flare.vis, 0.0 * flare.sigma, *given[2:], ENERGIES)
    with pytest.raises(ReconstructionError, match="count rate of a channel is not a positive number"):
        invert(flare.vis, flare.sigma, -flare.counts, *given[3:], ENERGIES)
    with pytest.raises(ReconstructionError, match="no power law has positive counts"):
        reference_spectrum(matrix, -flare.counts, flare.error, CENTRES)
