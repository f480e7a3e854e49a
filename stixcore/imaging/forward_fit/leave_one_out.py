"""Influence of single sub-collimators: the best χ² of a model without each visibility in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.imaging.forward_fit.least_squares import minimize
from stixcore.imaging.forward_fit.search import Fit

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_MAX_ITERATIONS = 40
#: Minima of a model from which it is refitted without a visibility.
_STARTS = 2


def chi2_without_each(fit: Fit, vis: Complex, sigma: Floats) -> Floats:
    """Best Σ|V_model - V|²/σ² over all visibilities but one, (n_vis,): one value for each left out.

    Parameters
    ----------
    fit : Fit
        Fit of all visibilities; each refit starts from its best minima.
    vis : (n_vis,) complex
    sigma : (n_vis,) float
    """
    n_vis = sigma.size
    starts = fit.minima.theta[:_STARTS]
    one_left_out = np.where(np.eye(n_vis, dtype=bool), np.inf, sigma)
    refit = minimize(
        fit.model.evaluate,
        vis,
        np.tile(one_left_out, (len(starts), 1)),
        np.repeat(starts, n_vis, axis=0),
        fit.model.bounds,
        _MAX_ITERATIONS,
    )
    best: Floats = refit.chi2.reshape(len(starts), n_vis).min(axis=0)
    return best
