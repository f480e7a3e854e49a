"""Preview boxes: the rules on small hand-made files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.previews.windows import FlareInterval, PreviewRules, PreviewWindow, SkippedBand, preview_windows
from stixcore.fits.products import PixelData, ProductHeader
from stixcore.fits.spec import ProductKind

START = np.datetime64("2022-11-11T12:00:00", "us")
E_LOW = np.array([4.0, 5, 6, 7, 8, 9, 10, 12, 16, 20, 25])
E_HIGH = np.append(E_LOW[1:], 28.0)


def pixel_data(durations, rates, *, rcr=0, e_low=E_LOW, e_high=E_HIGH, hard_rates=0.0) -> PixelData:
    """A file with these bins [s], ``rates`` below 10 keV and ``hard_rates`` above 16 keV [counts per second]."""
    durations, rates = np.atleast_1d(np.asarray(durations, float)), np.atleast_1d(np.asarray(rates, float))
    edges = START + np.concatenate([[0], np.cumsum(durations) * 1e6]).astype("timedelta64[us]")
    counts = np.zeros((durations.size, 32, 12, e_low.size))
    soft, hard = e_high <= 10, e_low >= 16
    per_cell = 32 * 12
    counts[..., soft] = (rates * durations / per_cell / max(soft.sum(), 1))[:, None, None, None]
    hard_total = np.broadcast_to(hard_rates, durations.shape) * durations
    counts[..., hard] = (hard_total / per_cell / max(hard.sum(), 1))[:, None, None, None]
    header = ProductHeader("test.fits", ProductKind.PIXEL_DATA, "L1", "02", "1", edges[0], edges[-1], {})
    shape = (durations.size,)

    def load(times, channels):
        return counts[times][..., channels], counts[times][..., channels], np.zeros((1, 16)), np.zeros((1, 16))

    return PixelData(
        path=Path("test.fits"),
        header=header,
        t_start=edges[:-1],
        t_end=edges[1:],
        duration=durations,
        e_low=e_low,
        e_high=e_high,
        rcr=np.broadcast_to(rcr, shape).astype(int),
        pixel_mask=np.ones((*shape, 12), bool),
        detector_mask=np.ones((*shape, 32), bool),
        loader=load,
    )


def seconds(box: PreviewWindow) -> tuple[float, float]:
    return tuple(float((t - START) / np.timedelta64(1, "s")) for t in (box.start, box.end))


def soft_box(data, **rules):
    return preview_windows(data, PreviewRules(**rules))[0]


@pytest.mark.parametrize(
    ("bin_s", "expected"),
    [(4.0, (268.0, 328.0)), (20.0, (240.0, 300.0)), (40.0, (280.0, 320.0)), (100.0, (200.0, 300.0))],
)
def test_a_minute_centred_on_the_peak_as_near_as_the_bins_allow(bin_s, expected):
    n = int(600 / bin_s)
    middle = (np.arange(n) + 0.5) * bin_s
    peak = {4.0: 298.0, 20.0: 270.0, 40.0: 300.0, 100.0: 250.0}[bin_s]
    box = soft_box(pixel_data(np.full(n, bin_s), 1000 * np.exp(-(((middle - peak) / 60) ** 2)) + 10))
    assert seconds(box) == expected


def test_peak_is_one_of_rate_not_of_counts_per_bin():
    """A long bin holds more counts than a bright short one (the original fell for it)."""
    box = soft_box(pixel_data([300, 20, 20, 20, 300], [100, 300, 500, 300, 100]))
    assert seconds(box) == (300.0, 360.0)


def test_few_counts_in_the_minute_take_the_whole_flare():
    rates = np.r_[np.full(5, 5.0), np.full(20, 60.0), np.full(5, 5.0)]
    rates[15] = 70.0
    data = pixel_data(np.full(30, 20.0), rates)
    box = soft_box(data)
    assert box.why == "whole flaring interval"
    assert seconds(box) == (100.0, 500.0)
    assert box.counts == pytest.approx(60 * 400 + 200)


def test_too_few_counts_are_skipped_with_the_numbers():
    skipped = soft_box(pixel_data(np.full(30, 20.0), np.r_[np.full(15, 10.0), 10.1, np.full(14, 10.0)]))
    assert isinstance(skipped, SkippedBand)
    assert "602 at the peak and 602 in the whole flaring interval, 10000 needed" in skipped.reason
    assert skipped.reason.endswith("; 1 above background in the sub-collimators that make images, 3000 needed")


def test_band_is_cut_to_the_file_and_said_to_be_missing_when_it_is_not_there():
    data = pixel_data([60], [1000], e_low=E_LOW[:9], e_high=np.append(E_LOW[1:9], 18.0), hard_rates=1000)
    assert preview_windows(data)[1].energy == (16.0, 18.0)
    data = pixel_data([60], [1000], e_low=E_LOW[:8], e_high=E_HIGH[:8])
    tried = "12-20 keV: 0 above background; 10-15 keV: 0 above background"
    assert preview_windows(data)[1] == SkippedBand((16.0, 28.0), f"the file covers 4-16 keV, not 16-28 keV; {tried}")
    data = pixel_data([60], [1000], e_low=E_LOW[:6], e_high=E_HIGH[:6])
    assert preview_windows(data)[1] == SkippedBand((16.0, 28.0), "the file covers 4-10 keV, not 16-28 keV")


def test_a_skipped_band_that_is_cut_says_where_the_file_ends():
    data = pixel_data([60], [1], e_low=E_LOW[:9], e_high=np.append(E_LOW[1:9], 18.0), hard_rates=1)
    soft, hard = preview_windows(data)
    assert hard.reason.startswith("the file ends at 18 keV; too few counts in 16-18 keV: ")
    assert soft.reason.startswith("too few counts in 4-10 keV: ")


def test_each_band_has_its_own_peak():
    soft = np.full(30, 100.0)
    hard = np.full(30, 100.0)
    soft[20], hard[5] = 1000, 1000
    first, second = preview_windows(pixel_data(np.full(30, 20.0), soft, hard_rates=hard))
    assert seconds(first) == (380.0, 440.0)
    assert seconds(second) == (80.0, 140.0)


def test_window_does_not_cross_an_attenuator_change():
    rcr = np.r_[np.zeros(15), np.ones(15)]
    rates = np.full(30, 500.0)
    rates[15] = 5000
    box = soft_box(pixel_data(np.full(30, 20.0), rates, rcr=rcr))
    assert seconds(box) == (300.0, 340.0)


def test_several_flares_of_a_list_give_several_boxes():
    rates = np.full(60, 10.0)
    rates[10], rates[40] = 2000, 3000
    data = pixel_data(np.full(60, 20.0), rates)
    flares = [
        FlareInterval("2211111203", START + np.timedelta64(100, "s"), START + np.timedelta64(400, "s")),
        FlareInterval("2211111213", START + np.timedelta64(700, "s"), START + np.timedelta64(1000, "s")),
    ]
    boxes = [box for box in preview_windows(data, flares=flares) if isinstance(box, PreviewWindow)]
    assert [(box.flare_id, seconds(box)) for box in boxes] == [
        ("2211111203", (180.0, 240.0)),
        ("2211111213", (780.0, 840.0)),
    ]


def flash(peak, floor=10.0):
    """Rates of thirty bins with a peak in bin 15."""
    rates = np.full(30, floor)
    rates[15] = peak
    return rates


def test_a_small_flare_is_made_from_3000_counts_above_background():
    """Half of the counts of all detectors and pixels are in the sub-collimators and pixels that make images."""
    box = soft_box(pixel_data(np.full(30, 20.0), flash(311.0)))
    assert box.why == "60 s at the peak; small flare: 3010 counts above background"
    assert box.counts == pytest.approx(6620.0)
    assert isinstance(soft_box(pixel_data(np.full(30, 20.0), flash(309.0))), SkippedBand)


def test_the_background_file_says_what_is_above_background():
    """A file of one bin has no quiet part."""
    data = pixel_data([60], [100])
    assert isinstance(soft_box(data), SkippedBand)
    (box, _) = preview_windows(data, set_counts=lambda *_: (3600.0, 600.0))
    assert box.why == "the native bin at the peak, longer than 60 s; small flare: 3000 counts above background"
    assert isinstance(preview_windows(data, set_counts=lambda *_: (3600.0, 601.0))[0], SkippedBand)


def test_the_image_set_of_the_window_says_what_is_above_background():
    """Of every window and band its own: here the minute has too few, the whole flare enough."""
    asked = []

    def counts(start, end, band):
        asked.append((float((end - start) / np.timedelta64(1, "s")), band))
        return 9000.0, 6500.0 if asked[-1][0] <= 60.0 else 5900.0

    rates = np.r_[np.full(10, 1.0), np.full(6, 20.0), 21.0, np.full(13, 1.0)]
    box = preview_windows(pixel_data(np.full(30, 20.0), rates), set_counts=counts)[0]
    assert asked[:2] == [(60.0, (4.0, 10.0)), (160.0, (4.0, 10.0))]
    assert box.why == "whole flaring interval; small flare: 3100 counts above background"


def test_many_counts_that_are_those_of_the_background_are_no_flare():
    data = pixel_data([60], [1000])  # 60,000 counts
    (soft, _) = preview_windows(data, set_counts=lambda *_: (40_000.0, 38_900.0))
    assert soft.why == "the native bin at the peak, longer than 60 s"
    (skipped, _) = preview_windows(data, set_counts=lambda *_: (40_000.0, 39_100.0))  # 4.5 standard deviations
    assert isinstance(skipped, SkippedBand)
    assert "900 above background in the sub-collimators that make images, 3000 needed" in skipped.reason


def hard_data(rates, e_low=E_LOW, e_high=E_HIGH):
    """A file with these counts per second in every channel above 10 keV [keV: counts per second]."""
    data = pixel_data(np.full(30, 20.0), flash(1000.0), e_low=e_low, e_high=e_high)
    counts = data.read().counts.copy()
    for energy, rate in rates.items():
        counts[..., np.flatnonzero(e_low == energy)] = flash(rate, 0.1)[:, None, None, None] * 20.0 / 384
    return replace(data, loader=lambda times, channels: (counts[times][..., channels],) * 2 + (np.zeros((1, 16)),) * 2)


@pytest.mark.parametrize(
    ("rates", "band"),
    [
        ({16: 600.0}, (16.0, 28.0)),  # 12,000 counts
        ({16: 320.0, 12: 900.0, 10: 900.0}, (16.0, 28.0)),  # 3,200 in the pixels that make images
        ({16: 100.0, 12: 300.0, 10: 900.0}, (12.0, 20.0)),  # 4,000
        ({16: 10.0, 12: 160.0, 10: 160.0}, (10.0, 15.0)),  # 3,200
    ],
)
def test_a_band_without_counts_is_replaced_by_a_lower_one(rates, band):
    window = preview_windows(hard_data(rates))[1]
    assert (window.band, window.rule_band) == (band, (16.0, 28.0))
    assert ("not 16-28 keV: too few counts in 16-28 keV" in window.why) == (band != (16.0, 28.0))


def test_a_substitute_needs_half_of_its_band():
    data = hard_data({12: 400.0}, E_LOW[:8], E_HIGH[:8])  # to 16 keV
    assert (preview_windows(data)[1].band, preview_windows(data)[1].energy) == ((12.0, 20.0), (12.0, 16.0))
    data = hard_data({10: 400.0}, E_LOW[:7], E_HIGH[:7])  # to 12 keV
    assert preview_windows(data)[1] == SkippedBand((16.0, 28.0), "the file covers 4-12 keV, not 16-28 keV")


def test_labels_of_a_band_and_its_substitutes():
    rules = PreviewRules()
    every = ("16-28 keV", "12-20 keV", "10-15 keV")
    assert [rules.labels_of(label) for label in every] == [every] * 3
    assert rules.labels_of("4-10 keV") == ("4-10 keV",)
    assert rules.labels_of("6-12 keV") == ("6-12 keV",)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.5, 200), st.floats(0, 5000)), min_size=1, max_size=40),
    st.floats(1000, 50000),
)
def test_a_box_holds_enough_counts_and_whole_bins(bins, needed):
    durations, rates = np.array(bins).T
    data = pixel_data(durations, rates)
    for box in preview_windows(data, PreviewRules(min_counts=needed, min_net_counts=needed)):
        if isinstance(box, PreviewWindow):
            assert box.counts >= needed
            assert box.start in data.t_start
            assert box.end in data.t_end
            assert data.time_bins(box.start, box.end).stop > 0
        else:
            assert box.reason
