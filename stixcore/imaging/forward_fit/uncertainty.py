"""Error bars of a fit: from the residuals, from the curvature of χ², or from refits of perturbed visibilities.

`covariance_sigma` and `ensemble_sigma` trust the σ of the visibilities, as the ground software does. That σ is not
always correct: ``form_visibilities`` includes a 5 % systematic error of each amplitude. This is more than the noise
where the calibration is exact (simulated counts: the truth lies within one sigma 70 % of the time at 10⁴ counts, but
75-93 % at 10⁵ and 88-100 % at 10⁶), and less than the misfit where the source is not a circle (bright flares: reduced
χ² of 2 to 10). `residual_sigma` uses the residuals of each visibility instead and is correct in all of these cases,
also for noise that follows σ.
"""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, stdtrit

from stixcore.imaging.forward_fit.least_squares import minimize
from stixcore.imaging.forward_fit.search import Fit
from stixcore.imaging.forward_fit.sources import REPORTED, SourceModel

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_MAX_ITERATIONS = 60
#: Other minima within this χ² of the best are also refitted: the noise may favor one of them.
_RIVAL = 9.0
_RIVALS = 2
#: Least relative information of a direction in parameter space; it limits the longest error bars.
_LEAST_INFORMATION = 1e-12
#: Error bars come from the residuals with at least this many degrees of freedom per parameter …
LEAST_NDOF = 2.0
#: … and a reduced χ² above this; below it the data contain no noise.
NOISELESS = 3e-3
MAX_LEVERAGE = 0.95
#: Probability below +1 sigma.
ONE_SIGMA = 0.5 + 0.5 * erf(np.sqrt(0.5))


def reported(model: SourceModel, theta: Floats) -> tuple[Floats, Floats]:
    """Reported values of all sources in turn: values (n_set, n_rep) and derivatives (n_set, n_rep, n_par)."""
    parts = [source.report(theta[:, part]) for source, part in zip(model.sources, model.parts, strict=True)]
    values = np.concatenate([value for value, _ in parts], axis=1)
    slopes = np.zeros((*values.shape, model.n_par))
    row = 0
    for (value, slope), part in zip(parts, model.parts, strict=True):
        slopes[:, row : row + value.shape[1], part] = slope
        row += value.shape[1]
    return values, slopes


def names(model: SourceModel) -> tuple[str, ...]:
    """Names of `reported`'s columns."""
    return tuple(name for source in model.sources for name in REPORTED[source.shape])


def covariance_sigma(fit: Fit, sigma: Floats) -> Floats:
    """Standard deviations from the curvature of χ², (n_rep,): C = (JᵀJ)⁻¹ with J the derivatives of V/σ.

    Parameters
    ----------
    fit : Fit
    sigma : (n_vis,) float
    """
    values, response, unknown = _response(fit, sigma)
    return _sensible(fit.model, values, np.sqrt((response**2).sum(axis=1)), unknown)


