from itertools import pairwise

import numpy as np
import pytest

from jobs.errors import BadRequest
from jobs.time_steps import StepRule, equal_counts, fixed_steps, steps_of_file, whole_bins

T0 = np.datetime64("2026-03-14T10:00:00", "us")


def at(seconds):
    return T0 + np.timedelta64(round(seconds * 1000), "ms")


def bins(*lengths, gap_after=None):
    ends = np.cumsum(lengths)
    starts = ends - lengths
    if gap_after is not None:
        starts[gap_after + 1 :] += 100
        ends[gap_after + 1 :] += 100
    return np.array([at(s) for s in starts]), np.array([at(e) for e in ends])


def test_fixed_steps_cover_the_range():
    assert fixed_steps(at(0), at(60), 20) == ((at(0), at(20)), (at(20), at(40)), (at(40), at(60)))
    assert fixed_steps(at(0), at(55), 20)[-1] == (at(40), at(55))
    assert len(fixed_steps(at(0), at(45), 20)) == 2
    for wrong in ((at(60), at(0), 20), (at(0), at(1e6), 0.5)):
        with pytest.raises(BadRequest, match="1 to 10000"):
            fixed_steps(*wrong)


def test_steps_shorter_than_the_bins_become_one_per_bin():
    edges = np.array([at(seconds) for seconds in (0, 118, 256, 395)])
    native = ((at(0), at(118)), (at(118), at(256)), (at(256), at(395)))
    assert whole_bins(fixed_steps(at(0), at(395), 20), edges) == native
    assert whole_bins(((at(130), at(150)),), edges) == ((at(118), at(256)),)
    assert whole_bins(((at(380), at(395)),), edges) == ((at(256), at(395)),)


@pytest.mark.parametrize("length", [3, 7, 20, 31, 60])
def test_no_bin_is_in_two_steps_and_none_is_left_out(length):
    edges = np.array([at(seconds) for seconds in np.cumsum([0, 4, 4, 7, 20, 1, 13, 4, 4, 60, 3])])
    steps = whole_bins(fixed_steps(edges[0], edges[-1], length), edges)
    assert steps[0][0] == edges[0]
    assert steps[-1][1] == edges[-1]
    assert all(before[1] == after[0] for before, after in pairwise(steps))
    assert all(edge in edges for step in steps for edge in step)


def test_counts_fill_steps():
    starts, ends = bins(4, 4, 4, 8, 4)
    steps = equal_counts(starts, ends, [60, 60, 150, 90, 15], 100)
    assert steps == ((at(0), at(8)), (at(8), at(12)), (at(12), at(24)))
    assert equal_counts(starts, ends, [1, 1, 1, 1, 1], 100) == ((at(0), at(24)),)


def test_a_step_does_not_reach_over_a_gap():
    starts, ends = bins(4, 4, 4, 4, gap_after=1)
    steps = equal_counts(starts, ends, [60, 30, 60, 60], 100)
    assert steps == ((at(108), at(116)),)


def test_steps_of_a_file(science_of):
    science = science_of(0)[0]
    from stixcore.fits.read import read_pixel_data

    data = read_pixel_data(science)
    start, end = data.t_start[0], data.t_end[-1]
    native = steps_of_file(science, start, end, StepRule.NATIVE, 0, (4.0, 10.0))
    assert len(native) == len(data.t_start)
    assert steps_of_file(science, start, end, StepRule.FIXED, 0.5, (4.0, 10.0)) == native
    total = data.summed(4.0, 10.0).sum()
    some = steps_of_file(science, start, end, StepRule.COUNTS, total / 5, (4.0, 10.0))
    assert 1 < len(some) <= 5
    assert some[0][0] == start
    for step in some:
        inside = (data.t_start >= step[0]) & (data.t_end <= step[1])
        assert data.summed(4.0, 10.0)[inside].sum() >= total / 5
    with pytest.raises(BadRequest, match="above zero"):
        steps_of_file(science, start, end, StepRule.COUNTS, 0, (4.0, 10.0))
    with pytest.raises(BadRequest, match="no time bin"):
        steps_of_file(
            science, start - np.timedelta64(9, "h"), start - np.timedelta64(8, "h"), StepRule.NATIVE, 0, (4, 10)
        )
