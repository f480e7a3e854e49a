"""First content: the page as plain HTML, shown while the scripts of the live page load.

The live page takes about a second to load in a browser; its first rows are shown before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboards.shared.html_table import BOX, body_html, head_html, narrow_css, widths_html
from dashboards.shared.links import Links
from dashboards.shared.notices import Notice, notices_html
from dashboards.shared.paged_table import Origin, TableColumn, origin_classes
from dashboards.shared.style import style

#: Margins of the table, pixel.
MARGIN = 48


def opening_html(site: str, title: str, total: str, table: str, *, dark: bool, notices: Sequence[Notice] = ()) -> str:
    """The whole opening: header, number of rows, table.

    Parameters
    ----------
    site, title, total : str
        Plain text; escaped here.
    table : str
        HTML.
    dark : bool
    notices : sequence of Notice
        Shown above the filters, as on the live page.
    """
    theme = "dark" if dark else "light"
    header = f"<header><b>{escape(site)}</b><span>{escape(title)}</span></header>"
    banner = f'<div class="notices">{notices_html(notices)}</div>' if notices else ""
    return (
        f'<div id="opening" class="{theme}">{header}{banner}<div class="filters"></div><p>{escape(total)}</p>'
        f'<div class="tabs"></div>{table}</div>'
    )


def table_html[Row: Origin](
    rows: Sequence[Row],
    links: Links,
    columns: Sequence[TableColumn[[Row, Links]]],
    *,
    sort: Sequence[str] = (),
    height: int = 72,
    boxes: bool = True,
    css: str = "",
) -> str:
    """Rows as a plain table with the cells of the live table; narrow screens hide the columns that it hides.

    Parameters
    ----------
    rows, links, columns, sort, height
        As of the live table.
    boxes : bool
        The live table has checkboxes.
    css : str
        Style of the cells, besides the shared one.
    """
    cells = [[column.cell(row, links) for column in columns] for row in rows]
    hiding = narrow_css(columns, MARGIN + BOX if boxes else MARGIN, "@media")
    return (
        f"<style>#opening {{ {style('shared/html_table')} {css} {hiding} }}</style>"
        f'<table class="rows {" ".join(origin_classes(rows))}"><colgroup>{widths_html(columns, boxes=boxes)}</colgroup>'
        f"<thead>{head_html(columns, sort, boxes=boxes, is_live=False)}</thead>"
        f"<tbody>{body_html(cells, columns, boxes=boxes, height=height)}</tbody></table>"
    )


def opening_css() -> str:
    """Styles of the opening."""
    return (
        style("shared/opening")
        + f"#opening {{ {style('shared/image_cells')} }}\n#opening .notices {{ {style('shared/notices')} }}\n"
    )
