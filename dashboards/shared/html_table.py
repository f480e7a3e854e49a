"""An HTML table whose heads sort, whose rows can be clicked and, where wished, ticked.

Head and cells are made in Python, as for the first content, so that the live table takes the place of the first one
without a jump. Panel's Tabulator needs half a second of the browser's work for 25 rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from dashboards.shared.paged_table import TableColumn
from dashboards.shared.style import style

#: Width of the checkboxes, pixel.
BOX = 40


class HtmlTable(JSComponent):
    """The table in the browser.

    Attributes
    ----------
    narrow : str
        CSS that hides columns where the table is narrow.
    widths, head, body : str
        HTML of the columns, of the head, and of the rows. A change of the head shows the first two as well.
    ticked : list of int
        Places of the rows with a ticked box.
    """

    narrow = param.String("")
    widths = param.String("")
    head = param.String("")
    body = param.String("")
    ticked = param.List([], item_type=int)

    _esm: ClassVar[Path] = Path(__file__).with_suffix(".js")

    def __init__(
        self, on_click: Callable[[int, str], None], on_sort: Callable[[str], None], styles: Sequence[str] = ()
    ) -> None:
        """The callables get the place of a row with the field of a cell, and the field of a head."""
        self._on_click, self._on_sort = on_click, on_sort
        sheets = [style(name) for name in ("shared/html_table", "shared/image_cells", *styles)]
        super().__init__(stylesheets=sheets, sizing_mode="stretch_width", margin=0)

    def _handle_msg(self, message: Any) -> None:
        """A click; a browser may send anything."""
        if not isinstance(message, dict):
            return
        field, row = message.get("field"), message.get("row")
        if isinstance(sort := message.get("sort"), str):
            self._on_sort(sort)
        elif isinstance(field, str) and isinstance(row, int) and row >= 0:
            self._on_click(row, field)


def widths_html(columns: Sequence[TableColumn[...]], *, boxes: bool) -> str:
    """Columns with their minimum widths; the browser distributes the remaining width."""
    box = f'<col style="width:{BOX}px">' if boxes else ""
    return box + "".join(f'<col class="p{c.priority}" style="width:{c.width}px">' for c in columns)


def head_html(columns: Sequence[TableColumn[...]], sort: Sequence[str], *, boxes: bool, is_live: bool = True) -> str:
    """The head: titles, as buttons where the archive can sort by a column.

    Parameters
    ----------
    columns : sequence of TableColumn
    sort : sequence of str
        Columns of the index, "-" for descending.
    boxes : bool
        Whether each row has a box.
    is_live : bool
        Whether a click does something; otherwise there are no buttons.
    """
    order = {name.removeprefix("-"): "descending" if name.startswith("-") else "ascending" for name in sort}
    box = '<th class="box"><input type="checkbox" aria-label="Select all rows"></th>' if boxes else ""
    tag = 'button type="button"' if is_live else "span"
    return f"<tr>{box}{''.join(_head(column, order, tag) for column in columns)}</tr>"


def _head(column: TableColumn[...], order: dict[str, str], tag: str) -> str:
    title = escape(column.title) or f'<span class="unseen">{escape(column.tooltip or column.field)}</span>'
    inner = f'<{tag} class="sort">{title}</{tag.split(maxsplit=1)[0]}>' if column.sort else f"<span>{title}</span>"
    sorted_by = f' aria-sort="{order.get(column.sort, "none")}"' if column.sort else ""
    return (
        f'<th scope="col" class="p{column.priority}" data-field="{column.field}" style="text-align:{column.align}"'
        f' title="{escape(column.tooltip)}"{sorted_by}>{inner}</th>'
    )


def body_html(cells: Sequence[Sequence[str]], columns: Sequence[TableColumn[...]], *, boxes: bool, height: int) -> str:
    """The rows.

    Parameters
    ----------
    cells : sequence of sequence of str
        HTML of the cells of each row.
    columns : sequence of TableColumn
    boxes : bool
    height : int, pixel
        Of a row.
    """
    box = '<td class="box"><input type="checkbox" aria-label="Select row"></td>' if boxes else ""

    def line(row: Sequence[str]) -> str:
        shown = "".join(
            f'<td class="p{c.priority}" style="text-align:{c.align}">{cell}</td>'
            for c, cell in zip(columns, row, strict=True)
        )
        return f'<tr style="height:{height}px">{box}{shown}</tr>'

    return "".join(map(line, cells))


def narrow_css(columns: Sequence[TableColumn[...]], margin: int, within: str = "@container") -> str:
    """Which columns are hidden at which width: those with the highest priority first.

    Parameters
    ----------
    columns : sequence of TableColumn
    margin : int, pixel
        Width that the columns do not have.
    within : str
        What is that wide: ``@container`` is the place of the table, ``@media`` the window.
    """
    rules = []
    for priority in sorted({column.priority for column in columns} - {0}):
        needed = sum(column.width for column in columns if column.priority <= priority) + margin
        rules.append(f"{within} (max-width: {needed}px) {{ .p{priority} {{ display: none; }} }}")
    return "\n".join(rules)
