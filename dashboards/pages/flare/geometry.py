"""Where Sun, Earth, Solar Orbiter and the flare are: drawings and text.

The first drawing looks from the north on the plane of the solar equator, with the Earth at the bottom: Stonyhurst
longitudes grow counterclockwise. The others show the Sun as Solar Orbiter and the Earth see it, each with the limb of
the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from archive import Flare
from dashboards.pages.flare.content import FlareContent
from dashboards.pages.flare.picture_drawing import connected
from dashboards.shared import formatting
from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import AU, Observer, earth_at
from stixcore.solar_grid import heliographic_grid

#: Radius of the Sun and of 1 au in the drawing from the north, and half the side of the drawing.
SUN, ONE_AU, HALF = 46.0, 132.0, 168.0
#: Radius of the Sun and half the side of the drawings of the disk.
DISK, DISK_HALF = 100.0, 122.0
#: Every so many points of the lines of the grid are drawn, one per 3°.
THINNED = 12
SOLO, EARTH = "solo", "earth"
SEEN_FROM = {
    SOLO: "From Solar Orbiter, with the Earth's limb",
    EARTH: "From the Earth, with Solar Orbiter's limb",
}


@dataclass(frozen=True)
class Geometry:
    """Places of both observers, and of the flare (Stonyhurst longitude and latitude, deg); None if unknown."""

    solo: Observer | None
    earth: Observer
    place: tuple[float, float] | None

    @property
    def separation(self) -> float | None:
        """Angle between Earth and Solar Orbiter, seen from the Sun, deg."""
        return None if self.solo is None else angle_between(self.solo, self.earth)


def geometry_of(content: FlareContent) -> Geometry:
    """Geometry at the peak of a flare; the observer of its images where the flare has none."""
    flare = content.flare
    solo = observer_of(flare.hgln, flare.hglt, flare.dsun_au) or _observer_of_images(content)
    place = (
        (flare.stonyhurst_lon, flare.stonyhurst_lat)
        if flare.stonyhurst_lon is not None and flare.stonyhurst_lat is not None
        else None
    )
    return Geometry(solo, earth_at(flare.t_peak), place)


def observer_of(lon: float | None, lat: float | None, distance_au: float | None) -> Observer | None:
    """An observer from columns of the index; None if one is unknown."""
    if lon is None or lat is None or distance_au is None:
        return None
    return Observer(lon, lat, distance_au * AU)


def angle_between(one: Observer, other: Observer) -> float:
    """Angle between two observers, seen from the Sun, deg."""
    a, b = one.vector, other.vector
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def geometry_html(content: FlareContent) -> str:
    """Drawings and text."""
    known = geometry_of(content)
    if known.solo is None:
        return '<p class="nothing">The position of Solar Orbiter at this time is unknown.</p>'
    views = "".join(
        f"<figure>{disk_svg(known, observer)}<figcaption>{said}</figcaption></figure>"
        for observer, said in SEEN_FROM.items()
    )
    return (
        f'<div class="drawings"><figure>{north_svg(known)}<figcaption>From the north; distances to scale, '
        f"the Sun is not</figcaption></figure>{views}</div>{facts_html(content.flare, known)}"
    )


def north_svg(known: Geometry) -> str:
    """Positions in the plane of the solar equator, seen from the north."""
    arcs = [_hemisphere(known.earth.lon, SUN + 5, EARTH)]
    bodies = [_body(known.earth, "Earth", EARTH)]
    if known.solo is not None:
        arcs.append(_hemisphere(known.solo.lon, SUN + 10, SOLO))
        bodies.append(_body(known.solo, "Solar Orbiter", SOLO))
    flare = ""
    if known.place is not None:
        lon, lat = known.place
        r = SUN * math.cos(math.radians(lat))
        (x, y), (far_x, far_y) = _polar(lon, r), _polar(lon, SUN + 38)
        flare = (
            f'<path class="vertical" d="M{x:.1f} {y:.1f}L{far_x:.1f} {far_y:.1f}"/>'
            f'<circle class="place" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        )
    side = 2 * HALF
    return (
        f'<svg class="north" viewBox="{-HALF} {-HALF} {side} {side}" role="img" aria-label="Sun, Earth, Solar Orbiter '
        f'and flare, seen from the north"><circle class="orbit" r="{ONE_AU}"/><circle class="sun" r="{SUN}"/>'
        f"{''.join(arcs)}{''.join(bodies)}{flare}</svg>"
    )


def disk_svg(known: Geometry, observer: str) -> str:
    """The Sun as an observer sees it, with grid, flare, and the limb of the other observer."""
    me, other = (known.solo, known.earth) if observer == SOLO else (known.earth, known.solo)
    if me is None:
        return ""
    grid = "".join(
        f'<path class="grid" d="{connected(x[::THINNED], -y[::THINNED])}"/>'
        for x, y in heliographic_grid(DISK, me.lat, step=15.0)
    )
    limb = ""
    if other is not None:
        x, y, toward = seen_by(me, *circle_about(other))
        limb = f'<path class="limb {EARTH if observer == SOLO else SOLO}" d="{connected(_front(x, toward), -y)}"/>'
    place = ""
    if known.place is not None:
        x, y, toward = seen_by(me, *(np.array([angle]) for angle in known.place))
        kind = "place" if toward[0] > 0 else "place hidden"
        place = f'<circle class="{kind}" cx="{x[0]:.1f}" cy="{-y[0]:.1f}" r="5"/>'
    side = 2 * DISK_HALF
    name = "Solar Orbiter" if observer == SOLO else "the Earth"
    return (
        f'<svg class="disk" viewBox="{-DISK_HALF} {-DISK_HALF} {side} {side}" role="img" '
        f'aria-label="The Sun as seen from {name}"><circle class="sun {observer}" r="{DISK}"/>{grid}{limb}{place}</svg>'
    )


def circle_about(observer: Observer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stonyhurst longitudes and latitudes of the limb that an observer sees, deg."""
    toward = observer.vector / observer.distance
    east = np.array([-math.sin(math.radians(observer.lon)), math.cos(math.radians(observer.lon)), 0.0])
    north, psi = np.cross(toward, east), math.acos(SOLAR_RADIUS / observer.distance)
    turn = np.linspace(0.0, 2.0 * np.pi, 181)[:, None]
    points = math.cos(psi) * toward + math.sin(psi) * (np.cos(turn) * east + np.sin(turn) * north)
    return np.degrees(np.arctan2(points[:, 1], points[:, 0])), np.degrees(np.arcsin(points[:, 2]))


