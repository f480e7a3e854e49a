"""What the standard prescribes: version, errors, times, parameters.

Heliophysics Application Programmer's Interface, version 3.2: sections 3 (endpoints), 4 (status codes) and 5
(representation of time). Version 3.2 and not 3.3, because few clients know that one yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from stixcore.errors import StixError

VERSION = "3.2"
#: Code → HTTP status and text.
STATUS: Mapping[int, tuple[int, str]] = {
    1200: (200, "OK"),
    1201: (200, "OK - no data for time range"),
    1400: (400, "user input error"),
    1401: (400, "unknown request field"),
    1402: (400, "error in start time"),
    1403: (400, "error in stop time"),
    1404: (400, "start time equal to or after stop time"),
    1405: (400, "time outside valid range"),
    1406: (404, "unknown dataset id"),
    1407: (404, "unknown dataset parameter"),
    1408: (400, "too much time or data requested"),
    1409: (400, "unsupported output format"),
    1410: (400, "unsupported include value"),
    1411: (400, "out of order or duplicate parameters"),
    1412: (400, "unsupported resolve_references value"),
    1413: (400, "unsupported depth value"),
    1500: (500, "internal server error"),
    1501: (500, "upstream request error"),
}
#: Stands for unknown numbers; the same in all formats, as JSON has no NaN. That of the ISTP guidelines.
FILL, INTEGER_FILL = -1e31, -(2**31)
#: Stands for unknown times; that of the ISTP guidelines.
TIME_FILL = "9999-12-31T23:59:59.999999Z"
#: Length of every time: microseconds and Z.
TIME_LENGTH = len(TIME_FILL)

_TIME = re.compile(
    r"(?P<year>\d{4})(?:-(?P<day_of_year>\d{3})|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?"
    r"(?:T(?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{0,12}))?)?)?)?Z?",
    re.ASCII,
)


class HapiError(StixError):
    """A request that is refused.

    Parameters
    ----------
    code : int
        One of `STATUS`.
    detail : str
        A sentence for the visitor.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        self.code, self.detail = code, detail
        super().__init__(message_of(code, detail))


def status(code: int, detail: str = "") -> dict[str, Any]:
    """The beginning of every answer: version and status."""
    return {"HAPI": VERSION, "status": {"code": code, "message": message_of(code, detail)}}


def message_of(code: int, detail: str = "") -> str:
    """Message of a code as the standard has it, and a detail."""
    text = STATUS[code][1] if code < 1400 else f"HAPI error {code}: {STATUS[code][1]}"
    return f"{text}: {detail}" if detail else text


def read_time(text: str) -> np.datetime64:
    """A time of a request, rounded up to microseconds; it may be truncated, and lack Z.

    Parameters
    ----------
    text : str
        As in ``2022Z``, ``2022-11``, ``2022-11-11T01:30Z``, ``2022-315T01:30:00.5Z``.

    Raises
    ------
    ValueError
        If it is not a time.
    """
    found = _TIME.fullmatch(text)
    complete = found and (found["hour"] is None or found["day_of_year"] or found["day"])
    if not found or not complete:
        message = f"expected a time such as 2022-11-11T01:30:00Z or 2022-315, found {text[:40]!r}"
        raise ValueError(message)
    part = {name: int(value) for name, value in found.groupdict().items() if value and name != "fraction"}
    day = datetime(part["year"], part.get("month", 1), part.get("day", 1))  # noqa: DTZ001 (all times are UTC)
    if "day_of_year" in part:
        day += timedelta(days=part["day_of_year"] - 1)
        if day.year != part["year"]:
            message = f"day {part['day_of_year']} is not in the year {part['year']}"
            raise ValueError(message)
    day = day.replace(hour=part.get("hour", 0), minute=part.get("minute", 0), second=part.get("second", 0))
    picoseconds = int((found["fraction"] or "").ljust(12, "0"))
    return np.datetime64(day, "us") + np.timedelta64(-(-picoseconds // 1_000_000), "us")


def write_time(time: np.datetime64) -> str:
    """A time as it is in data."""
    return f"{np.datetime_as_string(time.astype('datetime64[us]'))}Z"


@dataclass(frozen=True)
class Bins:
    """What the elements of an array are: name and unit of an axis, and a range of it for each element."""

    name: str
    units: str
    ranges: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Parameter:
    """A column of a dataset.

    Attributes
    ----------
    name : str
    type : str
        "isotime", "string", "double" or "integer".
    description : str
    units : str or None
        As astropy reads them; None for numbers without unit and for text.
    length : int or None, byte
        Of text; of times it is `TIME_LENGTH`.
    bins : Bins or None
        Makes it an array.
    """

    name: str
    type: str
    description: str
    units: str | None = None
    length: int | None = None
    bins: Bins | None = None

    @property
    def size(self) -> int | None:
        """Number of elements of an array; None for one value."""
        return None if self.bins is None else len(self.bins.ranges)

    @property
    def bytes(self) -> int:
        """Length in a binary record."""
        return self.length or {"isotime": TIME_LENGTH, "double": 8, "integer": 4}[self.type] * (self.size or 1)

    def document(self, *, first: bool) -> dict[str, Any]:
        """Its description in ``info``; the ``first`` one is the time of the record, which is never unknown."""
        fills = {"isotime": TIME_FILL, "string": "", "double": repr(FILL), "integer": str(INTEGER_FILL)}
        found: dict[str, Any] = {"name": self.name, "type": self.type}
        if self.type in {"isotime", "string"}:
            found["length"] = self.bytes
        if self.size is not None:
            found["size"] = [self.size]
        found["units"] = "UTC" if self.type == "isotime" else self.units
        found["fill"] = None if first else fills[self.type]
        found["description"] = self.description
        if self.bins is not None:
            ranges = [list(one) for one in self.bins.ranges]
            found["bins"] = [{"name": self.bins.name, "units": self.bins.units, "ranges": ranges}]
        return found
