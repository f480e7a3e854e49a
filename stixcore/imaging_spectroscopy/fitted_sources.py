"""Sources of a forward fit as regions: found in energy bands, then refined in all channels together.

The fluxes of the channels are linear parameters, so they are eliminated: for given positions and sizes they follow
from the visibilities (variable projection; Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from stixcore.errors import SelectionError
from stixcore.imaging.forward_fit import ForwardFitParameters, Shape, forward_fit
from stixcore.imaging.forward_fit.fit import MAX_SOURCES
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.region_fractions import source_visibilities, weighted_fit
from stixcore.imaging.threads import single_threaded
from stixcore.imaging_spectroscopy.channel_images import imaged_visibilities
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.prepare import PreparedData
from stixcore.spectra.fit.energy_range import LEAST_CHANNELS
from stixcore.spectra.regions import Circle, Ellipse, source_regions
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]
Source = Circle | Ellipse

#: Limits of the FWHM of a source in the search, arcsec: the resolution of the sub-collimators 3 to 10.
FWHM_LIMITS = (14.6, 178.6)
#: Largest change when sources are refined: of the position, arcsec, and of the size, as a factor.
REACH, STRETCH = 10.0, 1.6


def fitted_sources(data: PreparedData, grid: ImageGrid, band: tuple[float, float], number: int) -> tuple[Source, ...]:
    """Fit sources to the visibilities of an energy band: one ellipse, or several circles.

    Parameters
    ----------
    data : PreparedData
    grid : ImageGrid
        The sources are inside.
    band : (float, float), keV
    number : int
        Of the sources, 1 to 6.

    Returns
    -------
    tuple of Circle or Ellipse
        At half maximum, in the order of x, named after the band.

    Raises
    ------
    SelectionError, CalibrationError, ReconstructionError
        When the files do not allow the selection, or no such fit is possible.
    """
    if not 1 <= number <= MAX_SOURCES:
        message = f"sources in {band[0]:g}-{band[1]:g} keV: expected 1 to {MAX_SOURCES}, found {number}"
        raise SelectionError(message)
    vis = data.visibilities(data.sum_pixels(band), *grid.center)
    half = 0.5 * grid.pixel * min(grid.shape)
    shape = Shape.ELLIPSE if number == 1 else Shape.CIRCLE
    parameters = ForwardFitParameters((shape,) * number, position_limit=half, fwhm_limits=FWHM_LIMITS)
    found = sorted(forward_fit(vis, grid, parameters).sources, key=lambda source: float(source["x"]))
    name = f"{band[0]:g}-{band[1]:g} keV"
    regions = source_regions(found)
    return tuple(
        _rounded(replace(region, name=f"{name} {n}" if number > 1 else name)) for n, region in enumerate(regions, 1)
    )


def refined_sources(recipe: RegionRecipe, data: PreparedData, e_low: Floats, e_high: Floats) -> tuple[Source, ...]:
    """Fit positions and sizes of sources to all imaged channels together.

    Parameters
    ----------
    recipe : RegionRecipe
        Of a forward fit.
    data : PreparedData
    e_low, e_high : (n_channel,) float, keV
        Channels of the spectrum of the whole flare.

    Returns
    -------
    tuple of Circle or Ellipse
        Near the given ones (`REACH`, `STRETCH`); the same where too few channels for a fit can be imaged.
    """
    start = [source for source in recipe.regions if isinstance(source, Circle | Ellipse)]
    channels = imaged_visibilities(recipe, data, e_low, e_high)
    if len(channels) < LEAST_CHANNELS:
        return tuple(start)
    first = np.concatenate([_parameters(source) for source in start])
    # x, y, logarithm of the radius, and of an ellipse (a, b) = m (cos 2α, sin 2α), m = ln(major/minor)
    reach = np.concatenate([[REACH, REACH, *[np.log(STRETCH)] * (_parameters(one).size - 2)] for one in start])

    lead = channels[0]
    alike = [_have_same_points(vis, lead) for vis in channels]

    def residuals(values: Floats) -> Floats:
        sources = _sources(start, values)
        shared = source_visibilities(lead, sources)
        units = (
            shared if same else source_visibilities(vis, sources) for vis, same in zip(channels, alike, strict=True)
        )
        return np.concatenate([_unexplained(vis, unit) for vis, unit in zip(channels, units, strict=True)])

    with single_threaded():
        found = least_squares(residuals, first, bounds=(first - reach, first + reach), x_scale=reach)
    return tuple(_rounded(source) for source in _sources(start, found.x))


def _parameters(source: Source) -> Floats:
    """Position and size on scales on which they vary freely."""
    if isinstance(source, Circle):
        return np.array([source.x, source.y, np.log(source.radius)])
    m, turn = np.log(source.major / source.minor), 2.0 * np.deg2rad(source.position_angle)
    size = 0.5 * np.log(source.major * source.minor)
    return np.array([source.x, source.y, size, m * np.cos(turn), m * np.sin(turn)])


def _sources(start: Sequence[Source], values: Floats) -> list[Source]:
    """Sources of the shapes of ``start`` with other parameters."""
    sources: list[Source] = []
    first = 0
    for source in start:
        x, y, size, *bend = values[first : first + _parameters(source).size].tolist()
        first += 3 + len(bend)
        if isinstance(source, Circle):
            sources.append(replace(source, x=x, y=y, radius=float(np.exp(size))))
            continue
        m, turn = float(np.hypot(*bend)), float(np.arctan2(bend[1], bend[0]))
        major, minor = float(np.exp(size + 0.5 * m)), float(np.exp(size - 0.5 * m))
        angle = float(np.rad2deg(0.5 * turn)) % 180.0
        sources.append(replace(source, x=x, y=y, major=major, minor=minor, position_angle=angle))
    return sources


def _have_same_points(vis: Visibilities, other: Visibilities) -> bool:
    """Whether sources have the same visibilities in two channels."""
    same = np.array_equal(vis.u, other.u) and np.array_equal(vis.v, other.v)
    return same and vis.phase_center == other.phase_center


def _unexplained(vis: Visibilities, units: NDArray[np.complex128]) -> Floats:
    """(V - Σ f V_k)/σ with the best fluxes f ≥ 0, (2 n_vis,) float; V_k are unit sources, (n_source, n_vis)."""
    design, data = weighted_fit(vis, units)
    return np.asarray(data - design @ nnls(design, data)[0])


def _rounded(source: Source) -> Source:
    """Rounded to 0.001″, so that recipes do not depend on the machine's linear algebra library."""
    numbers = {key: round(value, 3) for key, value in vars(source).items() if key != "name"}
    return replace(source, **numbers)
