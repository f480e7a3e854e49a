"""Positions in the sky of one observer as another sees them, for whole arrays: contours and maps between two views.

Vectors are Stonyhurst, in m. Angles in the sky are helioprojective, arcsec (Thompson 2006, A&A 449, 791, section 4).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import Observer

Floats = NDArray[np.float64]

ARCSEC = math.degrees(1.0) * 3600.0


def places_of(observer: Observer, x: Floats, y: Floats, screen: Observer | None = None) -> Floats:
    """Places in space of what an observer sees at helioprojective positions.

    Parameters
    ----------
    observer : Observer
    x, y : (…) float, arcsec
    screen : Observer, optional
        What is beyond the limb is on the sphere around this observer through Sun center.

    Returns
    -------
    (…, 3) float, m
        On the solar surface; beyond the limb NaN, or on the screen.
    """
    west, north, outward = _axes(observer)
    theta_x, theta_y = np.asarray(x) / ARCSEC, np.asarray(y) / ARCSEC
    # r = cos θy sin θx · west + sin θy · north - cos θy cos θx · outward
    ray = (
        (np.cos(theta_y) * np.sin(theta_x))[..., None] * west
        + np.sin(theta_y)[..., None] * north
        - (np.cos(theta_y) * np.cos(theta_x))[..., None] * outward
    )
    place = observer.vector
    # |p + s r| = R:  s = -p·r ∓ √((p·r)² - p² + R²); the nearer one is the surface that is seen
    along = ray @ place
    inside = along**2 - observer.distance**2 + SOLAR_RADIUS**2
    far = np.where(inside >= 0.0, -along - np.sqrt(np.maximum(inside, 0.0)), np.nan)
    if screen is not None:
        offset = place - screen.vector
        # |p + s r - q| = q with the farther solution: the side of the sphere at the Sun
        along = ray @ offset
        beyond = -along + np.sqrt(np.maximum(along**2 - offset @ offset + screen.distance**2, 0.0))
        far = np.where(np.isnan(far), beyond, far)
    found: Floats = place + far[..., None] * ray
    return found


def sky_of(observer: Observer, places: Floats) -> tuple[Floats, Floats]:
    """Helioprojective positions of places in space, arcsec; NaN where the Sun hides them or they are NaN.

    Parameters
    ----------
    observer : Observer
    places : (…, 3) float, m
    """
    west, north, outward = _axes(observer)
    line = places - observer.vector
    length = np.linalg.norm(line, axis=-1)
    # θx = atan2(d·west, -d·outward),  θy = asin(d·north / |d|)
    x = np.arctan2(line @ west, -(line @ outward)) * ARCSEC
    y = np.arcsin(line @ north / length) * ARCSEC
    # hidden: the line of sight passes the Sun's center before the place, within the Sun
    nearest = -(line @ observer.vector) / length
    miss = np.sqrt(np.maximum(observer.distance**2 - nearest**2, 0.0))
    with np.errstate(invalid="ignore"):
        hidden = (nearest < length * (1.0 - 1e-9)) & (miss < SOLAR_RADIUS * (1.0 - 1e-9))
    return np.where(hidden, np.nan, x), np.where(hidden, np.nan, y)


def apparent_radius(observer: Observer) -> float:
    """Apparent radius of the Sun, arcsec."""
    return math.asin(SOLAR_RADIUS / observer.distance) * ARCSEC


def _axes(observer: Observer) -> tuple[Floats, Floats, Floats]:
    """West, north and outward of an observer, unit vectors."""
    outward = observer.vector / observer.distance
    lam = math.radians(observer.lon)
    west = np.array([-math.sin(lam), math.cos(lam), 0.0])
    return west, np.cross(outward, west), outward
