"""Sources: what is fixed, what is reported, and the derivatives of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.errors import SelectionError
from stixcore.imaging.forward_fit.shapes import FIT_NAMES, Shape, loop_circles
from stixcore.imaging.forward_fit.sources import REPORTED, Limits, Source, SourceModel

LIMITS = Limits((0.1, 1.5), 100.0, (1.0, 100.0))
POLAR = [
    {"position_angle": 30.0},
    {"fwhm_max": 30.0},
    {"fwhm_min": 12.0},
    {"fwhm_max": 30.0, "fwhm_min": 12.0},
    {"fwhm": 20.0, "position_angle": 150.0},
    {"fwhm_max": 32.0, "fwhm": 20.0},
]


def smooth(shape, m, angle):
    """A source of mean width 20″, and for a loop as much bent."""
    theta = [1.0, 3.0, -4.0, 20.0, m * np.cos(2.0 * angle), m * np.sin(2.0 * angle), 60.0]
    if shape is Shape.LOOP:
        w_max, w_min = 20.0 * np.exp([m / 2, -m / 2])
        length, width = np.sqrt(w_max**2 - w_min**2), loop_circles(w_max, w_min, 0.0, 60.0)[3]
        theta[3:6] = width, length * np.cos(angle), length * np.sin(angle)
    return np.array([theta[: len(FIT_NAMES[shape])]])


@given(st.sampled_from([Shape.ELLIPSE, Shape.LOOP]), st.floats(0.01, 1.2), st.floats(0.0, 2.0 * np.pi))
def test_reported_widths_and_angle(shape, m, angle):
    values, _ = Source(shape, {}).report(smooth(shape, m, angle))
    row = dict(zip(REPORTED[shape], values[0], strict=True))
    assert row["fwhm_max"] == pytest.approx(20.0 * np.exp(m / 2))
    assert row["fwhm_min"] == pytest.approx(20.0 * np.exp(-m / 2))
    assert 0.0 <= row["position_angle"] < 180.0
    assert np.sin(np.deg2rad(row["position_angle"]) - angle) == pytest.approx(0.0, abs=1e-9)
    assert (row["ec"], row["es"]) == pytest.approx(
        (m * np.cos(np.deg2rad(row["position_angle"])), m * np.sin(np.deg2rad(row["position_angle"])))
    )
    if shape is Shape.LOOP:
        # the side it bends to is where it was: along the angle for a positive loop angle
        side = np.array([np.cos(np.deg2rad(row["position_angle"])), np.sin(np.deg2rad(row["position_angle"]))])
        assert row["loop_angle"] * side == pytest.approx(60.0 * np.array([np.cos(angle), np.sin(angle)]), abs=1e-6)


@pytest.mark.parametrize("fixed", [{}, *POLAR])
@pytest.mark.parametrize("shape", [Shape.ELLIPSE, Shape.LOOP])
def test_derivatives_of_what_is_reported(shape, fixed):
    source = Source(shape, fixed)
    theta = source.from_smooth(smooth(shape, 0.7, 2.0))
    _, slopes = source.report(theta)
    lower, upper = source.bounds(LIMITS)
    for i in np.flatnonzero(lower < upper):
        step = np.zeros_like(theta)
        step[0, i] = 1e-5 * max(abs(theta[0, i]), 1.0)
        change = (source.report(theta + step)[0] - source.report(theta - step)[0]) / (2.0 * step[0, i])
        assert slopes[0, :, i] == pytest.approx(change[0], rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("fixed", POLAR)
@pytest.mark.parametrize("shape", [Shape.ELLIPSE, Shape.LOOP])
def test_visibilities_are_the_same_with_other_parameters(plane, shape, fixed):
    free, bound = (SourceModel([Source(shape, f)], plane, LIMITS) for f in ({}, fixed))
    theta = smooth(shape, 0.7, 2.0)
    other = bound.sources[0].from_smooth(theta)
    assert np.allclose(bound.evaluate(other)[0], free.evaluate(theta)[0], rtol=0, atol=1e-12)
    _, slopes = bound.evaluate(other)
    for i in range(bound.n_par):
        step = np.zeros_like(other)
        step[0, i] = 1e-5 * max(abs(other[0, i]), 1.0)
        change = (bound.evaluate(other + step)[0] - bound.evaluate(other - step)[0]) / (2.0 * step[0, i])
        assert np.allclose(slopes[0, i], change[0], rtol=1e-6, atol=1e-9)


def test_fixed_values_are_bounds_without_width(plane):
    model = SourceModel(
        [
            Source(Shape.CIRCLE, {"flux": 2.0}),
            Source(Shape.ELLIPSE, {"fwhm_max": 30.0, "fwhm_min": 15.0, "x": 1.0}),
            Source(Shape.LOOP, {"loop_angle": 90.0, "position_angle": 10.0}),
        ],
        plane,
        LIMITS,
    )
    lower, upper = model.bounds
    fixed = np.flatnonzero(lower == upper)
    assert fixed.tolist() == [0, 5, 7, 8, 15, 16]
    assert lower[fixed] == pytest.approx([2.0, 1.0, 30.0, np.log(2.0), 10.0, 90.0])
    assert model.n_free == model.n_par - 6
    assert model.name == "circle+ellipse+loop"


@pytest.mark.parametrize(
    ("shape", "fixed"),
    [
        (Shape.CIRCLE, {"fwhm_max": 10.0}),
        (Shape.ELLIPSE, {"loop_angle": 10.0}),
        (Shape.ELLIPSE, {"ec": 0.1}),
        (Shape.CIRCLE, {"flux": 0.0}),
        (Shape.CIRCLE, {"x": float("nan")}),
        (Shape.ELLIPSE, {"fwhm_max": 10.0, "fwhm_min": 20.0}),
        (Shape.LOOP, {"fwhm_max": 30.0, "fwhm_min": 10.0, "fwhm": 20.0}),
    ],
)
def test_what_cannot_be_fixed(shape, fixed):
    with pytest.raises(SelectionError, match=next(iter(fixed))):
        Source(shape, fixed)
