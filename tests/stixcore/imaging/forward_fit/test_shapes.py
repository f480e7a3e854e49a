"""Shapes: IDL's χ², analytic derivatives against differences, moments, an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stixcore.imaging.forward_fit.shapes import FIT_NAMES, Plane, Shape, loop_circles
from stixcore.imaging.forward_fit.sources import REPORTED, Source
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.simulation import sources as simulated

CHI2 = {"circle": 118.39819, "ellipse": 103.32690, "loop": 103.538558, "two circles": 56.98684}

angles = st.floats(-np.pi, np.pi)
elongations = st.floats(0.0, 2.0)
places = st.floats(-80.0, 80.0)
widths = st.floats(2.0, 80.0)
bends = st.floats(-175.0, 175.0)


@pytest.mark.parametrize("kind", ["circle", "ellipse", "loop"])
def test_chi_square_of_the_parameters_of_idl(june_2020, fit_theta, kind):
    vis, _ = Plane(june_2020.u, june_2020.v).source(Shape(kind), fit_theta[kind][None])
    chi2 = (np.abs(vis[0] - june_2020.vis) ** 2 / june_2020.sigma**2).sum()
    assert chi2 == pytest.approx(CHI2[kind], rel=1e-6)


def assert_derivatives(plane, shape, theta):
    _, slopes = plane.source(shape, theta[None])
    for i, name in enumerate(FIT_NAMES[shape]):
        step = 1e-4 * max(abs(theta[i]), 0.3)
        # Richardson: error of order step⁴
        coarse, fine = (
            (plane.source(shape, (theta + h)[None])[0][0] - plane.source(shape, (theta - h)[None])[0][0]) / (2.0 * h[i])
            for h in (step * np.eye(theta.size)[i], 0.5 * step * np.eye(theta.size)[i])
        )
        expected = (4.0 * fine - coarse) / 3.0
        scale = np.abs(expected).max() + 1e-9 * np.abs(theta[0])
        assert np.abs(slopes[0, i] - expected).max() < 2e-6 * scale + 1e-8, name


@given(places, places, widths)
def test_derivatives_of_a_circle(plane, x, y, w):
    assert_derivatives(plane, Shape.CIRCLE, np.array([3.0, x, y, w]))


@given(places, places, widths, elongations, angles)
def test_derivatives_of_an_ellipse(plane, x, y, w, m, angle):
    assert_derivatives(plane, Shape.ELLIPSE, np.array([3.0, x, y, w, m * np.cos(angle), m * np.sin(angle)]))


@given(places, places, widths, st.floats(0.0, 90.0), angles, bends)
def test_derivatives_of_a_loop(plane, x, y, w, length, angle, bend):
    assume(abs(bend) > 1.0)  # differences lose their digits on a straight loop
    theta = np.array([3.0, x, y, w, length * np.cos(angle), length * np.sin(angle), bend])
    assert_derivatives(plane, Shape.LOOP, theta)


def test_a_round_ellipse_and_a_round_loop_are_circles(plane):
    circle, _ = plane.source(Shape.CIRCLE, np.array([[2.0, 5.0, -7.0, 20.0]]))
    ellipse, slopes = plane.source(Shape.ELLIPSE, np.array([[2.0, 5.0, -7.0, 20.0, 0.0, 0.0]]))
    loop, _ = plane.source(Shape.LOOP, np.array([[2.0, 5.0, -7.0, 20.0, 0.0, 0.0, 100.0]]))
    assert np.allclose(ellipse, circle, rtol=0, atol=1e-13)
    assert np.allclose(loop, circle, rtol=0, atol=1e-13)
    assert np.abs(slopes[0, 4:]).max() > 0.01  # the circle is an ordinary point of the ellipse's parameters


@given(widths, st.floats(0.0, 1.5), st.floats(0.0, 180.0))
def test_an_ellipse_is_what_the_simulator_calls_one(plane, w, m, angle):
    turned = np.deg2rad(2.0 * angle)
    vis, _ = plane.source(Shape.ELLIPSE, np.array([[1.0, 0.0, 0.0, w, m * np.cos(turned), m * np.sin(turned)]]))
    other = simulated.Ellipse(0.0, 0.0, w * np.exp(m / 2), w * np.exp(-m / 2), angle)
    assert np.allclose(vis[0], other.envelope(plane.u, plane.v), rtol=0, atol=1e-12)


@given(widths, st.floats(0.0, 90.0), st.floats(0.0, 360.0), bends)
def test_a_loop_is_what_the_simulator_calls_one(plane, w, length, angle, bend):
    p, q = length * np.cos(np.deg2rad(angle)), length * np.sin(np.deg2rad(angle))
    theta = np.array([[1.0, 0.0, 0.0, w, p, q, bend]])
    vis, _ = plane.source(Shape.LOOP, theta)
    row = dict(zip(REPORTED[Shape.LOOP], Source(Shape.LOOP, {}).report(theta)[0][0], strict=True))
    other = simulated.Loop(0.0, 0.0, row["fwhm_max"], row["fwhm_min"], row["position_angle"], row["loop_angle"])
    assume(abs(bend) > 0.1)  # its straight loop is one of 0.01 rad
    assert np.allclose(vis[0], other.envelope(plane.u, plane.v), rtol=0, atol=2e-6)


@given(st.floats(20.0, 50.0), st.floats(1.0, 1.6), st.floats(0.0, 180.0), st.floats(-120.0, 120.0))
def test_second_moments_of_a_loop_are_its_widths(w_min, ratio, angle, bend):
    """The circles of a loop have the moments of the ellipse its widths name, the chord at right angles to ``angle``."""
    w_max = w_min * ratio
    weight, x, y, fwhm = loop_circles(w_max, w_min, angle, bend)
    assert weight.sum() == pytest.approx(1.0)
    assert (weight @ x, weight @ y) == pytest.approx((0.0, 0.0), abs=1e-9)
    direction = np.deg2rad(angle + 90.0)
    along, across = x * np.cos(direction) + y * np.sin(direction), y * np.cos(direction) - x * np.sin(direction)
    own = (fwhm / FWHM_PER_SIGMA) ** 2
    if fwhm > 1.0:
        assert weight @ along**2 + own == pytest.approx((w_max / FWHM_PER_SIGMA) ** 2, rel=1e-9)
        assert weight @ across**2 + own == pytest.approx((w_min / FWHM_PER_SIGMA) ** 2, rel=1e-9)
    assert weight @ (along * across) == pytest.approx(0.0, abs=1e-9)


def test_the_circles_of_a_loop_make_its_visibilities(plane):
    source = Source(Shape.LOOP, {})
    theta = np.array([[2.0, 4.0, -3.0, 15.0, 28.0, -9.0, 110.0]])
    row = dict(zip(REPORTED[Shape.LOOP], source.report(theta)[0][0], strict=True))
    weight, dx, dy, fwhm = loop_circles(row["fwhm_max"], row["fwhm_min"], row["position_angle"], row["loop_angle"])
    assert fwhm == pytest.approx(15.0)
    circles = np.stack([2.0 * weight, 4.0 + dx, -3.0 + dy, np.full(dx.size, fwhm)], axis=1)
    assert np.allclose(plane.source(Shape.CIRCLE, circles)[0].sum(axis=0), plane.source(Shape.LOOP, theta)[0][0])


def test_a_reversed_loop_bent_the_other_way_is_the_same(plane):
    vis, _ = plane.source(
        Shape.LOOP, np.array([[2.0, 4.0, -3.0, 15.0, 28.0, -9.0, 110.0], [2.0, 4.0, -3.0, 15.0, -28.0, 9.0, -110.0]])
    )
    assert np.allclose(vis[0], vis[1], rtol=0, atol=1e-12)
