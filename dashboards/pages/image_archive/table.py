"""The image table: Tabulator shows one page of rows; the archive filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import panel as pn
from panel.io.model import JSCode

from dashboards.shared.image_columns import IMAGE_COLUMNS, PICTURE, Column, ImageRow, chosen_columns
from dashboards.shared.links import Links
from dashboards.shared.paged_table import sort_of, sorters_of, table_options
from dashboards.shared.style import style

KEY = "image_id"
#: Height of a row, pixel.
ROW_HEIGHT = 72

#: Tabulator makes the frame around the rows focusable without giving it a role, so that screen readers announce a grid
#: without rows. The frame does not scroll, so it need not be focusable.
UNFOCUSABLE_FRAME = JSCode(
    "(cell, _, rendered) => { rendered(() => { const table = cell.getTable(); "
    "table.element.querySelector('.tabulator-tableholder').removeAttribute('tabindex') }); "
    "return '<span class=\"unseen\">Picture</span>' }"
)


class TickedTabulator(pn.widgets.Tabulator):
    """Tabulator with checkboxes whose columns keep their own configuration.

    Panel 1.10 assigns configurations by position, and with checkboxes in front every column gets that of its neighbour.
    """

    def _get_configuration(self, columns: list[Any]) -> dict[str, Any]:
        configuration: dict[str, Any] = super()._get_configuration([])
        own = {column["field"]: column for column in self._configuration["columns"]}
        configuration["columns"] = [
            # checkboxes stay on the narrowest screen
            column | own.get(column.get("field"), {"responsive": 0})
            for column in self._config_columns(columns)
        ]
        return configuration


class ImageTable:
    """Shows rows, and reports clicks on rows and column headers, and ticked checkboxes.

    Parameters
    ----------
    on_open : callable
        Called with the id of the image whose row was clicked.
    on_sort : callable
        Called with columns of the index to sort by, "-" for descending.
    on_pick : callable
        Called with the ids of the images that were ticked, and of those that were unticked.
    """

    def __init__(
        self,
        on_open: Callable[[str], None],
        on_sort: Callable[[list[str]], None],
        on_pick: Callable[[list[str], list[str]], None],
    ) -> None:
        self._on_open, self._on_sort, self._on_pick = on_open, on_sort, on_pick
        self._columns, self._quiet = IMAGE_COLUMNS, False
        #: Clicks on links and checkboxes do not open the image.
        self._opening = {column.field for column in IMAGE_COLUMNS} - {"file"}
        self._shown = chosen_columns(())
        self.widget = TickedTabulator(
            self._frame((), None),
            hidden_columns=self._hidden(),
            selectable="checkbox",
            stylesheets=[style("shared/image_table"), style("shared/image_cells")],
            **table_options(self._columns, ROW_HEIGHT, {PICTURE.field: UNFOCUSABLE_FRAME}),
        )
        self.widget.on_click(self._clicked)
        self.widget.param.watch(self._sorted, "sorters")
        self.widget.param.watch(self._ticked, "selection")

    def show(
        self, rows: Sequence[ImageRow], sort: Sequence[str], links: Links, picked: frozenset[str] = frozenset()
    ) -> None:
        """Show rows, with sort arrows according to ``sort`` and the boxes of selected images ticked."""
        self._quiet = True
        try:
            # one after the other: Panel looks the selection up in the previous rows
            self.widget.selection = []
            self.widget.param.update(value=self._frame(rows, links), sorters=sorters_of(self._columns, sort))
            self.widget.selection = self._places(picked, rows)
        finally:
            self._quiet = False

    def tick(self, picked: frozenset[str]) -> None:
        """Tick the checkboxes of these images, and no others."""
        selection = [place for place, image_id in enumerate(self.widget.value[KEY]) if image_id in picked]
        if selection != sorted(self.widget.selection):
            self._quiet = True
            try:
                self.widget.selection = selection
            finally:
                self._quiet = False

    def choose(self, columns: Sequence[Column]) -> None:
        """Show these columns, starting with the next rows."""
        if tuple(columns) != self._shown:
            self._shown = tuple(columns)
            self.widget.hidden_columns = self._hidden()

    def _hidden(self) -> list[str]:
        return [KEY, *(column.field for column in self._columns if column not in self._shown)]

    @staticmethod
    def _places(picked: frozenset[str], rows: Sequence[ImageRow]) -> list[int]:
        return [place for place, row in enumerate(rows) if row.image.image_id in picked]

    def _frame(self, rows: Sequence[ImageRow], links: Links | None) -> pd.DataFrame:
        cells: dict[str, list[str]] = {KEY: [row.image.image_id for row in rows]}
        for column in self._columns:
            if links is None or column not in self._shown:
                cells[column.field] = [""] * len(rows)
            else:
                cells[column.field] = [f"<div>{column.cell(row, links)}</div>" for row in rows]
        return pd.DataFrame(cells, dtype=object)

    def _clicked(self, event: Any) -> None:
        if event.column in self._opening:
            self._on_open(str(self.widget.value[KEY].iloc[event.row]))

    def _ticked(self, event: Any) -> None:
        if self._quiet:
            return
        ids = [str(image_id) for image_id in self.widget.value[KEY]]
        now, before = ({ids[place] for place in places if place < len(ids)} for places in (event.new, event.old))
        self._on_pick(
            [image_id for image_id in ids if image_id in now - before],
            [image_id for image_id in ids if image_id in before - now],
        )

    def _sorted(self, event: Any) -> None:
        if self._quiet:
            return
        sort = sort_of(self._columns, event.new)
        if sort:
            self._on_sort(sort)
