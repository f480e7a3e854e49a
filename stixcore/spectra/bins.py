"""A time range in pieces that can be imaged each: steps, the file's own bins, equal counts. Always whole bins.

No piece crosses a change of attenuator, pixels or detectors, because a selection that does is no selection
(`stixcore.visibility.pixels.sum_pixels` refuses it), nor a gap longer than the bins beside it. Pieces share no bin:
each is the window that contains exactly its bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.fits.products import PixelData
from stixcore.spectra.count_spectra import recorded_counts

Floats = NDArray[np.float64]
type Interval = tuple[np.datetime64, np.datetime64]


def native_bins(data: PixelData, times: slice) -> list[Interval]:
    """Every bin of the file by itself."""
    start, stop, _ = times.indices(data.t_start.size)
    return [data.window(slice(row, row + 1)) for row in range(start, stop)]


def equal_steps(data: PixelData, times: slice, step: float) -> list[Interval]:
    """Intervals of about ``step`` seconds: as few whole bins as reach it, to within half a bin.

    What is left at the end is an interval by itself when it is half a step or more, else part of the one before.
    """
    if not step > 0:
        message = f"the step must be longer than nothing, found {step:g} s"
        raise SelectionError(message)
    return _grouped(data, times, data.duration[times], step, slack=0.5)


def equal_counts(data: PixelData, times: slice, channels: slice, counts: float) -> list[Interval]:
    """Intervals with ``counts`` recorded counts or more each, all detectors and pixels: as few whole bins as have them.

    What is left at the end belongs to the interval before it.
    """
    if not counts > 0:
        message = f"the number of counts must be more than nothing, found {counts:g}"
        raise SelectionError(message)
    recorded = recorded_counts(data, times, channels)
    return _grouped(data, times, recorded, counts, slack=0.0)


def _grouped(data: PixelData, times: slice, weight: Floats, enough: float, *, slack: float) -> list[Interval]:
    """Runs of bins whose weights add up to ``enough``; ``slack`` is the share of the next bin that may be missing."""
    start, stop, _ = times.indices(data.t_start.size)
    runs: list[tuple[int, int]] = []
    first, total, shortest = start, 0.0, 0.5 * enough if slack else enough
    for row in range(start, stop):
        total += float(weight[row - start])
        ends = row + 1 == stop
        changes = not ends and _differs(data, row, row + 1)
        next_weight = 0.0 if ends else float(weight[row + 1 - start])
        if not ends and not changes and total + slack * next_weight < enough:
            continue
        joins = runs and runs[-1][1] == first and not _differs(data, first - 1, first)
        if total < shortest and (ends or changes) and joins:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((first, row + 1))
        first, total = row + 1, 0.0
    return [data.window(slice(a, b)) for a, b in runs]


def _differs(data: PixelData, one: int, other: int) -> bool:
    """Whether two neighbouring bins have another attenuator state, pixels or detectors, or a long gap between them."""
    gap = data.t_start[other] - data.t_end[one]
    return bool(
        gap > max(data.t_end[one] - data.t_start[one], data.t_end[other] - data.t_start[other])
        or data.rcr[one] != data.rcr[other]
        or (data.pixel_mask[one] != data.pixel_mask[other]).any()
        or (data.detector_mask[one] != data.detector_mask[other]).any()
    )
