"""The JSON format of recipes: one declaration of keys, types and bounds.

Errors name the invalid value and its key. Values are not converted, so that the canonical text of a recipe, and with
it the id, stays the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import PointingSource
from stixcore.errors import StixError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.clean import StopRule
from stixcore.imaging.declaration import NAME
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.imaging.forward_fit import ModelSelection
from stixcore.imaging.grid import PIXEL_LIMITS, SIDE_LIMIT
from stixcore.imaging.methods import declaration_of
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import built_in, known_names, package_of
from stixcore.instrument.geometry import PixelSet
from stixcore.times import parse_time

#: Method parameters that the first recipes did not have, with the value that stands for the earlier behaviour.
LATER_PARAMETERS: Mapping[str, Any] = {
    "stop_rule": StopRule.NEGATIVE_EXTREME,
    "selection": ModelSelection.PLAIN_BIC,
}
#: Names and versions of packages.
PACKAGE = r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}"
#: Largest number in a recipe; the distance from the Sun, in metres, is below 10¹².
_LARGEST = 1e15

type Check = Callable[[str, Any], None]


def read_document(text: str) -> Any:
    """Parse the JSON text of a recipe and check its keys, types and bounds.

    Raises
    ------
    ValueError
        When a value is invalid. The message names the key and the value.
    """
    try:
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError as error:
        message = "lists within lists, too deep to be read"
        raise ValueError(message) from error
    _DOCUMENT("", document)
    for name, values in document["methods"].items():
        _method(name, values, document.get("packages", {}).get(name))
    return document


def _no_constant(name: str) -> float:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        message = f"{twice!r} is there twice"
        raise ValueError(message)
    return found


def _refuse(key: str, expected: str, value: Any) -> None:
    shown = json.dumps(value, ensure_ascii=True, default=str)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    message = f"{key or 'the whole'}: expected {expected}, found {shown}"
    raise ValueError(message)


def _number(low: float = -_LARGEST, high: float = _LARGEST, *, whole: bool = False) -> Check:
    kinds, name = ((int,), "a whole number") if whole else ((int, float), "a number")
    bounds = "" if high == _LARGEST else f" from {low:g} to {high:g}"

    def check(key: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            _refuse(key, name + bounds, value)

    return check


def _text(key: str, value: Any) -> None:
    if not isinstance(value, str):
        _refuse(key, "a text", value)


def _matching(pattern: str) -> Check:
    def check(key: str, value: Any) -> None:
        if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
            _refuse(key, f"a text that matches {pattern}", value)

    return check


def _later(key: str, value: Any) -> None:
    """Methods are checked at the end, when the packages are known."""


def _truth(key: str, value: Any) -> None:
    if not isinstance(value, bool):
        _refuse(key, "true or false", value)


def _time(key: str, value: Any) -> None:
    _text(key, value)
    try:
        parse_time(value)
    except StixError:
        _refuse(key, "a time as 2022-11-11T11:36:00.000", value)


def _one_of(kind: type[StrEnum]) -> Check:
    names = [str(one) for one in kind]

    def check(key: str, value: Any) -> None:
        if value not in names:
            _refuse(key, f"one of {', '.join(names)}", value)

    return check


def _or_null(check: Check) -> Check:
    return lambda key, value: None if value is None else check(key, value)


def _several(check: Check, length: int | None = None) -> Check:
    def check_all(key: str, value: Any) -> None:
        if not isinstance(value, list) or length not in (None, len(value)):
            _refuse(key, "a list" if length is None else f"a list of {length}", value)
        for item in value:
            check(key, item)

    return check_all


def _mapping(check: Callable[[str], Check]) -> Check:
    """Check of an object; ``check`` returns the check for the value of a key."""

    def check_all(key: str, value: Any) -> None:
        if not isinstance(value, dict):
            _refuse(key, "an object", value)
        for name, item in value.items():
            check(name)(f"{key}.{name}", item)

    return check_all


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    known = {**required, **(optional or {})}

    def check_all(key: str, value: Any) -> None:
        if not isinstance(value, dict):
            _refuse(key, "an object", value)
        unknown, missing = sorted(set(value) - set(known)), sorted(set(required) - set(value))
        if unknown or missing:
            where = f"{key}: " if key else ""
            message = f"{where}{'unknown' if unknown else 'missing'} keys {unknown or missing}"
            raise ValueError(message)
        for name, item in value.items():
            known[name](f"{key}.{name}" if key else name, item)

    return check_all


def _method(name: str, values: Any, package: Mapping[str, str] | None) -> None:
    """Check a method: built in, of an installed package, or else with the package that has it."""
    if name not in built_in() and (package is None or re.fullmatch(NAME, name, re.ASCII) is None):
        _refuse("methods", f"names among {', '.join(known_names())}", name)
    installed = package_of(name)
    if name in built_in() or (installed is not None and package == asdict(installed)):
        _parameters(name)(f"methods.{name}", values)
    elif not isinstance(values, dict):
        _refuse(f"methods.{name}", "an object", values)


@cache
def _parameters(method: str) -> Check:
    """Check of a method's parameters, as its dataclass declares them."""
    kind = type(declaration_of(Method(method)).parameters)
    hints = get_type_hints(kind)
    checks = {field.name: _declared(hints[field.name]) for field in fields(kind)}
    later = {name: check for name, check in checks.items() if name in LATER_PARAMETERS and method in built_in()}
    return _object({name: check for name, check in checks.items() if name not in later}, later)


