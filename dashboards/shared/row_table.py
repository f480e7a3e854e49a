"""A table of rows: the browser shows one page of them; the archive filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from dashboards.shared.html_table import BOX, HtmlTable, body_html, head_html, narrow_css, widths_html
from dashboards.shared.links import Links
from dashboards.shared.paged_table import Origin, TableColumn, next_sort, origin_classes


class RowTable[Row: Origin]:
    """Shows one page of rows, and reports clicks on rows and column headers.

    Parameters
    ----------
    columns : sequence of TableColumn
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
    boxes : bool
        Each row has a box to tick.
    """

    height: ClassVar[int] = 72
    styles: ClassVar[tuple[str, ...]] = ()
    boxes: ClassVar[bool] = False

    def __init__(
        self,
        columns: Sequence[TableColumn[[Row, Links]]],
        on_click: Callable[[Row, str], None],
        on_sort: Callable[[list[str]], None],
    ) -> None:
        self._on_click, self._on_sort = on_click, on_sort
        self._shown = tuple(columns)
        self._rows: tuple[Row, ...] = ()
        self._sort: tuple[str, ...] = ()
        self._quiet = False
        self.widget = HtmlTable(self._clicked, self._head_clicked, self.styles)

    def show(self, rows: Sequence[Row], sort: Sequence[str], links: Links) -> None:
        """Show rows, with sort arrows according to ``sort``."""
        self._rows, self._sort = tuple(rows), tuple(sort)
        columns, boxes = self._shown, self.boxes
        cells = [[column.cell(row, links) for column in columns] for row in rows]
        with self._silently():
            self.widget.param.update(
                narrow=narrow_css(columns, BOX if boxes else 0),
                widths=widths_html(columns, boxes=boxes),
                head=head_html(columns, sort, boxes=boxes),
                body=body_html(cells, columns, boxes=boxes, height=self.height),
                css_classes=origin_classes(rows),
            )

    def choose(self, columns: Sequence[TableColumn[[Row, Links]]]) -> None:
        """Show these columns, starting with the next rows."""
        self._shown = tuple(columns)

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Report nothing: the changes are not the visitor's."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _clicked(self, place: int, field: str) -> None:
        if place < len(self._rows):
            self._on_click(self._rows[place], field)

    def _head_clicked(self, field: str) -> None:
        column = next((column for column in self._shown if column.field == field and column.sort), None)
        if column is not None:
            self._on_sort([next_sort(column, self._sort)])
