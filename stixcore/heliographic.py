"""Place of a source on the Sun, and how another observer sees it.

The Sun is a sphere with the radius of `stixcore.coordinates`. Longitudes are Stonyhurst unless they are called
Carrington. Angles are in degrees, positions in the sky in arcsec, lengths in metres. Formulas: Thompson (2006, A&A 449,
791, section 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import erfa
import numpy as np
from astropy.constants import au, c
from numpy.typing import NDArray

from stixcore.coordinates import SOLAR_RADIUS

Vector = NDArray[np.float64]

#: Rotation of the Sun (IAU 2009): right ascension and declination of its north pole, prime meridian at J2000, per day.
POLE = (286.13, 63.87)  # deg
PRIME_MERIDIAN, ROTATION = 84.176, 14.1844  # deg, deg/day
J2000 = 2_451_545.0
SECONDS_PER_DAY = 86_400.0
LIGHT = float(c.value)  # m/s
AU = float(au.value)  # m
#: Beyond this angle between local vertical and observer the error of a heliographic position is not given, deg.
STEEPEST = 80.0
#: Flares nearer to the limb than this count as at the limb, deg; sources are about as wide.
LIMB_MARGIN = 1.0


@dataclass(frozen=True)
class Observer:
    """Place of an observer: Stonyhurst longitude and latitude (deg) and distance from Sun center (m)."""

    lon: float
    lat: float
    distance: float

    @property
    def horizon(self) -> float:
        """Largest angle from the observer's sub-solar point at which the surface is seen, deg."""
        return math.degrees(math.acos(SOLAR_RADIUS / self.distance))

    @property
    def vector(self) -> Vector:
        """Position in Stonyhurst axes, m."""
        return self.distance * _unit(self.lon, self.lat)


@dataclass(frozen=True)
class SunPosition:
    """Place of a source on the Sun.

    Attributes
    ----------
    lon, lat : float, deg
        Stonyhurst longitude in [-180, 180) and latitude; off the limb, those of the nearest point of the limb.
    off_limb : bool
        Beyond the limb of the observer.
    height : float, m
        Height above the limb point; 0 on the disk.
    angle : float, deg
        Angle between the local vertical and the direction to the observer.
    sigma : float or None, deg
        Standard deviation on each axis, from the mean of the axes' variances; None within 10° of the limb and beyond
        it, where the projection stretches it without limit.
    """

    lon: float
    lat: float
    off_limb: bool
    height: float
    angle: float
    sigma: float | None = None

    @property
    def vector(self) -> Vector:
        """Position in Stonyhurst axes, m."""
        return (SOLAR_RADIUS + self.height) * _unit(self.lon, self.lat)

    @property
    def spread(self) -> float:
        """How far the source may be from the limb of another observer and still count as at the limb, deg.

        The depth of an off-limb source is unknown: at height h it may be acos(R / (R + h)) before or behind the limb.
        """
        depth = math.degrees(math.acos(SOLAR_RADIUS / (SOLAR_RADIUS + self.height)))
        return max(LIMB_MARGIN, self.sigma or 0.0, depth)


@dataclass(frozen=True)
class View:
    """A source as another observer sees it.

    Attributes
    ----------
    x, y : float, arcsec
        Helioprojective position, also of a source behind the limb.
    visible : bool
    place : str
        "on disk", "limb" (nearer to the limb than `SunPosition.spread`) or "behind".
    angle : float, deg
        Angle between the local vertical and the direction to the observer.
    lowest_height : float, m
        Lowest height above the source that the observer sees; 0 where the surface is visible.
    """

    x: float
    y: float
    visible: bool
    place: str
    angle: float
    lowest_height: float


def earth_at(time: np.datetime64) -> Observer:
    """Place of the Earth at a time (UTC), from ERFA's ephemeris (``epv00``, good to 10 km)."""
    earth = _earth(time)
    distance = float(np.linalg.norm(earth))
    sin_b0 = float(earth @ _POLE) / distance
    return Observer(0.0, math.degrees(math.asin(sin_b0)), distance)


