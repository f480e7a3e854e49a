"""Regions of the coarse flare locator as the file of a full-disk map has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.image_files.layout import LOCATOR_EXTENSION
from stixcore.imaging.coarse_locator import LEVELS

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocatorRegions:
    """Position and regions of the coarse flare locator.

    Attributes
    ----------
    x, y : float, arcsec
        Best position, helioprojective.
    radius : float, arcsec
        Of a circle with the area of the 68 % region.
    location_level : float
        Confidence level of the contour through the location of the images, 0 to 1.
    outlines : tuple of (level, polygons)
        For each confidence level, the closed polygons (n, 2) of its region, helioprojective, arcsec.
    """

    x: float
    y: float
    radius: float
    location_level: float
    outlines: tuple[tuple[float, tuple[Floats, ...]], ...]


def stored_regions(hdus: fits.HDUList) -> LocatorRegions | None:
    """Regions of a full-disk file; None without table ``LOCATOR``, as in files before 2026-12 and other images.

    Raises
    ------
    KeyError
        If the table or the header is incomplete.
    """
    if LOCATOR_EXTENSION not in hdus:
        return None
    table, header = hdus[LOCATOR_EXTENSION].data, hdus[0].header
    level, number = np.asarray(table["level"]), np.asarray(table["polygon"])
    corners = np.stack([table["x"], table["y"]], axis=1).astype(np.float64)
    outlines = tuple(
        (one, tuple(corners[number == polygon] for polygon in np.unique(number[level == one]))) for one in LEVELS
    )
    x, y, radius, level_there = (float(header[key]) for key in ("CFL_HPX", "CFL_HPY", "CFL_RAD", "CFL_LEV"))
    return LocatorRegions(x, y, radius, level_there, outlines)
