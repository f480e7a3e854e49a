"""Sort order of rows, and conditions on the rows before a given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archive.errors import QueryRefused
from archive.index.columns import Table
from archive.index.filters import NET_COUNTS_OF_RUN
from archive.index.schema import FLARES, IMAGES, RUNS
from archive.index.sql import Conditions, select

#: Net counts of a run. Runs and images can be sorted by them as by a column.
NET_COUNTS = "net_counts"
#: Duration of a flare, s. Flares can be sorted by it as by a column.
DURATION = "duration_s"
#: Expressions that rows can be sorted by as by columns.
_COMPUTED = {
    IMAGES.name: {NET_COUNTS: f"({select(NET_COUNTS_OF_RUN, RUNS.name, ' WHERE run_id = recipe_id')})"},
    FLARES.name: {DURATION: "epoch(t_end - t_start)"},
    RUNS.name: {
        NET_COUNTS: f"({NET_COUNTS_OF_RUN})",
        **{
            name: f"({select(name, FLARES.name, ' WHERE flares.flare_id = runs.flare_id')})"
            for name in ("goes_flux", "goes_estimated_flux")
        },
    },
}


@dataclass(frozen=True)
class Order:
    """Columns that rows are sorted by. Empty values always come last.

    Equal rows are sorted newest first, then by key. Without the key a row could be on two pages, or on none.

    Attributes
    ----------
    columns : tuple of (str, bool)
        Name (or SQL expression), and whether the order is descending. Without the key.
    key : str
        Column that decides last.
    is_computed : bool
        An SQL expression is among the columns. Computing it twice would take longer than sorting.
    """

    columns: tuple[tuple[str, bool], ...]
    key: str
    is_computed: bool = False

    @classmethod
    def of(cls, table: Table[Any], sort: Sequence[str]) -> Order:
        """Order of a table by some of its columns; a leading "-" means descending.

        Raises
        ------
        QueryRefused
            When the table has no such column.
        """
        computed = _COMPUTED.get(table.name, {})
        known = {name: name for name in table.names} | computed
        columns: dict[str, bool] = {}
        for column in (*sort, f"-{table.time}"):
            name = column.removeprefix("-")
            if name not in known:
                message = (
                    f"table {table.name} has no column {name!r} to sort by; its columns are {', '.join(sorted(known))}"
                )
                raise QueryRefused(message)
            columns.setdefault(known[name], column.startswith("-"))
        return cls(tuple(columns.items()), table.key, not columns.keys().isdisjoint(computed.values()))

    @property
    def names(self) -> str:
        """The columns without the key, for a ``SELECT``."""
        return ", ".join(name for name, _ in self.columns)

    @property
    def clause_without_key(self) -> str:
        """``ORDER BY`` without the key, which is text and slow to read for a million rows."""
        terms = (f"{name} {'DESC' if falling else 'ASC'} NULLS LAST" for name, falling in self.columns)
        return f" ORDER BY {', '.join(terms)}"

    @property
    def clause(self) -> str:
        """``ORDER BY``, with the key."""
        return f"{self.clause_without_key}, {self.key} ASC"

    def until(self, last: Sequence[Any]) -> Conditions:
        """Condition that selects the rows before or equal to some values.

        Parameters
        ----------
        last : sequence
            A value, or None, for each of the columns.
        """
        term, values = _until(self.columns, last)
        return Conditions((term,), values)

    def through(self, last: Sequence[Any], key: str) -> Conditions:
        """Condition that selects a row, given by its values (see `until`) and key, and the rows before it."""
        term, values = _until((*self.columns, (self.key, False)), (*last, key))
        return Conditions((term,), values)


def _until(columns: Sequence[tuple[str, bool]], last: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    (name, falling), value = columns[0], last[0]
    term, values = _until(columns[1:], last[1:]) if len(columns) > 1 else ("true", ())
    if value is None:  # known values come before empty ones
        return f"{name} IS NOT NULL OR ({term})", values
    sign = ">" if falling else "<"
    # the first part is redundant, but lets DuckDB skip blocks of rows
    return f"{name} {sign}= ? AND ({name} {sign} ? OR ({term}))", (value, value, *values)
