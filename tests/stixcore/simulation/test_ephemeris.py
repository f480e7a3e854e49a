"""The simple orbit: headers against real ones, coordinates against sunpy, attitude against the pointing's algebra."""

import numpy as np
import pytest
from astropy.io import fits

from stixcore.calibration.pointing import ASPECT_OFFSET, SPACECRAFT_OFFSET
from stixcore.simulation.ephemeris import Orbit, carrington, header_values, julian_date

MOMENT = np.datetime64("2024-05-10T12:00:00", "us")


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(
    "name",
    [
        "solo_L1_stix-sci-xray-cpd_20220911T021423-20220911T030223_V02_2209115148-62679.fits",
        "solo_L1_stix-sci-xray-spec_20221227T135500-20221227T200000_V02_2212273755-58243.fits",
    ],
)
def test_headers_of_real_files_follow_from_their_position(shared_data, name):
    header = fits.getheader(shared_data / "formats" / name)
    moment = np.datetime64(header["DATE-AVG"], "us")  # real ephemerides are those of the middle
    orbit = Orbit(moment, header["DSUN_OBS"], header["HGLN_OBS"], header["HGLT_OBS"], header["OBS_VR"])
    values = header_values(orbit, moment)
    for system, tolerance in (("HEE", 1e-4), ("HCI", 2e-4), ("HAE", 2e-4), ("HEQ", 1e-4), ("GSE", 1e-4)):
        for axis in "XYZ" if system != "HAE" else "XY":  # HAEZ of real files repeats HAEX
            key = f"{system}{axis}_OBS"
            assert values[key] == pytest.approx(header[key], abs=tolerance * header["DSUN_OBS"]), key
    assert values["RSUN_ARC"] == pytest.approx(header["RSUN_ARC"], abs=1e-6)
    assert values["SUN_TIME"] == pytest.approx(header["SUN_TIME"], abs=1e-6)
    assert values["EAR_TDEL"] == pytest.approx(header["EAR_TDEL"], abs=0.03)
    assert values["CRLN_OBS"] == pytest.approx(header["CRLN_OBS"], abs=0.1)


def test_places_on_the_sun_appear_where_sunpy_sees_them():
    import astropy.units as unit
    from astropy.coordinates import SkyCoord
    from sunpy.coordinates import HeliographicStonyhurst, Helioprojective

    orbit = Orbit(MOMENT, latitude=-6.0)
    when = str(MOMENT)
    spacecraft = SkyCoord(
        orbit.longitude * unit.deg,
        orbit.latitude * unit.deg,
        orbit.distance * unit.m,
        frame=HeliographicStonyhurst(obstime=when),
    )
    for lon, lat, visible in ((-20.0, -6.0, True), (40.0, 25.0, True), (-95.0, -40.0, True), (80.0, 10.0, False)):
        place = SkyCoord(lon * unit.deg, lat * unit.deg, 695.7e6 * unit.m, frame=HeliographicStonyhurst(obstime=when))
        seen = place.transform_to(Helioprojective(observer=spacecraft, obstime=when))
        x, y, in_view = orbit.to_helioprojective(lon, lat, MOMENT)
        assert (x, y) == pytest.approx((seen.Tx.to_value("arcsec"), seen.Ty.to_value("arcsec")), abs=1e-6)
        assert in_view is visible


def test_julian_date_of_the_epoch():
    # J2000.0 is 2000-01-01T12:00 TT; today's 37 leap seconds stand for all dates of the mission
    assert julian_date(np.array([np.datetime64("2022-01-01T00:00:00")]))[0] == pytest.approx(2_459_580.5008, abs=1e-5)


def test_the_sun_turns_under_the_spacecraft():
    orbit = Orbit(MOMENT, longitude_rate=0.0)
    _, lon, _ = carrington(orbit, MOMENT + np.array([0, 1]) * np.timedelta64(1, "D"))
    assert (lon[0] - lon[1]) % 360.0 == pytest.approx(13.2, abs=0.1)  # synodic rotation


@pytest.mark.parametrize("roll", [-170.0, -30.0, 0.0, 5.0, 120.0, 179.999])
def test_attitude_leads_back_to_the_pointing(roll):
    orbit = Orbit(MOMENT, roll=roll, pointing_x=-60.0, pointing_y=140.0, attitude_error=(14.0, -9.0))
    rolled, pitch, yaw = orbit.spacecraft_attitude(np.array([MOMENT]))[0]
    pointing = orbit.pointing(MOMENT)
    assert rolled == pytest.approx(pointing.roll)
    cos, sin = np.cos(np.deg2rad(rolled)), np.sin(np.deg2rad(rolled))
    yaw, pitch = -3600.0 * yaw, 3600.0 * pitch
    x, y = SPACECRAFT_OFFSET[0] + yaw * cos + pitch * sin, SPACECRAFT_OFFSET[1] - yaw * sin + pitch * cos
    assert (x, y) == pytest.approx((-60.0 + 14.0, 140.0 - 9.0))
    y_srf, z_srf = orbit.aspect_solution()
    assert (y_srf + ASPECT_OFFSET[0], -z_srf + ASPECT_OFFSET[1]) == pytest.approx((-60.0, 140.0))
