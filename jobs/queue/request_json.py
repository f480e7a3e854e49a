"""Reading the JSON of a request: one reader per key, each of which says what it expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, cast

import numpy as np

from stixcore.calibration.pointing import assumed_pointing
from stixcore.coordinates import Pointing, PointingSource
from stixcore.imaging.methods import MethodParameters
from stixcore.imaging.reconstruction import Method
from stixcore.reconstruct import default_methods
from stixcore.times import parse_time

AUTO, NONE, ASSUMED = "auto", "none", "assumed"
X, Y, ROLL = "x_arcsec", "y_arcsec", "roll_deg"
_LARGEST = 1e15


def no_constant(name: str) -> float:
    """Refuse NaN and Infinity, which Python's reader would take."""
    message = f"{name} is no JSON"
    raise ValueError(message)


def whole(value: Any) -> int:
    """A whole number."""
    found = _as(int, value, "a whole number")
    _require(abs(found) <= _LARGEST, "a whole number", value)
    return found


def number(value: Any) -> float:
    """A finite number."""
    found = _as(int, value, "a number") if isinstance(value, int) else _as(float, value, "a number")
    _require(abs(found) <= _LARGEST, "a number", value)
    return float(found)


def truth(value: Any) -> bool:
    """True or false."""
    return _as(bool, value, "true or false")


def text(value: Any) -> str:
    """A text."""
    return _as(str, value, "a text")


def uid(value: Any) -> str:
    """A file name, or a uid with its leading zeros."""
    name = text(value)
    return f"{int(name):010d}" if name.isascii() and name.isdigit() and len(name) <= 10 else name


def items(value: Any) -> list[Any]:
    """A list."""
    return _as(list, value, "a list")


def mapping(value: Any, keys: tuple[str, ...] | None = None) -> dict[str, Any]:
    """An object, with exactly these keys when they are given."""
    what = f"an object with {', '.join(keys)}" if keys else "an object"
    found = _as(dict, value, what)
    _require(keys is None or set(found) == set(keys), what, value)
    return found


def pair[Value](read: Callable[[Any], Value]) -> Callable[[Any], tuple[Value, Value]]:
    """Reader of a list of two."""

    def read_pair(value: Any) -> tuple[Value, Value]:
        _require(len(items(value)) == 2, "a list of two", value)
        return read(value[0]), read(value[1])

    return read_pair


def several[Value](read: Callable[[Any], Value]) -> Callable[[Any], tuple[Value, ...]]:
    """Reader of a list."""
    return lambda value: tuple(read(item) for item in items(value))


def time(value: Any) -> np.datetime64:
    """ISO 8601, to the millisecond."""
    found: np.datetime64 = parse_time(text(value)).astype("datetime64[ms]").astype("datetime64[us]")
    return found


def shape(value: Any) -> tuple[int, int]:
    """(ny, nx), or one number for both."""
    return pair(whole)(value) if isinstance(value, list) else (whole(value), whole(value))


def location(value: Any) -> tuple[float, float] | None:
    """A place, or null for a search."""
    if value is None:
        return None
    given = mapping(value, (X, Y))
    return number(given[X]), number(given[Y])


def pointing(value: Any) -> Pointing | None:
    """What the word "auto" or "assumed" stands for, or roll and pointing as given."""
    if value in (None, AUTO):
        return None
    if value == ASSUMED:
        return assumed_pointing()
    given = mapping(value, (ROLL, X, Y))
    return Pointing(PointingSource.MANUAL, number(given[ROLL]), number(given[X]), number(given[Y]))


def pointing_document(value: Pointing | None) -> str | dict[str, float]:
    """Inverse of `pointing`."""
    if value is None:
        return AUTO
    return ASSUMED if value == assumed_pointing() else {ROLL: value.roll, X: value.x, Y: value.y}


def methods(value: Any) -> Mapping[Method, MethodParameters]:
    """Names, or names with parameters; all methods for null."""
    if value is None:
        return default_methods()
    given = value if isinstance(value, dict) else {text(name): {} for name in items(value)}
    return {Method(name): _parameters(Method(name), mapping(values)) for name, values in given.items()}


def _parameters(method: Method, values: dict[str, Any]) -> MethodParameters:
    defaults = default_methods()[method]
    known = {field.name for field in fields(defaults)}
    unknown = sorted(set(values) - known)
    if unknown:
        message = f"{method} has no parameter {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}"
        raise ValueError(message)
    return replace(defaults, **{name: _like(getattr(defaults, name), value) for name, value in values.items()})


def _like(default: Any, value: Any) -> Any:
    """A JSON value as the type of a parameter's default."""
    match default:
        case bool():
            return truth(value)
        case str():
            return type(default)(text(value))
        case int():
            return whole(value)
        case float():
            return number(value)
        case None:
            return None if value is None else number(value)
        case _:  # tuples; the parameters look at them themselves
            return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case list():
            return tuple(_plain(item) for item in value)
        case dict():
            return {key: number(item) for key, item in value.items()}
        case str():
            return value
        case _:
            return number(value)


def _require(fits: bool, what: str, found: Any) -> None:
    if not fits:
        shown = repr(found[:60]) if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)[:60]
        message = f"expected {what}, found {shown}"
        raise ValueError(message)


def _as[Kind](kind: type[Kind], value: Any, what: str) -> Kind:
    """A value of that type; true and false are no numbers."""
    _require(kind is bool or not isinstance(value, bool), what, value)
    _require(isinstance(value, kind), what, value)
    return cast("Kind", value)
