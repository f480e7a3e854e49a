"""Uncertainty maps: what theory says about their sigma, and that they are the same for a seed."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.coverage import covered
from benchmarks.scenes import Scene
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.ensemble import _error, perturbed_ensemble
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import FluxEstimate, MemGeParameters
from stixcore.imaging.methods import PARAMETERS, ImagingInput, run_method
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.simulation.sources import Circle
from stixcore.visibility.form import SYSTEMATIC_ERROR, form_visibilities

POINTING = Pointing(PointingSource.ASPECT, 7.0, 20.0, -30.0, rsun=1500.0)
CENTER = (300.0, -200.0)
METHODS = [method for method in Method if method is not Method.FULL_DISK_BP]


def flare(counts: float = 5e4, seed: int = 1, calibration_error: float = 0.0) -> ImagingInput:
    """A circle of 30 arcsec at the map centre."""
    return observed([Circle(*CENTER, 30.0)], counts, seed, calibration_error)


def observed(sources: list[Circle], counts: float, seed: int, calibration_error: float = 0.0) -> ImagingInput:
    """Sources around the map centre as the instrument records them."""
    rng = np.random.default_rng(seed)
    pixels = simulate_pixel_sums(
        sources, counts, rng, pointing=POINTING, background=2000.0, calibration_error=calibration_error
    )
    x, y = hpc_to_stix(*CENTER, POINTING)
    vis = form_visibilities(pixels, flare_xy=(float(x), float(y))).to_helioprojective(POINTING, *CENTER)
    grid = ImageGrid((65, 65), 3.0, CENTER)
    operator = FourierOperator(vis.u, vis.v, grid)
    return ImagingInput(vis, pixels, grid, operator, POINTING, (float(x), float(y)), AmplitudeScheme.GSW_2026)


def ensemble_of(method: Method, given: ImagingInput, n: int = 12, seed: int = 3):
    return perturbed_ensemble(method, PARAMETERS[method](), given, n, seed)


def test_sigma_of_a_back_projection_is_what_error_propagation_says():
    """A map is linear in V: its variance is Σσ²(cos² + sin²)/n² in every pixel alike."""
    given = flare()
    found = ensemble_of(Method.BP, given, n=600)
    expected = np.sqrt((given.vis.sigma**2).sum()) / len(given.vis)
    assert found.sigma.mean() == pytest.approx(expected, rel=0.03)
    assert found.sigma.std() < 0.06 * expected


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_uncertainty_maps(method):
    given = flare()
    found = ensemble_of(method, given)
    assert found.n == 12
    assert found.sigma.shape == given.grid.shape
    assert found.sigma.max() > 0
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.significance).all()
    assert (found.centroid_x.mean, found.centroid_y.mean) == pytest.approx(CENTER, abs=4.0)
    assert 0 < found.centroid_x.sigma < 3.0


@pytest.mark.parametrize("method", [Method.BP, Method.EM])
def test_same_seed_same_numbers_other_seed_others(method):
    given = flare()
    first, again, other = ensemble_of(method, given), ensemble_of(method, given), ensemble_of(method, given, seed=4)
    np.testing.assert_array_equal(first.sigma, again.sigma)
    assert (first.sigma != other.sigma).any()


def test_more_photons_give_smaller_errors():
    faint, bright = (ensemble_of(Method.EM, flare(counts), n=20) for counts in (1e4, 1e6))
    assert bright.centroid_x.sigma < 0.4 * faint.centroid_x.sigma
    # the calibration error of 24 detectors leaves 1 %, however bright
    assert 0.7 * 0.01 < bright.flux.sigma / bright.flux.mean < 0.8 * faint.flux.sigma / faint.flux.mean


def test_errors_of_em_are_the_scatter_of_independent_flares():
    """Flares whose sub-collimators are miscalibrated by the 5 % that visibilities have in their sigma."""
    parameters = PARAMETERS[Method.EM]()
    flares = [run_method(Method.EM, parameters, flare(2e4, seed, SYSTEMATIC_ERROR)) for seed in range(100, 160)]
    found = ensemble_of(Method.EM, flare(2e4), n=60)
    scatter = np.std([measure_source(image.image, image.grid).x for image in flares])
    assert found.flux.sigma == pytest.approx(np.std([image.total_flux for image in flares]), rel=0.3)
    assert 0.8 * scatter < found.centroid_x.sigma < 1.8 * scatter


@pytest.mark.parametrize("n", [0, 1, 1001])
def test_impossible_sizes_are_refused(n):
    with pytest.raises(SelectionError, match="2 to 1000 members"):
        ensemble_of(Method.BP, flare(), n=n)


def test_data_without_an_image_say_so():
    given = flare()
    empty = replace(given, vis=replace(given.vis, sigma=np.zeros(len(given.vis))))
    with pytest.raises(ReconstructionError, match="is not a positive number"):
        ensemble_of(Method.CLEAN, empty)


def test_error_holds_sigma_bias_and_rounding():
    given = flare(5e4)
    found = ensemble_of(Method.MEM_GE, given, n=20)
    assert (found.error >= found.sigma).all()
    assert (found.error > found.sigma).any()
    # MEM_GE flattens its own pictures again: too low at the peak, too high around it
    row, column = np.unravel_index(found.mean.argmax(), found.mean.shape)
    assert -0.5 < found.bias[row, column] / found.mean.max() < -0.02
    assert found.bias.max() > 0
    least = given.grid.pixel / np.sqrt(12)
    assert min(found.fwhm.error, found.peak_y.error) >= least
    assert found.centroid_x.error >= np.hypot(found.centroid_x.sigma, 0.125 * given.grid.pixel)
    assert found.errors() == {
        "x": found.centroid_x.error, "y": found.centroid_y.error, "flux": found.flux.error, "fwhm": found.fwhm.error,
    }  # fmt: skip


def test_the_error_spreads_the_size_of_the_bias_around():
    """A bias of one pixel is an error within the finest resolution, 15″, whatever its sign; its square is kept."""
    grid = ImageGrid((65, 65), 3.0)
    bias = np.zeros(grid.shape)
    bias[32, 32] = -4.0
    error = _error(np.zeros(grid.shape), bias, np.zeros(grid.shape), grid)
    assert (error**2).sum() == pytest.approx(16.0, rel=1e-6)
    profile = error[32] ** 2 / error[32, 32] ** 2
    assert np.interp(7.5, grid.x[32:], profile[32:]) == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(_error(np.full(grid.shape, 3.0), bias, np.zeros(grid.shape), grid) ** 2, error**2 + 9.0)


def test_the_counted_flux_varies_between_the_copies_of_mem_ge():
    """By the calibration error of 24 detectors, 1 %, and the counting of 5·10⁴ photons, ½ %."""
    parameters = MemGeParameters(flux_estimate=FluxEstimate.COUNTS)
    flux = perturbed_ensemble(Method.MEM_GE, parameters, flare(5e4), 12, 3).flux
    assert 0.006 < flux.sigma / flux.mean < 0.02


def test_copies_of_em_hold_the_background():
    """It is 4 % of the counts, and EM takes it off again."""
    given = flare(5e4)
    image = run_method(Method.EM, PARAMETERS[Method.EM](), given)
    assert ensemble_of(Method.EM, given, n=12).flux.mean == pytest.approx(image.total_flux, rel=0.015)


def test_back_projection_is_repeated_around_the_data_and_has_no_bias():
    found = ensemble_of(Method.BP, flare(), n=20)
    assert not found.bias.any()
    np.testing.assert_array_equal(found.error, found.sigma)
    assert found.errors()["flux"] is None


def test_an_image_at_hand_is_not_made_again():
    given, parameters = flare(), PARAMETERS[Method.CLEAN]()
    image = run_method(Method.CLEAN, parameters, given)
    again = perturbed_ensemble(Method.CLEAN, parameters, given, 5, 3, image=image)
    np.testing.assert_array_equal(again.error, perturbed_ensemble(Method.CLEAN, parameters, given, 5, 3).error)


@pytest.mark.parametrize("method", [Method.CLEAN, Method.MEM_GE])
def test_truth_lies_within_one_error_about_two_times_in_three(method):
    """Sigma alone, which was all there was, holds it in a third to a half of the pixels."""
    tasks = [(method, scene, 1e5, number, 10) for scene in Scene for number in range(3)]
    shares = [covered(task) for task in tasks]
    assert 0.58 < np.mean([one.pixels for one in shares]) < 0.8
    assert np.mean([one.by_sigma for one in shares]) < 0.56


def test_errors_of_em_hold_the_core_of_a_halo_that_no_copy_shows():
    """Sigma and bias alone hold 48 % of these pixels: EM stops before it shows the core, in the image and in copies."""
    shares = [
        covered((Method.EM, Scene.HALO, counts, number, 10)).pixels for counts in (1e5, 1e6) for number in range(3)
    ]
    assert 0.55 < np.mean(shares) < 0.76


def test_a_fit_of_two_sources_has_the_errors_of_its_strongest_one():
    """The brightest pixel is that of the narrow source, and the copies' errors must not be the distance of the two."""
    strong, weak = Circle(*CENTER, 40.0, 4.0), Circle(CENTER[0] + 70.0, CENTER[1] + 20.0, 12.0, 1.0)
    given, two = observed([strong, weak], 3e5, seed=5), ForwardFitParameters(("circle", "circle"))
    image = run_method(Method.VIS_FWDFIT, two, given)
    found = perturbed_ensemble(Method.VIS_FWDFIT, two, given, 8, 3, image=image)
    assert image.grid.peak(image.image) == pytest.approx((weak.x, weak.y), abs=6.0)
    for measured, truth in zip((found.centroid_x, found.centroid_y), CENTER, strict=True):
        assert measured.mean == pytest.approx(truth, abs=2.0)
        assert measured.error < 2.0
    for measured, truth in zip((found.peak_x, found.peak_y), CENTER, strict=True):
        assert measured.mean == pytest.approx(truth, abs=2.0)
        assert measured.error < 2.0
    assert found.fwhm.mean == pytest.approx(40.0, rel=0.1)
