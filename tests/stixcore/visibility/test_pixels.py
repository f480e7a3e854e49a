"""A, B, C, D sums: numbers of real files evaluated independently, the rules of selection, and what scales with what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.catalog import CalFile, CalibrationCatalog, energy_lookup_table
from stixcore.calibration.energy import EdgeCorrection, edge_factors, spectral_indices
from stixcore.calibration.livetime import detector_livetime
from stixcore.errors import CalibrationError, SelectionError
from stixcore.fits.read import read_pixel_data
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices
from stixcore.visibility.pixels import sum_pixels

T0 = np.datetime64("2022-11-10T12:00:00", "us")
SECOND = np.timedelta64(1, "s")
NONE, FLAT = EdgeCorrection.NONE, EdgeCorrection.FLAT


def whole(data, low=6.0, high=10.0, **options):
    """Sum over the whole file."""
    return sum_pixels(data, data.t_start[0], data.t_end[-1], low, high, **options)


# --- real files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "counts", "rates"),
    [
        ("*_V02_2209115148-*", [878, 830, 779, 923], [0.396440, 0.374766, 0.351739, 0.416758]),
        ("*L1A*l1-2207235029*", [892, 861, 796, 960], None),
    ],
)
def test_rates_of_10a(shared_data, reference, pattern, counts, rates):
    """6-10 keV, no background, no energy-edge correction; live time 2877.8953 s of 2880 s."""
    (path,) = (shared_data / "formats").glob(pattern)
    pixels = whole(read_pixel_data(path), edge_correction=NONE)
    (ten_a,) = detector_indices(["10a"])
    (expected,) = (entry for entry in reference["l1_reference"] if entry["file"] == path.name)
    assert pixels.duration == expected["duration"] == 2880.0
    assert pixels.livetime[ten_a] == pytest.approx(2877.8953, abs=5e-5)
    for detector in (0, 2, 21):
        assert pixels.livetime[detector] == pytest.approx(expected[f"livetime_det{detector}"], abs=1e-6)
    np.testing.assert_array_equal(pixels.counts[ten_a], counts)
    np.testing.assert_array_equal(pixels.counts[ten_a], expected["abcd_counts_det2"])
    np.testing.assert_allclose(pixels.rate[ten_a], expected["abcd_rate_det2_10a"], rtol=1e-7)
    np.testing.assert_allclose(pixels.rate[8], expected["abcd_rate_det8_cfl"], rtol=1e-7)
    np.testing.assert_allclose(pixels.rate[9], expected["abcd_rate_det9_bkg"], rtol=1e-7)
    np.testing.assert_allclose(
        pixels.rate_sigma[ten_a], expected["abcd_err_det2"], rtol=1e-4
    )  # plus that of the live time
    assert pixels.totals(detector_indices(IMAGING_LABELS)) == (expected["total_counts_top_bot_10_3"], 0.0)
    if rates:
        np.testing.assert_allclose(pixels.rate[ten_a], rates, atol=5.1e-7)


def test_background_of_real_flares(november):
    """A minute of quiet Sun scaled to a minute: what is left is the flare."""
    for request in ("2211117374", "2211094607"):
        science = read_pixel_data(november.file(request))
        pixels = whole(science, background=november.background)
        quiet = whole(november.background, edge_correction=NONE)
        ratio = pixels.livetime / quiet.livetime
        np.testing.assert_allclose(pixels.background, quiet.counts * ratio[:, None], rtol=1e-12)
        assert pixels.background_name == november.background.header.name
        total, background = pixels.totals(detector_indices(IMAGING_LABELS))
        assert 0 < background < total


def test_background_minus_itself_is_nothing(november):
    pixels = whole(november.background, background=november.background)
    np.testing.assert_allclose(pixels.rate, 0.0, atol=1e-12)
    np.testing.assert_allclose(pixels.background, pixels.counts)


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (0, 20, 0, 0),  # on the edges
        (20, 40, 1, 1),
        (1, 19, 0, 0),  # inside a bin
        (19, 21, 1, 1),  # across an edge, no centre inside: the bin around the middle
        (9, 31, 0, 1),
        (0, 100, 0, 4),
        (19.995, 40.005, 1, 1),  # files round to 10 ms
        (19.98, 40.02, 1, 1),
        (-1, 12, 0, 0),  # cut to the file
        (50, 101, 2, 4),
        (59.0, 60.0, 2, 2),
    ],
)
def test_time_ranges_in_whole_bins(pixel_data, start, end, first, last):
    data = pixel_data(np.ones((5, 32, 12, 8)))
    pixels = sum_pixels(
        data, T0 + np.timedelta64(round(1e6 * start), "us"), T0 + np.timedelta64(round(1e6 * end), "us"), 6, 10
    )
    assert (pixels.t_start, pixels.t_end) == (data.t_start[first], data.t_end[last])
    assert pixels.duration == 20.0 * (last - first + 1)
    np.testing.assert_array_equal(pixels.counts, 2 * 4 * (last - first + 1))


@pytest.mark.parametrize(("start", "end"), [(200, 300), (-50, -10)])
def test_time_ranges_outside_the_file(pixel_data, start, end):
    data = pixel_data(np.ones((5, 32, 12, 8)), name="five.fits")
    with pytest.raises(
        SelectionError, match=r"five\.fits: the time range .* is not inside the file, which covers 2022-11-10T12:00:00"
    ):
        sum_pixels(data, T0 + start * SECOND, T0 + end * SECOND, 6, 10)


@pytest.mark.parametrize(("start", "end"), [(10, 10), (20, 10)])
def test_empty_time_ranges(pixel_data, start, end):
    with pytest.raises(SelectionError, match="is empty"):
        sum_pixels(pixel_data(), T0 + start * SECOND, T0 + end * SECOND, 6, 10)


def test_real_bins_are_found_by_their_own_edges(november):
    """Although the files round them so that some overlap by 0.1 s and some leave a gap."""
    data = read_pixel_data(november.file("2211118567"))
    for first, last in ((0, 0), (3, 9), (20, 65), (30, 31)):
        assert data.time_bins(data.t_start[first], data.t_end[last]) == slice(first, last + 1)


# --- energy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (6, 10, (6, 10)),
        (4, 12, (4, 12)),
        (6.2, 9.7, (6, 10)),
        (5.999, 6.001, (5, 7)),
        (7.5, 7.6, (7, 8)),
        (11, 12, (11, 12)),
    ],
)
def test_energy_ranges_grow_to_whole_channels(pixel_data, low, high, found):
    """``stixpy`` takes the channels inside the range and can end with none."""
    pixels = whole(pixel_data(), low, high)
    assert (pixels.e_low, pixels.e_high) == found
    np.testing.assert_array_equal(pixels.counts, 2 * 100.0 * (found[1] - found[0]))


@pytest.mark.parametrize(("low", "high"), [(3.9, 10), (6, 12.1), (20, 30)])
def test_energy_ranges_outside_the_file(pixel_data, low, high):
    with pytest.raises(SelectionError, match=f"{low:g}-{high:g} keV is not inside the file, which covers 4-12 keV"):
        whole(pixel_data(), low, high)


@pytest.mark.parametrize(("low", "high"), [(6, 6), (10, 6), (float("nan"), 10)])
def test_empty_energy_ranges(pixel_data, low, high):
    with pytest.raises(SelectionError, match="keV is empty"):
        whole(pixel_data(), low, high)


def test_the_open_channel_has_no_width(pixel_data):
    data = pixel_data(e_low=[100, 120, 150], e_high=[120, 150, np.inf])
    with pytest.raises(SelectionError, match="the channel above 150 keV is open and has no width"):
        whole(data, 120, 200)
    assert whole(data, 100, 150).e_high == 150


# --- pixels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_set", PixelSet)
def test_pixels_are_summed_to_four(pixel_data, pixel_set):
    """A = pixels ≡ 0 (mod 4), B ≡ 1, C ≡ 2, D ≡ 3."""
    counts = np.zeros((1, 32, 12, 8)) + 10.0 ** (np.arange(12) % 4)[:, None] * np.repeat([1, 2, 4], 4)[:, None]
    pixels = whole(pixel_data(counts), pixel_set=pixel_set, edge_correction=NONE)
    weight = {"TOP": 1, "BOT": 2, "TOP+BOT": 3, "ALL": 7, "SMALL": 4}[pixel_set]
    np.testing.assert_array_equal(pixels.counts, np.broadcast_to(4 * weight * 10.0 ** np.arange(4), (32, 4)))
    assert pixels.pixel_set is pixel_set
    np.testing.assert_allclose(pixels.exposure, 20.0 * 4.0 * pixel_set.area)
    np.testing.assert_allclose(pixels.rate, pixels.counts / pixels.exposure[:, None])


def test_top_and_bottom_row_are_kept_apart(pixel_data):
    counts = np.zeros((1, 32, 12, 8)) + np.repeat([1.0, 2.0, 50.0], 4)[:, None]
    pixels = whole(pixel_data(counts), edge_correction=NONE)
    np.testing.assert_array_equal(pixels.top_bottom, np.broadcast_to([16.0, 32.0], (32, 2)))


def test_pixels_that_were_not_read_out(pixel_data):
    large = np.arange(12) < 8
    data = pixel_data(pixel_mask=large, name="large.fits")
    whole(data, pixel_set=PixelSet.TOP_BOT)
    with pytest.raises(
        SelectionError, match=r"large\.fits: pixel set SMALL needs pixels \[8, 9, 10, 11\], which were not read out"
    ):
        whole(data, pixel_set=PixelSet.SMALL)


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ({"rcr": [0, 0, 1, 1, 1]}, r"the attenuator state \(rcr\) changes at 2022-11-10T12:00:40"),
        (
            {"pixel_mask": np.arange(12) < np.array([[12], [12], [12], [8], [8]])},
            "the pixel mask changes at 2022-11-10T12:01:00",
        ),
        (
            {"detector_mask": np.arange(32) < np.array([[32], [31], [31], [31], [31]])},
            "the detector mask changes at 2022-11-10T12:00:20",
        ),
    ],
)
def test_nothing_may_change_within_the_range(pixel_data, what, complaint):
    data = pixel_data(np.ones((5, 32, 12, 8)), name="changing.fits", **what)
    with pytest.raises(SelectionError, match=rf"changing\.fits: {complaint}.* inside the time range"):
        whole(data)
    sum_pixels(data, data.t_start[3], data.t_end[4], 6, 10)


def test_attenuator_state_is_kept(pixel_data):
    assert whole(pixel_data(rcr=3)).rcr == 3


# --- rates and errors -------------------------------------------------------------------------------------------------


def test_error_of_a_rate(pixel_data):
    """σ = |rate| √((σ_N/N)² + (σ_L/L)²), σ_N² = compression² + counts."""
    data = pixel_data(100.0, counts_variance=109.0, triggers=40000.0)
    pixels = whole(data, edge_correction=NONE)
    livetime, livetime_sigma = detector_livetime(data.read())
    relative = np.sqrt(2 * 4 * 109.0 / 800.0**2 + (livetime_sigma / livetime) ** 2)
    np.testing.assert_allclose(pixels.rate_sigma, pixels.rate * relative[:, None])
    np.testing.assert_array_equal(pixels.livetime, livetime)


@given(st.floats(0.1, 100.0))
def test_rates_do_not_depend_on_the_exposure(pixel_data, factor):
    one = whole(pixel_data(50.0, duration=10.0), edge_correction=FLAT)
    other = whole(pixel_data(50.0 * factor, duration=10.0 * factor), edge_correction=FLAT)
    np.testing.assert_allclose(other.rate, one.rate, rtol=1e-6)


def test_binning_does_not_change_the_sum(pixel_data):
    counts = np.random.default_rng(3).poisson(40, size=(6, 32, 12, 8)).astype(float)
    fine = whole(pixel_data(counts, duration=10.0))
    coarse = whole(pixel_data(counts.sum(axis=0, keepdims=True), duration=60.0))
    for name in ("counts", "counts_variance", "rate", "rate_sigma", "livetime", "edge_factor", "top_bottom"):
        np.testing.assert_allclose(getattr(fine, name), getattr(coarse, name))


def test_background_is_subtracted_before_the_edges_are_corrected(pixel_data):
    """N = Σ_channels (C - B)·factor, the factor only on the first and the last channel; the same on σ."""
    rng = np.random.default_rng(4)
    counts, quiet_counts = (rng.poisson(mean, size=(1, 32, 12, 8)).astype(float) for mean in (200, 3000))
    science, quiet = pixel_data(counts, duration=20.0), pixel_data(quiet_counts, duration=1000.0)
    pixels = whole(science, background=quiet, edge_correction=FLAT)
    net = counts[0] - quiet_counts[0] / 50.0
    variance = counts[0] + quiet_counts[0] / 50.0**2
    first, last = edge_factors(energy_lookup_table(T0), science.e_low, science.e_high, slice(2, 6), np.zeros(8))
    for factor, channel in ((first, 2), (last, 5)):
        net[:, :, channel] *= factor
        variance[:, :, channel] *= factor**2

    def abcd(values):
        return values[:, :8, 2:6].sum(axis=2).reshape(32, 2, 4).sum(axis=1)

    np.testing.assert_allclose(pixels.rate, abcd(net) / pixels.exposure[:, None])
    np.testing.assert_allclose(pixels.rate_sigma, np.sqrt(abcd(variance)) / pixels.exposure[:, None])
    np.testing.assert_allclose(pixels.background, abcd(np.broadcast_to(quiet_counts[0] / 50.0, net.shape)))
    np.testing.assert_allclose(pixels.counts_variance, pixels.counts)


def test_the_spectrum_of_the_edge_correction_is_per_kev(pixel_data):
    """Counts of E⁻⁵ in channels of different width: without their widths the slopes would be others.

    It is the net spectrum of the large pixels of the detectors for imaging.
    """
    edges = np.array([4.0, 5.0, 6.0, 8.0, 9.0, 12.0, 13.0])
    low, high = edges[:-1], edges[1:]
    counts = 1e7 * (low**-4 - high**-4)
    index = spectral_indices(counts / (high - low), low, high)
    np.testing.assert_allclose(index[2:], 5.0, rtol=0.05)
    recorded = counts + np.zeros((1, 32, 12, 1))
    recorded[:, :, 8:], recorded[:, [8, 9]] = 1e5, 1e5
    quiet = pixel_data(2e5, e_low=low, e_high=high)
    pixels = whole(pixel_data(recorded + 2e5, e_low=low, e_high=high), 6, 12, background=quiet)
    net = recorded[0, :, :, 2:5].copy()
    first, last = edge_factors(energy_lookup_table(T0), low, high, slice(2, 5), index)
    net[:, :, 0] *= first
    net[:, :, 2] *= last
    expected = net[:, :8].sum(axis=2).reshape(32, 2, 4).sum(axis=1) / pixels.exposure[:, None]
    np.testing.assert_allclose(pixels.rate, expected, rtol=1e-9)


def test_edge_correction_of_a_single_channel_is_applied_once(pixel_data):
    data = pixel_data()
    pixels = whole(data, 7, 8, edge_correction=FLAT)
    factor, _ = edge_factors(energy_lookup_table(T0), data.e_low, data.e_high, slice(3, 4), np.zeros(8))
    expected = (100.0 * factor[:, :8]).reshape(32, 2, 4).sum(axis=1) / pixels.exposure[:, None]
    np.testing.assert_allclose(pixels.rate, expected)


def test_edges_of_a_cal_file_correct_the_counts(pixel_data, shared_data):
    """Detector 0, pixel 0, 6-7 keV, flat spectrum: the ground software's factor is 1.0057905."""
    (path,) = (shared_data / "products").glob("solo_CAL_stix-cal-energy_20250302*")
    data = pixel_data(100.0 * (np.arange(12) == 0)[:, None] + np.zeros((1, 32, 12, 8)), t0="2025-03-03T12:00")
    catalog = CalibrationCatalog(cal_files=(CalFile.of(path),))
    measured = catalog.choose(data.t_start[0], data.t_end[0])
    corrected = whole(data, 6, 7, edge_correction=FLAT, calibration=measured)
    assert corrected.rate[0, 0] * corrected.exposure[0] / 100.0 == pytest.approx(1.0057905, abs=6e-8)
    tabulated = whole(data, 6, 7, edge_correction=FLAT)
    assert abs(tabulated.rate[0, 0] / corrected.rate[0, 0] - 1.0) > 1e-3


