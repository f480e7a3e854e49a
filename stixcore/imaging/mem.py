"""MEM_GE: the image of maximum entropy that explains the visibilities, solved in the dual.

Massa et al. 2020, ApJ 894, 46: minimize J(x) = χ²(x) + λ Σ x (ln(x/m) - 1) over x ≥ 0 with Σx = f, where f = F/Δ² for a
total flux F and m = f/N is the flat image. The image has one unknown per pixel, the dual problem two per visibility:
x = f·softmax(-Hᵀν/λ). Newton's method finds ν in a few steps, and the duality gap bounds the error of the result.
docs/science/mem_ge.md explains the differences from the ground software's image.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.proximal import (
    WhitenedSystem,
    entropy_objective,
    merge_cells,
    monotone_fista,
    norm2,
    projected_landweber,
)
from stixcore.imaging.reconstruction import Method, Reconstruction, StopReason, chi_square, require_usable
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Pixels per side of the grid on which the total flux is estimated, as in the reference.
FLUX_GRID = 64
#: Range of λ in units of the largest useful λ, as in the reference.
PERCENT_LAMBDA_RANGE = (1e-4, 0.2)
#: Sub-collimators without calibrated phases, left out of the signal-to-noise ratio.
FINE_LABELS = frozenset(f"{n}{letter}" for n in (1, 2) for letter in "abc")
#: Tolerance of χ² per degree of freedom, for regularization by discrepancy.
DISCREPANCY_TOLERANCE = 0.01


class Regularization(StrEnum):
    """How λ is chosen."""

    SNR = "snr"  # the reference's rule, from the signal-to-noise ratio of the visibilities
    DISCREPANCY = "discrepancy"  # such that χ² is the number of data, 2 n_vis: residuals as large as the errors


class FluxEstimate(StrEnum):
    """How the total flux is found when it is not given."""

    LANDWEBER = "landweber"  # flux of the non-negative least-squares image (reference); too high in wide fields
    AMPLITUDE = "amplitude"  # the largest |V|, biased by noise: +28 % with 3,000 counts, +11 % with 10⁴
    COUNTS = "counts"  # A + B + C + D over 4T (`counted_flux`), unbiased; "amplitude" without background subtraction


#: Replaces the name of the estimate when the flux is given.
GIVEN = "given"


class EarlyStop(StrEnum):
    """Whose unfinished iteration is wanted instead of the optimum."""

    NONE = "none"
    GSW = "gsw"  # as in the ground software: visibilities merged per (u, v) cell, FISTA until changes are below 0.1 %


@dataclass(frozen=True)
class MemGeParameters:
    """Parameters of `mem_ge`.

    Attributes
    ----------
    total_flux : float or None, ct s⁻¹ cm⁻² keV⁻¹
        F; estimated as ``flux_estimate`` says when None.
    flux_estimate : FluxEstimate
    percent_lambda : float or None
        The fraction p = λ ÷ λ_max with λ_max = 2·max|Hᵀ(Hx₀ - V)|, from 10⁻⁴ to 0.2 (0.02 is 2 %); chosen as
        ``regularization`` says when None.
    regularization : Regularization
    early_stop : EarlyStop
    gap_tolerance : float
        Newton's method ends when J is this close to its minimum, relative to 1 + χ².
    max_iterations : int

    Raises
    ------
    SelectionError
        When a value is out of range, or ``percent_lambda`` or ``early_stop`` is combined with regularization by
        discrepancy.
    """

    total_flux: float | None = None
    flux_estimate: FluxEstimate = FluxEstimate.LANDWEBER
    percent_lambda: float | None = None
    regularization: Regularization = Regularization.SNR
    early_stop: EarlyStop = EarlyStop.NONE
    gap_tolerance: float = 1e-8
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        low, high = PERCENT_LAMBDA_RANGE
        if self.total_flux is not None and not (np.isfinite(self.total_flux) and self.total_flux > 0):
            message = f"MEM_GE needs a positive total_flux, found {self.total_flux}"
            raise SelectionError(message)
        if self.percent_lambda is not None and not low <= self.percent_lambda <= high:
            message = f"percent_lambda is a fraction from {low:g} to {high:g}, found {self.percent_lambda}"
            raise SelectionError(message)
        if not (self.max_iterations >= 1 and 0 < self.gap_tolerance < 1):
            message = (
                "MEM_GE needs max_iterations ≥ 1 and 0 < gap_tolerance < 1, found "
                f"{self.max_iterations} and {self.gap_tolerance}"
            )
            raise SelectionError(message)
        chosen_otherwise = self.percent_lambda is not None or self.early_stop != EarlyStop.NONE
        if self.regularization == Regularization.DISCREPANCY and chosen_otherwise:
            message = "regularization by discrepancy chooses λ itself: leave percent_lambda and early_stop out"
            raise SelectionError(message)


def mem_ge(
    vis: Visibilities,
    grid: ImageGrid,
    parameters: MemGeParameters | None = None,
    *,
    operator: FourierOperator | None = None,
    counted_flux: float | None = None,
) -> Reconstruction:
    """Make a maximum-entropy map, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    Parameters
    ----------
    vis : Visibilities
        Phase center = center of ``grid``.
    grid : ImageGrid
    parameters : MemGeParameters, optional
    operator : FourierOperator, optional
        Existing operator for the same (u, v) points and grid.
    counted_flux : float, optional, ct s⁻¹ cm⁻² keV⁻¹
        Result of `stixcore.imaging.total_flux.counted_flux`; used with ``flux_estimate="counts"``, and always reported.

    Returns
    -------
    Reconstruction
        No pixel is negative, and Σ image·Δ² = F (within 1 % with ``early_stop="gsw"``). ``history`` is the duality gap
        before and after each Newton step; after an early stop, the objective after each iteration. ``certificate`` has
        "flux_constraint" F, "largest_amplitude" max |V|, "counted_flux" where it is known, "snr", "lambda",
        "percent_lambda" p, "objective" J of these visibilities, and "duality_gap" (J is at most this far above its
        minimum, in units of χ²; NaN after an early stop). The optimum adds "chi2_per_dof", "degrees_of_freedom" =
        2 n_vis and "effective_parameters" γ, the number of data that determine the image against the entropy; the early
        stop adds "merged_visibilities", the number of visibilities after merging.

    Raises
    ------
    ReconstructionError
        When the visibilities are unusable, or every non-negative image in this field is zero.
    SelectionError
        When ``flux_estimate`` is "counts" and ``counted_flux`` is missing.
    """
    begin = perf_counter()
    require_usable(vis)
    p = parameters or MemGeParameters()
    operator = operator or FourierOperator(vis.u, vis.v, grid)
    snr = visibility_snr(vis)
    total_flux = _total_flux(vis, grid, p, counted_flux)
    percent = snr_percent_lambda(snr) if p.percent_lambda is None else p.percent_lambda
    solver = _early_stopped if p.early_stop == EarlyStop.GSW else _optimum
    result = solver(vis, operator, total_flux / grid.pixel_area, percent, p)
    return Reconstruction(
        Method.MEM_GE,
        grid,
        result.image,
        chi2=chi_square(operator.forward(result.image), vis),
        total_flux=float(result.image.sum() * grid.pixel_area),
        n_iter=result.n_iter,
        stopped_by=result.stopped_by,
        history=result.history,
        certificate={
            "flux_constraint": total_flux,
            "largest_amplitude": float(vis.amplitude.max()),
            **({} if counted_flux is None else {"counted_flux": counted_flux}),
            "snr": snr,
            **result.certificate,
        },
        flux_estimate=GIVEN if p.total_flux is not None else str(p.flux_estimate),
        elapsed=perf_counter() - begin,
    )


def _total_flux(vis: Visibilities, grid: ImageGrid, p: MemGeParameters, counted_flux: float | None) -> float:
    """Total flux F, given or estimated."""
    if p.total_flux is not None:
        return p.total_flux
    if p.flux_estimate != FluxEstimate.COUNTS:
        return estimate_total_flux(vis, grid, p.flux_estimate)
    if counted_flux is None:
        message = 'MEM_GE with flux_estimate "counts" needs counted_flux: visibilities do not hold the counts'
        raise SelectionError(message)
    return counted_flux


def estimate_total_flux(vis: Visibilities, grid: ImageGrid, estimate: FluxEstimate = FluxEstimate.LANDWEBER) -> float:
    """Estimate the total flux from visibilities, ct s⁻¹ cm⁻² keV⁻¹.

    The reference uses the flux of the non-negative least-squares image on 64 × 64 pixels over the field of ``grid``,
    with early stopping. Such an image turns part of the noise into faint flux everywhere, which is included.

    Raises
    ------
    ReconstructionError
        When that image is zero.
    SelectionError
        For the estimate from counts, which needs more than visibilities.
    """
    if estimate == FluxEstimate.COUNTS:
        message = "visibilities do not contain the flux of the counts: use counted_flux"
        raise SelectionError(message)
    if estimate == FluxEstimate.AMPLITUDE:
        return float(vis.amplitude.max())
    ny, nx = grid.shape
    pixel = max(ny, nx) * grid.pixel / FLUX_GRID
    shape = (max(round(ny * grid.pixel / pixel), 1), max(round(nx * grid.pixel / pixel), 1))
    coarse = ImageGrid(shape, pixel)
    image, _ = projected_landweber(WhitenedSystem.of(vis.u, vis.v, vis.vis, vis.sigma, coarse))
    flux = float(image.sum() * coarse.pixel_area)
    if not flux > 0:
        message = "no image without negative pixels has any flux in this field of view: is the source outside of it?"
        raise ReconstructionError(message)
    return flux


def visibility_snr(vis: Visibilities) -> float:
    """Resistant mean of amplitude ÷ sigma over sub-collimators 3 to 10 (ground software ``stx_vis_get_snr``)."""
    ratio = vis.amplitude / vis.sigma
    calibrated = np.array([label not in FINE_LABELS for label in vis.labels])
    return _resistant_mean(ratio[calibrated] if calibrated.any() else ratio)


def snr_percent_lambda(snr: float) -> float:
    """Fraction p = 2/(SNR² + 90) of the largest useful λ, limited to the allowed range (rule of ``stx_mem_ge``)."""
    return float(np.clip(2.0 / (snr**2 + 90.0), *PERCENT_LAMBDA_RANGE))


def _resistant_mean(values: Floats, cut: float = 3.0) -> float:
    """Mean without outliers beyond ``cut`` sigma, as ``resistant_mean`` of the IDL Astronomy Library."""
    deviation = np.abs(values - np.median(values))
    sigma = np.median(deviation) / 0.6745
    if sigma < 1e-24:
        sigma = deviation.mean() / 0.8
    good = values[deviation <= cut * sigma]
    # Truncation at the cut makes sigma too small, by this polynomial of the cut.
    truncation = np.polynomial.polynomial.polyval(cut, [-0.15405, 0.90723, -0.23584, 0.020142])
    return float(values[deviation <= cut * good.std() / truncation].mean())


@dataclass(frozen=True, eq=False)
class _SolverResult:
    """Result of either solver."""

    image: Floats
    n_iter: int
    stopped_by: StopReason
    history: Floats
    certificate: dict[str, float]


def _largest_weight(system: WhitenedSystem, flux: float) -> float:
    """λ_max = 2·max|Hᵀ(Hx₀ - d)| for the flat image x₀: with this weight, the entropy dominates χ²."""
    shape = system.operator.grid.shape
    flat = np.full(shape, flux / (shape[0] * shape[1]))
    largest = 2.0 * float(np.abs(system.adjoint(system.forward(flat) - system.data)).max())
    return max(largest, float(np.finfo(float).tiny))  # not zero even when the flat image fits exactly


# ---- the optimum, in the dual ----


def _optimum(
    vis: Visibilities, operator: FourierOperator, flux: float, percent: float, p: MemGeParameters
) -> _SolverResult:
    system = WhitenedSystem(operator, vis.vis / vis.sigma, vis.sigma)
    dual, ceiling = _Dual(system, flux, p), _largest_weight(system, flux)
    solution = dual.solve(percent * ceiling)
    stopped_by = solution.stopped_by
    if p.regularization == Regularization.DISCREPANCY:
        solution, stopped_by = _meet_discrepancy(dual, solution, ceiling)
    # J = χ² + λ Σ x (ln(x/m) - 1)
    objective = solution.chi2 + solution.weight * entropy_objective(solution.image, flux / solution.image.size)
    return _SolverResult(
        solution.image,
        dual.n_steps,
        stopped_by,
        solution.gaps,
        {
            "lambda": solution.weight,
            "percent_lambda": solution.weight / ceiling,
            "objective": objective,
            "duality_gap": float(solution.gaps[-1]),
            "chi2_per_dof": solution.chi2_per_dof,
            "degrees_of_freedom": 2.0 * system.data.size,
            "effective_parameters": solution.effective_parameters,
        },
    )


@dataclass(frozen=True, eq=False)
class _Point:
    """The dual function at ν. Until the next evaluation, the image is ``scale`` times the solver's exponentials."""

    nu: Complex
    value: float
    scale: float
    predicted: Complex


