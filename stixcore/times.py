"""Read and write times as text. Times are UTC at Solar Orbiter."""

from __future__ import annotations

import re

import numpy as np

from stixcore.errors import SelectionError

_ISO_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?)")
#: A time of day with its zone; URL decoding may have turned ``+00:00`` into `` 00:00``.
_ZONED = re.compile(
    r"(?P<time>.*\d{2}:\d{2}(:\d{2}(\.\d+)?)?)\s*(?P<zone>[Zz]|[+-]\d{2}(:?\d{2})?|(?<=\S) 00:00)", re.ASCII
)


def without_utc(text: str) -> str:
    """Remove the UTC designator from a time: a final ``Z``, ``+00:00`` or ``+0000``.

    Raises
    ------
    SelectionError
        When the time has another offset. It is not converted, as a local time is probably a mistake here.
    """
    text = text.strip()
    zoned = _ZONED.fullmatch(text)
    if zoned is None:
        return text.removesuffix("Z")
    if zoned["zone"].strip("Zz+- 0:"):
        message = f"{text!r} has the offset {zoned['zone']}; write it in UTC, as 2022-11-11T11:36:00 or with +00:00"
        raise SelectionError(message)
    return zoned["time"]


def parse_time(text: str) -> np.datetime64:
    """Parse an ISO 8601 time in UTC (with or without ``Z`` or ``+00:00``) to datetime64[us].

    Raises
    ------
    SelectionError
        When the text is not a valid time.
    """
    bare = without_utc(text)
    try:
        # NumPy also accepts "today" and bare numbers
        time: np.datetime64 = np.datetime64(bare if _ISO_TIME.fullmatch(bare) else "NaT", "us")
    except ValueError:
        time = np.datetime64("NaT", "us")
    if np.isnat(time):
        message = f"{text!r} is not a time; write it as 2022-11-11T11:36:00 (UTC at Solar Orbiter)"
        raise SelectionError(message)
    return time


def format_time(time: np.datetime64) -> str:
    """Time in ISO 8601, rounded to milliseconds."""
    rounded = (time.astype("datetime64[us]") + np.timedelta64(500, "us")).astype("datetime64[ms]")
    return str(rounded)
