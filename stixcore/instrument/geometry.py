"""Sub-collimators, pixels and (u, v) points, from the instrument's tables."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.instrument.tables import grid_table, pixel_area, subcollimator_table

ARCSEC_PER_RADIAN = 206_264.806  # as the ground software rounds it
GRID_SEPARATION = 545.30  # mm, front to rear grid
DETECTOR_SEPARATION = 47.78  # mm, rear grid to detector plane
DETECTOR_AREA = 8.8 * 9.2 / 100.0  # cm²

#: Sub-collimators 10a … 3c, coarse to fine, which have calibrated phases: the default of every method.
IMAGING_LABELS: tuple[str, ...] = tuple(f"{n}{letter}" for n in range(10, 2, -1) for letter in "abc")
#: Sub-collimators 10a … 7c, used to find the flare on the full disk.
LOCATION_LABELS: tuple[str, ...] = IMAGING_LABELS[:12]
#: All thirty imaging sub-collimators, coarse to fine.
ALL_LABELS: tuple[str, ...] = tuple(f"{n}{letter}" for n in range(10, 0, -1) for letter in "abc")

FLARE_LOCATOR = 8  # detector index of the coarse flare locator (detector 9)
BACKGROUND_MONITOR = 9  # detector index of the background monitor (detector 10)


class PixelSet(StrEnum):
    """Pixels of a detector that are summed to A, B, C, D ("sumcase" in the ground software)."""

    TOP = "TOP"
    BOT = "BOT"
    TOP_BOT = "TOP+BOT"
    ALL = "ALL"
    SMALL = "SMALL"

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Pixel indices, in the order A B C D, repeated for each row of pixels."""
        return _PIXELS[self]

    @property
    def phase(self) -> float:
        """Phase of the pixel pattern φ0 [deg] (Massa et al. 2023, Sol. Phys. 298, 114)."""
        return {PixelSet.ALL: 45.0, PixelSet.SMALL: 22.5}.get(self, 46.1)

    @property
    def area(self) -> float:
        """Area of one of the four meta-pixels A, B, C, D [cm²]."""
        return float(pixel_area()[self.pixels].sum() / 4.0)


_PIXELS = {
    PixelSet.TOP: np.arange(0, 4),
    PixelSet.BOT: np.arange(4, 8),
    PixelSet.TOP_BOT: np.arange(0, 8),
    PixelSet.ALL: np.arange(0, 12),
    PixelSet.SMALL: np.arange(8, 12),
}


def detector_indices(labels: Iterable[str]) -> NDArray[np.int64]:
    """Detector index (0-31) of each sub-collimator label, in the order given.

    Raises
    ------
    SelectionError
        When a label is not an imaging sub-collimator, or occurs twice.
    """
    wanted = list(labels)
    known = subcollimator_table().label
    unknown = [label for label in wanted if label not in ALL_LABELS]
    if unknown or len(set(wanted)) != len(wanted):
        message = f"sub-collimators must be distinct labels out of 10a … 1c, found {unknown or wanted}"
        raise SelectionError(message)
    return np.array([known.index(label) for label in wanted], dtype=int)


@cache
def uv_points() -> NDArray[np.float64]:
    """(u, v) of every detector, (32, 2) float, arcsec⁻¹, STIX frame; NaN for flare locator and background monitor.

    Source: ground software ``stx_uv_points`` since July 2023; Massa et al. 2023, Sol. Phys. 298, 114, eq. 14.
    """
    table = subcollimator_table()
    # f = (d_sep + d_det)/P_f,  r = d_det/P_r
    front = (GRID_SEPARATION + DETECTOR_SEPARATION) / (table.front_pitch * ARCSEC_PER_RADIAN)
    rear = DETECTOR_SEPARATION / (table.rear_pitch * ARCSEC_PER_RADIAN)
    alpha_f, alpha_r = np.deg2rad(table.front_orientation), np.deg2rad(table.rear_orientation)
    # u = -s (f cos α_f - r cos α_r),  v = -s (f sin α_f - r sin α_r)
    u = -table.phase_sense * (front * np.cos(alpha_f) - rear * np.cos(alpha_r))
    v = -table.phase_sense * (front * np.sin(alpha_f) - rear * np.sin(alpha_r))
    points = np.stack([u, v], axis=1)
    points.flags.writeable = False
    return points


@cache
def mean_orientation() -> NDArray[np.float64]:
    """Mean orientation of front and rear grid seen from the detector side, (32,) float, deg."""
    return 0.5 * (grid_table("front").orientation + grid_table("rear").orientation)


@cache
def detector_centers() -> NDArray[np.float64]:
    """Centre (x, y) of every detector in the detector plane, (32, 2) float, mm, as drawn by the Data Center.

    There are six columns of four or six detectors, 25 mm apart; the flare locator (9) and the background monitor (10)
    are in the second one.
    """
    outer, middle, inner = (36.5, 13.5), (59.5, 36.5, 13.5), (73.5, 50.5, 27.5)
    columns = zip((-62.5, -37.5, -12.5, 12.5, 37.5, 62.5), (outer, middle, inner, inner, middle, outer), strict=True)
    points = np.array([(x, y) for x, upper in columns for y in (*upper, *(-y for y in reversed(upper)))])
    points.flags.writeable = False
    return points


def pixel_boxes() -> NDArray[np.float64]:
    """Left, right, bottom, top of the 12 pixels from the centre of their detector, (12, 4) float, mm, for drawings.

    Columns A to D run from left to right; the small pixels are centred in them, on the border between top and bottom.
    """
    width, height = 8.8 / 4.0, 9.2 / 2.0
    left = -4.4 + width * np.arange(4)
    small = 0.5 * np.sqrt(100.0 * pixel_area()[8])  # half the side of a square of the same area
    middle = left + 0.5 * width
    rows = (
        np.stack([left, left + width, np.zeros(4), np.full(4, height)], axis=1),
        np.stack([left, left + width, np.full(4, -height), np.zeros(4)], axis=1),
        np.stack([middle - small, middle + small, np.full(4, -small), np.full(4, small)], axis=1),
    )
    return np.concatenate(rows)