def test_edge_factor_of_meta_pixels_stays_near_one(november):
    """Also in the dark detectors of a weak flare, where the ratio of a few net counts would be anything."""
    for request in ("2211115828", "2211116049", "2211096407"):
        flare = next(f for f in november.flares if f.request_id == request)
        pixels = sum_pixels(read_pixel_data(flare.file), flare.start, flare.end, 6, 10, background=november.background)
        assert np.abs(pixels.edge_factor - 1).max() < 0.05
        assert np.abs(pixels.edge_factor - 1).max() > 0.001


def test_edge_factor_is_that_of_the_flare_spectrum(pixel_data):
    spectrum = 1e4 * np.array([1, 2, 4, 3, 2, 1, 0.5, 0.2])
    pixels = whole(pixel_data(spectrum + np.zeros((1, 32, 12, 1))))
    net = (pixels.counts - pixels.background) * pixels.edge_factor
    np.testing.assert_allclose(net, pixels.rate * pixels.exposure[:, None], rtol=1e-9)
    without = whole(pixel_data(), edge_correction=NONE)
    np.testing.assert_array_equal(without.edge_factor, 1.0)


def test_channels_without_net_counts_have_no_weight_in_the_edge_factor(pixel_data):
    """A background above the counts in the first and the last channel: only the middle, uncorrected, is left."""
    counts, quiet = 100.0 * np.ones(8), 10.0 * np.ones(8)
    quiet[[2, 5]] = 200.0
    pixels = whole(pixel_data(counts), background=pixel_data(quiet), edge_correction=FLAT)
    np.testing.assert_allclose(pixels.edge_factor, 1.0, rtol=1e-12)


