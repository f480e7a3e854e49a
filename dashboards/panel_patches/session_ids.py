"""Only the server chooses session ids.

Bokeh takes the id of a session from the URL, from a header, or from a token in the URL. Anyone who sends a link with
an id then shares the live page of the person who follows it. The smallest program that shows it::

    urlopen("http://localhost:5006/app?bokeh-session-id=chosen")  # 200, and the session has this id

Bokeh 3.10; with signed session ids, the same holds for an id that the server has signed for another visitor.
"""

from __future__ import annotations

from typing import Any

from bokeh.server.views.auth_request_handler import AuthRequestHandler
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError

#: Query parameters and header from which Bokeh would take a session id.
ARGUMENTS = ("bokeh-session-id", "bokeh-token")
HEADER = "Bokeh-Session-Id"


def refuse_chosen_sessions() -> None:
    """Answer every request to this process that contains a session id with 400.

    All handlers that create sessions (pages, web sockets) are `AuthRequestHandler`, also in a plain ``panel serve``.
    """
    prepare: Any = AuthRequestHandler.prepare

    async def refusing(self: AuthRequestHandler) -> None:
        if names_session(self.request):
            raise HTTPError(400, "a session id in the request")
        await prepare(self)

    AuthRequestHandler.prepare = refusing  # type: ignore[method-assign]


def names_session(request: HTTPServerRequest) -> bool:
    """Whether a request contains a session id."""
    return HEADER in request.headers or any(name in request.arguments for name in ARGUMENTS)
