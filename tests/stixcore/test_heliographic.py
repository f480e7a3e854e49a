"""Places on the Sun and how other observers see them, against sunpy, the reference lists and geometry."""

from __future__ import annotations

import csv
import math

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st
from sunpy.coordinates import HeliographicCarrington, HeliographicStonyhurst, Helioprojective, sun

from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import (
    AU,
    LIGHT,
    Observer,
    SunPosition,
    carrington_of_earth,
    earth_at,
    light_delays,
    on_sun,
    place_of_icrs,
    seen_from,
    sol_identifier,
)

SOLO = Observer(-24.15692, 9.18006325, 0.59087322 * AU)
TIME = np.datetime64("2022-11-11T11:30:00")
latitudes = st.floats(-89.0, 89.0)
longitudes = st.floats(-179.0, 179.0)
distances = st.floats(0.28, 1.02)


def test_published_example():
    # calibration products, section 5.3, computed with sunpy
    place = on_sun(-15.3429, 181.46, SOLO)
    assert (place.lon, place.lat) == pytest.approx((-24.714603, 15.547017), abs=1e-6)
    assert not place.off_limb
    assert place.height == 0.0


@pytest.mark.parametrize("time", ["2020-06-07T21:40", "2022-11-11T11:30", "2025-03-02T23:05"])
def test_earth_as_sunpy(time: str):
    earth = earth_at(np.datetime64(time))
    assert earth.lat == pytest.approx(sun.B0(time).deg, abs=1e-4)
    assert earth.distance == pytest.approx(sun.earth_distance(time).to_value("m"), rel=1e-6)
    expected = sun.L0(time, light_travel_time_correction=False).deg
    assert carrington_of_earth(np.datetime64(time)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("x", "y"), [(77.0, 160.0), (-1200.0, 300.0), (900.0, -900.0), (0.0, 0.0)])
def test_carrington_and_earth_view_as_sunpy(x: float, y: float):
    solo = SkyCoord(
        SOLO.lon * u.deg, SOLO.lat * u.deg, SOLO.distance * u.m, frame=HeliographicStonyhurst, obstime=str(TIME)
    )
    seen = SkyCoord(x * u.arcsec, y * u.arcsec, frame=Helioprojective(observer=solo, obstime=str(TIME)))
    place = on_sun(x, y, SOLO)
    _, sun_delay = light_delays(place, SOLO, earth_at(TIME))
    carrington = seen.transform_to(HeliographicCarrington(observer=solo, obstime=str(TIME)))
    assert (place.lon + carrington_of_earth(TIME, sun_delay)) % 360.0 == pytest.approx(carrington.lon.deg, abs=2e-4)
    from_earth = seen.transform_to(Helioprojective(observer="earth", obstime=str(TIME)))
    view = seen_from(place, earth_at(TIME))
    assert (view.x, view.y) == pytest.approx((from_earth.Tx.arcsec, from_earth.Ty.arcsec), abs=0.02)


@given(longitudes, latitudes, distances, st.floats(-0.95, 0.95), st.floats(-0.95, 0.95))
def test_a_position_on_the_disk_is_seen_where_it_was(lon: float, lat: float, au: float, x: float, y: float):
    observer = Observer(lon, lat, au * AU)
    radius = 3600.0 * math.degrees(math.asin(SOLAR_RADIUS / observer.distance))
    x, y = x * radius / math.sqrt(2.0), y * radius / math.sqrt(2.0)
    view = seen_from(on_sun(x, y, observer), observer)
    assert (view.x, view.y) == pytest.approx((x, y), abs=0.01)
    assert view.visible


@given(longitudes, latitudes, distances, st.floats(0.0, 360.0), st.floats(1.001, 1.5))
def test_beyond_the_limb_is_the_nearest_limb_point(lon: float, lat: float, au: float, angle: float, radii: float):
    observer = Observer(lon, lat, au * AU)
    radius = 3600.0 * math.degrees(math.asin(SOLAR_RADIUS / observer.distance)) * radii
    x, y = radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))
    place = on_sun(x, y, observer, sigma=5.0)
    assert place.off_limb
    assert place.sigma is None
    assert place.height == pytest.approx((radii - 1.0) * SOLAR_RADIUS, rel=0.01, abs=2e4)
    assert place.angle == pytest.approx(90.0, abs=0.3)
    surface = SunPosition(place.lon, place.lat, off_limb=False, height=0.0, angle=90.0)
    seen = seen_from(surface, observer)
    assert math.atan2(seen.y, seen.x) == pytest.approx(math.atan2(y, x), abs=0.01)


@pytest.mark.parametrize(("psi", "visible"), [(89.7, True), (89.8, False), (95.0, False)])
def test_visible_to_the_terminator_only(psi: float, visible: bool):
    earth = Observer(0.0, 0.0, AU)
    view = seen_from(SunPosition(psi, 0.0, off_limb=False, height=0.0, angle=0.0), earth)
    assert view.visible is visible


def test_lowest_height_behind_the_limb():
    earth = Observer(0.0, 0.0, AU)
    view = seen_from(SunPosition(95.0, 0.0, off_limb=False, height=0.0, angle=0.0), earth)
    assert (view.place, view.visible) == ("behind", False)
    # R (1 / cos(95° - 89.733°) - 1)
    assert view.lowest_height == pytest.approx(2.95e6, rel=0.01)
    opposite = seen_from(SunPosition(180.0, 0.0, off_limb=False, height=0.0, angle=0.0), earth)
    assert opposite.lowest_height == math.inf


