from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.queue.time_steps import StepRule, fixed_steps, steps_of_file, whole_bins
from jobs.shared.errors import BadRequest
from stixcore.fits.products import PixelData, ProductHeader
from stixcore.fits.read import read_pixel_data
from stixcore.fits.spec import ProductKind
from stixcore.spectra import equal_counts, equal_steps, native_bins

T0 = np.datetime64("2026-03-14T10:00:00", "us")


def at(seconds):
    return T0 + np.timedelta64(round(seconds * 1000), "ms")


def made(*lengths, gaps=(), counts=0.0):
    """Bins of these lengths, s; ``gaps`` [s] before bins by their number."""
    before = np.zeros(len(lengths))
    for number, gap in dict(gaps).items():
        before[number] = gap
    starts = np.cumsum(before) + np.cumsum([0, *lengths[:-1]])
    shape = (len(lengths), 32, 12, 1)
    values = np.zeros(shape)
    values[:, 0, 0, 0] = counts
    return PixelData(
        path=Path("made-up.fits"),
        header=ProductHeader("made-up.fits", ProductKind.PIXEL_DATA, "L1", "01", "1", at(0), at(1), {}),
        t_start=np.array([at(start) for start in starts]),
        t_end=np.array([at(start + length) for start, length in zip(starts, lengths, strict=True)]),
        duration=np.array(lengths, dtype=float),
        e_low=np.array([4.0]),
        e_high=np.array([10.0]),
        rcr=np.zeros(len(lengths), dtype=int),
        pixel_mask=np.ones((len(lengths), 12), dtype=bool),
        detector_mask=np.ones((len(lengths), 32), dtype=bool),
        loader=lambda times, channels: (
            values[times][..., channels], values[times][..., channels], np.zeros((1, 16)), np.zeros((1, 16))
        ),
    )  # fmt: skip


def rows_of(data, steps):
    """Numbers of the bins that the steps hold, one step after the other."""
    found = [data.time_bins(*step) for step in steps]
    return [row for bins in found for row in range(bins.start, bins.stop)]


def test_fixed_steps_cover_the_range():
    assert fixed_steps(at(0), at(60), 20) == ((at(0), at(20)), (at(20), at(40)), (at(40), at(60)))
    assert fixed_steps(at(0), at(55), 20)[-1] == (at(40), at(55))
    assert len(fixed_steps(at(0), at(45), 20)) == 2
    for wrong in ((at(60), at(0), 20), (at(0), at(1e6), 0.5)):
        with pytest.raises(BadRequest, match="1 to 10000"):
            fixed_steps(*wrong)


def test_steps_shorter_than_the_bins_become_one_per_bin():
    data = made(118, 138, 139)
    native = ((at(0), at(118)), (at(118), at(256)), (at(256), at(395)))
    assert whole_bins(fixed_steps(at(0), at(395), 20), data) == native
    assert whole_bins(((at(130), at(150)),), data) == ((at(118), at(256)),)
    assert whole_bins(((at(380), at(395)),), data) == ((at(256), at(395)),)


@pytest.mark.parametrize("length", [3, 7, 20, 31, 60])
@pytest.mark.parametrize("gaps", [{}, {3: 0.1, 5: 0.1, 8: 0.1}, {4: 30.0}, {3: -0.1, 4: -0.1, 6: -3.0}])
def test_no_bin_is_in_two_steps_and_none_is_left_out(length, gaps):
    data = made(4, 4, 7, 20, 1, 13, 4, 4, 60, 3, gaps=gaps)
    for steps in (
        whole_bins(fixed_steps(data.t_start[0], data.t_end[-1] + np.timedelta64(length, "s"), length), data),
        equal_steps(data, slice(None), length),
        native_bins(data, slice(None)),
    ):
        assert rows_of(data, steps) == list(range(10))


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=12),
    st.dictionaries(st.integers(1, 11), st.sampled_from([0.1, -0.1, 0.5, 100.0]), max_size=6),
    st.integers(1, 50),
    st.lists(st.integers(0, 300), min_size=12, max_size=12),
)
def test_every_rule_shares_no_bin(lengths, gaps, amount, counts):
    gaps = {number: gap for number, gap in gaps.items() if number < len(lengths)}
    data = made(*lengths, gaps=gaps, counts=counts[: len(lengths)])
    everything = list(range(len(lengths)))
    fixed = whole_bins(fixed_steps(data.t_start[0], data.t_end[-1] + np.timedelta64(1, "h"), 60 * amount), data)
    for steps in (
        fixed,
        equal_counts(data, slice(None), slice(0, 1), 10.0 * amount),
        equal_steps(data, slice(None), float(amount)),
    ):
        assert rows_of(data, steps) == everything


def test_the_cube_of_a_real_flare_counts_no_bin_twice(shared_data):
    """Steps of 2211116471, whose bins 17 and 18 have a gap of 0.1 s between them."""
    (science,) = (shared_data / "nov2022" / "l1").glob("*2211116471*")
    data = read_pixel_data(science)
    assert data.t_start[18] - data.t_end[17] == np.timedelta64(100, "ms")
    for rule, amount in ((StepRule.FIXED, 60.0), (StepRule.FIXED, 20.0), (StepRule.COUNTS, 2e4), (StepRule.NATIVE, 0)):
        steps = steps_of_file(science, data.t_start[0], data.t_end[-1], rule, amount, (6.0, 10.0))
        assert rows_of(data, steps) == list(range(data.t_start.size))


def test_counts_fill_steps():
    data = made(4, 4, 4, 8, 4, counts=[60, 60, 150, 90, 15])
    steps = equal_counts(data, slice(None), slice(0, 1), 100)
    assert steps == [(at(0), at(8)), (at(8), at(12)), (at(12), at(24))]
    few = made(4, 4, 4, 8, 4, counts=[1, 1, 1, 1, 1])
    assert equal_counts(few, slice(None), slice(0, 1), 100) == [(at(0), at(24))]


def test_a_step_does_not_reach_over_a_long_gap():
    data = made(4, 4, 4, 4, gaps={2: 100}, counts=[60, 30, 60, 60])
    assert equal_counts(data, slice(None), slice(0, 1), 100) == [(at(0), at(8)), (at(108), at(116))]
    rounded = made(4, 4, 4, 4, gaps={2: 0.1}, counts=[60, 30, 60, 60])
    assert len(equal_counts(rounded, slice(None), slice(0, 1), 100)) == 1


def test_steps_of_a_file(science_of):
    science = science_of(0)[0]
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
