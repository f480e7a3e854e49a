"""What a query of Fido asks for: sunpy's attributes and ours as values of a search."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import sunpy.net.attrs as a
from sunpy.net.attr import AttrAnd, AttrOr, AttrWalker, DataAttr, and_

from archive.fido.attrs import Band, FlareId, Method, Product, Simulated, Trusted, Uid

IMAGE, LIGHT_CURVE = "image", "lightcurve"
#: Level of each product.
LEVELS = {IMAGE: "L3", LIGHT_CURVE: "L1"}

type Values = dict[str, Any]


def read_query(*query: Any) -> list[tuple[str, Values]]:
    """Product and values of each search of a query; several where it has an "or".

    Values are those of ``/api/v1/images``; ``start``, ``end`` and ``near`` are times.

    Raises
    ------
    ValueError
        When attributes contradict each other.
    """
    return [(_product(values), values) for values in _WALKER.create(and_(*query))]


_WALKER = AttrWalker()


@_WALKER.add_creator(AttrOr)
def _create_or(walker: AttrWalker, query: AttrOr) -> list[Values]:
    return [values for one in query.attrs for values in walker.create(one)]


@_WALKER.add_creator(AttrAnd, DataAttr)
def _create_and(walker: AttrWalker, query: Any) -> list[Values]:
    values: Values = {}
    walker.apply(query, values)
    return [values]


@_WALKER.add_applier(AttrAnd)
def _apply_and(walker: AttrWalker, query: AttrAnd, values: Values) -> None:
    for one in query.attrs:
        walker.apply(one, values)


@_WALKER.add_applier(a.Provider, a.Instrument)
def _apply_nothing(*_: Any) -> None:
    """Do nothing: the whole server is this provider's, and of this instrument."""


@_WALKER.add_applier(a.Time)
def _apply_time(_: AttrWalker, time: a.Time, values: Values) -> None:
    values |= {"start": time.start.utc, "end": time.end.utc, "near": time.near and time.near.utc}


@_WALKER.add_applier(a.Level)
def _apply_level(_: AttrWalker, level: a.Level, values: Values) -> None:
    values["level"] = f"L{str(level.value)[-1]}"


@_WALKER.add_applier(a.Wavelength, Band)
def _apply_band(_: AttrWalker, band: a.Wavelength | Band, values: Values) -> None:
    if "energy_low" in values:
        message = "a.Wavelength and a.stix_archive.Band are the same energy range: give one of them"
        raise ValueError(message)
    low, high = sorted(edge.to_value(u.keV, u.spectral()) for edge in (band.min, band.max))
    values |= {"energy_low": float(low), "energy_high": float(high)}


@_WALKER.add_applier(Product, Method, Trusted, Simulated, FlareId, Uid)
def _apply_own(_: AttrWalker, attribute: Any, values: Values) -> None:
    name = {FlareId: "flare_id"}.get(type(attribute), type(attribute).__name__.lower())
    values[name] = attribute.value


def _product(values: Values) -> str:
    """Product of a search: the given one, or that of the level."""
    level = values.pop("level", None)
    product: str = values.pop("product", LIGHT_CURVE if level == "L1" else IMAGE)
    if level not in {None, LEVELS[product]}:
        message = f'a.stix_archive.Product("{product}") is of level {LEVELS[product]}, not {level}'
        raise ValueError(message)
    return product
