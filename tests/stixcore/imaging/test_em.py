"""EM: the ground software's path to the last digit, the matrix against one written out, then likelihood and truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stixcore.calibration.grids import (
    AmplitudeScheme,
    amplitude_factor,
    flight_transmission,
    geometric_transmission,
)
from stixcore.calibration.pointing import pointing_at
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix, rotate_uv_to_hpc
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.em import (
    Acceleration,
    CountResponse,
    EmParameters,
    c_statistic,
    count_response,
    em,
    expectation_maximization,
)
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import locate_flare
from stixcore.imaging.reconstruction import StopReason
from stixcore.instrument.geometry import (
    ALL_LABELS,
    IMAGING_LABELS,
    LOCATION_LABELS,
    PixelSet,
    detector_indices,
    uv_points,
)
from stixcore.instrument.tables import phase_correction
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels, sum_pixels

MakePixels = Callable[..., MetaPixels]

POINTING = Pointing(PointingSource.MANUAL, roll=37.0, x=31.0, y=-52.0)
CENTER = (420.0, -310.0)  # helioprojective
CENTER_STIX = tuple(float(value) for value in hpc_to_stix(*CENTER, POINTING))
INDEX = detector_indices(IMAGING_LABELS)


def response_on(grid: ImageGrid, labels: tuple[str, ...] = IMAGING_LABELS, **kwargs: Any) -> CountResponse:
    index = detector_indices(labels)
    u, v = rotate_uv_to_hpc(*uv_points()[index].T, POINTING.roll)
    chosen = {"scheme": AmplitudeScheme.GSW_2026, "pixel_set": PixelSet.TOP_BOT} | kwargs
    return count_response(FourierOperator(u, v, grid), index, CENTER_STIX, CENTER_STIX, **chosen)


def dense_response(grid: ImageGrid, scheme: AmplitudeScheme, pixel_set: PixelSet) -> np.ndarray:
    """(24, 4, ny, nx): science.md §5.4 pixel by pixel in the STIX frame."""
    x, y = hpc_to_stix(grid.center[0] + grid.x[None, :], grid.center[1] + grid.y[:, None], POINTING)
    k = 2 if pixel_set is PixelSet.SMALL else 1
    rows = []
    for d in INDEX:
        mean = flight_transmission(*CENTER_STIX)[d] if scheme is AmplitudeScheme.GSW_2026 else 0.25
        m1 = k * 4 / np.pi**3 * np.sin(np.pi / (4 * k))
        if scheme is AmplitudeScheme.GSW_2026:
            m1 *= np.sin(np.pi * np.sqrt(mean)) ** 2
        u, v = uv_points()[d]
        psi = 2 * np.pi * (u * x + v * y) - np.deg2rad(phase_correction()[d] + pixel_set.phase)
        depth = min(2 * m1, mean)  # no pixel expects negative counts
        rows.append([mean + depth * wave for wave in (-np.cos(psi), -np.sin(psi), np.cos(psi), np.sin(psi))])
    return np.array(rows) * grid.pixel**2


def gaussian(grid: ImageGrid, flux: float, dx: float, dy: float, fwhm: float) -> np.ndarray:
    square = (grid.x[None, :] - dx) ** 2 + (grid.y[:, None] - dy) ** 2
    return flux * 4 * np.log(2) / (np.pi * fwhm**2) * np.exp(-4 * np.log(2) * square / fwhm**2)


@pytest.fixture
def observed(meta_pixels: MakePixels) -> Callable[..., MetaPixels]:
    """Counts of an image from the written-out matrix, with background, edge factors and Poisson noise at will."""

    def observe(
        grid: ImageGrid,
        image: np.ndarray,
        *,
        exposure_time: float = 600.0,
        background: float = 0.0,
        edge: float = 0.0,
        seed: int | None = None,
        scheme: AmplitudeScheme = AmplitudeScheme.GSW_2026,
        pixel_set: PixelSet = PixelSet.TOP_BOT,
    ) -> MetaPixels:
        rate, quiet, factor = np.zeros((32, 4)), np.full((32, 4), background), np.ones((32, 4))
        rate[INDEX] = np.tensordot(dense_response(grid, scheme, pixel_set), image, axes=2)
        if scheme is AmplitudeScheme.GSW_2021:
            rate *= 4 * geometric_transmission(*CENTER_STIX)[:, None]
        generator = np.random.default_rng(seed or 0)  # without a seed there is no noise, and the same edges every time
        factor += edge * generator.uniform(-1, 1, (32, 4))
        exposure = exposure_time * 4.0 * pixel_set.area
        counts = rate * exposure / factor + quiet
        if seed is not None:
            counts = generator.poisson(counts).astype(float)
        net = (counts - quiet) * factor / exposure
        return meta_pixels(
            net,
            pixel_set,
            counts=counts,
            counts_variance=counts,
            background=quiet,
            edge_factor=factor,
            rate_sigma=np.sqrt(counts + 1) * factor / exposure,
            livetime=np.full(32, exposure_time),
        )

    return observe


# ---- against IDL ----


def test_reference_path(reference: dict[str, Any]) -> None:
    expected = reference["em_synthetic_gdl"]
    labels = [f"{number}{letter}" for number in range(3, 11) for letter in "abc"]
    index, grid, center = detector_indices(labels), ImageGrid((65, 65), 4.0), (300.0, -200.0)
    u, v = uv_points()[index].T.copy()
    response = count_response(
        FourierOperator(u, v, grid), index, center, center, AmplitudeScheme.GSW_2026, PixelSet.TOP_BOT
    )
    np.testing.assert_allclose(response.mean[:, 0], np.array(expected["transmission"])[index], atol=1e-9)
    rates = np.array(expected["em_rates"])[index]
    result = expectation_maximization(response, rates, np.zeros_like(rates), EmParameters())
    assert result.n_iter == expected["stop_iteration"]
    assert result.stopped_by is StopReason.STOPPING_RULE
    np.testing.assert_allclose(result.std_index, list(expected["std_trace"].values()), rtol=1e-6)
    np.testing.assert_allclose(result.c_stat, list(expected["cstat_trace"].values()), rtol=1e-6)
    assert result.image.max() == pytest.approx(expected["peak"], rel=1e-6)
    assert grid.peak(result.image) == tuple(expected["peak_xy"])
    assert result.image.sum() * grid.pixel_area == pytest.approx(expected["total_flux"], rel=1e-9)


def test_real_flare(demo: Any) -> None:
    """2020-06-07 from the L1 file: where the other methods see it, residuals near the noise."""
    pixels = sum_pixels(demo.science, demo.start, demo.end, 6.0, 10.0, background=demo.background)
    pointing = pointing_at([demo.aspect], demo.start, demo.end)
    found = locate_flare(form_visibilities(pixels, LOCATION_LABELS), pointing, pointing.rsun)
    grid = ImageGrid((129, 129), 2.0, (found.x, found.y))
    x, y = hpc_to_stix(found.x, found.y, pointing)
    for parameters in (EmParameters(), EmParameters(acceleration=Acceleration.SQUAREM)):
        result = em(pixels, grid, pointing, parameters, flare_xy=(float(x), float(y)))
        assert result.stopped_by is StopReason.STOPPING_RULE
        assert np.hypot(result.peak[0] - found.x, result.peak[1] - found.y) < 10.0
        assert result.chi2 < 1.2
        assert result.certificate["c_stat"] < 3.5
        assert 0.010 < result.image.max() < 0.014
        assert result.total_flux == pytest.approx(16.96, rel=0.01)
        # flare and background of the model add up to what was recorded
        assert result.certificate["expected_counts"] == pytest.approx(pixels.counts[INDEX].sum() - 8013, rel=2e-3)


# ---- the matrix that is never formed ----


@pytest.mark.parametrize("pixel_set", [PixelSet.TOP_BOT, PixelSet.ALL, PixelSet.SMALL])
@pytest.mark.parametrize("scheme", AmplitudeScheme)
def test_products_are_those_of_the_matrix(scheme: AmplitudeScheme, pixel_set: PixelSet) -> None:
    grid, rng = ImageGrid((19, 26), 5.0, CENTER), np.random.default_rng(0)
    factor = rng.uniform(0.5, 2.0, (24, 4))
    matrix = dense_response(grid, scheme, pixel_set) * factor[:, :, None, None]
    response = response_on(grid, scheme=scheme, pixel_set=pixel_set).scaled(factor)
    image, values = rng.random(grid.shape), rng.random((24, 4))
    np.testing.assert_allclose(response.forward(image), np.tensordot(matrix, image, 2), rtol=1e-11)
    np.testing.assert_allclose(response.adjoint(values), np.tensordot(values, matrix, 2), rtol=1e-11)
    np.testing.assert_allclose(response.squared_forward(image), np.tensordot(matrix**2, image, 2), rtol=1e-11)


@pytest.mark.parametrize("scheme", AmplitudeScheme)
def test_differences_and_sums_of_the_rows(scheme: AmplitudeScheme) -> None:
    """C - A and D - B times M are the visibility, A + B + C + D is 4 T times the flux."""
    grid = ImageGrid((33, 33), 4.0, CENTER)
    image = gaussian(grid, 10.0, 12.0, -8.0, 20.0)
    response = response_on(grid, scheme=scheme)
    a, b, c, d = response.forward(image).T
    factor = amplitude_factor(scheme, *CENTER_STIX)[INDEX]
    if scheme is AmplitudeScheme.GSW_2021:
        factor = factor * 4 * geometric_transmission(*CENTER_STIX)[INDEX]
    expected = response.operator.forward(image) * response.phase
    np.testing.assert_allclose(((c - a) + 1j * (d - b)) * factor, expected, rtol=1e-10)
    transmission = flight_transmission(*CENTER_STIX)[INDEX] if scheme is AmplitudeScheme.GSW_2026 else 0.25
    np.testing.assert_allclose(a + b + c + d, 4 * transmission * image.sum() * grid.pixel_area, rtol=1e-12)


def test_no_pixel_ever_expects_negative_counts() -> None:
    grid = ImageGrid((15, 15), 10.0, CENTER)
    response = response_on(grid, ALL_LABELS)
    assert (response.modulation <= response.mean).all()
    calibrated = response_on(grid)
    assert (calibrated.modulation < calibrated.mean).all()  # large pixels, calibrated grids: nothing is cut
    assert (response.forward(np.eye(15)) >= -1e-12).all()


# ---- likelihood ----


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), background=st.floats(0.0, 200.0), scale=st.floats(0.1, 1e4))
@pytest.mark.parametrize("acceleration", Acceleration)
def test_likelihood_never_falls(acceleration: Acceleration, seed: int, background: float, scale: float) -> None:
    rng, grid = np.random.default_rng(seed), ImageGrid((16, 21), 8.0, CENTER)
    response = response_on(grid).scaled(np.full((24, 4), scale))
    quiet = np.full((24, 4), background)
    data = rng.poisson(response.forward(gaussian(grid, 3.0, *rng.uniform(-40, 40, 2), 25.0)) + quiet).astype(float)
    # log-likelihood of Poisson counts up to a constant; rows without counts matter too
    likelihood = []
    for iterations in range(1, 19, 1 if acceleration is Acceleration.NONE else 3):
        image = expectation_maximization(response, data, quiet, EmParameters(iterations, 1e-12, acceleration)).image
        expected = response.forward(image) + quiet
        likelihood.append(float((data * np.log(expected) - expected).sum()))
    assert (np.diff(likelihood) >= -1e-9 * np.abs(likelihood[:-1])).all()


def test_flux_is_conserved_in_every_iteration() -> None:
    grid = ImageGrid((40, 40), 5.0, CENTER)
    response, background = response_on(grid), np.zeros((24, 4))
    data = response.forward(gaussian(grid, 10.0, 10.0, 4.0, 25.0))
    sensitivity = response.adjoint(np.ones((24, 4)))
    for iterations in (1, 2, 7):
        image = expectation_maximization(response, data, background, EmParameters(iterations)).image
        # Σ x·Hᵀ1 = Σ y exactly, whatever the image
        assert (image * sensitivity).sum() == pytest.approx(data.sum(), rel=1e-12)


def test_acceleration_needs_fewer_steps_for_the_same_picture() -> None:
    grid = ImageGrid((65, 65), 4.0, CENTER)
    response, background = response_on(grid).scaled(np.full((24, 4), 500.0)), np.full((24, 4), 20.0)
    data = response.forward(gaussian(grid, 10.0, 12.0, -8.0, 20.0)) + background
    plain, fast = (
        expectation_maximization(response, data, background, EmParameters(tolerance=1e-3, acceleration=acceleration))
        for acceleration in Acceleration
    )
    assert fast.n_iter < plain.n_iter / 2
    assert fast.std_index[-1] < 1e-3
    assert fast.c_stat[-1] < 2 * plain.c_stat[-1]
    np.testing.assert_allclose(fast.image, plain.image, atol=0.1 * plain.image.max())


def test_c_statistic_by_hand() -> None:
    data, expected = np.array([[4.0, 0.0], [2.0, 1.0]]), np.array([[3.0, 1.0], [2.0, 2.0]])
    # the zero count is left out; 2·(4 ln 4/3 - 1 + ln ½ + 1) / 3
    assert c_statistic(data, expected) == pytest.approx(2 * (4 * np.log(4 / 3) - 1 + np.log(0.5) + 1) / 3)
    assert c_statistic(np.zeros((1, 2)), np.ones((1, 2))) == 0.0


# ---- from counts ----


@pytest.mark.parametrize("scheme", AmplitudeScheme)
@pytest.mark.parametrize("pixel_set", [PixelSet.TOP_BOT, PixelSet.SMALL])
def test_source_is_found_where_it_is(
    observed: Callable[..., MetaPixels], scheme: AmplitudeScheme, pixel_set: PixelSet
) -> None:
    grid = ImageGrid((65, 65), 4.0, CENTER)
    truth = gaussian(grid, 10.0, 12.0, -8.0, 20.0)
    pixels = observed(grid, truth, background=30.0, edge=0.1, scheme=scheme, pixel_set=pixel_set)
    result = em(pixels, grid, POINTING, EmParameters(tolerance=1e-5), flare_xy=CENTER_STIX, scheme=scheme)
    assert result.peak == (CENTER[0] + 12.0, CENTER[1] - 8.0)
    assert result.total_flux == pytest.approx(10.0, rel=2e-3)
    assert result.chi2 < 0.15
    np.testing.assert_allclose(result.image, truth, atol=0.08 * truth.max())
    assert result.image.min() >= 0
    assert result.certificate["expected_counts"] == pytest.approx((pixels.counts - 30.0)[INDEX].sum(), rel=4e-3)


def test_background_inside_the_model_does_not_bias_the_flux(observed: Callable[..., MetaPixels]) -> None:
    """Where the background exceeds the flare, subtracting it would leave half the data negative in some pixels."""
    grid = ImageGrid((33, 33), 6.0, CENTER)
    truth = gaussian(grid, 10.0, 12.0, -8.0, 25.0)
    fluxes, negative = [], 0
    for seed in range(12):
        pixels = observed(grid, truth, exposure_time=4.0, background=60.0, seed=seed)
        negative += int((pixels.rate[INDEX] < 0).sum())
        result = em(pixels, grid, POINTING, flare_xy=CENTER_STIX)
        fluxes.append(result.total_flux)
        assert np.isfinite(result.image).all()
        assert result.image.min() >= 0
    assert negative > 100
    assert np.mean(fluxes) == pytest.approx(10.0, abs=3 * np.std(fluxes) / np.sqrt(11))


def test_noise_leaves_the_statistics_it_should(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((65, 65), 4.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 12.0, -8.0, 20.0), background=20.0, seed=3)
    result = em(pixels, grid, POINTING, flare_xy=CENTER_STIX)
    assert result.stopped_by is StopReason.STOPPING_RULE
    assert 0.4 < result.certificate["c_stat"] < 2.0
    assert result.certificate["std_index"] == result.history[-1] < 1e-3
    assert result.certificate["std_index_counts"] < 1.0


def test_order_of_subcollimators_does_not_matter(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((33, 33), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 12.0, -8.0, 25.0), background=5.0, seed=4)
    expected = em(pixels, grid, POINTING, flare_xy=CENTER_STIX)
    result = em(pixels, grid, POINTING, flare_xy=CENTER_STIX, labels=IMAGING_LABELS[::-1])
    np.testing.assert_allclose(result.image, expected.image, rtol=1e-8, atol=1e-12)


def test_turning_the_spacecraft_turns_the_sky(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((33, 33), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 24.0, -18.0, 25.0), seed=5)
    expected = em(pixels, grid, POINTING, flare_xy=CENTER_STIX)
    # The same counts with 90° more roll, and the pointing that leaves the map center where it is in the STIX frame.
    turned = replace(POINTING, roll=POINTING.roll + 90.0)
    x, y = hpc_to_stix(*CENTER, turned)
    turned = replace(turned, x=turned.x - (float(y) - CENTER_STIX[1]), y=turned.y + (float(x) - CENTER_STIX[0]))
    assert np.array(hpc_to_stix(*CENTER, turned)) == pytest.approx(np.array(CENTER_STIX))
    result = em(pixels, grid, turned, flare_xy=CENTER_STIX)
    np.testing.assert_allclose(result.image, np.rot90(expected.image, k=-1), rtol=1e-7, atol=1e-12)


def test_detectors_switched_off_are_left_out(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((33, 33), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 12.0, -6.0, 25.0))
    mask = pixels.detector_mask.copy()
    mask[detector_indices(["5a", "10c"])] = False
    counts = np.where(mask[:, None], pixels.counts, np.nan)
    result = em(replace(pixels, detector_mask=mask, counts=counts), grid, POINTING, flare_xy=CENTER_STIX)
    assert result.peak == (CENTER[0] + 12.0, CENTER[1] - 6.0)
    assert result.total_flux == pytest.approx(10.0, rel=5e-3)


def test_meaningless_edge_factors_are_replaced(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((33, 33), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 12.0, -8.0, 25.0))
    spoiled = pixels.edge_factor.copy()
    spoiled[INDEX[:3], 0] = (-40.0, np.inf, 0.0)
    expected = em(pixels, grid, POINTING, flare_xy=CENTER_STIX)
    result = em(replace(pixels, edge_factor=spoiled), grid, POINTING, flare_xy=CENTER_STIX)
    np.testing.assert_allclose(result.image, expected.image, rtol=1e-9)


# ---- extremes ----


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda counts: counts * np.nan, "negative or not finite"),
        (lambda counts: counts - 1e9, "negative or not finite"),
        (lambda counts: counts * 0, "all counts are zero"),
    ],
)
def test_unusable_counts_are_refused(
    observed: Callable[..., MetaPixels], change: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    grid = ImageGrid((9, 9), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 0.0, 0.0, 25.0))
    with pytest.raises(ReconstructionError, match=words):
        em(replace(pixels, counts=change(pixels.counts)), grid, POINTING)


def test_negative_background_is_refused(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((9, 9), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 0.0, 0.0, 25.0))
    with pytest.raises(ReconstructionError, match="background of 10a"):
        em(replace(pixels, background=pixels.background - 1.0), grid, POINTING)


@pytest.mark.parametrize("acceleration", Acceleration)
@pytest.mark.parametrize(
    ("shape", "labels", "flux", "background"),
    [
        ((1, 1), IMAGING_LABELS, 10.0, 0.0),
        ((9, 9), ("9b",), 10.0, 1.0),
        ((9, 9), IMAGING_LABELS, 1e9, 0.0),
        ((9, 9), IMAGING_LABELS, 1e-4, 50.0),
        ((9, 9), ALL_LABELS, 10.0, 1.0),
    ],
)
def test_extremes_give_finite_images(
    observed: Callable[..., MetaPixels],
    acceleration: Acceleration,
    shape: tuple[int, int],
    labels: tuple[str, ...],
    flux: float,
    background: float,
) -> None:
    grid = ImageGrid(shape, 6.0, CENTER)
    pixels = observed(
        grid, np.full(shape, flux / (grid.pixel_area * shape[0] * shape[1])), background=background, seed=1
    )
    parameters = EmParameters(max_iterations=200, acceleration=acceleration)
    result = em(pixels, grid, POINTING, parameters, flare_xy=CENTER_STIX, labels=labels)
    assert np.isfinite(result.image).all()
    assert result.image.min() >= 0
    assert np.isfinite(result.certificate["c_stat"])
    assert result.n_iter <= 202


def test_iterations_run_out_and_say_so(observed: Callable[..., MetaPixels]) -> None:
    grid = ImageGrid((17, 17), 6.0, CENTER)
    pixels = observed(grid, gaussian(grid, 10.0, 0.0, 0.0, 25.0))
    result = em(pixels, grid, POINTING, EmParameters(max_iterations=7), flare_xy=CENTER_STIX)
    assert (result.n_iter, result.stopped_by, result.history.size) == (7, StopReason.MAX_ITERATIONS, 0)
    assert np.isnan(result.certificate["std_index"])


@pytest.mark.parametrize("wrong", [{"max_iterations": 0}, {"tolerance": 0.0}, {"tolerance": float("nan")}])
def test_impossible_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SelectionError):
        EmParameters(**wrong)
