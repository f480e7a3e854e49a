"""Shapes: closed-form visibilities against images summed pixel by pixel, and against what defines the shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.errors import SelectionError
from stixcore.imaging.forward_fit.shapes import Plane, Shape
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.instrument.geometry import ALL_LABELS, IMAGING_LABELS, detector_indices, uv_points
from stixcore.simulation.sources import Circle, Ellipse, Loop, describe, shares, visibilities

U, V = uv_points()[detector_indices(ALL_LABELS)].T
POINTING = Pointing(PointingSource.MANUAL, 33.0, 25.0, 80.0)
GRID = ImageGrid((301, 301), 1.0)
ARCSEC = st.floats(-1500.0, 1500.0)


def gaussian_image(x, y, fwhm_max, fwhm_min, angle):
    """Unit-flux ellipse painted on GRID, arcsec⁻²."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    dx, dy = GRID.x[None, :] - x, GRID.y[:, None] - y
    along, across = (dx * cos + dy * sin) / fwhm_max, (-dx * sin + dy * cos) / fwhm_min
    image = np.exp(-0.5 * FWHM_PER_SIGMA**2 * (along**2 + across**2))
    return image / image.sum()


@pytest.mark.parametrize(
    ("source", "image"),
    [
        (Circle(12.0, -7.0, 20.0), gaussian_image(12.0, -7.0, 20.0, 20.0, 0.0)),
        (Ellipse(-20.0, 15.0, 45.0, 18.0, 35.0), gaussian_image(-20.0, 15.0, 45.0, 18.0, 35.0)),
    ],
    ids=["circle", "ellipse"],
)
def test_visibilities_are_those_of_the_painted_image(source, image):
    expected = FourierOperator(U, V, GRID).forward(image)
    assert np.abs(visibilities([source], U, V) - expected).max() < 1e-6


@pytest.mark.parametrize("loop_angle", [-90.0, -40.0, 0.0, 60.0, 90.0])
def test_a_loop_is_the_sum_of_its_circles(loop_angle):
    loop = Loop(10.0, -15.0, 52.0, 26.0, 40.0, loop_angle)
    dx, dy, fwhm = loop.circles
    weights = np.array([15504, 38760, 77520, 125970, 167960, 184756, 167960, 125970, 77520, 38760, 15504], dtype=float)
    weights /= weights.sum()  # binomial coefficients of order 20, those above 1 %
    image = sum(
        w * gaussian_image(10.0 + x, -15.0 + y, fwhm, fwhm, 0.0) for w, x, y in zip(weights, dx, dy, strict=True)
    )
    expected = FourierOperator(U, V, GRID).forward(image)
    assert np.abs(visibilities([loop], U, V) - expected).max() < 1e-6


def test_a_loop_bent_too_far_for_its_width_is_an_arc_of_thin_circles():
    assert Loop(0.0, 0.0, 50.0, 15.0, 0.0, 150.0).circles[2] == 1.0


def test_the_sign_of_the_opening_says_where_a_loop_bends():
    # With angle 0 the chord runs along y; the ends of a positive loop lie at smaller x than its middle.
    for sign in (1.0, -1.0):
        dx, dy, _ = Loop(0.0, 0.0, 50.0, 25.0, 0.0, sign * 70.0).circles
        assert np.ptp(dy) > np.ptp(dx)
        assert sign * (dx[5] - dx[0]) > 5.0


@pytest.mark.parametrize("loop_angle", [-80.0, 5.0, 60.0])
def test_a_loop_has_the_second_moments_of_its_ellipse(loop_angle):
    # For small u the visibility is 1 - 2π² Σ u_i u_j M_ij: the moments of the ellipse turned by 90°.
    loop, step = Loop(0.0, 0.0, 50.0, 22.0, 0.0, loop_angle), 1e-4
    along_y, along_x = (
        1.0 - loop.envelope(np.array([u]), np.array([v]))[0].real for u, v in ((0.0, step), (step, 0.0))
    )
    fwhm = [FWHM_PER_SIGMA * np.sqrt(drop / (2.0 * np.pi**2)) / step for drop in (along_y, along_x)]
    assert fwhm == pytest.approx([50.0, 22.0], rel=2e-3)
    assert loop.envelope(np.array([step]), np.array([step]))[0].imag == pytest.approx(
        0.0, abs=1e-6
    )  # about its centroid


