"""Map and regions of the coarse locator for download."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.image_files.coarse_locator import locator_document, locator_map
from stixcore.imaging.coarse_locator import COUNT_FACTOR, LEVELS, LocatorCounts, locate_coarsely
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


def around(line, x, y):
    """Whether a polygon winds around a point."""
    angle = np.unwrap(np.arctan2(line[:, 1] - y, line[:, 0] - x))
    return abs(angle[-1] - angle[0]) > np.pi
