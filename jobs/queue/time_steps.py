"""Time steps of an image cube: a fixed length, a fixed number of counts, or the bins of the file.

Steps do not share bins: each is the window of exactly its bins (`stixcore.fits.windows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import numpy as np

from jobs.shared.errors import BadRequest
from stixcore.errors import SelectionError
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_pixel_data
from stixcore.fits.windows import bin_centres
from stixcore.spectra import equal_counts, native_bins

type Interval = tuple[np.datetime64, np.datetime64]


class StepRule(StrEnum):
    """How a time range is divided; each bin belongs to the step that contains its centre."""

    FIXED = "fixed"
    COUNTS = "counts"
    NATIVE = "native"


def steps_of_file(
    science: Path, start: np.datetime64, end: np.datetime64, rule: StepRule, amount: float, energy: tuple[float, float]
) -> tuple[Interval, ...]:
    """Divide a time range of a pixel-data file into steps.

    Parameters
    ----------
    science : Path
    start, end : datetime64
    rule : StepRule
    amount : float
        Seconds for `FIXED`; counts (sum of all detectors, not corrected) for `COUNTS`; ignored for `NATIVE`.
    energy : (low, high), keV
        Energy band of the counts.

    Raises
    ------
    BadRequest
        When the file has no data in the range, or the amount is not positive.
    """
    data = read_pixel_data(science)
    if rule != StepRule.NATIVE and not amount > 0:
        message = "a time step needs a length, or counts, above zero"
        raise BadRequest(message)
    if rule == StepRule.FIXED:
        return whole_bins(fixed_steps(max(start, data.t_start[0]), min(end, data.t_end[-1]), amount), data)
    try:
        times = data.time_bins(start, end)
    except SelectionError as error:
        message = f"no time bin lies between {start} and {end}"
        raise BadRequest(message) from error
    if rule == StepRule.NATIVE:
        return tuple(native_bins(data, times))
    return tuple(equal_counts(data, times, data.energy_channels(*energy), amount))


def fixed_steps(start: np.datetime64, end: np.datetime64, length: float) -> tuple[Interval, ...]:
    """Steps of ``length`` seconds; a remainder shorter than half a step is omitted.

    Raises
    ------
    BadRequest
        When the range is empty or there would be more than ten thousand steps.
    """
    step = np.timedelta64(round(length * 1e6), "us")
    number = round(float((end - start) / step)) if end > start else 0
    if not 0 < number <= 10_000:
        message = f"steps of {length:g} s between {start} and {end}: expected 1 to 10000 of them, found {number}"
        raise BadRequest(message)
    return tuple((start + n * step, min(start + (n + 1) * step, end)) for n in range(number))


def whole_bins(steps: Sequence[Interval], data: PixelData) -> tuple[Interval, ...]:
    """Round steps to whole bins: each bin belongs to the step that contains its centre, so steps do not share bins.

    A step that contains no bin centre is omitted; if none does, the result is the one bin they are in.

    Parameters
    ----------
    steps : sequence of (start, end)
        Consecutive.
    data : PixelData
    """
    centres = bin_centres(data.t_start, data.t_end)
    cuts = np.searchsorted(centres, np.array([steps[0][0], *(end for _, end in steps)]))
    runs = [slice(int(a), int(b)) for a, b in pairwise(cuts) if a < b]
    return tuple(data.window(run) for run in runs or [data.time_bins(steps[0][0], steps[-1][1])])
