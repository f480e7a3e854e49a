"""The image table: Tabulator holds the rows of one page, the archive does filtering, sorting and paging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import panel as pn
from panel.io.model import JSCode

from dashboards.components.image_columns import IMAGE_COLUMNS, Column
from dashboards.components.style import style
from dashboards.state.images import ImageRow
from dashboards.web.links import Links

KEY = "image_id"

#: The archive has sorted; the browser keeps the order in which rows came. (Tabulator swaps the two for "desc".)
AS_SENT = JSCode(
    "(a, b, rowA, rowB, column, dir) => (dir === 'asc' ? 1 : -1) * (rowA.getData()._index - rowB.getData()._index)"
)

#: Tabulator lets the frame around the rows be reached by keyboard and gives it no role, which leaves people who hear
#: the page in a grid without rows. Nothing scrolls in there: the frame need not be reached.
MEND_GRID = JSCode(
    "(cell, _, rendered) => { rendered(() => { const table = cell.getTable(); "
    "table.element.querySelector('.tabulator-tableholder').removeAttribute('tabindex') }); "
    "return '<span class=\"unseen\">Picture</span>' }"
)


class ImageTable:
    """Shows rows, tells of clicks on them and on column heads.

    Parameters
    ----------
    on_open : callable
        Called with the id of the image whose row was clicked.
    on_sort : callable
        Called with columns of the index to sort by, "-" for downwards.
    columns : sequence of Column
    """

    def __init__(
        self,
        on_open: Callable[[str], None],
        on_sort: Callable[[list[str]], None],
        columns: Sequence[Column] = IMAGE_COLUMNS,
    ) -> None:
        self._on_open, self._on_sort, self._columns = on_open, on_sort, columns
        self._quiet = False
        self.widget = pn.widgets.Tabulator(
            self._frame((), None),
            show_index=False,
            hidden_columns=[KEY],
            disabled=True,
            selectable=False,
            pagination=None,
            layout="fit_columns",
            titles={column.field: column.title for column in columns},
            formatters={column.field: {"type": "html"} for column in columns},
            text_align={column.field: column.align for column in columns},
            header_align={column.field: column.align for column in columns},
            sortable={column.field: bool(column.sort) for column in columns},
            header_tooltips={column.field: column.tooltip for column in columns if column.tooltip},
            configuration=_configuration(columns),
            sizing_mode="stretch_width",
            stylesheets=[style("image_table"), style("image_cells")],
            margin=0,
        )
        self.widget.on_click(self._clicked)
        self.widget.param.watch(self._sorted, "sorters")

    def show(self, rows: Sequence[ImageRow], sort: Sequence[str], links: Links) -> None:
        """Show these rows, with the arrows in the heads as ``sort`` says."""
        fields = {column.sort: column.field for column in self._columns if column.sort}
        sorters = [
            {"field": fields[name.removeprefix("-")], "dir": "desc" if name.startswith("-") else "asc"}
            for name in sort
            if name.removeprefix("-") in fields
        ]
        self._quiet = True
        try:
            self.widget.param.update(value=self._frame(rows, links), sorters=sorters)
        finally:
            self._quiet = False

    def _frame(self, rows: Sequence[ImageRow], links: Links | None) -> pd.DataFrame:
        cells: dict[str, list[str]] = {KEY: [row.image.image_id for row in rows]}
        for column in self._columns:
            cells[column.field] = [] if links is None else [f"<div>{column.cell(row, links)}</div>" for row in rows]
        return pd.DataFrame(cells, dtype=object)

    def _clicked(self, event: Any) -> None:
        if event.column != "file":
            self._on_open(str(self.widget.value[KEY].iloc[event.row]))

    def _sorted(self, event: Any) -> None:
        if self._quiet:
            return
        names = {column.field: column.sort for column in self._columns if column.sort}
        sort = [("-" if s["dir"] == "desc" else "") + names[s["field"]] for s in event.new if s["field"] in names]
        if sort:
            self._on_sort(sort)


def _configuration(columns: Sequence[Column]) -> dict[str, Any]:
    """What Panel has no parameter for."""
    return {
        "responsiveLayout": "hide",
        "rowHeight": 72,
        "placeholder": "",
        "columnDefaults": {"headerSortTristate": False},
        "columns": [
            ({"titleFormatter": MEND_GRID} if not column.title else {})
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
