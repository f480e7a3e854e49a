"""Spectrograms, spectra and groups of bins: counts are counted once, rates are rates, bins are whole."""

from itertools import pairwise

import numpy as np
import pytest

from stixcore.calibration.livetime import livetime_fraction
from stixcore.errors import SelectionError
from stixcore.fits.read import read_pixel_data, read_spectrogram
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR
from stixcore.spectra import (
    count_spectra,
    equal_counts,
    equal_steps,
    merge_bins,
    native_bins,
    pixel_counts,
    recorded_counts,
    window_spectrum,
)

LONG = "formats/solo_L1_stix-sci-xray-spec_20221227T135500-20221227T200000_V02_2212273755-58243.fits"


def seconds(interval):
    return float((interval[1] - interval[0]) / np.timedelta64(1, "s"))


def test_rates_of_known_counts(pixel_data):
    counts = np.full((2, 32, 12, 3), 7.0)
    counts[:, [FLARE_LOCATOR, BACKGROUND_MONITOR]] = 1e6  # they look through other apertures
    data = pixel_data(counts, e_low=[4, 6, 10], e_high=[6, 10, np.inf], duration=[20.0, 40.0], triggers=2e5)
    spectra = count_spectra(data)
    np.testing.assert_array_equal(spectra.counts, 30 * 12 * 7.0)
    live, _ = livetime_fraction(np.array([2e5, 2e5]), np.zeros(2), np.array([20.0, 40.0]))
    np.testing.assert_allclose(spectra.live_fraction, live)
    np.testing.assert_allclose(spectra.rate()[:, 0], 30 * 12 * 7.0 / (np.array([20.0, 40.0]) * live * 2.0))
    np.testing.assert_allclose(spectra.rate(corrected=False)[:, 1], 30 * 12 * 7.0 / (np.array([20.0, 40.0]) * 4.0))
    assert np.isnan(spectra.rate()[:, 2]).all()  # an open channel has no width
    np.testing.assert_allclose(spectra.light_curve(4, 10, corrected=False), 2 * 30 * 12 * 7.0 / np.array([20.0, 40.0]))
    assert np.isnan(spectra.light_curve(20, 30)).all()


def test_a_trigger_rate_beyond_the_electronics_is_said_and_not_corrected(pixel_data):
    spectra = count_spectra(pixel_data(5.0, triggers=1e9))
    assert "not corrected for dead time" in spectra.caution
    np.testing.assert_array_equal(spectra.corrected, spectra.counts)
    assert np.isnan(spectra.live_fraction).all()


def test_merging_keeps_counts_and_stops_at_the_attenuator(pixel_data):
    rng = np.random.default_rng(3)
    rcr = np.repeat([0, 1, 0], [30, 40, 30])
    data = pixel_data(
        rng.poisson(50, (100, 32, 12, 2)), e_low=[4, 5], duration=rng.integers(1, 9, 100), rcr=rcr, triggers=1e4
    )
    spectra = count_spectra(data)
    merged = merge_bins(spectra, 10)
    assert 10 <= merged.duration.size <= 12
    assert merged.merged > 5
    assert merged.counts.sum() == spectra.counts.sum()
    np.testing.assert_allclose(merged.corrected.sum(), spectra.corrected.sum())
    assert merged.duration.sum() == spectra.duration.sum()
    assert (merged.t_start[0], merged.t_end[-1]) == (spectra.t_start[0], spectra.t_end[-1])
    for edge in np.flatnonzero(np.diff(rcr)) + 1:
        assert spectra.t_start[edge] in merged.t_start
    assert merge_bins(spectra, 100) is spectra
    with pytest.raises(SelectionError, match="at least one"):
        merge_bins(spectra, 0)


def test_pixels_and_bins_count_the_same(pixel_data):
    counts = np.random.default_rng(5).poisson(9, (6, 32, 12, 8)).astype(float)
    data = pixel_data(counts)
    by_pixel = pixel_counts(data, slice(1, 4), slice(2, 5))
    np.testing.assert_array_equal(by_pixel, counts[1:4, :, :, 2:5].sum(axis=(0, 3)))
    by_bin = recorded_counts(data, slice(1, 4), slice(2, 5))
    np.testing.assert_array_equal(by_bin, counts[1:4, :, :, 2:5].sum(axis=(1, 2, 3)))


