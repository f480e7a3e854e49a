"""Tornado handlers of the API: visitor, parameters and body in, JSON out."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from archive import NotInArchive, QueryRefused
from dashboards.server.api.call import Call, Endpoint, FileReply, Reply, Who
from dashboards.server.api.endpoints import ENDPOINTS, ROOT
from dashboards.server.api.errors import Refused
from dashboards.server.api.openapi import openapi_document
from dashboards.server.api.parameters import read_parameters
from dashboards.server.bounded_threads import BoundedThreads, ServerBusy, journal_threads
from dashboards.server.download_pieces import make_piece, send_pieces
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import client_of, fair_use, is_there, refuse_json, timed
from dashboards.server.responses import RETRY_AFTER_S, refuse_other_origins
from dashboards.shared.access import Visitor
from dashboards.shared.clock import now
from dashboards.shared.limits import WebLimits
from dashboards.shared.source import Unavailable, archive_source
from dashboards.shared.visitors import COOKIE, visitor_asking
from jobs.shared.errors import NoSuchRequest, NotAllowed
from jobs.shared.limits import Limits

_LIMITS = Limits()
_SENTENCES = {
    400: "malformed request",
    403: "requests with a cookie need an XSRF token; programs use Authorization: Bearer",
    404: "not found",
    500: "internal server error; details are in the server log",
}


class JsonHandler(RequestHandler):
    """Base class of all API handlers."""

    def set_default_headers(self) -> None:
        """Set the content type to JSON; responses are private and revalidated."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Authorization, Cookie")
        self.set_header("X-Content-Type-Options", "nosniff")

    def check_xsrf_cookie(self) -> None:
        """Check calls with a cookie; a token needs no check, because browsers do not add it by themselves."""
        if self.get_cookie(COOKIE) and "Authorization" not in self.request.headers:
            refuse_other_origins(self)
            super().check_xsrf_cookie()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        refused = error if isinstance(error, Refused) else Refused(status_code, self._sentence(status_code))
        self.finish(refused.document)

    def _sentence(self, status: int) -> str:
        if status == 405:
            return f"method {self.request.method} is not allowed here"
        return _SENTENCES.get(status, "the request failed")

    def refuse(self, refused: Refused) -> None:
        """Finish with an error."""
        self.set_status(refused.status)
        if refused.status == 503:
            self.set_header("Retry-After", RETRY_AFTER_S)
        if refused.status == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="stix"')
        self.finish(refused.document)


