"""Light curves of the background detector (detector 10), from quick-look files ``ql-background``.

It has no grids, and a plate with small holes covers it, so its rates are far below those of the other light curves. The
attenuator never moves in front of it: while the others lose their soft X-rays, it shows the shape of the flare. Its own
trigger accumulator is in the file, so the correction for live time assumes nothing. The files are read when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archive.errors import QueryRefused
from archive.index.series import BAND_EDGES
from archive.lightcurves.science import ScienceCurve, with_gaps
from stixcore.calibration.livetime import livetime_fraction
from stixcore.errors import InvalidProduct, StixError
from stixcore.fits.products import CountSeries
from stixcore.fits.read import read_background_monitor
from stixcore.fits.spec import ProductKind

if TYPE_CHECKING:
    from archive.queries import ArchiveQueries

Floats = NDArray[np.float64]

#: Longest window: the file of each day is read.
LONGEST_DETECTOR = np.timedelta64(8, "D")
#: Band edges may differ by this much from the nominal ones, keV.
_TOLERANCE = 0.6


def detector_curve(
    archive: ArchiveQueries,
    start: np.datetime64,
    end: np.datetime64,
    max_points: int = 2000,
    *,
    simulated: bool = False,
    corrected: bool = False,
) -> ScienceCurve:
    """Rates of the background detector, sum of its pixels, in the five bands of quick-look light curves.

    Parameters
    ----------
    archive : ArchiveQueries
    start, end : datetime64
        UTC at Solar Orbiter; at most `LONGEST_DETECTOR` apart.
    max_points : int
        Largest number of bins; adjacent bins are merged.
    simulated : bool
        Simulated or real files; the two are never mixed.
    corrected : bool
        Divide rates by the live fraction.

    Raises
    ------
    QueryRefused
        When the window is empty or too long, or ``max_points`` is too small.
    """
    if not (start < end <= start + LONGEST_DETECTOR) or max_points < 2:
        message = f"the background detector needs a window of at most {LONGEST_DETECTOR}, found {start} … {end}"
        raise QueryRefused(message)
    cautions: list[str] = []
    names: list[str] = []
    parts: list[_Bins] = []
    for row in archive.other_files(start, end, simulated=simulated):
        if row.product != ProductKind.BACKGROUND_MONITOR:
            continue
        try:
            bins = _bins_of(str(archive.path_of(row.path)), row.sha256)
        except (StixError, OSError) as error:
            cautions.append(f"{row.name} cannot be read: {error}")
            continue
        free = (bins.end > start) & (bins.start < end)
        if parts and parts[-1].end.size:
            free &= bins.start >= parts[-1].end[-1] - np.timedelta64(1, "s")
        if free.any():
            names.append(row.name)
            parts.append(bins.take(free))
    return _curve(parts, names, max_points, corrected, cautions)


@dataclass(frozen=True, eq=False)
class _Bins:
    """Bins of a file: start, end, length [s], counts (n, 5) and triggers."""

    start: NDArray[np.datetime64]
    end: NDArray[np.datetime64]
    seconds: Floats
    counts: Floats
    triggers: Floats

    def take(self, which: NDArray[np.bool_]) -> _Bins:
        return _Bins(self.start[which], self.end[which], self.seconds[which], self.counts[which], self.triggers[which])


@lru_cache(maxsize=16)
def _bins_of(path: str, sha256: str) -> _Bins:  # noqa: ARG001 (a file that changed is read again)
    series = read_background_monitor(path)
    _check_bands(series)
    end = series.t_start + np.rint(series.duration * 1e6).astype("timedelta64[us]")
    return _Bins(series.t_start, end, series.duration, series.counts, series.triggers)


def _check_bands(series: CountSeries) -> None:
    low = series.e_low
    if low.size != BAND_EDGES.size or (np.abs(low - BAND_EDGES) > _TOLERANCE).any():
        expected = ", ".join(f"{edge:g}" for edge in BAND_EDGES)
        raise InvalidProduct(
            series.header.name, f"bands that begin at {expected} keV", ", ".join(f"{edge:g}" for edge in low)
        )


def _curve(parts: list[_Bins], names: list[str], max_points: int, corrected: bool, cautions: list[str]) -> ScienceCurve:
    """The bins of all files together, merged so that there are at most ``max_points``."""

    def joined(name: str, empty: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([empty, *(getattr(one, name) for one in parts)])

    moments, none = np.zeros(0, "datetime64[us]"), np.zeros(0)
    start, end = joined("start", moments), joined("end", moments)
    seconds, triggers = joined("seconds", none), joined("triggers", none)
    counts = joined("counts", np.zeros((0, BAND_EDGES.size)))
    file = np.repeat(np.arange(len(parts)), [one.seconds.size for one in parts]).astype(np.int64)
    live = np.ones(seconds.size)
    if corrected:
        # beyond the limit of the electronics the live time is unknown, and so is the rate
        try:
            live, _ = livetime_fraction(triggers, np.zeros_like(triggers), seconds)
        except StixError as error:
            cautions.append(f"Rates of the background detector are not corrected for live time: {error}.")
            corrected = False
    first = _first_of_groups(file, max_points)
    if first.size:
        length = np.add.reduceat(seconds, first)
        counts = np.add.reduceat(counts / live[:, None], first, axis=0)
        live = np.add.reduceat(live * seconds, first) / length
        triggers = np.add.reduceat(triggers, first)
        start, end = start[first], end[np.append(first[1:], seconds.size) - 1]
        file, seconds = file[first], length
    view, gaps = with_gaps(
        start, end, seconds, counts / seconds[:, None], np.zeros(seconds.size, np.int64), triggers / seconds
    )
    return ScienceCurve(
        view=view,
        files=tuple(names),
        file=np.insert(file, gaps, -1),
        live_time_corrected=corrected,
        cautions=tuple(cautions),
        live_fraction=np.insert(live, gaps, np.nan),
    )


def _first_of_groups(file: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """First bin of each group of adjacent bins of one file."""
    size = -(-file.size // most) if file.size else 1
    groups = np.arange(file.size) // size
    return np.flatnonzero(np.concatenate([[True], (np.diff(groups) > 0) | (np.diff(file) > 0)])[: file.size])
