"""Pages and their web sockets: a socket serves only the visitor that its session was created for.

Bokeh does not check this when a socket opens: the token of a page would be enough, however it was obtained.
"""

from __future__ import annotations

import secrets
import zlib
from html import escape
from typing import Any, cast

import numpy as np
import panel as pn
from bokeh.core.types import ID
from bokeh.protocol.exceptions import ProtocolError
from bokeh.util.token import check_token_signature, get_session_id, get_token_payload
from panel.io.server import DocHandler, WSHandler
from tornado.web import HTTPError

from dashboards.panel_patches.page_routes import serve_only
from dashboards.panel_patches.socket_messages import SocketMessages
from dashboards.server.rate_limits import neighbourhood
from dashboards.server.security_headers import page_policy
from dashboards.shared.clock import now
from dashboards.shared.frame import NONCE
from dashboards.shared.limits import WebLimits
from dashboards.shared.session_owner import SessionOwner, making_sessions_for, owner_of, record_owner
from dashboards.shared.visitors import COOKIE, visitor_with_cookie

#: Messages that request the whole page, or information about the server.
_WHOLE_PAGE = ("PULL-DOC-REQ", "SERVER-INFO-REQ")
_SENTENCES = {
    503: "The archive is busy. Try again in a moment.",
    400: "Session ids are chosen by this server. Open the page without bokeh-session-id or bokeh-token.",
    403: "This page belongs to another visitor or was not opened here. Reload it.",
}


def install(page_handler: type[PageHandler]) -> None:
    """Use these handlers for pages in this process, and no other routes per page."""
    serve_only(page_handler, SocketHandler)
    pn.state.on_session_created(record_owner)


class _Refusing:
    """Error messages of both handlers."""

    def write_error(self: Any, status_code: int, **_: Any) -> None:
        """Send one sentence."""
        sentence = _SENTENCES.get(status_code, "Something went wrong.")
        self.finish(f"<!doctype html><title>{status_code}</title><p>{escape(sentence)}</p>")


class PageHandler(_Refusing, DocHandler):
    """A page that runs only its own scripts."""

    _nonce = ""

    def set_default_headers(self) -> None:
        """Allow only scripts of this page."""
        self._nonce = self._nonce or secrets.token_urlsafe(16)
        self.set_header("Content-Security-Policy", page_policy(self._nonce))

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """Send text; scripts of the template get the nonce of this response."""
        super().write(chunk.replace(NONCE, self._nonce) if isinstance(chunk, str) else chunk)


class SocketHandler(SocketMessages, _Refusing, WSHandler):
    """The web socket of a page."""

    _whole_page_requests = 0

    async def prepare(self) -> None:
        """Refuse all but the owner's own page before the socket opens."""
        prepared: Any = super().prepare()
        await prepared
        if self._finished:
            return
        if not (self.request.headers.get("Origin") or self.request.headers.get("Sec-Websocket-Origin")):
            raise HTTPError(403, "a web socket without Origin")  # a foreign Origin is refused by check_origin
        session = self._session_id()
        self._owner = SessionOwner(
            self.get_cookie(COOKIE) or "", await visitor_with_cookie(self), neighbourhood(self.request.remote_ip or "")
        )
        if not self._may_use(session):
            raise HTTPError(403, "a web socket of another visitor than the owner of the session")

    async def _async_open(self, token: str) -> None:
        """See Bokeh. A session that has ended is created again, for the visitor who opens the socket.

        Another visitor may have created it since `prepare`, so the owner is checked again once it exists.
        """
        session_id, context = get_session_id(token), self.application_context
        with making_sessions_for(self._owner):
            try:
                await self.application.create_session_if_needed(context, session_id, cast(Any, self.request), token)
            except ProtocolError:
                self.close()
                raise
            if not self._may_use(session_id):
                self.close(1008, "This page belongs to another visitor.")
                return
            if context.get_session(session_id).connection_count >= WebLimits().sockets_page:
                self.close(1013, "This page has too many connections.")
                return
            opened: Any = super()._async_open(token)
            await opened

    async def on_message(self, message: str | bytes) -> None:
        """See Bokeh. Ignores messages of a closed connection, and limits requests for the whole page."""
        stream = None if self.ws_connection is None else self.ws_connection.stream
        if stream is None or stream.closed():
            return
        if isinstance(message, str) and any(kind in message for kind in _WHOLE_PAGE):
            self._whole_page_requests += 1
            if self._whole_page_requests > WebLimits().pulls:
                self.close(1008, "Too many requests for the whole page.")
                return
        handled: Any = super().on_message(message)
        await handled

    def _may_use(self, session_id: ID) -> bool:
        """Whether the visitor owns the session; a session that has ended (a restart, a long pause) has no owner."""
        try:
            session = self.application_context.get_session(session_id)
        except ProtocolError:
            return True
        return owner_of(session.document.session_context).visitor.name == self._owner.visitor.name

    def _session_id(self) -> ID:
        """Session id in the token that the page sent.

        Raises
        ------
        HTTPError
            403 if it is not a token of this server, or has expired.
        """
        protocol, _, token = (
            part.strip() for part in self.request.headers.get("Sec-WebSocket-Protocol", "").partition(",")
        )
        if protocol != "bokeh":
            raise HTTPError(403, "a web socket with another protocol")
        key, signed = self.application.secret_key, self.application.sign_sessions
        try:
            if not check_token_signature(token, secret_key=key, signed=signed):
                raise HTTPError(403, "a web socket with a token that was not signed here")
            expiry = np.datetime64(int(get_token_payload(token)["session_expiry"]), "s")
            session_id = get_session_id(token)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
            zlib.error,
        ) as error:
            raise HTTPError(403, "a web socket with a token that cannot be read") from error
        if now() >= expiry:
            raise HTTPError(403, "a web socket with a token that is too old")
        return session_id
