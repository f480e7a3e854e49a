"""What tables that show one page have in common: the archive filters, sorts and pages, Tabulator holds ready HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panel.io.model import JSCode

#: The archive has sorted; the browser keeps the order in which rows came. (Tabulator swaps the two for "desc".)
AS_SENT = JSCode(
    "(a, b, rowA, rowB, column, dir) => (dir === 'asc' ? 1 : -1) * (rowA.getData()._index - rowB.getData()._index)"
)

#: Tabulator sorts by a click on a head and lets no key come there.
KEYED_HEAD = JSCode(
    "(cell, _, rendered) => { rendered(() => { const head = cell.getElement().closest('.tabulator-col'); "
    "head.tabIndex = 0; head.addEventListener('keydown', (event) => { "
    "if (event.target === head && [' ', 'Enter'].includes(event.key)) { event.preventDefault(); head.click() } }) }); "
    "return cell.getValue() }"
)


@dataclass(frozen=True)
class TableColumn[**Row]:
    """One column.

    Attributes
    ----------
    field, title : str
        Name inside, and head.
    cell : callable
        HTML of a cell, from what the table knows of a row. Everything that comes from the index is escaped.
    tooltip : str
        What the head says to a resting pointer.
    sort : str
        Column of the index behind it; empty when it cannot be sorted by.
    downwards : bool
        The first click on the head puts the largest first.
    width, min_width : int, pixel
        Share of the table's width, and what it cannot do without.
    priority : int
        The higher, the sooner it goes when the screen is narrow; 0 stays.
    align : str
        "left", "center" or "right".
    """

    field: str
    title: str
    cell: Callable[Row, str]
    tooltip: str = ""
    sort: str = ""
    downwards: bool = False
    width: int = 100
    min_width: int = 60
    priority: int = 0
    align: str = "left"


def table_options(
    columns: Sequence[TableColumn[...]], row_height: int, heads: Mapping[str, JSCode] | None = None
) -> dict[str, Any]:
    """Arguments for a Tabulator of these columns.

    Parameters
    ----------
    columns : sequence of TableColumn
    row_height : int
        Pixel.
    heads : mapping, optional
        Field → what draws the head of its column, where that is no text.
    """
    return {
        "show_index": False,
        "disabled": True,
        "pagination": None,
        "layout": "fit_columns",
        "titles": {column.field: column.title for column in columns},
        "formatters": {column.field: {"type": "html"} for column in columns},
        "text_align": {column.field: column.align for column in columns},
        "header_align": {column.field: column.align for column in columns},
        "sortable": {column.field: bool(column.sort) for column in columns},
        "header_tooltips": {column.field: column.tooltip for column in columns if column.tooltip},
        "configuration": _configuration(columns, row_height, heads or {}),
        "sizing_mode": "stretch_width",
        "margin": 0,
    }


def sorters_of(columns: Sequence[TableColumn[...]], sort: Sequence[str]) -> list[dict[str, str]]:
    """Tabulator's sorters for an order of the archive, "-" for downwards; what has no column is left out."""
    fields = {column.sort: column.field for column in columns if column.sort}
    return [
        {"field": fields[name.removeprefix("-")], "dir": "desc" if name.startswith("-") else "asc"}
        for name in sort
        if name.removeprefix("-") in fields
    ]


def sort_of(columns: Sequence[TableColumn[...]], sorters: Sequence[Mapping[str, str]]) -> list[str]:
    """The archive's order for Tabulator's sorters."""
    names = {column.field: column.sort for column in columns if column.sort}
    return [("-" if s["dir"] == "desc" else "") + names[s["field"]] for s in sorters if s["field"] in names]


def _configuration(columns: Sequence[TableColumn[...]], row_height: int, heads: Mapping[str, JSCode]) -> dict[str, Any]:
    """What Panel has no parameter for."""
    return {
        "responsiveLayout": "hide",
        "rowHeight": row_height,
        "placeholder": "",
        "columnDefaults": {"headerSortTristate": False},
        "columns": [
            _head(column, heads)
            | {
                "field": column.field,
                "sorter": AS_SENT,
                "headerSortStartingDir": "desc" if column.downwards else "asc",
                "responsive": column.priority,
                "minWidth": column.min_width,
                "widthGrow": column.width / 100,
                "resizable": False,
            }
            for column in columns
        ],
    }


def _head(column: TableColumn[...], heads: Mapping[str, JSCode]) -> dict[str, JSCode]:
    drawn = heads.get(column.field, KEYED_HEAD if column.sort else None)
    return {} if drawn is None else {"titleFormatter": drawn}
