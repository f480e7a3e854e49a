"""Place of the observer: the same in all systems that a header gives, and where Solar Orbiter can be."""

from __future__ import annotations

import math

from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import AU, LIGHT
from stixcore.image_files.standard import carrington_longitude
from stixcore.image_files.validation.findings import Findings, MapHeader
from stixcore.image_files.validation.times import middle_of

#: Distances of Solar Orbiter from Sun center, au, and its largest heliographic latitude, deg; with some margin.
NEAREST, FARTHEST, STEEPEST = 0.27, 1.03, 36.0
#: Longitudes of SPICE, sunpy and of a time a few minutes away differ by less, deg.
LONGITUDES = 0.2
LATITUDES = 0.05  # deg
#: Radii from different radii of the Sun differ by less, as a fraction.
RADII = 5e-3
DISTANCES = 1e-3


def check_observer(header: MapHeader) -> Findings:
    """Everything about the observer."""
    distance = header.number("DSUN_OBS")
    if distance is not None and not NEAREST * AU <= distance <= FARTHEST * AU:
        yield header.error(
            "DSUN_OBS", f"Solar Orbiter is at {NEAREST} to {FARTHEST} au; this is {distance / AU:.4g} au."
        )
        distance = None
    latitude = header.number("HGLT_OBS")
    if latitude is not None and abs(latitude) > STEEPEST:
        yield header.error("HGLT_OBS", f"Solar Orbiter does not go beyond a latitude of {STEEPEST:g} deg.")
    for keyword in ("CRLT_OBS", "SOLAR_B0"):
        other = header.number(keyword)
        if latitude is not None and other is not None and abs(latitude - other) > LATITUDES:
            yield header.error(keyword, f"It must be the same as HGLT_OBS = {latitude:.6g}.")
    yield from _carrington(header, distance)
    yield from _radius(header, distance)
    yield from _vectors(header, distance)
    sun_time = header.number("SUN_TIME")
    if distance is not None and sun_time is not None and abs(sun_time * LIGHT / distance - 1.0) > 2 * RADII:
        yield header.warning("SUN_TIME", f"From DSUN_OBS it is {distance / LIGHT:.1f} s.")


def _carrington(header: MapHeader, distance: float | None) -> Findings:
    lon, carrington, time = header.number("HGLN_OBS"), header.number("CRLN_OBS"), middle_of(header)
    if lon is not None and abs(lon) > 360.0:
        yield header.error("HGLN_OBS", "It must be within -180 to 180 deg.")
    elif lon is not None and carrington is not None and time is not None:
        # the light time within Solar Orbiter's orbit is 0.08 deg
        expected = carrington_longitude(lon, distance if distance is not None else 0.7 * AU, time)
        if _apart(carrington, expected) > LONGITUDES:
            same = _apart(carrington, lon) < LONGITUDES
            why = " This is the Stonyhurst longitude, as in science files of version 1." if same else ""
            yield header.error("CRLN_OBS", f"From HGLN_OBS and the time it is {expected:.3f} deg.{why}")


def _radius(header: MapHeader, distance: float | None) -> Findings:
    reference = header.number("RSUN_REF")
    if reference is not None and abs(reference / SOLAR_RADIUS - 1.0) > RADII:
        yield header.warning("RSUN_REF", f"The radius of the Sun is {SOLAR_RADIUS:.4g} m.")
    for keyword in ("RSUN_ARC", "RSUN_OBS"):
        found = header.number(keyword)
        if distance is not None and found is not None:
            expected = math.degrees(math.asin(SOLAR_RADIUS / distance)) * 3600.0
            if abs(found / expected - 1.0) > RADII:
                yield header.error(keyword, f"From DSUN_OBS it is {expected:.1f} arcsec.")


def _vectors(header: MapHeader, distance: float | None) -> Findings:
    """Lengths of the position in each system; early files have the X of HAE as its Z."""
    for system in ("HEE", "HCI", "HAE", "HEQ"):
        names = [f"{system}{axis}_OBS" for axis in "XYZ"]
        found = [header.number(name) for name in names]
        some = [value for value in found if value is not None]
        if not some:
            continue
        if len(some) < 3:
            missing = ", ".join(name for name, value in zip(names, found, strict=True) if value is None)
            yield header.note(names[found.index(some[-1])], f"{missing} is missing beside it.")
        elif distance is not None and abs(math.hypot(*some) / distance - 1.0) > DISTANCES:
            repeats = " It repeats that of X." if some[2] == some[0] else ""
            yield header.error(names[2], f"The length of the three components is not DSUN_OBS.{repeats}")
    x, y, lon = (header.number(key) for key in ("HEQX_OBS", "HEQY_OBS", "HGLN_OBS"))
    if x is not None and y is not None and lon is not None and math.hypot(x, y) > 0.0:
        expected = math.degrees(math.atan2(y, x))
        if _apart(lon, expected) > LONGITUDES:
            yield header.error(
                "HGLN_OBS", f"From HEQX_OBS and HEQY_OBS the Stonyhurst longitude is {expected:.3f} deg."
            )


def _apart(one: float, other: float) -> float:
    return abs((one - other + 180.0) % 360.0 - 180.0)
