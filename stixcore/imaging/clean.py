"""Högbom CLEAN on visibilities, step by step as the ground software's ``stx_vis_clean``.

Högbom 1974, A&AS 15, 417. Components, restored map and residual are distinct results: the integral of the CLEAN map
contains the pedestal of the residual, so fluxes are taken from the components.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction, StopReason, chi_square, require_usable
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.metrics import FWHM_PER_SIGMA
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CleanParameters:
    """Parameters of `clean`; defaults are those of the STIX demo and the Data Center.

    Attributes
    ----------
    max_iterations : int
    gain : float
        Share of the peak removed per iteration.
    beam_fwhm : float, arcsec
        Of the Gaussian beam that restores the components.
    weighting : Weighting
    """

    max_iterations: int = 200
    gain: float = 0.1
    beam_fwhm: float = 20.0
    weighting: Weighting = Weighting.NATURAL

    def __post_init__(self) -> None:
        if not (self.max_iterations >= 0 and 0 < self.gain <= 1 and self.beam_fwhm > 0):
            message = (
                "CLEAN needs max_iterations ≥ 0, 0 < gain ≤ 1 and beam_fwhm > 0, found "
                f"{self.max_iterations}, {self.gain}, {self.beam_fwhm}"
            )
            raise SelectionError(message)


def clean(
    vis: Visibilities,
    grid: ImageGrid,
    parameters: CleanParameters | None = None,
    *,
    operator: FourierOperator | None = None,
) -> Reconstruction:
    """CLEAN map, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    Parameters
    ----------
    vis : Visibilities
        Phase centre = centre of ``grid``.
    grid : ImageGrid
    parameters : CleanParameters, optional
    operator : FourierOperator, optional
        Of the same points and grid, when it exists already.

    Returns
    -------
    Reconstruction
        ``image`` = restored components + residual; planes "components", "restored", "residual", "dirty", all per
        arcsec². ``chi2`` and ``total_flux`` are those of the components.

    Raises
    ------
    ReconstructionError
        For unusable visibilities.
    """
    begin = perf_counter()
    require_usable(vis)
    p = parameters or CleanParameters()
    operator = operator or FourierOperator(vis.u, vis.v, grid)
    weights = visibility_weights(p.weighting, vis.u, vis.v)
    dirty = operator.adjoint(vis.vis * weights) / weights.sum()
    point_spread = operator.point_spread(weights)
    components, residual, history, stopped_by = _clean_loop(dirty, point_spread, p.max_iterations, p.gain)

    # convolved = components ⊗ (beam/Σbeam)/Δ²; the Gaussian is separable and components are few
    beam_x, beam_y = (_beam_matrix(axis.size, grid.pixel, p.beam_fwhm) for axis in (grid.x, grid.y))
    beam_sum = _beam_sum(grid, p.beam_fwhm)
    restored = beam_y @ components @ beam_x / beam_sum / grid.pixel_area
    residual_density = residual / beam_sum / grid.pixel_area
    density = components / grid.pixel_area
    return Reconstruction(
        Method.CLEAN,
        grid,
        restored + residual_density,
        chi2=chi_square(operator.forward(density), vis),
        total_flux=float(components.sum()),
        n_iter=history.size,
        stopped_by=stopped_by,
        planes={
            "components": density,
            "restored": restored,
            "residual": residual_density,
            "dirty": dirty / beam_sum / grid.pixel_area,
        },
        history=history,
        elapsed=perf_counter() - begin,
    )


def _clean_loop(
    dirty: Floats, point_spread: Floats, max_iterations: int, gain: float
) -> tuple[Floats, Floats, Floats, StopReason]:
    """Components, residual, peak before each step, and why it stopped; all in units of the dirty map."""
    ny, nx = dirty.shape
    residual, components = dirty.copy(), np.zeros_like(dirty)
    scaled = np.empty_like(dirty)
    history: list[float] = []
    for _ in range(max_iterations):
        # The largest |residual|: when it is a hole, stop before subtracting (ground software, negative_max = 1).
        highest, lowest = int(residual.argmax()), int(residual.argmin())
        peak = residual.flat[highest]
        if -residual.flat[lowest] > peak:
            return components, residual, np.array(history), StopReason.NEGATIVE_RESIDUAL
        row, column = divmod(highest, nx)
        flux = gain * peak
        history.append(peak)
        components[row, column] += flux
        # The point-spread function is twice as wide as the map, so any shift of it is a window into it.
        window = point_spread[ny - 1 - row : 2 * ny - 1 - row, nx - 1 - column : 2 * nx - 1 - column]
        np.multiply(window, flux, out=scaled)
        residual -= scaled
    return components, residual, np.array(history), StopReason.MAX_ITERATIONS


def _beam_matrix(n: int, pixel: float, fwhm: float) -> Floats:
    """exp(-(Δx)²/2σ²) between all pairs of pixels of one axis, (n, n)."""
    distance = np.subtract.outer(np.arange(n), np.arange(n)) * pixel
    return np.asarray(np.exp(-0.5 * (distance * FWHM_PER_SIGMA / fwhm) ** 2))


def _beam_sum(grid: ImageGrid, fwhm: float) -> float:
    """Sum of the clean beam (peak 1) over a grid centred on it."""
    gauss_x, gauss_y = (np.exp(-0.5 * (axis * FWHM_PER_SIGMA / fwhm) ** 2).sum() for axis in (grid.x, grid.y))
    return float(gauss_x * gauss_y)
