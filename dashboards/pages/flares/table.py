"""The flare table: Tabulator shows one page of rows; the archive filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import pandas as pd
import panel as pn

from dashboards.pages.flares.columns import FLARE_COLUMNS, PICTURES, FlareColumn, FlareRow, chosen_columns
from dashboards.shared.links import Links
from dashboards.shared.paged_table import origin_classes, sort_of, sorters_of, table_options
from dashboards.shared.style import style

KEY = "flare_id"
#: Height of a row, pixel.
ROW_HEIGHT = 74


class FlareTable:
    """Shows rows, and reports clicks on pictures and column headers.

    Parameters
    ----------
    on_open : callable
        Called with the id of the image whose picture was clicked.
    on_sort : callable
        Called with columns of the index to sort by, "-" for descending.
    """

    def __init__(self, on_open: Callable[[str], None], on_sort: Callable[[list[str]], None]) -> None:
        self._on_open, self._on_sort = on_open, on_sort
        self._quiet = False
        self._rows: Sequence[FlareRow] = ()
        self._shown = chosen_columns(())
        self.widget = pn.widgets.Tabulator(
            self._frame((), None),
            hidden_columns=self._hidden(),
            selectable=False,
            stylesheets=[style("shared/image_table"), style("shared/image_cells"), style("pages/flares/cells")],
            **table_options(FLARE_COLUMNS, ROW_HEIGHT),
        )
        self.widget.on_click(self._clicked)
        self.widget.param.watch(self._sorted, "sorters")

    def show(self, rows: Sequence[FlareRow], sort: Sequence[str], links: Links) -> None:
        """Show rows, with sort arrows according to ``sort``."""
        self._rows, self._quiet = rows, True
        try:
            self.widget.param.update(
                value=self._frame(rows, links),
                sorters=sorters_of(FLARE_COLUMNS, sort),
                css_classes=origin_classes(rows),
            )
        finally:
            self._quiet = False

    def choose(self, columns: Sequence[FlareColumn]) -> None:
        """Show these columns, starting with the next rows."""
        if tuple(columns) != self._shown:
            self._shown = tuple(columns)
            self.widget.hidden_columns = self._hidden()

    def _hidden(self) -> list[str]:
        return [KEY, *(column.field for column in FLARE_COLUMNS if column not in self._shown)]

    def _frame(self, rows: Sequence[FlareRow], links: Links | None) -> pd.DataFrame:
        cells: dict[str, list[str]] = {KEY: [row.flare.flare_id for row in rows]}
        for column in FLARE_COLUMNS:
            if links is None or column not in self._shown:
                cells[column.field] = [""] * len(rows)
            else:
                cells[column.field] = [f"<div>{column.cell(row, links)}</div>" for row in rows]
        return pd.DataFrame(cells, dtype=object)

    def _clicked(self, event: Any) -> None:
        if event.column in PICTURES and event.row < len(self._rows):
            image = getattr(self._rows[event.row], event.column)
            if image is not None:
                self._on_open(image.image_id)

    def _sorted(self, event: Any) -> None:
        if self._quiet:
            return
        sort = sort_of(FLARE_COLUMNS, event.new)
        if sort:
            self._on_sort(sort)


def flares_html(rows: Sequence[FlareRow], links: Links, columns: Sequence[FlareColumn]) -> str:
    """Rows as a plain table with the cells of the live table, for the first content."""
    heads = "".join(f'<th class="f{c.priority}" style="text-align:{c.align}">{escape(c.title)}</th>' for c in columns)
    body = "".join(
        "<tr>"
        + "".join(f'<td class="f{c.priority}" style="text-align:{c.align}">{c.cell(row, links)}</td>' for c in columns)
        + "</tr>"
        for row in rows
    )
    widths = "".join(f'<col class="f{c.priority}" style="width:{c.min_width}px">' for c in columns)
    rules = f"#opening {{ {style('pages/flares/cells')} }}"
    for priority in sorted({column.priority for column in columns} - {0}):
        needed = sum(column.min_width for column in columns if column.priority <= priority) + 48
        rules += f"@media (max-width: {needed}px) {{ #opening .f{priority} {{ display: none; }} }}"
    return (
        f'<style>{rules}</style><div class="maps"></div>'
        f'<table class="{" ".join(origin_classes(rows))}"><colgroup>{widths}</colgroup>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
