"""In which order rows are listed, and which of them a page can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archive.errors import QueryRefused
from archive.index.columns import Table
from archive.index.schema import IMAGES
from archive.index.sql import Conditions

#: Counts above background, which stand in the run of an image: images can be sorted by them as by a column.
NET_COUNTS = "net_counts"
_COMPUTED = {
    IMAGES.name: {
        NET_COUNTS: "(SELECT counts_total - coalesce(counts_background, 0) FROM runs WHERE run_id = recipe_id)",
    }
}


@dataclass(frozen=True)
class Order:
    """Columns that rows are sorted by. Empty values come last either way.

    Rows that compare equal in what was asked for come newest first, and those of one time by their key: without a key
    they could stand on two pages, or on none.

    Attributes
    ----------
    columns : tuple of (str, bool)
        Name (or SQL, when computed), and whether the largest value comes first. The key is not among them.
    key : str
        Column that decides in the end.
    is_computed : bool
        Something that is no column decides, too: to ask for its values twice would take longer than to sort.
    """

    columns: tuple[tuple[str, bool], ...]
    key: str
    is_computed: bool = False

    @classmethod
    def of(cls, table: Table[Any], sort: Sequence[str]) -> Order:
        """Order of a table by some of its columns; a leading "-" turns one round.

        Raises
        ------
        QueryRefused
            When there is no such column.
        """
        computed = _COMPUTED.get(table.name, {})
        known = {name: name for name in table.names} | computed
        columns: dict[str, bool] = {}
        for column in (*sort, f"-{table.time}"):
            name = column.removeprefix("-")
            if name not in known:
                message = f"table {table.name} has no column {name!r} to sort by; there are {', '.join(sorted(known))}"
                raise QueryRefused(message)
            columns.setdefault(known[name], column.startswith("-"))
        return cls(tuple(columns.items()), table.key, not columns.keys().isdisjoint(computed.values()))

    @property
    def names(self) -> str:
        """The columns without the key, for a ``SELECT``."""
        return ", ".join(name for name, _ in self.columns)

    @property
    def clause_without_key(self) -> str:
        """``ORDER BY`` without the key: the key is text, and reading it of a million rows takes the longest of all."""
        terms = (f"{name} {'DESC' if falling else 'ASC'} NULLS LAST" for name, falling in self.columns)
        return f" ORDER BY {', '.join(terms)}"

    @property
    def clause(self) -> str:
        """``ORDER BY``, with the key."""
        return f"{self.clause_without_key}, {self.key} ASC"

    def until(self, last: Sequence[Any]) -> Conditions:
        """Condition of the rows that come before some values, or are equal to them.

        Parameters
        ----------
        last : sequence
            A value, or None, for each of the columns.
        """
        term, values = _until(self.columns, last)
        return Conditions((term,), values)

    def through(self, last: Sequence[Any], key: str) -> Conditions:
        """Condition of a row and those that come before it, from its values as `until` takes them, and its key."""
        term, values = _until((*self.columns, (self.key, False)), (*last, key))
        return Conditions((term,), values)


def _until(columns: Sequence[tuple[str, bool]], last: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    (name, falling), value = columns[0], last[0]
    term, values = _until(columns[1:], last[1:]) if len(columns) > 1 else ("true", ())
    if value is None:  # everything that is known comes before
        return f"{name} IS NOT NULL OR ({term})", values
    sign = ">" if falling else "<"
    # the first half says nothing new, and lets DuckDB pass over whole blocks of rows
    return f"{name} {sign}= ? AND ({name} {sign} ? OR ({term}))", (value, value, *values)
