"""Send the first content of a page before the session of the live page is created.

Creating a session with all its widgets takes some hundred milliseconds of processor time; the first content takes one
or two queries of the archive. So the first content is sent first, with the scripts that the page had last, and the part
that needs the session after it; the session starts from the loaded state of the first content.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

import panel as pn
from tornado.httputil import url_concat

from dashboards.server.bounded_threads import journal_threads
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import fair_use, mark_browser, refuse_page
from dashboards.server.live_pages import PageHandler
from dashboards.server.rate_limits import neighbourhood
from dashboards.server.responses import in_thread, looked_up
from dashboards.shared.access import Visitor
from dashboards.shared.frame import LIVE, NONCE, RESOURCES, THEME_COOKIE, begin_document, prefers_dark
from dashboards.shared.links import RouteLinks
from dashboards.shared.map_colors import COLORS_COOKIE, colors_of_request
from dashboards.shared.navigation import PAGES
from dashboards.shared.preloaded import PreloadedState, session_from_loaded, session_from_preloaded
from dashboards.shared.session_owner import SessionOwner, making_sessions_for
from dashboards.shared.visitors import COOKIE, visitor_of_cookie, visitor_with_cookie

if TYPE_CHECKING:
    from dashboards.shared.addressed import AddressedPage

#: Precedes the first content if there will be no live page.
BROKEN = (
    '<p role="alert" style="position: fixed; inset: auto 0 0; z-index: 101; margin: 0; padding: 12px 24px; '
    'background: #b3261e; color: #fff">This page could not be loaded completely. Reload it in a moment.</p>'
)


class FirstContentHandler(PageHandler):
    """A page whose first content is sent before its session is created."""

    #: Last style sheets and scripts of a page, by name and theme: they load while the session is created.
    known: ClassVar[dict[tuple[str, bool], str]] = {}

    _sent, _early, _key = False, "", ("", False)

    async def get(self, *arguments: Any, **named: Any) -> None:
        """Send a page; redirect a URL with a trailing slash, which would break relative links."""
        name = (self.application_context.url or "").strip("/")
        if name and self.request.path.endswith("/"):
            self.redirect(url_concat(f"../{name}", parse_qsl(self.request.query, keep_blank_values=True)))
            return
        try:
            async with fair_use().making_page(self.request):
                mark_browser(self)
                answer: Any = super().get(*arguments, **named)
                await answer
        except Busy as busy:
            refuse_page(self, busy)

    async def get_session(self) -> Any:
        """Send the first content, then create the session. Files are read in threads."""
        make: Any = super().get_session
        page, cookie = _page(self.application_context.url or ""), self.get_cookie(COOKIE) or ""
        address = neighbourhood(self.request.remote_ip or "")
        if pn.config.authorize_callback:
            with making_sessions_for(SessionOwner(cookie, await visitor_with_cookie(self), address)):
                return await make()
        preloaded = await self._send(page) if page is not None else None
        state, visitor = await looked_up(
            partial(_look, preloaded, cookie), journal_threads() if preloaded is None else None
        )
        owner = SessionOwner(cookie, visitor, address)
        with (
            session_from_preloaded(preloaded) if preloaded is not None else session_from_loaded(state),
            making_sessions_for(owner),
        ):
            return await make()

    async def _send(self, page: type[AddressedPage[Any]]) -> PreloadedState[Any]:
        visitor = partial(visitor_of_cookie, self.get_cookie(COOKIE) or "")
        dark = prefers_dark(self.get_query_argument("theme", None), self.get_cookie(THEME_COOKIE))
        colors = self.get_cookie(COLORS_COOKIE)

        def ask() -> tuple[PreloadedState[Any], str, int]:
            preloaded = page.preload(visitor, f"?{self.request.query}")
            with colors_of_request(colors):
                opening = page.opening(preloaded.state, RouteLinks(), dark=dark)
            title = page.document_title(preloaded.state)
            document = begin_document(title, opening, description=page.description, dark=dark)
            return preloaded, document, page.status(preloaded.state)

        self._key = page.title, dark
        self._early = self.known.get(self._key, "")
        preloaded, document, status = await in_thread(ask)
        self.set_status(status)
        self.set_header("Content-Type", "text/html")
        self.set_header("X-Accel-Buffering", "no")  # proxies must not buffer the response
        self.write(document + (_after_paint("early", self._early) if self._early else ""))
        # a client that does not read must not keep its turn
        done, _ = await asyncio.wait([asyncio.ensure_future(self.flush())], timeout=fair_use().limits.page_flush)
        for flushed in done:
            flushed.result()
        self._sent = True
        return preloaded

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Append an error below the first content, when the status is already sent."""
        if not self._sent:
            super().send_error(status_code, **kwargs)
        elif not self._finished:
            self.finish(BROKEN)

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """Send a document without the part that is already sent."""
        if self._sent and isinstance(chunk, str) and LIVE in chunk:
            resources, _, rest = chunk.partition(RESOURCES)[2].partition(LIVE)
            self.known[self._key] = resources
            early = set(self._early.splitlines())
            missing = "\n".join(line for line in resources.splitlines() if line not in early)
            live, end, tail = rest.rpartition("</body>")
            chunk = _after_paint("live", (missing if resources != self._early else "") + live) + end + tail
        super().write(chunk)


def _after_paint(name: str, html: str) -> str:
    """HTML that the browser inserts once it has drawn what came before (``scripts_after_paint.js``)."""
    show = f'<script nonce="{NONCE}">stixPage.show("{name}")</script>'
    return f'<template id="{name}">{html}</template>{show}\n'


def _look(preloaded: PreloadedState[Any] | None, cookie: str) -> tuple[Any, Visitor]:
    """State of a page without first content for the visitor of a cookie, and the visitor."""
    from dashboards.pages.operations.view import OperationsPage  # pages import modules of this package

    visitor = visitor_of_cookie(cookie)
    return None if preloaded is not None else OperationsPage.load(lambda: visitor), visitor


def _page(address: str) -> type[AddressedPage[Any]] | None:
    """Page class of a path; None if it has no first content of its own."""
    from dashboards.pages.flare.view import FlarePage  # pages import modules of this package
    from dashboards.pages.flares.view import FlaresPage
    from dashboards.pages.image_archive.view import ImageArchivePage
    from dashboards.pages.lightcurves.view import LightCurvesPage
    from dashboards.pages.science_data.view import ScienceDataPage

    preloaded: dict[str, type[AddressedPage[Any]]] = {
        "flare": FlarePage,
        "flares": FlaresPage,
        "image_archive": ImageArchivePage,
        "lightcurves": LightCurvesPage,
        "science_data": ScienceDataPage,
    }
    return preloaded.get(address.strip("/") or next(iter(PAGES)))
