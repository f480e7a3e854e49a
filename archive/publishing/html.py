"""The frame of the static pages, and small pieces of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from archive.about import About

#: Stylesheet of all pages.
CSS = "style.css"
SIMULATED = '<p class="simulated">These are simulated data, not observations.</p>'


def stylesheet() -> str:
    """Text of the stylesheet."""
    return files("archive.publishing").joinpath(CSS).read_text(encoding="utf-8")


def page(title: str, content: str, about: About, up: str, *, head: str = "", simulated: bool = False) -> str:
    """A page that needs no script and no server.

    Parameters
    ----------
    title : str
        Plain text.
    content : str
        HTML.
    about : About
    up : str
        Relative path to the first page, such as "../"; empty on the first page.
    head : str
        HTML for the head.
    simulated : bool
        Say that the data are simulated.
    """
    name = escape(about.name)
    site = f'<nav><a href="{up}index.html">{name}</a></nav>\n' if up else ""
    contact = f" Contact: {escape(about.contact)}." if about.contact else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<link rel="stylesheet" href="{up}{CSS}">\n'
        f"{head}</head>\n<body>\n{site}<main>\n<h1>{escape(title)}</h1>\n{SIMULATED if simulated else ''}\n{content}\n"
        f"</main>\n<footer>{name}.{contact} Times are UTC at Solar Orbiter.</footer>\n</body>\n</html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that can be scrolled in a narrow window; cells are HTML."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<section><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></section>"


def link(place: str, text: str) -> str:
    """A link; both are escaped."""
    return f'<a href="{escape(place)}">{escape(text)}</a>'
