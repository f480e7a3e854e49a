"""Back projection: maps of the original IDL and of ``xrayvision``, and which way is up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.errors import ReconstructionError
from stixcore.imaging.back_projection import BackProjectionParameters, back_project
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import PER_BEAM, Method, StopReason
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.visibility.visibilities import Visibilities

GRID = ImageGrid((129, 129), 2.0)


def point_source(x, y, flux=1.0):
    """A point at (x, y)″ of the STIX frame."""
    u, v = uv_points()[detector_indices(IMAGING_LABELS)].T
    vis = flux * np.exp(2j * np.pi * (u * x + v * y))
    return Visibilities(u=u, v=v, vis=vis, sigma=np.ones(24), labels=IMAGING_LABELS)


# --- 2020-06-07 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weighting", "name", "peak"), [("natural", "gdl_bp_nat", (-4, -2)), ("uniform", "gdl_bp_uni", (-6, 0))]
)
def test_map_of_the_original_idl(june_2020, reference, weighting, name, peak):
    idl = reference["images_gdl_original"]["maps"][name]
    result = back_project(june_2020, GRID, BackProjectionParameters(Weighting(weighting)))
    assert result.image.max() == pytest.approx(idl["peak"], rel=1e-6)
    assert result.image.min() == pytest.approx(idl["min"], rel=1e-6)
    assert result.image.sum() * 4.0 == pytest.approx(idl["total_flux"], rel=1e-6)
    assert result.peak == peak == (idl["peak_x"], idl["peak_y"])
    above = np.where(result.image >= 0.5 * result.image.max(), result.image, 0.0)
    centroid = (above @ GRID.x).sum() / above.sum(), (above.T @ GRID.y).sum() / above.sum()
    assert centroid == pytest.approx((idl["centroid_x50"], idl["centroid_y50"]), abs=1e-3)


@pytest.mark.parametrize("weighting", ["natural", "uniform"])
def test_map_of_xrayvision(june_2020, weighting, patience):
    """The same array, pixel by pixel: rows are y, columns x, both upward and rightward."""
    import astropy.units as u
    from xrayvision.imaging import vis_to_image

    theirs = vis_to_image(
        june_2020.to_xrayvision(), shape=(65, 65) * u.pix, pixel_size=4 * u.arcsec / u.pix, scheme=weighting
    )
    ours = back_project(june_2020, ImageGrid((65, 65), 4.0), BackProjectionParameters(Weighting(weighting)))
    np.testing.assert_allclose(ours.image, theirs.value, atol=1e-12 * np.abs(theirs.value).max())


def test_weights():
    u, v = np.array([3e-3, 0.0]), np.array([4e-3, 2e-3])
    np.testing.assert_array_equal(visibility_weights(Weighting.NATURAL, u, v), [1, 1])
    np.testing.assert_allclose(visibility_weights(Weighting.UNIFORM, u, v), [5e-3, 2e-3])


# --- what the values mean ---------------------------------------------------------------------------------------------


@given(st.floats(0.01, 1e4), st.integers(-20, 20), st.integers(-20, 20))
def test_the_peak_of_a_point_source_is_its_flux(flux, x, y):
    """Natural or uniform; nothing else in the map is higher. Values are per dirty beam, not per arcsec²."""
    grid = ImageGrid((65, 65), 2.0)
    for weighting in Weighting:
        result = back_project(point_source(2.0 * x, 2.0 * y, flux), grid, BackProjectionParameters(weighting))
        assert result.image.max() == pytest.approx(flux)
        assert result.peak == (2.0 * x, 2.0 * y)
        assert result.unit == PER_BEAM


def test_result():
    result = back_project(point_source(0, 0), GRID)
    assert result.method is Method.BP
    assert result.stopped_by is StopReason.DIRECT
    assert np.isnan(result.total_flux)
    assert result.elapsed > 0
    assert result.image.shape == (129, 129)


def test_a_ready_operator_gives_the_same(june_2020):
    operator = FourierOperator(june_2020.u, june_2020.v, GRID)
    np.testing.assert_array_equal(
        back_project(june_2020, GRID, operator=operator).image, back_project(june_2020, GRID).image
    )


def test_order_of_visibilities_does_not_matter(june_2020):
    backwards = june_2020.select(june_2020.labels[::-1])
    np.testing.assert_allclose(back_project(backwards, GRID).image, back_project(june_2020, GRID).image, atol=1e-12)


def test_imaging_about_the_map_centre(june_2020):
    """Map-centre phase, then a map around 0, equals a map around the map centre."""
    wide = back_project(june_2020, ImageGrid((33, 33), 4.0)).image
    narrow = back_project(june_2020.shifted(16.0, -24.0), ImageGrid((13, 13), 4.0)).image
    np.testing.assert_allclose(narrow, wide[16 - 6 - 6 : 16 - 6 + 7, 16 + 4 - 6 : 16 + 4 + 7], atol=1e-11)


# --- which way is up --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roll", [0.0, -1.4, 31.0, 90.0, 178.0, -178.0])
@pytest.mark.parametrize(("west", "north"), [(30, 0), (0, 30), (-30, 0), (0, -30), (24, -10)])
def test_west_is_right_and_north_is_up(meta_pixels, roll, west, north):
    """From A, B, C, D to the pixel: a source west and north of the map centre lies right of and above the middle."""
    from stixcore.calibration.grids import flight_transmission, modulation_factor
    from stixcore.instrument.tables import phase_correction
    from stixcore.visibility.form import form_visibilities

    pointing = Pointing(PointingSource.MANUAL, roll, 140.0, -60.0)
    center = (-700.0, 350.0)
    x, y = hpc_to_stix(center[0] + west, center[1] + north, pointing)
    # ψ = 2π(ux + vy) - (corrections + φ0); A, C = M0 ∓ 2 M1 cos ψ; B, D = M0 ∓ 2 M1 sin ψ; 4·M1·M = 1
    u, v = np.nan_to_num(uv_points()).T
    psi = 2 * np.pi * (u * x + v * y) - np.deg2rad(phase_correction() + 46.1)
    transmission = np.where(np.isnan(uv_points()[:, 0]), 0.25, flight_transmission(0, 0))
    wave = 0.5 / modulation_factor(transmission)
    rates = transmission[:, None] + wave[:, None] * np.stack(
        [-np.cos(psi), -np.sin(psi), np.cos(psi), np.sin(psi)], axis=1
    )
    vis = form_visibilities(meta_pixels(rates)).to_helioprojective(pointing, *center)
    grid = ImageGrid((61, 81), 2.0, center)
    result = back_project(vis, grid)
    row, column = np.unravel_index(result.image.argmax(), result.image.shape)
    assert (column - 40, row - 30) == (west // 2, north // 2)
    assert result.peak == (center[0] + west, center[1] + north)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_nothing_to_image():
    empty = Visibilities(np.empty(0), np.empty(0), np.empty(0, dtype=complex), np.empty(0), ())
    for vis in (empty, point_source(0, 0, flux=0.0), point_source(0, 0, flux=np.nan)):
        with pytest.raises(ReconstructionError):
            back_project(vis, GRID)


def test_one_pixel():
    result = back_project(point_source(0, 0, 7.0), ImageGrid((1, 1), 1.0))
    np.testing.assert_allclose(result.image, [[7.0]])
