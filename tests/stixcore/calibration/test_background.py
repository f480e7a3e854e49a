"""Expected background: scaling with live time, its error, and what may not be combined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.background import expected_background
from stixcore.calibration.livetime import detector_livetime
from stixcore.errors import CalibrationError

ELUT = "elut_table_20220918"  # in force in November 2022
E_LOW, E_HIGH = np.arange(4.0, 12.0), np.arange(5.0, 13.0)
ZERO = np.zeros(32)


def test_scaled_by_live_time(pixel_data):
    """B = L·C_b/L_b, per detector, pixel and channel."""
    counts = np.random.default_rng(1).poisson(300.0, size=(1, 32, 12, 8)).astype(float)
    quiet = pixel_data(counts, duration=1000.0)  # no triggers: live time = duration
    livetime = np.linspace(10.0, 72.0, 32)
    expected, _ = expected_background(quiet, E_LOW, E_HIGH, livetime, ZERO, ELUT)
    np.testing.assert_allclose(expected, counts[0] * (livetime / 1000.0)[:, None, None])


@given(st.floats(0.1, 1e4))
def test_proportional_to_the_exposure(pixel_data, factor):
    quiet = pixel_data(50.0, duration=600.0, triggers=5000.0)
    one, _ = expected_background(quiet, E_LOW, E_HIGH, np.full(32, 1.0), ZERO, ELUT)
    other, _ = expected_background(quiet, E_LOW, E_HIGH, np.full(32, factor), ZERO, ELUT)
    np.testing.assert_allclose(other, factor * one)


def test_does_not_depend_on_how_the_quiet_time_is_binned(pixel_data):
    whole = pixel_data(np.full((1, 32, 12, 8), 90.0), duration=900.0)
    parts = pixel_data(np.full((3, 32, 12, 8), 30.0), duration=300.0)
    livetime, sigma = np.full(32, 60.0), np.full(32, 0.1)
    for one, other in zip(
        expected_background(whole, E_LOW, E_HIGH, livetime, sigma, ELUT),
        expected_background(parts, E_LOW, E_HIGH, livetime, sigma, ELUT),
        strict=True,
    ):
        np.testing.assert_allclose(one, other)


def test_error(pixel_data):
    """σ_B = |B| √((σ_L/L)² + (σ_Cb/C_b)² + (σ_Lb/L_b)²)."""
    triggers = 40000.0
    quiet = pixel_data(400.0, duration=100.0, triggers=triggers)
    livetime, livetime_sigma = np.full(32, 50.0), np.full(32, 1.5)
    expected, sigma = expected_background(quiet, E_LOW, E_HIGH, livetime, livetime_sigma, ELUT)
    quiet_livetime, quiet_sigma = (values[:, None, None] for values in detector_livetime(quiet.read()))
    relative = np.sqrt((1.5 / 50.0) ** 2 + 400.0 / 400.0**2 + (quiet_sigma / quiet_livetime) ** 2)
    np.testing.assert_allclose(sigma, expected * relative)


def test_error_of_the_live_time_of_the_background(pixel_data):
    """Alone: the counts and the live time of the flare are exact."""
    quiet = pixel_data(400.0, counts_variance=0.0, duration=100.0, triggers=40000.0)
    expected, sigma = expected_background(quiet, E_LOW, E_HIGH, np.full(32, 50.0), ZERO, ELUT)
    quiet_livetime, quiet_sigma = (values[:, None, None] for values in detector_livetime(quiet.read()))
    np.testing.assert_allclose(sigma, expected * quiet_sigma / quiet_livetime)


def test_pixels_without_counts_have_no_error(pixel_data):
    """A zero denominator leaves its term out, as IDL's ``f_div`` does."""
    expected, sigma = expected_background(pixel_data(0.0), E_LOW, E_HIGH, np.full(32, 5.0), np.full(32, 0.1), ELUT)
    assert not expected.any()
    assert not sigma.any()


def test_a_part_of_the_channels(pixel_data):
    quiet = pixel_data(np.arange(8.0) + np.zeros((1, 32, 12, 1)), duration=1.0)
    expected, _ = expected_background(quiet, E_LOW[2:5], E_HIGH[2:5], np.ones(32), ZERO, ELUT)
    np.testing.assert_array_equal(expected[0, 0], [2, 3, 4])


def test_the_open_channel_is_found(pixel_data):
    edges = {"e_low": [100.0, 120.0, 150.0], "e_high": [120.0, 150.0, np.inf]}
    expected, _ = expected_background(
        pixel_data([1.0, 2.0, 3.0], duration=1.0, **edges),
        np.array([150.0]),
        np.array([np.inf]),
        np.ones(32),
        ZERO,
        ELUT,
    )
    np.testing.assert_array_equal(expected[:, :, 0], 3.0)


def test_a_missing_channel_is_named(pixel_data):
    with pytest.raises(CalibrationError, match=r"quiet\.fits: no channel 12-13 keV .* which covers 4-12 keV"):
        expected_background(pixel_data(name="quiet.fits"), np.array([12.0]), np.array([13.0]), np.ones(32), ZERO, ELUT)


def test_grouped_channels_are_not_the_same(pixel_data):
    with pytest.raises(CalibrationError, match=r"no channel 4-6 keV"):
        expected_background(pixel_data(), np.array([4.0]), np.array([6.0]), np.ones(32), ZERO, ELUT)


def test_another_energy_table_on_board(pixel_data):
    quiet = pixel_data(name="quiet.fits", t0="2022-05-31T12:00:00")
    with pytest.raises(
        CalibrationError,
        match=r"quiet\.fits: .* was elut_table_20211209, during the flare elut_table_20220918",
    ):
        expected_background(quiet, E_LOW, E_HIGH, np.ones(32), ZERO, ELUT)
