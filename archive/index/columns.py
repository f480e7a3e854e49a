"""Column types, Arrow schema, DuckDB DDL and documentation of a table, from its declaration.

A table is a frozen dataclass whose fields carry a `Column`: ``t_start: Annotated[np.datetime64, Column("…", "UTC")]``.
Everything else is derived from it here.

Times are naive timestamps in microseconds, UTC: DuckDB supports time zones only with its ICU extension and prints such
times in the zone of the connection, and NumPy has no time zones, so naive UTC is the only form with the same meaning in
all three.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from types import UnionType
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from archive.errors import BadRow
from stixcore.notebook import facts_html
from stixcore.printable import shortened


@dataclass(frozen=True)
class Column:
    """Meaning and unit of a column, for its annotation; the unit "JSON" marks text that contains JSON."""

    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Field:
    """One column with all its properties."""

    name: str
    python: type
    nullable: bool
    unit: str
    meaning: str

    @property
    def arrow(self) -> pa.Field:
        """The column in an Arrow schema."""
        return pa.field(self.name, _ARROW[self.python], nullable=self.nullable)

    @property
    def duckdb(self) -> str:
        """Type of the column in DuckDB."""
        return _DUCKDB[self.python]


class TableRow:
    """Base class of the rows of all tables: how they show themselves in notebooks."""

    def _repr_html_(self) -> str:
        """The values that are known, with units; long texts are cut."""
        hints = get_type_hints(type(self), include_extras=True)
        rows = []
        for name in (one.name for one in fields(cast("Any", self))):
            value, column = getattr(self, name), get_args(hints[name])[1]
            if value is not None and value != "" and column.unit != "JSON":
                unit = "" if column.unit.startswith("UTC") else f" {column.unit}".rstrip()
                rows.append((name, f"{shortened(str(value), 80)}{unit}"))
        return facts_html(type(self).__name__, rows)


_ARROW: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    np.datetime64: pa.timestamp("us"),
}
_DUCKDB: dict[type, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    np.datetime64: "TIMESTAMP",
}
_WORDS: dict[type, str] = {str: "text", int: "integer", float: "real", bool: "yes/no", np.datetime64: "time"}


@dataclass(frozen=True)
class Table[Row]:
    """One table of the index.

    Attributes
    ----------
    name : str
        Name in queries.
    row : type
        Frozen dataclass, one field per column.
    key : str
        Column whose values are unique.
    time : str
        Column that determines the month, and thus the file, of a row.
    meaning : str
        One sentence for the documentation.
    partition : str
        "month" or "day": period of one file.
    """

    name: str
    row: type[Row]
    key: str
    time: str
    meaning: str
    partition: str = "month"

    @cached_property
    def columns(self) -> tuple[Field, ...]:
        """Columns in order of declaration."""
        hints = get_type_hints(self.row, include_extras=True)
        return tuple(_field(entry.name, hints[entry.name]) for entry in fields(cast("Any", self.row)))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the columns."""
        return frozenset(column.name for column in self.columns)

    @cached_property
    def selection(self) -> str:
        """All columns, for a ``SELECT`` with a fixed order of columns."""
        return ", ".join(column.name for column in self.columns)

    @cached_property
    def arrow(self) -> pa.Schema:
        """Arrow schema."""
        return pa.schema([column.arrow for column in self.columns])

    @property
    def ddl(self) -> str:
        """``CREATE TABLE`` for DuckDB."""
        lines = [f"  {c.name} {c.duckdb}{'' if c.nullable else ' NOT NULL'}" for c in self.columns]
        return f"CREATE TABLE {self.name} (\n" + ",\n".join(lines) + "\n)"

    @property
    def empty_select(self) -> str:
        """A query without rows that has the columns and types of the table."""
        casts = ", ".join(f"CAST(NULL AS {c.duckdb}) AS {c.name}" for c in self.columns)
        return f"SELECT {casts} WHERE false"

    @property
    def markdown(self) -> str:
        """Documentation of the table."""
        lines = [f"## `{self.name}`", "", f"{self.meaning} Key: `{self.key}`; {self.partition} by `{self.time}`.", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        for c in self.columns:
            word = _WORDS[c.python] + (", may be empty" if c.nullable else "")
            lines.append(f"| `{c.name}` | {word} | {c.unit} | {c.meaning.replace('|', '\\|')} |")
        return "\n".join(lines) + "\n"

    def to_arrow(self, rows: Iterable[Row | Mapping[str, Any]]) -> pa.Table:
        """Rows (or mappings with the columns as keys) as an Arrow table; of rows with the same key the last is kept.

        NaN and NaT become empty values.

        Raises
        ------
        BadRow
            If a row does not match the columns; the message names table, key, column and value.
        """
        made = [row if isinstance(row, self.row) else self._made(row) for row in rows]
        last = list({getattr(row, self.key): row for row in made}.values())
        arrays = [self._array(column, last) for column in self.columns]
        return pa.Table.from_arrays(arrays, schema=self.arrow)

    def to_rows(self, table: pa.Table) -> list[Row]:
        """Rows of an Arrow table that has the columns of this one."""
        return self.from_records(zip(*(table.column(c.name).to_pylist() for c in self.columns), strict=True))

    def from_records(self, records: Iterable[Sequence[Any]]) -> list[Row]:
        """Rows from values returned by DuckDB, in the order of `selection`."""
        names = [column.name for column in self.columns]
        times = [place for place, column in enumerate(self.columns) if column.python is np.datetime64]
        rows = []
        for record in records:
            values = list(record)
            for place in times:
                if values[place] is not None:
                    values[place] = np.datetime64(values[place], "us")
            rows.append(self.row(**dict(zip(names, values, strict=True))))
        return rows

    def _made(self, row: Row | Mapping[str, Any]) -> Row:
        if not isinstance(row, Mapping):
            message = f"table {self.name} takes rows of type {self.row.__name__}, found {type(row).__name__}"
            raise BadRow(message)
        try:
            return self.row(**row)
        except TypeError as error:
            message = f"table {self.name}: {error}"
            raise BadRow(message) from error

    def _array(self, column: Field, rows: list[Row]) -> pa.Array:
        values = [getattr(row, column.name) for row in rows]
        try:
            array = _arrow_array(values, column)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            row, value = self._culprit(column, rows)
            message = (
                f"table {self.name}, row {getattr(row, self.key)!r}: column {column.name} takes "
                f"{_WORDS[column.python]}, found {value!r}"
            )
            raise BadRow(message) from error
        if array.null_count and not column.nullable:
            row = rows[array.is_null().index(True).as_py()]
            message = f"table {self.name}, row {getattr(row, self.key)!r}: column {column.name} is empty"
            raise BadRow(message)
        return array

    def _culprit(self, column: Field, rows: list[Row]) -> tuple[Row, Any]:
        for row in rows:
            value = getattr(row, column.name)
            try:
                _arrow_array([value], column)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                return row, value
        return rows[0], "inconsistent values"


def _field(name: str, hint: Any) -> Field:
    if get_origin(hint) is not Annotated:
        message = f"column {name} has no Column in its annotation"
        raise TypeError(message)
    kind, column = get_args(hint)
    nullable = isinstance(kind, UnionType)
    if nullable:
        kind = next(part for part in get_args(kind) if part is not type(None))
    return Field(name, kind, nullable, column.unit, column.meaning)


def _arrow_array(values: list[Any], column: Field) -> pa.Array:
    if column.python is np.datetime64:
        times = [np.datetime64("NaT", "us") if value is None else value for value in values]
        return pa.array(np.array(times, dtype="datetime64[us]"), type=column.arrow.type)
    if column.python is int:  # Arrow would truncate 1.5 to 1
        values = [None if value is None else operator.index(value) for value in values]
    return pa.array(values, type=column.arrow.type, from_pandas=True)  # from_pandas: NaN is empty