@stream_request_body
class EndpointHandler(JsonHandler):
    """Handler of one path of the API, with all its methods.

    Parameters
    ----------
    endpoints : dict of str to Endpoint
        Endpoints by method.
    """

    def __init__(self, application: Application, request: HTTPServerRequest, **kwargs: Any) -> None:
        self._body = bytearray()
        super().__init__(application, request, **kwargs)

    def initialize(self, endpoints: dict[str, Endpoint]) -> None:
        """Store the endpoints of the route."""
        self._endpoints = endpoints

    def prepare(self) -> None:
        """Refuse a long body before it is sent."""
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > _LIMITS.body:
            message = f"the body has {length} bytes; the limit is {_LIMITS.body}"
            self.set_header("Connection", "close")
            self.refuse(Refused(413, message, "body"))

    def data_received(self, chunk: bytes) -> None:
        """Collect the body up to the limit: a body without Content-Length may be endless."""
        if len(self._body) <= _LIMITS.body:
            self._body += chunk

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As in the base class, with the allowed methods."""
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._endpoints))
        super().write_error(status_code, **kwargs)

    async def get(self, **path: str) -> None:
        """Answer a GET request."""
        await self._answer("GET", path)

    async def head(self, **path: str) -> None:
        """Answer without a body."""
        await self._answer("GET", path)

    async def post(self, **path: str) -> None:
        """Answer a POST request."""
        await self._answer("POST", path)

    async def _answer(self, method: str, path: dict[str, str]) -> None:
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            raise HTTPError(405)
        try:
            reply = await self._reply(endpoint, await self._visitor(endpoint), path)
        except Refused as refused:
            self.refuse(refused)
            return
        if reply.file is not None:
            await self._send_file(reply.file)
            return
        self.set_status(reply.status)
        if reply.location is not None:
            self.set_header("Location", reply.location)
        self.finish(json.dumps(reply.document, allow_nan=False, ensure_ascii=False))

    async def _send_file(self, file: FileReply) -> None:
        """Send a file in pieces, as one of the client's downloads."""
        try:
            end = fair_use().downloads.begin(client_of(self.request))
        except Busy as busy:
            refuse_json(self, busy)
            return
        try:
            first = await make_piece(self, lambda: next(file.pieces, None))
            self.set_header("Content-Type", file.media_type)
            self.set_header("Content-Disposition", f'attachment; filename="{file.name}"')
            if self.request.method == "HEAD":
                self.finish()
            else:
                await send_pieces(self, first, file.pieces, file.name)
        except Busy as busy:
            refuse_json(self, busy)
        except StreamClosedError:
            return  # the client has disconnected
        finally:
            end()

    async def _visitor(self, endpoint: Endpoint) -> Visitor:
        """Visitor of the call.

        Raises
        ------
        Refused
            If the token is unknown, or a guest calls an endpoint for users.
        """
        visitor = await visitor_asking(self)
        if visitor.name is None and "Authorization" in self.request.headers:
            message = (
                "invalid token: it was revoked, or the header does not have the form “Authorization: Bearer stix_…”"
            )
            raise Refused(401, message, "Authorization")
        if visitor.name is None and endpoint.who is Who.USERS:
            message = "sign-in required: create a token at /account and send it as Authorization: Bearer"
            raise Refused(401, message, "Authorization")
        return visitor

    async def _reply(self, endpoint: Endpoint, visitor: Visitor, path: dict[str, str]) -> Reply:
        if endpoint.body is not None and "json" not in self.request.headers.get("Content-Type", ""):
            message = "the body must be JSON (Content-Type: application/json)"
            raise Refused(400, message, "Content-Type", self.request.headers.get("Content-Type", ""))
        given = self.request.query_arguments
        values = read_parameters(endpoint.parameters, given)
        call = Call(visitor, values, given, path, bytes(self._body), now(), _LIMITS)
        threads = journal_threads() if endpoint.who is Who.USERS else _threads()
        fair, client = fair_use(), client_of(self.request, visitor.name)
        fair.saw(client)
        try:
            async with fair.calls.turn(client, is_there=lambda: is_there(self.request)) as turn:
                answered: tuple[Reply, float] = await threads.run(
                    timed, lambda: archive_source().ask(lambda archive: endpoint.answer(archive, call))
                )
                reply, turn.cost = answered
        except Busy as error:
            self.set_header("Retry-After", str(error.retry_after))
            raise Refused(429, error.sentence) from error
        except (NotInArchive, NoSuchRequest) as error:
            raise Refused(404, str(error), *_about(path)) from error
        except QueryRefused as error:
            raise Refused(400, str(error)) from error
        except NotAllowed as error:
            raise Refused(403, str(error)) from error
        except (Unavailable, ServerBusy) as error:
            raise Refused(503, str(error)) from error
        return reply


class OpenApiHandler(JsonHandler):
    """Serve the OpenAPI document."""

    def get(self) -> None:
        """Send the document."""
        self.finish(json.dumps(openapi_document()))

    def head(self) -> None:
        """Send only the headers."""
        self.get()


class NothingHandler(JsonHandler):
    """Answer all other paths below ``/api/`` with 404."""

    def check_xsrf_cookie(self) -> None:
        """Skip the check: this handler changes nothing."""

    def prepare(self) -> None:
        """Answer 404."""
        raise HTTPError(404)


def _about(path: dict[str, str]) -> tuple[str, str]:
    """Name and value of the variable part of the path."""
    return next(iter(path.items()), ("", ""))


def _routes() -> list[tuple[Any, ...]]:
    """One route per path, in the order of declaration."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        *((_pattern(path, methods), EndpointHandler, {"endpoints": methods}) for path, methods in by_path.items()),
        (f"{re.escape(ROOT)}/openapi\\.json", OpenApiHandler),
        (r"/api/.*", NothingHandler),
    ]


def _pattern(path: str, methods: dict[str, Endpoint]) -> str:
    places = next(iter(methods.values())).places or {}
    pattern = re.escape(ROOT + path)
    for name, allowed in places.items():
        pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{allowed})")
    return pattern


@cache
def _threads() -> BoundedThreads:
    """Threads for calls, separate from those for files: a script with many calls delays no picture."""
    return BoundedThreads("api", 4, WebLimits().waiting)


API_ROUTES = _routes()
