"""The colours of maps: chosen once by each visitor, kept in a cookie, used by every map of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import panel as pn
import panel.ui as pmui
import param
from numpy import uint8
from numpy.typing import NDArray

from dashboards.shared.style import LOW
from jobs.imaging.figures import COLOR_MAPS, DEFAULT_COLORS, color_table

#: Cookie with the choice, and the script that writes it.
COLORS_COOKIE = "stix_colors"
KEEP = f"document.cookie = `{COLORS_COOKIE}=${{cb_obj.value}}; path=/; max-age=31536000; samesite=lax`"


class MapColors(param.Parameterized):
    """The colour map of a session."""

    chosen: param.Selector[Any] = param.Selector(
        default=DEFAULT_COLORS, objects=list(COLOR_MAPS), doc="Name of the colour map"
    )


_sessions: WeakKeyDictionary[Any, MapColors] = WeakKeyDictionary()
#: The cookie of a request that is answered before it has a session.
_REQUEST: ContextVar[str | None] = ContextVar("colors", default=None)


def session_colors() -> MapColors:
    """Colours of the current session: those of the cookie until another choice; outside of sessions, of the request."""
    document = pn.state.curdoc
    if document is None:
        return _of_cookie(_REQUEST.get())
    if document not in _sessions:
        _sessions[document] = _of_cookie(pn.state.cookies.get(COLORS_COOKIE))
    return _sessions[document]


@contextmanager
def colors_of_request(cookie: str | None) -> Iterator[None]:
    """Let `session_colors` return the choice in the cookie of a request that has no session yet."""
    token = _REQUEST.set(cookie)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def _of_cookie(cookie: str | None) -> MapColors:
    return MapColors(chosen=cookie if cookie in COLOR_MAPS else DEFAULT_COLORS)


@cache
def palette(name: str) -> tuple[str, ...]:
    """A colour map as a Bokeh palette."""
    return hexadecimal(color_table(name))


def hexadecimal(colors: NDArray[uint8]) -> tuple[str, ...]:
    """``#rrggbb`` of each row of an (n, 3) table."""
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colors.tolist())


def color_choice(colors: MapColors, **settings: Any) -> pmui.Select:
    """A list of colour maps; the browser keeps a choice for a year."""
    choice = pmui.Select.from_param(
        colors.param.chosen, label="Colours", description="", size="small", width=150, sx=LOW, **settings
    )
    choice.jscallback(value=KEEP)
    return choice
