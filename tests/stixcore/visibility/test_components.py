"""Visibilities of spectral components: exact data, coverage, and weights that cannot be told apart."""

import numpy as np
import pytest

from stixcore.errors import ReconstructionError
from stixcore.visibility.components import component_fluxes, component_weights, condition_number, separate
from stixcore.visibility.form import SYSTEMATIC_ERROR

#: Counts of a steep and of a flat component in twelve channels of 1 keV, and the flux of the channels.
ENERGY = np.arange(6.5, 18.0)
COUNTS = np.array([4e5 * np.exp(-(ENERGY - 6.5) / 1.6), 2e4 * (ENERGY / 6.5) ** -2.0])
FLUX = COUNTS.sum(axis=0) / 400.0
N_VIS = 24


@pytest.fixture
def truth():
    """Visibilities of two components for unit flux, (2, 24) complex."""
    rng = np.random.default_rng(1)
    return rng.uniform(0.1, 0.9, (2, N_VIS)) * np.exp(2j * np.pi * rng.uniform(size=(2, N_VIS)))


@pytest.fixture
def weights():
    return component_weights(COUNTS)


def measured(truth, weights, error, rng=None, gain=None):
    """Visibilities of the channels, and their errors."""
    vis = FLUX[:, None] * (weights @ truth)
    if gain is not None:
        vis = vis * (1.0 + gain)
    sigma = np.broadcast_to(error * FLUX[:, None], vis.shape)
    noise = 0.0 if rng is None else sigma * (rng.normal(size=vis.shape) + 1j * rng.normal(size=vis.shape))
    return vis + noise, sigma


def test_shares_of_a_channel_add_up_to_one(weights):
    assert weights.shape == (12, 2)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights[:, 1] / weights[:, 0], COUNTS[1] / COUNTS[0])


def test_exact_data_give_exact_components(truth, weights):
    found = separate(*measured(truth, weights, 0.03), FLUX, weights)
    np.testing.assert_allclose(found.vis, truth, rtol=1e-10)
    assert found.chi2 < 1e-15
    assert (found.ndof, found.ndof_of_label) == (2 * 24 * 10, 20)
    assert found.ndof_of_channels.sum() == pytest.approx(found.ndof)


def test_noise_scatters_as_the_covariance_says(truth, weights):
    rng = np.random.default_rng(2)
    made = [separate(*measured(truth, weights, 0.05, rng), FLUX, weights) for _ in range(800)]
    off = np.array([one.vis for one in made]) - truth
    covariance = made[0].covariance  # (24, 2, 2), the same in all
    for part in (off.real, off.imag):
        scatter = np.einsum("ncj,ndj->jcd", part, part) / len(made)
        # the relative error of a variance from 800 values is 5 %, averaged over 24 sub-collimators 1 %
        np.testing.assert_allclose((scatter / covariance).mean(axis=0), 1.0, atol=0.05)
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).T)
    inside = np.abs(off.real) < sigma
    assert inside.mean() == pytest.approx(0.683, abs=0.01)


def test_chi2_is_that_of_noise_in_total_by_label_and_by_channel(truth, weights):
    rng = np.random.default_rng(3)
    made = [separate(*measured(truth, weights, 0.05, rng), FLUX, weights) for _ in range(400)]
    assert np.mean([one.reduced_chi2 for one in made]) == pytest.approx(1.0, abs=0.01)
    by_label = np.mean([one.chi2_of_labels for one in made], axis=0)
    np.testing.assert_allclose(by_label / made[0].ndof_of_label, 1.0, atol=0.08)
    by_channel = np.mean([one.chi2_of_channels for one in made], axis=0)
    np.testing.assert_allclose(by_channel / made[0].ndof_of_channels, 1.0, atol=0.08)


def test_a_gain_of_a_sub_collimator_scales_its_components_and_leaves_chi2(truth, weights):
    gain = SYSTEMATIC_ERROR * np.random.default_rng(4).normal(size=N_VIS)
    found = separate(*measured(truth, weights, 0.03, gain=gain), FLUX, weights)
    np.testing.assert_allclose(found.vis, (1.0 + gain) * truth, rtol=1e-10)
    assert found.chi2 < 1e-15


