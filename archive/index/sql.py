"""Small pieces of SQL. Names come from the schema, never from users; values are parameters where SQL allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Conditions:
    """Conditions joined by AND, with the values of their parameters."""

    terms: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

    @classmethod
    def of(cls, *pairs: tuple[str, Any]) -> Conditions:
        """Conditions from (term, value) pairs; a pair whose value is None is left out.

        A tuple is the values of several parameters.
        """
        used = [(term, value) for term, value in pairs if value is not None]
        values = [part for _, value in used for part in (value if isinstance(value, tuple) else (value,))]
        return cls(tuple(term for term, _ in used), tuple(values))

    def __and__(self, others: Conditions) -> Conditions:
        """These and others."""
        return Conditions(self.terms + others.terms, self.values + others.values)

    def split(self, begin: str) -> tuple[Conditions, Conditions]:
        """The conditions that begin with a text, and the others."""
        chosen: list[tuple[str, Any]] = []
        others: list[tuple[str, Any]] = []
        values = iter(self.values)
        for term in self.terms:
            pair = term, tuple(islice(values, term.count("?")))
            (chosen if term.startswith(begin) else others).append(pair)
        return Conditions.of(*chosen), Conditions.of(*others)

    @property
    def where(self) -> str:
        """``WHERE`` clause; empty without conditions."""
        return " WHERE " + " AND ".join(f"({term})" for term in self.terms) if self.terms else ""


def quoted(text: str | Path) -> str:
    """SQL string literal, for the statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"


def select(what: str, source: str, rest: str = "") -> str:
    """``SELECT`` from a table. No argument may contain text from users."""
    return f"SELECT {what} FROM {source}{rest}"  # noqa: S608 (names of the schema, question marks for values)


def parquet_scan(files: Iterable[Path | str]) -> str:
    """Query of all rows of some Parquet files. A folder named "a=b" in their path is not read as a column."""
    return select("*", f"read_parquet([{', '.join(map(quoted, files))}], hive_partitioning = false)")


def bindable(value: Any) -> Any:
    """A parameter as DuckDB accepts it: naive UTC times, Python scalars, lists."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [bindable(part) for part in value]
    return value