@given(x=ARCSEC, y=ARCSEC, dx=ARCSEC, dy=ARCSEC)
def test_moving_a_source_turns_the_phases(x, y, dx, dy):
    here, there = (visibilities([Ellipse(a, b, 40.0, 15.0, 70.0)], U, V) for a, b in ((x, y), (x + dx, y + dy)))
    assert np.abs(there - here * np.exp(2j * np.pi * (U * dx + V * dy))).max() < 1e-9


def test_shares_divide_the_flux():
    pair = [Circle(-20.0, 0.0, 10.0, 3.0), Circle(30.0, 10.0, 12.0, 1.0)]
    assert shares(pair).tolist() == [0.75, 0.25]
    expected = 0.75 * visibilities(pair[:1], U, V) + 0.25 * visibilities(pair[1:], U, V)
    assert np.abs(visibilities(pair, U, V) - expected).max() < 1e-12
    assert abs(visibilities(pair, np.zeros(1), np.zeros(1))[0] - 1.0) < 1e-12


def test_helioprojective_shapes_turn_with_the_roll():
    # 30″ beside the center along its major axis, on the Sun and in the instrument
    sun = Ellipse(400.0, -250.0, 60.0, 10.0, 25.0)
    end = (400.0 + 30.0 * np.cos(np.deg2rad(25.0)), -250.0 + 30.0 * np.sin(np.deg2rad(25.0)))
    (x0, y0), (x1, y1) = hpc_to_stix(400.0, -250.0, POINTING), hpc_to_stix(*end, POINTING)
    instrument = Ellipse(float(x0), float(y0), 60.0, 10.0, float(np.rad2deg(np.arctan2(y1 - y0, x1 - x0))))
    assert np.abs(visibilities([sun], U, V, POINTING) - visibilities([instrument], U, V)).max() < 1e-9


def test_finer_grids_see_less_of_a_wide_source():
    u, v = uv_points()[detector_indices(IMAGING_LABELS)].T
    amplitude = np.abs(visibilities([Circle(0.0, 0.0, 30.0)], u, v)).reshape(8, 3).mean(axis=1)
    assert (np.diff(amplitude) < 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Circle(0.0, 0.0, -1.0),
        lambda: Circle(np.nan, 0.0, 10.0),
        lambda: Ellipse(0.0, 0.0, np.inf, 10.0, 0.0),
        lambda: Loop(0.0, 0.0, 10.0, 20.0, 0.0, 90.0),
        lambda: shares([Circle(0.0, 0.0, 10.0, 0.0)]),
        lambda: shares([]),
    ],
)
def test_impossible_shapes_are_refused(make):
    with pytest.raises(SelectionError):
        make()


def test_a_shape_describes_itself():
    assert describe(Circle(1.0, 2.0, 3.0)) == {"shape": "circle", "x": 1.0, "y": 2.0, "fwhm": 3.0, "share": 1.0}


@pytest.mark.parametrize("loop_angle", [-85.0, -30.0, 20.0, 75.0, 140.0])
def test_the_forward_fit_means_the_same_loop(loop_angle):
    loop, length, alpha = Loop(10.0, -15.0, 52.0, 26.0, 40.0, loop_angle), np.sqrt(52.0**2 - 26.0**2), np.deg2rad(40.0)
    theta = [1.0, 10.0, -15.0, loop.circles[2], length * np.cos(alpha), length * np.sin(alpha), loop_angle]
    fitted, _ = Plane(U, V).source(Shape.LOOP, np.array([theta]))
    assert np.abs(visibilities([loop], U, V) - fitted[0]).max() < 1e-9
