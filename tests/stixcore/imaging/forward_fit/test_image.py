"""The drawn image has the visibilities of the fitted sources."""

from __future__ import annotations

import numpy as np
import pytest

from stixcore.imaging.forward_fit.image import draw
from stixcore.imaging.forward_fit.shapes import Shape
from stixcore.imaging.forward_fit.sources import REPORTED, Source
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid

CENTER = (-300.0, 450.0)
SOURCES = {
    Shape.CIRCLE: [3.0, 10.0, -6.0, 22.0],
    Shape.ELLIPSE: [3.0, 10.0, -6.0, 20.0, 0.3, -0.8],
    Shape.LOOP: [3.0, 10.0, -6.0, 14.0, 20.0, -25.0, -120.0],
}


def as_row(shape, theta):
    row = dict(zip(REPORTED[shape], Source(shape, {}).report(np.array([theta]))[0][0], strict=True))
    return row | {"shape": str(shape), "x": row["x"] + CENTER[0], "y": row["y"] + CENTER[1]}


@pytest.mark.parametrize("shape", list(Shape))
def test_visibilities_of_the_image(plane, shape):
    grid = ImageGrid((128, 129), 2.0, CENTER)
    image = draw([as_row(shape, SOURCES[shape])], grid)
    assert (image >= 0).all()
    assert image.sum() * grid.pixel_area == pytest.approx(3.0, rel=1e-6)
    predicted = FourierOperator(plane.u, plane.v, grid).forward(image)
    assert np.allclose(predicted, plane.source(shape, np.array([SOURCES[shape]]))[0][0], rtol=0, atol=1e-6)


def test_images_add_up():
    grid = ImageGrid((65, 65), 4.0, CENTER)
    rows = [as_row(shape, theta) for shape, theta in SOURCES.items()]
    assert np.allclose(draw(rows, grid), sum(draw([row], grid) for row in rows))


def test_a_point_keeps_its_flux_and_its_place():
    """A source narrower than the pixels is drawn 1.5 pixels wide, wherever it lies between them."""
    grid = ImageGrid((65, 65), 2.0)
    for x, y in ((0.0, 0.0), (1.0, 0.5), (0.3, -0.9)):
        image = draw([{"shape": "circle", "flux": 5.0, "x": x, "y": y, "fwhm": 0.01}], grid)
        assert image.sum() * grid.pixel_area == pytest.approx(5.0, rel=2e-3)
        assert (image.sum(axis=0) @ grid.x) / image.sum() == pytest.approx(x, abs=0.01)
        assert (image.sum(axis=1) @ grid.y) / image.sum() == pytest.approx(y, abs=0.01)


def test_the_major_axis_points_to_the_position_angle():
    grid = ImageGrid((101, 101), 2.0)
    row = {
        "shape": "ellipse",
        "flux": 1.0,
        "x": 0.0,
        "y": 0.0,
        "fwhm_max": 50.0,
        "fwhm_min": 20.0,
        "position_angle": 30.0,
    }
    image = draw([row], grid)
    x, y = np.meshgrid(grid.x, grid.y)
    covariance = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=image.ravel(), ddof=0)
    values, axes = np.linalg.eigh(covariance)
    assert np.rad2deg(np.arctan2(axes[1, 1], axes[0, 1])) % 180.0 == pytest.approx(30.0, abs=1e-3)
    assert np.sqrt(values[::-1]) * 2.3548 == pytest.approx([50.0, 20.0], rel=1e-3)
