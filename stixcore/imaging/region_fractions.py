"""How the flux of an image is divided among regions, with errors from simulated copies of the data.

The fraction φ_k = f_k / Σ f of a region is measured better than its flux f_k: the calibration error of the total and
flux that the method leaves behind are the same in all regions. Errors are those of the fraction itself, from the ratio
in each copy; fluxes of regions are correlated, so errors of ratios cannot be found from theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from stixcore.errors import ReconstructionError
from stixcore.imaging.forward_fit.shapes import Plane, Shape
from stixcore.imaging.methods import declaration_of
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name, require_usable
from stixcore.spectra.regions import Circle, Ellipse, region_sums
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: Flux that an image puts on the wrong side of the outline of a region, which its copies do not show, by method, as a
#: fraction of φ (1 - φ): CLEAN scatters the components of a source around it. Calibrated on circles of 28 arcsec around
#: the footpoints of `stixcore.simulation.two_footpoints`.
LEAK: Mapping[Method, float] = {Method.CLEAN: 0.25}
#: Largest condition number of the normal equations of the fluxes of sources.
WORST_CONDITION = 1e10


@dataclass(frozen=True, eq=False)
class RegionFractions:
    """Fluxes of regions and their fractions of the total, in the order of the regions.

    The last element is what is outside all regions; a forward fit has none.

    Attributes
    ----------
    flux, flux_sigma : (n,) float, ct s⁻¹ cm⁻² keV⁻¹
        The error includes the bias of the method; NaN if it is unknown.
    fraction, fraction_sigma : (n,) float
        φ, whose sum is 1, and its error.
    chi2 : float
        χ² per degree of freedom of the sources of a forward fit; NaN for images.
    """

    flux: Floats
    flux_sigma: Floats
    fraction: Floats
    fraction_sigma: Floats
    chi2: float = float("nan")

    @property
    def total(self) -> float:
        """Flux of the whole image, ct s⁻¹ cm⁻² keV⁻¹."""
        return float(self.flux.sum())


def image_fractions(
    image: Reconstruction, masks: NDArray[np.bool_], copies: Iterable[Reconstruction] = (), least_error: float = 0.0
) -> RegionFractions:
    """Divide the flux of an image.

    Parameters
    ----------
    image : Reconstruction
        For CLEAN, the flux is that of the components: the restored map smears it into neighbouring regions.
    masks : (n_region, ny, nx) bool
        Without common pixels.
    copies : iterable of Reconstruction
        Images of simulated copies (`stixcore.imaging.ensemble.simulated_images`). Without them errors are NaN.
    least_error : float, ct s⁻¹ cm⁻² keV⁻¹
        Error of the flux of a point source (`point_error`). No region has a smaller one, even where CLEAN found nothing
        in any copy.

    Raises
    ------
    ReconstructionError
        When the image has no positive flux.
    """
    with_outside = np.concatenate([masks, ~masks.any(axis=0, keepdims=True)])
    flux = _fluxes(image, with_outside)
    if not flux.sum() > 0:
        message = f"{method_name(image.method)}: the flux of the image is not positive"
        raise ReconstructionError(message)
    fraction = flux / flux.sum()
    unknown = np.full(flux.size, np.nan)
    fluxes = np.array([_fluxes(copy, with_outside) for copy in copies])
    if not fluxes.size:
        return RegionFractions(flux, unknown, fraction, unknown)
    totals = fluxes.sum(axis=1, keepdims=True)
    weight = declaration_of(image.method).bias_weight
    fractions = fluxes[totals[:, 0] > 0] / totals[totals[:, 0] > 0]
    leak = LEAK.get(image.method, 0.0) * fraction * (1.0 - fraction)
    # a region with everything, or nothing, has its fraction by definition
    pixels = with_outside.sum(axis=(1, 2))
    least = np.where((pixels > 0) & (pixels < masks[0].size), least_error, 0.0)
    return RegionFractions(
        flux,
        np.maximum(np.hypot(_error(fluxes, flux, weight), leak * flux.sum()), least),
        fraction,
        # σ_φ² = σ_copies² + (w b)² + [l φ (1 - φ)]²
        np.maximum(np.hypot(_error(fractions, fraction, weight), leak), least / flux.sum()),
    )


def point_error(vis: Visibilities) -> float:
    """Error of the flux of a point source of known position, ct s⁻¹ cm⁻² keV⁻¹."""
    # σ_f² = 1 / Σ σ⁻², real and imaginary parts together
    return float(1.0 / np.sqrt((vis.sigma**-2.0).sum()))


def source_fractions(vis: Visibilities, sources: Sequence[Circle | Ellipse]) -> RegionFractions:
    """Divide the flux among Gaussian sources of known positions and sizes, by least squares without negative fluxes.

    Sources that overlap would otherwise share the flux as a large positive and a large negative one. The errors are
    those without this condition, so they are large where sources cannot be told apart.

    Parameters
    ----------
    vis : Visibilities
        Helioprojective; ``sigma`` includes the calibration error.
    sources : sequence of Circle or Ellipse
        At half maximum.

    Raises
    ------
    ReconstructionError
        When the visibilities are unusable or do not determine the fluxes, or all fluxes are zero.
    """
    require_usable(vis)
    design, data = weighted_fit(vis, source_visibilities(vis, sources))
    information = design.T @ design
    if not np.linalg.cond(information) < WORST_CONDITION:
        message = "forward fit: the visibilities do not tell the sources apart"
        raise ReconstructionError(message)
    # f = argmin |V/σ - A f/σ|² for f ≥ 0, covariance (AᵀWA)⁻¹
    flux, covariance = nnls(design, data)[0], np.linalg.inv(information)
    chi2 = float(((data - design @ flux) ** 2).sum()) / max(data.size - flux.size, 1)
    if not flux.sum() > 0:
        message = "forward fit: no source has a positive flux"
        raise ReconstructionError(message)
    fraction = flux / flux.sum()
    # φ = f / Σf: ∂φ_k/∂f_m = (δ_km - φ_k) / Σf
    slopes = (np.eye(flux.size) - fraction[:, None]) / flux.sum()
    # where the sources do not describe the visibilities, errors are larger by what they miss
    covariance *= max(chi2, 1.0)
    variance = np.einsum("ij,jk,ik->i", slopes, covariance, slopes)
    return RegionFractions(flux, np.sqrt(np.diag(covariance)), fraction, np.sqrt(np.maximum(variance, 0.0)), chi2)


def source_visibilities(vis: Visibilities, sources: Sequence[Circle | Ellipse]) -> NDArray[np.complex128]:
    """Visibilities of sources of flux 1 at the (u, v) points and phase centre of ``vis``, (n_source, n_vis)."""
    plane = Plane(vis.u, vis.v)
    return np.stack([plane.source(*_unit(source, vis.phase_center))[0][0] for source in sources])


def weighted_fit(vis: Visibilities, units: NDArray[np.complex128]) -> tuple[Floats, Floats]:
    """Unit sources (2 n_vis, n_source) and data (2 n_vis,) in units of sigma, real and imaginary parts apart.

    ``units`` is that of `source_visibilities`, (n_source, n_vis).
    """
    design = (units / vis.sigma).view(np.float64).T
    return design, np.ascontiguousarray(vis.vis / vis.sigma).view(np.float64)


def _unit(source: Circle | Ellipse, center: tuple[float, float]) -> tuple[Shape, Floats]:
    """Shape and parameters of a source of flux 1 (`stixcore.imaging.forward_fit.shapes.FIT_NAMES`)."""
    place = 1.0, source.x - center[0], source.y - center[1]
    if isinstance(source, Circle):
        return Shape.CIRCLE, np.array([[*place, 2.0 * source.radius]])
    # w = √(w_max w_min), (a, b) = m (cos 2α, sin 2α) with m = ln(w_max / w_min)
    width, stretch = 2.0 * np.sqrt(source.major * source.minor), np.log(source.major / source.minor)
    turn = 2.0 * np.deg2rad(source.position_angle)
    return Shape.ELLIPSE, np.array([[*place, width, stretch * np.cos(turn), stretch * np.sin(turn)]])


def _fluxes(image: Reconstruction, masks: NDArray[np.bool_]) -> Floats:
    return region_sums(image.planes.get("components", image.image), masks, image.grid)


def _error(copies: Floats, own: Floats, weight: float) -> Floats:
    """Scatter of the copies and weighted bias in quadrature, (n,); NaN with fewer than two copies."""
    if len(copies) < 2:
        return np.full(own.size, np.nan)
    # b = mean of the copies - value of the image
    return np.hypot(copies.std(axis=0, ddof=1), weight * (copies.mean(axis=0) - own))
