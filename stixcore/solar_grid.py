"""Solar limb and heliographic grid as lines in the plane of the sky."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Helioprojective x and y of the points of a line, arcsec.
Line = tuple[Floats, Floats]

GRID_STEP = 10.0  # degrees of heliographic longitude and latitude


def limb(rsun: float) -> Line:
    """The solar limb; ``rsun`` [arcsec] is the apparent radius."""
    angle = np.linspace(0.0, 2.0 * np.pi, 2000)
    return rsun * np.cos(angle), rsun * np.sin(angle)


def heliographic_grid(rsun: float, b0: float, step: float = GRID_STEP) -> Iterator[Line]:
    """Parallels and meridians on the visible half of the Sun; points behind the limb are NaN.

    Parameters
    ----------
    rsun : float, arcsec
    b0 : float, deg
        Heliographic latitude of the observer, who is assumed to be at infinity.
    step : float, deg
        Distance between lines; longitudes count from the central meridian.
    """
    fine = np.arange(-180.0, 180.1, 0.25)
    for latitude in np.arange(step - 90.0, 90.0 - step / 2.0, step):
        yield _on_disk(rsun, b0, fine, np.full(fine.size, latitude))
    fine = np.arange(-90.0, 90.1, 0.25)
    for longitude in np.arange(-180.0, 180.0, step):
        yield _on_disk(rsun, b0, np.full(fine.size, longitude), fine)


def _on_disk(rsun: float, b0: float, longitude: Floats, latitude: Floats) -> Line:
    """A line on the solar surface."""
    lon, lat, tilt = np.deg2rad(longitude), np.deg2rad(latitude), np.deg2rad(b0)
    x = np.cos(lat) * np.sin(lon)
    y = np.sin(lat) * np.cos(tilt) - np.cos(lat) * np.cos(lon) * np.sin(tilt)
    toward = np.sin(lat) * np.sin(tilt) + np.cos(lat) * np.cos(lon) * np.cos(tilt)
    return rsun * np.where(toward > 0, x, np.nan), rsun * np.where(toward > 0, y, np.nan)


def clipped(line: Line, extent: tuple[float, float, float, float]) -> list[Line]:
    """The parts of a line in or near a box ``(x0, x1, y0, y1)``, arcsec, of two points or more each."""
    (x, y), (x0, x1, y0, y1) = line, extent
    margin_x, margin_y = (x1 - x0) / 2.0, (y1 - y0) / 2.0
    with np.errstate(invalid="ignore"):
        near = (x > x0 - margin_x) & (x < x1 + margin_x) & (y > y0 - margin_y) & (y < y1 + margin_y)
    runs = np.split(np.arange(near.size), np.flatnonzero(np.diff(near.astype(int))) + 1)
    return [(x[run], y[run]) for run in runs if near[run[0]] and run.size > 1]
