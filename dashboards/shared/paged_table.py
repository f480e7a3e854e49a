"""Columns of tables that show one page: the archive filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Origin(Protocol):
    """A row that is real or simulated."""

    @property
    def simulated(self) -> bool:
        """Whether it is made from simulated data."""


def origin_classes(rows: Sequence[Origin]) -> list[str]:
    """CSS classes of a table: without marks for simulated rows if all are; a banner says so."""
    return ["one-origin"] if all(row.simulated for row in rows) else []


@dataclass(frozen=True)
class TableColumn[**Row]:
    """One column of a table.

    Attributes
    ----------
    field, title : str
        Field name, and header.
    cell : callable
        Returns the HTML of a cell for a row. Values from the index are escaped.
    tooltip : str
        Tooltip of the header.
    sort : str
        Column of the index to sort by; empty if it cannot be sorted.
    downwards : bool
        The first click on the header sorts largest first.
    width : int, pixel
        Minimum width; what remains of the table's width is shared in proportion.
    priority : int
        Columns with higher numbers are hidden first on narrow screens; 0 is never hidden.
    align : str
        "left", "center" or "right".
    usual : bool
        Shown unless other columns are chosen.
    """

    field: str
    title: str
    cell: Callable[Row, str]
    tooltip: str = ""
    sort: str = ""
    downwards: bool = False
    width: int = 60
    priority: int = 0
    align: str = "left"
    usual: bool = True


def choose_columns[Column: TableColumn[...]](
    columns: Sequence[Column], always: Column, names: Sequence[str]
) -> tuple[Column, ...]:
    """The columns with these names in table order, and the one always shown; the usual ones if no name is known."""
    wanted = {column.field for column in columns if column is not always}.intersection(names)
    if not wanted:
        return tuple(column for column in columns if column.usual)
    return tuple(column for column in columns if column is always or column.field in wanted)


def next_sort(column: TableColumn[...], sort: Sequence[str]) -> str:
    """Column of the index to sort by after a click on a head: the other direction, or the first one of the column."""
    up, down = column.sort, f"-{column.sort}"
    first, second = (down, up) if column.downwards else (up, down)
    return second if first in sort else first
