"""Bad input to every method: a named error or a flagged result, never a silent NaN image."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.errors import ReconstructionError, StixError
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.methods import PARAMETERS, ImagingInput, run_method
from stixcore.imaging.reconstruction import Method
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.simulation.sources import Circle
from stixcore.visibility.form import form_visibilities

POINTING = Pointing(PointingSource.ASPECT, -3.0, 10.0, 60.0, rsun=1500.0)
CENTER = (-250.0, 400.0)
METHODS = [method for method in Method if method is not Method.FULL_DISK_BP]
ON_VISIBILITIES = [method for method in METHODS if method is not Method.EM]


def given(counts: float = 5e4, shape: tuple[int, int] = (33, 33)) -> ImagingInput:
    pixels = simulate_pixel_sums([Circle(*CENTER, 25.0)], counts, np.random.default_rng(2), pointing=POINTING)
    return from_pixels(pixels, shape)


def from_pixels(pixels, shape=(33, 33)) -> ImagingInput:
    x, y = hpc_to_stix(*CENTER, POINTING)
    flare_xy = (float(x), float(y))
    vis = form_visibilities(pixels, flare_xy=flare_xy).to_helioprojective(POINTING, *CENTER)
    return from_visibilities(vis, pixels, ImageGrid(shape, 4.0, CENTER), flare_xy)


def from_visibilities(vis, pixels, grid, flare_xy) -> ImagingInput:
    operator = FourierOperator(vis.u, vis.v, grid)
    return ImagingInput(vis, pixels, grid, operator, POINTING, flare_xy, AmplitudeScheme.GSW_2026)


def reconstruct(method: Method, data: ImagingInput):
    return run_method(method, PARAMETERS[method](), data)


def with_vis(data: ImagingInput, **changes) -> ImagingInput:
    return replace(data, vis=replace(data.vis, **changes))


@pytest.mark.parametrize("method", ON_VISIBILITIES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_visibility_that_is_no_number_is_named(method, bad):
    data = given()
    values = data.vis.vis.copy()
    values[4] = bad
    with pytest.raises(ReconstructionError, match=data.vis.labels[4]):
        reconstruct(method, with_vis(data, vis=values))


@pytest.mark.parametrize("method", ON_VISIBILITIES)
def test_a_sigma_of_zero_is_named(method):
    data = given()
    sigma = data.vis.sigma.copy()
    sigma[7] = 0.0
    with pytest.raises(ReconstructionError, match=f"sigma of visibility {data.vis.labels[7]}"):
        reconstruct(method, with_vis(data, sigma=sigma))


@pytest.mark.parametrize("method", ON_VISIBILITIES)
def test_nothing_but_zeros(method):
    data = given()
    with pytest.raises(ReconstructionError, match="nothing to image"):
        reconstruct(method, with_vis(data, vis=np.zeros_like(data.vis.vis)))


@pytest.mark.parametrize("value", [np.nan, -5.0])
def test_counts_that_are_no_counts(value):
    data = given()
    counts = data.pixels.counts.copy()
    counts[2, 1] = value
    with pytest.raises(ReconstructionError):
        reconstruct(Method.EM, replace(data, pixels=replace(data.pixels, counts=counts)))


def test_no_counts_at_all():
    data = given()
    empty = replace(data.pixels, counts=np.zeros_like(data.pixels.counts))
    with pytest.raises(ReconstructionError):
        reconstruct(Method.EM, replace(data, pixels=empty))


@pytest.mark.parametrize("method", METHODS)
def test_one_visibility(method):
    """Too little for a fit, enough for a (poor) map: an error or a finite image."""
    data = given()
    one = from_visibilities(data.vis.select(["6a"]), data.pixels, data.grid, data.flare_xy)
    if method is Method.VIS_FWDFIT:
        with pytest.raises(ReconstructionError, match="too few"):
            reconstruct(method, one)
    else:
        assert np.isfinite(reconstruct(method, one).image).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_thousand_million_counts(method):
    data = given(1e9)
    result = reconstruct(method, data)
    assert np.isfinite(result.image).all()
    assert result.peak == pytest.approx(CENTER, abs=8.0)


def image_or_error(method: Method, data: ImagingInput):
    try:
        return reconstruct(method, data).image
    except StixError as error:
        return error


@pytest.mark.parametrize("method", METHODS)
def test_a_field_of_one_pixel(method):
    result = image_or_error(method, given(shape=(1, 1)))
    assert isinstance(result, StixError) or np.isfinite(result).all()


@pytest.mark.parametrize("method", METHODS)
def test_noise_alone_gives_a_finite_image_or_an_error(method):
    source = Circle(*CENTER, 25.0)
    pixels = simulate_pixel_sums([source], 0.0, np.random.default_rng(5), pointing=POINTING, background=3000.0)
    result = image_or_error(method, from_pixels(pixels))
    assert isinstance(result, StixError) or np.isfinite(result).all()
