"""A table of rows: Tabulator shows one page of them; the archive filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pandas as pd
import panel as pn
from panel.io.model import JSCode

from dashboards.shared.links import Links
from dashboards.shared.paged_table import Origin, TableColumn, origin_classes, sort_of, sorters_of, table_options
from dashboards.shared.style import style

#: Hidden column with the key of a row.
KEY = "key"


class RowTable[Row: Origin]:
    """Shows one page of rows, and reports clicks on rows and column headers.

    Parameters
    ----------
    columns : sequence of TableColumn
    key : callable
        Unique key of a row.
    on_click : callable
        Called with a row and the field of the cell that was clicked.
    on_sort : callable
        Called with columns of the index to sort by, "-" for descending.

    Attributes
    ----------
    height : int
        Height of a row, pixel.
    styles : tuple of str
        Style sheets of the cells, besides the shared ones.
    """

    height: ClassVar[int] = 72
    styles: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        columns: Sequence[TableColumn[[Row, Links]]],
        key: Callable[[Row], str],
        on_click: Callable[[Row, str], None],
        on_sort: Callable[[list[str]], None],
    ) -> None:
        self._key, self._on_click, self._on_sort = key, on_click, on_sort
        self._columns = self._shown = tuple(columns)
        self._rows: tuple[Row, ...] = ()
        self._quiet = False
        self.widget = self._tabulator(
            self._frame(None),
            hidden_columns=self._hidden(),
            stylesheets=[style(name) for name in ("shared/image_table", "shared/image_cells", *self.styles)],
            **table_options(self._columns, self.height, self._heads()),
        )
        self.widget.on_click(self._clicked)
        self.widget.param.watch(self._sorted, "sorters")

    def show(self, rows: Sequence[Row], sort: Sequence[str], links: Links) -> None:
        """Show rows, with sort arrows according to ``sort``."""
        self._rows = tuple(rows)
        with self._silently():
            self.widget.param.update(
                value=self._frame(links), sorters=sorters_of(self._columns, sort), css_classes=origin_classes(rows)
            )

    def choose(self, columns: Sequence[TableColumn[[Row, Links]]]) -> None:
        """Show these columns, starting with the next rows."""
        if tuple(columns) != self._shown:
            self._shown = tuple(columns)
            self.widget.hidden_columns = self._hidden()

    def _tabulator(self, frame: pd.DataFrame, **options: Any) -> pn.widgets.Tabulator:
        return pn.widgets.Tabulator(frame, selectable=False, **options)

    def _heads(self) -> dict[str, JSCode]:
        """Headers that a script draws, by field."""
        return {}

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Report nothing: the changes are not the visitor's."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _hidden(self) -> list[str]:
        return [KEY, *(column.field for column in self._columns if column not in self._shown)]

    def _frame(self, links: Links | None) -> pd.DataFrame:
        cells: dict[str, list[str]] = {KEY: [self._key(row) for row in self._rows]}
        for column in self._columns:
            if links is None or column not in self._shown:
                cells[column.field] = [""] * len(self._rows)
            else:
                cells[column.field] = [f"<div>{column.cell(row, links)}</div>" for row in self._rows]
        return pd.DataFrame(cells, dtype=object)

    def _clicked(self, event: Any) -> None:
        if event.row < len(self._rows):
            self._on_click(self._rows[event.row], event.column)

    def _sorted(self, event: Any) -> None:
        if self._quiet:
            return
        sort = sort_of(self._columns, event.new)
        if sort:
            self._on_sort(sort)
