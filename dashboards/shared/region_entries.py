"""Regions as a visitor enters them: name, shape, numbers as text, model; also as text in a URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote, unquote

from stixcore.errors import SelectionError
from stixcore.spectra.regions import LONGEST_NAME, MOST_CORNERS, Circle, Contour, Ellipse, Polygon, Region

CIRCLE, ELLIPSE, POLYGON, CONTOUR = "circle", "ellipse", "polygon", "contour"
#: Shape → what its numbers are, for the label of their field.
NUMBERS = {
    CIRCLE: "X, Y, radius [″]",
    ELLIPSE: "X, Y, half axes [″], angle [°]",
    POLYGON: "X, Y of every corner [″]",
    CONTOUR: "Level [%], X, Y of a point inside [″]",
}
#: Shape → how many numbers it has; a polygon has two for each corner.
_COUNTS = {CIRCLE: (3,), ELLIPSE: (4, 5), CONTOUR: (1, 3)}
_NUMBER = r"[-+]?\d{1,6}(\.\d{1,9})?"
#: A character of a name takes up to four bytes, each written as %XX.
_NAME, _MODEL = rf"[A-Za-z0-9%_.~ +-]{{1,{12 * LONGEST_NAME}}}", r"[a-z0-9+]{1,24}"
_ENTRY = rf"({'|'.join(NUMBERS)}):{_NAME}:{_NUMBER}(,{_NUMBER}){{0,{2 * MOST_CORNERS - 1}}}(:{_MODEL})?"
#: Regions in a URL, such as ``circle:west:962,-121,12;circle:east:931,-118,10:vth``.
ADDRESS = rf"({_ENTRY}(;{_ENTRY}){{0,11}})?"


@dataclass(frozen=True)
class RegionEntry:
    """A region of the form.

    Attributes
    ----------
    name, shape : str
    numbers : str
        As typed, with commas between them.
    model : str
        Empty for the model of all regions.
    """

    name: str
    shape: str
    numbers: str
    model: str = ""

    @classmethod
    def of(cls, region: Region, decimals: int = 1) -> RegionEntry:
        """The entry of a region, its numbers with so many decimals."""
        match region:
            case Circle():
                shape, numbers = CIRCLE, [region.x, region.y, region.radius]
            case Ellipse():
                shape, numbers = ELLIPSE, [region.x, region.y, region.major, region.minor, region.position_angle]
            case Polygon():
                shape, numbers = POLYGON, [number for corner in region.corners for number in corner]
            case Contour():
                place = [] if region.x is None or region.y is None else [region.x, region.y]
                shape, numbers = CONTOUR, [100.0 * region.level, *place]
        texts = (f"{number:.{decimals}f}".rstrip("0").rstrip(".") for number in numbers)
        return cls(region.name, shape, ", ".join(texts))

    def region(self) -> Region:
        """The region.

        Raises
        ------
        SelectionError
            When the numbers do not give one; the message names it.
        """
        numbers = self.parsed()
        if self.shape == POLYGON:
            if len(numbers) % 2:
                message = f"region {self.name!r}: expected X and Y of every corner, found {len(numbers)} numbers"
                raise SelectionError(message)
            return Polygon(self.name, tuple(zip(numbers[::2], numbers[1::2], strict=True)))
        if len(numbers) not in _COUNTS[self.shape]:
            wanted = " or ".join(map(str, _COUNTS[self.shape]))
            message = f"region {self.name!r}: expected {wanted} numbers, found {len(numbers)}"
            raise SelectionError(message)
        if self.shape == CIRCLE:
            return Circle(self.name, *numbers)
        if self.shape == ELLIPSE:
            return Ellipse(self.name, *numbers)
        return Contour(self.name, numbers[0] / 100.0, *numbers[1:])

    def parsed(self) -> list[float]:
        """The typed numbers.

        Raises
        ------
        SelectionError
            When a part of the text is not a number.
        """
        texts = [text for text in re.split(r"[,;\s]+", self.numbers.replace("−", "-").strip()) if text]
        numbers = []
        for text in texts:
            try:
                number = float(text)
            except ValueError:
                number = float("nan")
            if not isfinite(number):
                message = f"region {self.name!r}: expected a number, found “{text[:40]}”"
                raise SelectionError(message)
            numbers.append(number)
        return numbers


def address_of(entries: Sequence[RegionEntry]) -> str:
    """Regions as text for a URL.

    Raises
    ------
    SelectionError
        When the numbers of a region are invalid.
    """
    return ";".join(_text(entry) for entry in entries)


def entries_of(address: str) -> tuple[RegionEntry, ...]:
    """Inverse of `address_of`, for a text that matches `ADDRESS`."""
    found = []
    for text in filter(None, address.split(";")):
        shape, name, numbers, *model = text.split(":")
        found.append(RegionEntry(unquote(name), shape, numbers.replace(",", ", "), *model))
    return tuple(found)


def new_name(entries: Sequence[RegionEntry]) -> str:
    """The first of "region 1", "region 2" … that no region has."""
    known = {entry.name for entry in entries}
    return next(name for number in range(1, len(known) + 2) if (name := f"region {number}") not in known)


def _text(entry: RegionEntry) -> str:
    entry.region()
    numbers = ",".join(f"{number:.9f}".rstrip("0").rstrip(".") for number in entry.parsed())
    parts = [entry.shape, quote(entry.name, safe=" "), numbers, *([entry.model] if entry.model else [])]
    return ":".join(parts)
