"""Simulate calibration errors in counts: a gain error and a phase error in every sub-collimator.

The systematic error in the sigma of visibilities represents these errors; here they are applied to the counts.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def miscalibrated(expected: Floats, error: float, rng: Generator) -> Floats:
    """Apply gain and phase errors to the expected A, B, C, D of each sub-collimator: V → V (1 + g) e^{iφ}.

    Parameters
    ----------
    expected : (n, 4) float
        Counts or areas of the flare, without background.
    error : float
        Standard deviation of g, and of φ in rad; 0.05 is the systematic error of the ground software.
    rng : numpy Generator

    Returns
    -------
    (n, 4) float
        Not negative.
    """
    gain, turn = error * rng.normal(size=(2, len(expected)))
    a, b, c, d = expected.T
    # (C - A) + i (D - B) is the visibility: half of it is added to C and D and taken from A and B
    half = 0.5 * ((c - a) + 1j * (d - b))
    change = half * np.exp(1j * turn) - half
    moved = expected + np.stack([-change.real, -change.imag, change.real, change.imag], axis=1)
    return np.asarray(np.maximum(moved * (1.0 + gain)[:, None], 0.0))
