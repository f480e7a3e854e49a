"""MEM_GE: IDL's numbers first, then optimality proved without the solver, then properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import (
    EarlyStop,
    FluxEstimate,
    MemGeParameters,
    Regularization,
    estimate_total_flux,
    mem_ge,
    snr_percent_lambda,
    visibility_snr,
)
from stixcore.imaging.proximal import (
    WhitenedSystem,
    entropy_prox,
    entropy_prox_with_flux,
    merge_cells,
    projected_landweber,
)
from stixcore.imaging.reconstruction import Reconstruction, StopReason
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.visibility.visibilities import Frame, Visibilities

GRID_129 = ImageGrid((129, 129), 2.0)


def gaussian(
    flux: float, x: float, y: float, fwhm: float, error: float = 0.5, noise: np.random.Generator | None = None
) -> Visibilities:
    """Visibilities of a circular Gaussian, with Gaussian noise when asked for."""
    u, v = uv_points()[detector_indices(IMAGING_LABELS)].T.copy()
    vis = flux * np.exp(-((np.pi * fwhm) ** 2) * (u**2 + v**2) / (4 * np.log(2)) + 2j * np.pi * (u * x + v * y))
    if noise is not None:
        vis = vis + error * (noise.normal(size=u.size) + 1j * noise.normal(size=u.size))
    return Visibilities(u, v, vis, np.full(u.size, error), IMAGING_LABELS, frame=Frame.HPC)


def dense_matrix(vis: Visibilities, grid: ImageGrid) -> np.ndarray:
    """H = [Re; Im]·Δ²/σ, (2 n_vis, n_pixel), written out."""
    x, y = np.meshgrid(grid.x, grid.y)
    phase = 2 * np.pi * (np.outer(vis.u, x) + np.outer(vis.v, y))
    return np.concatenate([np.cos(phase), np.sin(phase)]) * grid.pixel**2 / np.tile(vis.sigma, 2)[:, None]


def centroid(image: Reconstruction) -> tuple[float, float]:
    core = np.where(image.image > 0.5 * image.image.max(), image.image, 0.0)
    return float((core.sum(0) * image.grid.x).sum() / core.sum()), float(
        (core.sum(1) * image.grid.y).sum() / core.sum()
    )


# ---- against IDL and the numbers of science.md ----


def test_snr_lambda_and_flux_are_those_of_idl(june_2020: Visibilities, reference: dict[str, Any]) -> None:
    expected = reference["images_gdl_original"]["mem"]
    snr = visibility_snr(june_2020)
    assert snr == pytest.approx(expected["snr"], rel=1e-6)
    assert snr_percent_lambda(snr) == pytest.approx(expected["percent_lambda"], rel=1e-6)
    assert estimate_total_flux(june_2020, GRID_129) == pytest.approx(expected["total_flux_estimate"], rel=1e-6)


@pytest.mark.parametrize(
    ("grid", "objective", "chi2", "height"),
    [
        (GRID_129, 100.2012, 1.4822, 0.012651),
        (ImageGrid((256, 256), 1.0), 99.342, 1.4949, 0.012711),
    ],
)
def test_optimum_of_the_real_flare(
    june_2020: Visibilities,
    gsw_chi2: Callable[[float], float],
    grid: ImageGrid,
    objective: float,
    chi2: float,
    height: float,
) -> None:
    result = mem_ge(june_2020, grid, MemGeParameters(total_flux=19.6457))
    assert result.certificate["objective"] == pytest.approx(objective, abs=6e-4)
    assert gsw_chi2(result.chi2) == pytest.approx(chi2, abs=6e-5)
    assert result.image.max() == pytest.approx(height, abs=6e-7)
    assert np.hypot(result.peak[0] + 6, result.peak[1] - 2) <= grid.pixel
    assert result.stopped_by is StopReason.CONVERGED
    assert result.n_iter <= 8


def test_early_stop_gives_the_picture_of_idl(
    june_2020: Visibilities, gsw_chi2: Callable[[float], float], reference: dict[str, Any]
) -> None:
    expected = reference["images_gdl_original"]["maps"]["gdl_mem_ge"]
    result = mem_ge(june_2020, GRID_129, MemGeParameters(early_stop=EarlyStop.GSW))
    assert gsw_chi2(result.chi2) == pytest.approx(expected["chi2_gsw"], rel=1e-4)
    assert result.image.max() == pytest.approx(expected["peak"], rel=1e-5)
    assert result.peak == (expected["peak_x"], expected["peak_y"])
    assert result.total_flux == pytest.approx(expected["total_flux"], rel=1e-5)
    assert result.certificate["objective"] == pytest.approx(149.66, rel=1e-3)
    assert result.certificate["merged_visibilities"] == 21
    assert result.stopped_by is StopReason.STOPPING_RULE


def test_discrepancy_brings_chi_square_to_the_number_of_data(june_2020: Visibilities) -> None:
    by_snr = mem_ge(june_2020, GRID_129)
    result = mem_ge(june_2020, GRID_129, MemGeParameters(regularization=Regularization.DISCREPANCY))
    assert result.chi2 == pytest.approx(1.0, abs=0.01)
    assert result.certificate["chi2_per_dof"] == pytest.approx(result.chi2, rel=1e-9)
    assert result.certificate["lambda"] > by_snr.certificate["lambda"]
    assert result.image.max() < by_snr.image.max()
    # the same λ asked for by name gives the same picture
    again = mem_ge(june_2020, GRID_129, MemGeParameters(percent_lambda=result.certificate["percent_lambda"]))
    np.testing.assert_allclose(again.image, result.image, atol=1e-5 * result.image.max())


# ---- optimality, proved with a dense matrix and none of the solver's code ----


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    fwhm=st.floats(1.0, 60.0),
    percent=st.floats(1e-3, 0.2),
    shape=st.sampled_from([(33, 33), (24, 41), (1, 30)]),
)
def test_duality_gap_and_stationarity(seed: int, fwhm: float, percent: float, shape: tuple[int, int]) -> None:
    vis = gaussian(10.0, 5.0, -9.0, fwhm, noise=np.random.default_rng(seed))
    grid = ImageGrid(shape, 4.0)
    result = mem_ge(vis, grid, MemGeParameters(percent_lambda=percent, total_flux=12.0, gap_tolerance=1e-14))
    matrix, image = dense_matrix(vis, grid), result.image.ravel()
    data = np.concatenate([vis.vis.real, vis.vis.imag]) / np.tile(vis.sigma, 2)
    flux, weight = 12.0 / grid.pixel**2, result.certificate["lambda"]
    residual = matrix @ image - data
    primal = residual @ residual + weight * np.sum(image * (np.log(image * image.size / flux) - 1))
    nu = 2 * residual
    # dual with its constants: -|ν|²/4 - νᵀd - λf ln Σ exp(-Hᵀν/λ) + λf ln N - λf
    dual = -nu @ nu / 4 - nu @ data - weight * flux * (logsumexp(-(nu @ matrix) / weight) - np.log(image.size) + 1)
    assert result.certificate["objective"] == pytest.approx(primal, rel=1e-9, abs=1e-9)
    assert -1e-9 < (primal - dual) / (1 + residual @ residual) < 1e-6
    # stationary: 2Hᵀ(Hx - d) + λ ln(x/m) is the same number in every pixel
    slope = nu @ matrix + weight * np.log(image)
    assert np.ptp(slope) < 1e-3 * weight
    assert result.image.min() > 0
    assert result.total_flux == pytest.approx(12.0, rel=1e-12)


def test_gram_is_that_of_the_dense_matrix() -> None:
    vis, grid = gaussian(1.0, 0.0, 0.0, 10.0, error=1.0), ImageGrid((21, 34), 3.0)
    weights = np.random.default_rng(1).random(grid.shape)
    matrix, operator = dense_matrix(vis, grid), FourierOperator(vis.u, vis.v, grid)
    expected = (matrix * weights.ravel()) @ matrix.T
    np.testing.assert_allclose(operator.gram(weights), expected, atol=1e-12 * expected.max())
    np.testing.assert_allclose(operator.gram(), matrix @ matrix.T, atol=1e-12 * (matrix @ matrix.T).max())


# ---- properties ----


def test_source_is_found_where_it_is() -> None:
    vis = gaussian(10.0, 21.3, -13.7, 18.0, error=0.2)
    result = mem_ge(vis, GRID_129, MemGeParameters(total_flux=10.0))
    assert centroid(result) == pytest.approx((21.3, -13.7), abs=0.2)
    inside = np.hypot(GRID_129.x[None, :] - 21.3, GRID_129.y[:, None] + 13.7) < 27
    assert result.image[inside].sum() * GRID_129.pixel_area == pytest.approx(10.0, rel=0.05)
    assert np.sqrt(4 * np.log(2) / np.pi * 10.0 / result.image.max()) == pytest.approx(18.0, rel=0.15)


def test_flux_by_amplitude_is_closer_than_the_reference_s() -> None:
    """In a wide field the reference's estimate counts noise as faint flux: see docs/science/mem_ge.md."""
    vis = gaussian(10.0, 4.0, 4.0, 30.0, noise=np.random.default_rng(2))
    by_amplitude = mem_ge(vis, GRID_129, MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE))
    assert by_amplitude.total_flux == pytest.approx(vis.amplitude.max(), rel=1e-12)
    assert by_amplitude.total_flux == pytest.approx(10.0, rel=0.15)
    assert 1.2 * by_amplitude.total_flux < estimate_total_flux(vis, GRID_129) < 20.0


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(24)))
def test_order_of_visibilities_does_not_matter(order: list[int]) -> None:
    vis, grid = gaussian(10.0, 12.0, -8.0, 20.0, noise=np.random.default_rng(4)), ImageGrid((48, 48), 4.0)
    expected = mem_ge(vis, grid)
    result = mem_ge(vis.select([IMAGING_LABELS[k] for k in order]), grid)
    np.testing.assert_allclose(result.image, expected.image, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("early_stop", EarlyStop)
def test_turning_uv_turns_the_sky(early_stop: EarlyStop) -> None:
    vis, grid = gaussian(10.0, 22.0, 9.0, 14.0, noise=np.random.default_rng(5)), ImageGrid((47, 47), 4.0)
    parameters = MemGeParameters(early_stop=early_stop)
    expected = mem_ge(vis, grid, parameters)
    # a quarter turn counter-clockwise: (u, v) → (-v, u); rows count upward, so the array turns clockwise
    turned = mem_ge(replace(vis, u=-vis.v, v=vis.u), grid, parameters)
    np.testing.assert_allclose(turned.image, np.rot90(expected.image, k=-1), rtol=1e-6, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(1e-6, 1e6))
def test_brightness_scales_with_the_data(factor: float) -> None:
    vis, grid = gaussian(10.0, -6.0, 15.0, 20.0, noise=np.random.default_rng(6)), ImageGrid((40, 40), 4.0)
    expected = mem_ge(vis, grid)
    result = mem_ge(replace(vis, vis=vis.vis * factor, sigma=vis.sigma * factor), grid)
    np.testing.assert_allclose(result.image, expected.image * factor, rtol=1e-6)
    assert result.chi2 == pytest.approx(expected.chi2, rel=1e-6)


def test_more_weight_means_flatter() -> None:
    vis, grid = gaussian(10.0, 12.0, -8.0, 20.0, noise=np.random.default_rng(7)), ImageGrid((48, 48), 4.0)
    results = [mem_ge(vis, grid, MemGeParameters(percent_lambda=p)) for p in (1e-3, 1e-2, 1e-1)]
    assert results[0].chi2 < results[1].chi2 < results[2].chi2
    entropy = [float((r.image * np.log(r.image)).sum()) for r in results]
    assert entropy[0] > entropy[1] > entropy[2]
    gamma = [r.certificate["effective_parameters"] for r in results]
    assert 48 > gamma[0] > gamma[1] > gamma[2] > 0


def test_history_ends_with_the_certified_gap() -> None:
    result = mem_ge(gaussian(10.0, 12.0, -8.0, 20.0), GRID_129)
    assert result.history.size == result.n_iter + 1
    assert result.history[-1] == result.certificate["duality_gap"] < 1e-7 < result.history[0]


# ---- the reference's steps ----


@settings(max_examples=30, deadline=None)
@given(
    y=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=20), level=st.floats(1e-6, 1.0), weight=st.floats(1e-4, 1.0)
)
def test_entropy_prox_solves_its_equation(y: list[float], level: float, weight: float) -> None:
    values = np.array(y)
    x = entropy_prox(values, level, weight)
    known = x > 1e-300  # smaller ones have no logarithm worth comparing
    assert (x >= 0).all()
    np.testing.assert_allclose((x - values + weight * np.log(np.where(known, x, 1.0) / level))[known], 0, atol=1e-9)


