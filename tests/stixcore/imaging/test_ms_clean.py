"""Multi-scale CLEAN: reduces to CLEAN with one scale, conserves what it takes, finds what is extended."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.measures import ready
from benchmarks.scenes import Scene, observe
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.clean import CleanParameters, StopRule, clean
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.methods import run_method
from stixcore.imaging.metrics import relative_rms
from stixcore.imaging.ms_clean import MultiScaleCleanParameters, _Loop, ms_clean, scale_visibilities
from stixcore.imaging.reconstruction import Method, StopReason
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.visibility.visibilities import Frame, Visibilities

GRID = ImageGrid((65, 65), 4.0)


def gaussian(flux: float, fwhm: float, error: float = 0.05) -> Visibilities:
    u, v = uv_points()[detector_indices(IMAGING_LABELS)].T.copy()
    vis = flux * scale_visibilities(u, v, (fwhm,))[0].astype(complex)
    return Visibilities(u, v, vis, np.full(u.size, error), IMAGING_LABELS, frame=Frame.HPC)


def test_with_points_alone_it_is_clean():
    given = observe(Scene.TWO, 1e5, 0)
    n = 40
    points = ms_clean(given.vis, given.grid, MultiScaleCleanParameters(n, scales=(0.0,)))
    expected = clean(given.vis, given.grid, CleanParameters(n, stop_rule=StopRule.NOISE))
    assert points.n_iter == expected.n_iter == n
    np.testing.assert_allclose(points.image, expected.image, atol=1e-10 * expected.image.max())
    np.testing.assert_allclose(points.planes["components"], expected.planes["components"], atol=1e-12)
    assert points.chi2 == pytest.approx(expected.chi2, rel=1e-9)


SCALES = (0.0, 15.0, 40.0)


def loop_of(vis):
    weights = visibility_weights(Weighting.NATURAL, vis.u, vis.v)
    return _Loop(vis, FourierOperator(vis.u, vis.v, GRID), weights, scale_visibilities(vis.u, vis.v, SCALES))


def test_residuals_of_all_scales_are_those_of_what_is_left():
    """What the loop subtracts piece by piece against the visibilities of all components at once."""
    vis = observe(Scene.HALO, 1e5, 0).vis
    loop = loop_of(vis)
    loop.run(60, 0.1, np.ones(3))
    assert (loop.components.sum(axis=(1, 2)) > 0).sum() >= 2  # more than one scale was used
    left = loop_of(replace(vis, vis=vis.vis - loop.predicted()))
    np.testing.assert_allclose(loop.residuals, left.residuals, atol=1e-9 * np.abs(loop.dirty).max())


def test_sigma_of_the_residual_of_each_scale():
    """Its formula against the scatter of residuals of noise alone."""
    vis, rng = observe(Scene.CIRCLE, 1e4, 0).vis, np.random.default_rng(1)
    noise = vis.sigma * (rng.normal(size=(100, 24)) + 1j * rng.normal(size=(100, 24)))
    residuals = np.array([loop_of(replace(vis, vis=one)).residuals for one in noise])
    assert residuals.std(axis=0).mean(axis=(1, 2)) == pytest.approx(loop_of(vis)._sigma, rel=0.07)


def test_it_ends_at_the_first_step_at_which_all_peaks_are_noise_and_a_hole_is_deeper():
    vis = observe(Scene.HALO, 1e5, 0).vis

    def over(steps):
        loop = loop_of(vis)
        _, reason = loop.run(steps, 0.1, np.ones(3))
        highest, deepest = (
            (loop.residuals / loop._sigma[:, None, None]).max(),
            (-loop.residuals / loop._sigma[:, None, None]).max(),
        )
        return reason, highest <= 1.5 and deepest > highest

    steps = loop_of(vis).run(500, 0.1, np.ones(3))[0].size
    assert over(500) == (StopReason.NOISE, True)
    assert not any(over(number)[1] for number in (steps - 1, steps - 2, steps - 3))


def test_a_gaussian_of_one_of_its_scales_is_found_as_such():
    result = ms_clean(gaussian(10.0, 30.0), GRID, MultiScaleCleanParameters(scale_bias=0.0))
    assert result.stopped_by is StopReason.NOISE
    assert result.total_flux == pytest.approx(10.0, rel=0.02)
    assert result.certificate["flux_30"] == pytest.approx(10.0, rel=0.02)
    assert sum(v for k, v in result.certificate.items() if k.startswith("flux_")) == pytest.approx(result.total_flux)
    assert result.planes["components"].sum() * GRID.pixel_area == pytest.approx(result.total_flux, rel=1e-6)
    assert result.planes["restored"].sum() * GRID.pixel_area == pytest.approx(result.total_flux, rel=1e-6)


@pytest.mark.parametrize("scene", Scene)
def test_components_are_closer_to_the_truth_than_points(scene):
    """The image of CLEAN's points is not meant to be looked at; that of the scales is."""
    closer, fluxes = [], []
    for number in range(6):
        given = observe(scene, 1e5, number)
        points = run_method(Method.CLEAN, CleanParameters(500, stop_rule=StopRule.NOISE), ready(given))
        scales = run_method(Method.MS_CLEAN, MultiScaleCleanParameters(), ready(given))
        truth = given.truth()
        closer.append(
            relative_rms(scales.planes["components"], truth) / relative_rms(points.planes["components"], truth)
        )
        fluxes.append(scales.total_flux / given.flux)
        assert scales.certificate["missing_flux"] == pytest.approx(
            scales.certificate["counted_flux"] - scales.total_flux, rel=1e-9
        )
    assert np.median(closer) < 0.85
    assert np.mean(fluxes) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"scales": ()}, "1 to 8 increasing scales"),
        ({"scales": (30.0, 15.0)}, "found \\[30.0, 15.0\\]"),
        ({"scales": (-1.0,)}, "increasing scales of 0″ or more"),
        ({"gain": 0.0}, "multi-scale CLEAN needs"),
        ({"scale_bias": 1.0}, "scale_bias of multi-scale CLEAN is from 0 to below 1, found 1.0"),
    ],
)
def test_impossible_parameters_are_refused(wrong, sentence):
    with pytest.raises(SelectionError, match=sentence):
        MultiScaleCleanParameters(**wrong)


def test_nothing_but_zeros_is_refused():
    with pytest.raises(ReconstructionError, match="all visibilities are zero"):
        ms_clean(gaussian(0.0, 10.0), GRID)
