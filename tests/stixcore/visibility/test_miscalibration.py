"""Simulated calibration errors: what they do to visibilities and counts."""

from __future__ import annotations

import numpy as np
import pytest

from stixcore.visibility.miscalibration import miscalibrated

COUNTS = np.random.default_rng(5).uniform(500.0, 1500.0, size=(4000, 4))


def visibility(counts):
    return (counts[:, 2] - counts[:, 0]) + 1j * (counts[:, 3] - counts[:, 1])


@pytest.mark.parametrize("error", [0.02, 0.1])
def test_gain_and_phase_have_the_given_standard_deviation(error):
    """V → V (1 + g) e^{iφ}, with g and φ of every sub-collimator for itself."""
    moved = miscalibrated(COUNTS, error, np.random.default_rng(1))
    change = visibility(moved) / visibility(COUNTS)
    gain, phase = np.abs(change) - 1.0, np.angle(change)
    for values in (gain, phase):
        assert abs(values.mean()) < 4.0 * error / np.sqrt(len(COUNTS))
        assert values.std() == pytest.approx(error, rel=0.05)
    assert abs(np.corrcoef(gain, phase)[0, 1]) < 0.07
    # a phase moves counts from A to C or from B to D, a gain changes all of them
    for one, other in ((0, 2), (1, 3)):
        np.testing.assert_allclose(moved[:, one] + moved[:, other], (1 + gain) * (COUNTS[:, one] + COUNTS[:, other]))


def test_without_errors_nothing_changes():
    np.testing.assert_array_equal(miscalibrated(COUNTS, 0.0, np.random.default_rng(1)), COUNTS)


def test_counts_are_never_negative():
    """With dark pixels a phase error would take more counts than A has, or B, whatever its sign."""
    dark = np.tile([0.0, 0.0, 2000.0, 2000.0], (100, 1))
    moved = miscalibrated(dark, 0.1, np.random.default_rng(2))
    np.testing.assert_array_equal(moved[:, :2].min(axis=1), 0.0)
    assert (moved[:, 2:] > 1000.0).all()
