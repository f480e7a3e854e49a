"""``/tap`` and what is below it. A query is a GET or a POST: neither changes anything, so no XSRF token is asked for.

Everything is for everybody, and the same for everybody: no cookie and no token is looked at. Errors are VOTables
(IVOA DALI 1.1, section 4.4), whatever format was asked for.
"""

from __future__ import annotations

from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from archive.exports import votable_refusal
from dashboards.server.download_pieces import send_pieces
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import answer_in_turn, client_of, fair_use
from dashboards.server.open_service import OpenService
from dashboards.server.responses import RETRY_AFTER_S, too_many_requests
from dashboards.server.tap import documents
from dashboards.server.tap.answers import VOTABLE_TYPE, Answer, answer, fault, tap_threads, wanted
from dashboards.server.tap.refusals import Refused
from dashboards.server.tap.tables import TABLES
from stixcore.printable import without_folders

_SENTENCES = {
    404: "there is nothing here; see capabilities. Asynchronous queries (/async) are not offered: use /sync",
    405: "a query is a GET or a POST",
    503: "the archive cannot be read now; try again in a moment",
}


class TapHandler(OpenService):
    """Base class of all of them."""

    service = "/tap"

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send a VOTable with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        cause = error.__cause__ if error is not None else None
        self.refuse(status_code, _SENTENCES.get(status_code) or (str(cause) if cause else "the request failed"))

    def refuse(self, status: int, sentence: str) -> None:
        """Finish with a VOTable that says why there is no answer."""
        self.set_status(status)
        if status == 503:
            self.set_header("Retry-After", RETRY_AFTER_S)
        self.clear_header("Content-Disposition")
        self.set_header("Content-Type", VOTABLE_TYPE)
        self.finish(votable_refusal([("QUERY_STATUS", "ERROR", without_folders(sentence))]))

    def send_document(self, content: bytes | str, media_type: str) -> None:
        """Finish with a document."""
        self.set_header("Content-Type", media_type)
        if "html" in media_type:
            self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.finish(content)


class QueryHandler(TapHandler):
    """Answer queries."""

    async def get(self) -> None:
        """Answer a query."""
        try:
            await self._answer()
        except Refused as refused:
            self.refuse(refused.status, refused.sentence)
        except Busy as busy:
            too_many_requests(self, busy.retry_after)
            self.refuse(429, busy.sentence)
        except StreamClosedError:
            return  # the client has disconnected

    async def post(self) -> None:
        """Answer a query in the body of a request."""
        await self.get()

    async def head(self) -> None:
        """Send the headers."""
        await self.get()

    async def _answer(self) -> None:
        want, server = wanted(self.request.arguments), self.base.removesuffix("/tap")
        end = fair_use().downloads.begin(client_of(self.request))
        try:
            found = await answer_in_turn(self, fair_use().calls, lambda: answer(want, server), tap_threads())
            await self._send(found)
        finally:
            end()

    async def _send(self, found: Answer) -> None:
        self.set_header("Content-Type", found.media_type)
        self.set_header("Content-Disposition", f'attachment; filename="{found.name}"')
        if found.rest is None or self.request.method == "HEAD":
            self.finish(found.beginning)
        else:
            await send_pieces(self, found.beginning, found.rest, found.name)


class DocumentHandler(TapHandler):
    """Describe the service."""

    def get(self, what: str = "") -> None:
        """Send a document."""
        if what == "capabilities":
            self.send_document(documents.capabilities(self.base), "text/xml")
        elif what == "examples":
            self.send_document(documents.examples(), "application/xhtml+xml; charset=utf-8")
        elif what == "tables":
            self.send_document(documents.tables(), "text/xml")
        else:
            self.send_document(documents.first_page(self.base), "text/html; charset=utf-8")

    def head(self, what: str = "") -> None:
        """Send the headers."""
        self.get(what)


class AvailabilityHandler(TapHandler):
    """Say whether queries can be answered."""

    async def get(self) -> None:
        """Send a document."""
        try:
            found = await answer_in_turn(self, fair_use().calls, fault, tap_threads())
        except Busy as busy:
            found = busy.sentence
        self.send_document(documents.availability(found), "text/xml")

    async def head(self) -> None:
        """Send the headers."""
        await self.get()


class TableHandler(TapHandler):
    """Describe one table."""

    def get(self, name: str) -> None:
        """Send its document."""
        found = documents.table_document(name)
        if found is None:
            self.refuse(404, f"there is no table {name!r}; the tables are {', '.join(t.name for t in TABLES.values())}")
            return
        self.send_document(found, "text/xml")

    def head(self, name: str) -> None:
        """Send the headers."""
        self.get(name)


class NothingHandler(TapHandler):
    """Answer all other paths below ``/tap/`` with 404."""

    def prepare(self) -> None:
        """Answer 404."""
        raise HTTPError(404)


TAP_ROUTES = [
    (r"/tap/?", DocumentHandler),
    (r"/tap/(capabilities|tables|examples)", DocumentHandler),
    (r"/tap/availability", AvailabilityHandler),
    (r"/tap/sync", QueryHandler),
    (r"/tap/tables/([A-Za-z_.]{1,60})", TableHandler),
    (r"/tap/.*", NothingHandler),
]
