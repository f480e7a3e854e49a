"""The read model: a DuckDB file derived from the Parquet files, for fast pages.

``index/read/current.json`` names the model in use and the months that were written since it was built. A writer adds a
month to that list *before* it renames the month's file. A reader that takes the listed months from Parquet and the rest
from the model therefore sees exactly the rows of the Parquet files, and a crash in between costs speed, never a row.

The folder may be deleted at any time. After touching ``index/`` by hand it must be.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from archive.atomic import atomic_path, leftovers, write_text
from archive.errors import IndexDamaged
from archive.index.schema import TABLES
from archive.index.sql import parquet_scan, quoted
from archive.layout import PARTITIONS

#: Memory DuckDB may take to build; beyond it, it uses the disk.
BUILD_MEMORY = "500MB"
_NAME = re.compile(r"index-[0-9a-f]{8}\.duckdb")


@dataclass(frozen=True)
class ReadModel:
    """A read model and the months it does not cover.

    Attributes
    ----------
    database : Path
        The DuckDB file.
    changed : mapping of str to tuple of str
        Per table the months ("2022-11") that were written after it was built.
    """

    database: Path
    changed: Mapping[str, tuple[str, ...]]

    def months(self, table: str) -> tuple[str, ...]:
        """Months of a table that must be read from Parquet."""
        return self.changed.get(table, ())


def current(index: Path) -> ReadModel | None:
    """The model named by the pointer; None when there is none or the pointer is not valid."""
    try:
        pointer = json.loads(_pointer(index).read_text())
        name, changed = pointer["database"], pointer["changed"]
        if _NAME.fullmatch(name) is None:
            return None
        return ReadModel(index / "read" / name, {table: tuple(months) for table, months in changed.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def mark_changed(index: Path, table: str, months: Iterable[str]) -> None:
    """Tell readers to take these months from Parquet. Called under the write lock, before the months are written."""
    model = current(index)
    if model is None:
        return
    known = model.months(table)
    now = tuple(sorted({*known, *months}))
    if now != known:
        _point(index, model.database.name, {**model.changed, table: now})


def build(index: Path) -> Path:
    """Build a new model from the Parquet files and point to it. Called under the write lock.

    Does nothing when the present one is complete. The model before the present one is kept for readers that are just
    opening it; older ones are removed.

    Returns
    -------
    Path
        The DuckDB file in use.

    Raises
    ------
    IndexDamaged
        When a Parquet file cannot be read; the old model stays in use.
    """
    before = current(index)
    if before is not None and not any(before.changed.values()) and before.database.is_file():
        return before.database
    folder = index / "read"
    # never a name that was used before: a reader, and DuckDB itself, would take it for the file they have open
    database = folder / f"index-{secrets.token_hex(4)}.duckdb"
    try:
        with atomic_path(database) as temporary:
            _fill(temporary, index)
    except duckdb.Error as error:
        message = f"no read model can be made, try stix-jobs check --repair: {error}"
        raise IndexDamaged(message) from error
    _point(index, database.name, {})
    keep = {database, before.database if before else database}
    for path in (*folder.glob("index-*.duckdb*"), *leftovers(folder)):
        if path not in keep:
            path.unlink(missing_ok=True)
    return database


def _fill(database: Path, index: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"SET memory_limit = {quoted(BUILD_MEMORY)}")
        connection.begin()  # one write to the disk instead of one for each statement
        for table in TABLES.values():
            connection.execute(table.ddl)
            files = sorted((index / table.name).glob(PARTITIONS), reverse=True)
            if files:
                # month after month, so that DuckDB can leave most of the table closed when times are asked for
                connection.execute(f"INSERT INTO {table.name} BY NAME {parquet_scan(files)}")
            connection.execute(f"CREATE INDEX {table.name}_key ON {table.name} ({table.key})")
        connection.commit()


def _pointer(index: Path) -> Path:
    return index / "read" / "current.json"


def _point(index: Path, database: str, changed: Mapping[str, tuple[str, ...]]) -> None:
    write_text(_pointer(index), json.dumps({"database": database, "changed": changed}, sort_keys=True) + "\n")
