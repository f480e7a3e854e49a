"""Rows of a table: all that a filter lets through, one page of them, their number, the one with a key.

A page is chosen in three steps, each of which reads little: where it ends, by the columns that decide the order; its
keys, among the rows that come no later; its rows, by key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archive.errors import NotInArchive
from archive.index.columns import Table
from archive.index.order import Order
from archive.index.reader import Reader
from archive.index.sql import Conditions, select

#: Answers to "how many" that are kept.
_COUNTS_KEPT = 500
#: A page that begins further down is chosen in one step less: so many rows would not be few any more.
_NEAR = 5000


@dataclass(frozen=True)
class Place:
    """Where a row stands among others: how many come before it, and how many there are."""

    number: int
    total: int

    def beside(self, by: int) -> int:
        """Number of the row that many further on; the first or last one where there is none."""
        return min(max(self.number + by, 0), self.total - 1)


class Rows:
    """Typed answers of a reader; safe to share between threads.

    Parameters
    ----------
    reader : Reader
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._counts: dict[tuple[object, ...], int] = {}

    def select[Row](self, table: Table[Row], conditions: Conditions, sort: Sequence[str]) -> list[Row]:
        """Every row that a filter lets through, in order."""
        whole = select(table.selection, table.name, conditions.where + Order.of(table, sort).clause)
        return table.from_records(self._reader.records(whole, conditions.values))

    def page[Row](
        self, table: Table[Row], conditions: Conditions, sort: Sequence[str], limit: int, offset: int
    ) -> list[Row]:
        """Some rows after some others."""
        order = Order.of(table, sort)
        if limit < 1:
            return []
        if order.is_computed or offset + limit > _NEAR:
            return self._between(table, conditions, order, limit, offset)
        first = select(order.names, table.name, f"{conditions.where}{order.clause_without_key} LIMIT ?")
        found = self._reader.records(first, [*conditions.values, offset + limit])
        if len(found) <= offset:
            return []
        return self._up_to(table, conditions, order, found[-1], limit, offset)

    def page_and_count[Row](
        self, table: Table[Row], conditions: Conditions, sort: Sequence[str], size: int, number: int
    ) -> tuple[list[Row], int]:
        """A page by its number, from 1, and the number of rows on all pages; the last page for one behind it.

        A filter is looked through once for both, unless the number is known already.
        """
        order, state = Order.of(table, sort), self._reader.state()
        count = self._counts.get(_question(table, conditions, state))
        if count is not None or order.is_computed or number * size > _NEAR:
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
        self._keep(_question(table, conditions, state), count)
        offset = (min(number, _pages(count, size)) - 1) * size
        return (self._up_to(table, conditions, order, found[-1][1:], size, offset) if found else []), count

    def count(self, table: Table[Any], conditions: Conditions) -> int:
        """Number of rows; the answer is kept while the index stays as it is, for who turns pages or sorts anew."""
        key = _question(table, conditions, self._reader.state())
        known = self._counts.get(key)
        if known is None:
            ((known,),) = self._reader.records(key[0], conditions.values)
            self._keep(key, int(known))
        return int(known)

    def place(self, table: Table[Any], conditions: Conditions, sort: Sequence[str], key: str) -> Place | None:
        """Where the row with a key stands among those that a filter lets through; None when it is none of them."""
        order = Order.of(table, sort)
        it = conditions & Conditions.of((f"{table.key} = ?", key))
        found = self._reader.records(select(order.names, table.name, it.where), it.values)
        if not found:
            return None
        through = conditions & order.through(found[0], key)
        ((number,),) = self._reader.records(select("count(*)", table.name, through.where), through.values)
        total = self.count(table, conditions)
        # between the questions rows may have gone
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
        """Rows of a page whose last one has known values, in the columns that decide the order."""
        found = self._between(table, conditions & order.until(last), order, limit, offset)
        # rows that were removed between the two questions are missed at the end of the page
        return found if len(found) == limit else self._between(table, conditions, order, limit, offset)

    def _between[Row](
        self, table: Table[Row], conditions: Conditions, order: Order, limit: int, offset: int
    ) -> list[Row]:
        """Rows of a page by their keys, so that only they are read whole."""
        page = select(f"{table.key}, {table.time}", table.name, f"{conditions.where}{order.clause} LIMIT ? OFFSET ?")
        found = self._reader.records(page, [*conditions.values, limit, offset])
        months = {key: f"{time:%Y-%m}" for key, time in found}
        rows = {getattr(row, table.key): row for row in self._by_key(table, months)}
        return [rows[key] for key in months if key in rows]

    def _by_key[Row](self, table: Table[Row], months: dict[str, str]) -> list[Row]:
        return table.from_records(self._reader.by_key(table, months))

    def _keep(self, key: tuple[str, str, object], count: int) -> None:
        if len(self._counts) >= _COUNTS_KEPT:
            self._counts.clear()
        self._counts[key] = count


def _question(table: Table[Any], conditions: Conditions, state: object) -> tuple[str, str, object]:
    """What a count depends on: the question in SQL, its values, the index."""
    return select("count(*)", table.name, conditions.where), repr(conditions.values), state


def _pages(count: int, size: int) -> int:
    return max(1, -(-count // size))