def test_a_high_source_behind_the_limb_is_visible():
    earth = Observer(0.0, 0.0, AU)
    low, high = (seen_from(SunPosition(95.0, 0.0, True, height, 90.0), earth) for height in (2.5e6, 3.5e6))
    assert (low.visible, high.visible) == (False, True)


def test_within_the_error_of_the_limb():
    earth = Observer(0.0, 0.0, AU)
    assert seen_from(SunPosition(85.0, 0.0, False, 0.0, 0.0, sigma=6.0), earth).place == "limb"
    assert seen_from(SunPosition(85.0, 0.0, False, 0.0, 0.0, sigma=2.0), earth).place == "on disk"
    # an off-limb source of unknown depth: acos(R / (R + 10 Mm)) = 9.7°
    assert seen_from(SunPosition(98.0, 0.0, True, 10e6, 90.0), earth).place == "limb"


def test_sigma_is_stretched_toward_the_limb():
    radius = 3600.0 * math.degrees(math.asin(SOLAR_RADIUS / SOLO.distance))
    center, edge = on_sun(0.0, 0.0, SOLO, 5.0), on_sun(0.99 * radius, 0.0, SOLO, 5.0)
    assert center.sigma == pytest.approx(
        math.degrees(5.0 / 206_265 * (SOLO.distance - SOLAR_RADIUS) / SOLAR_RADIUS), rel=1e-3
    )
    assert edge.angle > 80.0
    assert edge.sigma is None
    inner = on_sun(0.9 * radius, 0.0, SOLO, 5.0)
    step = on_sun(0.9 * radius + 5.0, 0.0, SOLO)
    along = math.hypot(step.lat - inner.lat, (step.lon - inner.lon) * math.cos(math.radians(inner.lat)))
    assert inner.sigma is not None
    assert inner.sigma == pytest.approx(math.sqrt(0.5 * (along**2 + (center.sigma or 0.0) ** 2)), rel=0.05)


def test_light_delays():
    # header of a file: DSUN_OBS 88 634 969 408.6 m, SUN_TIME 295.654434 s (center of the Sun)
    solo = Observer(0.0, 0.0, 88_634_969_408.6)
    center = SunPosition(0.0, 0.0, off_limb=False, height=-SOLAR_RADIUS, angle=0.0)
    earth_delay, sun_delay = light_delays(center, solo, Observer(0.0, 0.0, AU))
    assert sun_delay == pytest.approx(295.654434, abs=1e-5)
    assert earth_delay == pytest.approx(AU / LIGHT - 295.654434, abs=1e-5)
    near = light_delays(SunPosition(0.0, 0.0, False, 0.0, 0.0), solo, Observer(0.0, 0.0, AU))
    assert near[1] == pytest.approx(sun_delay - SOLAR_RADIUS / LIGHT, abs=1e-5)


@pytest.mark.parametrize(
    ("lon", "lat", "expected"),
    [
        (21.3, -20.1, "SOL2011-02-15T01:56:00L021C110"),
        (359.7, 90.0, "SOL2011-02-15T01:56:00L000C000"),
        (None, None, "SOL2011-02-15T01:56:00"),
        (21.3, None, "SOL2011-02-15T01:56:00"),
    ],
)
def test_sol_identifier(lon: float | None, lat: float | None, expected: str):
    assert sol_identifier(np.datetime64("2011-02-15T01:55:59.7"), lon, lat) == expected


def test_reference_list_seen_from_the_earth(shared_data):
    """The list's Earth view follows from its heliographic positions; these come from other positions than IDL's fit."""
    with (shared_data / "nov2022/idl/reference_locations.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["hgs_lon"] and row["earth_hpc_x"]]
    assert len(rows) > 50
    for row in rows:
        place = SunPosition(float(row["hgs_lon"]), float(row["hgs_lat"]), off_limb=False, height=0.0, angle=0.0)
        view = seen_from(place, earth_at(np.datetime64(row["peak_utc"].replace(" ", "T"))))
        assert (view.x, view.y) == pytest.approx((float(row["earth_hpc_x"]), float(row["earth_hpc_y"])), abs=1e-3)
        assert view.visible


@pytest.mark.parametrize(
    ("time", "flare", "place", "solo_lon"),
    [
        (
            "2024-09-01T00:36:22.248",
            ((215.84809460010752, -20.992451883044513, 1841504.82153277),
             (146.79958494770838, 15.441022971146749, 93737799.48453614)),
            (-103.953, -21.926, 711_135.0),
            164.373,
        ),
        (
            "2024-09-01T02:21:46.759",
            ((185.0107041640439, -13.118564873704335, 593792.7502450105),
             (146.91802379015184, 15.392349977604386, 93614592.65956752)),
            (73.965, -8.112, 700_571.0),
            164.425,
        ),
    ],
)  # fmt: skip
def test_positions_of_the_level_3_list(time, flare, place, solo_lon):
    """Two rows of the list of September 2024: barycentric positions in deg, deg and km, recomputed with sunpy."""
    when = np.datetime64(time, "us")
    source, solo = (place_of_icrs(ra, dec, distance * 1e3, when) for ra, dec, distance in flare)
    assert (source.lon, source.lat) == pytest.approx(place[:2], abs=0.01)
    assert source.distance / 1e3 == pytest.approx(place[2], abs=2.0)
    assert solo.lon == pytest.approx(solo_lon, abs=0.01)
