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

from stixcore.channel_images import imaged_visibilities
from stixcore.errors import SelectionError
from stixcore.imaging.forward_fit import ForwardFitParameters, Shape, forward_fit
from stixcore.imaging.forward_fit.fit import MAX_SOURCES
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.region_shares import weighted_fit
from stixcore.imaging.threads import single_threaded
from stixcore.prepare import PreparedData
from stixcore.region_recipe import RegionRecipe
from stixcore.spectra.regions import Circle
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: Limits of the FWHM of a source: the resolution of the sub-collimators 3 to 10, arcsec.
FWHM_LIMITS = (14.6, 178.6)
#: Largest shift of a source when it is refined, arcsec.
REACH = 10.0


def fitted_sources(data: PreparedData, grid: ImageGrid, band: tuple[float, float], number: int) -> tuple[Circle, ...]:
    """Fit circles to the visibilities of an energy band.

    Parameters
    ----------
    data : PreparedData
    grid : ImageGrid
        The circles are inside.
    band : (float, float), keV
    number : int
        Of the circles, 1 to 6.

    Returns
    -------
    tuple of Circle
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
    parameters = ForwardFitParameters((Shape.CIRCLE,) * number, position_limit=half, fwhm_limits=FWHM_LIMITS)
    found = sorted(forward_fit(vis, grid, parameters).sources, key=lambda source: float(source["x"]))
    name = f"{band[0]:g}-{band[1]:g} keV"
    return tuple(
        Circle(f"{name} {n}" if number > 1 else name, *_rounded(source["x"], source["y"], 0.5 * source["fwhm"]))
        for n, source in enumerate(found, 1)
    )


def refined_sources(recipe: RegionRecipe, data: PreparedData, e_low: Floats, e_high: Floats) -> tuple[Circle, ...]:
    """Fit positions and sizes of circles to all imaged channels together.

    Parameters
    ----------
    recipe : RegionRecipe
        Of a forward fit to circles.
    data : PreparedData
    e_low, e_high : (n_channel,) float, keV
        Channels of the spectrum of the whole flare.

    Returns
    -------
    tuple of Circle
        Moved by at most `REACH`; the same where no channel can be imaged.
    """
    start = [source for source in recipe.regions if isinstance(source, Circle)]
    if len(start) != len(recipe.regions):
        message = "only circles are refined"
        raise SelectionError(message)
    channels = imaged_visibilities(recipe, data, e_low, e_high)
    if not channels:
        return tuple(start)
    first = np.array([(source.x, source.y, source.radius) for source in start])
    reach = np.array([REACH, REACH, np.inf])
    lower = np.maximum(first - reach, [-np.inf, -np.inf, 0.5 * FWHM_LIMITS[0]])
    upper = np.minimum(first + reach, [np.inf, np.inf, 0.5 * FWHM_LIMITS[1]])
    first = np.clip(first, lower, upper)

    def residuals(values: Floats) -> Floats:
        sources = _moved(start, values.reshape(-1, 3))
        return np.concatenate([_unexplained(vis, sources) for vis in channels])

    with single_threaded():
        found = least_squares(residuals, first.ravel(), bounds=(lower.ravel(), upper.ravel()), x_scale=5.0)
    return tuple(_moved(start, np.array([_rounded(*row) for row in found.x.reshape(-1, 3)])))


def _moved(sources: Sequence[Circle], values: Floats) -> list[Circle]:
    return [
        replace(source, x=float(x), y=float(y), radius=float(radius))
        for source, (x, y, radius) in zip(sources, values, strict=True)
    ]


def _unexplained(vis: Visibilities, sources: Sequence[Circle]) -> Floats:
    """(V - Σ f V_k)/σ with the best fluxes f ≥ 0, (2 n_vis,) float."""
    design, data = weighted_fit(vis, sources)
    return np.asarray(data - design @ nnls(design, data)[0])


def _rounded(*values: float) -> tuple[float, ...]:
    """Rounded to 0.001″, so that recipes do not depend on the machine's linear algebra library."""
    return tuple(round(float(value), 3) for value in values)
