"""Query parameters: declared once, used for parsing and documentation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from dashboards.server.api.errors import Refused
from stixcore.errors import StixError
from stixcore.imaging.registry import known_names
from stixcore.times import parse_time

#: Longest value of a parameter.
_LONGEST = 200
_WHOLE = re.compile(r"\d{1,12}", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d{1,12}(\.\d{0,12})?([eE][-+]?\d{1,2})?", re.ASCII)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
#: Times that all libraries involved can represent.
_TIMES = np.datetime64("1970-01-01", "us"), np.datetime64("2200-01-01", "us")


@dataclass(frozen=True)
class Parameter:
    """One query parameter.

    Attributes
    ----------
    name, meaning : str
    read : function
        From text to value; raises ValueError or StixError if the text is invalid.
    schema : mapping
        JSON schema of the value.
    required : bool
    default : Any
    """

    name: str
    meaning: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    required: bool = False
    default: Any = None

    @property
    def document(self) -> dict[str, Any]:
        """The parameter in an OpenAPI document."""
        default = {"default": self.default} if isinstance(self.default, (int, str)) else {}
        return {
            "name": self.name,
            "in": "query",
            "required": self.required,
            "description": self.meaning,
            "schema": {**self.schema, **default},
        }


def time(name: str, meaning: str, *, required: bool = False) -> Parameter:
    """A time, UTC at Solar Orbiter."""
    return Parameter(
        name,
        f"{meaning}; UTC at Solar Orbiter, ISO 8601",
        _time,
        {"type": "string", "examples": ["2022-11-11T11:36:00Z"]},
        required,
    )


def number(name: str, meaning: str, unit: str = "") -> Parameter:
    """A number with a unit, if it has one."""
    return Parameter(name, f"{meaning}, {unit}" if unit else meaning, _number, {"type": "number"})


def whole(name: str, meaning: str, least: int, most: int, default: int) -> Parameter:
    """An integer within bounds."""

    def read(text: str) -> int:
        fits = _WHOLE.fullmatch(text) is not None and least <= int(text) <= most
        _require(fits, f"expected a whole number from {least} to {most}")
        return int(text)

    return Parameter(name, meaning, read, {"type": "integer", "minimum": least, "maximum": most}, default=default)


def truth(name: str, meaning: str) -> Parameter:
    """A Boolean, yes or no."""
    return Parameter(name, meaning, _truth, {"type": "boolean"})


def choice(name: str, meaning: str, words: Sequence[str]) -> Parameter:
    """One of some words."""

    def read(given: str) -> str:
        _require(given in words, f"expected {', '.join(words[:-1])} or {words[-1]}")
        return given

    return Parameter(name, meaning, read, {"type": "string", "enum": list(words)})


def box(name: str, meaning: str, unit: str) -> Parameter:
    """Edges of an area: x from and to, y from and to."""

    def read(given: str) -> tuple[float, ...]:
        edges = given.split(",")
        _require(len(edges) == 4, "expected four numbers: x from and to, y from and to, separated by commas")
        x0, x1, y0, y1 = (_number(edge) for edge in edges)
        _require(x0 <= x1 and y0 <= y1, "expected each range from low to high")
        return x0, x1, y0, y1

    return Parameter(name, f"{meaning}: x from and to, y from and to, {unit}", read, {"type": "string"})


def verdict(aspect: str) -> Parameter:
    """A verdict, trusted or doubtful."""
    meaning = f"Whether the {aspect} is trusted; images without verdicts are excluded"
    return choice(f"verdict_{aspect}", meaning, ("trusted", "doubtful"))


def text(name: str, meaning: str) -> Parameter:
    """Short text."""
    return Parameter(name, meaning, str, {"type": "string", "maxLength": _LONGEST})


def choices(name: str, meaning: str, allowed: Sequence[str]) -> Parameter:
    """Some of the allowed values, separated by commas."""

    def read(given: str) -> tuple[str, ...]:
        found = tuple(word for word in given.split(",") if word)
        fits = bool(found) and set(found) <= set(allowed)
        _require(fits, f"expected a comma-separated list of {', '.join(allowed)}")
        return found

    schema = {"type": "array", "items": {"type": "string", "enum": list(allowed)}}
    return _Joined(name, meaning, read, schema, default=())


class _Joined(Parameter):
    """A list with items separated by commas."""

    @property
    def document(self) -> dict[str, Any]:
        """The parameter in an OpenAPI document."""
        return {**super().document, "style": "form", "explode": False}


def sort(columns: Collection[str], default: str) -> Parameter:
    """Columns to sort by."""

    def read(given: str) -> tuple[str, ...]:
        found = tuple(word for word in given.split(",") if word)
        unknown = [word for word in found if word.removeprefix("-") not in columns]
        fits = not unknown and 0 < len(found) <= 5
        _require(fits, f"expected up to 5 of {', '.join(sorted(columns))}, separated by commas")
        return found

    return Parameter(
        name="sort",
        meaning="Columns to sort by, separated by commas; a leading - sorts in descending order",
        read=read,
        schema={"type": "string", "maxLength": _LONGEST},
        default=default,
    )


#: Parameters of paging.
PAGE = (
    whole("limit", "Maximum number of items", 1, 1000, 100),
    whole("offset", "Number of items to skip", 0, 10**9, 0),
)
METHOD = choices("method", "Any of these reconstruction methods", known_names())


def read_parameters(declared: Sequence[Parameter], given: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """Parameter values of a call; missing ones have their default.

    Raises
    ------
    Refused
        With the name of the parameter that is unknown, missing, given twice or invalid.
    """
    known = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in known:
            hint = f"expected {', '.join(known)}" if known else "no parameters are expected"
            message = f"unknown parameter {name[:60]!r}; {hint}"
            raise Refused(400, message, name[:60])
    return {name: _value(parameter, given.get(name, ())) for name, parameter in known.items()}


def next_page(values: Mapping[str, Any], given: Mapping[str, Sequence[bytes]], total: int) -> str | None:
    """Query string of the next page; None on the last page."""
    offset = values["offset"] + values["limit"]
    if offset >= total:
        return None
    kept = {name: texts[0].decode() for name, texts in given.items() if name != "offset"}
    return "?" + urlencode({**kept, "offset": offset}, safe=",:")


def _value(parameter: Parameter, given: Sequence[bytes]) -> Any:
    if not given:
        if parameter.required:
            message = f"the parameter {parameter.name} is missing: {parameter.meaning}"
            raise Refused(400, message, parameter.name)
        is_text = isinstance(parameter.default, str)
        return parameter.read(parameter.default) if is_text else parameter.default
    words = given[0].decode("utf-8", "replace")
    try:
        _require(len(given) == 1, "given more than once")
        _require(len(words) <= _LONGEST and words.isprintable(), f"expected up to {_LONGEST} printable characters")
        return parameter.read(words)
    except (ValueError, StixError) as error:
        raise Refused(400, f"{parameter.name}: {error}", parameter.name, words) from error


def _require(fits: bool, message: str) -> None:
    if not fits:
        raise ValueError(message)


def _time(given: str) -> np.datetime64:
    found = parse_time(given)
    _require(bool(_TIMES[0] <= found < _TIMES[1]), "expected a time from 1970 to 2199")
    return found


def _number(given: str) -> float:
    _require(_NUMBER.fullmatch(given) is not None and math.isfinite(float(given)), "expected a number")
    return float(given)


def _truth(given: str) -> bool:
    _require(given.lower() in _TRUTHS, "expected true or false")
    return _TRUTHS[given.lower()]
