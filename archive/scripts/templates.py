"""Templates are files in ``templates/``. A ``{{ name }}`` in them is replaced once, by text fit to stand there."""

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
    """A template with its places filled; what stands in a value is not looked at again.

    Raises
    ------
    KeyError
        When the template has a place that no value is for.
    """
    return _PLACE.sub(lambda place: values[place[1]], template(name))


@cache
def part(name: str) -> tuple[str, str]:
    """A module of ``parts/`` as text to stand inside a script: its imports, and what follows them."""
    _, _, text = files(_PACKAGE).joinpath("parts", f"{name}.py").read_text("utf-8").partition('"""\n')
    imports, _, body = text.partition("\n\n\n")
    return imports.strip("\n"), body.strip("\n")
