"""Quick-look series, the input to flare detection, and their moving mean on a grid independent of their start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

N_BANDS = 5
#: Energy bands, named by their edges in keV.
BANDS = ("4-10", "10-15", "15-25", "25-50", "50-84")
#: All counts are given per this time, s: the length of a quick-look bin.
STEP = 4.0

EPOCH = np.datetime64("1970-01-01T00:00:00", "us")
_SECOND = np.timedelta64(1_000_000, "us")


@dataclass(frozen=True, eq=False)
class QuicklookSeries:
    """Bins of a quick-look light curve in order of time, with gaps where nothing was recorded.

    Attributes
    ----------
    t_start : (n,) datetime64[us]
        UTC at Solar Orbiter.
    duration : (n,) float, s
    counts : (n, 5) float, ct
        Bands as in `BANDS`.
    rcr : (n,) int
        Rate-control state; 0: attenuator out.

    Raises
    ------
    SelectionError
        When shapes do not match, times do not increase or a duration is not positive.
    """

    t_start: Times
    duration: Floats
    counts: Floats
    rcr: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = self.t_start.size
        if self.duration.shape != (n,) or self.counts.shape != (n, N_BANDS) or self.rcr.shape != (n,):
            message = (
                f"a quick-look series of {n} times needs {n} durations, {n} states and {n} × {N_BANDS} counts, found "
                f"shapes {self.duration.shape}, {self.rcr.shape} and {self.counts.shape}"
            )
            raise SelectionError(message)
        if n and not ((np.diff(self.t_start) > np.timedelta64(0, "us")).all() and (self.duration > 0).all()):
            message = "a quick-look series needs increasing times and positive durations"
            raise SelectionError(message)

    @property
    def middle(self) -> Floats:
        """Middle of every bin, (n,) float, s since 1970."""
        return np.asarray((self.t_start - EPOCH) / _SECOND + 0.5 * self.duration)

    def recorded(self) -> QuicklookSeries:
        """The series without bins that are empty in all bands, in which the detectors were off."""
        on = self.counts.any(axis=1)
        if on.all():
            return self
        return QuicklookSeries(self.t_start[on], self.duration[on], self.counts[on], self.rcr[on])


def grid(middle: Floats) -> Floats:
    """Grid of times that covers the bins: multiples of `STEP` seconds since 1970, (m,) float, s."""
    first, last = np.floor(middle[0] / STEP), np.ceil(middle[-1] / STEP)
    return np.asarray(np.arange(first, last + 1) * STEP)


def moving_mean(time: Floats, middle: Floats, duration: Floats, counts: Floats, window: float) -> Floats:
    """Counts per `STEP` seconds, averaged over ``window`` seconds around every grid point.

    Parameters
    ----------
    time : (m,) float, s
        See `grid`.
    middle, duration : (n,) float, s
    counts : (n,) float, ct
    window : float, s

    Returns
    -------
    (m,) float, ct per 4 s
        NaN where less than half of the window was recorded. Sums of whole numbers are exact, so the mean at a point
        depends only on the data inside its window.
    """
    total = np.concatenate([[0.0], np.cumsum(counts)])
    exposure = np.concatenate([[0.0], np.cumsum(duration)])
    first = np.searchsorted(middle, time - 0.5 * window)
    last = np.searchsorted(middle, time + 0.5 * window)
    seconds = exposure[last] - exposure[first]
    enough = seconds >= 0.5 * window
    # Σ counts ÷ Σ seconds, per STEP
    mean = STEP * (total[last] - total[first]) / np.where(enough, seconds, 1.0)
    return np.where(enough, mean, np.nan)
