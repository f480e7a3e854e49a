"""Changes of the index layout: each has a name and is applied once, in order.

``index/schema.json`` lists the names that were applied. Code that finds a name it does not know is older than the index
and refuses it; code that knows more names brings the index up to date when it opens the archive for writing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.atomic import remove_file, write_text
from archive.errors import IndexVersion


@dataclass(frozen=True)
class Migration:
    """One step: a name, and a function that changes the index folder. A killed step is run again from its start."""

    name: str
    apply: Callable[[Path], None]


def _first_layout(index: Path) -> None:
    """One Parquet file per table and month: what `archive.index` writes into an empty folder."""


MIGRATIONS = (Migration("2026-11 first layout", _first_layout),)


def pending(index: Path, migrations: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
    """Steps that were not applied yet.

    Raises
    ------
    IndexVersion
        When the index was written by newer code.
    """
    done = _applied(index)
    unknown = [name for name in done if name not in {step.name for step in migrations}]
    if unknown:
        message = (
            f"{index} was written by newer software (it knows {unknown[0]!r}): update this installation to read it"
        )
        raise IndexVersion(message)
    return [step for step in migrations if step.name not in done]


def migrate(index: Path, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Apply what is pending, under the write lock; returns the names of the steps taken.

    Raises
    ------
    IndexVersion
        When the index was written by newer code.
    """
    steps = pending(index, migrations)
    for step in steps:
        remove_file(index / "read" / "current.json")  # the read model shows the old layout
        step.apply(index)
        write_text(_record(index), json.dumps({"applied": [*_applied(index), step.name]}, indent=1) + "\n")
    return [step.name for step in steps]


def _record(index: Path) -> Path:
    return index / "schema.json"


def _applied(index: Path) -> list[str]:
    if not _record(index).is_file():
        return []
    try:
        return [str(name) for name in json.loads(_record(index).read_text())["applied"]]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{_record(index)} must list the applied migrations, and cannot be understood: {error}"
        raise IndexVersion(message) from error
