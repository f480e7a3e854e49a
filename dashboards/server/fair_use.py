"""Fair use of the web server: pages, files, API calls, downloads.

All of them share one processor with the event loop, so clients delay each other. The numbers are in
`dashboards.shared.limits`, the scheduling is in `dashboards.server.fair_queue`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from html import escape
from time import monotonic, thread_time
from typing import Any

import panel as pn
from bokeh.protocol.exceptions import ProtocolError
from bokeh.server.session import ServerSession
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, create_signed_value, decode_signed_value

from dashboards.panel_patches.session_making import make_sessions_by
from dashboards.server.bounded_threads import BoundedThreads
from dashboards.server.fair_queue import AtWork, Busy, Client, Turns
from dashboards.server.rate_limits import neighbourhood
from dashboards.server.responses import looked_up, too_many_requests, write_json_error
from dashboards.shared.limits import WebLimits
from dashboards.shared.visitors import COOKIE

#: Cookie that identifies a browser; it contains nothing about its user.
BROWSER = "stix_browser"
#: The client whose page is being created.
_CLIENT: ContextVar[Client | None] = ContextVar("client", default=None)


class PageRefused(ProtocolError):
    """A web socket requests a page that was closed, while its client has the maximum number of pages."""


@dataclass
class OpenPage:
    """A page with a session on this server.

    Attributes
    ----------
    made_at : float, ms
        Time of Bokeh's session clock, which also records when a session was left.
    cost : float, s
        Computing time of the page.
    returned : bool
        Whether a part of the cost was returned to the client.
    """

    session: ServerSession
    client: Client
    made_at: float
    cost: float
    returned: bool = False

    @property
    def was_opened(self) -> bool:
        """Whether its web socket is or was open."""
        left_at = monotonic() * 1000 - self.session.milliseconds_since_last_unsubscribe
        return self.session.connection_count > 0 or left_at > self.made_at


class FairUse:
    """Shares of all clients of one web process.

    Parameters
    ----------
    limits : WebLimits, optional
    clock : callable
        Monotonic time [s].
    """

    def __init__(self, limits: WebLimits | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.limits = limits or WebLimits()
        self._clock = clock
        self.pages = Turns("pages", self.limits.pages, self.others_than, clock)
        #: The part of a page that is created in the event loop: two at once would both take twice as long.
        self.making = self.pages.one_at_a_time()
        self.files = Turns("files", self.limits.files, self.others_than, clock)
        self.calls = Turns("calls", self.limits.calls, self.others_than, clock)
        self.pieces = Turns("downloads", self.limits.pieces, self.others_than, clock)
        self.downloads = AtWork("downloads", self.limits.downloads_client, self.limits.downloads_address, 10)
        self._pages: list[OpenPage] = []
        self._seen: dict[Client, float] = {}

    def others_than(self, client: Client) -> bool:
        """Whether any other client is active: has a request now or had one recently, or looks at a page.

        Called for a client that waits for its share, so open pages are checked first: they may return a part of it.
        """
        self._update_pages()
        if any(other.key != client.key for other in self._seen):
            now = self._clock()
            self._seen = {other: at for other, at in self._seen.items() if now - at < self.limits.seen}
            if any(other.key != client.key for other in self._seen):
                return True
        turns = (self.pages, self.files, self.calls, self.pieces)
        if any(other.key != client.key for each in turns for other in each.busy_clients):
            return True
        return any(page.client.key != client.key and page.session.connection_count for page in self._pages)

    def saw(self, client: Client) -> None:
        """Record that a client has sent a request."""
        self._seen.pop(client, None)
        self._seen[client] = self._clock()
        while len(self._seen) > 1000:
            del self._seen[next(iter(self._seen))]

    @asynccontextmanager
    async def making_page(self, request: HTTPServerRequest) -> AsyncIterator[Client]:
        """Wait until a page may be created for a request, and hold the turn inside the block.

        Raises
        ------
        Busy
        """
        client = client_of(request)
        self.saw(client)
        self._update_pages()
        self._check_room(client)
        async with self.pages.turn(client, is_there=lambda: is_there(request)):
            token = _CLIENT.set(client)
            try:
                yield client
            finally:
                _CLIENT.reset(token)
                self.saw(client)

    async def make(self, client: Client, make: Callable[[], Awaitable[ServerSession]]) -> ServerSession:
        """Create the session of a page whose turn it is, one at a time, and count it until it ends."""
        async with self.making.turn(client) as turn:
            begin = thread_time()
            session = await make()
            turn.cost = thread_time() - begin
        self.made(session, client, turn.cost)
        return session

    def made(self, session: ServerSession, client: Client, cost: float = 0.0) -> None:
        """Count a page with its computing time [s] as open until its session ends."""
        if all(page.session is not session for page in self._pages):  # a page and its web socket may make the same one
            self._pages.append(OpenPage(session, client, monotonic() * 1000, cost))
            self._close_unused(client.address)

    @property
    def open_pages(self) -> int:
        """Number of pages with a session."""
        return len(self._pages)

    def _update_pages(self) -> None:
        """Remove pages that have ended; return a part of the cost of those whose web socket was opened."""
        self._pages = [page for page in self._pages if not page.session.destroyed]
        for page in self._pages:
            if not page.returned and page.was_opened:
                page.returned = True
                self.pages.charge(page.client, -self.limits.page_returned * page.cost)

    def _check_room(self, client: Client) -> None:
        of_address = sum(page.client.address == client.address for page in self._pages)
        of_client = sum(page.client.key == client.key for page in self._pages)
        if client.name and of_client >= self.limits.pages_client:
            whose = f"You have {of_client} pages"
        elif of_address >= self.limits.pages_address:
            whose = f"{of_address} pages are"
        else:
            return
        where = "" if client.name and of_client >= self.limits.pages_client else " from your network address"
        wait = round(self.limits.unused_time)
        sentence = f"{whose} open{where}, which is the limit. Close some, or try again in {wait} s."
        raise Busy(sentence, wait)

    def _close_unused(self, address: str) -> None:
        """Let Bokeh close the oldest pages of an address whose web socket was never opened, if there are too many.

        If their browser connects later, the page is created again.
        """
        unused = [
            page.session
            for page in self._pages
            if page.client.address == address and not page.session.destroyed and not page.session.connection_count
        ]
        grace = self.limits.unused_grace * 1000
        for session in unused[: max(len(unused) - self.limits.pages_unused, 0)]:
            if session.milliseconds_since_last_unsubscribe > grace:
                session.request_expiration()


@cache
def fair_use() -> FairUse:
    """Fair use of this process."""
    return FairUse()


async def make_in_turn(session_id: Any, request: Any, context: Any, make: Callable[[], Awaitable[Any]]) -> Any:
    """Count the pages that this process creates; those that a web socket requests wait for their turn.

    Raises
    ------
    PageRefused
        If a web socket requests a page that the client may not have now.
    """
    fair, known = fair_use(), any(session.id == session_id for session in context.sessions)
    if known or request is None:
        return await make()
    client = _CLIENT.get()
    if client is not None:
        return await fair.make(client, make)
    try:
        async with fair.making_page(request) as client:
            return await fair.make(client, make)
    except Busy as busy:
        raise PageRefused(busy.sentence) from None


def install() -> None:
    """Create all sessions of this process with `make_in_turn`."""
    make_sessions_by(make_in_turn)
    for name in ("asyncio", "tornado.application"):
        logging.getLogger(name).addFilter(_is_no_refusal)


def client_of(request: HTTPServerRequest, user: str | None = None) -> Client:
    """Client of a request: a user, a browser that was here before, or all others of its address together.

    Parameters
    ----------
    request : HTTPServerRequest
    user : str, optional
        User name, if already known from a token.
    """
    address = neighbourhood(request.remote_ip or "")
    signed = user or _signed(request, COOKIE).split(":")[0]
    if signed:
        return Client(address, f"user {signed}")
    browser = _signed(request, BROWSER)
    return Client(address, f"browser {browser}" if browser else "")


def is_there(request: HTTPServerRequest) -> bool:
    """Whether the connection of a request is open."""
    stream: Any = getattr(request.connection, "stream", None)
    return stream is None or not stream.closed()


def mark_browser(handler: RequestHandler) -> None:
    """Set the cookie that identifies a browser, if it has none."""
    if not pn.config.cookie_secret or _signed(handler.request, BROWSER):
        return
    value = create_signed_value(pn.config.cookie_secret, BROWSER, secrets.token_hex(8))
    handler.set_cookie(
        BROWSER,
        value.decode(),
        path=pn.config.cookie_path,
        httponly=True,
        samesite="Lax",
        secure=handler.request.protocol == "https",
    )


def refuse_page(handler: RequestHandler, busy: Busy) -> None:
    """Answer 429 with a short page that reloads when the client may try again."""
    handler.clear()
    too_many_requests(handler, busy.retry_after)
    handler.set_header("Refresh", str(busy.retry_after))
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.set_header("Cache-Control", "no-store")
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    text = f'<p role="alert">{escape(busy.sentence)}</p><p>This page reloads automatically.</p>'
    handler.finish(f'<!doctype html><html lang="en"><title>Too many requests</title>{text}</html>')


def refuse_json(handler: RequestHandler, busy: Busy) -> None:
    """Answer 429 with a JSON object of one sentence."""
    too_many_requests(handler, busy.retry_after)
    handler.set_header("Cache-Control", "no-store")
    handler.clear_header("Content-Disposition")
    write_json_error(handler, 429, busy.sentence)


async def look_up_file[Answer](
    handler: RequestHandler, question: Callable[[], Answer], threads: BoundedThreads | None = None
) -> Answer:
    """Call `looked_up` in turn, for a file or a text. Errors as in `answer_in_turn`."""
    return await answer_in_turn(handler, fair_use().files, question, threads)


async def answer_in_turn[Answer](
    handler: RequestHandler, turns: Turns, question: Callable[[], Answer], threads: BoundedThreads | None = None
) -> Answer:
    """Call `looked_up` when it is the client's turn.

    Raises
    ------
    Busy
    HTTPError
        As in `looked_up`.
    """
    client = client_of(handler.request)
    fair_use().saw(client)
    async with turns.turn(client, is_there=lambda: is_there(handler.request)) as turn:
        answer, turn.cost = await looked_up(lambda: timed(question), threads)
    return answer


def timed[Answer](question: Callable[[], Answer]) -> tuple[Answer, float]:
    """Result of a function, and its computing time [s] in this thread."""
    begin = thread_time()
    answer = question()
    return answer, thread_time() - begin


def _signed(request: HTTPServerRequest, name: str) -> str:
    """Value of a cookie if it is signed by this server, else an empty string."""
    morsel = request.cookies.get(name)
    if morsel is None or not pn.config.cookie_secret:
        return ""
    value = decode_signed_value(pn.config.cookie_secret, name, morsel.value, max_age_days=pn.config.oauth_expiry)
    return "" if value is None else value.decode(errors="replace")


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """Whether to log a record: Bokeh itself already logs that a web socket was refused."""
    return not (record.exc_info and isinstance(record.exc_info[1], PageRefused))
