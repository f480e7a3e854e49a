"""The road from files to images."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from stixcore.coordinates import PointingSource, hpc_to_stix
from stixcore.errors import InvalidProduct, SelectionError
from stixcore.imaging.back_projection import BackProjectionParameters
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct

pytestmark = pytest.mark.needs_shared_data
WINDOW = np.datetime64("2022-11-11T11:35:40.271", "us"), np.datetime64("2022-11-11T11:37:40.271", "us")


def test_flare_of_2022_11_11_lies_where_idl_puts_it(november_images, shared_data):
    import csv

    with (shared_data / "nov2022/idl/reference_locations.csv").open() as stream:
        row = next(row for row in csv.DictReader(stream) if row["request_id"] == "2211116471")
    location = november_images.recipe.location
    assert np.hypot(location.x - float(row["fwdfit_hpc_x"]), location.y - float(row["fwdfit_hpc_y"])) < 5.0


def test_same_recipe_gives_the_same_pixels(november_images, november_flare):
    paths = {path.name: path for path in november_flare}
    again = reconstruct(november_images.recipe, lambda file: paths[file.name])
    for method, image in november_images.images.items():
        np.testing.assert_array_equal(again.images[method].image, image.image)


def test_map_centre_in_both_frames(november_images):
    location = november_images.recipe.location
    expected = hpc_to_stix(location.x, location.y, november_images.recipe.pointing)
    assert november_images.map_center_stix == pytest.approx(tuple(map(float, expected)))


def test_every_method_peaks_at_the_same_place(november_images):
    peaks = [image.peak for method, image in november_images.images.items() if method is not Method.FULL_DISK_BP]
    assert np.ptp(peaks, axis=0).max() <= 4.0


def test_a_changed_file_is_not_used(november_images, november_flare, tmp_path):
    science, background, aspect = november_flare
    other = tmp_path / science.name
    shutil.copy(science, other)
    with other.open("r+b") as stream:
        stream.seek(-2000, 2)
        stream.write(b"x")
    paths = {path.name: path for path in (other, background, aspect)}
    with pytest.raises(InvalidProduct, match="SHA-256"):
        reconstruct(november_images.recipe, lambda file: paths[file.name])


def test_without_auxiliary_file_the_pointing_is_assumed_and_says_so(november_flare):
    science, background, _ = november_flare
    recipe = prepare_recipe(ImageRequest(*WINDOW, energy=(6.0, 10.0)), science, background)
    assert recipe.pointing.source is PointingSource.ASSUMED
    assert recipe.aspect == ()
    assert recipe.pointing.rsun == pytest.approx(1541, abs=1)


def test_a_location_given_by_a_person_is_kept(november_flare):
    science, background, aspect = november_flare
    request = ImageRequest(
        *WINDOW, energy=(6.0, 10.0), location=(800.0, 150.0), methods={Method.BP: BackProjectionParameters()}
    )
    recipe = prepare_recipe(request, science, background, [aspect])
    images = reconstruct(recipe, lambda file: {p.name: p for p in november_flare}[file.name])
    assert (recipe.location.x, recipe.location.y, recipe.location.found_by) == (800.0, 150.0, "given")
    assert images.images[Method.BP].grid.center == (800.0, 150.0)
    assert images.images[Method.BP].peak == pytest.approx((824.0, 146.0), abs=4.0)


def test_window_outside_the_file_names_file_and_range(november_flare):
    science, background, aspect = november_flare
    request = ImageRequest(WINDOW[0] + np.timedelta64(1, "D"), WINDOW[1] + np.timedelta64(1, "D"), energy=(6.0, 10.0))
    with pytest.raises(SelectionError, match=r"2211116471.*not inside the file, which covers 2022-11-11T11:11"):
        prepare_recipe(request, science, background, [aspect])


def test_energy_outside_the_file(november_flare):
    science, background, aspect = november_flare
    with pytest.raises(SelectionError, match=r"50-84 keV is not inside the file, which covers 4-28 keV"):
        prepare_recipe(ImageRequest(*WINDOW, energy=(50.0, 84.0)), science, background, [aspect])


def test_progress_counts_the_methods(november_images, november_flare):
    seen = []
    paths = {path.name: path for path in november_flare}
    reconstruct(november_images.recipe, lambda f: paths[f.name], progress=lambda m, i, n: seen.append((m, i, n)))
    assert [number for _, number, _ in seen] == list(range(len(november_images.recipe.methods)))


def test_a_larger_map_shows_the_same_sky(november_images, november_flare):
    """The same recipe on twice as many pixels: flux and place stay."""
    paths = {path.name: path for path in november_flare}
    wide = reconstruct(replace(november_images.recipe, shape=(257, 257), pixel=1.0), lambda f: paths[f.name])
    small = november_images.images[Method.CLEAN]
    assert wide.images[Method.CLEAN].total_flux == pytest.approx(small.total_flux, rel=0.05)
    assert wide.images[Method.CLEAN].peak == pytest.approx(small.peak, abs=2.0)
