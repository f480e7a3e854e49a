"""Write the tables of limits in ``docs/security.md`` from the classes: python -m docs.makers.limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from inspect import getdoc
from pathlib import Path
from typing import Any

from dashboards.shared.limits import TurnLimits, WebLimits
from jobs.imaging.uploads import UploadLimits
from jobs.shared.limits import Limits

PAGE = Path(__file__).resolve().parents[1] / "security.md"
BEGIN, END = "<!-- limits -->", "<!-- end limits -->"
TURNS = "Work that clients compete for is scheduled fairly (`TurnLimits`); a client without competition is not limited:"
CLASSES = (WebLimits, Limits, UploadLimits)


def limits_table() -> str:
    """Table of all limits: name, value and meaning."""
    lines = ["| limit | value | meaning |", "| --- | --- | --- |"]
    for cls in CLASSES:
        for names, unit, meaning in attributes(cls):
            given = [getattr(cls(), name) for name in names]
            values = "see below" if is_dataclass(given[0]) else ", ".join(shown(value, unit) for value in given)
            lines.append(f"| {', '.join(f'`{cls.__name__}.{name}`' for name in names)} | {values} | {meaning} |")
    return "\n".join(lines)


def turns_table() -> str:
    """Table of the limits of fairly scheduled work, one column per kind."""
    limits = WebLimits()
    kinds = [field.name for field in fields(WebLimits) if isinstance(getattr(limits, field.name), TurnLimits)]
    lines = [f"| limit | {' | '.join(f'`{kind}`' for kind in kinds)} | meaning |", "| --- " * (len(kinds) + 2) + "|"]
    for names, unit, meaning in attributes(TurnLimits):
        cells = [", ".join(shown(getattr(getattr(limits, kind), name), unit) for name in names) for kind in kinds]
        lines.append(f"| {', '.join(f'`{name}`' for name in names)} | {' | '.join(cells)} | {meaning} |")
    return "\n".join(lines)


def attributes(cls: type[Any]) -> Iterator[tuple[list[str], str, str]]:
    """Names, unit and meaning of the fields of a class, from its docstring.

    Raises
    ------
    ValueError
        If a field is not described, or a description has no field.
    """
    text = (getdoc(cls) or "").partition("Attributes\n----------\n")[2]
    described = []
    for entry in re.split(r"\n(?=\S)", text.strip()):
        head, _, meaning = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        described += names.split(", ")
        unit = re.sub(r"\(.*?\)", "", kind).partition(", ")[2]
        yield names.split(", "), unit, " ".join(meaning.split())
    if described != [field.name for field in fields(cls)]:
        message = f"{cls.__name__} describes {described}, has {[field.name for field in fields(cls)]}"
        raise ValueError(message)


def shown(value: Any, unit: str) -> str:
    """A value with its unit."""
    if isinstance(value, tuple):
        return " to ".join(shown(one, "") for one in value) + f" {unit}".rstrip()
    if unit == "byte":
        for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
            if value >= 1 << power and value % (1 << power) == 0:
                return f"{value >> power} {name}"
    number = f"{value:,}" if isinstance(value, int) else f"{value:,g}"
    return f"{number} {unit}".rstrip()


def with_table(page: str) -> str:
    """A page with its tables replaced."""
    begin, rest = page.split(BEGIN)
    return f"{begin}{BEGIN}\n\n{limits_table()}\n\n{TURNS}\n\n{turns_table()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
