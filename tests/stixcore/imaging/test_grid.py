"""The pixel grid: where pixels are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.errors import SelectionError
from stixcore.imaging.grid import ImageGrid

GRIDS = st.builds(
    ImageGrid,
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(0.1, 20.0),
    st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)),
)


def test_offsets_of_odd_and_even_sides():
    """x_i = (i - (n-1)/2)·Δ: a pixel in the middle of an odd side, an edge in the middle of an even one."""
    grid = ImageGrid((3, 4), 2.0, (100.0, -50.0))
    np.testing.assert_array_equal(grid.y, [-2, 0, 2])
    np.testing.assert_array_equal(grid.x, [-3, -1, 1, 3])
    assert grid.pixel_area == 4.0
    assert grid.position(1, 1.5) == (100.0, -50.0)
    assert grid.position(0, 0) == (97.0, -52.0)  # bottom left: south-east
    assert grid.position(2, 3) == (103.0, -48.0)  # top right: north-west


@given(GRIDS)
def test_positions_are_centre_plus_offset(grid):
    for row, column in ((0, 0), (grid.shape[0] - 1, grid.shape[1] - 1)):
        x, y = grid.position(row, column)
        assert x == pytest.approx(grid.center[0] + grid.x[column], abs=1e-9)
        assert y == pytest.approx(grid.center[1] + grid.y[row], abs=1e-9)
    assert grid.x.sum() == pytest.approx(0, abs=1e-6)
    assert grid.y.sum() == pytest.approx(0, abs=1e-6)


@given(GRIDS, st.randoms(use_true_random=False))
def test_peak(grid, random):
    image = np.zeros(grid.shape)
    row, column = random.randrange(grid.shape[0]), random.randrange(grid.shape[1])
    image[row, column] = 1.0
    assert grid.peak(image) == grid.position(row, column)


@pytest.mark.parametrize(
    ("shape", "pixel", "complaint"),
    [
        ((0, 5), 1.0, "1 to 4096 pixels a side, found 0 × 5"),
        ((5, 5000), 1.0, "found 5 × 5000"),
        ((5, 5), 0.0, "pixel size must be positive, found 0.0"),
        ((5, 5), -1.0, "found -1.0"),
        ((5, 5), float("nan"), "found nan"),
        ((5, 5), float("inf"), "found inf"),
    ],
)
def test_impossible_grids(shape, pixel, complaint):
    with pytest.raises(SelectionError, match=complaint):
        ImageGrid(shape, pixel)
