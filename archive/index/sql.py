"""Small pieces of SQL. Names come from the schema, never from a reader; values are parameters where SQL takes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Conditions:
    """Conditions that all hold, with the values for their question marks."""

    terms: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

    @classmethod
    def of(cls, *pairs: tuple[str, Any]) -> Conditions:
        """Conditions from (term, value) pairs; a pair whose value is None is left out.

        A tuple as value fills several question marks.
        """
        used = [(term, value) for term, value in pairs if value is not None]
        values = [part for _, value in used for part in (value if isinstance(value, tuple) else (value,))]
        return cls(tuple(term for term, _ in used), tuple(values))

    def __and__(self, others: Conditions) -> Conditions:
        """These and others."""
        return Conditions(self.terms + others.terms, self.values + others.values)

    @property
    def where(self) -> str:
        """``WHERE`` clause, empty where there is nothing to ask."""
        return " WHERE " + " AND ".join(f"({term})" for term in self.terms) if self.terms else ""


def quoted(text: str | Path) -> str:
    """SQL string literal, for the statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"


def select(what: str, source: str, rest: str = "") -> str:
    """``SELECT`` from a table; all three are our own text."""
    return f"SELECT {what} FROM {source}{rest}"  # noqa: S608 (names of the schema, question marks for values)


def parquet_scan(files: Iterable[Path]) -> str:
    """Query of all rows of some Parquet files. A folder called "a=b" on the way to them is no column."""
    return select("*", f"read_parquet([{', '.join(map(quoted, files))}], hive_partitioning = false)")


def bindable(value: Any) -> Any:
    """A parameter as DuckDB takes it: times naive and UTC, NumPy scalars as Python's, tuples as lists."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [bindable(part) for part in value]
    return value