def _declared(hint: Any) -> Check:
    """Check that corresponds to a parameter's type annotation."""
    arguments = get_args(hint)
    if isinstance(hint, UnionType):
        return _or_null(*(_declared(argument) for argument in arguments if argument is not NoneType))
    if get_origin(hint) is tuple:
        return _several(_declared(arguments[0]), None if arguments[-1] is Ellipsis else len(arguments))
    if get_origin(hint) is Mapping:
        return _mapping(lambda _: _declared(arguments[1]))
    if issubclass(hint, StrEnum):
        return _one_of(hint)
    return {bool: _truth, int: _number(whole=True), float: _number(), str: _text}[hint]


_FILE = _object({"name": _text, "uid": _text, "sha256": _text})
_TABLE = _object({"name": _text, "sha256": _text})
_ENERGIES = _several(_number(0.0, 1000.0), 2)
_ANGLE, _ARCSEC = _number(-360.0, 360.0), _number(-1e6, 1e6)
_UNKNOWN_ARCSEC, _UNKNOWN_ANGLE = _or_null(_ARCSEC), _or_null(_ANGLE)
_DOCUMENT = _object(
    {
        "version": _number(1, 2, whole=True),
        "science": _FILE,
        "background": _or_null(_FILE),
        "aspect": _several(_FILE),
        "pointing": _object(
            {
                "source": _one_of(PointingSource),
                "roll_deg": _ANGLE,
                "x_arcsec": _ARCSEC,
                "y_arcsec": _ARCSEC,
                "rsun_arcsec": _UNKNOWN_ARCSEC,
                "stonyhurst_lon_deg": _UNKNOWN_ANGLE,
                "b0_deg": _UNKNOWN_ANGLE,
                "dsun_m": _or_null(_number()),
            },
            {
                "rms_x_arcsec": _ARCSEC,
                "rms_y_arcsec": _ARCSEC,
                "peak_to_peak_arcsec": _ARCSEC,
                "rms_roll_deg": _ANGLE,
                "records": _number(whole=True),
                "rejected": _number(whole=True),
                "interpolated": _truth,
            },
        ),
        "time_range": _several(_time, 2),
        "energy_range_kev": _ENERGIES,
        "location": _object({"x_arcsec": _ARCSEC, "y_arcsec": _ARCSEC, "found_by": _text}),
        "location_energy_kev": _ENERGIES,
        "methods": _mapping(lambda _: _later),
        "subcollimators": _several(_text),
        "pixel_set": _one_of(PixelSet),
        "amplitude_scheme": _one_of(AmplitudeScheme),
        "edge_correction": _one_of(EdgeCorrection),
        "shape": _several(_number(1, SIDE_LIMIT, whole=True), 2),
        "pixel_arcsec": _number(*PIXEL_LIMITS),
    },
    {
        "calibration": _object({"energy_table": _TABLE, "phase_table": _TABLE, "cal_file": _or_null(_FILE)}),
        "shift_bins": _truth,
        "window_rule": _one_of(WindowRule),
        "background_range": _several(_time, 2),
        "ensemble": _number(0, MAX_MEMBERS, whole=True),
        "seed": _number(0, _LARGEST, whole=True),
        "packages": _mapping(lambda _: _object({"name": _matching(PACKAGE), "version": _matching(PACKAGE)})),
    },
)
