from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.flares.envelope import background, deviation, deviation_at, envelope, passes, snip


def test_snip_by_hand():
    # p = 2: nothing changes but the middle, min(9, (1 + 1) / 2); p = 1: min(1, (1 + 1) / 2)
    assert snip(np.array([1.0, 1.0, 9.0, 1.0, 1.0]), [2, 1]).tolist() == [1.0] * 5


def test_snip_keeps_a_straight_line_and_what_it_was_given():
    line = np.linspace(10.0, 50.0, 101)
    given_to_it = line.copy()
    assert snip(given_to_it, [20, 5, 1]) == pytest.approx(line)
    assert (given_to_it == line).all()


@given(st.lists(st.floats(0.0, 1e6), min_size=3, max_size=60), st.lists(st.integers(1, 40), max_size=6))
def test_snip_never_rises_and_never_leaves_the_range(values, distances):
    curve = np.array(values)
    clipped = snip(curve, distances)
    assert (clipped <= curve).all()
    assert clipped.min() >= curve.min()


def test_passes_fall_from_an_hour_to_one_point():
    distances = passes()
    assert distances[0] == 180
    assert distances[-1] == 1
    assert all(a > b for a, b in pairwise(distances))


def test_flare_is_taken_off_the_background():
    time = 4.0 * np.arange(9000)
    quiet = 250.0 + 20.0 * np.sin(time / 20_000.0)
    flare = 5000.0 * np.exp(-0.5 * ((time - 18_000.0) / 300.0) ** 2)
    assert envelope(time, quiet + flare) == pytest.approx(quiet, abs=2.0)


def test_flare_at_the_end_of_the_data_is_taken_off_too():
    time = 4.0 * np.arange(4500)
    flare = 5000.0 * np.exp((time - time[-1]) / 300.0)
    assert envelope(time, 250.0 + flare)[-1] < 300.0


def test_envelope_does_not_depend_on_where_the_curve_begins():
    rng = np.random.default_rng(3)
    time = 4.0 * np.arange(20_000)
    curve = rng.normal(250.0, 5.0, time.size)
    whole = envelope(time, curve)
    for first in (1, 2, 3, 4, 5):
        part = envelope(time[first:], curve[first:])
        assert part[8000:] == pytest.approx(whole[first + 8000 :], abs=1e-9)


def test_background_is_the_quiet_mean():
    rng = np.random.default_rng(4)
    time = 4.0 * np.arange(9000)
    curve = rng.normal(250.0, 5.0, time.size)
    under = envelope(time, curve)
    level = background(curve, under, np.ones(time.size, dtype=bool))
    assert under.mean() < 245.0  # along the lower edge of the noise
    assert level.mean() == pytest.approx(250.0, abs=0.5)


def test_background_without_quiet_moments_is_at_the_usual_distance():
    curve = np.full(2000, 300.0)
    under = np.full(2000, 256.0)
    assert background(curve, under, np.zeros(2000, dtype=bool)) == pytest.approx(264.0)


def test_background_makes_no_step_where_quiet_moments_begin():
    rng = np.random.default_rng(4)
    curve = rng.normal(250.0, 4.0, 4000)
    quiet = np.zeros(4000, dtype=bool)
    quiet[2000:] = True
    level = background(curve, np.full(4000, 240.0), quiet)
    assert abs(np.diff(level)).max() < 0.5


def test_deviation_has_counting_and_compression():
    # 247 counts: steps of 16, (16² + 2)/12 = 21.5; below 16 nothing is lost
    assert deviation(np.array([247.0, 9.0])) == pytest.approx(np.sqrt([247.0 + 258 / 12, 9.0]))
    assert deviation_at(247.0) == deviation(np.array([247.0]))[0]
