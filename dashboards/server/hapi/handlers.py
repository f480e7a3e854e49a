"""``/hapi`` and what is below it. Everything is for everybody: no cookie and no token is looked at.

Errors are JSON with HAPI's code, whatever format was asked for. Data are sent in pieces, as downloads are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from archive import Archive
from archive.about import About
from archive.errors import BadSettings
from dashboards.server.bounded_threads import BoundedThreads
from dashboards.server.download_pieces import make_piece, send_pieces
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import answer_in_turn, client_of, fair_use
from dashboards.server.hapi import documents
from dashboards.server.hapi.datasets import find_dataset, present_datasets
from dashboards.server.hapi.records import FORMATS, data_pieces, in_pieces
from dashboards.server.hapi.requested import dataset_id, read_query, wanted_data, wanted_parameters
from dashboards.server.hapi.standard import STATUS, HapiError, message_of, status
from dashboards.server.open_service import OpenService
from dashboards.server.responses import RETRY_AFTER_S, too_many_requests
from dashboards.shared.limits import WebLimits
from dashboards.shared.source import archive_source
from stixcore.printable import without_folders

log = logging.getLogger(__name__)

_THREADS = 2
_SENTENCES = {
    404: (1400, "there is nothing here; see capabilities and catalog"),
    405: (1400, "HAPI knows GET and HEAD only"),
    503: (1501, "the archive cannot be read now; try again in a moment"),
}


class HapiHandler(OpenService):
    """Base class of all of them."""

    service = "/hapi"

    def set_default_headers(self) -> None:
        """Answer in JSON unless a format says otherwise."""
        super().set_default_headers()
        self.set_header("Content-Type", "application/json; charset=utf-8")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send JSON with a code of HAPI."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        cause = error.__cause__ if error is not None else None
        code, sentence = _SENTENCES.get(status_code, (1400 if status_code < 500 else 1500, ""))
        if status_code == 503:
            self.set_header("Retry-After", RETRY_AFTER_S)
        if status_code == 405:
            self.set_header("Allow", "GET, HEAD")
        self.finish(status(code, without_folders(str(cause)) if cause else sentence))

    def refuse(self, error: HapiError) -> None:
        """Finish with the code of an error."""
        self.set_status(STATUS[error.code][0], message_of(error.code))
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(status(error.code, error.detail))

    def refuse_busy(self, busy: Busy) -> None:
        """Finish with 429 when a client asks for too much."""
        too_many_requests(self, busy.retry_after)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(status(1500, busy.sentence))

    async def ask[Answer](self, question: Callable[[Archive], Answer]) -> Answer:
        """Result of a function of the archive, when it is the client's turn."""
        return await answer_in_turn(self, fair_use().calls, lambda: archive_source().ask(question), _threads())

    async def get(self) -> None:
        """Answer a request."""
        try:
            await self.answer()
        except HapiError as error:
            self.refuse(error)
        except Busy as busy:
            self.refuse_busy(busy)
        except StreamClosedError:
            return  # the client has disconnected

    async def head(self) -> None:
        """Send the headers."""
        await self.get()

    async def answer(self) -> None:
        """Answer a request; for subclasses."""
        raise HTTPError(404)


class FirstPageHandler(HapiHandler):
    """Page for people."""

    async def answer(self) -> None:
        """Send the page."""
        datasets = await self.ask(present_datasets)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.finish(documents.first_page(self.base, datasets))


class AboutHandler(HapiHandler):
    """What this server is."""

    async def answer(self) -> None:
        """Send the document."""
        read_query(self.request.query_arguments, ())
        self.finish(documents.about(self.base, await self.ask(_who)))


class CapabilitiesHandler(HapiHandler):
    """What it can do."""

    async def answer(self) -> None:
        """Send the document."""
        read_query(self.request.query_arguments, ())
        self.finish(documents.capabilities())


class CatalogHandler(HapiHandler):
    """Which datasets there are."""

    async def answer(self) -> None:
        """Send the document."""
        values = read_query(self.request.query_arguments, ("depth", "resolve_references"))
        _check_references(values)
        if values.get("depth", "dataset") != "dataset":
            raise HapiError(1413, "expected dataset")
        self.finish(documents.catalog(await self.ask(present_datasets)))


class InfoHandler(HapiHandler):
    """What is in a dataset."""

    async def answer(self) -> None:
        """Send the document."""
        values = read_query(self.request.query_arguments, ("dataset", "parameters", "resolve_references"))
        _check_references(values)
        name = dataset_id(values)
        dataset, extent = await self.ask(lambda archive: find_dataset(archive, name))
        self.finish(documents.info(dataset, extent, wanted_parameters(dataset, values.get("parameters"))))


@dataclass(frozen=True)
class _Data:
    """An answer of data: code and format, beginning and rest."""

    code: int
    form: str
    beginning: bytes
    rest: Iterator[bytes]


class DataHandler(HapiHandler):
    """Records of a dataset."""

    async def answer(self) -> None:
        """Send the records in pieces."""
        known = ("dataset", "start", "stop", "parameters", "include", "format")
        values = read_query(self.request.query_arguments, known)
        end = fair_use().downloads.begin(client_of(self.request))
        try:
            await self._send(await make_piece(self, lambda: _begin(values)))
        finally:
            end()

    async def _send(self, found: _Data) -> None:
        self.set_header("Content-Type", FORMATS[found.form][0])
        if found.code != 1200:
            self.set_status(200, f"HAPI {found.code}: {message_of(found.code)}")
        if self.request.method == "HEAD":
            self.finish()
            return
        await send_pieces(self, found.beginning, found.rest, "data of HAPI")


class NothingHandler(HapiHandler):
    """Answer all other paths below ``/hapi/`` with 404."""

    def prepare(self) -> None:
        """Answer 404."""
        raise HTTPError(404)


def _who(archive: Archive) -> About:
    """Who runs the archive, as far as its configuration can be read."""
    try:
        return About.of(archive.root)
    except BadSettings as error:
        log.warning("%s", error)
        return About()


def _begin(values: dict[str, str]) -> _Data:
    """The beginning of an answer; called in a thread. Damage at the beginning is still an error of its own."""

    def begin(archive: Archive) -> _Data:
        dataset, extent = find_dataset(archive, dataset_id(values))
        want = wanted_data(dataset, extent, values)
        columns = in_pieces(dataset.read(archive, want.start, want.stop))
        first = next(columns, None)
        code = 1201 if first is None else 1200
        has_header = want.header or want.form == "json"
        info = documents.info(dataset, extent, want.parameters, code) | {"format": want.form} if has_header else None
        rest = iter(()) if first is None else chain([first], columns)
        pieces = data_pieces(want.form, want.parameters, rest, info)
        return _Data(code, want.form, next(pieces, b""), pieces)

    return archive_source().ask(begin)


def _check_references(values: dict[str, str]) -> None:
    """Refuse what is not a truth value; there are no references, so nothing depends on it."""
    if values.get("resolve_references", "true") not in {"true", "false"}:
        raise HapiError(1412, "expected true or false")


@cache
def _threads() -> BoundedThreads:
    """Threads for questions, separate from those for calls of the API."""
    return BoundedThreads("hapi", _THREADS, WebLimits().waiting)


HAPI_ROUTES = [
    (r"/hapi/?", FirstPageHandler),
    (r"/hapi/about", AboutHandler),
    (r"/hapi/capabilities", CapabilitiesHandler),
    (r"/hapi/catalog", CatalogHandler),
    (r"/hapi/info", InfoHandler),
    (r"/hapi/data", DataHandler),
    (r"/hapi/.*", NothingHandler),
]
