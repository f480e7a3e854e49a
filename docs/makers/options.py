"""Write the table of options in ``docs/how-to/api.md`` from their declaration: python -m docs.makers.options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import IMAGING_LABELS
from stixcore.options import option_schemas

PAGE = Path(__file__).resolve().parents[1] / "how-to" / "api.md"
BEGIN, END = "<!-- options -->", "<!-- end options -->"


def options_table() -> str:
    """Table of the options of a request: key, default, values, meaning."""
    lines = ["| key | default | values | meaning |", "| --- | --- | --- | --- |"]
    for key, schema in option_schemas().items():
        lines.append(f"| `{key}` | {default(schema)} | {values(schema)} | {schema['description']} |")
    return "\n".join(lines)


def default(schema: dict[str, Any]) -> str:
    """The default as JSON, or a short name for a long one."""
    if "default" not in schema:
        return f"all {len(Method)} methods"
    value = schema["default"]
    return "3a to 10c" if value == list(IMAGING_LABELS) else f"`{json.dumps(value)}`"


def values(schema: dict[str, Any]) -> str:
    """Accepted values."""
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "minimum" in schema:
        return f"{schema['minimum']:g} to {schema['maximum']:g} {schema['unit']}".rstrip()
    return {"boolean": "`true`, `false`", "array": "labels"}.get(schema.get("type", ""), "see `/api/v1/openapi.json`")


def with_table(page: str) -> str:
    """A page with its table replaced."""
    begin, rest = page.split(BEGIN)
    return f"{begin}{BEGIN}\n\n{options_table()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
