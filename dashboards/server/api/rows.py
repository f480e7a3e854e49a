"""Rows of the index as JSON, with units and clock; schemas from the same declarations."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from archive.index.columns import Field, Table
from archive.index.schema import FLARES, IMAGES, REGION_SPECTRA, RUNS, SCIENCE_FILES, SPECTRA

CLOCK = (
    "Times are UTC, ISO 8601. Times of observations are UTC at Solar Orbiter, where light from the Sun arrives "
    "up to several minutes earlier than at Earth."
)

#: Columns with paths on the server's disk, or for internal use.
_PRIVATE = {
    FLARES.name: frozenset({"detected", "imported", "located", "measured", "fitted"}),
    IMAGES.name: frozenset({"file", "png", "thumbnail"}),
    RUNS.name: frozenset({"folder", "background_candidates"}),
    SCIENCE_FILES.name: frozenset({"path"}),
    SPECTRA.name: frozenset({"folder"}),
    REGION_SPECTRA.name: frozenset({"folder"}),
}
_JSON_TYPES: Mapping[type, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    np.datetime64: {"type": "string", "format": "date-time"},
}


def public_columns(table: Table[Any]) -> list[Field]:
    """Columns of the API."""
    return [column for column in table.columns if column.name not in _PRIVATE[table.name]]


def public_names(table: Table[Any]) -> list[str]:
    """Names of the columns of the API."""
    return [column.name for column in public_columns(table)]


def row_document(table: Table[Any], row: Any) -> dict[str, Any]:
    """A row as JSON values; columns with JSON text are parsed."""
    return {column.name: _plain(column, getattr(row, column.name)) for column in public_columns(table)}


def units(columns: Iterable[Field]) -> dict[str, str]:
    """Units of the columns that have one."""
    return {c.name: c.unit for c in columns if c.unit and c.unit != "JSON" and c.python is not np.datetime64}


def row_schema(table: Table[Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """JSON schema of `row_document`, with additional properties."""
    columns = {column.name: _schema(column) for column in public_columns(table)}
    return {"type": "object", "description": table.meaning, "properties": {**columns, **(more or {})}}


def iso(time: np.datetime64 | None) -> str | None:
    """An ISO 8601 time with Z, to the millisecond."""
    return None if time is None or np.isnat(time) else f"{np.datetime_as_string(time, unit='ms')}Z"


def finite(value: float | None) -> float | None:
    """A number for JSON: infinite and unknown values become null."""
    return None if value is None or not math.isfinite(value) else float(value)


def _plain(column: Field, value: Any) -> Any:
    if column.python is np.datetime64:
        return iso(value)
    if column.python is float:
        return finite(value)
    if column.unit == "JSON":
        return None if value is None else json.loads(value)
    return value


def _schema(column: Field) -> dict[str, Any]:
    unit = f", {column.unit}" if column.unit and column.unit != "JSON" else ""
    described = {"description": f"{column.meaning}{unit}"}
    if column.unit == "JSON":
        return described
    kind = dict(_JSON_TYPES[column.python])
    if column.nullable or column.python is float:  # JSON has no number for an infinite energy edge
        kind["type"] = [kind["type"], "null"]
    return {**kind, **described}
