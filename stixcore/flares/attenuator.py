"""The 4-10 keV curve corrected for the attenuator, well enough to find the peak and the edges of a flare.

While 0.6 mm of aluminium cover the detectors (rate-control state 1 and above), the soft band loses most of its counts:
one flare would look like two, with the peak missing. Light curves do not jump, so the counts of an attenuated run are
scaled to match their neighbors at both ends. The corrected curve is used for times and heights only; the reported
counts are the recorded ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.flares.series import Floats

#: Bins compared on either side of a change. The bin in which the attenuator moves is excluded.
COMPARED_BINS = 3
#: Largest scale factor: above it the comparison has failed. The attenuator reduces soft counts by 10 to 100.
MAX_SCALE = 1000.0


def without_attenuator(rate: Floats, rcr: NDArray[np.int64], touching: NDArray[np.bool_]) -> Floats:
    """Scale attenuated runs of bins so that the curve is continuous.

    Parameters
    ----------
    rate : (n,) float
        Count rate of the band, any unit.
    rcr : (n,) int
        Rate-control state; 0: attenuator out.
    touching : (n - 1,) bool
        Bin ``i`` is followed by bin ``i + 1`` without a gap.

    Returns
    -------
    (n,) float
        Equal to ``rate`` where the attenuator is out. A run with gaps on both sides is not changed.
    """
    if not (rcr > 0).any():
        return rate
    bounds = np.flatnonzero((np.diff(rcr) != 0) | ~touching) + 1
    starts, stops = np.concatenate([[0], bounds]), np.concatenate([bounds, [rcr.size]])
    attenuated = rcr[starts] > 0
    joined = np.concatenate([[False], touching[bounds - 1]])  # run i touches run i - 1
    log_scale = np.zeros((2, starts.size))  # at the first and at the last bin of a run
    known = np.zeros((2, starts.size), dtype=bool)
    known[:, ~attenuated] = True
    for i in range(1, starts.size):  # from the left: match what came before
        if attenuated[i] and joined[i] and known[0, i - 1]:
            step = _step(rate, slice(starts[i - 1], stops[i - 1]), slice(starts[i], stops[i]))
            log_scale[0, i], known[0, i] = log_scale[0, i - 1] + step, True
    for i in range(starts.size - 2, -1, -1):  # from the right: match what comes after
        if attenuated[i] and joined[i + 1] and known[1, i + 1]:
            step = _step(rate, slice(starts[i], stops[i]), slice(starts[i + 1], stops[i + 1]))
            log_scale[1, i], known[1, i] = log_scale[1, i + 1] - step, True
    one_sided = known[0] != known[1]
    log_scale[:, one_sided] = log_scale.sum(axis=0)[one_sided]  # the unknown side holds 0
    scaled = rate.astype(float).copy()
    for run_number in np.flatnonzero(attenuated):
        run = slice(starts[run_number], stops[run_number])
        between = np.linspace(log_scale[0, run_number], log_scale[1, run_number], int(run.stop - run.start))
        scaled[run] *= np.exp(np.clip(between, 0.0, np.log(MAX_SCALE)))
    return scaled


def _step(rate: Floats, before: slice, after: slice) -> float:
    """Logarithm of the factor by which the curve falls from one run to the next."""
    # the attenuator moves during the last bin of a run or the first of the next: exclude both if there are others
    left = rate[max(before.start, before.stop - 1 - COMPARED_BINS) : max(before.stop - 1, before.start + 1)]
    right = rate[min(after.start + 1, after.stop - 1) : min(after.start + 1 + COMPARED_BINS, after.stop)]
    return float(np.log(max(left.mean(), 1.0) / max(right.mean(), 1.0)))