def test_the_gain_is_in_the_errors_as_a_fit_with_the_full_covariance_says(truth, weights):
    """A fit whose channels have the common gain in their covariance gives the same components and errors."""
    vis, sigma = measured(truth, weights, 0.05, np.random.default_rng(5))
    found = separate(vis, sigma, FLUX, weights)
    for j in range(N_VIS):
        nu, error = vis[:, j].real / FLUX, sigma[:, j] / FLUX
        fitted = weights @ found.vis[:, j].real
        full = np.linalg.inv(np.diag(error**2) + SYSTEMATIC_ERROR**2 * np.outer(fitted, fitted))
        covariance = np.linalg.inv(weights.T @ full @ weights)
        np.testing.assert_allclose(covariance @ weights.T @ full @ nu, found.vis[:, j].real, rtol=1e-8, atol=1e-12)
        expected = np.diag(found.covariance[j]) + (SYSTEMATIC_ERROR * found.vis[:, j].real) ** 2
        np.testing.assert_allclose(np.diag(covariance), expected, rtol=1e-8)
    statistical = np.diagonal(found.covariance, axis1=1, axis2=2).T
    np.testing.assert_allclose(found.sigma**2 - statistical, (SYSTEMATIC_ERROR * np.abs(found.vis)) ** 2)


def test_the_order_of_channels_does_not_matter(truth, weights):
    vis, sigma = measured(truth, weights, 0.05, np.random.default_rng(6))
    one = separate(vis, sigma, FLUX, weights)
    order = np.random.default_rng(7).permutation(12)
    other = separate(vis[order], sigma[order], FLUX[order], weights[order])
    np.testing.assert_allclose(other.vis, one.vis, rtol=1e-12)
    np.testing.assert_allclose(other.sigma, one.sigma, rtol=1e-12)
    np.testing.assert_allclose(other.chi2_of_channels, one.chi2_of_channels[order], rtol=1e-9)
    assert other.condition == pytest.approx(one.condition)


def test_condition_number_grows_as_two_components_become_alike():
    sigma = np.full((12, N_VIS), 0.05)
    flat = np.linspace(0.4, 0.6, 12)
    numbers = []
    for spread in (2.0, 0.5, 0.05, 0.0):
        share = 0.5 + spread * (flat - 0.5)
        numbers.append(condition_number(np.column_stack([share, 1.0 - share]), sigma))
    assert numbers[:3] == sorted(numbers[:3])
    assert numbers[2] > 100
    assert numbers[3] > 1e8
    apart = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert condition_number(apart, sigma[:3]) == pytest.approx(1.0)


def test_condition_number_does_not_depend_on_units(weights):
    sigma = np.full((12, N_VIS), 0.05)
    assert condition_number(weights * [1e-3, 1e3], 7.0 * sigma) == pytest.approx(condition_number(weights, sigma))


@pytest.mark.parametrize("share", [0.3, 0.0])
def test_components_with_the_same_shares_are_refused(truth, share):
    weights = np.tile([share, 1.0 - share], (12, 1))
    with pytest.raises(ReconstructionError, match="the same shares in every channel"):
        separate(*measured(truth, weights, 0.05), FLUX, weights)


def test_fewer_channels_than_components_are_refused(truth, weights):
    vis, sigma = measured(truth, weights, 0.05)
    with pytest.raises(ReconstructionError, match="2 components need at least as many channels, found 1"):
        separate(vis[:1], sigma[:1], FLUX[:1], weights[:1])


@pytest.mark.parametrize(("name", "value"), [("vis", np.nan), ("sigma", 0.0), ("flux", -1.0)])
def test_unusable_values_are_refused(truth, weights, name, value):
    vis, sigma = measured(truth, weights, 0.05)
    given = {"vis": vis.copy(), "sigma": sigma.copy(), "flux": FLUX.copy()}
    given[name].flat[0] = value
    with pytest.raises(ReconstructionError):
        separate(**given, weights=weights)


def test_a_model_without_counts_has_no_shares():
    with pytest.raises(ReconstructionError, match="no counts in 1 of 12 channels"):
        component_weights(COUNTS * (ENERGY > 7.0))


def test_fluxes_of_the_components_add_up_to_the_flux_of_the_band(weights):
    width = np.linspace(1.0, 3.0, 12)
    fluxes = component_fluxes(FLUX, width, weights)
    assert fluxes.sum() == pytest.approx((FLUX * width).sum() / width.sum())
    assert fluxes[1] == pytest.approx((FLUX * width * weights[:, 1]).sum() / width.sum())
