from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stixcore.errors import SelectionError
from stixcore.fits.read import read_light_curve
from stixcore.flares import REACH, DetectionRules, QuicklookSeries, find_flares
from stixcore.flares.series import grid, moving_mean


def part(series, bins):
    return QuicklookSeries(series.t_start[bins], series.duration[bins], series.counts[bins], series.rcr[bins])


# Published: the operational flare list (id, start, end, peak, counts), by way of the science flare list ---------------


def test_real_day(shared_data):
    file = read_light_curve(next((shared_data / "formats").glob("*ql-lightcurve_20210606*")))
    flares = find_flares(QuicklookSeries(file.t_start, file.duration, file.counts, file.rcr))
    assert [(one.flare_id, one.peak_counts[0]) for one in flares] == [
        ("2106061007", 335.0),
        ("2106061127", 1343.0),
        ("2106062036", 335.0),
        ("2106062319", 367.0),
        ("2106062325", 463.0),
    ]
    published = next(one for one in flares if one.flare_id == "2106061127")
    for ours, theirs in (
        (published.t_start, "2021-06-06T11:23:46.943"),
        (published.t_peak, "2021-06-06T11:27:26.943"),
        (published.t_end, "2021-06-06T11:30:30.944"),
    ):
        assert abs(ours - np.datetime64(theirs)) <= np.timedelta64(12, "s")
    assert published.peak_counts[:3] == (1343.0, 91.0, 83.0)
    assert published.background == pytest.approx(247.0, abs=10.0)
    assert published.highest_band == "10-15"
    assert not published.attenuator_in


# One flare ------------------------------------------------------------------------------------------------------------


def test_numbers_of_a_flare(made):
    bump = made.bump(7200.0, 3000.0, hard=(0.2, 0.03, 0.0, 0.0))
    series = made.series(4.0, bump)
    (flare,) = find_flares(series)
    assert made.seconds(flare.t_peak) == pytest.approx(7200.0, abs=30.0)
    assert flare.flare_id == "2405060200"
    assert flare.peak_counts[0] == pytest.approx(3247.0, rel=0.1)
    assert flare.background == pytest.approx(247.0, abs=6.0)
    # ∫ = peak · (rise·√(π/2) + decay) / 4 s
    assert flare.total_counts - flare.background_counts == pytest.approx(3000.0 * (40 * 1.2533 + 150) / 4, rel=0.05)
    assert flare.significance == pytest.approx(0.85 * 3000.0 / np.sqrt(247 + 258 / 12), rel=0.1)
    assert flare.highest_band == "15-25"
    # from where the one-minute mean leaves the background to where it comes back
    assert made.seconds(flare.t_start) == pytest.approx(7200.0 - 40 * np.sqrt(2 * np.log(3000 / 15.7)), abs=40.0)
    assert made.seconds(flare.t_end) == pytest.approx(7200.0 + 150 * np.log(3000 / 15.7), abs=60.0)


@pytest.mark.parametrize("counts", [95.0, 300.0, 30_000.0])
def test_flares_of_all_sizes(made, counts):
    (flare,) = find_flares(made.series(4.0, made.bump(7200.0, counts)))
    assert abs(made.seconds(flare.t_peak) - 7200.0) < 60.0


def test_nothing_in_three_quiet_days(made):
    assert find_flares(made.series(72.0)) == []


def test_long_flare_is_one_flare(made):
    (flare,) = find_flares(made.series(8.0, made.bump(10_800.0, 20_000.0, rise=400.0, decay=1500.0)))
    assert (flare.t_end - flare.t_start) / made.second > 6000.0


def test_series_is_not_touched(made):
    series = made.series(2.0, made.bump(3600.0, 800.0))
    before = asdict(series)
    find_flares(series)
    assert all(np.array_equal(before[name], value) for name, value in asdict(series).items())


# Several --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("apart", "found"), [(120.0, 1), (270.0, 1), (340.0, 2), (600.0, 2)])
def test_peaks_within_five_minutes_are_one_flare(made, apart, found):
    bumps = made.bump(7200.0, 2000.0, 30.0, 60.0), made.bump(7200.0 + apart, 3000.0, 30.0, 60.0)
    flares = find_flares(made.series(4.0, *bumps))
    assert len(flares) == found
    assert abs(made.seconds(flares[-1].t_peak) - 7200.0 - apart) < 30.0  # the higher one gives the name


def test_overlapping_flares_are_cut_at_the_valley(made):
    first, second = find_flares(made.series(4.0, made.bump(7200.0, 5000.0), made.bump(7800.0, 2000.0)))
    assert first.t_end <= second.t_start
    assert 7300.0 < made.seconds(first.t_end) < 7800.0
    assert second.peak_counts[0] < 2600.0  # not the counts of the first one
    assert second.significance < 2000.0 / np.sqrt(247.0)


