"""CLEAN: every number of the original IDL and of ``xrayvision`` on the same 24 visibilities, and what it conserves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.back_projection import BackProjectionParameters, back_project
from stixcore.imaging.clean import CleanParameters, StopRule, clean
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import SURFACE_BRIGHTNESS, Method, StopReason, chi_square
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.visibility.visibilities import Visibilities

GRID = ImageGrid((129, 129), 2.0)
PIXEL_AREA = 4.0


def sources(*points, sigma=0.1):
    """Point sources (x, y, flux)."""
    u, v = uv_points()[detector_indices(IMAGING_LABELS)].T
    vis = sum(flux * np.exp(2j * np.pi * (u * x + v * y)) for x, y, flux in points)
    return Visibilities(u=u, v=v, vis=vis, sigma=np.full(24, sigma), labels=IMAGING_LABELS)


# --- 2020-06-07 -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["natural", "uniform"])
def cleaned(request, june_2020):
    """Gain 0.1, at most 200 iterations, beam 20″."""
    return request.param, clean(june_2020, GRID, CleanParameters(weighting=Weighting(request.param)))


IDL_NAMES = {"natural": "nat", "uniform": "uni"}


def test_iterations_of_the_original_idl(cleaned, reference):
    """It stops before the step whose largest residual is negative: after 59 (natural) and 125 (uniform) of 200."""
    weighting, result = cleaned
    assert result.n_iter == {"natural": 59, "uniform": 125}[weighting]
    assert result.n_iter == reference["images_gdl_original"]["clean_iterations"][weighting]
    assert result.stopped_by is StopReason.NEGATIVE_RESIDUAL
    assert result.history.shape == (result.n_iter,)


def statistics(image):
    row, column = np.unravel_index(image.argmax(), image.shape)
    return image.max(), image.min(), image.sum() * PIXEL_AREA, GRID.x[column], GRID.y[row]


@pytest.mark.parametrize(
    ("plane", "name"), [("image", "clean"), ("components", "cleancomp"), ("restored", "cleanconv")]
)
def test_maps_of_the_original_idl(cleaned, reference, plane, name):
    """IDL works in single precision: 1e-6 of the peak."""
    weighting, result = cleaned
    idl = reference["images_gdl_original"]["maps"][f"gdl_{name}_{IDL_NAMES[weighting]}_bw20"]
    image = result.image if plane == "image" else result.planes[plane]
    peak, low, total, x, y = statistics(image)
    assert peak == pytest.approx(idl["peak"], rel=2e-6)
    assert low == pytest.approx(idl["min"], abs=2e-6 * idl["peak"])
    assert total == pytest.approx(idl["total_flux"], rel=2e-6)
    assert (x, y) == (idl["peak_x"], idl["peak_y"])


def test_chi_square_and_flux_are_those_of_the_components(cleaned, reference, june_2020, gsw_chi2):
    """The integral of the CLEAN map holds the pedestal of the residual: 24.8 instead of 13.6 with natural weights."""
    weighting, result = cleaned
    maps = reference["images_gdl_original"]["maps"]
    components = maps[f"gdl_cleancomp_{IDL_NAMES[weighting]}_bw20"]
    assert gsw_chi2(result.chi2) == pytest.approx(components["chi2_gsw"], rel=1e-5)
    assert result.total_flux == pytest.approx(components["total_flux"], rel=1e-5)
    operator = FourierOperator(june_2020.u, june_2020.v, GRID)
    whole = maps[f"gdl_clean_{IDL_NAMES[weighting]}_bw20"]
    of_map = chi_square(operator.forward(result.image), june_2020)
    assert gsw_chi2(of_map) == pytest.approx(whole["chi2_gsw"], rel=1e-4)


@pytest.mark.parametrize("weighting", ["natural", "uniform"])
def test_default_beam_of_the_ground_software(june_2020, reference, weighting):
    """31.28″ and 22.18″; given as a parameter the maps follow."""
    idl = reference["images_gdl_original"]
    width = idl["default_beam_fwhm"][weighting]
    result = clean(june_2020, GRID, CleanParameters(weighting=Weighting(weighting), beam_fwhm=width))
    expected = idl["maps"][f"gdl_clean_{IDL_NAMES[weighting]}_bwdef"]
    peak, low, total, *_ = statistics(result.image)
    assert (peak, low, total) == pytest.approx((expected["peak"], expected["min"], expected["total_flux"]), rel=2e-5)


@pytest.mark.parametrize("weighting", ["natural", "uniform"])
def test_maps_of_xrayvision(june_2020, weighting, patience):
    """Pixel by pixel: CLEAN map, components (per pixel there) and residual."""
    import astropy.units as u
    from xrayvision.clean import vis_clean

    theirs = vis_clean(
        june_2020.to_xrayvision(),
        shape=(65, 65) * u.pix,
        pixel_size=[4, 4] * u.arcsec / u.pix,
        clean_beam_width=20 * u.arcsec,
        niter=200,
        gain=0.1,
        map=False,
        scheme=weighting,
    )
    ours = clean(june_2020, ImageGrid((65, 65), 4.0), CleanParameters(weighting=Weighting(weighting)))
    image, components, residual = (np.asarray(values) for values in theirs)
    # their restoring beam is cut at three times the width of the map, ours at the map: 1e-9 of the peak
    np.testing.assert_allclose(ours.image, image, atol=1e-8 * image.max())
    np.testing.assert_allclose(ours.planes["components"], components / 16.0, atol=1e-10 * components.max())
    np.testing.assert_allclose(ours.planes["residual"], residual, atol=1e-8 * image.max())


# --- planes -----------------------------------------------------------------------------------------------------------


def test_planes_add_up(cleaned):
    _, result = cleaned
    planes = result.planes
    np.testing.assert_allclose(result.image, planes["restored"] + planes["residual"], atol=1e-15)
    assert set(planes) == {"components", "restored", "residual", "dirty"}
    assert result.method is Method.CLEAN
    assert result.unit == SURFACE_BRIGHTNESS
    assert (planes["components"] >= 0).all()


def test_components_convolved_with_the_beam_are_the_restored_map(cleaned):
    """components ⊗ beam/Σbeam, beam a Gaussian of 20″ FWHM and peak 1."""
    _, result = cleaned
    distance2 = GRID.x[None, :] ** 2 + GRID.y[:, None] ** 2
    beam = np.exp(-4 * np.log(2) * distance2 / 20.0**2)
    expected = convolve2d(result.planes["components"], beam / beam.sum(), mode="same")
    np.testing.assert_allclose(result.planes["restored"], expected, atol=1e-12 * result.image.max())


def test_dirty_map_is_components_through_the_dirty_beam_plus_residual(cleaned, june_2020):
    """What is subtracted is kept: D = C ⊗ PSF + R, exactly."""
    weighting, result = cleaned
    weights = visibility_weights(Weighting(weighting), june_2020.u, june_2020.v)
    operator = FourierOperator(june_2020.u, june_2020.v, GRID)
    through = operator.adjoint(operator.forward(result.planes["components"]) * weights) / weights.sum()
    beam_sum = (
        result.planes["dirty"].max()
        / back_project(june_2020, GRID, BackProjectionParameters(Weighting(weighting))).image.max()
    )
    np.testing.assert_allclose(
        result.planes["dirty"],
        through * beam_sum + result.planes["residual"],
        atol=1e-10 * result.planes["dirty"].max(),
    )


def test_history_falls(cleaned):
    _, result = cleaned
    assert result.history[0] == pytest.approx({"natural": 8.438819, "uniform": 4.608572}[cleaned[0]], rel=1e-6)
    assert result.history[-1] < 0.2 * result.history[0]


# --- behaviour --------------------------------------------------------------------------------------------------------


def test_one_point_source_is_one_component():
    result = clean(sources((10, -6, 5.0)), GRID)
    assert np.count_nonzero(result.planes["components"]) == 1
    assert GRID.peak(result.planes["components"]) == (10, -6)
    assert result.total_flux == pytest.approx(5.0, rel=1e-3)
    assert result.stopped_by is StopReason.MAX_ITERATIONS
    assert result.n_iter == 200
    # the restored source has the beam's width
    assert result.image.max() == pytest.approx(5.0 / (np.pi * 20.0**2 / (4 * np.log(2))), rel=2e-3)


def test_two_sources_keep_their_fluxes():
    result = clean(sources((-30, 20, 4.0), (34, -24, 8.0)), GRID, CleanParameters(max_iterations=500))
    components = result.planes["components"] * PIXEL_AREA
    left, right = components[:, :64].sum(), components[:, 65:].sum()
    assert left == pytest.approx(4.0, rel=0.05)
    assert right == pytest.approx(8.0, rel=0.05)


@settings(max_examples=20)
@given(st.floats(1e-3, 1e6))
def test_linear_in_the_flux(scale):
    grid = ImageGrid((41, 41), 4.0)
    one = clean(sources((8, -8, 1.0), (-24, 20, 2.0)), grid)
    other = clean(sources((8, -8, scale), (-24, 20, 2.0 * scale)), grid)
    assert other.n_iter == one.n_iter
    np.testing.assert_allclose(other.image, scale * one.image, rtol=1e-6, atol=1e-9 * scale)


def test_order_of_visibilities_does_not_matter(june_2020):
    one, other = clean(june_2020, GRID), clean(june_2020.select(june_2020.labels[::-1]), GRID)
    assert one.n_iter == other.n_iter
    np.testing.assert_allclose(one.image, other.image, atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (65, 33), (32, 65), (1, 1), (1, 40)])
def test_any_shape_of_map(shape):
    """Even, odd, oblong (``xrayvision`` pads the y axis by the parity of x)."""
    grid = ImageGrid(shape, 2.0)
    vis = sources((grid.x[shape[1] // 2], grid.y[shape[0] // 2], 3.0))
    result = clean(vis, grid)
    assert result.image.shape == shape
    assert result.total_flux == pytest.approx(3.0, rel=1e-3)
    assert np.unravel_index(result.planes["components"].argmax(), shape) == (shape[0] // 2, shape[1] // 2)


def test_no_iteration_leaves_the_dirty_map(june_2020):
    result = clean(june_2020, GRID, CleanParameters(max_iterations=0))
    np.testing.assert_array_equal(result.image, result.planes["dirty"])
    assert (result.n_iter, result.stopped_by, result.total_flux) == (0, StopReason.MAX_ITERATIONS, 0.0)


def test_a_map_that_is_one_hole_is_left_alone():
    """Visibilities of negative flux: the largest residual is negative from the start."""
    result = clean(sources((0, 0, -5.0)), GRID)
    assert (result.n_iter, result.stopped_by) == (0, StopReason.NEGATIVE_RESIDUAL)


def test_defaults_are_those_of_the_demo():
    assert CleanParameters() == CleanParameters(200, 0.1, 20.0, Weighting.NATURAL, StopRule.NEGATIVE_EXTREME)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": 0.0},
        {"gain": 1.5},
        {"max_iterations": -1},
        {"beam_fwhm": 0.0},
        {"gain": float("nan")},
        {"beam_fwhm": float("nan")},
    ],
)
def test_impossible_parameters(wrong):
    with pytest.raises(SelectionError, match="CLEAN needs max_iterations ≥ 0, 0 < gain ≤ 1 and beam_fwhm > 0"):
        CleanParameters(**wrong)


def test_unusable_visibilities():
    with pytest.raises(ReconstructionError, match="all visibilities are zero"):
        clean(sources((0, 0, 0.0)), GRID)
    with pytest.raises(ReconstructionError, match="sigma of visibility 10a is not a positive number"):
        clean(sources((0, 0, 1.0), sigma=0.0), GRID)
