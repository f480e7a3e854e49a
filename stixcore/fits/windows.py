"""Time bins in a window. Images, spectra, time steps and pages all use this rule.

A window contains exactly the bins whose centres lie in [start, end), so consecutive windows neither share nor omit
bins, even if bins overlap or leave gaps. A window without any centre contains the bin around its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError

Times = NDArray[np.datetime64]

#: Bin edges closer than this are equal: times have centiseconds in files and milliseconds in headers.
TIME_TOLERANCE = np.timedelta64(10, "ms")
_MILLISECOND = np.timedelta64(1, "ms")


class WindowRule(StrEnum):
    """How a time window is converted to whole bins.

    ``CENTRES``: the bins whose centres lie in [start, end).
    ``OUTWARD``: the bins that cover the window, as in the ground software and in recipes of version 1.
    """

    CENTRES = "centres"
    OUTWARD = "outward"


@dataclass(frozen=True)
class AskedWindow:
    """A requested window and the whole bins that it contains.

    Attributes
    ----------
    start, end : datetime64
        The requested window.
    t_start, t_end : datetime64
        Start of the first and end of the last bin.
    seconds : float
        Sum of the bins.
    differs : bool
        Whether the exposure of the bins differs from the window by more than 10 ms.
    cut : str
        Message that the window begins before the file or ends after it; empty when it does neither.
    """

    start: np.datetime64
    end: np.datetime64
    t_start: np.datetime64
    t_end: np.datetime64
    seconds: float
    differs: bool
    cut: str = ""

    def __str__(self) -> str:
        bins = f"whole bins {_span(self.t_start, self.t_end)}, {self.seconds:.10g} s"
        return f"asked {_span(self.start, self.end)}, {bins}" + (f" ({self.cut})" if self.cut else "")


def bin_centres(t_start: Times, t_end: Times) -> Times:
    """Centres of bins, (n,) datetime64[us]."""
    return np.asarray(t_start + (t_end - t_start) // 2)


def bins_of_window(
    t_start: Times,
    t_end: Times,
    start: np.datetime64,
    end: np.datetime64,
    *,
    name: str,
    rule: WindowRule = WindowRule.CENTRES,
) -> slice:
    """Whole bins of a window.

    Parameters
    ----------
    t_start, t_end : (n,) datetime64[us]
        Edges of the bins, whose centres increase.
    start, end : datetime64
        Window; the part before the first or after the last bin is ignored.
    name : str
        Name of the file, for messages.
    rule : WindowRule

    Raises
    ------
    SelectionError
        When the window is empty, outside the file, or in a gap between two bins; with the rule ``OUTWARD``, also when
        it is partly outside the file.
    """
    if not start < end:
        message = f"{name}: the time range {start} … {end} is empty"
        raise SelectionError(message)
    if rule is WindowRule.OUTWARD:
        return _covering(t_start, t_end, start, end, name)
    first, stop = (int(place) for place in np.searchsorted(bin_centres(t_start, t_end), [start, end], side="left"))
    if first < stop:
        return slice(first, stop)
    if not (start < t_end[-1] and end > t_start[0]):
        raise SelectionError(_outside(t_start, t_end, start, end, name))
    # no centre: use the bin around the middle of the part of the window that is in the file
    middle = max(start, t_start[0]) + (min(end, t_end[-1]) - max(start, t_start[0])) // 2
    holding = np.flatnonzero((t_start <= middle) & (middle < t_end))
    if holding.size:  # if bins overlap, use the one whose centre is nearest
        chosen = int(holding[np.argmin(np.abs(bin_centres(t_start, t_end)[holding] - middle))])
        return slice(chosen, chosen + 1)
    after = int(np.searchsorted(bin_centres(t_start, t_end), middle))
    message = (
        f"{name}: the time range {start} … {end} lies between two bins: "
        f"{t_start[after - 1]} … {t_end[after - 1]} and {t_start[after]} … {t_end[after]}"
    )
    raise SelectionError(message)


def _covering(t_start: Times, t_end: Times, start: np.datetime64, end: np.datetime64, name: str) -> slice:
    """Bins from the last that starts at or before ``start`` to the first that ends at or after ``end``."""
    last = int(np.searchsorted(t_end, end - TIME_TOLERANCE, side="left"))
    # where bins overlap slightly, the first bin found may come after the last one
    first = min(int(np.searchsorted(t_start, start + TIME_TOLERANCE, side="right")) - 1, last)
    if first < 0 or last >= t_end.size:
        raise SelectionError(_outside(t_start, t_end, start, end, name))
    return slice(first, last + 1)


def _outside(t_start: Times, t_end: Times, start: np.datetime64, end: np.datetime64, name: str) -> str:
    return f"{name}: the time range {start} … {end} is not inside the file, which covers {t_start[0]} … {t_end[-1]}"


def window_of_bins(t_start: Times, t_end: Times, bins: slice) -> tuple[np.datetime64, np.datetime64]:
    """The window that contains exactly some consecutive bins: `bins_of_window` returns the same bins for it.

    Its edges are those of the first and the last bin. Where an adjacent bin overlaps, the edge is a whole millisecond
    between the two centres, as recipes store milliseconds.
    """
    first, stop, _ = bins.indices(t_start.size)
    centre = bin_centres(t_start, t_end)
    start, end = t_start[first], t_end[stop - 1]
    if first and centre[first - 1] >= start - _MILLISECOND:
        start = _between(centre[first - 1], centre[first])
    if stop < t_start.size and centre[stop] <= end + _MILLISECOND:
        end = _between(centre[stop - 1], centre[stop])
    return start, end


def _between(one: np.datetime64, other: np.datetime64) -> np.datetime64:
    middle = one + (other - one) // 2
    rounded = middle.astype("datetime64[ms]").astype("datetime64[us]")
    return rounded if rounded > one else middle


def asked_window(
    t_start: Times, t_end: Times, duration: NDArray[np.float64], bins: slice, start: np.datetime64, end: np.datetime64
) -> AskedWindow:
    """The requested window and the bins used; an edge in a gap next to the bins does not make them differ."""
    first, stop, _ = bins.indices(t_start.size)
    begins = t_end[first - 1] if first else t_start[0]
    ends = t_start[stop] if stop < t_start.size else t_end[-1]
    differs = not (
        min(begins, t_start[first]) - TIME_TOLERANCE <= start <= t_start[first] + TIME_TOLERANCE
        and t_end[stop - 1] - TIME_TOLERANCE <= end <= max(ends, t_end[stop - 1]) + TIME_TOLERANCE
    )
    cuts = []
    if start < t_start[0] - TIME_TOLERANCE:
        cuts.append(f"begins {_clock(t_start[0])}")
    if end > t_end[-1] + TIME_TOLERANCE:
        cuts.append(f"ends {_clock(t_end[-1])}")
    cut = f"the file {' and '.join(cuts)}" if cuts else ""
    return AskedWindow(start, end, t_start[first], t_end[stop - 1], float(duration[bins].sum()), differs, cut)


def _span(start: np.datetime64, end: np.datetime64) -> str:
    """A time range as ``2022-11-11 11:36:00-11:37:00``, with milliseconds if there are any."""
    begin, finish = _clock(start), _clock(end)
    same_day = begin[:10] == finish[:10]
    return f"{begin}-{finish[11:] if same_day else finish}"


def _clock(time: np.datetime64) -> str:
    text = str((time.astype("datetime64[us]") + np.timedelta64(500, "us")).astype("datetime64[ms]"))
    return text.removesuffix(".000").replace("T", " ")
