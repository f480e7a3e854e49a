"""Högbom CLEAN on visibilities, with the steps of the ground software's ``stx_vis_clean`` and two stop rules.

Högbom 1974, A&AS 15, 417. Components, restored map and residual are separate results. Fluxes are taken from the
components, because the integral of the CLEAN map includes the pedestal of the residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.imaging.reconstruction import Method, Reconstruction, StopReason, chi_square, require_usable
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]


#: For the noise rule, a peak up to this many sigma of the dirty map is noise. With one sigma, faint sources get 5 to
#: 15 % too much flux; with 1.5, extended sources get too little (``docs/decisions/clean_stop_rule.md``).
NOISE_LEVEL = 1.25


class StopRule(StrEnum):
    """When CLEAN ends before its last iteration."""

    NEGATIVE_EXTREME = "negative_extreme"  # when the largest residual is negative (ground software)
    NOISE = "noise"  # when the largest residual is negative and the highest peak is noise


@dataclass(frozen=True)
class CleanParameters:
    """Parameters of `clean`; the defaults are those of the STIX demo and the Data Center.

    Attributes
    ----------
    max_iterations : int
    gain : float
        Fraction of the peak that is removed per iteration.
    beam_fwhm : float, arcsec
        FWHM of the Gaussian beam that restores the components.
    weighting : Weighting
    stop_rule : StopRule
        For an extended source, a negative side lobe can be the largest residual while most of the source is still in
        the residual; the ground software's rule then leaves flux behind.

    Raises
    ------
    SelectionError
        When a value is out of range.
    """

    max_iterations: int = 200
    gain: float = 0.1
    beam_fwhm: float = 20.0
    weighting: Weighting = Weighting.NATURAL
    stop_rule: StopRule = StopRule.NEGATIVE_EXTREME

    def __post_init__(self) -> None:
        require_loop("CLEAN", self.max_iterations, self.gain, self.beam_fwhm)


def require_loop(name: str, max_iterations: int, gain: float, beam_fwhm: float) -> None:
    """Check the parameters that all CLEAN methods have.

    Raises
    ------
    SelectionError
        When a value is out of range. The message names it.
    """
    if not (max_iterations >= 0 and 0 < gain <= 1 and beam_fwhm > 0):
        message = (
            f"{name} needs max_iterations ≥ 0, 0 < gain ≤ 1 and beam_fwhm > 0, found "
            f"{max_iterations}, {gain}, {beam_fwhm}"
        )
        raise SelectionError(message)


def clean(
    vis: Visibilities,
    grid: ImageGrid,
    parameters: CleanParameters | None = None,
    *,
    operator: FourierOperator | None = None,
    counted_flux: float | None = None,
) -> Reconstruction:
    """Make a CLEAN map, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    Parameters
    ----------
    vis : Visibilities
        Phase centre = centre of ``grid``.
    grid : ImageGrid
    parameters : CleanParameters, optional
    operator : FourierOperator, optional
        Existing operator for the same (u, v) points and grid.
    counted_flux : float, optional, ct s⁻¹ cm⁻² keV⁻¹
        Flux from the counts (`stixcore.imaging.total_flux.counted_flux`), for reporting what the components miss.

    Returns
    -------
    Reconstruction
        ``image`` is restored components + residual; planes are "components", "restored", "residual" and "dirty", all
        per arcsec². ``chi2`` and ``total_flux`` are those of the components. ``certificate`` has the values of
        `missing`.

    Raises
    ------
    ReconstructionError
        When the visibilities are unusable.
    """
    begin = perf_counter()
    require_usable(vis)
    p = parameters or CleanParameters()
    operator = operator or FourierOperator(vis.u, vis.v, grid)
    weights = visibility_weights(p.weighting, vis.u, vis.v)
    dirty = operator.adjoint(vis.vis * weights) / weights.sum()
    point_spread = operator.point_spread(weights)
    noise = map_noise(vis, weights)
    level = NOISE_LEVEL * noise if p.stop_rule == StopRule.NOISE else np.inf
    components, residual, history, stopped_by = _clean_loop(dirty, point_spread, p.max_iterations, p.gain, level)

    # convolved = components ⊗ (beam/Σbeam)/Δ²; the Gaussian is separable
    beam_x, beam_y = (beam_matrix(axis.size, grid.pixel, p.beam_fwhm) for axis in (grid.x, grid.y))
    restored = beam_y @ components @ beam_x / beam_sum(grid, p.beam_fwhm) / grid.pixel_area
    planes = clean_planes(grid, p.beam_fwhm, components / grid.pixel_area, restored, residual, dirty)
    return Reconstruction(
        Method.CLEAN,
        grid,
        planes["restored"] + planes["residual"],
        chi2=chi_square(operator.forward(planes["components"]), vis),
        total_flux=float(components.sum()),
        n_iter=history.size,
        stopped_by=stopped_by,
        planes=planes,
        history=history,
        certificate=missing(float(components.sum()), residual, noise, counted_flux),
        elapsed=perf_counter() - begin,
    )


def clean_planes(
    grid: ImageGrid, beam_fwhm: float, components: Floats, restored: Floats, residual: Floats, dirty: Floats
) -> dict[str, Floats]:
    """Planes of a CLEAN map by name, per arcsec²; residual and dirty map are divided by the beam's integral."""
    beam = beam_sum(grid, beam_fwhm)
    return {
        "components": components,
        "restored": restored,
        "residual": residual / beam / grid.pixel_area,
        "dirty": dirty / beam / grid.pixel_area,
    }


