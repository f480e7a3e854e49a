"""Base of tables that show one page: the archive filters, sorts and pages; Tabulator shows HTML cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from panel.io.model import JSCode

#: The archive has sorted; the browser keeps the order of the rows. (Tabulator swaps the two for "desc".)
AS_SENT = JSCode(
    "(a, b, rowA, rowB, column, dir) => (dir === 'asc' ? 1 : -1) * (rowA.getData()._index - rowB.getData()._index)"
)

#: Tabulator sorts by a click on a header, which cannot be reached by keyboard.
KEYED_HEAD = JSCode(
    "(cell, _, rendered) => { rendered(() => { const head = cell.getElement().closest('.tabulator-col'); "
    "head.tabIndex = 0; head.addEventListener('keydown', (event) => { "
    "if (event.target === head && [' ', 'Enter'].includes(event.key)) { event.preventDefault(); head.click() } }) }); "
    "return cell.getValue() }"
)


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
    width, min_width : int, pixel
        Share of the table's width, and minimum width.
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
    width: int = 100
    min_width: int = 60
    priority: int = 0
    align: str = "left"
    usual: bool = True


def table_options(
    columns: Sequence[TableColumn[...]], row_height: int, heads: Mapping[str, JSCode] | None = None
) -> dict[str, Any]:
    """Arguments of a Tabulator widget with these columns.

    Parameters
    ----------
    columns : sequence of TableColumn
    row_height : int
        Height of a row, pixel.
    heads : mapping, optional
        Field → JavaScript that draws the header of its column, where it is not text.
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


def choose_columns[Column: TableColumn[...]](
    columns: Sequence[Column], always: Column, names: Sequence[str]
) -> tuple[Column, ...]:
    """The columns with these names in table order, and the one always shown; the usual ones if no name is known."""
    wanted = {column.field for column in columns if column is not always}.intersection(names)
    if not wanted:
        return tuple(column for column in columns if column.usual)
    return tuple(column for column in columns if column is always or column.field in wanted)


def sorters_of(columns: Sequence[TableColumn[...]], sort: Sequence[str]) -> list[dict[str, str]]:
    """Tabulator's sorters for a sort order of the archive ("-" for descending); unknown columns are left out."""
    fields = {column.sort: column.field for column in columns if column.sort}
    return [
        {"field": fields[name.removeprefix("-")], "dir": "desc" if name.startswith("-") else "asc"}
        for name in sort
        if name.removeprefix("-") in fields
    ]


def sort_of(columns: Sequence[TableColumn[...]], sorters: Sequence[Mapping[str, str]]) -> list[str]:
    """Sort order of the archive for Tabulator's sorters."""
    names = {column.field: column.sort for column in columns if column.sort}
    return [("-" if s["dir"] == "desc" else "") + names[s["field"]] for s in sorters if s["field"] in names]


def _configuration(columns: Sequence[TableColumn[...]], row_height: int, heads: Mapping[str, JSCode]) -> dict[str, Any]:
    """Settings without a Panel parameter."""
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


def _head(column: TableColumn[...], heads: Mapping[str, JSCode]) -> dict[str, Any]:
    drawn = heads.get(column.field, KEYED_HEAD if column.sort else None)
    head = {} if drawn is None else {"titleFormatter": drawn}
    # a header without an arrow may use the whole width of its column
    return head | ({"cssClass": "arrowless"} if column.align == "center" and not column.sort else {})
