import json
from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.fits.read import read_background_monitor, read_pixel_data
from stixcore.flares.background_detector import (
    TRANSMISSION,
    DetectorCurve,
    curve_of_monitor,
    curve_of_pixels,
    open_area,
    peak_of,
)

START = np.datetime64("2024-05-14T12:00:00", "us")
PEAK, END = START + np.timedelta64(300, "s"), START + np.timedelta64(600, "s")
AREA = 2.885


def curve_with(flux, *, background=1.2, step=8.0, begin=-1500.0, end=900.0, livetime=0.9):
    """Noise-free curve: a triangle of height ``flux`` at the peak, 240 s wide at its base."""
    time = np.arange(begin, end, step)
    middle = time + 0.5 * step
    shape = np.clip(1.0 - np.abs(middle - 300.0) / 120.0, 0.0, None)
    rate = background + flux * AREA * shape
    duration = np.full(time.size, step)
    return DetectorCurve(
        START + (time * 1e6).astype("timedelta64[us]"), duration, duration * livetime, rate * duration * livetime, AREA
    )


def test_area_of_the_holes():
    assert TRANSMISSION.sum() == pytest.approx(0.2983, abs=1e-4)
    assert open_area() == pytest.approx(0.2983 * 9.67, rel=0.01)  # mm²


def test_peak_is_the_highest_minute_above_the_background():
    found = peak_of(curve_with(50.0), START, PEAK, END)
    # mean of the triangle over a minute: 1 - 15/120 of its height
    assert found.flux == pytest.approx(50.0 * 0.875, rel=0.02)
    assert found.detected


def test_background_level_and_live_time_do_not_matter():
    one = peak_of(curve_with(50.0), START, PEAK, END)
    other = peak_of(curve_with(50.0, background=4.0, livetime=0.5), START, PEAK, END)
    assert other.flux == pytest.approx(one.flux, rel=1e-9)
    assert other.sigma > one.sigma


def test_nothing_is_no_detection():
    found = peak_of(curve_with(0.0), START, PEAK, END)
    assert not found.detected
    assert found.flux == pytest.approx(0.0, abs=found.sigma)


def test_without_a_background_before_the_flare_one_is_given():
    late = curve_with(50.0, begin=0.0)
    assert peak_of(late, START, PEAK, END) is None
    assert peak_of(late, START, PEAK, END, (1.2, 0.01)).flux == pytest.approx(50.0 * 0.875, rel=0.02)


def test_a_curve_that_ends_before_the_peak_says_nothing():
    assert peak_of(curve_with(50.0, end=100.0), START, PEAK, END) is None


def test_sigma_is_the_scatter_of_noisy_curves():
    rng = np.random.default_rng(5)
    exact = curve_with(0.5)
    found = [
        peak_of(replace(exact, counts=rng.poisson(exact.counts).astype(float)), START, PEAK, END) for _ in range(300)
    ]
    fluxes = np.array([one.flux for one in found])
    sigma = np.mean([one.sigma for one in found])
    assert fluxes.std() == pytest.approx(sigma, rel=0.25)


def test_quick_look_file_of_the_detector(shared_data):
    (path,) = (shared_data / "products").glob("*ql-background_20200506*")
    series = read_background_monitor(path)
    assert series.counts.sum(axis=0).astype(int).tolist() == [390693, 502171, 361213, 328318, 393154]
    assert not series.rcr.any()
    curve = curve_of_monitor(series)
    assert curve.counts.size == 10758
    assert (curve.livetime / curve.duration).min() > 0.99
    with pytest.raises(SelectionError, match="no band of 4-10 keV"):
        curve_of_monitor(replace(series, e_low=series.e_low + 1.0))


def test_real_flares_have_the_flux_of_the_table(shared_data):
    """M1.2 of 2022-11-11: 68.2 ± 0.5 ct s⁻¹ mm⁻² in two minutes, without live time."""
    table = json.loads((shared_data / "products/cfl_bkg_nov2022.json").read_text())["flares"]
    (m12,) = (row for row in table if row["goes"] == "M1.2")
    folder = shared_data / "nov2022/l1"
    flare, quiet = (
        curve_of_pixels(read_pixel_data(next(folder.glob(f"*_{uid}-*")))) for uid in (m12["request_id"], "2211098157")
    )
    inside = (flare.t_start >= np.datetime64(m12["start"])) & (flare.t_start < np.datetime64(m12["end"]))
    seconds = flare.duration[inside].sum()
    background = quiet.counts.sum() / quiet.duration.sum()
    flux = (flare.counts[inside].sum() / seconds - background) / flare.area
    assert seconds == pytest.approx(120.0)
    assert flux == pytest.approx(68.2, abs=0.5)
    # with live time
    live = flare.rate(inside)[0] / flare.area
    assert 1.01 < live / flux < 1.03


def test_summed_pixels_are_refused(shared_data):
    data = read_pixel_data(next((shared_data / "nov2022/l1").glob("*_2211116471-*")))
    with pytest.raises(SelectionError, match="background detector were not read out"):
        curve_of_pixels(replace(data, pixels_summed=True))
