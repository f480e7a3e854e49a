"""EM: expectation maximization on the counts of A, B, C, D, with the background in the model.

Massa et al. 2019, A&A 624, A130; ground software ``stx_em``. The data are the recorded counts and the model includes
flare and background, so nothing is subtracted and no counts are negative. Each row of the matrix is a constant plus
the sine or cosine of a visibility's phase, so its products are computed with the Fourier operator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.special import kl_div

from stixcore.calibration.grids import AmplitudeScheme, flight_transmission, geometric_transmission
from stixcore.coordinates import Pointing, hpc_to_stix
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction, StopReason, chi_square
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices, uv_points
from stixcore.instrument.tables import phase_correction
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: The stopping rule is checked after ten iterations, then at this interval (as in the reference).
CHECK_INTERVAL = 25
FIRST_CHECK = 10
#: Initial limit of the extrapolation, doubled whenever it is reached.
FIRST_EXTRAPOLATION = 4.0
#: Range of plausible energy-edge factors; values outside it are ratios of two numbers near zero.
CREDIBLE_EDGE_FACTORS = (0.5, 2.0)


class Acceleration(StrEnum):
    """Whether iterations are extrapolated."""

    NONE = "none"  # as in the reference
    SQUAREM = "squarem"  # Varadhan & Roland 2008, Scand. J. Stat. 35, 335: same limit, fewer iterations


@dataclass(frozen=True)
class EmParameters:
    """Parameters of `em`; defaults are those of the ground software.

    Attributes
    ----------
    max_iterations : int
        Applications of the EM step.
    tolerance : float
        The iteration stops when the STD index falls below it. Early stopping regularizes the image.
    acceleration : Acceleration

    Raises
    ------
    SelectionError
        When ``max_iterations`` or ``tolerance`` is not positive.
    """

    max_iterations: int = 5000
    tolerance: float = 1e-3
    acceleration: Acceleration = Acceleration.NONE

    def __post_init__(self) -> None:
        if not (self.max_iterations >= 1 and self.tolerance > 0):
            message = f"EM needs max_iterations ≥ 1 and tolerance > 0, found {self.max_iterations} and {self.tolerance}"
            raise SelectionError(message)


def em(
    pixels: MetaPixels,
    grid: ImageGrid,
    pointing: Pointing,
    parameters: EmParameters | None = None,
    *,
    labels: Iterable[str] = IMAGING_LABELS,
    flare_xy: tuple[float, float] = (0.0, 0.0),
    scheme: AmplitudeScheme = AmplitudeScheme.GSW_2026,
    operator: FourierOperator | None = None,
) -> Reconstruction:
    """Make an expectation-maximization map, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    Parameters
    ----------
    pixels : MetaPixels
        Recorded counts and the background expected in them.
    grid : ImageGrid
        North up, centered at a helioprojective position.
    pointing : Pointing
    parameters : EmParameters, optional
    labels : iterable of str
        Sub-collimators; those switched off in the data are left out.
    flare_xy : (x, y), arcsec
        Flare position in the STIX frame, for the grid transmission.
    scheme : AmplitudeScheme
    operator : FourierOperator, optional
        Existing operator for ``grid`` and the helioprojective (u, v) of the same sub-collimators.

    Returns
    -------
    Reconstruction
        No pixel is negative. ``history`` is the STD index at each check, and ``chi2`` that of visibilities from the
        same counts. ``certificate`` has "c_stat" of the counts (about 1 when only Poisson noise is left), "std_index"
        computed from rates as in the reference, "std_index_counts" computed from counts (1 when residuals are as large
        as Poisson noise), "expected_counts" of the flare and "background_counts" in the model.

    Raises
    ------
    ReconstructionError
        When no selected detector was on, or counts are negative, not finite or all zero.
    """
    begin = perf_counter()
    # Visibilities are used for χ² only; the image is made from counts.
    stix_vis = form_visibilities(pixels, labels, flare_xy=flare_xy, scheme=scheme)
    vis = stix_vis.to_helioprojective(pointing, *grid.center)
    operator = operator or FourierOperator(vis.u, vis.v, grid)
    index = detector_indices(vis.labels)
    counts, background = pixels.counts[index], pixels.background[index]
    _require_counts(counts, background, pixels.header.name, vis.labels)
    center_x, center_y = hpc_to_stix(*grid.center, pointing)
    center_stix = (float(center_x), float(center_y))
    response, exposure = _response(pixels, index, operator, center_stix, flare_xy, scheme)
    # Dividing by the mean exposure does not change the iterates; the STD index gets the unit of the reference's rates,
    # for which the tolerance is meant.
    unit = float(exposure.mean())
    solution = expectation_maximization(
        response.scaled(exposure / unit), counts / unit, background / unit, parameters or EmParameters()
    )
    image, std_index = solution.image, float(solution.std_index[-1]) if solution.std_index.size else float("nan")
    expected = response.scaled(exposure).forward(image)
    # A sub-collimator without counts has no error.
    chi2 = chi_square(operator.forward(image), vis) if (vis.sigma > 0).all() else float("nan")
    return Reconstruction(
        Method.EM,
        grid,
        image,
        chi2=chi2,
        total_flux=float(image.sum() * grid.pixel_area),
        n_iter=solution.n_iter,
        stopped_by=solution.stopped_by,
        history=solution.std_index,
        certificate={
            "c_stat": c_statistic(counts, expected + background),
            "std_index": std_index,
            "std_index_counts": std_index * unit,
            "expected_counts": float(expected.sum()),
            "background_counts": float(background.sum()),
        },
        elapsed=perf_counter() - begin,
    )


def expected_counts(
    image: Floats,
    pixels: MetaPixels,
    grid: ImageGrid,
    pointing: Pointing,
    *,
    labels: Iterable[str],
    flare_xy: tuple[float, float],
    scheme: AmplitudeScheme,
    operator: FourierOperator,
) -> Floats:
    """Flare counts, without background, that an image predicts in A, B, C, D, (n_sub, 4) float.

    ``image`` is in ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻²; the other parameters are those of `em`.
    """
    center_x, center_y = hpc_to_stix(*grid.center, pointing)
    response, exposure = _response(
        pixels, detector_indices(tuple(labels)), operator, (float(center_x), float(center_y)), flare_xy, scheme
    )
    return response.scaled(exposure).forward(image)


def _response(
    pixels: MetaPixels,
    index: NDArray[np.int64],
    operator: FourierOperator,
    center_stix: tuple[float, float],
    flare_xy: tuple[float, float],
    scheme: AmplitudeScheme,
) -> tuple[CountResponse, Floats]:
    """Response in rates, and the exposure (n_sub, 4) that converts it to counts."""
    response = count_response(operator, index, center_stix, flare_xy, scheme, pixels.pixel_set)
    # net counts = exposure/edge factor · (modelled rate in this scheme)
    exposure = pixels.exposure[index, None] * _scheme_gain(scheme, flare_xy)[index, None] / _edge_factors(pixels, index)
    return response, exposure


@dataclass(frozen=True, eq=False)
class CountResponse:
    """The matrix H from an image to expected A, B, C, D, which is never formed.

    With ψ = 2π(u x + v y) - φ, where (x, y) is in the STIX frame and φ is the phase of grids and pixels,
    A, C = Δ² Σ (M0 ∓ 2 M1 cos ψ) I and B, D = Δ² Σ (M0 ∓ 2 M1 sin ψ) I, with the upper sign for A and B.

    Attributes
    ----------
    operator : FourierOperator
        Phases relative to the center of the grid.
    phase : (n_sub,) complex
        e^{iψ} at the center of the grid.
    mean, modulation : (n_sub, 4) float
        M0 and 2 M1, times the factor that converts the result to the unit of the data.
    """

    operator: FourierOperator
    phase: Complex
    mean: Floats
    modulation: Floats

    def scaled(self, factor: Floats) -> CountResponse:
        """The response with its rows multiplied by ``factor`` (n_sub, 4)."""
        return CountResponse(self.operator, self.phase, self.mean * factor, self.modulation * factor)

    def forward(self, image: Floats) -> Floats:
        """Hx, (n_sub, 4)."""
        # Σ I e^{iψ} Δ²: cosine and sine moments of every sub-collimator
        moment = self.operator.forward(image) * self.phase
        return self.mean * (image.sum() * self.operator.grid.pixel_area) + self.modulation * _abcd(moment)

    def adjoint(self, values: Floats, out: Floats | None = None) -> Floats:
        """Hᵀt, (ny, nx), for (n_sub, 4) values t."""
        area = self.operator.grid.pixel_area
        # (t_C - t_A) cos ψ + (t_D - t_B) sin ψ = Re[((t_C - t_A) + i (t_D - t_B)) e^{-iψ}]
        a, b, c, d = (values * self.modulation).T * area
        image = self.operator.adjoint(((c - a) + 1j * (d - b)) * self.phase.conj(), out=out)
        image += float(np.vdot(values, self.mean)) * area
        return image

    def squared_forward(self, image: Floats) -> Floats:
        """(H∘H)x, (n_sub, 4); the squared elements are constants plus cosines of ψ and 2ψ."""
        # (M0 ± 2M1 cos ψ)² = M0² + 2M1² ± 4 M0 M1 cos ψ + 2M1² cos 2ψ, and - cos 2ψ for the sine
        area = self.operator.grid.pixel_area
        first = self.operator.forward(image) * self.phase
        second = (self._doubled.forward(image) * self.phase**2).real[:, None]
        half_square = 0.5 * self.modulation**2
        constant = (self.mean**2 + half_square) * (image.sum() * area)
        twice = half_square * second * np.array([1.0, -1.0, 1.0, -1.0])
        return np.asarray((constant + 2.0 * self.mean * self.modulation * _abcd(first) + twice) * area)

    @cached_property
    def _doubled(self) -> FourierOperator:
        return FourierOperator(2.0 * self.operator.u, 2.0 * self.operator.v, self.operator.grid)


def _abcd(moment: Complex) -> Floats:
    """(-cos, -sin, +cos, +sin) of (n_sub,) complex moments, (n_sub, 4), for A, B, C and D."""
    seen = np.empty((moment.size, 4))
    seen[:, 2:] = moment[:, None].view(float)
    np.negative(seen[:, 2:], out=seen[:, :2])
    return seen


def count_response(
    operator: FourierOperator,
    detectors: NDArray[np.int64],
    center_stix: tuple[float, float],
    flare_xy: tuple[float, float],
    scheme: AmplitudeScheme,
    pixel_set: PixelSet,
) -> CountResponse:
    """Response, in rates, of ``detectors`` (indices) to a map centered at ``center_stix`` [arcsec, STIX frame]."""
    # M1 = k·(4/π³) sin(π/4k)·sin²(π√T), k = 1 for large pixels, 2 for small ones
    k = 2.0 if pixel_set is PixelSet.SMALL else 1.0
    ideal = k * 4.0 / np.pi**3 * np.sin(np.pi / (4.0 * k))
    if scheme is AmplitudeScheme.GSW_2026:
        mean = flight_transmission(*flare_xy)[detectors]
        modulation = ideal * np.sin(np.pi * np.sqrt(mean)) ** 2
    else:
        mean = np.full(detectors.size, 0.25)
        modulation = np.full(detectors.size, ideal)
    # No pixel can expect negative counts. This limits the modulation of the two finest grids, which are not calibrated,
    # and with small pixels that of 5a, 5c and 6b by up to 5 %; large pixels are not affected.
    doubled = np.minimum(2.0 * modulation, mean)
    u, v = uv_points()[detectors].T
    # φ = φ0 + grid correction + ad-hoc correction, as in `form_visibilities`
    phase = np.deg2rad(pixel_set.phase + phase_correction()[detectors])
    turn = np.exp(1j * (2.0 * np.pi * (u * center_stix[0] + v * center_stix[1]) - phase))
    return CountResponse(operator, turn, np.repeat(mean[:, None], 4, axis=1), np.repeat(doubled[:, None], 4, axis=1))


def _scheme_gain(scheme: AmplitudeScheme, flare_xy: tuple[float, float]) -> Floats:
    """Recorded rate ÷ rate in the response, (32,) float: 4T for ``gsw-2021``, which divides rates by it."""
    return np.ones(32) if scheme is AmplitudeScheme.GSW_2026 else 4.0 * geometric_transmission(*flare_xy)


def _edge_factors(pixels: MetaPixels, index: NDArray[np.int64]) -> Floats:
    """Energy-edge factors (n_sub, 4); implausible ones, from few net counts, become the median of the others."""
    factor = pixels.edge_factor[index]
    low, high = CREDIBLE_EDGE_FACTORS
    credible = (factor >= low) & (factor <= high)
    return np.where(credible, factor, np.median(factor[credible]) if credible.any() else 1.0)


def _require_counts(counts: Floats, background: Floats, name: str, labels: tuple[str, ...]) -> None:
    for what, values in (("counts", counts), ("background", background)):
        bad = ~(np.isfinite(values) & (values >= 0)).all(axis=1)
        if bad.any():
            message = f"{name}: {what} of {labels[int(np.argmax(bad))]} are negative or not finite numbers"
            raise ReconstructionError(message)
    if not counts.any():
        message = f"{name}: all counts are zero, there is nothing to image"
        raise ReconstructionError(message)


@dataclass(frozen=True, eq=False)
class EmSolution:
    """Result of `expectation_maximization`: the image, and the values at each check of the stopping rule."""

    image: Floats
    n_iter: int
    stopped_by: StopReason
    std_index: Floats
    c_stat: Floats


def expectation_maximization(
    response: CountResponse, data: Floats, background: Floats, parameters: EmParameters
) -> EmSolution:
    """Iterate x ← x·Hᵀ(y/(Hx + b)) ÷ Hᵀ1 from x = 1.

    Parameters
    ----------
    response : CountResponse
        H.
    data, background : (n_sub, 4) float
        Recorded y ≥ 0, and b, in the unit of H. The reference uses rates and b = 0.
    parameters : EmParameters
    """
    steps = _Steps(response, data, background)
    run = _squarem if parameters.acceleration == Acceleration.SQUAREM else _plain
    return run(steps, parameters)


def c_statistic(data: Floats, expected: Floats) -> float:
    """(2/n) Σ [y ln(y/λ) + λ - y] over the n data y > 0 (Cash 1979; as in ``stx_em``)."""
    seen = data > 0
    return float(2.0 * kl_div(data[seen], expected[seen]).sum() / max(np.count_nonzero(seen), 1))


class _Steps:
    """The EM step and its measures, with their working arrays."""

    def __init__(self, response: CountResponse, data: Floats, background: Floats) -> None:
        self.response, self.data, self.background = response, data, background
        self.sensitivity = response.adjoint(np.ones_like(data))  # Hᵀ1
        self._inverse = 1.0 / self.sensitivity
        self._ratio = np.empty_like(self.sensitivity)
        self.expected = data

    def step(self, image: Floats, out: Floats | None = None) -> Floats:
        """Do one iteration, and store Hx + b of the given image in ``expected``."""
        self.expected = self.response.forward(image) + self.background
        # z = y/(Hx + b); where nothing is expected, nothing is recorded
        z = np.divide(self.data, self.expected, out=np.zeros_like(self.data), where=self.expected > 0)
        self.response.adjoint(z, out=self._ratio)
        self._ratio *= self._inverse
        return np.multiply(image, self._ratio, out=out)

    def std_index(self, image: Floats) -> float:
        """Variance of the back-projected residual ÷ that from noise, for the image that `step` returned last.

        Σ (x (Hᵀ1 - Hᵀz))² / Σ x² (H∘H)ᵀ(1/(Hx + b)).
        """
        residual = (1.0 - self._ratio) * self.sensitivity
        residual *= image
        squares = self.response.squared_forward(image**2)
        return float(np.vdot(residual, residual) / (squares / self.expected).sum())


def _plain(steps: _Steps, p: EmParameters) -> EmSolution:
    """Iterate without extrapolation, as the reference does."""
    image = np.ones(steps.sensitivity.shape)
    std_index: list[float] = []
    c_stat: list[float] = []
    iteration, stopped_by = 0, StopReason.MAX_ITERATIONS
    while iteration < p.max_iterations and stopped_by is StopReason.MAX_ITERATIONS:
        iteration += 1
        steps.step(image, out=image)
        if iteration > FIRST_CHECK and iteration % CHECK_INTERVAL == 0:
            std_index.append(steps.std_index(image))
            c_stat.append(c_statistic(steps.data, steps.expected))
            if std_index[-1] < p.tolerance:
                stopped_by = StopReason.STOPPING_RULE
    return EmSolution(image, iteration, stopped_by, np.array(std_index), np.array(c_stat))


def _squarem(steps: _Steps, p: EmParameters) -> EmSolution:
    """Iterate in cycles: two EM steps, an extrapolation along them and a third step.

    An extrapolation that is less likely than the first step is dropped, so that the likelihood never decreases from
    cycle to cycle. The stopping rule is checked before each extrapolation.
    """
    image = np.ones(steps.sensitivity.shape)
    std_index: list[float] = []
    c_stat: list[float] = []
    iteration, longest = 0, FIRST_EXTRAPOLATION
    while iteration < p.max_iterations:
        first = steps.step(image)
        second = steps.step(first)
        iteration += 2
        deviance = kl_div(steps.data, steps.expected).sum()  # of `first`
        if iteration > FIRST_CHECK:
            std_index.append(steps.std_index(second))
            c_stat.append(c_statistic(steps.data, steps.expected))
            if std_index[-1] < p.tolerance:
                return EmSolution(second, iteration, StopReason.STOPPING_RULE, np.array(std_index), np.array(c_stat))
        # r = x₁ - x₀,  q = (x₂ - x₁) - r,  α = |r|/|q|,  x' = x₀ + 2αr + α²q
        r = first - image
        q = second - first - r
        curvature = float(np.linalg.norm(q))
        alpha = min(float(np.linalg.norm(r)) / curvature, longest) if curvature > 0 else 1.0
        image = second
        if alpha > 1.0:
            far = first + (2.0 * alpha - 1.0) * r + alpha**2 * q
            np.maximum(far, 0.1 * second, out=far)  # pixels must stay positive
            landed = steps.step(far)
            iteration += 1
            if kl_div(steps.data, steps.expected).sum() <= deviance:
                image = landed
                longest *= 2.0 if alpha == longest else 1.0
            else:
                longest = max(0.5 * longest, 2.0)
    return EmSolution(image, iteration, StopReason.MAX_ITERATIONS, np.array(std_index), np.array(c_stat))