def residual_sigma(fit: Fit, vis: Complex, sigma: Floats) -> Floats:
    """Standard deviations from the residuals of the fit, (n_rep,): C = (JᵀJ)⁻¹ Jᵀ diag(s²) J (JᵀJ)⁻¹.

    s² = r²/(1 - h) of every residual r, in amplitude and in phase of each visibility, with h its leverage (variant HC2
    of the heteroskedasticity-consistent covariance). Because a parameter may depend on few residuals, its standard
    deviation is multiplied by Student's t of 68.3 % with the degrees of freedom of Bell and McCaffrey. With too few
    visibilities, or data without noise, the result is that of `covariance_sigma`.

    Parameters
    ----------
    fit : Fit
    vis : (n_vis,) complex
    sigma : (n_vis,) float

    Notes
    -----
    White 1980, Econometrica 48, 817; MacKinnon & White 1985, J. Econometrics 29, 305; Bell & McCaffrey 2002, Survey
    Methodology 28, 169; Imbens & Kolesár 2016, Rev. Econ. Stat. 98, 701.
    """
    ndof = 2 * vis.size - fit.model.n_free
    if ndof < LEAST_NDOF * fit.model.n_free or fit.chi2 < NOISELESS * ndof:
        return covariance_sigma(fit, sigma)
    predicted = fit.model.evaluate(fit.theta[None])[0][0]
    # An error of the grid transmission changes amplitudes only, so residuals are rotated to be along and across V.
    turn = np.exp(-1j * np.angle(predicted))
    residual = _turned((predicted - vis) / sigma, turn)
    values, response, undecided = _response(fit, sigma)
    response, rows = _turned(response, turn), _turned(_orthogonal(fit, sigma), turn)
    hat = rows.T @ rows
    free = 1.0 - np.minimum(np.diagonal(hat), MAX_LEVERAGE)
    variance = response**2 @ (residual**2 / free)
    # ν = (tr BM)²/tr(BMBM) with M = 1 - H and B = diag(response²/(1 - h))
    weight = response**2 / free
    maker = np.eye(hat.shape[0]) - hat
    nu = (weight @ np.diagonal(maker)) ** 2 / np.maximum((weight @ maker**2 * weight).sum(axis=1), 1e-300)
    return _sensible(fit.model, values, np.sqrt(variance) * stdtrit(np.maximum(nu, 1.0), ONE_SIGMA), undecided)


def _turned(pairs: Floats | Complex, turn: Complex) -> Floats:
    """Pairs of real and imaginary part along the last axis, multiplied by complex numbers."""
    return np.asarray((np.ascontiguousarray(pairs).view(np.complex128) * turn).view(np.float64))


def _jacobian(fit: Fit, sigma: Floats) -> tuple[Floats, Floats]:
    """Derivatives of V/σ by the parameters, (n_par, 2 n_vis), each a unit vector (zero: fixed), and their lengths."""
    jacobian = (fit.model.evaluate(fit.theta[None])[1][0] / sigma).view(np.float64)
    scale = np.sqrt((jacobian**2).sum(axis=1))
    scale[fit.model.bounds[0] == fit.model.bounds[1]] = 0.0
    unit = np.divide(jacobian, scale[:, None], out=np.zeros_like(jacobian), where=scale[:, None] > 0)
    return unit, scale


def _orthogonal(fit: Fit, sigma: Floats) -> Floats:
    """Orthonormal rows that span the derivatives, (≤ n_free, 2 n_vis); their squares add up to the leverage."""
    unit, _ = _jacobian(fit, sigma)
    information, axes = np.linalg.eigh(unit @ unit.T)
    known = information > _LEAST_INFORMATION
    return np.asarray((axes[:, known] / np.sqrt(information[known])).T @ unit)


