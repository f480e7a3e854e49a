"""What a published table is: its columns, and the query of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import pyarrow as pa

from archive.index.sql import quoted

#: Stands for the address of this server in the expression of a column.
SERVER = "{server}"


class Kind(StrEnum):
    """Kind of a value: what it can be compared with."""

    TEXT = "text"
    REAL = "real number"
    INTEGER = "integer"
    SHORT = "integer of 32 bits"
    TRUTH = "truth value"
    TIME = "time"
    POINT = "point"
    CIRCLE = "circle"

    @property
    def is_number(self) -> bool:
        """Whether it can be calculated with."""
        return self in {Kind.REAL, Kind.INTEGER, Kind.SHORT}


ARROW = {
    Kind.TEXT: pa.string(),
    Kind.REAL: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.SHORT: pa.int32(),
    Kind.TRUTH: pa.bool_(),
    Kind.TIME: pa.timestamp("us"),
}
DUCKDB = {
    Kind.TEXT: "VARCHAR",
    Kind.REAL: "DOUBLE",
    Kind.INTEGER: "BIGINT",
    Kind.SHORT: "INTEGER",
    Kind.TRUTH: "BOOLEAN",
    Kind.TIME: "TIMESTAMP",
}
#: Type of a column in a VOTable: datatype, arraysize, xtype.
VOTABLE = {
    Kind.TEXT: ("unicodeChar", "*", ""),
    Kind.REAL: ("double", "", ""),
    Kind.INTEGER: ("long", "", ""),
    Kind.SHORT: ("int", "", ""),
    Kind.TRUTH: ("boolean", "", ""),
    Kind.TIME: ("char", "*", "timestamp"),
}


@dataclass(frozen=True)
class PublishedColumn:
    """A column that queries can name.

    Attributes
    ----------
    name : str
        In lower case.
    kind : Kind
    description, unit, ucd : str
        Unit in the notation of the Virtual Observatory.
    clock : str
        Clock of a time, as `archive.exports` knows them.
    joins : bool
        Whether tables can be joined by it: it identifies something.
    principal : bool
        Whether it is one of the columns that are looked at first.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    ucd: str = ""
    clock: str = ""
    joins: bool = False
    principal: bool = False

    @property
    def arrow(self) -> pa.Field:
        """The column in an Arrow schema, as the writers of `archive.exports` need it."""
        about = {"unit": self.unit, "description": self.description, "ucd": self.ucd, "clock": self.clock}
        return pa.field(self.name, ARROW[self.kind], metadata={key: value for key, value in about.items() if value})


@dataclass(frozen=True)
class PublishedTable:
    """A table that queries can name.

    Attributes
    ----------
    name : str
        With its schema, as in "stix.flares".
    columns : tuple of PublishedColumn
    rows : str
        Query of its rows with exactly these columns, for DuckDB; `SERVER` stands for the address of this server.
    description, utype : str
    """

    name: str
    columns: tuple[PublishedColumn, ...]
    rows: str
    description: str
    utype: str = ""

    @property
    def schema(self) -> str:
        """Name of its schema."""
        return self.name.partition(".")[0]

    @cached_property
    def by_name(self) -> dict[str, PublishedColumn]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    def query(self, server: str) -> str:
        """Query of its rows, with the address of this server."""
        return self.rows.replace(SERVER, quoted(server))


@dataclass(frozen=True)
class Foreign:
    """A column that names a row of another table."""

    key_id: str
    table: str
    column: str
    target: str
    description: str


def literal(value: str | int | None) -> str:
    """A value of our own in SQL."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else quoted(value)


def values_query(columns: Iterable[PublishedColumn], rows: Iterable[tuple[str | int | None, ...]]) -> str:
    """Query of rows that are written in it."""
    columns = tuple(columns)
    written = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    names = ", ".join(f'"c{place}"' for place in range(len(columns)))
    casts = ", ".join(f'CAST("c{place}" AS {DUCKDB[c.kind]}) AS "{c.name}"' for place, c in enumerate(columns))
    return f"SELECT {casts} FROM (VALUES {written}) AS made({names})"  # noqa: S608 (our own values, quoted)
