"""Templates are files in ``templates/``. Each ``{{ name }}`` is replaced once, by valid source text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_PLACE = re.compile(r"\{\{ (\w+) \}\}")
_PACKAGE = "archive.scripts"


@cache
def template(name: str) -> str:
    """Text of a file in ``templates/``."""
    return files(_PACKAGE).joinpath("templates", name).read_text("utf-8")


def fill(name: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a template; placeholders in values are not replaced.

    Raises
    ------
    KeyError
        If a placeholder has no value.
    """
    return _PLACE.sub(lambda place: values[place[1]], template(name))


@cache
def part(name: str) -> tuple[str, str]:
    """A module of ``parts/`` as text for a script: its imports, and the rest."""
    _, _, text = files(_PACKAGE).joinpath("parts", f"{name}.py").read_text("utf-8").partition('"""\n')
    imports, _, body = text.partition("\n\n\n")
    return imports.strip("\n"), body.strip("\n")