def test_prox_with_flux_keeps_the_sum_to_a_percent() -> None:
    y = np.random.default_rng(8).normal(0.2, 1.0, (20, 20))
    x, iterations = entropy_prox_with_flux(y, 50.0, 50.0 / 400, 0.05)
    assert x.sum() == pytest.approx(50.0, rel=0.0101)
    assert (x > 0).all()
    assert 0 < iterations < 249


def test_landweber_never_goes_negative_and_fits() -> None:
    vis = gaussian(10.0, 12.0, -8.0, 20.0)
    system = WhitenedSystem.of(vis.u, vis.v, vis.vis, vis.sigma, ImageGrid((64, 64), 4.0))
    image, iterations = projected_landweber(system)
    assert image.min() >= 0
    assert 10 < iterations < 1000
    # stopped early, but every amplitude fits within a tenth of the largest
    assert np.abs(system.forward(image) - system.data).max() < 0.1 * np.abs(system.data).max()


def test_merging_of_cells_with_the_slip_of_entry_zero() -> None:
    u, v = np.array([0.10, 0.101, 0.3, 0.099, 0.301]), np.zeros(5)
    vis = Visibilities(u, v, np.arange(1, 6) + 0j, np.ones(5), tuple("abcde"), frame=Frame.HPC)
    merged_u, _, value, sigma = merge_cells(vis, ImageGrid((10, 10), 5.0))
    # cells 5, 5, 15, 5, 15: the second member of the first cell opens entry 1, the fourth joins it
    np.testing.assert_allclose(merged_u, [0.10, 0.101, 0.3])
    np.testing.assert_allclose(value, [1, 3, 4])
    np.testing.assert_allclose(sigma, [1, np.sqrt(2) / 2, np.sqrt(2) / 2])