@dataclass(frozen=True, eq=False)
class _Solution:
    """A maximum of the dual.

    Attributes
    ----------
    weight : float
        λ.
    nu : (n_vis,) complex
        Real and imaginary parts are the two dual variables of a visibility.
    image : (ny, nx) float
    chi2 : float
        |Hx - d|².
    covariance : (2 n_vis, 2 n_vis) float
        K = H diag(x) Hᵀ - (Hx)(Hx)ᵀ/f.
    gaps : (n_steps + 1,) float
        Duality gap at the start and after each step.
    """

    weight: float
    nu: Complex
    image: Floats
    chi2: float
    covariance: Floats
    gaps: Floats
    stopped_by: StopReason

    @property
    def chi2_per_dof(self) -> float:
        """χ² ÷ 2 n_vis; docs/science/mem_ge.md explains why γ is not subtracted."""
        return self.chi2 / (2.0 * self.nu.size)

    @property
    def effective_parameters(self) -> float:
        """γ = trace of d(Hx)/dd = Σ k/(k + λ/2) over the eigenvalues k of K."""
        eigenvalues = np.linalg.eigvalsh(self.covariance).clip(min=0.0)
        return float((eigenvalues / (eigenvalues + 0.5 * self.weight)).sum())


class _Dual:
    """Maximize g(ν) = -|ν|²/4 - νᵀd - λ f ln Σ exp(-(Hᵀν)/λ) by Newton's method with a line search.

    g is the dual of J up to a constant, and strictly concave; at its maximum, ν = 2(Hx - d) with x = f·softmax(-Hᵀν/λ).
    """

    def __init__(self, system: WhitenedSystem, flux: float, parameters: MemGeParameters) -> None:
        self.system, self.flux, self.parameters = system, flux, parameters
        self.n_steps = 0
        self._exponentials = np.empty(system.operator.grid.shape)

    def solve(self, weight: float, start: Complex | None = None) -> _Solution:
        """Find the maximum for λ = ``weight``, starting at ν = ``start``; by default at the flat image, ν = 0."""
        p, data = self.parameters, self.system.data
        point = self._point(np.zeros_like(data) if start is None else start, weight)
        gaps: list[float] = []
        while True:
            residual = point.predicted - data
            # ∇g = Hx - d - ν/2, and J(x) - g(ν) = |∇g|²: the duality gap needs no extra work
            gradient = residual - 0.5 * point.nu
            gaps.append(norm2(gradient))
            covariance = self._covariance(point)
            stopped_by = StopReason.MAX_ITERATIONS
            if gaps[-1] <= p.gap_tolerance * (1.0 + norm2(residual)):
                stopped_by = StopReason.CONVERGED
            if stopped_by is StopReason.CONVERGED or len(gaps) > p.max_iterations:
                break
            improved = self._step(point, gradient, covariance, weight)
            if improved is None:
                stopped_by = StopReason.STALLED
                point = self._point(point.nu, weight)
                break
            self.n_steps += 1
            point = improved
        image = self._exponentials * point.scale
        return _Solution(weight, point.nu, image, norm2(residual), covariance, np.array(gaps), stopped_by)

    def _point(self, nu: Complex, weight: float) -> _Point:
        """g(ν) and Hx; the largest exponent is subtracted from all, so that none overflows."""
        e = self.system.adjoint(nu / -weight, out=self._exponentials)
        top = float(e.max())
        np.subtract(e, top, out=e)
        np.exp(e, out=e)
        total = float(e.sum())
        scale = self.flux / total
        value = -0.25 * norm2(nu) - np.vdot(nu, self.system.data).real - weight * self.flux * (np.log(total) + top)
        return _Point(nu, float(value), scale, self.system.forward(e) * scale)

    def _covariance(self, point: _Point) -> Floats:
        """K at the point that was evaluated last."""
        predicted = _real(point.predicted)
        return self.system.gram(self._exponentials) * point.scale - np.outer(predicted, predicted / self.flux)

    def _step(self, point: _Point, gradient: Complex, covariance: Floats, weight: float) -> _Point | None:
        """Newton step, shortened until g increases enough; None when it does not increase for any length."""
        # -∇∇g = ½ + K/λ
        hessian = covariance / weight
        hessian.flat[:: hessian.shape[0] + 1] += 0.5
        direction = _complex(solve(hessian, _real(gradient), assume_a="pos"))
        slope, length = np.vdot(gradient, direction).real, 1.0
        while length > 1e-10:
            trial = self._point(point.nu + length * direction, weight)
            # Armijo's rule, with a tolerance for rounding
            if trial.value >= point.value + 1e-4 * length * slope - 1e-13 * abs(point.value):
                return trial
            length *= 0.5
        return None