def place_of_icrs(ra: float, dec: float, distance: float, time: np.datetime64) -> Observer:
    """Heliographic place of a position in the International Celestial Reference System, as of an observer.

    Parameters
    ----------
    ra, dec : float, deg
    distance : float, m
        From the barycenter of the solar system, which may be 2 solar radii from Sun center.
    time : datetime64
        UTC; Stonyhurst longitudes are counted from the Earth at this time.
    """
    heliocentric, barycentric = erfa.epv00(J2000, _days(time))
    earth = np.asarray(heliocentric["p"], dtype=float)
    sun = (np.asarray(barycentric["p"], dtype=float) - earth) * AU
    vector = distance * _unit(ra, dec) - sun
    # λ = atan2(v·y, v·x) of the place less that of the Earth;  x: ascending node of the solar equator, y = pole × x
    of_place, of_earth = (math.degrees(math.atan2(float(v @ _EAST), float(v @ _NODE))) for v in (vector, earth))
    radius = float(np.linalg.norm(vector))
    lon = (of_place - of_earth + 180.0) % 360.0 - 180.0
    return Observer(lon, math.degrees(math.asin(float(vector @ _POLE) / radius)), radius)


def carrington_of_earth(time: np.datetime64, light_time: float = 0.0) -> float:
    """Carrington longitude of the Earth's meridian (L₀), deg in [0, 360).

    The Carrington longitude of a source is its Stonyhurst longitude plus this angle.

    Parameters
    ----------
    time : datetime64
        When the source is observed, UTC.
    light_time : float, s
        Light time from the source to the observer; the Sun turns by 0.1° in 10 minutes.
    """
    earth = _earth(time)
    # L0 = atan2(e·y, e·x) - W,  W = W0 + 14.1844°·(d - τ);  x: ascending node of the solar equator, y = pole × x
    direction = math.degrees(math.atan2(float(earth @ _EAST), float(earth @ _NODE)))
    days = _days(time) - light_time / SECONDS_PER_DAY
    return (direction - PRIME_MERIDIAN - ROTATION * days) % 360.0


def on_sun(x: float, y: float, observer: Observer, sigma: float = math.nan) -> SunPosition:
    """Place on the Sun of a helioprojective position.

    Parameters
    ----------
    x, y : float, arcsec
    observer : Observer
    sigma : float, arcsec
        Standard deviation of the position on each axis; NaN if unknown.
    """
    theta_x, theta_y = math.radians(x / 3600.0), math.radians(y / 3600.0)
    distance = observer.distance
    q = math.cos(theta_y) * math.cos(theta_x)
    inside = SOLAR_RADIUS**2 - distance**2 * (1.0 - q**2)
    if inside < 0.0:
        return _beyond_limb(theta_x, theta_y, q, observer)
    s = distance * q - math.sqrt(inside)
    # X = s cos θy sin θx,  Y = s sin θy,  Z = D - s q: heliocentric, Z toward the observer
    west, north = s * math.cos(theta_y) * math.sin(theta_x), s * math.sin(theta_y)
    lon, lat = _heliographic(west, north, distance - s * q, observer)
    to_observer = observer.vector - SOLAR_RADIUS * _unit(lon, lat)
    angle = _angle(_unit(lon, lat), to_observer)
    error = None
    if math.isfinite(sigma) and angle <= STEEPEST:
        # σ_tangential = s σ / R,  σ_radial = s σ / (R cos ψ)
        across = s / SOLAR_RADIUS * sigma / 3600.0
        error = across * math.sqrt(0.5 * (1.0 + 1.0 / math.cos(math.radians(angle)) ** 2))
    return SunPosition(lon, lat, off_limb=False, height=0.0, angle=angle, sigma=error)


def seen_from(position: SunPosition, observer: Observer) -> View:
    """A source as another observer sees it, see `View`."""
    vector, place = position.vector, observer.vector
    line = place - vector
    toward = _unit(observer.lon, observer.lat)
    # X west, Y north, Z toward the observer
    z = float(vector @ toward)
    west = float(vector @ _unit(observer.lon + 90.0, 0.0))
    north = float(vector @ np.cross(toward, _unit(observer.lon + 90.0, 0.0)))
    # θx = atan2(X, D - Z),  θy = asin(Y / d)
    theta_x = math.atan2(west, observer.distance - z)
    theta_y = math.asin(north / float(np.linalg.norm(line)))
    angle = _angle(vector, line)
    from_center = _angle(vector, toward)
    # hidden inside the tangent cone behind the terminator: Z < R²/D and ρ < R √(1 - R²/D²) (1 - Z/D) / (1 - R²/D²)
    ratio = SOLAR_RADIUS / observer.distance
    cone = SOLAR_RADIUS * math.sqrt(1.0 - ratio**2) * (1.0 - z / observer.distance) / (1.0 - ratio**2)
    visible = z >= SOLAR_RADIUS * ratio or math.hypot(west, north) > cone
    beyond = from_center - observer.horizon
    # lowest height seen: h = R (1 / cos(ψ - ψ_max) - 1)
    lowest = SOLAR_RADIUS * (1.0 / math.cos(math.radians(beyond)) - 1.0) if 0.0 < beyond < 90.0 else 0.0
    if beyond >= 90.0:
        lowest = math.inf
    near = abs(beyond) <= position.spread
    return View(
        math.degrees(theta_x) * 3600.0,
        math.degrees(theta_y) * 3600.0,
        visible,
        "limb" if near else "on disk" if visible else "behind",
        angle,
        lowest,
    )


