"""Cones on the Sun: POINT, CIRCLE, CONTAINS and DISTANCE on heliographic and helioprojective coordinates.

The first argument of POINT and CIRCLE names the frame. In 'STONYHURST' and 'CARRINGTON' (or HGS and HGC), and without a
frame, coordinates, radii and distances are in degrees on the sphere. In 'HELIOPROJECTIVE' (or HPC) all of them are in
arcsec, as the columns are, on the sky of Solar Orbiter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dashboards.server.tap.published import Kind
from dashboards.server.tap.refusals import Refused, shortened
from dashboards.server.tap.terms import NUMBERS, Term, of_kind

#: Frame by its names: degrees of a unit of its coordinates. No frame is any spherical one in degrees.
FRAMES = {
    "": "",
    "STONYHURST": "STONYHURST", "HGS": "STONYHURST",
    "CARRINGTON": "CARRINGTON", "HGC": "CARRINGTON",
    "HELIOPROJECTIVE": "HELIOPROJECTIVE", "HPC": "HELIOPROJECTIVE",
}  # fmt: skip
NAMES = "POINT", "CIRCLE", "CONTAINS", "DISTANCE"
_ARCSEC = 1.0 / 3600.0


def geometry(name: str, arguments: Sequence[Term]) -> Term:
    """A geometric function.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    arguments : sequence of Term

    Raises
    ------
    Refused
        If the function does not take these arguments.
    """
    if name == "POINT":
        return _shape(name, Kind.POINT, arguments, 2)
    if name == "CIRCLE":
        return _circle(arguments)
    if name == "CONTAINS":
        return _contains(arguments)
    return _distance(arguments)


def _shape(name: str, kind: Kind, arguments: Sequence[Term], coordinates: int) -> Term:
    frame = ""
    if len(arguments) == coordinates + 1:
        frame, arguments = _frame(name, arguments[0]), arguments[1:]
    if len(arguments) != coordinates:
        message = f"{name} takes a frame and {coordinates} numbers"
        raise Refused(message)
    for term in arguments:
        of_kind(term, *NUMBERS, where=name)
        if len(term.sql) > 200:  # it is repeated in the distance
            message = f"{name} takes columns, numbers and short expressions of them"
            raise Refused(message)
    return Term("", kind, place=tuple(arguments), frame=frame)


def _frame(name: str, term: Term) -> str:
    found = (term.literal or "").strip().upper() if term.kind is Kind.TEXT else None
    if found not in FRAMES:
        known = ", ".join(repr(frame) for frame in FRAMES if frame)
        message = f"{name} takes a frame as its first argument: {known}; found {shortened(term.literal or '')!r}"
        raise Refused(message)
    return FRAMES[found]


def _circle(arguments: Sequence[Term]) -> Term:
    if len(arguments) == 2 and arguments[0].kind is Kind.POINT:  # ADQL 2.1
        center, radius = arguments
        of_kind(radius, *NUMBERS, where="CIRCLE")
        return Term("", Kind.CIRCLE, place=(*center.place, radius), frame=center.frame)
    return _shape("CIRCLE", Kind.CIRCLE, arguments, 3)


def _contains(arguments: Sequence[Term]) -> Term:
    if [term.kind for term in arguments] != [Kind.POINT, Kind.CIRCLE]:
        message = "CONTAINS takes a POINT and a CIRCLE"
        raise Refused(message)
    point, circle = arguments
    frame = _common(point, circle)
    *center, radius = circle.place
    inside = f"{_angle(point.place, center, frame)} <= {radius.sql}"
    latitude = center[1]
    condition = inside
    if latitude.literal is not None and radius.literal is not None:  # cheaper, and true of every point inside
        condition = f"abs({point.place[1].sql} - {latitude.sql}) <= {radius.sql} AND {inside}"
    return Term(f"CAST({inside} AS INTEGER)", Kind.INTEGER, condition=f"({condition})")


def _distance(arguments: Sequence[Term]) -> Term:
    if len(arguments) == 4:  # ADQL 2.1
        first, second = (_shape("DISTANCE", Kind.POINT, arguments[at : at + 2], 2) for at in (0, 2))
    elif [term.kind for term in arguments] == [Kind.POINT, Kind.POINT]:
        first, second = arguments
    else:
        message = "DISTANCE takes two POINTs, or four numbers"
        raise Refused(message)
    return Term(_angle(first.place, second.place, _common(first, second)), Kind.REAL)


def _common(first: Term, second: Term) -> str:
    if first.frame != second.frame:
        message = f"the frames {first.frame or 'none'!r} and {second.frame or 'none'!r} are not the same"
        raise Refused(message)
    return first.frame


def _angle(first: Sequence[Term], second: Sequence[Term], frame: str) -> str:
    """Angle between two places on a sphere, in the unit of the frame: the haversine, which is exact for small ones."""
    unit = math.radians(_ARCSEC if frame == "HELIOPROJECTIVE" else 1.0)
    lon_1, lat_1, lon_2, lat_2 = (f"({term.sql}) * {unit!r}" for term in (*first, *second))
    square = (
        f"power(sin(({lat_1} - {lat_2}) / 2), 2) + cos({lat_1}) * cos({lat_2}) * power(sin(({lon_1} - {lon_2}) / 2), 2)"
    )
    # 1 - square may be a little below 0 between opposite places; least() would make a number of an unknown place
    return f"(2 * atan2(sqrt({square}), sqrt(abs(1 - ({square})))) / {unit!r})"
