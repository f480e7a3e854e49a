"""The coarse flare locator (detector 9): which area of its twelve pixels a point source lights.

Its only grid is an H of tungsten in front, 593 mm before the detector. It has two openings in the middle, one above and
one below the horizontal bar, and four slots at the sides; the shadow of the rest moves over the pixels with the
direction of the source. The pixels here are those of the table of the Data Center (9.6685 and 0.9030 mm²), which
differ slightly from the areas for rates (`stixcore.instrument.tables.pixel_area`).

Source: ground software ``stx_subc_params.txt`` (detector 9); Massa et al. 2023, Sol. Phys. 298, 114, for the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stixcore.instrument.geometry import DETECTOR_SEPARATION, GRID_SEPARATION

Floats = NDArray[np.float64]

ARCSEC = np.pi / (180.0 * 3600.0)  # rad
#: From the front grid to the detector, mm.
DISTANCE = GRID_SEPARATION + DETECTOR_SEPARATION
#: Openings of the grid along x: the central one, and the slots, which reach the detector beyond 1913″; mm.
OPENINGS_X = ((-4.4, 4.4), (-11.0, -9.9), (9.9, 11.0))
#: Openings along y, the same for all of `OPENINGS_X`; mm.
OPENINGS_Y = ((3.45, 10.0), (-10.0, -3.45))
COLUMN_WIDTH, ROW_HEIGHT = 2.2, 4.6  # mm
#: Notch in the corner of a large pixel, for half of a small pixel; mm.
NOTCH_WIDTH, NOTCH_HEIGHT = 1.05, 0.43
LARGE_AREA = COLUMN_WIDTH * ROW_HEIGHT - NOTCH_WIDTH * NOTCH_HEIGHT
SMALL_AREA = 2.0 * NOTCH_WIDTH * NOTCH_HEIGHT
#: Whole area of each pixel, (12,) float, mm².
PIXEL_AREA = np.array([LARGE_AREA] * 8 + [SMALL_AREA] * 4)
PIXEL_AREA.flags.writeable = False
_LEFT = -4.4 + COLUMN_WIDTH * np.arange(4)


@dataclass(frozen=True, eq=False)
class LitWidths:
    """Lit widths of the four columns for n directions, mm.

    Attributes
    ----------
    column : (4, n) float
        Of the large pixels A, B, C, D.
    notch : (4, n) float
        Of their notches, which are the small pixels' columns.
    """

    column: Floats
    notch: Floats


@dataclass(frozen=True, eq=False)
class LitHeights:
    """Lit heights of the two rows for n directions, mm.

    Attributes
    ----------
    row : (2, n) float
        Of the top and the bottom row.
    notch : (2, n) float
        Of their notches; their sum is that of the small pixels.
    """

    row: Floats
    notch: Floats


def lit_widths(x: ArrayLike, distance: float = DISTANCE, *, slots: bool = True) -> LitWidths:
    """Lit widths of the columns for sources at ``x``, (n,) float, arcsec, STIX frame."""
    # the image of an opening is shifted by Δx = L tan x
    shift = distance * np.tan(np.asarray(x, dtype=float) * ARCSEC)
    openings = OPENINGS_X if slots else OPENINGS_X[:1]
    return LitWidths(
        np.array([_overlap(openings, shift, left, left + COLUMN_WIDTH) for left in _LEFT]),
        np.array([_overlap(openings, shift, left, left + NOTCH_WIDTH) for left in _LEFT]),
    )


def lit_heights(y: ArrayLike, distance: float = DISTANCE) -> LitHeights:
    """Lit heights of the rows for sources at ``y``, (n,) float, arcsec, STIX frame."""
    # y_stix points down on the detector: Δy = -L tan y
    shift = -distance * np.tan(np.asarray(y, dtype=float) * ARCSEC)
    return LitHeights(
        np.array([_overlap(OPENINGS_Y, shift, 0.0, ROW_HEIGHT), _overlap(OPENINGS_Y, shift, -ROW_HEIGHT, 0.0)]),
        np.array([_overlap(OPENINGS_Y, shift, 0.0, NOTCH_HEIGHT), _overlap(OPENINGS_Y, shift, -NOTCH_HEIGHT, 0.0)]),
    )


def lit_areas(x: ArrayLike, y: ArrayLike, distance: float = DISTANCE, *, slots: bool = True) -> Floats:
    """Area of each pixel that a point source lights, mm².

    Parameters
    ----------
    x, y : (…) float, arcsec
        Direction of the source, STIX frame.
    distance : float, mm
        From the grid to the detector.
    slots : bool
        Whether the four slots count; public models leave them out.

    Returns
    -------
    (…, 12) float
        At most `PIXEL_AREA`. The thickness of the grid, 0.4 mm, is neglected: it moves an edge by at most 0.004 mm.
    """
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    wide, high = lit_widths(x.ravel(), distance, slots=slots), lit_heights(y.ravel(), distance)
    # large: a = X_c Y_r - Xn_c Yn_r;  small: a = Xn_c (Yn_top + Yn_bottom)
    large = wide.column[None] * high.row[:, None] - wide.notch[None] * high.notch[:, None]
    small = wide.notch * high.notch.sum(axis=0)
    areas = np.concatenate([large.reshape(8, -1), small])
    return np.asarray(np.moveaxis(areas.reshape(12, *x.shape), 0, -1))


def _overlap(openings: tuple[tuple[float, float], ...], shift: Floats, low: float, high: float) -> Floats:
    """Length of ``low`` … ``high`` behind shifted openings, mm: Σ max(0, min(ends) - max(starts))."""
    return np.asarray(
        sum(np.maximum(0.0, np.minimum(end + shift, high) - np.maximum(start + shift, low)) for start, end in openings)
    )
