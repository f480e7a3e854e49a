"""Times, energies, positions and GOES classes from text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from dashboards.shared.errors import NotUnderstood
from stixcore.errors import SelectionError
from stixcore.flares.goes import flux_of_class
from stixcore.times import without_utc

_TIME = re.compile(r"(\d{4}(?:-\d{2}(?:-\d{2}(?:[T ]\d{2}(?::\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)?)?)?)", re.ASCII)
#: Solar Orbiter was launched in February 2020.
EARLIEST = np.datetime64("2020")
_BAND = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*[-–]\s*(\d{1,4}(?:\.\d{1,3})?)\s*(?:keV)?", re.ASCII | re.IGNORECASE)

_NUMBER = r"-?\d{1,7}(?:\.\d{1,3})?"
_RANGE = re.compile(rf"({_NUMBER})?\s*(?:\.\.+|…|to|:)\s*({_NUMBER})?", re.ASCII | re.IGNORECASE)
_ONE_SIDED = re.compile(r"(≥|>=?|≤|<=?)\s*(.+)")
_CLASSES = re.compile(r"([A-Z][\d.]*)\s*(?:-|–|to|\.\.+|…)\s*([A-Z][\d.]*)", re.ASCII)
#: Flux range of a letter alone, up to the next letter's, W m⁻².
_LETTERS = {"A": (1e-8, 1e-7), "B": (1e-7, 1e-6), "C": (1e-6, 1e-5), "M": (1e-5, 1e-4), "X": (1e-4, None)}

type Ends = tuple[float | None, float | None]


def earliest(text: str) -> np.datetime64 | None:
    """First moment of a time that may be incomplete: "2022-11" is 2022-11-01T00:00:00.

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
        If it is not a time.
    """
    time = _parsed(text)
    return None if time is None else time.astype("datetime64[us]")


def latest(text: str) -> np.datetime64 | None:
    """First moment after a time that may be incomplete: "2022-11" is 2022-12-01T00:00:00; arguments as `earliest`."""
    time = _parsed(text)
    if time is None:
        return None
    unit: Any = np.datetime_data(time.dtype)[0]  # the precision of the text
    after: np.datetime64 = (time + np.timedelta64(1, unit)).astype("datetime64[us]")
    return after


def energy_band(text: str) -> tuple[float, float] | None:
    """Lower and upper edge [keV] from "4-10" or "4–10 keV"; None from empty text.

    Raises
    ------
    NotUnderstood
        If it is not a range, or an empty one.
    """
    if not text.strip():
        return None
    found = _BAND.fullmatch(text.strip())
    if found is None or float(found[1]) >= float(found[2]):
        message = f"“{text}” is not an energy range (example: 4-10)"
        raise NotUnderstood(message)
    return float(found[1]), float(found[2])


def number_range(text: str) -> Ends:
    """Lower and upper end from "-600..-400", "-600 to -400", "≥ 500" or "..0"; None for an open end.

    Raises
    ------
    NotUnderstood
        If it is not a range, or an empty one.
    """
    plain = text.strip().replace("−", "-").removesuffix("″")
    if not plain:
        return None, None
    low, high = _ends(plain)
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        message = f"“{text}” is not a range (examples: -600..-400, ≥ 500)"
        raise NotUnderstood(message)
    return low, high


def at_least(text: str) -> float | None:
    """A minimum: "10000", "10 000" or "≥ 10,000"; None from empty text.

    Raises
    ------
    NotUnderstood
        If it is not a number.
    """
    plain = re.sub(r"[\s,]", "", text).lstrip("≥>=")
    if not text.strip():
        return None
    if not re.fullmatch(_NUMBER, plain, re.ASCII):
        message = f"“{text}” is not a number (example: 10000)"
        raise NotUnderstood(message)
    return float(plain)


def goes_range(text: str) -> Ends:
    """Lowest and highest GOES flux [W m⁻²] from "C1" or "≥ C1" (and above), "< M1", "C1-M5" or "C" (all of C).

    The upper end is exclusive, but a class named as the upper end is included.

    Raises
    ------
    NotUnderstood
        If it is neither a class nor a range of classes.
    """
    plain = re.sub(r"\s+", " ", text.strip()).upper().replace("TO", "to").removesuffix("+")
    if not plain:
        return None, None
    try:
        low, high = _goes_ends(plain)
    except SelectionError as error:
        message = f"“{text}” is not a GOES class (examples: C1 for C1 and above, C1-M5, C, < M1)"
        raise NotUnderstood(message) from error
    if low is not None and high is not None and low >= high:
        message = f"“{text}” ends at a lower GOES class than it starts"
        raise NotUnderstood(message)
    return low, high


def _ends(text: str) -> Ends:
    one_sided = _ONE_SIDED.fullmatch(text)
    if one_sided is not None and re.fullmatch(_NUMBER, one_sided[2], re.ASCII):
        return (float(one_sided[2]), None) if one_sided[1][0] in "≥>" else (None, float(one_sided[2]))
    found = _RANGE.fullmatch(text)
    if found is None:
        return None, None
    return tuple(None if end is None else float(end) for end in found.groups())  # type: ignore[return-value]


def _goes_ends(text: str) -> Ends:
    one_sided, pair = _ONE_SIDED.fullmatch(text), _CLASSES.fullmatch(text)
    if one_sided is not None:
        first, last = _class_span(one_sided[2])
        match one_sided[1]:
            case "≥" | ">=" | ">":
                return first, None
            case "≤" | "<=":
                return None, last
            case _:
                return None, first
    if pair is not None:
        return _class_span(pair[1])[0], _class_span(pair[2])[1]
    return _class_span(text) if text in _LETTERS else (_class_span(text)[0], None)


def _class_span(text: str) -> Ends:
    """Flux range of a class, upper end exclusive; a letter alone spans all its classes."""
    flux = flux_of_class(text)
    if flux is None:
        return _LETTERS[text]
    return flux, float(np.nextafter(flux, np.inf))


def _parsed(text: str) -> np.datetime64 | None:
    """A time with the precision of the text, so that adding one gives the end of that year, day or second."""
    if not text.strip():
        return None
    try:
        found = _TIME.fullmatch(without_utc(text))
    except SelectionError as error:  # a UTC offset
        raise NotUnderstood(str(error)) from error
    try:
        time = np.datetime64(found[1].replace(" ", "T")) if found else None
    except ValueError:  # for example a thirteenth month
        time = None
    if time is None or time < EARLIEST:
        message = f"“{text}” is not a time (examples: 2022, 2022-11-11, 2022-11-11T13:56)"
        raise NotUnderstood(message)
    return time