def test_steps_are_whole_bins_that_follow_one_another(pixel_data):
    durations = np.random.default_rng(8).integers(1, 12, 200).astype(float)
    data = pixel_data(np.ones((200, 32, 12, 1)), e_low=[4], duration=durations)
    steps = equal_steps(data, slice(10, 190), 30.0)
    assert all(one[1] == other[0] for one, other in pairwise(steps))
    assert (steps[0][0], steps[-1][1]) == (data.t_start[10], data.t_end[189])
    assert all(abs(seconds(step) - 30.0) <= 6.0 for step in steps[:-1])
    assert 15.0 <= seconds(steps[-1]) <= 45.0
    assert native_bins(data, slice(3, 5)) == [(data.t_start[3], data.t_end[3]), (data.t_start[4], data.t_end[4])]
    with pytest.raises(SelectionError, match="the step must be positive"):
        equal_steps(data, slice(0, 9), 0.0)


def test_equal_counts_have_enough_each(pixel_data):
    counts = np.random.default_rng(9).poisson(2, (300, 32, 12, 2))
    data = pixel_data(counts, e_low=[4, 5], duration=2.0)
    pieces = equal_counts(data, slice(0, 300), slice(0, 1), 10_000.0)
    per_bin = counts[..., 0].sum(axis=(1, 2))
    inside = [
        per_bin[(data.t_start >= start) & (data.t_end <= end)].sum() for start, end in pieces
    ]  # one bin fewer would not be enough
    assert all(n >= 10_000 for n in inside)
    assert all(n - per_bin.max() < 10_000 for n in inside[:-1])
    assert sum(inside) == per_bin.sum()
    with pytest.raises(SelectionError, match="number of counts"):
        equal_counts(data, slice(0, 9), slice(0, 1), 0.0)


def test_no_piece_crosses_the_attenuator(pixel_data):
    data = pixel_data(np.ones((40, 32, 12, 1)), e_low=[4], duration=4.0, rcr=np.repeat([0, 1], [17, 23]))
    change = data.t_start[17]
    for pieces in (equal_steps(data, slice(0, 40), 60.0), equal_counts(data, slice(0, 40), slice(0, 1), 5000.0)):
        assert any(end == change for _, end in pieces)
        assert all(not start < change < end for start, end in pieces)


def test_the_spectrum_of_a_window_and_its_background(november_flare):
    science, background, _ = november_flare
    data, quiet = read_pixel_data(science), read_pixel_data(background)
    times = data.time_bins(np.datetime64("2022-11-11T11:36"), np.datetime64("2022-11-11T11:37"))
    spectrum = window_spectrum(data, times, quiet)
    spectra = count_spectra(data)
    expected = spectra.corrected[times].sum(axis=0) / (spectra.duration[times].sum() * spectra.width)
    closed = np.isfinite(spectra.e_high)
    np.testing.assert_allclose(spectrum.rate, expected[closed], rtol=5e-3)  # a mean of ratios and a ratio of means
    assert (spectrum.rate_error > 0).all()
    at_peak = spectrum.e_low == 6.0
    assert 0 < spectrum.background[at_peak] < 0.01 * spectrum.rate[at_peak]
    own = window_spectrum(quiet, slice(None), quiet)  # the background of a background is itself, less a wider channel
    np.testing.assert_allclose(own.net / own.rate, 0.0, atol=1e-12)
    assert np.isnan(window_spectrum(data, times).background).all()


@pytest.mark.needs_shared_data
def test_a_long_spectrogram_in_few_bins(shared_data):
    stored = read_spectrogram(shared_data / LONG)
    spectra = count_spectra(stored)
    merged = merge_bins(spectra, 400)
    assert merged.duration.size <= 401 < spectra.duration.size == 10_352
    assert merged.counts.sum() == stored.counts.sum()
    assert 0.5 < np.nanmin(merged.live_fraction) <= np.nanmax(merged.live_fraction) < 1.0
    part = spectra.between(np.datetime64("2022-12-27T15:00"), np.datetime64("2022-12-27T15:10"))
    assert 595 <= part.duration.sum() <= 640