def light_delays(position: SunPosition, solo: Observer, earth: Observer) -> tuple[float, float]:
    """Light time from a source to the Earth less that to Solar Orbiter, and that to Solar Orbiter; s."""
    to_solo = float(np.linalg.norm(solo.vector - position.vector)) / LIGHT
    to_earth = float(np.linalg.norm(earth.vector - position.vector)) / LIGHT
    return to_earth - to_solo, to_solo


def sol_identifier(earth_peak: np.datetime64, carrington_lon: float | None = None, lat: float | None = None) -> str:
    """Identifier of a flare, such as SOL2011-02-15T01:56:00L021C110 (Leibacher et al. 2010, Sol. Phys. 263, 1).

    Parameters
    ----------
    earth_peak : datetime64
        Time of the peak at the Earth, UTC.
    carrington_lon, lat : float or None, deg
        Carrington longitude and heliographic latitude; without them the identifier has only the time.
    """
    to_nearest = earth_peak.astype("datetime64[us]") + np.timedelta64(500_000, "us")
    text = f"SOL{np.datetime64(to_nearest, 's')}"
    if carrington_lon is None or lat is None:
        return text
    return f"{text}L{round(carrington_lon) % 360:03d}C{round(90.0 - lat):03d}"


def _unit(lon: float, lat: float) -> Vector:
    lam, phi = math.radians(lon), math.radians(lat)
    return np.array([math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)])


def _angle(a: Vector, b: Vector) -> float:
    """Angle between two vectors, deg; accurate for small angles."""
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def _heliographic(west: float, north: float, toward: float, observer: Observer) -> tuple[float, float]:
    """Longitude and latitude, deg, of a heliocentric position."""
    radius = math.sqrt(west**2 + north**2 + toward**2)
    sin_b, cos_b = math.sin(math.radians(observer.lat)), math.cos(math.radians(observer.lat))
    # lat = asin((Y cos B0 + Z sin B0) / r),  lon = atan2(X, Z cos B0 - Y sin B0) + Φ0
    lat = math.degrees(math.asin((north * cos_b + toward * sin_b) / radius))
    lon = math.degrees(math.atan2(west, toward * cos_b - north * sin_b)) + observer.lon
    return (lon + 180.0) % 360.0 - 180.0, lat


def _beyond_limb(theta_x: float, theta_y: float, q: float, observer: Observer) -> SunPosition:
    """The nearest point of the limb, and the height above it in the plane of that point."""
    limb = math.radians(observer.horizon)
    west, north = math.cos(theta_y) * math.sin(theta_x), math.sin(theta_y)
    scale = SOLAR_RADIUS * math.sin(limb) / math.hypot(west, north)
    lon, lat = _heliographic(west * scale, north * scale, SOLAR_RADIUS * math.cos(limb), observer)
    # h = (ρ / ρ_limb - 1) R,  sin ρ_limb = R / D
    height = (math.acos(q) / math.asin(SOLAR_RADIUS / observer.distance) - 1.0) * SOLAR_RADIUS
    to_observer = observer.vector - SOLAR_RADIUS * _unit(lon, lat)
    return SunPosition(lon, lat, off_limb=True, height=height, angle=_angle(_unit(lon, lat), to_observer))


def _days(time: np.datetime64) -> float:
    """Days since J2000 (TT, within 2 ms of TDB), without the cost of `astropy.time.Time`."""
    utc = float((time.astype("datetime64[us]") - _NOON_2000) / np.timedelta64(1, "D"))
    day, fraction = erfa.taitt(*erfa.utctai(J2000, utc))
    return float((day - J2000) + fraction)


def _earth(time: np.datetime64) -> Vector:
    """Position of the Earth from the Sun, ICRS axes, m."""
    heliocentric, _ = erfa.epv00(J2000, _days(time))
    return np.asarray(heliocentric["p"], dtype=float) * AU


_NOON_2000 = np.datetime64("2000-01-01T12:00", "us")
_RA, _DEC = (math.radians(angle) for angle in POLE)
_POLE = np.array([math.cos(_DEC) * math.cos(_RA), math.cos(_DEC) * math.sin(_RA), math.sin(_DEC)])
_NODE = np.array([-math.sin(_RA), math.cos(_RA), 0.0])
_EAST = np.cross(_POLE, _NODE)
