"""Divide a time range into intervals of whole bins for imaging: equal steps, native bins, or equal counts.

No interval includes a change of attenuator, pixels or detectors (`stixcore.visibility.pixels.sum_pixels` refuses it),
or a gap longer than the adjacent bins. Intervals do not share bins: each is the window that contains exactly its bins.
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
    """Every bin of the file as an interval."""
    start, stop, _ = times.indices(data.t_start.size)
    return [data.window(slice(row, row + 1)) for row in range(start, stop)]


def equal_steps(data: PixelData, times: slice, step: float) -> list[Interval]:
    """Intervals of about ``step`` seconds: the fewest whole bins that reach it, to within half a bin.

    The rest at the end is a separate interval when it is at least half a step, else part of the previous one.

    Raises
    ------
    SelectionError
        When ``step`` is not positive.
    """
    if not step > 0:
        message = f"the step must be positive, found {step:g} s"
        raise SelectionError(message)
    return _grouped(data, times, data.duration[times], step, slack=0.5)


def equal_counts(data: PixelData, times: slice, channels: slice, counts: float) -> list[Interval]:
    """Intervals with at least ``counts`` recorded counts in all detectors and pixels, in the fewest whole bins.

    The rest at the end belongs to the previous interval.

    Raises
    ------
    SelectionError
        When ``counts`` is not positive.
    """
    if not counts > 0:
        message = f"the number of counts must be positive, found {counts:g}"
        raise SelectionError(message)
    recorded = recorded_counts(data, times, channels)
    return _grouped(data, times, recorded, counts, slack=0.0)


def _grouped(data: PixelData, times: slice, weight: Floats, enough: float, *, slack: float) -> list[Interval]:
    """Groups of bins whose weights sum to ``enough``; up to the fraction ``slack`` of the next bin may be missing."""
    start, stop, _ = times.indices(data.t_start.size)
    runs: list[tuple[int, int]] = []
    first, total, shortest = start, 0.0, 0.5 * enough if slack else enough
    for row in range(start, stop):
        total += float(weight[row - start])
        ends = row + 1 == stop
        changes = not ends and separated(data, row, row + 1)
        next_weight = 0.0 if ends else float(weight[row + 1 - start])
        if not ends and not changes and total + slack * next_weight < enough:
            continue
        joins = runs and runs[-1][1] == first and not separated(data, first - 1, first)
        if total < shortest and (ends or changes) and joins:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((first, row + 1))
        first, total = row + 1, 0.0
    return [data.window(slice(a, b)) for a, b in runs]


def separated(data: PixelData, one: int, other: int) -> bool:
    """Whether two adjacent bins differ in attenuator state, pixels or detectors, or have a long gap between them."""
    gap = data.t_start[other] - data.t_end[one]
    return bool(
        gap > max(data.t_end[one] - data.t_start[one], data.t_end[other] - data.t_start[other])
        or data.rcr[one] != data.rcr[other]
        or (data.pixel_mask[one] != data.pixel_mask[other]).any()
        or (data.detector_mask[one] != data.detector_mask[other]).any()
    )
