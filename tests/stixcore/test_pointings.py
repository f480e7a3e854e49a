"""Moving a picture to another pointing, against whole reconstructions with that pointing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.calibration.pointing import pointing_at, pointing_solutions
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.fits.read import read_aspect
from stixcore.image_files.read import read_image_file
from stixcore.image_files.write import write_image
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.pointings import SAME_ROLL, SAME_TRANSMISSION, pointing_choices, solutions_in_window, with_solutions
from stixcore.recipe import Location
from stixcore.reconstruct import prepare_recipe, reconstruct

METHODS = (Method.BP, Method.CLEAN, Method.EM, Method.MEM_GE, Method.VIS_FWDFIT)


@pytest.fixture(scope="module")
def made(november_flare, november_images):
    """The recipe of the images, the pointings in its window, and a function that makes other recipes."""
    paths = {path.name: path for path in november_flare}
    recipe = november_images.recipe
    recipe = replace(recipe, methods={method: recipe.methods[method] for method in METHODS})
    solutions = solutions_in_window(recipe, [read_aspect(november_flare[2])])
    return recipe, solutions, lambda other: reconstruct(other, lambda file: paths[file.name])


def test_all_solutions_are_in_the_file_and_read_back(november_images, november_flare, tmp_path):
    images = with_solutions(november_images, [november_flare[2]])
    write_image(tmp_path / "bp.fits", images, Method.BP, np.datetime64("2026-01-02T03:04:05", "us"))
    found = read_image_file(tmp_path / "bp.fits").pointings
    assert [one.source for one in found] == [PointingSource.ASPECT, PointingSource.SPACECRAFT]
    for stored, known in zip(found, images.pointings, strict=True):
        for name in ("roll", "x", "y", "rms_x", "rms_y", "peak_to_peak", "records", "rejected", "interpolated"):
            assert getattr(stored, name) == getattr(known, name)
    with fits.open(tmp_path / "bp.fits", checksum=True) as hdus:
        assert hdus["POINTINGS"].verify_checksum() == 1
        assert hdus["POINTINGS"].data["sigma"] == pytest.approx([one.sigma for one in images.pointings])
        assert hdus[0].header["RECIPEID"] == november_images.recipe.recipe_id
    write_image(tmp_path / "old.fits", november_images, Method.BP, np.datetime64("2026-01-02T03:04:05", "us"))
    assert read_image_file(tmp_path / "old.fits").pointings == ()


def by_source(choices):
    return {choice.pointing.source: choice for choice in choices}


def test_all_solutions_of_a_window(made, november_flare):
    recipe, (aspect, attitude), _ = made
    assert aspect == pointing_at(read_aspect(november_flare[2]), recipe.t_start, recipe.t_end) == recipe.pointing
    assert (aspect.source, attitude.source) == (PointingSource.ASPECT, PointingSource.SPACECRAFT)
    assert aspect.roll == attitude.roll
    assert (aspect.sigma, attitude.sigma) == pytest.approx((4.0, 30.0), abs=0.5)
    assert solutions_in_window(recipe, []) == ()
    day = np.timedelta64(1, "D")
    before = replace(recipe, time_range=(str(recipe.t_start - day), str(recipe.t_end - day)))
    assert solutions_in_window(before, [read_aspect(november_flare[2])]) == ()


def test_a_solution_far_from_the_attitude_comes_second(aspect_table):
    table = aspect_table(np.datetime64("2022-11-10T12:00:00", "us") + np.timedelta64(64, "s") * np.arange(9))
    start, end = table.time[2], table.time[-3]
    far = replace(table, y_srf=table.y_srf + 900.0)
    first, second = pointing_solutions(far, start, end)
    assert (first.source, second.source) == (PointingSource.SPACECRAFT, PointingSource.ASPECT)
    assert first == pointing_at(far, start, end)
    (only,) = pointing_solutions(replace(table, sas_ok=np.zeros_like(table.sas_ok)), start, end)
    assert only.source is PointingSource.SPACECRAFT


def test_a_far_solution_is_offered_with_the_reason_why_it_is_not_used(made):
    recipe, (aspect, attitude), _ = made
    far = replace(aspect, x=attitude.x + 300.0, y=attitude.y)
    choices = by_source(pointing_choices(replace(recipe, pointing=attitude), [attitude, far]))
    assert choices[PointingSource.ASPECT].note == "300″ from the spacecraft's attitude; beyond 240″ it is not used"
    assert choices[PointingSource.SPACECRAFT].note == ""


def test_shifted_picture_is_the_image_made_with_the_other_pointing(made):
    """Every method gives the same pixels around the moved center: to rounding, and 10⁻⁵ of the peak for iterations."""
    recipe, solutions, make = made
    choice = by_source(pointing_choices(recipe, solutions))[PointingSource.SPACECRAFT]
    assert choice.shift_suffices
    assert choice.reason == ""
    assert 1.0 < np.hypot(*choice.shift) < 60.0
    before = make(recipe)
    after = make(replace(recipe, pointing=choice.pointing, location=Location(*choice.place, recipe.location.found_by)))
    for method in METHODS:
        old, new = before.images[method].image, after.images[method].image
        assert np.abs(new - old).max() <= 1e-5 * np.abs(old).max(), method
    for old, new in zip(before.images[Method.VIS_FWDFIT].sources, after.images[Method.VIS_FWDFIT].sources, strict=True):
        assert (new["x"] - old["x"], new["y"] - old["y"]) == pytest.approx(choice.shift, abs=0.01)


def test_a_search_with_the_other_pointing_finds_the_moved_center(made, november_flare):
    recipe, solutions, _ = made
    choice = by_source(pointing_choices(recipe, solutions))[PointingSource.SPACECRAFT]
    request = ImageRequest(recipe.t_start, recipe.t_end, energy=recipe.energy_range, pointing=choice.pointing)
    found = prepare_recipe(request, november_flare[0], november_flare[1]).location
    assert (found.x, found.y) == pytest.approx(choice.place, abs=0.05)


def at_given_place(recipe, pixels_west, pixels_north):
    """The recipe with its center given on the Sun, and a pointing that moves the picture by whole pixels."""
    given = replace(recipe, location=Location.given(recipe.location.x, recipe.location.y))
    # x' = x cos r + y sin r,  y' = -x sin r + y cos r
    roll, old = np.deg2rad(recipe.pointing.roll), recipe.pointing
    west, north = recipe.pixel * pixels_west, recipe.pixel * pixels_north
    moved = Pointing(
        PointingSource.MANUAL,
        old.roll,
        old.x + west * np.cos(roll) + north * np.sin(roll),
        old.y - west * np.sin(roll) + north * np.cos(roll),
        rsun=old.rsun,
    )
    return given, moved


def differences(make, given, moved, west, north):
    """Largest difference of a new back projection from the moved one, relative to the mean amplitude."""
    bare = replace(given, methods={Method.BP: given.methods[Method.BP]})
    old, new = make(bare), make(replace(bare, pointing=moved))
    old_map, new_map = old.images[Method.BP].image, new.images[Method.BP].image
    ny, nx = old_map.shape
    # the pixel that was at (i, j) is now at (i + north, j + west)
    overlap = new_map[max(north, 0) : ny + min(north, 0), max(west, 0) : nx + min(west, 0)]
    same = old_map[max(-north, 0) : ny - max(north, 0), max(-west, 0) : nx - max(west, 0)]
    return np.abs(overlap - same).max() / np.abs(old.vis.vis).mean()


def test_at_a_given_place_a_shift_is_promised_where_the_transmission_stays(made):
    """Amplitudes that change by at most 1 % change a back projection by at most 1 % of their mean."""
    recipe, _, make = made
    given, moved = at_given_place(recipe, 5, -3)
    choice = by_source(pointing_choices(given, [moved]))[PointingSource.MANUAL]
    assert choice.shift == pytest.approx((10.0, -6.0), abs=1e-6)
    assert 0.0 < choice.transmission <= SAME_TRANSMISSION
    assert choice.shift_suffices
    assert differences(make, given, moved, 5, -3) <= choice.transmission


def test_at_a_given_place_far_away_a_new_image_is_needed(made):
    """With the calibration of 2021, whose transmission varies ten times as much over the field."""
    recipe, _, make = made
    recipe = replace(recipe, amplitude_scheme=AmplitudeScheme.GSW_2021)
    given, far = at_given_place(recipe, 160, -120)
    choice = by_source(pointing_choices(given, [far]))[PointingSource.MANUAL]
    assert choice.transmission > SAME_TRANSMISSION
    assert not choice.shift_suffices
    assert choice.reason.startswith("the grid transmission changes amplitudes by up to ")
    assert by_source(pointing_choices(given, [far], full_disk=True))[PointingSource.MANUAL].shift_suffices
    found = replace(given, location=recipe.location)
    assert by_source(pointing_choices(found, [far]))[PointingSource.MANUAL].shift_suffices
    changed = make(replace(given, pointing=far, methods={Method.BP: given.methods[Method.BP]})).vis
    unchanged = make(replace(given, methods={Method.BP: given.methods[Method.BP]})).vis
    largest = np.abs(np.abs(changed.vis / unchanged.vis) - 1.0).max()
    assert largest == pytest.approx(choice.transmission, rel=1e-6)


@pytest.mark.parametrize(("turn", "enough"), [(0.9 * SAME_ROLL, True), (-0.9 * SAME_ROLL, True), (3.0, False)])
def test_another_roll(made, turn, enough):
    """Within the bound, a new back projection differs by less than 1 % of the peak; 3° change it by more."""
    recipe, _, make = made
    turned = replace(recipe.pointing, source=PointingSource.MANUAL, roll=recipe.pointing.roll + turn)
    choice = by_source(pointing_choices(recipe, [turned]))[PointingSource.MANUAL]
    assert choice.turn == pytest.approx(turn)
    assert choice.shift_suffices is enough
    assert choice.reason == ("" if enough else "the roll changes by 3.00°")
    place = hpc_to_stix(*choice.place, turned)
    assert place == pytest.approx(hpc_to_stix(recipe.location.x, recipe.location.y, recipe.pointing), abs=1e-6)
    bare = replace(recipe, methods={Method.BP: recipe.methods[Method.BP]})
    old = make(bare).images[Method.BP].image
    moved = replace(bare, pointing=turned, location=Location(*choice.place, recipe.location.found_by))
    new = make(moved).images[Method.BP].image
    assert bool(np.abs(new - old).max() <= 0.01 * old.max()) is enough


def test_rolls_on_either_side_of_180_degrees_are_near(made):
    recipe, _, _ = made
    upside_down = replace(recipe, pointing=replace(recipe.pointing, roll=179.98))
    other = replace(recipe.pointing, source=PointingSource.MANUAL, roll=-179.98)
    choice = by_source(pointing_choices(upside_down, [other]))[PointingSource.MANUAL]
    assert choice.turn == pytest.approx(0.04)


def test_own_pointing_is_not_moved(made):
    recipe, solutions, _ = made
    choices = pointing_choices(recipe, solutions)
    assert [str(choice.pointing.source) for choice in choices] == ["aspect", "spacecraft"]
    (own,) = (choice for choice in choices if choice.used)
    assert own.pointing is recipe.pointing
    assert (own.shift, own.turn, own.transmission) == ((0.0, 0.0), 0.0, 0.0)
    given = replace(recipe.pointing, source=PointingSource.MANUAL, x=recipe.pointing.x + 5.0)
    (manual,) = pointing_choices(replace(recipe, pointing=given), [])
    assert manual.used
    assert manual.to_dict()["sigma_arcsec"] is None
