"""Live time against the ground software run in GDL, against ``stixpy``, and by its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.livetime import (
    LATENCY_TIME,
    READOUT_TIME,
    detector_livetime,
    livetime_fraction,
    pileup_factor,
)
from stixcore.errors import CalibrationError
from stixcore.instrument.tables import trigger_accumulator


def test_pileup_factor():
    # β = 1 - ½ · 0.0961950 cm² / 0.8096 cm²
    assert pileup_factor() == pytest.approx(0.9405910, abs=5e-8)


@pytest.mark.parametrize(("triggers", "fraction"), [(1000, 0.99694137), (20000, 0.93884090), (100000, 0.69459287)])
def test_fraction_in_four_seconds(triggers, fraction):
    ours, _ = livetime_fraction(np.array(float(triggers)), np.array(1.0), np.array(4.0))
    assert ours == pytest.approx(fraction, abs=2e-8)  # the IDL computes in single precision


def test_fractions_and_errors_of_the_original_idl(reference, pixel_data):
    idl = reference["livetime_gdl"]
    assert list(trigger_accumulator()) == idl["adc_map"]
    triggers = np.array([[1000.0], [20000.0], [100000.0]]) + 100.0 * np.arange(16)
    fraction, _ = livetime_fraction(triggers, 0 * triggers, np.array(idl["dt_s"]))
    np.testing.assert_allclose(fraction[:, trigger_accumulator()[0]], idl["det0"], rtol=1e-7)
    np.testing.assert_allclose(fraction[:, trigger_accumulator()[2]], idl["det2"], rtol=1e-7)
    _, sigma = livetime_fraction(triggers, 0.01 * triggers, np.array(idl["dt_s"]))
    np.testing.assert_allclose(sigma[:, trigger_accumulator()[0]], idl["sigma_det0_for_1pct_trigger_error"], rtol=1e-5)


def test_fraction_equals_that_of_stixpy(patience):
    import astropy.units as u
    from stixpy.calibration.livetime import get_livetime_fraction

    rate = np.geomspace(0.1, 8e4, 50)
    theirs, *_ = get_livetime_fraction(rate / u.s)
    ours, _ = livetime_fraction(rate, 0 * rate, np.array(1.0))
    np.testing.assert_allclose(ours, theirs.to_value(""), rtol=1e-8)  # β stands there to eight digits


def test_error_is_the_derivative():
    """``stixpy`` has no error of the live time; the ground software propagates that of the triggers."""
    triggers, step = np.array([100.0, 3000.0, 40000.0]), 1e-3
    up, down = (livetime_fraction(triggers + d, 0 * triggers, np.array(1.0))[0] for d in (step, -step))
    _, sigma = livetime_fraction(triggers, np.full(3, 1.0), np.array(1.0))
    np.testing.assert_allclose(sigma, np.abs(up - down) / (2 * step), rtol=1e-5)


@given(st.floats(0.0, 8.8e4), st.floats(1.0, 1000.0))
def test_fraction_lies_between_zero_and_one_and_falls_with_the_rate(rate, more):
    assert livetime_fraction(np.array(0.0), np.array(0.0), np.array(1.0))[0] == 1.0
    if (rate + more) * (READOUT_TIME + LATENCY_TIME) < 1:
        low, high = (
            float(livetime_fraction(np.array(r), np.array(0.0), np.array(1.0))[0]) for r in (rate, rate + more)
        )
        assert 0 <= high < low <= 1


@given(st.floats(1.0, 1e4), st.floats(0.5, 100.0))
def test_only_the_rate_counts(rate, duration):
    one, _ = livetime_fraction(np.array(rate), np.array(0.0), np.array(1.0))
    other, _ = livetime_fraction(np.array(rate * duration), np.array(0.0), np.array(duration))
    assert one == pytest.approx(other, rel=1e-12)


def test_a_rate_the_electronics_cannot_report_is_refused():
    with pytest.raises(CalibrationError, match=r"trigger rate 100000 s⁻¹ exceeds the electronics' limit of 89286 s⁻¹"):
        livetime_fraction(np.array([10.0, 4e5]), np.zeros(2), np.array(4.0))


def test_time_bins_add_up(pixel_data):
    data = pixel_data(
        np.ones((3, 32, 12, 8)), duration=[4.0, 10.0, 20.0], triggers=1000.0 * np.arange(48).reshape(3, 16)
    )
    livetime, sigma = detector_livetime(data.read())
    each = [detector_livetime(data.read(slice(i, i + 1))) for i in range(3)]
    np.testing.assert_allclose(livetime, sum(part for part, _ in each))
    np.testing.assert_allclose(sigma, np.sqrt(sum(part**2 for _, part in each)))
    assert livetime.shape == (32,)
    assert (livetime < 34.0).any()
    # the two detectors of a pair share one accumulator
    for accumulator in range(16):
        assert np.unique(livetime[trigger_accumulator() == accumulator]).size == 1
