"""Entries of the tracks in the record of a cube: numbers, times and energies, which pages can draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

#: Largest absolute value: a larger one is damage, and pages cannot draw it.
HIGHEST = 1e12


def read_number(value: Any) -> float | None:
    """A number of an entry; None if it is unknown or not finite."""
    return None if value is None or not np.isfinite(value) else float(value)


def read_ranges(
    entry: Mapping[str, Any], energies: tuple[str, str], track: str
) -> tuple[np.datetime64, np.datetime64, float, float]:
    """Start, end, lowest and highest energy [keV] of an entry.

    Parameters
    ----------
    entry : mapping
    energies : (str, str)
        Names of the two energies.
    track : str
        Name of the track, for messages.

    Raises
    ------
    ValueError, KeyError, TypeError
        When one is missing, or a range is empty or impossible.
    """
    start, end = (np.datetime64(str(entry[name]), "us") for name in ("t_start", "t_end"))
    low, high = (float(entry[name]) for name in energies)
    if not (start < end and 0.0 <= low < high < HIGHEST):
        message = f"{track}: expected ranges of time and energy, found {start} to {end}, {low:g} to {high:g} keV"
        raise ValueError(message)
    return start, end, low, high


def require_drawable(values: Iterable[float | None], track: str) -> None:
    """Refuse numbers that are too large or NaN; None is an unknown number.

    Raises
    ------
    ValueError
    """
    for value in values:
        if value is not None and not abs(value) < HIGHEST:
            message = f"{track}: expected numbers below {HIGHEST:g}, found {value}"
            raise ValueError(message)
