"""Least squares with bounds: a Levenberg-Marquardt iteration for any statistic of the counts.

Second derivatives are those of the expected counts (Fisher scoring), so that χ² and Cash's statistic share the
iteration. A parameter at a bound that the gradient would leave is held; steps end at the bounds.

Source: Levenberg 1944; Marquardt 1963, J. SIAM 11, 431; the factors of the damping are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.spectra.fit.statistic import Objective

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: Counts (n,) and their derivatives (p, n) at parameters (p,).
Evaluate = Callable[[Floats], tuple[Floats, Floats]]

MAX_ITERATIONS = 200
TOLERANCE = 1e-4  # of the statistic: far below the 1 that makes an error bar
LARGEST_STEP = 1.0  # on the logarithmic scale: a factor e
DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-9, 1e9

CONVERGED = "converged"
STUCK = "no step lowers the statistic"
EXHAUSTED = "the limit of iterations is reached"


@dataclass(frozen=True, eq=False)
class Minimum:
    """End of an iteration.

    Attributes
    ----------
    x : (p,) float
    value : float
        The statistic.
    hessian : (p, p) float
        Half the expected second derivatives: its inverse is the covariance.
    counts : (n,) float
    iterations : int
    reason : str
        Why it stopped.
    """

    x: Floats
    value: float
    hessian: Floats
    counts: Floats
    iterations: int
    reason: str


def minimise(objective: Objective, evaluate: Evaluate, start: Floats, lower: Floats, upper: Floats) -> Minimum:
    """Minimise a statistic within bounds.

    Parameters
    ----------
    objective : Objective
    evaluate : callable
    start, lower, upper : (p,) float
        A parameter with equal bounds is held.
    """
    x = np.clip(start, lower, upper)
    value, gradient, hessian, counts = _expand(objective, evaluate, x)
    damping, reason = DAMPING, EXHAUSTED
    iteration = 0
    while iteration < MAX_ITERATIONS:
        iteration += 1
        trial = _step(x, gradient, hessian, lower, upper, damping)
        step = trial - x
        # S falls by −2 g·s − s·H s if it is a parabola
        expected = -2.0 * float(gradient @ step) - float(step @ hessian @ step)
        if damping <= DAMPING and expected < TOLERANCE:
            reason = CONVERGED
            break
        tried = _expand(objective, evaluate, trial)
        gain = value - tried[0]
        if gain < 0 or not np.isfinite(tried[0]):
            if damping >= MOST_DAMPING:
                reason = CONVERGED if -gain < TOLERANCE else STUCK
                break
            damping *= 8.0
            continue
        x, (value, gradient, hessian, counts) = trial, tried
        damping = max(damping / 8.0, LEAST_DAMPING)
    return Minimum(x, value, hessian, counts, iteration, reason)


def _expand(objective: Objective, evaluate: Evaluate, x: Floats) -> tuple[float, Floats, Floats, Floats]:
    counts, derivatives = evaluate(x)
    value, first, second = objective(counts)
    # half of gradient and second derivative: g = ½ J S', H = ½ J S'' Jᵀ
    gradient = 0.5 * derivatives @ first
    hessian = 0.5 * (derivatives * second) @ derivatives.T
    return value, gradient, hessian, counts


def _step(x: Floats, gradient: Floats, hessian: Floats, lower: Floats, upper: Floats, damping: float) -> Floats:
    """End of a damped step, within the bounds."""
    free = free_parameters(x, gradient, lower, upper)
    trial = x.copy()
    while free.any():
        matrix = hessian[np.ix_(free, free)]
        diagonal = np.maximum(np.diag(matrix), 1e-12)
        step = -np.linalg.solve(matrix + np.diag(diagonal * damping + 1e-12), gradient[free])
        step *= min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-30))
        trial[free] = x[free] + step
        outside = free & ((trial < lower) | (trial > upper))
        if not outside.any():
            break
        # parameters that leave the bounds stop there, and the others step without them
        trial = np.where(outside, np.clip(trial, lower, upper), trial)
        moved = outside & (trial != x)
        gradient = gradient + hessian[:, moved] @ (trial - x)[moved]
        free &= ~outside
        trial[free] = x[free]
    return trial


def free_parameters(x: Floats, gradient: Floats, lower: Floats, upper: Floats) -> Bools:
    """Which parameters may move, (p,) bool: all but those that the gradient pushes beyond a bound."""
    at_lower = (x <= lower) & (gradient > 0)
    at_upper = (x >= upper) & (gradient < 0)
    return np.asarray((lower < upper) & ~at_lower & ~at_upper)
