"""First content: the page as plain HTML, shown while the scripts of the live page load.

The live page takes about a second to load in a browser; its first rows are shown before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboards.shared.links import Links
from dashboards.shared.notices import Notice, notices_html
from dashboards.shared.paged_table import Origin, TableColumn, origin_classes
from dashboards.shared.style import style

#: Margins of the table, and width of the checkboxes, pixel.
MARGIN, BOX = 48, 40


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
    boxes: bool = True,
    css: str = "",
) -> str:
    """Rows as a plain table with the cells of the live table; narrow screens hide the columns that it hides.

    Parameters
    ----------
    rows, links, columns
        As of the live table.
    boxes : bool
        The live table has checkboxes.
    css : str
        Style of the cells, besides the shared one.
    """

    def line(tag: str, cells: Sequence[str]) -> str:
        box = f'<{tag} class="box"></{tag}>' if boxes else ""
        shown = "".join(
            f'<{tag} class="p{c.priority}" style="text-align:{c.align}">{cell}</{tag}>'
            for c, cell in zip(columns, cells, strict=True)
        )
        return f"<tr>{box}{shown}</tr>"

    heads = line("th", [escape(column.title) for column in columns])
    body = "".join(line("td", [column.cell(row, links) for column in columns]) for row in rows)
    # the browser distributes the remaining width
    widths = ('<col style="width:40px">' if boxes else "") + "".join(
        f'<col class="p{c.priority}" style="width:{c.min_width}px">' for c in columns
    )
    rules = f"#opening {{ {css} }} {narrow_css(columns, MARGIN + BOX if boxes else MARGIN)}"
    return (
        f'<style>{rules}</style><table class="{" ".join(origin_classes(rows))}"><colgroup>{widths}</colgroup>'
        f"<thead>{heads}</thead><tbody>{body}</tbody></table>"
    )


def narrow_css(columns: Sequence[TableColumn[...]], margin: int) -> str:
    """Which columns are hidden at which screen width, as Tabulator does it."""
    rules = []
    for priority in sorted({column.priority for column in columns} - {0}):
        needed = sum(column.min_width for column in columns if column.priority <= priority) + margin
        rules.append(f"@media (max-width: {needed}px) {{ #opening .p{priority} {{ display: none; }} }}")
    return "\n".join(rules)


def opening_css() -> str:
    """Styles of the opening."""
    return (
        style("shared/opening")
        + f"#opening {{ {style('shared/image_cells')} }}\n#opening .notices {{ {style('shared/notices')} }}\n"
    )
