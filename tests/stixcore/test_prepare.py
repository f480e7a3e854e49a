"""Data prepared for images: the band of the full-disk search."""

from types import SimpleNamespace

import numpy as np
import pytest

from stixcore.calibration.pointing import assumed_pointing
from stixcore.errors import CalibrationError
from stixcore.prepare import apparent_radius, location_energy

EDGES = np.array([4.0, 6.0, 10.0, 15.0, 20.0, 25.0, 32.0])


@pytest.fixture
def channels(pixel_data):
    """Factory of pixel data with the channels up to an energy; ``rcr`` 1 is the attenuator."""

    def make(end, rcr=0):
        edges = EDGES[end >= EDGES]
        return pixel_data(e_low=edges[:-1], e_high=edges[1:], rcr=rcr)

    return make


@pytest.mark.parametrize(
    ("end", "rcr", "expected"),
    [(32.0, 0, (6.0, 10.0)), (10.0, 0, (6.0, 10.0)), (32.0, 1, (6.0, 25.0)), (20.0, 1, (6.0, 20.0))],
)
def test_band_of_the_search(channels, end, rcr, expected):
    assert location_energy(channels(end, rcr), slice(0, 1), (15.0, 20.0)) == expected


def test_a_file_without_this_band_is_searched_in_the_band_of_the_image(pixel_data):
    data = pixel_data(e_low=EDGES[3:-1], e_high=EDGES[4:])
    assert location_energy(data, slice(0, 1), (15.0, 20.0)) == (15.0, 20.0)


@pytest.mark.parametrize(("end", "expected"), [(32.0, 25.0), (20.0, 20.0), (10.0, 10.0)])
def test_the_search_ends_where_the_background_ends(channels, end, expected):
    band = location_energy(channels(32.0, rcr=1), slice(0, 1), (15.0, 20.0), channels(end))
    assert band == (6.0, expected)


@pytest.mark.parametrize(
    ("ephemeris", "said"),
    [
        ({"RSUN_ARC": 0.0}, "science.fits: RSUN_ARC must be 479 to 9600 arcsec, found 0"),
        ({"RSUN_ARC": 1e300}, "RSUN_ARC must be .* found 1e[+]300"),
        ({"DSUN_OBS": 0.0}, "science.fits: DSUN_OBS must be .* m, found 0"),
        ({"DSUN_OBS": -1.0}, "DSUN_OBS must be .* found -1"),
        ({"DSUN_OBS": 1e300}, "DSUN_OBS must be .* found 1e[+]300"),
    ],
)
def test_an_impossible_size_of_the_sun_is_refused_by_name(ephemeris, said):
    header = SimpleNamespace(name="science.fits", ephemeris=ephemeris)
    with pytest.raises(CalibrationError, match=said):
        apparent_radius(assumed_pointing(), header)


def test_the_size_of_the_sun_is_that_of_the_distance():
    header = SimpleNamespace(name="science.fits", ephemeris={"DSUN_OBS": 93122363752.9249})
    assert apparent_radius(assumed_pointing(), header) == pytest.approx(1540.98, rel=1e-4)