def _response(fit: Fit, sigma: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Reported values (n_rep,), their response to each datum (n_rep, 2 n_vis), and whether no datum determines them."""
    unit, scale = _jacobian(fit, sigma)
    values, slopes = reported(fit.model, fit.theta[None])
    free = scale > 0
    information, axes = np.linalg.eigh(unit[free] @ unit[free].T)
    inverse = (axes / np.maximum(information, _LEAST_INFORMATION)) @ axes.T
    response = (slopes[0][:, free] / scale[free]) @ inverse @ unit[free]
    undecided = (scale == 0) & (fit.model.bounds[0] < fit.model.bounds[1])
    return values[0], response, (slopes[0][:, undecided] != 0).any(axis=1)


def _sensible(model: SourceModel, values: Floats, deviation: Floats, undecided: NDArray[np.bool_]) -> Floats:
    """Limit standard deviations where linear error propagation gives impossible values."""
    limited = np.where(undecided, np.inf, deviation)
    for i, name in enumerate(names(model)):
        if name in ("position_angle", "loop_angle"):
            # an undetermined angle is uniform over its range: range/√12
            limited[i] = min(limited[i], (360.0 if name == "loop_angle" else 180.0) / np.sqrt(12.0))
        elif name.startswith("fwhm"):
            # visibilities determine w², and √(w² + σ(w²)) stays finite where σ(w) = σ(w²)/2w does not
            limited[i] = min(limited[i], np.sqrt(2.0 * values[i] * limited[i]))
    return limited


def ensemble_sigma(fit: Fit, vis: Complex, sigma: Floats, n: int, seed: int) -> Floats:
    """Standard deviations of refits to perturbed visibilities, (n_rep,).

    Parameters
    ----------
    fit : Fit
    vis : (n_vis,) complex
    sigma : (n_vis,) float
        Gaussian noise of this standard deviation is added to real and imaginary part (as the ground software does).
    n : int
    seed : int
        The same seed gives the same result.
    """
    return spread(fit.model, fit.theta, ensemble(fit, vis, sigma, n, seed))


def ensemble(fit: Fit, vis: Complex, sigma: Floats, n: int, seed: int) -> Floats:
    """Best fit parameters of ``n`` perturbed data sets, (n, n_par); all refitted together."""
    draws = np.random.default_rng(seed).standard_normal((n, vis.size, 2))
    perturbed = vis + sigma * (draws[:, :, 0] + 1j * draws[:, :, 1])
    rivals = fit.minima.theta[fit.minima.chi2 <= fit.minima.chi2[0] + _RIVAL][:_RIVALS]
    start = np.repeat(rivals, n, axis=0)
    refit = minimize(
        fit.model.evaluate, np.tile(perturbed, (len(rivals), 1)), sigma, start, fit.model.bounds, _MAX_ITERATIONS
    )
    winner = refit.chi2.reshape(len(rivals), n).argmin(axis=0)
    return refit.theta.reshape(len(rivals), n, -1)[winner, np.arange(n)]


def spread(model: SourceModel, theta: Floats, members: Floats) -> Floats:
    """Standard deviation of the reported values over an ensemble, (n_rep,): sources matched, angles unwrapped."""
    best = reported(model, theta[None])[0][0]
    values = _matched(model, best, reported(model, members)[0])
    known_as = names(model)
    for i, name in enumerate(known_as):
        if name == "position_angle":
            # to within 90° of the best fit; a loop that crosses 0° or 180° is bent the other way there
            turns = np.round((values[:, i] - best[i]) / 180.0)
            values[:, i] -= 180.0 * turns
            flipped = np.mod(turns, 2) == 1
            values[flipped, i + 1 : i + 3] *= -1.0  # ec, es
            if i + 3 < len(known_as) and known_as[i + 3] == "loop_angle":
                values[flipped, i + 3] *= -1.0
    deviation: Floats = values.std(axis=0, ddof=1)
    return deviation


def _matched(model: SourceModel, best: Floats, values: Floats) -> Floats:
    """Order sources of one shape as in the best fit: the assignment with the least sum of squared distances."""
    shapes = [source.shape for source in model.sources]
    edges = np.cumsum([0, *(len(REPORTED[shape]) for shape in shapes)])
    blocks = [slice(a, b) for a, b in pairwise(edges)]
    x, y = values[:, edges[:-1] + 1], values[:, edges[:-1] + 2]
    orders = [
        order
        for order in permutations(range(len(shapes)))
        if all(
            shapes[k] is shape and _same_fixed(model, i, k)
            for i, (k, shape) in enumerate(zip(order, shapes, strict=True))
        )
    ]
    distance = np.stack(
        [
            ((x[:, order] - best[edges[:-1] + 1]) ** 2 + (y[:, order] - best[edges[:-1] + 2]) ** 2).sum(axis=1)
            for order in orders
        ]
    )
    chosen = distance.argmin(axis=0)
    matched = np.empty_like(values)
    for i, order in enumerate(orders):
        rows = chosen == i
        for target, k in zip(blocks, order, strict=True):
            matched[rows, target] = values[rows, blocks[k]]
    return matched


def _same_fixed(model: SourceModel, i: int, k: int) -> bool:
    return dict(model.sources[i].fixed) == dict(model.sources[k].fixed)
