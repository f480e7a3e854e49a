"""The fitted sources as an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore.imaging.forward_fit.shapes import Shape, loop_circles
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA

Floats = NDArray[np.float64]

#: Least FWHM at which a source is drawn, pixels: a sampled Gaussian keeps its flux and visibilities down to this width.
MIN_FWHM_PIXELS = 1.5


def draw(sources: Iterable[Mapping[str, Any]], grid: ImageGrid) -> Floats:
    """Sum of the sources at the pixel centers, (ny, nx) float, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    Parameters
    ----------
    sources : iterable of mappings
        As in `Reconstruction.sources`: positions in the coordinates of ``grid.center``.
    grid : ImageGrid
    """
    image = np.zeros(grid.shape)
    floor = MIN_FWHM_PIXELS * grid.pixel
    for source in sources:
        x, y = grid.x - (source["x"] - grid.center[0]), grid.y - (source["y"] - grid.center[1])
        match Shape(source["shape"]):
            case Shape.CIRCLE:
                image += source["flux"] * np.outer(
                    _profile(y, source["fwhm"], floor), _profile(x, source["fwhm"], floor)
                )
            case Shape.ELLIPSE:
                image += source["flux"] * _ellipse(x, y, source, floor)
            case Shape.LOOP:
                weight, offset_x, offset_y, fwhm = loop_circles(
                    source["fwhm_max"], source["fwhm_min"], source["position_angle"], source["loop_angle"]
                )
                rows = np.stack([_profile(y - offset, fwhm, floor) for offset in offset_y], axis=1)
                columns = np.stack([_profile(x - offset, fwhm, floor) for offset in offset_x])
                image += source["flux"] * (rows * weight) @ columns
    return image


def _profile(distance: Floats, fwhm: float, floor: float) -> Floats:
    """Gaussian of integral 1, arcsec⁻¹."""
    sigma = max(fwhm, floor) / FWHM_PER_SIGMA
    return np.asarray(np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi)))


def _ellipse(x: Floats, y: Floats, source: Mapping[str, Any], floor: float) -> Floats:
    """Elliptical Gaussian of integral 1, arcsec⁻²; the major axis at the position angle, counter-clockwise from +x."""
    angle = np.deg2rad(source["position_angle"])
    cos, sin = np.cos(angle), np.sin(angle)
    along = x[None, :] * cos + y[:, None] * sin
    across = y[:, None] * cos - x[None, :] * sin
    major, minor = max(source["fwhm_max"], floor), max(source["fwhm_min"], floor)
    # 4 ln 2/(π w_max w_min) · exp(-4 ln 2 [(x'/w_max)² + (y'/w_min)²])
    scale = 4.0 * np.log(2.0)
    return np.asarray(scale / (np.pi * major * minor) * np.exp(-scale * ((along / major) ** 2 + (across / minor) ** 2)))
