"""Measures on images with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA, measure_source, relative_rms, signal_to_noise


def gaussian(grid: ImageGrid, x: float, y: float, fwhm: float) -> np.ndarray:
    distance2 = (grid.x[None, :] - x) ** 2 + (grid.y[:, None] - y) ** 2
    return np.exp(-0.5 * distance2 * (FWHM_PER_SIGMA / fwhm) ** 2)


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(12, 50))
def test_centroid_and_width_of_a_gaussian(x, y, fwhm):
    grid = ImageGrid((128, 129), 1.5, (500.0, -200.0))
    measured = measure_source(gaussian(grid, x, y, fwhm), grid)
    assert (measured.x, measured.y) == pytest.approx((500 + x, -200 + y), abs=0.5)
    assert measured.fwhm == pytest.approx(fwhm, rel=0.03, abs=1.0)  # half a pixel at the edge


def test_a_second_source_does_not_pull_the_first():
    grid = ImageGrid((129, 129), 2.0)
    image = gaussian(grid, -40, 0, 15) + 0.9 * gaussian(grid, 40, 0, 15)
    assert measure_source(image, grid).x == pytest.approx(-40, abs=0.2)


def test_signal_to_noise_leaves_outliers_out():
    amplitude = np.r_[np.full(23, 10.0) + np.linspace(-0.5, 0.5, 23), 500.0]
    assert signal_to_noise(amplitude, np.ones(24)) == pytest.approx(10.0)


@pytest.mark.needs_shared_data
def test_signal_to_noise_of_the_reference_visibilities(june_2020, reference):
    """The ground software finds 9.896341 on the 24 visibilities of 2020-06-07."""
    assert signal_to_noise(june_2020.amplitude, june_2020.sigma) == pytest.approx(9.896341, rel=1e-5)


def test_relative_rms():
    truth = np.array([[3.0, 4.0]])
    assert relative_rms(truth, truth) == 0
    assert relative_rms(np.zeros_like(truth), truth) == pytest.approx(1)
