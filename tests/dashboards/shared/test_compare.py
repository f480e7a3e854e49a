"""Images side by side: scales, differences, contours; and their numbers against time."""

import csv
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest

from archive import Archive
from dashboards.pages.image_archive.state import COMPARE_TAB, TRACKS_TAB, ImageArchiveState
from dashboards.pages.image_archive.tracks import track, tracks_csv
from dashboards.shared.compare import (
    CENTRE,
    COMMON,
    CONTOUR_LEVELS,
    SUN,
    CompareChoice,
    Scene,
    compare,
    read_scenes,
    resampled,
)
from dashboards.shared.source import ArchiveSource
from stixcore.image_files.read import ImageFile
from stixcore.imaging.grid import ImageGrid


def blob(grid: ImageGrid, x: float, y: float, height: float = 1.0) -> np.ndarray:
    """A Gaussian of 30″ FWHM on a grid."""
    away = (grid.x + grid.center[0] - x)[None, :] ** 2 + (grid.y + grid.center[1] - y)[:, None] ** 2
    return height * np.exp(-4.0 * np.log(2.0) * away / 30.0**2)


@pytest.fixture
def scene(small: Any) -> Any:
    """Make a scene of a Gaussian source."""

    def make(number: int, grid: ImageGrid, x: float, y: float, height: float = 1.0, unit: str = "ct") -> Scene:
        header = {"RSUN_OBS": 960.0, "HGLT_OBS": 5.0}
        return Scene(small.images[number], ImageFile(blob(grid, x, y, height), grid, unit, header))

    return make


COARSE, FINE = ImageGrid((65, 65), 4.0, (500.0, 100.0)), ImageGrid((129, 129), 1.0, (510.0, 90.0))


def test_a_difference_of_one_source_on_two_grids_is_nothing(scene: Any) -> None:
    first, second = scene(1, COARSE, 505.0, 95.0), scene(3, FINE, 505.0, 95.0)
    panels = compare([first, second], CompareChoice(difference=True)).panels
    assert [panel.is_difference for panel in panels] == [False, True]
    assert np.nanmax(np.abs(panels[1].values)) < 0.03  # linear between pixels of 4″
    assert panels[1].low == -panels[1].high
    # the other way round the coarse map reaches further than the fine one
    turned = compare([first, second], CompareChoice(difference=True, reference=second.image.image_id)).panels
    assert np.isnan(turned[0].values).any()
    assert np.nanmax(np.abs(turned[0].values)) < 0.03


def test_what_moved_shows_in_the_difference(scene: Any) -> None:
    panels = compare([scene(1, FINE, 505.0, 95.0), scene(3, FINE, 515.0, 95.0)], CompareChoice(difference=True)).panels
    row, column = np.unravel_index(np.argmax(panels[1].values), panels[1].values.shape)
    assert FINE.position(row, column)[0] > 515.0
    row, column = np.unravel_index(np.argmin(panels[1].values), panels[1].values.shape)
    assert FINE.position(row, column)[0] < 505.0


def test_resampling_keeps_places(scene: Any) -> None:
    file = scene(0, COARSE, 505.0, 95.0).file
    assert FINE.peak(resampled(file, FINE)) == pytest.approx((505.0, 95.0), abs=4.0)
    assert resampled(file, COARSE) is file.pixels


def test_scales_are_each_its_own_or_the_same(scene: Any) -> None:
    scenes = [scene(1, FINE, 505.0, 95.0, 1.0), scene(3, FINE, 505.0, 95.0, 3.0), scene(5, FINE, 505.0, 95.0, 9.0, "s")]
    own = compare(scenes, CompareChoice()).panels
    assert [panel.high for panel in own] == pytest.approx([1.0, 3.0, 9.0])
    common = compare(scenes, CompareChoice(scale=COMMON))
    assert [panel.high for panel in common.panels] == pytest.approx([3.0, 3.0, 9.0])
    assert common.notes == ("Each unit has its own colour scale.",)
    minus = compare(scenes, CompareChoice(difference=True))
    assert [panel.is_difference for panel in minus.panels] == [False, True, False]
    assert "unit differs" in minus.notes[0]


def test_the_usual_reference_is_no_back_projection(scene: Any) -> None:
    scenes = [scene(number, FINE, 505.0, 95.0) for number in (0, 2, 3)]  # bp, bp, clean
    assert [panel.is_reference for panel in compare(scenes, CompareChoice()).panels] == [False, False, True]
    assert compare(scenes[:2], CompareChoice()).panels[0].is_reference


