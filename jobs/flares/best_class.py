"""Columns of a flare that follow from its classes: which is best known, from where, and its error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MEASURED = ("goes_class", "goes_flux")


def best_class(values: Mapping[str, Any], satellite: str | None, list_name: str | None) -> dict[str, Any]:
    """Values of ``goes_class``, ``goes_flux``, ``goes_source``, ``goes_low`` and ``goes_high``.

    Parameters
    ----------
    values : mapping
        Values of the row from all layers.
    satellite, list_name : str or None
        Source of the class in the layer of GOES files and in that of imported lists; None without a class.

    Notes
    -----
    A flare that the Earth cannot see has no measured class, even if a list gives one: it is that of another flare. A
    measured class has no known error.
    """
    hidden = values.get("earth_visible") is False
    measured = not hidden and values.get("goes_class") is not None
    best: dict[str, Any] = dict.fromkeys((*_MEASURED, "goes_source", "goes_low", "goes_high"))
    if measured:
        return best | {name: values.get(name) for name in _MEASURED} | {"goes_source": satellite or list_name}
    return best | {
        "goes_source": values.get("goes_estimated_from"),
        "goes_low": values.get("goes_estimated_low"),
        "goes_high": values.get("goes_estimated_high"),
    }