def seen_by(
    observer: Observer, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points of the surface as a distant observer sees them: west, north, toward the observer; unit of the drawing."""
    lam, phi, tilt = np.radians(lon - observer.lon), np.radians(lat), math.radians(observer.lat)
    west = np.cos(phi) * np.sin(lam)
    north = np.sin(phi) * math.cos(tilt) - np.cos(phi) * np.cos(lam) * math.sin(tilt)
    toward = np.sin(phi) * math.sin(tilt) + np.cos(phi) * np.cos(lam) * math.cos(tilt)
    return DISK * west, DISK * north, DISK * toward


def facts_html(flare: Flare, known: Geometry) -> str:
    """Angles and light times as text."""
    solo = known.solo
    rows = [
        ("Solar Orbiter", _observer(solo) if solo is not None else formatting.UNKNOWN),
        ("Earth", _observer(known.earth)),
        ("Angle Earth – Sun – Solar Orbiter", _degrees(known.separation)),
        ("Local vertical to Solar Orbiter", _degrees(flare.solo_angle)),
        ("Local vertical to the Earth", _degrees(flare.earth_angle)),
        ("Light from the flare to Solar Orbiter", _seconds(flare.sun_delay_s)),
        ("Light reaches the Earth later by", _seconds(flare.earth_delay_s)),
        ("Seen from the Earth", earth_view(flare)),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f"<dl>{listed}</dl>"


def earth_view(flare: Flare) -> str:
    """Whether the Earth sees the flare, one phrase of HTML."""
    if flare.earth_view is None:
        return formatting.UNKNOWN
    if flare.earth_view == "behind":
        lowest = flare.earth_lowest_height
        height = f", hidden up to a height of {formatting.number(lowest, '.1f')} Mm" if lowest is not None else ""
        return f"behind the limb{height}"
    return "at the limb, within its error" if flare.earth_view == "limb" else escape(flare.earth_view)


def _observer_of_images(content: FlareContent) -> Observer | None:
    """Place of Solar Orbiter from the header of an image."""
    for one in (content.thermal, content.nonthermal):
        header = {} if one is None else one.file.header
        if {"HGLN_OBS", "HGLT_OBS", "DSUN_OBS"} <= header.keys():
            return Observer(float(header["HGLN_OBS"]), float(header["HGLT_OBS"]), float(header["DSUN_OBS"]))
    return None


def _polar(lon: float, radius: float) -> tuple[float, float]:
    """Position in the drawing from the north: longitude 0 at the bottom, growing counterclockwise."""
    return radius * math.sin(math.radians(lon)), radius * math.cos(math.radians(lon))


def _body(observer: Observer, name: str, kind: str) -> str:
    radius = observer.distance / AU * ONE_AU
    x, y = _polar(observer.lon, radius)
    anchor = "end" if x > HALF / 3 else "start" if x < -HALF / 3 else "middle"
    below = y + 20 if y > -HALF / 2 else y - 12
    return (
        f'<path class="sight {kind}" d="M0 0L{x:.1f} {y:.1f}"/><circle class="body {kind}" cx="{x:.1f}" cy="{y:.1f}" '
        f'r="6"/><text x="{x:.1f}" y="{below:.1f}" text-anchor="{anchor}">{name}</text>'
    )


def _hemisphere(lon: float, radius: float, kind: str) -> str:
    """Arc along the half of the Sun that an observer at this longitude sees."""
    (x0, y0), (x1, y1) = _polar(lon - 90.0, radius), _polar(lon + 90.0, radius)
    return f'<path class="seen {kind}" d="M{x0:.1f} {y0:.1f}A{radius} {radius} 0 0 0 {x1:.1f} {y1:.1f}"/>'


def _front(x: NDArray[np.float64], toward: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(toward > 0, x, np.nan)


def _observer(observer: Observer) -> str:
    lon, lat = formatting.number(observer.lon, ".1f"), formatting.number(observer.lat, ".1f")
    return f"{formatting.number(observer.distance / AU, '.3f')} au, longitude {lon}°, latitude {lat}° <i>Stonyhurst</i>"


def _degrees(value: float | None) -> str:
    return formatting.UNKNOWN if value is None else f"{formatting.number(value, '.1f')}°"


def _seconds(value: float | None) -> str:
    return formatting.UNKNOWN if value is None else f"{formatting.number(value, '.1f')} s"