def test_shoulder_on_a_decay_is_a_flare(made):
    """The curve never rises, and yet something began."""
    bumps = made.bump(7200.0, 60_000.0, 60.0, 400.0), made.bump(7800.0, 3500.0, 60.0, 200.0)
    series = made.series(4.0, *bumps, seed=None)
    after = series.counts[7600 // 4 : 8200 // 4, 0]
    assert (np.diff(after) < 0).all()
    first, second = find_flares(made.series(4.0, *bumps))
    assert abs(made.seconds(second.t_peak) - 7800.0) < 60.0
    assert first.significance > 1000.0
    assert 2.0 < second.significance < 10.0
    assert second.peak_counts[0] < 22_000.0


def test_steep_rise_is_not_a_flare_of_its_own(made):
    assert len(find_flares(made.series(4.0, made.bump(7200.0, 60_000.0, 150.0, 400.0)))) == 1


def test_no_flare_above_six_sigma_is_missed(made):
    """Random moments, sizes from 6 to 2000 standard deviations, 28 a day; those within five minutes count once."""
    rng = np.random.default_rng(8)
    sigma = np.sqrt(247.0 + 258 / 12)
    missed, alone = [], 0
    for seed in range(3):
        bumps = [
            made.bump(
                rng.uniform(600, 85_800),
                sigma * 10 ** rng.uniform(0.79, 3.3),
                rng.uniform(25, 80),
                rng.uniform(80, 300),
            )
            for _ in range(28)
        ]
        peaks = [made.seconds(one.t_peak) for one in find_flares(made.series(24.0, *bumps, seed=seed))]
        for one in bumps:
            others = sum(other.counts * other.level(np.array([one.peak]))[0] for other in bumps if other is not one)
            near = any(abs(other.peak - one.peak) < 330 and other is not one for other in bumps)
            if near or one.counts < 6 * np.sqrt(247 + others + (others / 16) ** 2 / 12):
                continue
            alone += 1
            if min(abs(peak - one.peak) for peak in peaks) > 120.0:
                missed.append(one)
    assert alone > 50
    assert missed == []


# Where the series begins, ends and stops ------------------------------------------------------------------------------


@settings(max_examples=10)
@given(st.integers(0, 4000), st.integers(0, 4000))
def test_flares_do_not_depend_on_how_much_is_looked_at(made_once, before, after):
    series, whole = made_once
    middle = series.t_start.size // 2
    reach = int(REACH / np.timedelta64(4, "s")) + 900
    cut = slice(middle - reach - before, middle + reach + after)
    first, last = series.t_start[middle - 900], series.t_start[middle + 900]
    of_part = [one for one in find_flares(part(series, cut)) if first <= one.t_peak < last]
    of_whole = [one for one in whole if first <= one.t_peak < last]
    assert len(of_whole) >= 2
    assert [one.flare_id for one in of_part] == [one.flare_id for one in of_whole]
    for one, other in zip(of_part, of_whole, strict=True):
        assert (one.t_start, one.t_end, one.peak_counts) == (other.t_start, other.t_end, other.peak_counts)
        assert one.significance == pytest.approx(other.significance, rel=1e-6)
        assert one.background_counts == pytest.approx(other.background_counts, rel=1e-6)


@pytest.fixture(scope="module")
def made_once(request):
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("flare_builders", request.path.with_name("conftest.py"))
    builders = module_from_spec(spec)
    import sys

    sys.modules["flare_builders"] = builders
    spec.loader.exec_module(builders)
    rng = np.random.default_rng(5)
    bumps = [builders.Bump(t, 10 ** rng.uniform(2.2, 4.2)) for t in rng.uniform(0, 172_800, 90)]
    series = builders.make_series(48.0, *bumps)
    return series, find_flares(series)


@pytest.mark.parametrize("first", [0, 900, 1790, 1801])
def test_a_flare_that_is_cut_off_is_told_as_far_as_it_goes(made, first):
    series = made.series(4.0, made.bump(7200.0, 5000.0, 60.0, 600.0))
    (flare,) = find_flares(part(series, slice(first, None)))
    assert flare.t_end > made.start + 7800 * made.second
    assert flare.t_start >= series.t_start[first]
    (flare,) = find_flares(part(series, slice(0, 1850)))
    assert flare.t_end == series.t_start[1849] + 4 * made.second


def test_short_gap_does_not_split_a_flare(made):
    series = made.series(4.0, made.bump(7200.0, 5000.0, 200.0, 900.0))
    bins = np.ones(3600, dtype=bool)
    bins[1830:1890] = False  # four minutes
    (flare,) = find_flares(part(series, bins))
    (whole,) = find_flares(series)
    assert flare.flare_id == whole.flare_id
    assert abs(flare.t_end - whole.t_end) <= 20 * made.second
    assert flare.total_counts < whole.total_counts


def test_long_gap_ends_a_flare(made):
    series = made.series(6.0, made.bump(7200.0, 5000.0, 200.0, 900.0))
    bins = np.ones(5400, dtype=bool)
    bins[1900:2200] = False
    first, *_ = find_flares(part(series, bins))
    assert first.t_end <= series.t_start[1900]


def test_detectors_off_are_no_valley(made):
    series = made.series(6.0, made.bump(10_000.0, 400.0))
    counts = series.counts.copy()
    counts[1000:1400] = 0.0
    flares = find_flares(replace(series, counts=counts))
    assert [one.flare_id for one in flares] == ["2405060246"]


def test_too_short_a_series_has_no_flares(made):
    series = made.series(0.15, made.bump(200.0, 5000.0))
    assert find_flares(series) == []
    assert find_flares(part(series, slice(0, 0))) == []


def test_other_cadence(made):
    """Bins of 20 s hold five times the counts, and the flare is the same."""
    fine = made.series(4.0, made.bump(7200.0, 3000.0, 60.0, 300.0), seed=None)
    counts = fine.counts.reshape(-1, 5, 5).sum(axis=1)
    coarse = QuicklookSeries(fine.t_start[::5], np.full(720, 20.0), counts, fine.rcr[::5])
    (ours,), (theirs,) = find_flares(fine), find_flares(coarse)
    assert abs(ours.t_peak - theirs.t_peak) <= 20 * made.second
    assert theirs.peak_counts[0] == pytest.approx(ours.peak_counts[0], rel=0.1)
    assert theirs.total_counts == pytest.approx(ours.total_counts, rel=0.02)


# The attenuator -------------------------------------------------------------------------------------------------------


def test_attenuated_flare_is_one_flare_with_its_peak_inside(made):
    bump = made.bump(7200.0, 200_000.0, 150.0, 600.0)
    rcr = np.zeros(3600, dtype=np.int64)
    rcr[1740:1900] = 1
    series = made.series(4.0, bump, rcr=rcr)
    counts = series.counts.copy()
    counts[rcr > 0, 0] = np.rint(counts[rcr > 0, 0] / 50.0)
    attenuated = replace(series, counts=counts)
    assert len(find_flares(replace(attenuated, rcr=np.zeros(3600, dtype=np.int64)))) > 1  # as if nobody knew
    (flare,) = find_flares(attenuated)
    assert flare.attenuator_in
    assert abs(made.seconds(flare.t_peak) - 7200.0) < 60.0
    open_bins = counts[(rcr == 0), 0]
    assert flare.peak_counts[0] == flare.open_counts == open_bins.max()
    assert flare.open_counts < 160_000.0


def test_attenuator_in_all_the_time_has_no_open_counts(made):
    series = made.series(4.0, made.bump(7200.0, 5000.0), rcr=np.ones(3600, dtype=np.int64))
    (flare,) = find_flares(series)
    assert flare.attenuator_in
    assert np.isnan(flare.net_counts)


# What goes in ---------------------------------------------------------------------------------------------------------


def test_moving_mean_by_hand():
    middle = 4.0 * np.arange(30) + 2.0
    counts = np.arange(30.0)
    time = grid(middle)
    mean = moving_mean(time, middle, np.full(30, 4.0), counts, 60.0)
    assert time[[0, -1]].tolist() == [0.0, 120.0]
    # at 60 s: bins with their middle from 30 to just before 90 s, which are 7 … 21
    assert mean[15] == np.arange(7, 22).mean()
    assert mean[0] == np.arange(0, 7).mean() or np.isnan(mean[0])


def test_moving_mean_needs_half_of_its_window():
    middle = np.array([2.0, 6.0, 10.0, 200.0])
    mean = moving_mean(grid(middle), middle, np.full(4, 4.0), np.ones(4), 60.0)
    assert np.isnan(mean).all()


@pytest.mark.parametrize(
    "change",
    [
        {"duration": np.full(899, 4.0)},
        {"counts": np.ones((900, 4))},
        {"rcr": np.zeros(1, dtype=np.int64)},
        {"duration": np.zeros(900)},
        {"t_start": np.full(900, np.datetime64("2024-05-06", "us"))},
    ],
)
def test_series_that_cannot_be_is_refused(made, change):
    with pytest.raises(SelectionError, match="quick-look series"):
        replace(made.series(1.0), **change)


def test_rules_can_be_changed(made):
    series = made.series(4.0, made.bump(7200.0, 95.0))
    assert len(find_flares(series, DetectionRules())) == 1
    assert find_flares(series, DetectionRules(height=10.0)) == []
