"""The frame of every page: header, navigation, theme, light and dark mode, Back and Forward."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import panel as pn
import panel.ui as pmui
from bokeh.core.templates import MACROS
from jinja2 import Template
from panel.io.resources import BASE_TEMPLATE, LOCAL_DIST
from panel.util.parameters import edit_readonly
from panel.viewable import Viewable

from dashboards.panel_patches.busy import busy_sign
from dashboards.panel_patches.document_lock import handle_under_lock
from dashboards.panel_patches.page_scripts import HEAD, LOADED, patch_scripts
from dashboards.panel_patches.session_ids import refuse_chosen_sessions
from dashboards.panel_patches.session_memory import count_session
from dashboards.shared.links import routes_are_served
from dashboards.shared.navigation import SITE, account_links, navigation_html
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.opening import opening_css
from dashboards.shared.preloaded import PreloadedState, is_preloaded
from dashboards.shared.source import archive_source
from dashboards.shared.style import style
from dashboards.shared.visitors import can_sign_in, session_visitor

#: Night blue, and the orange of a flare.
THEME: dict[str, Any] = {
    "light": {
        "palette": {
            "primary": {"main": "#1b4b82"},
            "secondary": {"main": "#c75000"},
            "background": {"default": "#f6f8fa", "paper": "#ffffff"},
        },
    },
    "dark": {
        "palette": {
            "primary": {"main": "#8ab8ea"},
            "secondary": {"main": "#ff9e57"},
            "background": {"default": "#0e141b", "paper": "#131b24"},
        },
    },
    "shape": {"borderRadius": 6},
    "typography": {"h3": {"fontSize": "1.15rem", "fontWeight": 600}, "button": {"textTransform": "none"}},
}

HEADER = {
    "& .header": {"backgroundColor": "#10263f", "backgroundImage": "none", "color": "#ffffff"},
    "& .title": {"whiteSpace": "nowrap"},
}

handle_under_lock()
refuse_chosen_sessions()

VIEWPORT = "width=device-width, initial-scale=1"

#: Positions in the document: before style sheets and scripts, and before the part that needs the session.
RESOURCES, LIVE = "<!-- resources -->", "<!-- live -->"

#: Placeholder of a script's nonce until `dashboards.server.live_pages` sends the page; no content can contain it.
NONCE = secrets.token_hex(16)

#: Cookie with the choice of light or dark mode, written by the page's script.
THEME_COOKIE = "stix_theme"


def frame(title: str, main: Sequence[Viewable], *, description: str = "") -> pmui.Page:
    """A whole page.

    Parameters
    ----------
    title : str
        Title of the browser's tab, one of the values of `PAGES`.
    main : sequence of Viewable
        Content, from top to bottom.
    description : str
        One sentence for search engines and bookmarks.
    """
    warning = archive_source().warning
    if warning:
        notices = Notices()
        notices.show([Notice("error", warning)])
        main = [notices.pane, *main]
    page = pmui.Page(
        title=SITE,
        meta_title=f"{title} · {SITE}",
        meta_description=description,
        meta_viewport=VIEWPORT,
        site_url="flares",
        header=[_navigation(title)],
        main=[*main],
        dark_theme=is_dark(),
        theme_config=THEME,
        sx=HEADER,
        stylesheets=[style("shared/print")],
        busy_indicator="linear",
        template=_template(),
    )
    count_session()
    if pn.state.curdoc is not None:
        # Panel sets this only while it writes a page: a session that a web socket creates again (after a restart, or
        # when a page took long to load) would load its style sheets from another host
        pn.state.curdoc.template_variables["dist_url"] = LOCAL_DIST
    with edit_readonly(page):
        page.busy = busy_sign()  # replaces Panel's, which is shared by all sessions
    return page


def open_with(make_opening: Callable[[], str]) -> None:
    """Start the document of this session with plain HTML, unless the visitor already has it."""
    document = pn.state.curdoc
    if document is not None and not is_preloaded():
        document.template_variables.update(opening=make_opening(), opening_css=opening_css())


def begin_document(title: str, opening: str, *, description: str, dark: bool) -> str:
    """The document up to `RESOURCES`, for a session that does not exist yet.

    Parameters
    ----------
    title : str
        Title of the browser's tab; plain text.
    opening : str
        HTML.
    description : str
        As in `frame`.
    dark : bool
    """
    document: str = _template().render(
        title=title,
        meta={"description": description, "viewport": VIEWPORT},
        theme_name="dark" if dark else "default",
        is_page=True,
        material_ui=True,
        app_favicon="./favicon.ico",
        dist_url=LOCAL_DIST,
        macros=MACROS,
        resources={"css": {}},
        plot_script="",
        opening=opening,
        opening_css=opening_css(),
    )
    return document.partition(RESOURCES)[0]


def is_dark() -> bool:
    """Whether this session uses the dark theme."""
    theme = str(pn.config.theme) if "theme" in pn.state.session_args else None
    return prefers_dark(theme, pn.state.cookies.get(THEME_COOKIE))


def prefers_dark(theme: str | None, cookie: str | None) -> bool:
    """Whether to use the dark theme: as in the URL (``?theme=dark``), else as chosen last time."""
    return (cookie if theme is None else theme) == "dark"


@cache
def _template() -> Template:
    """Panel's template, with content before scripts."""
    text = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    module = pmui.Page._render_esm(compiled=True, server=True)  # noqa: SLF001 - Panel tells no other way what it loads
    names = {
        "nonce": NONCE,
        "routes_are_served": routes_are_served,
        "components_module": module,
        "scripts_after_paint": (Path(__file__).parent / "scripts_after_paint.js").read_text(encoding="utf-8"),
        "head_patches": patch_scripts(HEAD),
        "loaded_patches": patch_scripts(LOADED),
    }
    template: Template = BASE_TEMPLATE.environment.from_string(text, globals=names)
    return template


def session_search() -> str:
    """Query string of the URL of this session."""
    return str(pn.state.location.search or "") if pn.state.location is not None else ""


def follow_address(preloaded: PreloadedState[Any]) -> None:
    """Update the URL of this session when the state of its page changes."""
    location, state = pn.state.location, preloaded.state
    if location is None:  # not served, for example in a test
        return

    def write(*_: Any) -> None:
        if location.search != state.address:
            location.search = state.address

    state.param.watch(write, list(state.address_keys))
    if state.address != preloaded.address:  # loading has changed the state
        write()


def _navigation(current: str) -> Viewable:
    """Links to the pages, the current one marked, and to the account; a menu on narrow screens."""
    return pn.pane.HTML(
        navigation_html(current, account_links(session_visitor().name) if can_sign_in() else ""),
        stylesheets=[style("shared/navigation")],
        margin=(0, 0, 0, 24),
        styles={"flex": "1 1 auto"},
    )
