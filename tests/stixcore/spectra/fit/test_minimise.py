"""The iteration against known minima and SciPy's, and errors by profile against formulas."""

import numpy as np
import pytest

from stixcore.spectra.fit.minimise import CONVERGED, minimise
from stixcore.spectra.fit.profile import profile_side
from stixcore.spectra.fit.statistic import Cash, ChannelData, ChiSquare

FREE = np.full(2, -50.0), np.full(2, 50.0)
E = np.geomspace(5.0, 80.0, 20)


def straight(x):
    return x[0] + x[1] * E, np.array([np.ones_like(E), E])


def power_law(x):
    counts = np.exp(x[0] - x[1] * np.log(E / 20.0))
    return counts, np.array([counts, -np.log(E / 20.0) * counts])


def single(x):
    return np.exp(x), np.exp(x)[None, :]


def test_a_straight_line_is_found_in_one_step():
    counts = 3.0 + 0.5 * E
    found = minimise(ChiSquare(counts, np.ones_like(E)), straight, np.array([3.3, 0.4]), *FREE)
    np.testing.assert_allclose(found.x, [3.0, 0.5], rtol=1e-3)
    assert found.reason == CONVERGED
    assert found.iterations <= 4


@pytest.mark.parametrize("start", [[2.0, 1.0], [9.0, 6.0]])
def test_the_same_minimum_as_scipy(start):
    from scipy.optimize import least_squares

    rng = np.random.default_rng(8)
    counts = rng.poisson(power_law([5.0, 3.0])[0]).astype(float)
    error = np.sqrt(np.maximum(counts, 1.0))
    found = minimise(ChiSquare(counts, error), power_law, np.array(start), *FREE)
    expected = least_squares(lambda x: (power_law(x)[0] - counts) / error, [4.0, 2.0], xtol=1e-12)
    np.testing.assert_allclose(found.x, expected.x, atol=1e-3)
    assert found.value == pytest.approx(2 * expected.cost, abs=1e-3)


def test_bounds_hold_and_the_others_go_on():
    counts = power_law([5.0, 3.0])[0]
    objective = ChiSquare(counts, np.sqrt(counts))
    bounded = minimise(objective, power_law, np.array([2.0, 1.0]), np.array([-50.0, 0.0]), np.array([50.0, 2.0]))
    held = minimise(objective, power_law, np.array([2.0, 2.0]), np.array([-50.0, 2.0]), np.array([50.0, 2.0]))
    assert bounded.x[1] == 2.0
    assert bounded.reason == held.reason == CONVERGED
    assert bounded.x[0] == pytest.approx(held.x[0], abs=1e-3)


def poisson(counts):
    values = np.array([float(counts)])
    return Cash(ChannelData(values, np.sqrt(values), np.zeros(1), np.zeros(1), np.zeros(1)))


def test_profile_of_a_poisson_count_has_the_known_asymmetric_errors():
    objective, wide = poisson(4), (np.array([-20.0]), np.array([20.0]))

    def refit(start, lower, upper):
        return minimise(objective, single, start, lower, upper)

    best = refit(np.array([0.0]), *wide)
    assert np.exp(best.x[0]) == pytest.approx(4.0, rel=0.01)
    sides = [profile_side(best, 0, sign, *wide, refit) for sign in (-1, 1)]
    # 2 [m − n + n ln(n/m)] = 1 for n = 4
    low, high = (np.exp(best.x[0] + sign * side.distance) for sign, side in zip((-1, 1), sides, strict=True))
    assert low == pytest.approx(2.318, abs=0.03)
    assert high == pytest.approx(6.346, abs=0.03)


def test_profile_beyond_a_bound_is_open():
    objective, near = poisson(4), (np.array([np.log(3.0)]), np.array([20.0]))

    def refit(start, lower, upper):
        return minimise(objective, single, start, lower, upper)

    best = refit(np.array([1.5]), *near)
    assert profile_side(best, 0, -1, *near, refit).distance is None
    assert profile_side(best, 0, 1, *near, refit).distance is not None


def test_profile_follows_the_other_parameters():
    counts = power_law([5.0, 3.0])[0]
    objective = ChiSquare(counts, np.sqrt(counts))

    def refit(start, lower, upper):
        return minimise(objective, power_law, start, lower, upper)

    best = refit(np.array([4.0, 2.0]), *FREE)
    covariance = np.linalg.inv(best.hessian)
    for k in range(2):
        for sign in (-1, 1):
            distance = profile_side(best, k, sign, *FREE, refit).distance
            assert distance == pytest.approx(np.sqrt(covariance[k, k]), rel=0.1)
            assert distance > 1.1 / np.sqrt(best.hessian[k, k])


def test_a_better_minimum_is_handed_back():
    def bumpy(x):
        return np.array([np.cos(3 * x[0]) + 0.1 * x[0]]), np.array([[0.1 - 3 * np.sin(3 * x[0])]])

    objective = ChiSquare(np.array([-3.0]), np.array([0.1]))
    wide = (np.array([-10.0]), np.array([10.0]))

    def refit(start, lower, upper):
        return minimise(objective, bumpy, start, lower, upper)

    best = refit(np.array([1.0]), *wide)
    ends = [profile_side(best, 0, sign, *wide, refit) for sign in (-1, 1)]
    assert all(side.distance is not None or side.best.value < best.value for side in ends)
