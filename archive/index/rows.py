"""Rows of a table that match a filter: all, one page, their number, or one row by key.

A page is read in three fast steps: its last row, using only the columns that decide the order; the keys up to that row;
the rows by key. Where a condition reads the key anyway, the keys are the first step. See
``docs/decisions/pages_of_rows.md``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archive.errors import NotInArchive
from archive.index.columns import Table
from archive.index.order import Order
from archive.index.reader import Reader
from archive.index.sql import Conditions, select

#: Largest number of cached counts.
_COUNTS_KEPT = 500
#: Pages that end after this row skip the first step, which would read too many rows.
_NEAR = 5000
#: Rows per row of the page that are tried first where a condition chooses keys from another table.
_TRIED = 8


@dataclass(frozen=True)
class Place:
    """Position of a row in a list: number of rows before it, and number of all rows."""

    number: int
    total: int

    def beside(self, by: int) -> int:
        """Number of the row ``by`` rows later, limited to the first and last row."""
        return min(max(self.number + by, 0), self.total - 1)


class Rows:
    """Typed rows from a reader; can be shared between threads.

    Parameters
    ----------
    reader : Reader
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._counts: dict[tuple[object, ...], int] = {}

    def select[Row](self, table: Table[Row], conditions: Conditions, sort: Sequence[str]) -> list[Row]:
        """All rows that match a filter, sorted."""
        whole = select(table.selection, table.name, conditions.where + Order.of(table, sort).clause)
        return table.from_records(self._reader.records(whole, conditions.values))

    def page[Row](
        self, table: Table[Row], conditions: Conditions, sort: Sequence[str], limit: int, offset: int
    ) -> list[Row]:
        """``limit`` rows after the first ``offset`` rows."""
        order = Order.of(table, sort)
        if limit < 1:
            return []
        if not order.is_computed and _begin(table) in " ".join(conditions.terms) and offset + limit <= _NEAR:
            tried = self._among_first(table, conditions, order, limit, offset)
            if tried is not None:
                return tried
        if order.is_computed or offset + limit > _NEAR or _reads_key(table, conditions):
            return self._between(table, conditions, order, limit, offset)
        first = select(order.names, table.name, f"{conditions.where}{order.clause_without_key} LIMIT ?")
        found = self._reader.records(first, [*conditions.values, offset + limit])
        if len(found) <= offset:
            return []
        return self._up_to(table, conditions, order, found[-1], limit, offset)

    def page_and_count[Row](
        self, table: Table[Row], conditions: Conditions, sort: Sequence[str], size: int, number: int
    ) -> tuple[list[Row], int]:
        """A page by its number, from 1, and the number of rows on all pages. A number too high gives the last page.

        One pass over the table gives both, unless the count is cached.
        """
        order, state = Order.of(table, sort), self._reader.state()
        count = self._counts.get(_count_key(table, conditions, state))
        if count is not None or order.is_computed or number * size > _NEAR or _reads_key(table, conditions):
            if count is None:
                count = self.count(table, conditions)
            offset = (min(number, _pages(count, size)) - 1) * size
            return (self.page(table, conditions, sort, size, offset) if count else []), count
        matches = select(order.names, table.name, conditions.where)
        number_and_first = select(
            f"({select('count(*)', 'matches')}), {order.names}", "matches", order.clause_without_key
        )
        both = f"WITH matches AS MATERIALIZED ({matches}) {number_and_first} LIMIT ?"
        found = self._reader.records(both, [*conditions.values, number * size])
        count = int(found[0][0]) if found else 0
        self._keep(_count_key(table, conditions, state), count)
        offset = (min(number, _pages(count, size)) - 1) * size
        return (self._up_to(table, conditions, order, found[-1][1:], size, offset) if found else []), count

    def count(self, table: Table[Any], conditions: Conditions) -> int:
        """Number of matching rows, cached until the index changes: other pages and orders need the same count."""
        key = _count_key(table, conditions, self._reader.state())
        known = self._counts.get(key)
        if known is None:
            ((known,),) = self._reader.records(key[0], conditions.values)
            self._keep(key, int(known))
        return int(known)

    def place(self, table: Table[Any], conditions: Conditions, sort: Sequence[str], key: str) -> Place | None:
        """Position of the row with a key among the matching rows; None when it does not match."""
        order = Order.of(table, sort)
        it = conditions & Conditions.of((f"{table.key} = ?", key))
        found = self._reader.records(select(order.names, table.name, it.where), it.values)
        if not found:
            return None
        through = conditions & order.through(found[0], key)
        ((number,),) = self._reader.records(select("count(*)", table.name, through.where), through.values)
        total = self.count(table, conditions)
        # rows may be removed between the queries
        return Place(min(int(number), total) - 1, total) if number and total else None

    def one[Row](self, table: Table[Row], key: str) -> Row:
        """The row with a key.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        found = self._by_key(table, {key: ""})
        if not found:
            message = f"table {table.name} has no {table.key} {key!r}"
            raise NotInArchive(message)
        return found[0]

    def _up_to[Row](
        self,
        table: Table[Row],
        conditions: Conditions,
        order: Order,
        last: Sequence[Any],
        limit: int,
        offset: int,
    ) -> list[Row]:
        """Rows of a page, given the values of its last row in the columns that decide the order."""
        found = self._between(table, conditions & order.until(last), order, limit, offset)
        # if rows were removed between the queries, the page is short: read it again
        return found if len(found) == limit else self._between(table, conditions, order, limit, offset)

    def _among_first[Row](
        self, table: Table[Row], conditions: Conditions, order: Order, limit: int, offset: int
    ) -> list[Row] | None:
        """Rows of a page, if enough of the first rows have keys that a condition chooses from another table, else None.

        Comparing the keys of all rows with these takes several times as long.
        """
        chosen, others = conditions.split(_begin(table))
        n = _TRIED * (offset + limit)
        columns = dict.fromkeys((table.key, table.time, *(name for name, _ in order.columns)))
        first = select(", ".join(columns), table.name, f"{others.where}{order.clause} LIMIT ?")
        what = f"{table.key}, {table.time}, ({select('count(*)', 'first')})"
        page = select(what, "first", f"{chosen.where}{order.clause} LIMIT ? OFFSET ?")
        found = self._reader.records(
            f"WITH first AS MATERIALIZED ({first}) {page}",
            [*others.values, n, *chosen.values, limit, offset],
        )
        if len(found) == limit or (found and found[0][2] < n):
            return self._in_order(table, [(key, time) for key, time, _ in found])
        return None

    def _between[Row](
        self, table: Table[Row], conditions: Conditions, order: Order, limit: int, offset: int
    ) -> list[Row]:
        """Rows of a page: first the keys, then all columns of these rows."""
        page = select(f"{table.key}, {table.time}", table.name, f"{conditions.where}{order.clause} LIMIT ? OFFSET ?")
        return self._in_order(table, self._reader.records(page, [*conditions.values, limit, offset]))

    def _in_order[Row](self, table: Table[Row], found: Sequence[tuple[Any, ...]]) -> list[Row]:
        """Rows with some keys and times, in their order."""
        months = {key: f"{time:%Y-%m}" for key, time in found}
        rows = {getattr(row, table.key): row for row in self._by_key(table, months)}
        return [rows[key] for key in months if key in rows]

    def _by_key[Row](self, table: Table[Row], months: dict[str, str]) -> list[Row]:
        return table.from_records(self._reader.by_key(table, months))

    def _keep(self, key: tuple[str, str, object], count: int) -> None:
        if len(self._counts) >= _COUNTS_KEPT:
            self._counts.clear()
        self._counts[key] = count


def _count_key(table: Table[Any], conditions: Conditions, state: object) -> tuple[str, str, object]:
    """Cache key of a count: query, values and identity of the index."""
    return select("count(*)", table.name, conditions.where), repr(conditions.values), state


def _begin(table: Table[Any]) -> str:
    """Beginning of a condition that chooses keys from the table of images."""
    return f"{table.key} IN (SELECT recipe_id "


def _reads_key(table: Table[Any], conditions: Conditions) -> bool:
    """Whether a condition reads the key of every row."""
    return any(re.search(rf"\b{table.key}\b", term) for term in conditions.terms)


def _pages(count: int, size: int) -> int:
    return max(1, -(-count // size))
