"""Time steps of an image cube: a fixed length, a fixed number of counts, or the bins of the file."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobs.errors import BadRequest
from stixcore.fits.read import read_pixel_data

type Interval = tuple[np.datetime64, np.datetime64]
Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]


class StepRule(StrEnum):
    """How a time range is cut; steps of a fixed length are cut at the nearest edges of the file's bins."""

    FIXED = "fixed"
    COUNTS = "counts"
    NATIVE = "native"


def steps_of_file(
    science: Path, start: np.datetime64, end: np.datetime64, rule: StepRule, amount: float, energy: tuple[float, float]
) -> tuple[Interval, ...]:
    """Time steps within a range of a file of pixel data.

    Parameters
    ----------
    science : Path
    start, end : datetime64
    rule : StepRule
    amount : float
        Seconds for `FIXED`, counts (all detectors, not corrected) for `COUNTS`; nothing for `NATIVE`.
    energy : (low, high), keV
        Band whose counts are counted.

    Raises
    ------
    BadRequest
        When nothing of the file is in the range, or the amount is none.
    """
    data = read_pixel_data(science)
    edges = np.append(data.t_start, data.t_end[-1:])
    counts = data.summed(*energy)
    inside = (data.t_start >= start - np.timedelta64(10, "ms")) & (data.t_end <= end + np.timedelta64(10, "ms"))
    chosen = np.flatnonzero(inside)
    if rule != StepRule.NATIVE and not amount > 0:
        message = "a time step needs a length, or counts, above zero"
        raise BadRequest(message)
    if rule == StepRule.FIXED:
        return whole_bins(fixed_steps(max(start, edges[0]), min(end, edges[-1]), amount), edges)
    if chosen.size == 0:
        message = f"no time bin lies between {start} and {end}"
        raise BadRequest(message)
    if rule == StepRule.NATIVE:
        return tuple((data.t_start[n], data.t_end[n]) for n in chosen)
    return equal_counts(data.t_start[chosen], data.t_end[chosen], counts[chosen], amount)


def fixed_steps(start: np.datetime64, end: np.datetime64, length: float) -> tuple[Interval, ...]:
    """Steps of ``length`` seconds; a rest shorter than half a step is left out.

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


def whole_bins(steps: Sequence[Interval], edges: Times) -> tuple[Interval, ...]:
    """The same steps cut at the nearest edges of bins: an image takes whole bins, and none shall be in two steps.

    Steps shorter than the bins become one per bin.

    Parameters
    ----------
    steps : sequence of (start, end)
        One after the other.
    edges : (n + 1,) datetime64
        Where bins begin, and where the last one ends.
    """
    wanted = np.array([steps[0][0], *(end for _, end in steps)])
    after = np.clip(np.searchsorted(edges, wanted), 1, len(edges) - 1)
    nearest = np.where(wanted - edges[after - 1] < edges[after] - wanted, after - 1, after)
    cuts = np.unique(nearest)
    if len(cuts) == 1:  # all of them lie in one bin
        first = int(np.clip(np.searchsorted(edges, wanted[0], side="right") - 1, 0, len(edges) - 2))
        cuts = np.array([first, first + 1])
    return tuple((edges[a], edges[b]) for a, b in pairwise(cuts))


def equal_counts(starts: Times, ends: Times, counts: Sequence[float] | Floats, per_step: float) -> tuple[Interval, ...]:
    """Neighbouring bins together until they hold ``per_step`` counts; what is left at the end joins the last step.

    A gap between bins ends a step.
    """
    steps: list[Interval] = []
    first, held = 0, 0.0
    for number, count in enumerate(counts):
        held += float(count)
        gap = number + 1 < len(starts) and starts[number + 1] - ends[number] > np.timedelta64(10, "ms")
        if held >= per_step:
            steps.append((starts[first], ends[number]))
        if held >= per_step or gap:
            first, held = number + 1, 0.0
    if first < len(starts) and steps and steps[-1][1] >= starts[first] - np.timedelta64(10, "ms"):
        steps[-1] = (steps[-1][0], ends[-1])
    return tuple(steps or [(starts[0], ends[-1])])