def test_an_all_dark_file_gives_zero_rates(pixel_data):
    pixels = whole(pixel_data(0.0))
    np.testing.assert_array_equal(pixels.rate, 0.0)
    np.testing.assert_allclose(pixels.edge_factor, 1.0, atol=0.1)


# --- backgrounds that cannot be combined ------------------------------------------------------------------------------


def test_background_without_the_pixels(pixel_data):
    quiet = pixel_data(pixel_mask=np.arange(12) < 8, name="quiet.fits")
    whole(pixel_data(), background=quiet)
    with pytest.raises(
        CalibrationError, match=r"quiet\.fits: this background file did not read out pixels \[8, 9, 10, 11\]"
    ):
        whole(pixel_data(), background=quiet, pixel_set=PixelSet.ALL)


def test_background_with_pixels_off_for_a_part_of_the_time(pixel_data):
    mask = np.ones((2, 12), dtype=bool)
    mask[1, 5] = False
    quiet = pixel_data(np.ones((2, 32, 12, 8)), pixel_mask=mask, name="quiet.fits")
    with pytest.raises(CalibrationError, match=r"quiet\.fits: this background file did not read out pixels \[5\]"):
        whole(pixel_data(), background=quiet)


def test_background_with_detectors_off(pixel_data):
    quiet = pixel_data(detector_mask=np.arange(32) != 4, name="quiet.fits")
    with pytest.raises(CalibrationError, match=r"quiet\.fits: detectors \[5\], on during the flare, were off"):
        whole(pixel_data(), background=quiet)