# ---- what cannot be imaged ----


@pytest.mark.parametrize(
    "change",
    [
        {"vis": np.full(24, np.nan + 0j)},
        {"vis": np.zeros(24, dtype=complex)},
        {"sigma": np.zeros(24)},
        {"sigma": np.full(24, -1.0)},
        {"sigma": np.full(24, np.nan)},
    ],
)
@pytest.mark.parametrize("early_stop", EarlyStop)
def test_unusable_visibilities_are_refused(change: dict[str, np.ndarray], early_stop: EarlyStop) -> None:
    with pytest.raises(ReconstructionError):
        mem_ge(replace(gaussian(10.0, 0.0, 0.0, 20.0), **change), GRID_129, MemGeParameters(early_stop=early_stop))


def test_field_without_flux_is_refused() -> None:
    # one visibility whose fringe is negative all over a small field
    vis = gaussian(10.0, 0.0, 0.0, 1.0).select(["10a"])
    with pytest.raises(ReconstructionError, match="no image without negative pixels"):
        mem_ge(replace(vis, vis=-vis.vis), ImageGrid((5, 5), 2.0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2)])
@pytest.mark.parametrize(
    "parameters",
    [
        MemGeParameters(),
        MemGeParameters(early_stop=EarlyStop.GSW),
        MemGeParameters(regularization=Regularization.DISCREPANCY),
    ],
)
def test_tiny_fields_give_finite_images(shape: tuple[int, int], parameters: MemGeParameters) -> None:
    result = mem_ge(gaussian(10.0, 0.0, 0.0, 5.0), ImageGrid(shape, 4.0), parameters)
    assert np.isfinite(result.image).all()
    assert result.image.min() >= 0
    assert result.total_flux == pytest.approx(result.certificate["flux_constraint"], rel=0.0101)


