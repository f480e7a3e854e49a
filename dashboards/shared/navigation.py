"""Links in the header: to the pages, and to the account."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

#: Path → title of every page, in the order of the header.
PAGES: Mapping[str, str] = {
    "flares": "Flares",
    "image_archive": "Image archive",
    "lightcurves": "Light curves",
    "science_data": "Science data",
    "operations": "Operations",
}

#: Path → title of the pages that only links lead to.
LINKED_PAGES: Mapping[str, str] = {"flare": "Flare"}

SITE = "STIX flare images"

_CURRENT = ' aria-current="page"'


def navigation_html(current: str, account: str, up: str = "") -> str:
    """Links to the pages, the one with the title ``current`` marked, and to the account; a menu on narrow screens.

    ``up`` is the relative path from this page to the first one.
    """
    pages = "".join(
        f'<a href="{up}{address}"{_CURRENT if title == current else ""}>{title}</a>' for address, title in PAGES.items()
    )
    wide = f'<nav aria-label="Pages">{pages}</nav><nav aria-label="Account" class="account">{account}</nav>'
    menu = f'<details><summary aria-label="Menu">☰</summary><nav aria-label="Menu">{pages}{account}</nav></details>'
    return f'<div class="wide">{wide}</div>{menu}'


def account_links(name: str | None, current: str = "", up: str = "") -> str:
    """The user who is signed in, or a link to sign in. The script of live pages adds the return address.

    Parameters
    ----------
    name : str or None
        None for guests.
    current : str
        Path of the current page: "account" and "login" are marked.
    up : str
        Relative path from this page to the first one.
    """
    if name is None:
        return f'<a data-returns="login" href="{up}login"{_CURRENT if current == "login" else ""}>Sign in</a>'
    mark = _CURRENT if current == "account" else ""
    return (
        f'<a href="{up}account" title="Account of {escape(name)}"{mark}>{escape(name)}</a>'
        f'<a data-returns="logout" href="{up}logout">Sign out</a>'
    )
