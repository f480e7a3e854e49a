"""Weights of the visibilities in a dirty map."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Weighting(StrEnum):
    """Natural: all equal. Uniform: by spatial frequency, which sharpens the beam."""

    NATURAL = "natural"
    UNIFORM = "uniform"


def visibility_weights(weighting: Weighting, u: Floats, v: Floats) -> Floats:
    """Weights (n_vis,): 1 for natural, √(u²+v²) for uniform weighting."""
    return np.ones_like(u) if weighting is Weighting.NATURAL else np.hypot(u, v)
