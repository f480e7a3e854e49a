"""The class that GOES measured for a flare of STIX: which peak of the GOES curve belongs to it.

GOES sees the Sun as one star, so its peak may belong to another flare. It is taken for that of a STIX flare when it is
a local maximum of the one-minute means near the peak of STIX, in the clock of the Earth, and when GOES rises to it. In
all other cases there is no class, and the reason is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

#: Length of a mean.
MINUTE = np.timedelta64(60_000_000, "us")
#: The peak of GOES is at most this long before and after that of STIX. It is later: cooler plasma shines longer.
EARLIEST, LATEST = 3 * MINUTE, 10 * MINUTE
#: The background is the lowest minute from this long before the start of the flare to the peak.
BACKGROUND_FROM = 10 * MINUTE
#: Least ratio of peak and background.
LEAST_RISE = 1.1
#: Least fraction of the minutes around the peak that must be there.
LEAST_COVERAGE = 0.75

NO_DATA = "no GOES data of this time"
NO_RISE = "GOES shows no rise at this time"
FALLING = "GOES falls from an earlier, stronger flare"
RISING = "GOES rises to a later, stronger flare"


@dataclass(frozen=True, eq=False)
class GoesCurve:
    """One-minute means of 0.1-0.8 nm in order of time; minutes may be missing.

    Attributes
    ----------
    time : (n,) datetime64[us]
        Start of the minute, UTC at the Earth.
    flux : (n,) float, W m⁻²
    satellite : (n,) int

    Raises
    ------
    SelectionError
        When shapes do not match, times do not increase, or a flux is not positive.
    """

    time: Times
    flux: Floats
    satellite: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = self.time.size
        if self.flux.shape != (n,) or self.satellite.shape != (n,):
            message = f"a GOES curve of {n} minutes has {self.flux.size} fluxes and {self.satellite.size} satellites"
            raise SelectionError(message)
        if n and not ((np.diff(self.time) > np.timedelta64(0, "us")).all() and (self.flux > 0).all()):
            message = "a GOES curve needs increasing times and positive fluxes"
            raise SelectionError(message)

    def between(self, start: np.datetime64, end: np.datetime64) -> slice:
        """Minutes whose middle is from ``start`` to just before ``end``."""
        first, last = np.searchsorted(self.time, [start - MINUTE // 2, end - MINUTE // 2])
        return slice(int(first), int(last))


@dataclass(frozen=True)
class GoesPeak:
    """Peak of GOES that belongs to a flare.

    Attributes
    ----------
    flux : float, W m⁻²
        With the rest of the Sun in it, as in lists of GOES flares.
    time : datetime64[us]
        Start of the minute, UTC at the Earth.
    background : float, W m⁻²
        Lowest minute before the peak.
    satellite : str
        "GOES-16".
    """

    flux: float
    time: np.datetime64
    background: float
    satellite: str

    @property
    def excess(self) -> float:
        """Flux above the background, W m⁻²."""
        return self.flux - self.background


def goes_peak(curve: GoesCurve, start: np.datetime64, peak: np.datetime64, end: np.datetime64) -> GoesPeak | str:
    """Find the peak of GOES that belongs to a flare.

    Parameters
    ----------
    curve : GoesCurve
    start, peak, end : datetime64
        Of the flare, UTC at the Earth: those of STIX plus the difference of the light times.

    Returns
    -------
    GoesPeak, or the reason why there is none
    """
    first = max(start - MINUTE, peak - EARLIEST)
    last = min(max(end, peak + EARLIEST) + MINUTE, peak + LATEST)
    inside = curve.between(first, last)
    if inside.stop - inside.start < LEAST_COVERAGE * ((last - first) / MINUTE) or inside.stop == inside.start:
        return NO_DATA
    highest = inside.start + int(np.argmax(curve.flux[inside]))
    flux = float(curve.flux[highest])
    # a minute next to the window that is higher: this is the slope of another flare
    if highest > 0 and curve.flux[highest - 1] > flux and _adjacent(curve, highest - 1):
        return FALLING
    if highest + 1 < curve.flux.size and curve.flux[highest + 1] > flux and _adjacent(curve, highest):
        return RISING
    before = curve.between(start - BACKGROUND_FROM, curve.time[highest] + MINUTE)
    background = float(curve.flux[before].min())
    if flux < LEAST_RISE * background:
        return NO_RISE
    return GoesPeak(flux, curve.time[highest], background, f"GOES-{curve.satellite[highest]}")


def _adjacent(curve: GoesCurve, index: int) -> bool:
    """A minute and the next one are less than two minutes apart."""
    return bool(curve.time[index + 1] - curve.time[index] < 2 * MINUTE)
