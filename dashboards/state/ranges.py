"""Times and energies as people type them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from dashboards.state.errors import NotUnderstood

_TIME = re.compile(r"(\d{4}(?:-\d{2}(?:-\d{2}(?:[T ]\d{2}(?::\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)?)?)?)Z?", re.ASCII)
#: Solar Orbiter was launched in February 2020.
EARLIEST = np.datetime64("2020")
_BAND = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*[-–]\s*(\d{1,4}(?:\.\d{1,3})?)\s*(?:keV)?", re.ASCII | re.IGNORECASE)


def earliest(text: str) -> np.datetime64 | None:
    """First moment of a time that may be given in part: "2022-11" is 2022-11-01T00:00:00.

    Parameters
    ----------
    text : str
        Year, month, day, hour, minute or second, ISO 8601, UTC; empty for no limit.

    Returns
    -------
    datetime64[us] or None

    Raises
    ------
    NotUnderstood
        When it is no time.
    """
    time = _parsed(text)
    return None if time is None else time.astype("datetime64[us]")


def latest(text: str) -> np.datetime64 | None:
    """The moment after a time that may be given in part: "2022-11" is 2022-12-01T00:00:00; arguments as `earliest`."""
    time = _parsed(text)
    if time is None:
        return None
    unit: Any = np.datetime_data(time.dtype)[0]  # the precision it was given in
    after: np.datetime64 = (time + np.timedelta64(1, unit)).astype("datetime64[us]")
    return after


def energy_band(text: str) -> tuple[float, float] | None:
    """Lower and upper edge, keV, from "4-10" or "4–10 keV"; None from nothing.

    Raises
    ------
    NotUnderstood
        When it is no range, or an empty one.
    """
    if not text.strip():
        return None
    found = _BAND.fullmatch(text.strip())
    if found is None or float(found[1]) >= float(found[2]):
        message = f"“{text}” is no energy range; write 4-10"
        raise NotUnderstood(message)
    return float(found[1]), float(found[2])


def _parsed(text: str) -> np.datetime64 | None:
    """A time with the precision it was given in, so that adding one gives the end of that year, day or second."""
    if not text.strip():
        return None
    found = _TIME.fullmatch(text.strip())
    try:
        time = np.datetime64(found[1].replace(" ", "T")) if found else None
    except ValueError:  # a thirteenth month
        time = None
    if time is None or time < EARLIEST:
        message = f"“{text}” is no time; write 2022, 2022-11-11 or 2022-11-11T13:56"
        raise NotUnderstood(message)
    return time
