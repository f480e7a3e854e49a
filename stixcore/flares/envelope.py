"""The level below the flares: SNIP envelope, the background derived from it, and its standard deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from stixcore.fits.compression import compression_variance
from stixcore.flares.series import STEP, Floats

#: Largest clipping distance of the envelope, s (900 bins, as in the original). Flares longer than twice this become
#: part of the envelope.
SPAN = 3600.0
#: The distance shrinks by this factor from one pass to the next. With every distance (900, 899, … 1) the envelope would
#: follow each downward fluctuation of the noise and depend on data days away.
SHRINK = 0.8
#: The envelope is computed on every fifth point (20 s) of the one-minute mean.
COARSE = 5
#: Half of the interval whose quiet bins determine how far the background is above the envelope, s.
QUIET_REACH = 1800.0
#: Number of extra points assumed at the typical distance, so that a few quiet bins do not decide alone.
PRIOR_POINTS = 300.0 / STEP
#: Parameters (s, k, m) of the on-board compression of quick-look counts.
QUICKLOOK_SKM = (0, 5, 3)


def passes(points: int = round(SPAN / STEP / COARSE)) -> list[int]:
    """Clipping distances of the passes, in points, decreasing."""
    distances: list[int] = []
    distance = float(points)
    while distance >= 1.0:
        if not distances or round(distance) < distances[-1]:
            distances.append(round(distance))
        distance *= SHRINK
    return distances


#: Data farther away than this do not affect the envelope, s: the sum of all passes, and the range used at the ends.
ENVELOPE_REACH = sum(passes()) * STEP * COARSE + SPAN


def snip(curve: Floats, distances: list[int]) -> Floats:
    """Statistics-sensitive nonlinear iterative peak clipping (SNIP), second order, with decreasing distances.

    Ryan et al. 1988, NIM B 34, 396; Morháč et al. 1997, NIM A 401, 113: v_i ← min(v_i, (v_{i-p} + v_{i+p}) / 2).

    Parameters
    ----------
    curve : (n,) float
    distances : list of int
        In points; distances too long for the curve are skipped.

    Returns
    -------
    (n,) float
    """
    clipped = curve.copy()
    for p in distances:
        if 2 * p < clipped.size:
            np.minimum(clipped[p:-p], 0.5 * (clipped[: -2 * p] + clipped[2 * p :]), out=clipped[p:-p])
    return clipped


def envelope(time: Floats, curve: Floats) -> Floats:
    """SNIP envelope of a curve without gaps.

    Beyond both ends the curve is continued at the lowest level of the adjacent hour, so that a flare cut off by the end
    of the data still rises above the envelope.

    Parameters
    ----------
    time : (m,) float, s
        Multiples of `STEP`. The coarse points are multiples too, wherever the curve begins.
    curve : (m,) float, ct per 4 s

    Returns
    -------
    (m,) float, ct per 4 s
    """
    offset = int(-np.rint(time[0] / STEP)) % COARSE
    points = np.arange(offset, curve.size, COARSE)
    if points.size < 2:
        return np.full_like(curve, curve.min())
    coarse = curve[points]
    distances = passes()
    hour = round(SPAN / STEP / COARSE)
    before, after = np.full(distances[0], coarse[:hour].min()), np.full(distances[0], coarse[-hour:].min())
    spanned = snip(np.concatenate([before, coarse, after]), distances)[before.size : before.size + coarse.size]
    return np.interp(np.arange(curve.size), points, spanned)


def background(curve: Floats, envelope_of_it: Floats, quiet: NDArray[np.bool_]) -> Floats:
    """Background level: the envelope plus the mean excess of quiet bins within half an hour on either side.

    The envelope follows the lower edge of the noise, half a standard deviation of a bin too low. Five minutes at that
    typical excess are added to the average, so that the first quiet bins after a flare cause no step.

    Parameters
    ----------
    curve, envelope_of_it : (m,) float, ct per 4 s
    quiet : (m,) bool
        Bins without a flare.

    Returns
    -------
    (m,) float, ct per 4 s
    """
    size = 2 * round(QUIET_REACH / STEP) + 1
    # Σ distances and number of points
    above = size * uniform_filter1d(np.where(quiet, curve - envelope_of_it, 0.0), size, mode="constant")
    points = size * uniform_filter1d(quiet.astype(float), size, mode="constant")
    typical = 0.5 * np.sqrt(envelope_of_it)
    return np.asarray(envelope_of_it + (above + PRIOR_POINTS * typical) / (points + PRIOR_POINTS))


def deviation(level: Floats) -> Floats:
    """Standard deviation of one quick-look bin at a level [ct per 4 s]: counting statistics and compression."""
    return np.asarray(np.sqrt(np.maximum(level, 1.0) + compression_variance(level, QUICKLOOK_SKM)))


def deviation_at(level: float) -> float:
    """`deviation` of a single level."""
    return float(deviation(np.array([level]))[0])