def test_background_summed_as_another_pixel_set(pixel_data):
    """All 12 pixels summed on board cannot be the background of eight."""
    quiet = replace(pixel_data(name="quiet.fits"), pixels_summed=True)
    whole(pixel_data(), background=quiet, pixel_set=PixelSet.ALL)
    with pytest.raises(SelectionError, match=r"quiet\.fits: pixels were summed on board as ALL; choose pixel set ALL"):
        whole(pixel_data(), background=quiet, pixel_set=PixelSet.TOP_BOT)


def test_background_of_other_channels(pixel_data):
    """Channels the background lacks may stand outside the range, not in it."""
    quiet = pixel_data(e_low=[4, 5, 6, 7, 8, 9])
    pixels = whole(pixel_data(), 6, 10, background=quiet)
    np.testing.assert_allclose(pixels.rate, 0.0, atol=1e-12)
    with pytest.raises(CalibrationError, match="no channel 10-11 keV in this background file"):
        whole(pixel_data(), 6, 12, background=quiet)


def test_a_real_background_that_ends_below_the_band(shared_data, demo):
    """The background nearest to the demo flare ends at 28 keV; its empty channels above are no background of zero."""
    (path,) = (shared_data / "formats").glob("*l1-1178451984*")
    early = read_pixel_data(path)
    assert whole(demo.science, 16, 28, background=early).background.sum() > 0
    with pytest.raises(CalibrationError, match="no channel 28-32 keV in this background file, which covers 4-28 keV"):
        whole(demo.science, 28, 32, background=early)


