"""CLEAN that stops by noise: less flux is left behind, and what is left is said. The ground software's rule stays."""

import numpy as np
import pytest

from benchmarks.measures import ready
from benchmarks.scenes import Scene, observe
from stixcore.imaging.clean import NOISE_LEVEL, CleanParameters, StopRule, clean, map_noise
from stixcore.imaging.methods import CLEAN_ITERATIONS, default_methods, run_method
from stixcore.imaging.reconstruction import Method, StopReason
from stixcore.imaging.weights import Weighting, visibility_weights

N_TRIALS = 20
NOW = default_methods()[Method.CLEAN]


def mean_flux(scene: Scene, counts: float, parameters: CleanParameters) -> float:
    """Flux of the components ÷ truth."""
    ratios = []
    for number in range(N_TRIALS):
        given = observe(scene, counts, number)
        ratios.append(run_method(Method.CLEAN, parameters, ready(given)).total_flux / given.flux)
    return float(np.mean(ratios))


@pytest.mark.parametrize("scene", Scene)
@pytest.mark.parametrize("counts", [3e3, 1e4])
def test_less_flux_is_left_behind_than_by_the_ground_software_s_rule(scene, counts):
    now, before = (mean_flux(scene, counts, parameters) for parameters in (NOW, CleanParameters()))
    assert before < 0.95
    assert now == pytest.approx(1.0, abs=0.12)
    assert abs(now - 1) < abs(before - 1)


def test_it_ends_when_the_highest_peak_is_noise():
    given = observe(Scene.HALO, 1e5, 0)
    result = clean(given.vis, given.grid, NOW)
    assert result.stopped_by is StopReason.NOISE
    noise = map_noise(given.vis, visibility_weights(Weighting.NATURAL, given.vis.u, given.vis.v))
    assert result.certificate["noise"] == noise
    assert result.certificate["residual_peak"] <= NOISE_LEVEL * noise
    residual = result.planes["residual"]
    assert -residual.min() > residual.max()
    # the step before, the peak was above the noise or the largest residual was no hole
    before = clean(given.vis, given.grid, CleanParameters(result.n_iter - 1, stop_rule=StopRule.NOISE))
    residual = before.planes["residual"]
    assert before.certificate["residual_peak"] > NOISE_LEVEL * noise or -residual.min() <= residual.max()


@pytest.mark.parametrize("scene", Scene)
def test_the_iterations_of_the_archive_suffice_for_bright_flares(scene):
    """The limit is for flares that no set of points explains: half of it is enough elsewhere."""
    for number in range(3):
        given = observe(scene, 1e6, number)
        result = clean(given.vis, given.grid, NOW)
        assert result.stopped_by is StopReason.NOISE
        assert result.n_iter < CLEAN_ITERATIONS / 2


def test_it_never_ends_before_the_ground_software_does():
    for number in range(10):
        given = observe(Scene.LOOP, 1e6, number)
        assert clean(given.vis, given.grid, NOW).n_iter >= clean(given.vis, given.grid, CleanParameters(500)).n_iter


def test_sigma_of_the_dirty_map():
    """Its formula against the scatter of maps of noise alone."""
    given = observe(Scene.CIRCLE, 1e4, 0)
    rng = np.random.default_rng(1)
    weights = visibility_weights(Weighting.UNIFORM, given.vis.u, given.vis.v)
    operator = ready(given).operator
    noise = given.vis.sigma * (rng.normal(size=(400, 24)) + 1j * rng.normal(size=(400, 24)))
    maps = np.array([operator.adjoint(one * weights) for one in noise]) / weights.sum()
    assert maps.std(axis=0).mean() == pytest.approx(map_noise(given.vis, weights), rel=0.05)


def test_what_is_missing_is_said():
    given = observe(Scene.HALO, 1e5, 1)
    result = run_method(Method.CLEAN, NOW, ready(given))
    said = result.certificate
    assert said["missing_flux"] == pytest.approx(said["counted_flux"] - result.total_flux, rel=1e-12)
    assert said["counted_flux"] == pytest.approx(given.flux, rel=0.02)
    assert "missing_flux" not in clean(given.vis, given.grid, NOW).certificate  # visibilities alone do not know it
