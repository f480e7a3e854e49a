"""The Fourier operator against the plain sum, and the properties that every method relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.errors import ReconstructionError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid

SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))
SEEDS = st.integers(0, 2**32 - 1)


def case(seed, shape, n_vis=7, pixel=3.0):
    """Random (u, v), image and visibilities."""
    rng = np.random.default_rng(seed)
    u, v = rng.uniform(-0.07, 0.07, (2, n_vis))
    vis = rng.normal(size=n_vis) + 1j * rng.normal(size=n_vis)
    grid = ImageGrid(shape, pixel)
    return FourierOperator(u, v, grid), rng.normal(size=shape), vis


@given(SEEDS, SHAPES)
def test_forward_is_the_plain_sum(seed, shape):
    """V_k = Δ² Σ I(x, y) e^{+2πi(u_k x + v_k y)}, rows are y."""
    operator, image, _ = case(seed, shape)
    x, y = np.meshgrid(operator.grid.x, operator.grid.y)
    expected = [
        9.0 * (image * np.exp(2j * np.pi * (u * x + v * y))).sum() for u, v in zip(operator.u, operator.v, strict=True)
    ]
    np.testing.assert_allclose(operator.forward(image), expected, atol=1e-9)


@given(SEEDS, SHAPES)
def test_adjoint_is_the_plain_sum(seed, shape):
    """Σ_k Re[V_k e^{-2πi(u_k x + v_k y)}]."""
    operator, _, vis = case(seed, shape)
    x, y = np.meshgrid(operator.grid.x, operator.grid.y)
    expected = sum(
        (value * np.exp(-2j * np.pi * (u * x + v * y))).real
        for u, v, value in zip(operator.u, operator.v, vis, strict=True)
    )
    np.testing.assert_allclose(operator.adjoint(vis), expected, atol=1e-10)
    assert operator.adjoint(vis).shape == shape


@given(SEEDS, SHAPES, st.floats(0.1, 20.0))
def test_adjointness(seed, shape, pixel):
    """⟨F I, V⟩ = Δ² ⟨I, F* V⟩ with the real scalar product of complex numbers."""
    operator, image, vis = case(seed, shape, pixel=pixel)
    left = np.vdot(vis, operator.forward(image)).real
    right = operator.grid.pixel_area * (image * operator.adjoint(vis)).sum()
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9 * pixel**2)


@given(SEEDS, SHAPES, st.integers(-3, 3), st.integers(-3, 3))
def test_shift_theorem(seed, shape, dx, dy):
    """An image moved by whole pixels turns its visibilities by e^{2πi(u dx + v dy)}."""
    operator, image, _ = case(seed, (shape[0] + 8, shape[1] + 8))
    inside = np.zeros_like(image)
    inside[4:-4, 4:-4] = image[4:-4, 4:-4]
    moved = np.roll(inside, (dy, dx), axis=(0, 1))
    turned = operator.forward(inside) * np.exp(2j * np.pi * 3.0 * (operator.u * dx + operator.v * dy))
    np.testing.assert_allclose(operator.forward(moved), turned, atol=1e-8)


@given(SEEDS, SHAPES)
def test_linear(seed, shape):
    operator, image, vis = case(seed, shape)
    _, other, other_vis = case(seed + 1, shape)
    np.testing.assert_allclose(
        operator.forward(2 * image - 3 * other), 2 * operator.forward(image) - 3 * operator.forward(other), atol=1e-8
    )
    np.testing.assert_allclose(
        operator.adjoint(vis + 2 * other_vis), operator.adjoint(vis) + 2 * operator.adjoint(other_vis), atol=1e-9
    )


@given(SEEDS, SHAPES)
def test_order_of_visibilities_does_not_matter(seed, shape):
    operator, image, vis = case(seed, shape)
    order = np.random.default_rng(seed).permutation(vis.size)
    shuffled = FourierOperator(operator.u[order], operator.v[order], operator.grid)
    np.testing.assert_allclose(shuffled.forward(image), operator.forward(image)[order], atol=1e-9)
    np.testing.assert_allclose(shuffled.adjoint(vis[order]), operator.adjoint(vis), atol=1e-10)


@given(SEEDS, st.floats(-180, 180))
def test_turning_uv_turns_the_sky(seed, angle):
    """Rotated (u, v) on the same grid equal the same (u, v) on a rotated one."""
    operator, _, vis = case(seed, (9, 9))
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    u, v = operator.u * cos - operator.v * sin, operator.u * sin + operator.v * cos
    turned = FourierOperator(u, v, operator.grid).adjoint(vis)
    x, y = np.meshgrid(operator.grid.x, operator.grid.y)
    x0, y0 = x * cos + y * sin, -x * sin + y * cos  # where each pixel came from
    expected = np.einsum(
        "k,kij->ij", vis, np.exp(-2j * np.pi * (np.multiply.outer(operator.u, x0) + np.multiply.outer(operator.v, y0)))
    ).real
    np.testing.assert_allclose(turned, expected, atol=1e-9)


def test_total_flux_is_the_visibility_at_the_origin():
    image = np.random.default_rng(0).uniform(size=(12, 15))
    operator = FourierOperator(np.zeros(1), np.zeros(1), ImageGrid((12, 15), 2.0))
    np.testing.assert_allclose(operator.forward(image), [4.0 * image.sum()])


@given(SEEDS, SHAPES)
def test_point_spread(seed, shape):
    """Σ w cos 2π(ux + vy) ÷ Σ w, twice as wide as the map, 1 and largest in the middle, symmetric."""
    operator, _, _ = case(seed, shape)
    weights = np.random.default_rng(seed).uniform(0.1, 1, operator.n_vis)
    psf = operator.point_spread(weights)
    ny, nx = shape
    assert psf.shape == (2 * ny - 1, 2 * nx - 1)
    assert psf[ny - 1, nx - 1] == pytest.approx(1.0)
    assert psf.max() <= 1.0 + 1e-12
    np.testing.assert_allclose(psf, psf[::-1, ::-1], atol=1e-12)
    row, column = ny - 1, 2 * nx - 2  # (nx - 1) pixels to the right
    expected = (weights * np.cos(2 * np.pi * operator.u * 3.0 * (nx - 1))).sum() / weights.sum()
    assert psf[row, column] == pytest.approx(expected)


def test_a_point_spread_function_is_kept_until_the_weights_change():
    operator, _, _ = case(0, (9, 7))
    fresh, _, _ = case(0, (9, 7))
    even, uneven = np.ones(operator.n_vis), np.arange(1.0, operator.n_vis + 1.0)
    kept = operator.point_spread(even)
    assert operator.point_spread(even.copy()) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 0.0
    np.testing.assert_array_equal(operator.point_spread(uneven), fresh.point_spread(uneven))
    uneven *= np.linspace(1.0, 2.0, operator.n_vis)  # the same array with other values
    assert not np.array_equal(operator.point_spread(uneven), kept)
    np.testing.assert_array_equal(operator.point_spread(even), kept)


@given(SEEDS, SHAPES)
def test_point_spread_is_the_dirty_map_of_a_point(seed, shape):
    operator, _, _ = case(seed, shape)
    weights = np.ones(operator.n_vis)
    rng = np.random.default_rng(seed)
    row, column = rng.integers(shape[0]), rng.integers(shape[1])
    image = np.zeros(shape)
    image[row, column] = 1.0 / operator.grid.pixel_area
    dirty = operator.adjoint(operator.forward(image)) / operator.n_vis
    ny, nx = shape
    window = operator.point_spread(weights)[ny - 1 - row : 2 * ny - 1 - row, nx - 1 - column : 2 * nx - 1 - column]
    np.testing.assert_allclose(dirty, window, atol=1e-10)


@pytest.mark.parametrize(("u", "v"), [([], []), ([0.1], []), ([0.1, np.nan], [0.1, 0.1]), ([0.1], [np.inf])])
def test_impossible_points(u, v):
    with pytest.raises(ReconstructionError, match=r"needs finite \(u, v\) points"):
        FourierOperator(np.array(u), np.array(v), ImageGrid((4, 4), 1.0))
