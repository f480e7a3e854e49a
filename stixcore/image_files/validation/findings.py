"""What the checks of a map find, and the header that they read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

type Value = str | bool | int | float


class Level(StrEnum):
    """How much a finding matters."""

    #: Wrong: software that uses the keyword goes wrong, or the file contradicts itself.
    ERROR = "error"
    #: Lacks what the standard asks for, or is doubtful.
    WARNING = "warning"
    #: Good to know.
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, missing or doubtful.

    Attributes
    ----------
    level : Level
    hdu : str
        Number of the extension, 0 for the primary one, with its name if it has one.
    keyword : str
        Empty where it is about the data or the whole extension.
    value : str, bool, int, float or None
        Value of the keyword; None where it is missing.
    text : str
        A sentence.
    """

    level: Level
    hdu: str
    keyword: str
    value: Value | None
    text: str


@dataclass(frozen=True)
class MapHeader:
    """Keywords of one image of a file.

    Attributes
    ----------
    hdu : str
        As in `Finding`.
    values : mapping of str to value
        Keywords that have a value.
    """

    hdu: str
    values: Mapping[str, Value]

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.values

    def number(self, keyword: str) -> float | None:
        """A finite number; None for a missing one and for other types."""
        value = self.values.get(keyword)
        if isinstance(value, (bool, str)) or value is None:
            return None
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:  # an integer of more than 308 digits
            return None

    def text(self, keyword: str) -> str | None:
        """A text without blanks at its ends; None for a missing or empty one and for other types."""
        value = self.values.get(keyword)
        return value.strip() or None if isinstance(value, str) else None

    def find(self, level: Level, keyword: str, text: str) -> Finding:
        """A finding about a keyword of this header."""
        return Finding(level, self.hdu, keyword, self.values.get(keyword), text)

    def error(self, keyword: str, text: str) -> Finding:
        """See `find`."""
        return self.find(Level.ERROR, keyword, text)

    def warning(self, keyword: str, text: str) -> Finding:
        """See `find`."""
        return self.find(Level.WARNING, keyword, text)

    def note(self, keyword: str, text: str) -> Finding:
        """See `find`."""
        return self.find(Level.NOTE, keyword, text)


type Findings = Iterator[Finding]