def map_noise(vis: Visibilities, weights: Floats) -> float:
    """Sigma of the dirty map, √Σ(wσ)² ÷ Σw, ct s⁻¹ cm⁻² keV⁻¹; it is the same in every pixel."""
    return float(np.sqrt(((weights * vis.sigma) ** 2).sum()) / weights.sum())


def missing(components: float, residual: Floats, noise: float, counted_flux: float | None) -> dict[str, float]:
    """Flux that is not in the components, ct s⁻¹ cm⁻² keV⁻¹.

    Returns
    -------
    dict
        "residual_peak", the maximum of the residual; "noise", the sigma of the dirty map; and, where the flux from the
        counts is known, "counted_flux" and "missing_flux" = counted_flux - Σ components.
    """
    said = {"residual_peak": float(residual.max()), "noise": noise}
    if counted_flux is not None:
        said |= {"counted_flux": counted_flux, "missing_flux": counted_flux - components}
    return said


def _clean_loop(
    dirty: Floats, point_spread: Floats, max_iterations: int, gain: float, level: float
) -> tuple[Floats, Floats, Floats, StopReason]:
    """Components, residual and peak before each step, in units of the dirty map, and the stop reason.

    The loop stops before a step whose largest |residual| is negative (ground software, negative_max = 1), unless the
    highest peak is still above ``level``.
    """
    nx = dirty.shape[1]
    residual, components = dirty.copy(), np.zeros_like(dirty)
    scaled = np.empty_like(dirty)
    history: list[float] = []
    for _ in range(max_iterations):
        highest, lowest = int(residual.argmax()), int(residual.argmin())
        peak = residual.flat[highest]
        if -residual.flat[lowest] > peak and peak <= level:
            reason = StopReason.NEGATIVE_RESIDUAL if np.isinf(level) else StopReason.NOISE
            return components, residual, np.array(history), reason
        row, column = divmod(highest, nx)
        flux = gain * peak
        history.append(peak)
        components[row, column] += flux
        take_component(residual, point_spread, row, column, flux, scaled)
    return components, residual, np.array(history), StopReason.MAX_ITERATIONS


def take_component(residual: Floats, spread: Floats, row: int, column: int, flux: float, scaled: Floats) -> None:
    """Subtract ``flux`` times the point-spread function around a pixel from a residual, in place.

    ``spread`` is twice as wide as the map, (2 ny - 1, 2 nx - 1), so that every shift is a slice of it; ``scaled`` is a
    working array, (ny, nx).
    """
    ny, nx = residual.shape
    window = spread[ny - 1 - row : 2 * ny - 1 - row, nx - 1 - column : 2 * nx - 1 - column]
    np.multiply(window, flux, out=scaled)
    residual -= scaled


@lru_cache(maxsize=4)
def beam_matrix(n: int, pixel: float, fwhm: float) -> Floats:
    """exp(-(Δx)²/2σ²) between all pairs of pixels of one axis, (n, n); read only."""
    distance = np.subtract.outer(np.arange(n), np.arange(n)) * pixel
    matrix = np.exp(-0.5 * (distance * FWHM_PER_SIGMA / fwhm) ** 2)
    matrix.flags.writeable = False
    return matrix


def beam_sum(grid: ImageGrid, fwhm: float) -> float:
    """Sum of the clean beam (peak 1) over a grid centred on it."""
    gauss_x, gauss_y = (np.exp(-0.5 * (axis * FWHM_PER_SIGMA / fwhm) ** 2).sum() for axis in (grid.x, grid.y))
    return float(gauss_x * gauss_y)
