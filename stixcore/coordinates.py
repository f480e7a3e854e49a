"""Conversion between the STIX imaging frame and helioprojective coordinates (Solar Orbiter view), given a pointing.

The geometry is planar, as in the ground software. The instrument is rotated by 90° relative to the spacecraft, so that
x_stx points along +y' and y_stx along -x', where (x', y') is the helioprojective frame rotated by the roll. See
CONVENTIONS.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SOLAR_RADIUS = 695_700_000.0  # m
ASTRONOMICAL_UNIT = 149_597_870_700.0  # m (IAU 2012, resolution B2)
#: Errors of the aspect solution (Warmuth et al. 2020, Sol. Phys. 295, 90) and of the spacecraft's attitude, arcsec.
ASPECT_SIGMA, SPACECRAFT_SIGMA = 4.0, 30.0


class PointingSource(StrEnum):
    """Where a pointing comes from, best first."""

    ASPECT = "aspect"  # the aspect system's solution
    SPACECRAFT = "spacecraft"  # yaw and pitch of the spacecraft; good to about an arcminute
    ASSUMED = "assumed"  # no records: instrument on Sun centre, solar north up
    MANUAL = "manual"  # given by the user


@dataclass(frozen=True)
class Pointing:
    """Pointing and roll of the instrument, and the position of the observer.

    Attributes
    ----------
    source : PointingSource
    roll : float, deg
        Spacecraft roll.
    x, y : float, arcsec
        Pointing of the STIX optical axis in the rolled helioprojective frame (the ground software's STX_POINTING).
    rsun : float, arcsec
        Apparent solar radius; NaN when unknown.
    stonyhurst_lon, b0 : float, deg
        Heliographic longitude (Stonyhurst) and latitude of the observer; NaN when unknown.
    dsun : float, m
        Distance from Sun centre; NaN when unknown.
    rms_x, rms_y : float or None, arcsec
        Standard deviation of the pointing over the records of the window, and those beside it where there are few;
        None with fewer than two records.
    peak_to_peak : float or None, arcsec
        Largest difference between these records along an axis.
    rms_roll : float or None, deg
        Standard deviation of the roll.
    records, rejected : int
        Number of records that were averaged, and of outliers that were left out.
    interpolated : bool
        Whether the pointing is interpolated, because the window contains no usable record.
    """

    source: PointingSource
    roll: float
    x: float
    y: float
    rsun: float = float("nan")
    stonyhurst_lon: float = float("nan")
    b0: float = float("nan")
    dsun: float = float("nan")
    rms_x: float | None = None
    rms_y: float | None = None
    peak_to_peak: float | None = None
    rms_roll: float | None = None
    records: int = 0
    rejected: int = 0
    interpolated: bool = False

    @property
    def sigma(self) -> float:
        """Error of the pointing on each axis, arcsec; NaN where it was assumed or given.

        σ² = 4² + sd², where sd is the larger of ``rms_x`` and ``rms_y``; 30² instead of 4² for the spacecraft's
        attitude.
        """
        own = {PointingSource.ASPECT: ASPECT_SIGMA, PointingSource.SPACECRAFT: SPACECRAFT_SIGMA}.get(self.source)
        if own is None:
            return float("nan")
        return float(np.hypot(own, max(self.rms_x or 0.0, self.rms_y or 0.0)))


def hpc_to_stix(x: ArrayLike, y: ArrayLike, pointing: Pointing) -> tuple[Floats, Floats]:
    """Convert helioprojective (solar west, north) to STIX coordinates, arcsec."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    cos, sin = np.cos(np.deg2rad(pointing.roll)), np.sin(np.deg2rad(pointing.roll))
    # x' = x cos r + y sin r,  y' = -x sin r + y cos r;  x_stx = y' - P_y,  y_stx = -(x' - P_x)
    rolled_x, rolled_y = x * cos + y * sin, -x * sin + y * cos
    return rolled_y - pointing.y, pointing.x - rolled_x


def stix_to_hpc(x: ArrayLike, y: ArrayLike, pointing: Pointing) -> tuple[Floats, Floats]:
    """Convert STIX to helioprojective (solar west, north) coordinates, arcsec."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    cos, sin = np.cos(np.deg2rad(pointing.roll)), np.sin(np.deg2rad(pointing.roll))
    # x' = P_x - y_stx,  y' = P_y + x_stx;  x = x' cos r - y' sin r,  y = x' sin r + y' cos r
    rolled_x, rolled_y = pointing.x - y, pointing.y + x
    return rolled_x * cos - rolled_y * sin, rolled_x * sin + rolled_y * cos


def rotate_uv_to_hpc(u: ArrayLike, v: ArrayLike, roll: float) -> tuple[Floats, Floats]:
    """Rotate (u, v) points from STIX to helioprojective axes, so that u·x_stx + v·y_stx = u'·x + v'·y for offsets.

    ``roll`` is in degrees. Rotating the points instead of the image avoids resampling.
    """
    u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    # offsets: δx_stx = -δx sin r + δy cos r,  δy_stx = -δx cos r - δy sin r
    return -u * sin - v * cos, u * cos - v * sin


def position_angle_to_hpc(angle: ArrayLike, roll: float) -> Floats:
    """Convert a position angle from +x_stx to one from solar west, counter-clockwise, in [0, 180) deg."""
    return np.mod(np.asarray(angle, dtype=float) + 90.0 + roll, 180.0)
