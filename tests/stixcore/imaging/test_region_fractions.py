"""Fractions of the flux of an image: what theory says about them, and their errors."""

import numpy as np
import pytest

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.errors import ReconstructionError
from stixcore.imaging.ensemble import simulated_images
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.methods import PARAMETERS, ImagingInput, run_method
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.region_fractions import image_fractions, source_fractions, source_visibilities
from stixcore.simulation import sources as shapes
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.spectra.regions import Circle, Ellipse, region_masks
from stixcore.visibility.form import form_visibilities

POINTING = Pointing(PointingSource.ASPECT, 7.0, 20.0, -30.0, rsun=1500.0)
CENTER = (300.0, -200.0)
GRID = ImageGrid((65, 65), 2.0, CENTER)
#: Two sources 40 arcsec apart; the left one has 30 % of the flux.
LEFT, RIGHT = (CENTER[0] - 20.0, CENTER[1]), (CENTER[0] + 20.0, CENTER[1])
HALVES = (Circle("left", *LEFT, 18.0), Circle("right", *RIGHT, 18.0))
SOURCES = (Circle("left", *LEFT, 8.0), Ellipse("right", *RIGHT, 10.0, 7.0, 60.0))


def observed(counts: float, seed: int, calibration_error: float = 0.0) -> ImagingInput:
    sky = [shapes.Circle(*LEFT, 16.0, share=0.3), shapes.Ellipse(*RIGHT, 20.0, 14.0, 60.0, share=0.7)]
    pixels = simulate_pixel_sums(
        sky,
        counts,
        np.random.default_rng(seed),
        pointing=POINTING,
        background=2000.0,
        calibration_error=calibration_error,
    )
    flare_xy = tuple(float(value) for value in hpc_to_stix(*CENTER, POINTING))
    vis = form_visibilities(pixels, flare_xy=flare_xy).to_helioprojective(POINTING, *CENTER)
    operator = FourierOperator(vis.u, vis.v, GRID)
    return ImagingInput(vis, pixels, GRID, operator, POINTING, flare_xy, AmplitudeScheme.GSW_2026)


@pytest.mark.parametrize("method", [Method.CLEAN, Method.MEM_GE, Method.EM])
def test_the_fraction_of_each_source(method):
    """The truth is within three errors, which are below 0.1; fractions add up to one."""
    given, masks = observed(2e5, 1, 0.05), region_masks(HALVES, GRID)
    parameters = PARAMETERS[method]()
    image = run_method(method, parameters, given)
    copies = simulated_images(method, parameters, given, 12, (3,), image=image)
    found = image_fractions(image, masks, copies)
    assert found.fraction.sum() == pytest.approx(1.0)
    assert found.total == pytest.approx(image.total_flux, rel=1e-6)
    left, right, outside = found.fraction
    assert left / (left + right) == pytest.approx(0.3, abs=3.0 * found.fraction_sigma[0])
    assert outside == pytest.approx(0.0, abs=max(0.1, 3.0 * found.fraction_sigma[2]))
    assert (found.fraction_sigma[:2] > 0.0).all()
    assert (found.fraction_sigma[:2] < 0.1).all()
    assert np.isnan(image_fractions(image, masks).fraction_sigma).all()


def test_a_region_with_everything_has_no_error():
    """The fraction is the same in every copy, however much their fluxes differ."""
    given = observed(1e4, 1)
    image = run_method(Method.CLEAN, PARAMETERS[Method.CLEAN](), given)
    copies = simulated_images(Method.CLEAN, PARAMETERS[Method.CLEAN](), given, 5, (3,), image=image)
    found = image_fractions(image, np.ones((1, *GRID.shape), dtype=bool), copies)
    np.testing.assert_array_equal(found.fraction, [1.0, 0.0])
    np.testing.assert_array_equal(found.fraction_sigma, [0.0, 0.0])
    assert found.flux_sigma[0] > 0.0


def test_an_image_without_flux_is_refused():
    empty = Reconstruction(Method.MEM_GE, GRID, np.zeros(GRID.shape))
    with pytest.raises(ReconstructionError, match="the flux of the image is not positive"):
        image_fractions(empty, region_masks(HALVES, GRID))


def test_known_sources_have_the_flux_of_the_sky():
    """Visibilities of sources without noise give their fluxes exactly."""
    given = observed(1e6, 1)
    clean = given.vis
    units = source_visibilities(clean, SOURCES)
    assert np.abs(units[0]).max() <= 1.0
    exact = type(clean)(
        clean.u, clean.v, np.array([3.0, 7.0]) @ units, clean.sigma, clean.labels, clean.phase_center, clean.frame
    )
    found = source_fractions(exact, SOURCES)
    np.testing.assert_allclose(found.flux, [3.0, 7.0], rtol=1e-9)
    np.testing.assert_allclose(found.fraction, [0.3, 0.7], rtol=1e-9)
    assert found.chi2 == pytest.approx(0.0, abs=1e-9)
    # fractions of two sources have the same error
    assert found.fraction_sigma[0] == pytest.approx(found.fraction_sigma[1])


def test_errors_of_fitted_fluxes_contain_the_truth():
    """About two thirds of simulated flares with calibration errors are within one error of the truth."""
    off = []
    for seed in range(60):
        found = source_fractions(observed(1e5, seed, 0.05).vis, SOURCES)
        off.append((found.fraction[0] - 0.3) / found.fraction_sigma[0])
    assert 0.5 < np.mean(np.abs(off) < 1.0) < 0.9
    assert abs(np.mean(off)) < 0.6


def test_the_same_source_twice_is_refused():
    twice = (SOURCES[0], Circle("again", *LEFT, 8.0))
    with pytest.raises(ReconstructionError, match="do not tell the sources apart"):
        source_fractions(observed(1e5, 1).vis, twice)
