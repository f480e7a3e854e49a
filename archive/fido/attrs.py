"""Attributes of a search in this archive, ``a.stix_archive``; beside them it takes those of sunpy.

They stand for parameters of ``/api/v1/images``. sunpy lists and completes values: ``a.stix_archive.Method.clean``.
"""

from __future__ import annotations

import re

import astropy.units as u
from sunpy.net.attr import Range, SimpleAttr

__all__ = ["Band", "FlareId", "Method", "Product", "Simulated", "Trusted", "Uid"]

_BAND = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[-–]\s*(\d+(?:\.\d+)?)\s*(?:keV)?\s*", re.ASCII | re.IGNORECASE)


class Product(SimpleAttr):
    """Kind of file: "image" or "lightcurve".

    Without it a search is for images, or for light curves where the level is L1.
    """

    def __init__(self, value: str) -> None:
        super().__init__(value.lower())


class Method(SimpleAttr):
    """Imaging method, such as "clean"."""

    def __init__(self, value: str) -> None:
        super().__init__(value.lower())


class Band(Range):
    """Energies of interest: images whose energy range overlaps them.

    Parameters
    ----------
    low, high : Quantity, keV, or str
        Both edges, or a text such as "6-10 keV" alone.

    Raises
    ------
    ValueError
        When the text is not an energy range, or the lower edge is not below the upper one.
    TypeError
        When the edges are not energies.
    """

    def __init__(self, low: u.Quantity | str, high: u.Quantity | None = None) -> None:
        if isinstance(low, str) and high is None:
            found = _BAND.fullmatch(low)
            if found is None:
                message = f"{low!r} is not an energy range (example: 6-10 keV)"
                raise ValueError(message)
            low, high = float(found[1]) * u.keV, float(found[2]) * u.keV
        try:
            low_kev, high_kev = low.to(u.keV), high.to(u.keV)  # type: ignore[union-attr]
        except (AttributeError, u.UnitConversionError):
            message = f"{low!r}, {high!r} are not two energies (example: 6 * u.keV, 10 * u.keV)"
            raise TypeError(message) from None
        if not 0 <= low_kev < high_kev:
            message = f"{low_kev} to {high_kev} is not an energy range: the lower edge must be below the upper one"
            raise ValueError(message)
        super().__init__(low_kev, high_kev)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.Band({self.min:g} to {self.max:g})>"

    def collides(self, other: object) -> bool:
        """Whether the other attribute is an energy range too: a search has one."""
        return isinstance(other, Band)


class _YesOrNo(SimpleAttr):
    """An attribute that is true or false; registered values are "yes" and "no"."""

    def __init__(self, value: bool | str = True) -> None:
        if value not in {True, False, "yes", "no"}:
            message = f"{type(self).__name__}: expected True or False, found {value!r}"
            raise ValueError(message)
        super().__init__(value is True or value == "yes")


class Trusted(_YesOrNo):
    """Only images without quality warnings (True), or only those with warnings (False)."""


class Simulated(_YesOrNo):
    """Simulated data instead of real ones. Without it a search is for real data."""


class FlareId(SimpleAttr):
    """Flare, by its id such as "2211110134". A search by flare needs no time."""


class Uid(SimpleAttr):
    """Unique id of the science request, such as "2211116471". A search by uid needs no time."""
