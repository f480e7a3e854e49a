"""Each page has two routes: the page and its web socket.

Bokeh also serves ``autoload.js`` and ``metadata`` for each page, with no setting to leave them out. The former gives a
session token, as JavaScript, to any page of any site that includes it. The smallest program that shows it::

    urlopen("http://localhost:5006/app/autoload.js?bokeh-autoload-element=x").read()  # contains the token

Panel 1.10, Bokeh 3.10.
"""

from __future__ import annotations

from bokeh.server.urls import per_app_patterns
from panel.io.server import DocHandler, WSHandler


def serve_only(page: type[DocHandler], socket: type[WSHandler]) -> None:
    """Use these handlers for pages in this process, and no other routes below the URL of a page."""
    per_app_patterns[:] = [(r"/ws", socket), (r"/?", page)]
