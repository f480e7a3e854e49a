"""Connections that are open, what each has sent of an incomplete message, and when one of them is closed.

Tornado bounds neither the number of connections nor what they send together, and waits an hour for a header. Here every
connection that the server waits for is known with the time since when: the header of a request, its body, a message of
a web socket. The rules, with numbers from `WebLimits`:

- a header, a body, a message that does not come in time ends its connection, and so does an answer that is not taken;
- where there are too many connections, or no file descriptors are left, the one that has been waited for longest is
  closed; where all are in use, the new one is refused;
- where too much of incomplete messages is in memory, the connection that has sent most of it is closed;
- a body that is too long is refused with 413 without being kept.

Times are counted by a clock that stops while the server is busy with something else, so that a connection is never
closed for what the server has not read yet.
"""

from __future__ import annotations

import json
import logging
import resource
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Iterable
from enum import Enum
from http import HTTPStatus
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import IOStream

from dashboards.panel_patches.counted_streams import counted
from dashboards.panel_patches.shedding_listener import SheddingListener
from dashboards.shared.limits import WebLimits

log = logging.getLogger(__name__)

#: How often connections are looked through, s.
TICK_S = 1.0


class Bursts:
    """One line of the log for many events of a kind.

    Parameters
    ----------
    period : float, s
        How long events are counted before they are reported.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._counts: Counter[str] = Counter()

    def note(self, event: str) -> None:
        """Count an event; the first one of a burst starts its period."""
        if not self._counts[event]:
            IOLoop.current().call_later(self._period, self._report, event)
        self._counts[event] += 1

    def _report(self, event: str) -> None:
        log.warning("in the last %g s: %s: %d", self._period, event, self._counts.pop(event))


class Phase(Enum):
    """What a connection is waited for."""

    HEADER = "header"
    BODY = "body"
    IDLE = "idle"
    BUSY = "busy"
    SOCKET = "web socket"


class Connection:
    """One open connection.

    Attributes
    ----------
    stream : IOStream
    address : str
        Network address of the other end (a proxy's, where there is one).
    phase : Phase
    since : int
        Tick at which the phase or the incomplete message began.
    unfinished : int, byte
        Received since the last complete message.
    sent : int
        Tick at which the other end took something last.
    body : RequestBody, optional
        The body that is being received.
    """

    __slots__ = ("address", "body", "phase", "sent", "since", "stream", "unfinished")

    def __init__(self, stream: IOStream, address: str, now: int) -> None:
        self.stream, self.address = stream, address
        self.phase, self.since, self.sent = Phase.HEADER, now, now
        self.unfinished = 0
        self.body: RequestBody | None = None


class Connections:
    """All open connections of a server.

    Parameters
    ----------
    limits : WebLimits
    most : int
        Connections that may be open.
    most_address : int, optional
        Connections of one network address that may be open; None where all come from a proxy.

    Attributes
    ----------
    of_address : Counter
        Open connections, web sockets included, by network address.
    unfinished : int, byte
        What all connections have sent of incomplete messages.
    """

    def __init__(self, limits: WebLimits, most: int, most_address: int | None = None) -> None:
        self.limits, self.most, self.most_address = limits, most, most_address
        self.of_address: Counter[str] = Counter()
        self.unfinished = 0
        self.bursts = Bursts(limits.burst)
        self._all: set[Connection] = set()
        self._waited: dict[Connection, None] = {}  # in the order of `since`
        self._now = 0

    def __len__(self) -> int:
        return len(self._all)

    def open(self, stream: IOStream, address: str) -> Connection | None:
        """Take a new connection, or None when there are too many and all are in use."""
        if self.most_address is not None and self.of_address[address] >= self.most_address:
            if not self.make_room(address):
                self.bursts.note("connections refused because all others of their address are in use")
                return None
        elif len(self._all) >= self.most and not self.make_room():
            self.bursts.note("connections refused because all others are in use")
            return None
        connection = Connection(stream, address, self._now)
        self._all.add(connection)
        self._waited[connection] = None
        self.of_address[address] += 1
        return connection

    def closed(self, connection: Connection) -> None:
        """Forget a connection; it may have been forgotten before."""
        if connection not in self._all:
            return
        self._settle(connection)
        self._all.discard(connection)
        self._waited.pop(connection, None)
        self.of_address[connection.address] -= 1
        if self.of_address[connection.address] <= 0:
            del self.of_address[connection.address]

    def make_room(self, address: str | None = None) -> bool:
        """Close the connection (of an address) that has been waited for longest; says whether there was one."""
        for connection in self._waited:
            if address not in {None, connection.address}:
                continue
            if connection.phase is not Phase.SOCKET or connection.stream.reading():
                connection.stream.close()
                self.bursts.note("connections without a complete request closed to make room")
                return True
        return False

    def received(self, connection: Connection, size: int) -> bool:
        """Count bytes that came; says whether the connection may stay open."""
        if connection not in self._all or connection.phase is Phase.BUSY:
            return True  # while a request is answered, Tornado reads one piece at most
        if connection.phase is Phase.IDLE:
            self._wait(connection, Phase.HEADER)
        elif connection.phase is Phase.SOCKET and not connection.unfinished:
            self._wait(connection, Phase.SOCKET)
        connection.unfinished += size
        self.unfinished += size
        while self.unfinished > self.limits.unfinished:
            largest = max(self._waited, key=lambda waited: waited.unfinished)
            self.bursts.note(f"connections closed: more than {self.limits.unfinished >> 20} MiB of incomplete messages")
            if largest is connection:
                return False
            largest.stream.close()
        return True

    def await_request(self, connection: Connection) -> None:
        """The answer before is sent; the next request may come."""
        self._settle(connection)
        self._wait(connection, Phase.IDLE)

    def await_body(self, connection: Connection, body: RequestBody) -> None:
        """The header is there, and announces a body."""
        self._settle(connection)
        self._wait(connection, Phase.BODY)
        connection.body = body

    def discard(self, connection: Connection) -> None:
        """Throw away what has arrived of a message."""
        self._settle(connection)

    def serve(self, connection: Connection) -> None:
        """The request is complete."""
        self._rest(connection, Phase.BUSY)

    def settle(self, connection: Connection) -> None:
        """A message of a web socket is complete."""
        self._rest(connection, Phase.SOCKET)

    def progress(self, connection: Connection) -> None:
        """The other end has taken something."""
        connection.sent = self._now

    def tick(self) -> None:
        """Let a second pass, and close what is overdue."""
        self._now += 1
        limits = self.limits
        for connection in list(self._waited):
            waited = self._now - connection.since
            if connection.phase is Phase.BODY and connection.body is not None:
                if waited > limits.body_time:
                    connection.body.late()
            elif connection.phase is Phase.SOCKET:
                if not connection.stream.reading():
                    self._wait(connection, Phase.SOCKET)  # the server itself is slow to take it
                elif waited > limits.message_time:
                    self.bursts.note(f"web sockets closed: a message took longer than {limits.message_time:g} s")
                    connection.stream.close()
            elif waited > (limits.idle_time if connection.phase is Phase.IDLE else limits.header_time):
                connection.stream.close()
        for connection in list(self._all):
            if not connection.stream.writing():
                connection.sent = self._now
            elif self._now - connection.sent > limits.send_time:
                self.bursts.note(f"connections closed: they took nothing of an answer for {limits.send_time:g} s")
                connection.stream.close()

    def _wait(self, connection: Connection, phase: Phase) -> None:
        if connection not in self._all:
            return  # it was closed meanwhile
        self._waited.pop(connection, None)
        self._waited[connection] = None
        connection.phase, connection.since, connection.body = phase, self._now, None

    def _rest(self, connection: Connection, phase: Phase) -> None:
        self._settle(connection)
        self._waited.pop(connection, None)
        connection.phase, connection.body = phase, None

    def _settle(self, connection: Connection) -> None:
        if connection in self._all:
            self.unfinished -= connection.unfinished
            connection.unfinished = 0


class RequestBody(HTTPMessageDelegate):
    """A request on its way to its handler; a body that is too long or too slow does not get there.

    Parameters
    ----------
    handler : HTTPMessageDelegate
    http : HTTP1Connection
    connection : Connection
    connections : Connections
    """

    def __init__(
        self, handler: HTTPMessageDelegate, http: HTTP1Connection, connection: Connection, connections: Connections
    ) -> None:
        self._handler, self._http = handler, http
        self._connection, self._connections = connection, connections
        self._size, self._begun, self._refused, self._ended = 0, False, False, False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Refuse what announces too much; hand everything else on."""
        length, limit = headers.get("Content-Length", "0"), self._connections.limits.body
        if length != "0" or "Transfer-Encoding" in headers:
            self._connections.await_body(self._connection, self)
        else:
            self._connections.serve(self._connection)
        # a number of more digits than the limit has is larger, and Python refuses to read thousands of them
        if length.isdecimal() and (len(length.lstrip("0")) > len(str(limit)) or int(length) > limit):
            headers.pop("Expect", None)  # else Tornado says "Continue" after the answer
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(limit))
            return None
        self._begun = True
        return self._handler.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand a piece on, or throw it away."""
        if self._refused:
            self._connections.discard(self._connection)
            return None
        self._size += len(chunk)
        if self._size > self._connections.limits.body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(self._connections.limits.body))
            return None
        return self._handler.data_received(chunk)

    def finish(self) -> None:
        """The request is complete."""
        self._connections.serve(self._connection)
        if self._refused:
            self._end()
        else:
            self._handler.finish()

    def on_connection_close(self) -> None:
        """The other end has gone, or was closed."""
        if self._begun:
            self._begun = False
            self._handler.on_connection_close()

    def late(self) -> None:
        """The body has not come in time."""
        if self._refused or self._http.stream.writing():
            self._http.stream.close()
            return
        limit = self._connections.limits.body_time
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"request bodies must arrive within {limit:g} s")
        self._end()

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answer now; what still comes is thrown away."""
        self._refused = True
        self.on_connection_close()  # which lets go of what the handler has of it
        self._connections.discard(self._connection)
        self._connections.bursts.note(f"requests refused because {sentence}")
        if self._http.stream.closed():
            return
        answer = json.dumps({"status": status, "error": sentence}).encode()
        headers = HTTPHeaders({"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(answer))})
        self._http.set_max_body_size(sys.maxsize)
        self._http.write_headers(ResponseStartLine("HTTP/1.1", status, status.phrase), headers, answer)
        IOLoop.current().call_later(self._connections.limits.linger, self._end)

    def _end(self) -> None:
        """End the answer; Tornado then closes the connection if the body is not complete."""
        if not self._ended and not self._http.stream.closed():
            self._ended = True
            self._http.finish()


def _too_long(limit: int) -> str:
    return f"request bodies are limited to {limit} bytes"


class LimitedServer(HTTPServer):
    """Tornado's server with the rules of this module.

    Attributes
    ----------
    connections : Connections
    """

    connections: Connections

    def initialize(  # type: ignore[override] # `install` gives these two, Bokeh the others
        self, *arguments: Any, limits: WebLimits, most: int, most_address: int | None = None, **named: Any
    ) -> None:
        """Begin with no connection."""
        self.connections = Connections(limits, most, most_address)
        super().initialize(*arguments, **({"max_header_size": limits.header} | named))
        PeriodicCallback(self.connections.tick, 1000 * TICK_S).start()

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Listen at these sockets, which are taken over."""
        super().add_sockets([SheddingListener.of(given, self._shed) for given in sockets])

    def _shed(self) -> bool:
        self.connections.bursts.note("connections that found no file descriptor left")
        return self.connections.make_room()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Take a new connection, or refuse it."""
        known = self.connections.open(stream, str(address[0]) if isinstance(address, tuple) and address else "")
        if known is None:
            stream.close()
            return
        super().handle_stream(counted(stream, self.connections, known), address)

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """Wait for a request."""
        http: HTTP1Connection = request_conn
        handler = super().start_request(server_conn, request_conn)
        known = _known(http.stream)
        if known is None:
            return handler
        if known.phase is not Phase.HEADER:
            self.connections.await_request(known)
        return RequestBody(handler, http, known, self.connections)

    def on_close(self, server_conn: object) -> None:
        """A connection has ended, or has become a web socket."""
        super().on_close(server_conn)
        stream = server_conn.stream  # type: ignore[attr-defined]
        known = _known(stream)
        if known is not None and not stream.closed():
            self.connections.settle(known)


def _known(stream: Any) -> Connection | None:
    connection: Connection | None = getattr(stream, "connection", None)
    return connection


def usable_connections(limits: WebLimits) -> int:
    """How many connections may be open, after the process was allowed as many files as it may have and needs."""
    wanted = limits.connections + limits.descriptors
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != allowed < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else max(allowed, min(wanted, most))
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    if allowed == resource.RLIM_INFINITY or allowed >= wanted:
        return limits.connections
    usable = max(allowed - limits.descriptors, 1)
    log.warning(
        "at most %d connections instead of %d: this process may open %d files (LimitNOFILE, ulimit -n)",
        usable,
        limits.connections,
        allowed,
    )
    return usable


def install(limits: WebLimits, *, behind_proxy: bool = False) -> None:
    """Let this process serve under these rules; behind a proxy all connections come from the proxy's address."""
    most = usable_connections(limits)
    most_address = None if behind_proxy else min(limits.connections_address, max(most // 2, 1))
    HTTPServer.configure(LimitedServer, limits=limits, most=most, most_address=most_address)
