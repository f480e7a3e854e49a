"""Multi-scale CLEAN: components are Gaussians of several widths instead of points, to recover all extended flux.

After Cornwell 2008, IEEE J. Sel. Topics Signal Process. 2, 793, with two differences. Scales are Gaussians, whose
Fourier transform is known: the residual at a scale and the response of one scale to another are back projections with
other weights, so nothing is convolved. Each step takes the scale that reduces the residual most, with a slight
preference for narrow scales; without it, two narrow sources are replaced by one wide component.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.imaging.clean import (
    beam_matrix,
    beam_sum,
    clean_planes,
    map_noise,
    missing,
    require_loop,
    take_component,
)
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction, StopReason, chi_square, require_usable
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

MAX_SCALES = 8
#: A peak up to this many sigma of the residual at its scale is noise. It is more than in CLEAN, because the peak is the
#: highest of all scales.
NOISE_LEVEL = 1.5


@dataclass(frozen=True)
class MultiScaleCleanParameters:
    """Parameters of `ms_clean`.

    Attributes
    ----------
    max_iterations : int
    gain : float
        Fraction of the peak that is removed per iteration.
    beam_fwhm : float, arcsec
        FWHM of the Gaussian beam that restores the components.
    scales : tuple of float, arcsec
        FWHM of the components, increasing; 0 is a point.
    scale_bias : float
        β: the gain of a scale is weighted by 1 - β·scale/(widest scale); 0 for equal weights.
    weighting : Weighting

    Raises
    ------
    SelectionError
        When a value is out of range, or the scales do not increase.
    """

    max_iterations: int = 500
    gain: float = 0.1
    beam_fwhm: float = 20.0
    scales: tuple[float, ...] = (0.0, 15.0, 30.0, 60.0)
    scale_bias: float = 0.3
    weighting: Weighting = Weighting.NATURAL

    def __post_init__(self) -> None:
        require_loop("multi-scale CLEAN", self.max_iterations, self.gain, self.beam_fwhm)
        increasing = all(low < high for low, high in zip(self.scales, self.scales[1:], strict=False))
        if not 0 <= self.scale_bias < 1:
            message = f"scale_bias of multi-scale CLEAN is from 0 to below 1, found {self.scale_bias}"
            raise SelectionError(message)
        if not (1 <= len(self.scales) <= MAX_SCALES and self.scales[0] >= 0 and increasing):
            message = (
                f"multi-scale CLEAN needs 1 to {MAX_SCALES} increasing scales of 0″ or more, found {list(self.scales)}"
            )
            raise SelectionError(message)


def ms_clean(
    vis: Visibilities,
    grid: ImageGrid,
    parameters: MultiScaleCleanParameters | None = None,
    *,
    operator: FourierOperator | None = None,
    counted_flux: float | None = None,
) -> Reconstruction:
    """Make a multi-scale CLEAN map, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    The iteration ends when the highest peak of every scale is noise and some scale has a deeper hole, or after
    ``max_iterations``.

    Parameters
    ----------
    vis : Visibilities
        Phase center = center of ``grid``.
    grid : ImageGrid
    parameters : MultiScaleCleanParameters, optional
    operator : FourierOperator, optional
        Existing operator for the same (u, v) points and grid.
    counted_flux : float, optional, ct s⁻¹ cm⁻² keV⁻¹
        Flux from the counts (`stixcore.imaging.total_flux.counted_flux`), for reporting what the components miss.

    Returns
    -------
    Reconstruction
        ``image`` is restored components + residual; planes are "components" (Gaussians of their widths), "restored",
        "residual" and "dirty", all per arcsec². ``chi2`` and ``total_flux`` are those of the components.
        ``certificate`` has the values of `stixcore.imaging.clean.missing`, and "flux_<scale>" of each scale.

    Raises
    ------
    ReconstructionError
        When the visibilities are unusable.
    """
    begin = perf_counter()
    require_usable(vis)
    p = parameters or MultiScaleCleanParameters()
    operator = operator or FourierOperator(vis.u, vis.v, grid)
    weights = visibility_weights(p.weighting, vis.u, vis.v)
    seen = scale_visibilities(vis.u, vis.v, p.scales)
    loop = _Loop(vis, operator, weights, seen)
    bias = 1.0 - p.scale_bias * np.array(p.scales) / max(p.scales[-1], np.finfo(float).tiny)
    history, stopped_by = loop.run(p.max_iterations, p.gain, bias)

    # components ⊗ scale, and ⊗ beam: Gaussians of FWHM √(scale² + beam²)
    drawn = [_smooth(part, grid, scale) for part, scale in zip(loop.components, p.scales, strict=True)]
    restored = np.sum(
        [
            _smooth(part, grid, float(np.hypot(scale, p.beam_fwhm)))
            for part, scale in zip(loop.components, p.scales, strict=True)
        ],
        axis=0,
    )
    residual, predicted = loop.residual(), loop.predicted()
    flux = [float(part.sum()) for part in loop.components]
    planes = clean_planes(grid, p.beam_fwhm, np.sum(drawn, axis=0), restored, residual, loop.dirty)
    return Reconstruction(
        Method.MS_CLEAN,
        grid,
        planes["restored"] + planes["residual"],
        chi2=chi_square(predicted, vis),
        total_flux=sum(flux),
        n_iter=history.size,
        stopped_by=stopped_by,
        planes=planes,
        history=history,
        certificate=missing(sum(flux), residual, loop.noise, counted_flux)
        | {f"flux_{scale:g}": one for scale, one in zip(p.scales, flux, strict=True)},
        elapsed=perf_counter() - begin,
    )


def scale_visibilities(u: Floats, v: Floats, scales: tuple[float, ...]) -> Floats:
    """Visibilities of Gaussians of unit flux and FWHM s, exp(-π² s² (u² + v²)/(4 ln 2)), (n_scales, n_vis)."""
    squares = np.square(scales)[:, None] * (u**2 + v**2)
    return np.asarray(np.exp(-(np.pi**2) * squares / (4.0 * np.log(2.0))))


class _Loop:
    """Residuals at all scales, and the response of each scale to components of another."""

    def __init__(self, vis: Visibilities, operator: FourierOperator, weights: Floats, seen: Floats) -> None:
        n = len(seen)
        total = weights.sum()
        self.dirty = operator.adjoint(vis.vis * weights) / total
        # R_s = Σ w g_s Re[V e^{-2πi(ux+vy)}] / Σ w, the residual at scale s
        self.residuals = np.stack([operator.adjoint(vis.vis * weights * factor) / total for factor in seen])
        self.components = np.zeros_like(self.residuals)
        self._vis, self._operator, self._weights, self._seen = vis, operator, weights, seen
        # B_st = Σ w g_s g_t cos 2π(ux+vy) / Σ w, twice as wide as the map
        ny, nx = operator.grid.shape
        wide = FourierOperator(operator.u, operator.v, ImageGrid((2 * ny - 1, 2 * nx - 1), operator.grid.pixel))
        self._beams = {
            (s, t): wide.adjoint((weights * seen[s] * seen[t] / total).astype(complex))
            for s in range(n)
            for t in range(s, n)
        }
        # response of each scale to itself, and sigma of its residual
        self._own = np.array([(weights * factor**2).sum() / total for factor in seen])
        self._sigma = np.array([np.sqrt(((weights * factor * vis.sigma) ** 2).sum()) / total for factor in seen])
        self.noise = map_noise(vis, weights)
        self._scaled = np.empty_like(self.dirty)

    def run(self, max_iterations: int, gain: float, bias: Floats) -> tuple[Floats, StopReason]:
        """Run the loop; return the significance of the peak before each step, and the stop reason."""
        history: list[float] = []
        nx = self.dirty.shape[1]
        for _ in range(max_iterations):
            highest = [int(residual.argmax()) for residual in self.residuals]
            peaks = np.array([residual.flat[at] for residual, at in zip(self.residuals, highest, strict=True)])
            # a component of flux R_s/B_ss reduces Σ w|V|² by R_s²/B_ss
            best = int(np.argmax(bias * peaks / np.sqrt(self._own)))
            significance = float((peaks / self._sigma).max())
            if peaks[best] <= 0 or (significance <= NOISE_LEVEL and self._deepest_hole() > significance):
                return np.array(history), StopReason.NOISE
            history.append(significance)
            row, column = divmod(highest[best], nx)
            flux = gain * peaks[best] / self._own[best]
            self.components[best, row, column] += flux
            for other in range(len(self.residuals)):
                beam = self._beams[min(best, other), max(best, other)]
                take_component(self.residuals[other], beam, row, column, flux, self._scaled)
        return np.array(history), StopReason.MAX_ITERATIONS

    def _deepest_hole(self) -> float:
        """Depth of the deepest hole, in sigma of its scale."""
        return float((-self.residuals.min(axis=(1, 2)) / self._sigma).max())

    def predicted(self) -> NDArray[np.complex128]:
        """Visibilities of the components, Σ c g(u, v) exp(2πi(ux + vy)), (n_vis,), also of parts outside the map."""
        area = self._operator.grid.pixel_area
        parts = zip(self._seen, self.components, strict=True)
        return np.asarray(np.sum([factor * self._operator.forward(part / area) for factor, part in parts], axis=0))

    def residual(self) -> Floats:
        """Dirty map of the residual visibilities."""
        left = (self._vis.vis - self.predicted()) * self._weights
        return np.asarray(self._operator.adjoint(left) / self._weights.sum())


def _smooth(components: Floats, grid: ImageGrid, fwhm: float) -> Floats:
    """Components as Gaussians of ``fwhm``, per arcsec²; as points when it is 0."""
    if fwhm == 0:
        return components / grid.pixel_area
    along_x, along_y = (beam_matrix(axis.size, grid.pixel, fwhm) for axis in (grid.x, grid.y))
    # the integral of the Gaussian, π·fwhm²/(4 ln 2), unless pixels are too coarse for it
    total = max(beam_sum(grid, fwhm), 1.0)
    return np.asarray(along_y @ components @ along_x / total / grid.pixel_area)
