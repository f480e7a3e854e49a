"""A simple orbit for simulated files: position of the spacecraft, ephemeris keywords, and pointing of the instrument.

Distance, longitude and latitude are linear functions of time, without SPICE or Kepler's equation. The position of Earth
is computed with the short series of Meeus (Astronomical Algorithms, ch. 25), accurate to about 0.01°.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.pointing import ASPECT_OFFSET, SPACECRAFT_OFFSET
from stixcore.coordinates import ASTRONOMICAL_UNIT, SOLAR_RADIUS, Pointing, PointingSource

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

LIGHT_SPEED = 299_792_458.0  # m s⁻¹
DAY = 86_400.0  # s
#: Inclination of the solar equator to the ecliptic and longitude of its ascending node, J2000 (Carrington), deg.
SOLAR_INCLINATION, SOLAR_NODE = 7.25, 75.7645
#: Epoch of Carrington longitudes, and rotation period (Meeus, ch. 29).
CARRINGTON_EPOCH, CARRINGTON_PERIOD = 2_398_220.0, 25.38  # Julian date; days


@dataclass(frozen=True)
class Orbit:
    """Position of Solar Orbiter as a linear function of time.

    Attributes
    ----------
    reference : datetime64
        Time at which the other values apply.
    distance : float, m
        Distance from the Sun.
    longitude, latitude : float, deg
        Stonyhurst (heliographic, zero toward Earth).
    radial_velocity : float, m s⁻¹
    longitude_rate : float, deg day⁻¹
    roll : float, deg
        Spacecraft roll; ``roll_rate`` in deg day⁻¹.
    pointing_x, pointing_y : float, arcsec
        Direction of the STIX axis in the rolled helioprojective frame.
    attitude_error : (x, y), arcsec
        Error of the spacecraft's own attitude; the aspect solution is exact here.
    """

    reference: np.datetime64
    distance: float = 0.6 * ASTRONOMICAL_UNIT
    longitude: float = -20.0
    latitude: float = 4.0
    radial_velocity: float = 12_000.0
    longitude_rate: float = 1.1
    roll: float = 5.0
    roll_rate: float = 0.02
    pointing_x: float = 20.0
    pointing_y: float = 85.0
    attitude_error: tuple[float, float] = (14.0, -9.0)

    def days(self, time: np.datetime64 | Times) -> Floats:
        """Days since the reference time."""
        return np.asarray((time - self.reference) / np.timedelta64(1, "us"), dtype=float) / (DAY * 1e6)

    def heliographic(self, time: np.datetime64 | Times) -> tuple[Floats, Floats, Floats]:
        """Distance [m], Stonyhurst longitude and latitude [deg]."""
        days = self.days(time)
        distance = self.distance + self.radial_velocity * DAY * days
        return distance, self.longitude + self.longitude_rate * days, np.full_like(days, self.latitude)

    def solar_radius(self, time: np.datetime64 | Times) -> Floats:
        """Apparent solar radius asin(R/d), arcsec, as in headers of 2023 and later."""
        return np.rad2deg(np.arcsin(SOLAR_RADIUS / self.heliographic(time)[0])) * 3600.0

    def roll_angle(self, time: np.datetime64 | Times) -> Floats:
        """Spacecraft roll, deg, in (-180, 180]."""
        return 180.0 - np.mod(180.0 - (self.roll + self.roll_rate * self.days(time)), 360.0)

    def pointing(self, time: np.datetime64) -> Pointing:
        """True pointing, which the aspect table of this orbit reproduces."""
        distance, lon, lat = (float(value) for value in self.heliographic(time))
        return Pointing(
            PointingSource.ASPECT,
            float(self.roll_angle(time)),
            self.pointing_x,
            self.pointing_y,
            rsun=float(self.solar_radius(time)),
            stonyhurst_lon=lon,
            b0=lat,
            dsun=distance,
        )

    def to_helioprojective(self, lon: float, lat: float, time: np.datetime64) -> tuple[float, float, bool]:
        """Helioprojective x, y [arcsec] of a point on the photosphere, and whether it is visible.

        Parameters
        ----------
        lon, lat : float, deg
            Stonyhurst.
        time : datetime64
        """
        distance, lon_0, lat_0 = (float(value) for value in self.heliographic(time))
        delta, phi, b0 = np.deg2rad(lon - lon_0), np.deg2rad(lat), np.deg2rad(lat_0)
        x = SOLAR_RADIUS * np.cos(phi) * np.sin(delta)
        y = SOLAR_RADIUS * (np.sin(phi) * np.cos(b0) - np.cos(phi) * np.cos(delta) * np.sin(b0))
        z = SOLAR_RADIUS * (np.sin(phi) * np.sin(b0) + np.cos(phi) * np.cos(delta) * np.cos(b0))
        # tan θx = x/(d - z),  sin θy = y/r; visible if z > R²/d
        theta_y = np.arcsin(y / np.sqrt(x**2 + y**2 + (distance - z) ** 2))
        theta_x = np.arctan2(x, distance - z)
        return (
            float(np.rad2deg(theta_x) * 3600.0),
            float(np.rad2deg(theta_y) * 3600.0),
            bool(z > SOLAR_RADIUS**2 / distance),
        )

    def spacecraft_attitude(self, time: Times) -> Floats:
        """Roll, pitch and yaw of the spacecraft for the auxiliary file, (n, 3) float, deg."""
        roll = np.deg2rad(self.roll_angle(time))
        rotated_yaw = self.pointing_x + self.attitude_error[0] - SPACECRAFT_OFFSET[0]
        rotated_pitch = self.pointing_y + self.attitude_error[1] - SPACECRAFT_OFFSET[1]
        # inverse of RY = YAW cos r + PITCH sin r, RP = -YAW sin r + PITCH cos r; YAW = -3600·yaw, PITCH = 3600·pitch
        yaw = rotated_yaw * np.cos(roll) - rotated_pitch * np.sin(roll)
        pitch = rotated_yaw * np.sin(roll) + rotated_pitch * np.cos(roll)
        return np.stack([np.rad2deg(roll), pitch / 3600.0, -yaw / 3600.0], axis=1)

    def aspect_solution(self) -> tuple[float, float]:
        """y_srf, z_srf [arcsec] for the auxiliary file: P = (y_srf + 60, -z_srf + 8)."""
        return self.pointing_x - ASPECT_OFFSET[0], ASPECT_OFFSET[1] - self.pointing_y


def julian_date(time: Times) -> Floats:
    """Julian date in Terrestrial Time of UTC times after 2017."""
    seconds = np.asarray((time - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "us"), dtype=float) / 1e6
    return 2_451_545.0 + (seconds + 69.184) / DAY  # 37 leap seconds + 32.184 s


def earth_ecliptic(time: Times) -> tuple[Floats, Floats]:
    """Heliocentric J2000 ecliptic longitude [deg] and distance [m] of Earth (Meeus ch. 25), to 0.01° and 3e-5."""
    t = (julian_date(time) - 2_451_545.0) / 36_525.0
    mean_longitude = 280.46646 + 36_000.76983 * t + 0.0003032 * t**2
    anomaly = np.deg2rad(357.52911 + 35_999.05029 * t - 0.0001537 * t**2)
    eccentricity = 0.016708634 - 0.000042037 * t
    center = (
        (1.914602 - 0.004817 * t) * np.sin(anomaly)
        + (0.019993 - 0.000101 * t) * np.sin(2 * anomaly)
        + 0.000289 * np.sin(3 * anomaly)
    )
    true_anomaly = anomaly + np.deg2rad(center)
    distance = 1.000001018 * (1 - eccentricity**2) / (1 + eccentricity * np.cos(true_anomaly)) * ASTRONOMICAL_UNIT
    # longitude of the Sun seen from Earth + 180°, precessed from the equinox of date to J2000
    return np.mod(mean_longitude + center + 180.0 - 1.397 * t, 360.0), distance


def _rotation(axis: int, degrees: Floats | float) -> Floats:
    """Matrices (n, 3, 3) that transform a vector to axes rotated by ``degrees`` about ``axis``."""
    angle = np.atleast_1d(np.deg2rad(degrees))
    matrix = np.zeros((angle.size, 3, 3))
    j, k = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1.0
    matrix[:, j, j] = matrix[:, k, k] = np.cos(angle)
    matrix[:, j, k], matrix[:, k, j] = np.sin(angle), -np.sin(angle)
    return matrix


def _turn(matrix: Floats, vector: Floats) -> Floats:
    return np.asarray(np.einsum("nij,nj->ni", np.broadcast_to(matrix, (len(vector), 3, 3)), vector))


def positions(orbit: Orbit, time: Times) -> dict[str, Floats]:
    """Spacecraft position in HEQ, HEE, HCI, HAE and GSE, (n, 3) float each, m, and "earth", the distance of Earth."""
    distance, lon, lat = orbit.heliographic(time)
    lon, lat = np.deg2rad(lon), np.deg2rad(lat)
    heeq = distance[:, None] * np.stack(
        [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.full_like(lon, 1.0) * np.sin(lat)], axis=1
    )
    earth_lon, earth_distance = earth_ecliptic(time)
    # HAE → HCI: rotate to the node of the solar equator, then by its inclination
    hae_to_hci = _rotation(0, SOLAR_INCLINATION) @ _rotation(2, SOLAR_NODE)
    earth_hae = np.stack(
        [np.cos(np.deg2rad(earth_lon)), np.sin(np.deg2rad(earth_lon)), np.zeros_like(earth_lon)], axis=1
    )
    earth_hci = _turn(hae_to_hci, earth_hae)
    earth_hci_lon = np.rad2deg(np.arctan2(earth_hci[:, 1], earth_hci[:, 0]))
    hci = _turn(_rotation(2, -earth_hci_lon), heeq)  # HEQ is HCI rotated so that Earth has longitude 0
    hae = _turn(hae_to_hci.transpose(0, 2, 1), hci)
    hee = _turn(_rotation(2, earth_lon), hae)
    gse = np.stack([earth_distance - hee[:, 0], -hee[:, 1], hee[:, 2]], axis=1)
    return {"HEQ": heeq, "HEE": hee, "HCI": hci, "HAE": hae, "GSE": gse, "earth": earth_distance}


def carrington(orbit: Orbit, time: Times) -> tuple[Floats, Floats, Floats]:
    """Distance [m], Carrington longitude [deg, 0-360) and latitude [deg] of the spacecraft.

    Meeus ch. 29: L = φ - θ, where φ is measured from the ascending node and θ = (JD - 2398220)·360/25.38 is for light
    that reaches Earth; it reaches the spacecraft earlier by the difference of the light times.
    """
    place = positions(orbit, time)
    distance, _, lat = orbit.heliographic(time)
    phi = np.rad2deg(np.arctan2(place["HCI"][:, 1], place["HCI"][:, 0]))
    earlier = (place["earth"] - distance) / LIGHT_SPEED / DAY
    theta = (julian_date(time) + earlier - CARRINGTON_EPOCH) * 360.0 / CARRINGTON_PERIOD
    return distance, np.mod(phi - theta, 360.0), lat


def header_values(orbit: Orbit, time: np.datetime64) -> Mapping[str, float]:
    """Ephemeris keywords of a primary header at ``time``, in the order of real files."""
    moment = np.array([time, time + np.timedelta64(60, "s")])
    place = {name: value[0] for name, value in positions(orbit, moment).items()}
    next_hci = positions(orbit, moment)["HCI"][1]
    distance, lon, lat = (float(value[0]) for value in orbit.heliographic(moment))
    values = {
        "RSUN_ARC": float(orbit.solar_radius(moment)[0]),
        "HGLT_OBS": lat,
        "HGLN_OBS": lon,
        "CRLT_OBS": lat,
        "CRLN_OBS": float(carrington(orbit, moment)[1][0]),
        "DSUN_OBS": distance,
    }
    velocity = (next_hci - place["HCI"]) / 60.0
    for system, suffix in (
        ("HEE", "OBS"),
        ("HCI", "OBS"),
        ("HCI", "VOB"),
        ("HAE", "OBS"),
        ("HEQ", "OBS"),
        ("GSE", "OBS"),
    ):
        vector = velocity if suffix == "VOB" else place[system]
        values |= {f"{system}{axis}_{suffix}": float(value) for axis, value in zip("XYZ", vector, strict=True)}
    return values | {
        "OBS_VR": orbit.radial_velocity,
        "EAR_TDEL": (float(place["earth"]) - distance) / LIGHT_SPEED,
        "SUN_TIME": distance / LIGHT_SPEED,
    }