def test_one_visibility_gives_a_finite_image() -> None:
    result = mem_ge(gaussian(10.0, 3.0, 4.0, 5.0).select(["9b"]), GRID_129)
    assert np.isfinite(result.image).all()
    assert result.stopped_by is StopReason.CONVERGED


def test_unreachable_discrepancy_is_said() -> None:
    # sigmas a thousand times too small: no image within the range of λ leaves residuals that small
    vis = replace(gaussian(10.0, 3.0, 4.0, 12.0, noise=np.random.default_rng(9)), sigma=np.full(24, 5e-4))
    result = mem_ge(vis, ImageGrid((40, 40), 4.0), MemGeParameters(regularization=Regularization.DISCREPANCY))
    assert result.stopped_by is StopReason.END_OF_RANGE
    assert result.certificate["percent_lambda"] == pytest.approx(1e-4)
    assert result.certificate["chi2_per_dof"] > 2


def test_too_few_steps_are_said() -> None:
    result = mem_ge(gaussian(10.0, 3.0, 4.0, 12.0), GRID_129, MemGeParameters(max_iterations=2))
    assert result.stopped_by is StopReason.MAX_ITERATIONS
    assert result.n_iter == 2
    assert result.certificate["duality_gap"] > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_flux": 0.0},
        {"total_flux": float("nan")},
        {"percent_lambda": 1.06},
        {"percent_lambda": 0.0},
        {"max_iterations": 0},
        {"gap_tolerance": 0.0},
        {"regularization": Regularization.DISCREPANCY, "percent_lambda": 0.01},
        {"regularization": Regularization.DISCREPANCY, "early_stop": EarlyStop.GSW},
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SelectionError):
        MemGeParameters(**wrong)
