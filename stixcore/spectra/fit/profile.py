"""Errors by profile: how far a parameter moves, all others fitted, until the statistic is 1 higher.

Avni 1976, ApJ 210, 642: Δ = 1 encloses 68.3 % for one parameter. The two sides differ where the statistic is no
parabola. A side that reaches the bound of the parameter first is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.spectra.fit.minimise import Minimum

Floats = NDArray[np.float64]
#: Fit with bounds (p,), (p,) from a start (p,).
Refit = Callable[[Floats, Floats, Floats], Minimum]

RISE = 1.0
ACCURACY = 0.02  # of the rise: 1 % of the error
MAX_FITS = 12  # per side
FIRST_STEP = 0.5  # on the scale of the fit: beyond, the parabola of the best fit is no guide
MOST_FOLLOWED = 1.0  # by the other parameters, in the first step
#: A fit within a profile that is better than the best one by more than this is the better minimum.
BETTER = 1e-3


@dataclass(frozen=True, eq=False)
class Side:
    """End of a side of the profile: distance on the scale of the fit, None if open, and the best fit seen."""

    distance: float | None
    best: Minimum


def profile_side(best: Minimum, index: int, sign: int, lower: Floats, upper: Floats, refit: Refit) -> Side:
    """Find the end of the 1-sigma interval on one side.

    Parameters
    ----------
    best : Minimum
    index : int
        Of the parameter.
    sign : int
        −1 or 1.
    lower, upper : (p,) float
    refit : callable
    """
    bound = (lower if sign < 0 else upper)[index]
    limit = abs(bound - best.x[index])
    direction = _direction(best.hessian, index, lower < upper)
    distance = min(max(float(np.sqrt(max(direction[index], 0.0))), 1e-4), FIRST_STEP, limit)
    if limit == 0:
        return Side(None, best)
    inner, inner_rise, outer, outer_rise = 0.0, 0.0, np.inf, np.inf
    along = sign * distance * direction / max(direction[index], 1e-30)
    start = best.x + np.clip(along, -MOST_FOLLOWED, MOST_FOLLOWED)
    for _ in range(MAX_FITS):
        fit = _held(refit, start, index, best.x[index] + sign * distance, lower, upper)
        rise = fit.value - best.value
        if rise < -BETTER:
            return Side(None, fit)
        if abs(rise - RISE) < ACCURACY:
            break
        if rise < RISE:
            if distance >= limit:
                return Side(None, best)
            inner, inner_rise = distance, max(rise, 0.0)
        else:
            outer, outer_rise = distance, rise
        before, distance = distance, min(_next(inner, inner_rise, outer, outer_rise), limit)
        start = best.x + (fit.x - best.x) * distance / before
    return Side(distance, best)


def value_at(best: Minimum, index: int, x: float, lower: Floats, upper: Floats, refit: Refit) -> float:
    """Rise of the statistic where a parameter is held at ``x`` and the others are fitted."""
    return _held(refit, best.x.copy(), index, x, lower, upper).value - best.value


def _held(refit: Refit, start: Floats, index: int, x: float, lower: Floats, upper: Floats) -> Minimum:
    low, high, start = lower.copy(), upper.copy(), start.copy()
    low[index] = high[index] = start[index] = x
    return refit(start, low, high)


def _next(inner: float, inner_rise: float, outer: float, outer_rise: float) -> float:
    """Distance inside the bracket where √rise, which is nearly linear in the distance, is 1."""
    low = np.sqrt(inner_rise)
    if not np.isfinite(outer):
        return min(inner / max(float(low), 0.3), inner + 1.0)
    high = np.sqrt(outer_rise)
    share = (np.sqrt(RISE) - low) / (high - low)
    return float(inner + (outer - inner) * min(max(share, 0.05), 0.95))


def _direction(hessian: Floats, index: int, free: NDArray[np.bool_]) -> Floats:
    """The column of the covariance: how the others follow when one parameter moves."""
    column = np.zeros(len(hessian))
    if free[index]:
        column[free] = covariance(hessian, free)[:, int(free[:index].sum())]
    return column


def covariance(hessian: Floats, free: NDArray[np.bool_]) -> Floats:
    """Covariance of the free parameters, (n_free, n_free) float, on the scale of the fit."""
    matrix = hessian[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    normal = matrix / np.outer(scale, scale)
    return np.asarray(np.linalg.pinv(normal, rcond=1e-10, hermitian=True) / np.outer(scale, scale))