def test_contours_enclose_the_source(scene: Any) -> None:
    scenes = [scene(1, COARSE, 505.0, 95.0), scene(3, FINE, 505.0, 95.0)]
    first, second = compare(scenes, CompareChoice(contours=True)).panels
    assert first.contours == ()
    assert [level for level, _ in second.contours] == list(CONTOUR_LEVELS)
    x, y = second.contours[1][1][0]
    np.testing.assert_allclose(np.hypot(x - 505.0, y - 95.0), 15.0, atol=1.0)  # half maximum of a FWHM of 30″


def test_maps_in_different_places_are_laid_on_each_other(scene: Any) -> None:
    away = ImageGrid((129, 129), 1.0, (-700.0, 300.0))
    scenes = [scene(0, FINE, 505.0, 95.0), scene(1, away, -705.0, 305.0)]
    apart = compare(scenes, CompareChoice())
    assert apart.about_centres
    assert "offsets" in apart.notes[0]
    assert apart.panels[0].extent == apart.panels[1].extent == apart.view == (-64.5, 64.5, -64.5, 64.5)
    assert not compare(scenes, CompareChoice(place=SUN)).about_centres
    assert compare(scenes[:1] * 2, CompareChoice(place=CENTRE)).about_centres


def test_limb_and_grid_are_where_they_are_on_the_sun(scene: Any) -> None:
    edge = ImageGrid((129, 129), 2.0, (955.0, 0.0))
    panel = compare([scene(0, edge, 950.0, 0.0)] * 2, CompareChoice()).panels[0]
    for x, y in panel.limb:
        np.testing.assert_allclose(np.hypot(x, y), 960.0)
    assert panel.sun
    shifted = compare([scene(0, edge, 950.0, 0.0)] * 2, CompareChoice(place=CENTRE)).panels[0]
    np.testing.assert_allclose(shifted.limb[0][0], panel.limb[0][0] - 955.0)


@pytest.fixture
def picked(imaged: Archive) -> ImageArchiveState:
    """Images of one recipe, picked."""
    state = ImageArchiveState(ArchiveSource(imaged.root), tab="images")
    state.load()
    state.select([i.image_id for i in imaged.images() if i.recipe_id == state.listing.rows[0].image.recipe_id])
    return state


def test_picked_images_are_compared_when_their_tab_is_in_front(picked: ImageArchiveState) -> None:
    assert picked.comparison is None
    picked.tab = COMPARE_TAB
    assert [panel.image.method for panel in picked.comparison.panels] == [
        image.method for image in picked.selected_images(8)
    ]
    clean = next(panel for panel in picked.comparison.panels if panel.image.method == "clean")
    assert clean.beam_fwhm == 20.0
    assert clean.values.shape == (clean.image.ny, clean.image.nx)
    picked.reference = clean.image.image_id
    assert next(panel for panel in picked.comparison.panels if panel.is_reference).image == clean.image
    picked.select(off=picked.selection.ids[1:])
    assert picked.comparison is None
    picked.select_all()
    assert "the limit is 8" in picked.views_problem


def test_a_broken_file_is_named_and_left_out(imaged: Archive, picked: ImageArchiveState) -> None:
    images, problems = list(picked.selected_images(8)), []
    images[0] = replace(images[0], file="images/gone.fits")
    scenes = list(read_scenes(imaged, images, problems))
    assert [scene.image for scene in scenes] == images[1:]
    assert images[0].image_id in problems[0]


def test_tracks_are_the_numbers_of_files_and_index(imaged: Archive, picked: ImageArchiveState) -> None:
    picked.tab = TRACKS_TAB
    by_method = {point.image.method: point for point in picked.tracks}
    fit, clean = by_method["vis_fwdfit"], by_method["clean"]
    (scene,) = read_scenes(imaged, [fit.image], [])
    strongest = max(scene.file.sources, key=lambda source: source["flux"])
    assert (fit.x.value, fit.x.sigma) == (strongest["x"], strongest["x_sigma"])
    assert 0 < fit.fwhm.sigma < fit.fwhm.value
    assert clean.x.value == pytest.approx(clean.image.centroid_hpc_x, abs=1e-3)
    assert clean.flux.value == clean.image.total_flux
    assert np.isnan(clean.x.sigma)
    assert np.isnan(by_method["bp"].flux.value)
    times = [point.t_mid for point in picked.tracks]
    assert times == sorted(times)

    rows = list(csv.DictReader(StringIO(tracks_csv(picked.tracks))))
    row = next(row for row in rows if row["image_id"] == fit.image.image_id)
    assert float(row["x [arcsec]"]) == pytest.approx(fit.x.value, rel=1e-5)
    assert float(row["fwhm_sigma [arcsec]"]) == pytest.approx(fit.fwhm.sigma, rel=1e-5)
    assert row["t_start [UTC]"] == str(fit.image.t_start)
    assert next(row for row in rows if row["method"] == "bp")["flux [ct/s/cm2/keV]"] == ""


def test_no_images_no_tracks() -> None:
    assert track([]) == ()
