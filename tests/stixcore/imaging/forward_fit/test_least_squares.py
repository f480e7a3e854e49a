"""Least squares: bounds, independence of the sets, decreasing χ²."""

from __future__ import annotations

import numpy as np
import pytest

from stixcore.imaging.forward_fit.least_squares import minimize

TRUE = np.array([1.0, -2.0])
X = np.linspace(0.0, 2.0, 12)


def decay(theta):
    """V = a e^{bx}(1 + i): a model with a curved valley."""
    a, b = theta[:, 0, None], theta[:, 1, None]
    value = a * np.exp(b * X) * (1 + 1j)
    return value, np.stack([value / a, X * value], axis=1)


@pytest.fixture(scope="module")
def data():
    return decay(TRUE[None])[0][0]


FREE = (np.array([0.01, -10.0]), np.array([10.0, 10.0]))


def test_finds_the_minimum_from_afar(data):
    start = np.array([[5.0, 1.0], [0.1, -8.0], [3.0, -0.5]])
    found = minimize(decay, data, np.full(12, 0.1), start, FREE, 100)
    assert found.converged.all()
    assert np.allclose(found.theta, TRUE, atol=1e-6)
    assert found.chi2 == pytest.approx(np.zeros(3), abs=1e-8)
    assert (np.diff(found.history, axis=0) <= 0).all()


def test_sets_do_not_know_of_each_other(data):
    start = np.array([[5.0, 1.0], [0.1, -8.0], [3.0, -0.5]])
    together = minimize(decay, data, np.full(12, 0.1), start, FREE, 12)
    for i in range(3):
        alone = minimize(decay, data, np.full(12, 0.1), start[i : i + 1], FREE, 12)
        assert np.allclose(alone.theta[0], together.theta[i], rtol=1e-9)


def test_each_set_may_have_data_of_its_own():
    true = np.array([[1.0, -2.0], [2.0, -1.0], [0.5, 0.3]])
    found = minimize(decay, decay(true)[0], np.full(12, 0.1), np.ones((3, 2)), FREE, 100)
    assert np.allclose(found.theta, true, atol=1e-6)


def test_stays_in_the_box_and_on_its_best_edge(data):
    lower, upper = np.array([0.01, -1.5]), np.array([10.0, 10.0])
    found = minimize(decay, data, np.full(12, 0.1), np.array([[5.0, 1.0]]), (lower, upper), 100)
    assert found.converged[0]
    assert found.theta[0, 1] == -1.5
    # with b held, the best a is linear: a = Σ V e^{bx}/Σ e^{2bx}
    shape = np.exp(-1.5 * X)
    assert found.theta[0, 0] == pytest.approx((data.real @ shape) / (shape @ shape), rel=1e-6)


def test_equal_bounds_fix(data):
    found = minimize(
        decay, data, np.full(12, 0.1), np.array([[5.0, 1.0]]), (np.array([0.7, -10.0]), np.array([0.7, 10.0])), 100
    )
    assert found.theta[0, 0] == 0.7
    assert found.converged[0]


def test_says_when_it_is_not_done(data):
    found = minimize(decay, data, np.full(12, 0.1), np.array([[5.0, 1.0]]), FREE, 2)
    assert not found.converged[0]
    assert found.history.shape == (3, 1)