def _real(values: Complex) -> Floats:
    return np.concatenate([values.real, values.imag])


def _complex(values: Floats) -> Complex:
    half = values.size // 2
    return np.asarray(values[:half] + 1j * values[half:])


def _meet_discrepancy(dual: _Dual, solution: _Solution, ceiling: float) -> tuple[_Solution, StopReason]:
    """Find the λ where χ² = 2 n_vis, by a safeguarded secant in ln λ; each solve starts from the previous image."""
    lowest, highest = np.log(PERCENT_LAMBDA_RANGE) + np.log(ceiling)
    too_small: tuple[float, float] | None = None
    too_large: tuple[float, float] | None = None
    for _ in range(50):
        here, excess = float(np.log(solution.weight)), float(np.log(solution.chi2_per_dof))
        if abs(np.expm1(excess)) <= DISCREPANCY_TOLERANCE:
            return solution, solution.stopped_by
        if excess < 0:
            too_small = (here, excess)
        else:
            too_large = (here, excess)
        if too_small and too_large:
            (a, excess_a), (b, excess_b) = too_small, too_large
            there = a + (b - a) * float(np.clip(excess_a / (excess_a - excess_b), 0.1, 0.9))
        else:
            there = float(np.clip(here - 1.2 * excess, lowest, highest))
            if abs(there - here) < 1e-9:
                return solution, StopReason.END_OF_RANGE
        # scaling ν with λ keeps -Hᵀν/λ, and so the image
        solution = dual.solve(float(np.exp(there)), solution.nu * np.exp(there - here))
    return solution, StopReason.MAX_ITERATIONS


# ---- the ground software's image ----


def _early_stopped(
    vis: Visibilities, operator: FourierOperator, flux: float, percent: float, p: MemGeParameters
) -> _SolverResult:
    u, v, value, sigma = merge_cells(vis, operator.grid)
    system = WhitenedSystem.of(u, v, value, sigma, operator.grid)
    weight = percent * _largest_weight(system, flux)
    image, history, stopped_by = monotone_fista(system, flux, weight, p.max_iterations)
    # J of the original visibilities, for comparison with the optimum; the history has J of the merged ones.
    given = WhitenedSystem(operator, vis.vis / vis.sigma, vis.sigma)
    entropy = entropy_objective(image, flux / image.size)
    objective = norm2(given.forward(image) - given.data) + percent * _largest_weight(given, flux) * entropy
    certificate = {
        "lambda": weight,
        "percent_lambda": percent,
        "objective": objective,
        "duality_gap": float("nan"),
        "merged_visibilities": float(u.size),
    }
    return _SolverResult(image, history.size, stopped_by, history, certificate)
