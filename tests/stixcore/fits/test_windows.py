"""Windows contain the bins whose centres lie in them, whatever overlaps and gaps the bins have."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.errors import SelectionError
from stixcore.fits.read import read_pixel_data
from stixcore.fits.windows import WindowRule, asked_window, bin_centres, bins_of_window, window_of_bins
from stixcore.times import format_time, parse_time

T0 = np.datetime64("2022-11-11T10:00:00", "us")
NAME = "bins.fits"


def at(seconds):
    return T0 + np.timedelta64(round(seconds * 1e6), "us")


def edges(*pairs):
    return np.array([at(a) for a, _ in pairs]), np.array([at(b) for _, b in pairs])


def of(bins, start, end, **keywords):
    return bins_of_window(*bins, at(start), at(end), name=NAME, **keywords)


GAPPED = edges((0, 20), (20.1, 40), (40, 60), (300, 320))


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0, 20, slice(0, 1)),
        (0, 20.05, slice(0, 1)),  # an end inside the gap
        (20.05, 40, slice(1, 2)),
        (0, 60, slice(0, 3)),
        (9, 31, slice(0, 2)),  # both centres
        (10, 30.05, slice(0, 1)),  # [start, end): the centre of the second is its end
        (-100, 1000, slice(0, 4)),  # cut to the file
        (1, 3, slice(0, 1)),  # no centre: the bin around the middle
        (35, 44, slice(1, 2)),
        (-50, 3, slice(0, 1)),
        (301, 305, slice(3, 4)),
    ],
)
def test_bins_of_a_window(start, end, found):
    assert of(GAPPED, start, end) == found


@pytest.mark.parametrize(("start", "end"), [(-10, -1), (-10, 0), (320, 321), (400, 500)])
def test_a_window_outside_the_file_is_refused(start, end):
    with pytest.raises(SelectionError, match=r"bins\.fits: .* is not inside the file, which covers 2022"):
        of(GAPPED, start, end)


def test_a_window_inside_a_gap_names_both_bins():
    with pytest.raises(SelectionError, match=r"two bins: .*10:00:40.* … .*10:01:00.* and .*10:05:00.* … .*10:05:20"):
        of(GAPPED, 100, 200)


def test_outward_is_the_rule_of_the_ground_software():
    assert of(GAPPED, 1, 41, rule=WindowRule.OUTWARD) == slice(0, 3)
    assert of(GAPPED, 0, 20.05, rule=WindowRule.OUTWARD) == slice(0, 2)
    with pytest.raises(SelectionError, match="not inside"):
        of(GAPPED, -1, 41, rule=WindowRule.OUTWARD)


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0, 20.009, slice(0, 1)),  # 10 ms count as nothing
        (0, 20.011, slice(0, 2)),
        (20.091, 40, slice(1, 2)),
        (20.089, 40, slice(0, 2)),
    ],
)
def test_outward_allows_for_the_rounding_of_files(start, end, found):
    assert of(GAPPED, start, end, rule=WindowRule.OUTWARD) == found


#: Bins that overlap deeply, with the centres 10 s and 13 s.
OVERLAPPING = edges((0, 20), (5, 21))


@pytest.mark.parametrize(("start", "end", "found"), [(14, 16, 1), (11, 11.9, 0), (11.1, 12.1, 1), (2, 3, 0)])
def test_of_bins_that_overlap_the_one_with_the_nearest_centre_is_taken(start, end, found):
    assert of(OVERLAPPING, start, end) == slice(found, found + 1)


@pytest.mark.parametrize(
    ("found", "bins", "window"),
    [
        (OVERLAPPING, slice(0, 1), (0, 11.5)),
        (OVERLAPPING, slice(1, 2), (11.5, 21)),
        (edges((0, 20), (5, 21.0012)), slice(1, 2), (11.5, 21.0012)),  # whole milliseconds between the centres
        (edges((0, 20.0008), (5, 15.0016)), slice(1, 2), (10.0006, 15.0016)),  # there is none
        (edges((0, 20), (20, 40)), slice(0, 1), (0, 20)),
    ],
)
def test_the_window_of_bins_that_overlap_ends_between_their_centres(found, bins, window):
    assert window_of_bins(*found, bins) == tuple(at(seconds) for seconds in window)


def test_what_was_asked():
    duration = np.array([20, 19.9, 20, 20.0])

    def asked(start, end):
        return asked_window(*GAPPED, duration, of(GAPPED, start, end), at(start), at(end))

    assert not asked(0, 40).differs
    assert not asked(0, 20.05).differs  # nothing was exposed in the gap
    assert not asked(60.5, 320).differs
    for window in ((1, 40), (0, 39), (-5, 40), (310, 330), (3, 4)):
        assert asked(*window).differs
    assert str(asked(10, 50)) == "asked 2022-11-11 10:00:10-10:00:50, whole bins 2022-11-11 10:00:00-10:00:40, 39.9 s"
    assert str(asked(-5, 400)).endswith(" (the file begins 2022-11-11 10:00:00 and ends 2022-11-11 10:05:20)")
    assert str(asked(10, 321)).endswith(" s (the file ends 2022-11-11 10:05:20)")


@st.composite
def bins(draw):
    """Bins as files have them, of whole centiseconds: some with gaps, some that overlap; centres rise."""
    durations = draw(st.lists(st.integers(10, 3000), min_size=1, max_size=12))
    gaps = draw(st.lists(st.sampled_from([0, 0, 10, -10, 500, -200]), min_size=len(durations), max_size=len(durations)))
    start, found = draw(st.integers(0, 5000)), []
    for duration, gap in zip(durations, gaps, strict=True):
        if found and 2 * start + duration <= found[-1][0] + found[-1][1] + 1:
            continue  # its centre would not come after the one before it
        found.append((start, start + duration))
        start += duration + gap
    return edges(*((a / 100, b / 100) for a, b in found))


@given(bins(), st.lists(st.integers(-10_000, 50_000_000), min_size=2, max_size=12, unique=True))
def test_consecutive_windows_share_no_bin_and_leave_none_out(found, cuts):
    """[a, b), [b, c), …: of the windows with a centre each bin between the outermost cuts is in exactly one."""
    times = [at(cut / 1e5) for cut in sorted(cuts)]
    centres = bin_centres(*found)
    expected = np.flatnonzero((centres >= times[0]) & (centres < times[-1]))
    taken = []
    for start, end in pairwise(times):
        if ((centres >= start) & (centres < end)).any():
            run = bins_of_window(*found, start, end, name=NAME)
            taken.extend(range(run.start, run.stop))
    assert taken == expected.tolist()


@given(bins(), st.data())
def test_the_window_of_bins_contains_exactly_them(found, data):
    """Also after it went through a recipe, which keeps milliseconds."""
    first = data.draw(st.integers(0, found[0].size - 1))
    stop = data.draw(st.integers(first + 1, found[0].size))
    start, end = (parse_time(format_time(time)) for time in window_of_bins(*found, slice(first, stop)))
    assert bins_of_window(*found, start, end, name=NAME) == slice(first, stop)


def test_windows_of_real_files(shared_data):
    for path in sorted((shared_data / "nov2022" / "l1").glob("*.fits")):
        data = read_pixel_data(path)
        number = data.t_start.size
        for first in range(number):
            for stop in {first + 1, min(first + 5, number), number}:
                start, end = (parse_time(format_time(time)) for time in data.window(slice(first, stop)))
                assert data.time_bins(start, end) == slice(first, stop), (path.name, first, stop)
