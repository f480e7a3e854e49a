"""Values as source text. Only these functions insert text from users into scripts.

File and user names may contain quotes, backslashes, line breaks, template braces or any other character. Each function
returns a single literal that the value cannot terminate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_INDENT = "    "
_WIDTH = 100


def python_literal(value: Any, *, indent: int = 0) -> str:
    """Plain values (None, booleans, numbers, strings, lists, mappings) as a Python expression.

    Invisible characters, and those that change the text direction, are escaped. Lists and mappings that do not fit on
    a line have one item per line.

    Parameters
    ----------
    value : plain value
    indent : int
        Indentation level of the line where the expression begins.

    Raises
    ------
    TypeError
        If a value has another type or is not a finite number.
    """
    match value:
        case None | bool() | str():
            return repr(value) if not isinstance(value, str) else repr(str(value))
        case int() | float():
            return _number(value)
        case Mapping():
            items = [
                f"{python_literal(str(key))}: {python_literal(item, indent=indent + 1)}" for key, item in value.items()
            ]
            return _bracketed("{", items, "}", indent)
        case Sequence():
            return _bracketed("[", [python_literal(item, indent=indent + 1) for item in value], "]", indent)
    message = f"{type(value).__name__} is not a plain value"
    raise TypeError(message)


def packages_of(recipe: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Method, name and version of each package in a recipe, without characters that end a comment or a text."""
    found = recipe.get("packages", {})
    rows = [(method, str(package["name"]), str(package["version"])) for method, package in found.items()]
    method, name, version = (re.compile(allowed, re.ASCII) for allowed in (r"\W", r"[^\w.-]", r"[^\w.+!-]"))
    return [(method.sub("_", row[0]), name.sub("_", row[1]), version.sub("_", row[2])) for row in rows]


def idl_literal(value: Any) -> str:
    """Plain values (booleans, numbers, strings, lists of one type) as an IDL expression.

    Floating-point numbers are double precision. Strings are in single quotes with quotes doubled; characters outside
    printable ASCII are written as the bytes of their UTF-8 encoding, because IDL reads programs line by line in an
    encoding that depends on the machine.

    Raises
    ------
    TypeError
        If a value has another type or is not a finite number.
    """
    match value:
        case bool():
            return "1" if value else "0"
        case int() | float():
            return _idl_number(value)
        case str():
            return _idl_text(value)
        case Sequence() if len(value) > 0:
            return "[" + ", ".join(idl_literal(item) for item in value) + "]"
    message = f"{type(value).__name__} cannot be written as an IDL value"
    raise TypeError(message)


def _number(value: float) -> str:
    if not math.isfinite(value):
        message = f"{value} is not a finite number"
        raise TypeError(message)
    return repr(int(value) if isinstance(value, int) else float(value))


def _bracketed(left: str, items: list[str], right: str, indent: int) -> str:
    line = left + ", ".join(items) + right
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    inner = "".join(f"\n{_INDENT * (indent + 1)}{item}," for item in items)
    return f"{left}{inner}\n{_INDENT * indent}{right}"


def _idl_number(value: float) -> str:
    text = _number(value)
    if isinstance(value, int):
        return text if abs(value) < 32_768 else f"{text}LL"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}d{exponent or '0'}"


def _idl_text(value: str) -> str:
    """Printable characters in quotes, all others as bytes: ``'caf' + string([195B, 169B])``."""
    parts: list[str] = []
    plain, coded = "", list[int]()
    for byte in value.encode("utf-8", "replace"):
        if 32 <= byte < 127:
            if coded:
                parts.append(_idl_bytes(coded))
                coded = []
            plain += chr(byte)
        else:
            if plain:
                parts.append(_idl_quoted(plain))
                plain = ""
            coded.append(byte)
    if coded:
        parts.append(_idl_bytes(coded))
    if plain or not parts:
        parts.append(_idl_quoted(plain))
    return parts[0] if len(parts) == 1 else "(" + " + ".join(parts) + ")"


def _idl_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _idl_bytes(codes: list[int]) -> str:
    # a zero byte would end an IDL string
    return "string([" + ", ".join(f"{code or 63}B" for code in codes) + "])"