# --- single pixels ----------------------------------------------------------------------------------------------------


def test_single_pixels_above_background_in_all_channels(pixel_data):
    pixels = whole(pixel_data(100.0), background=pixel_data(30.0, name="quiet.fits"))
    net, variance = pixels.single.band(4.0, 8.0)  # wider than the selection
    np.testing.assert_allclose(net, np.full((32, 12), 4 * 70.0))
    np.testing.assert_allclose(variance, np.full((32, 12), 4 * 130.0))
    assert pixels.single.band(4.5, 8.0) is None
    assert pixels.single.band(8.0, 5.0) is None
    np.testing.assert_allclose(
        pixels.single.band(6.0, 10.0)[0][:, :8].reshape(32, 2, 4).sum(axis=1), pixels.counts - pixels.background
    )


def test_pixels_and_channels_without_counts_are_unknown(pixel_data):
    eight = np.arange(12) < 8
    all_channels = pixel_data(100.0)
    for science, background in (
        (pixel_data(100.0, pixel_mask=eight), pixel_data(30.0)),
        (all_channels, pixel_data(30.0, pixel_mask=eight)),
    ):
        net, _ = whole(science, background=background).single.band(4.0, 8.0)
        np.testing.assert_array_equal(np.isnan(net), np.tile(~eight, (32, 1)))
    fewer = whole(all_channels, background=pixel_data(30.0, e_low=np.arange(6.0, 12.0))).single
    assert np.isnan(fewer.band(4.0, 8.0)[0]).all()
    assert np.isfinite(fewer.band(6.0, 8.0)[0]).all()


def test_single_pixels_are_unknown_when_they_were_summed_on_board(pixel_data):
    assert whole(replace(pixel_data(), pixels_summed=True), pixel_set=PixelSet.ALL).single is None
    quiet = replace(pixel_data(name="quiet.fits"), pixels_summed=True)
    assert whole(pixel_data(), background=quiet, pixel_set=PixelSet.ALL).single is None
