"""χ² with errors of the model, and Cash's statistic with its background."""

import numpy as np
import pytest

from stixcore.spectra.fit.statistic import Cash, ChannelData, ChiSquare, data_errors, model_errors


def data(counts, background=0.0, background_sigma=0.0, systematic=0.0, sigma=None):
    counts = np.asarray(counts, dtype=float)
    full = [
        np.broadcast_to(np.asarray(v, dtype=float), counts.shape) for v in (background, background_sigma, systematic)
    ]
    poisson = np.sqrt(np.maximum(counts + full[0] + full[1] ** 2, 0.0))
    return ChannelData(counts, poisson if sigma is None else np.asarray(sigma, dtype=float), *full)


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_derivatives_of_cash_are_those_of_its_value(spread):
    cash = Cash(data([3.0, 0.0, 250.0, -2.0], background=[4.0, 2.0, 20.0, 5.0], background_sigma=spread))
    model = np.array([5.0, 1.0, 240.0, 0.7])
    _, slope, _ = cash(model)
    for k in range(model.size):
        step = np.zeros(model.size)
        step[k] = 1e-4
        assert (cash(model + step)[0] - cash(model - step)[0]) / 2e-4 == pytest.approx(slope[k], rel=1e-5, abs=1e-6)


def test_cash_is_zero_for_a_perfect_model_and_infinite_for_none():
    cash = Cash(data([3.0, 40.0], background=2.0))
    assert cash(np.array([3.0, 40.0]))[0] == pytest.approx(0.0, abs=1e-12)
    assert cash(np.array([3.0, 41.0]))[0] > 0


def test_cash_of_many_counts_is_chi_square():
    counts = np.array([10_000.0, 40_000.0])
    measured = data(counts, background=2500.0, background_sigma=25.0)
    model = counts + np.array([110.0, -190.0])
    chi2 = ChiSquare(counts, model_errors(measured, model))(model)
    cash = Cash(measured)(model)
    assert cash[0] == pytest.approx(chi2[0], rel=0.02)
    np.testing.assert_allclose(cash[1], chi2[1], rtol=0.02)
    np.testing.assert_allclose(cash[2], chi2[2], rtol=0.02)


def test_a_badly_known_background_weakens_the_statistic():
    model = np.array([30.0])
    known = Cash(data([10.0], background=20.0))(model)[0]
    vague = Cash(data([10.0], background=20.0, background_sigma=20.0))(model)[0]
    assert 0 < vague < 0.5 * known


def test_errors_belong_to_the_counts_the_model_expects():
    measured = data([100.0], background=[21.0], systematic=0.05, sigma=[np.sqrt(121.0 + 4.0)])
    # M + B + rest + (s M)²
    assert model_errors(measured, np.array([400.0]))[0] == pytest.approx(np.sqrt(400 + 21 + 4 + 20.0**2))
    assert model_errors(measured, np.array([100.0]))[0] == pytest.approx(np.sqrt(125 + 25.0))
    assert data_errors(measured)[0] == pytest.approx(np.sqrt(125 + 25.0))


def test_empty_channels_have_the_error_of_a_count():
    assert model_errors(data([0.0], sigma=[0.0]), np.array([0.0]))[0] == 1.0
    assert data_errors(data([0.0], sigma=[0.0]))[0] == 1.0
