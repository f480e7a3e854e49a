"""Levenberg-Marquardt with bounds, on many starting points or many data sets at once.

Levenberg 1944, Quart. Appl. Math. 2, 164; Marquardt 1963, J. SIAM 11, 431. A Python loop per step, none per starting
point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: θ (n_set, n_par) → visibilities (n_set, n_vis) and derivatives (n_set, n_par, n_vis).
Evaluate = Callable[[Floats], tuple[Complex, Complex]]

#: A set has converged when the quadratic model predicts a smaller decrease of χ² than this: a ten-thousandth of a sigma
#: in any parameter.
PROMISE = 1e-8
MAX_DAMPING = 1e10


@dataclass(frozen=True, eq=False)
class Minima:
    """The minimum reached from each starting point.

    Attributes
    ----------
    theta : (n_set, n_par) float
    chi2 : (n_set,) float
    converged : (n_set,) bool
    history : (n_iter + 1, n_set) float
        χ² before each step and at the end.
    """

    theta: Floats
    chi2: Floats
    converged: NDArray[np.bool_]
    history: Floats

    def take(self, index: NDArray[np.int64]) -> Minima:
        """Some of the sets, in that order."""
        return Minima(self.theta[index], self.chi2[index], self.converged[index], self.history[:, index])


def minimize(
    evaluate: Evaluate, vis: Complex, sigma: Floats, start: Floats, bounds: tuple[Floats, Floats], max_iterations: int
) -> Minima:
    """Minimize χ² = Σ |V_model - V|²/σ² from every starting point.

    Parameters
    ----------
    evaluate : callable
        Model visibilities and derivatives.
    vis : (n_vis,) or (n_set, n_vis) complex
        The same data for all sets, or different data for each.
    sigma : (n_vis,) or (n_set, n_vis) float
        As ``vis``; infinite where a set leaves a visibility out.
    start : (n_set, n_par) float
    bounds : pair of (n_par,) float
        Lower and upper; equal where a parameter is fixed.
    max_iterations : int

    Returns
    -------
    Minima
    """
    lower, upper = bounds
    weight = np.broadcast_to(np.repeat(1.0 / sigma, 2, axis=-1), (start.shape[0], 2 * sigma.shape[-1]))
    data = np.broadcast_to(np.ascontiguousarray(vis), (start.shape[0], sigma.shape[-1])).copy()
    theta = np.clip(start, lower, upper)
    chi2, gradient, curvature = _normal_equations(evaluate, theta, data, weight)
    damping = np.full(chi2.size, 1e-3)
    converged = np.zeros(chi2.size, dtype=bool)
    history = [chi2.copy()]
    for _ in range(max_iterations):
        live = np.flatnonzero(~converged)
        if live.size == 0:
            break
        step, promise = _step(gradient[live], curvature[live], damping[live], theta[live], lower, upper)
        # A damped step along a flat direction predicts a small decrease: only a nearly undamped one may end the search.
        small = promise < PROMISE * (1.0 + 1e-3 * chi2[live])
        converged[live] = small & ((damping[live] <= 1e-4) | (damping[live] >= MAX_DAMPING))
        trial = np.clip(theta[live] + step, lower, upper)
        new_chi2, new_gradient, new_curvature = _normal_equations(evaluate, trial, data[live], weight[live])
        # written so that NaN is not better
        better = new_chi2 < chi2[live]
        gained = np.where(better, chi2[live] - new_chi2, 0.0)
        good = gained > 0.25 * promise
        taken = live[better]
        theta[taken], chi2[taken] = trial[better], new_chi2[better]
        gradient[taken], curvature[taken] = new_gradient[better], new_curvature[better]
        factor = np.where(better, np.where(good, 0.1, 2.0), np.where(small, 0.1, 8.0))
        # Rounding prevents the last predicted decreases; at a kink of the model no step helps.
        converged[live[~better & small & (damping[live] <= 1e-4)]] = True
        converged[live[damping[live] * factor > MAX_DAMPING]] = True
        damping[live] = np.clip(damping[live] * factor, 1e-9, MAX_DAMPING)
        history.append(chi2.copy())
    return Minima(theta, chi2, converged, np.array(history))


def _normal_equations(
    evaluate: Evaluate, theta: Floats, data: Complex, weight: Floats
) -> tuple[Floats, Floats, Floats]:
    """χ² (n_set,), ½∇χ² = Jᵀr (n_set, n_par) and JᵀJ (n_set, n_par, n_par) with r = (V_model - V)/σ."""
    vis, slopes = evaluate(theta)
    residual = (vis - data).view(np.float64) * weight
    jacobian = slopes.view(np.float64) * weight[:, None, :]
    gradient = (jacobian @ residual[:, :, None])[:, :, 0]
    return (residual**2).sum(axis=1), gradient, jacobian @ jacobian.transpose(0, 2, 1)


def _step(
    gradient: Floats, curvature: Floats, damping: Floats, theta: Floats, lower: Floats, upper: Floats
) -> tuple[Floats, Floats]:
    """Damped Gauss-Newton step within the bounds, and the predicted decrease of χ²."""
    # A parameter on its bound with the slope pointing outward stays there.
    held = ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0)) | (lower == upper)
    free = ~held
    diagonal = np.einsum("bii->bi", curvature)
    scale = np.sqrt(np.where(free & (diagonal > 0), diagonal, 1.0))
    slope = np.where(free, gradient, 0.0) / scale
    # (A + μ diag A) δ = -g, in units that make diag A = 1
    matrix = curvature / (scale[:, :, None] * scale[:, None, :]) * (free[:, :, None] & free[:, None, :])
    index = np.arange(theta.shape[1])
    matrix[:, index, index] = 1.0 + damping[:, None]
    step = -np.linalg.solve(matrix, slope[:, :, None])[:, :, 0]
    # χ²(θ) - χ²(θ + δ) ≈ -2gδ - δAδ = -gδ + μ|δ|²
    promise = -(slope * step).sum(axis=1) + damping * (step**2).sum(axis=1)
    return step / scale, promise
