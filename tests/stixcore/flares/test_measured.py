import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.flares.measured import FALLING, NO_DATA, NO_RISE, RISING, GoesCurve, GoesPeak, goes_peak

DAY = np.datetime64("2024-05-14T00:00:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")
QUIET = 8e-7


def at(minutes):
    return DAY + np.timedelta64(round(minutes * 60e6), "us")


def curve_with(*peaks, missing=()):
    """A day of minutes; each peak is (minute, flux above the background): up in five minutes, down in twenty."""
    minutes = np.arange(1440)
    flux = np.full(1440, QUIET)
    for minute, height in peaks:
        rise = np.exp(-(((minutes - minute) / 3.0) ** 2)) * (minutes < minute)
        decay = np.exp(-(minutes - minute) / 12.0) * (minutes >= minute)
        flux = flux + height * np.where(minutes < minute, rise, np.where(minutes >= minute, decay, 0.0))
    kept = ~np.isin(minutes, list(missing))
    return GoesCurve(DAY + minutes[kept] * MINUTE, flux[kept], np.full(kept.sum(), 16))


def measured(curve, peak, *, start=-5.0, end=20.0):
    return goes_peak(curve, at(peak + start), at(peak), at(peak + end))


def test_known_peaks_of_a_day():
    curve = curve_with((200, 3e-6), (700, 5e-5), (1200, 4e-7))
    for minute, flux in ((200, 3e-6), (700, 5e-5), (1200, 4e-7)):
        found = measured(curve, minute - 1.5)
        assert isinstance(found, GoesPeak)
        assert found.flux == pytest.approx(flux + QUIET, rel=0.01)
        assert found.background == pytest.approx(QUIET, rel=0.05)
        assert found.excess == pytest.approx(flux, rel=0.1)
        assert found.time == at(minute)
        assert found.satellite == "GOES-16"


def test_quiet_sun_is_no_flare():
    assert measured(curve_with((200, 3e-6)), 800.0) == NO_RISE
    assert measured(curve_with((800, 5e-8)), 799.0) == NO_RISE  # 6 % above the background


def test_peak_of_another_flare_is_not_taken():
    strong = (700, 5e-5)
    assert measured(curve_with(strong), 715.0) == FALLING
    assert measured(curve_with(strong), 689.0, end=30.0) == RISING
    assert measured(curve_with(strong), 725.0, start=-3) == FALLING


def test_peak_on_the_decay_of_another_flare_is_taken_when_it_is_a_peak():
    found = measured(curve_with((700, 5e-6), (730, 4e-6)), 729.0)
    assert isinstance(found, GoesPeak)
    assert found.time == at(730)
    assert found.background > 1.2e-6  # the decay belongs to the background


def test_gaps():
    whole = curve_with((700, 5e-5))
    assert measured(curve_with((700, 5e-5), missing=range(690, 710)), 699.0) == NO_DATA
    assert measured(whole, 1600.0) == NO_DATA
    few = measured(curve_with((700, 5e-5), missing=(697, 702)), 699.0)
    assert few.flux == measured(whole, 699.0).flux
    # the minute of the peak is missing: its neighbor is taken, a lower limit of a few percent
    near = measured(curve_with((700, 5e-5), missing=(700,)), 699.0)
    assert 0.85 < near.flux / measured(whole, 699.0).flux < 1.0


def test_light_time_moves_the_peak_into_another_minute():
    curve = curve_with((700, 5e-5))
    assert measured(curve, 699.0 + 200 / 60).time == at(700)
    # without the shift of 600 s, this is another time
    assert measured(curve, 699.0 - 10.5, end=3.0) in (RISING, NO_RISE)


@pytest.mark.parametrize("fault", ["order", "zero", "shape"])
def test_invalid_curves_are_refused(fault):
    curve = curve_with((700, 5e-5))
    time, flux, satellite = curve.time.copy(), curve.flux.copy(), curve.satellite
    if fault == "order":
        time[5] = time[4]
    elif fault == "zero":
        flux[5] = 0.0
    else:
        satellite = satellite[:-1]
    with pytest.raises(SelectionError, match="GOES curve"):
        GoesCurve(time, flux, satellite)
