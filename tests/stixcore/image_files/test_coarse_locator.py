"""Map and regions of the coarse locator for download."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from jobs.imaging.disk_marks import NOT_STORED, marks_of_file, marks_of_images
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.image_files.coarse_locator import locator_document, locator_map
from stixcore.image_files.read import read_image_file
from stixcore.image_files.write import image_hdus, write_image
from stixcore.imaging.coarse_locator import COUNT_FACTOR, LEVELS, LocatorCounts, locate_coarsely
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.flare_locator import lit_areas

TILTED = Pointing(PointingSource.MANUAL, 25.0, -300.0, 200.0, rsun=1600.0)


@pytest.fixture(scope="module")
def found():
    """A flare at (500, 300)″ with a roll of 25°."""
    net = COUNT_FACTOR * 300.0 * lit_areas(*hpc_to_stix(500.0, 300.0, TILTED))
    return locate_coarsely(LocatorCounts((4.0, 10.0), net, net + 5.0, 300.0, 1.0), TILTED, 1600.0)


def test_the_map_has_its_minimum_where_the_position_is(found):
    stream = io.BytesIO()
    locator_map(found).writeto(stream)
    with fits.open(io.BytesIO(stream.getvalue()), checksum=True) as hdus:
        image = hdus["DELTA_CHI2"]
        header, delta = image.header, np.asarray(image.data)
    row, column = np.unravel_index(int(np.nanargmin(delta)), delta.shape)
    place = WCS(header).pixel_to_world_values(column, row) * u.deg
    x, y = (float((axis + 180 * u.deg).to_value("arcsec") % 1296000 - 648000) for axis in place)
    assert np.hypot(x - found.x, y - found.y) < 8.0  # a pixel is 10″ wide
    assert (header["CFL_HPX"], header["CFL_HPY"]) == (found.x, found.y)
    assert delta.min(where=np.isfinite(delta), initial=np.inf) == 0.0
    for number, level in enumerate(LEVELS, 1):
        assert (delta <= header[f"LEVEL{number}"]).sum() == found.region(level).sum()


def test_the_map_ends_at_the_same_distance_from_sun_center(found):
    image = locator_map(found)["DELTA_CHI2"]
    rows, columns = np.indices(image.data.shape)
    x = 10.0 * (columns + 1 - image.header["CRPIX1"])
    y = 10.0 * (rows + 1 - image.header["CRPIX2"])
    np.testing.assert_array_equal(np.isfinite(image.data), np.hypot(x, y) <= 1.1 * 1600.0)


def test_the_document_has_a_polygon_around_the_flare(found):
    document = json.loads(json.dumps(locator_document(found)))
    assert (document["hpc_x"], document["hpc_y"]) == (found.x, found.y)
    assert [region["level"] for region in document["regions"]] == list(LEVELS)
    areas = [region["area_arcsec2"] for region in document["regions"]]
    assert areas == sorted(areas)
    assert areas[0] == pytest.approx(np.pi * found.radius**2)
    for region in document["regions"]:
        assert any(around(np.array(line), 500.0, 300.0) for line in region["polygons"])
        assert not any(around(np.array(line), -900.0, -900.0) for line in region["polygons"])


@pytest.mark.needs_shared_data
def test_the_file_of_a_full_disk_map_has_the_outlines(november_images):
    created = np.datetime64("2026-11-30T04:00:00")
    table = image_hdus(november_images, Method.FULL_DISK_BP, created)["LOCATOR"].data
    place = november_images.recipe.location
    for level in LEVELS:
        wanted = november_images.locator.contours(level)
        numbers = np.unique(table["polygon"][table["level"] == level])
        assert len(numbers) == len(wanted)
        for number, line in zip(numbers, wanted, strict=True):
            rows = table[table["polygon"] == number]
            np.testing.assert_array_equal(np.stack([rows["x"], rows["y"]], axis=1), line)
    outer = table[table["level"] == LEVELS[2]]
    assert around(np.stack([outer["x"], outer["y"]], axis=1), place.x, place.y)
    for images, method in (
        (november_images, Method.CLEAN),
        (replace(november_images, locator=None), Method.FULL_DISK_BP),
    ):
        assert "LOCATOR" not in [hdu.name for hdu in image_hdus(images, method, created)]


@pytest.mark.needs_shared_data
def test_a_file_has_the_marks_of_its_images(november_images, tmp_path):
    path = tmp_path / "disk.fits"
    write_image(path, november_images, Method.FULL_DISK_BP, np.datetime64("2026-11-30T04:00:00"))
    stored, made = marks_of_file(read_image_file(path)), marks_of_images(november_images)
    assert stored == made
    assert stored.locator.location_level == made.locator.location_level == november_images.locator_level
    for (level, lines), (wanted, outlines) in zip(stored.locator.outlines, made.locator.outlines, strict=True):
        assert level == wanted
        for one, other in zip(lines, outlines, strict=True):
            np.testing.assert_array_equal(one, other)
    write_image(path, november_images, Method.CLEAN, np.datetime64("2026-11-30T04:00:00"))
    assert read_image_file(path).locator is None


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(
    ("reason", "said"), [("detector 9 was off by 3 ± 1 s", "detector 9 was off by 3 +- 1 s"), ("", NOT_STORED)]
)
def test_a_file_without_regions_says_why(november_images, tmp_path, reason, said):
    path = tmp_path / "disk.fits"
    images = replace(november_images, locator=None, no_locator=reason)
    write_image(path, images, Method.FULL_DISK_BP, np.datetime64("2026-11-30T04:00:00"))
    marks = marks_of_file(read_image_file(path))
    assert (marks.locator, marks.no_locator) == (None, said)


def around(line, x, y):
    """Whether a polygon winds around a point."""
    angle = np.unwrap(np.arctan2(line[:, 1] - y, line[:, 0] - x))
    return abs(angle[-1] - angle[0]) > np.pi
