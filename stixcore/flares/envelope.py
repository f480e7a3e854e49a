"""What lies under the flares: the SNIP envelope, the background derived from it, and its standard deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from stixcore.fits.compression import compression_variance
from stixcore.flares.series import STEP, Floats

#: Largest distance over which the envelope is spanned, s; flares longer than twice that become part of it. The
#: original's 900 bins.
SPAN = 3600.0
#: Distances shrink by this factor from one pass to the next. With all of them (900, 899, … 1) the envelope would follow
#: every downward swing of the noise and depend on data days away.
SHRINK = 0.8
#: The envelope is spanned over every fifth point (20 s) of a curve that was averaged over a minute.
COARSE = 5
#: Half of the interval over which quiet moments tell how far the background is above the envelope, s.
QUIET_REACH = 1800.0
#: Points that are expected to be at the usual distance.
EXPECTED = 300.0 / STEP
#: Compression of quick-look counts on board.
QUICKLOOK_SKM = (0, 5, 3)


def passes(points: int = round(SPAN / STEP / COARSE)) -> list[int]:
    """Distances of the passes, in points, falling."""
    distances: list[int] = []
    distance = float(points)
    while distance >= 1.0:
        if not distances or round(distance) < distances[-1]:
            distances.append(round(distance))
        distance *= SHRINK
    return distances


#: How far away anything can matter to the envelope, s: the sum of all passes, and what the edges look at.
ENVELOPE_REACH = sum(passes()) * STEP * COARSE + SPAN


def snip(curve: Floats, distances: list[int]) -> Floats:
    """Statistics-sensitive nonlinear iterative peak clipping, second order, distances falling.

    Ryan et al. 1988, NIM B 34, 396; Morháč et al. 1997, NIM A 401, 113: v_i ← min(v_i, (v_{i-p} + v_{i+p}) / 2).

    Parameters
    ----------
    curve : (n,) float
    distances : list of int
        In points; those too long for the curve are left out.
    """
    clipped = curve.copy()
    for p in distances:
        if 2 * p < clipped.size:
            np.minimum(clipped[p:-p], 0.5 * (clipped[: -2 * p] + clipped[2 * p :]), out=clipped[p:-p])
    return clipped


def envelope(time: Floats, curve: Floats) -> Floats:
    """SNIP envelope of a curve without gaps.

    Beyond both ends it is continued at the lowest level of the hour next to them, so that a flare which is cut off by
    the end of the data still stands out.

    Parameters
    ----------
    time : (m,) float, s
        Multiples of `STEP`; the coarse points are multiples too, wherever the curve begins.
    curve : (m,) float, ct per 4 s
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
    """Level of the quiet curve: envelope plus its mean distance from the quiet moments of half an hour on either side.

    An envelope runs along the lower edge of the noise, half a standard deviation of a bin too low. Five minutes at that
    distance are thought to have been seen besides, so that the first quiet moments after a flare make no step.

    Parameters
    ----------
    curve, envelope_of_it : (m,) float, ct per 4 s
    quiet : (m,) bool
    """
    size = 2 * round(QUIET_REACH / STEP) + 1
    # Σ distances and number of points
    above = size * uniform_filter1d(np.where(quiet, curve - envelope_of_it, 0.0), size, mode="constant")
    points = size * uniform_filter1d(quiet.astype(float), size, mode="constant")
    typical = 0.5 * np.sqrt(envelope_of_it)
    return np.asarray(envelope_of_it + (above + EXPECTED * typical) / (points + EXPECTED))


def deviation(level: Floats) -> Floats:
    """Standard deviation of one quick-look bin at a level [ct per 4 s]: of counting and of compression on board."""
    return np.asarray(np.sqrt(np.maximum(level, 1.0) + compression_variance(level, QUICKLOOK_SKM)))


def deviation_at(level: float) -> float:
    """See `deviation`, for one level."""
    return float(deviation(np.array([level]))[0])
