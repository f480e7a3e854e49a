"""Write the tables of options and methods in ``docs/how-to/api.md``: python -m docs.makers.options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stixcore.imaging.methods import declaration_of, default_methods
from stixcore.imaging.reconstruction import known_methods
from stixcore.instrument.geometry import IMAGING_LABELS
from stixcore.options import option_schemas, parameter_schemas

PAGE = Path(__file__).resolve().parents[1] / "how-to" / "api.md"
BEGIN, END = "<!-- options -->", "<!-- end options -->"
BEGIN_METHODS, END_METHODS = "<!-- methods -->", "<!-- end methods -->"


def options_table() -> str:
    """Table of the options of a request: key, default, values, meaning."""
    lines = ["| key | default | values | meaning |", "| --- | --- | --- | --- |"]
    for key, schema in option_schemas().items():
        lines.append(f"| `{key}` | {default(schema)} | {values(schema)} | {schema['description']} |")
    return "\n".join(lines)


def default(schema: dict[str, Any]) -> str:
    """The default as JSON, or a short name for a long one."""
    if "default" not in schema:
        return f"all {len(default_methods())} methods"
    value = schema["default"]
    return "3a to 10c" if value == list(IMAGING_LABELS) else f"`{json.dumps(value)}`"


def values(schema: dict[str, Any]) -> str:
    """Accepted values."""
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "minimum" in schema:
        return f"{schema['minimum']:g} to {schema['maximum']:g} {schema['unit']}".rstrip()
    return {"boolean": "`true`, `false`", "array": "labels"}.get(schema.get("type", ""), "see `/api/v1/openapi.json`")


def methods_table() -> str:
    """Table of the methods, those of installed packages included: name, what it makes, parameters with defaults."""
    lines = ["| method | image | parameters and defaults |", "| --- | --- | --- |"]
    for method in known_methods():
        declared = declaration_of(method)
        package = f" (package {declared.package.name})" if declared.package is not None else ""
        given = ", ".join(_parameter(name, schema) for name, schema in parameter_schemas(method).items()) or "none"
        lines.append(f"| `{method}` | {declared.display_name}{package}. {declared.description} | {given} |")
    return "\n".join(lines)


def _parameter(name: str, schema: dict[str, Any]) -> str:
    bounds = f" ({schema['minimum']:g} to {schema['maximum']:g})" if {"minimum", "maximum"} <= schema.keys() else ""
    help_text = f" ({schema['description'].rstrip('.')})" if "description" in schema else ""
    return f"`{name}` = `{json.dumps(schema['default'])}`{bounds}{help_text}"


def with_table(page: str) -> str:
    """A page with its tables replaced."""
    for begin, end, table in ((BEGIN, END, options_table()), (BEGIN_METHODS, END_METHODS, methods_table())):
        before, rest = page.split(begin)
        page = f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
