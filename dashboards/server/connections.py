"""Open connections: what each has sent of an incomplete message, and when it is closed.

Tornado limits neither the number of connections nor the total size of what they send, and waits an hour for a header.
Here the server knows every connection, what it waits for (the header of a request, its body, a message of a web
socket) and since when. The rules, with numbers from `WebLimits`:

- a connection is closed if a header, body or message does not arrive in time, or if the client does not read an answer;
- if there are too many connections, or no file descriptors are left, the connection that the server has waited for
  longest is closed; if all are in use, the new one is refused;
- if incomplete messages take too much memory, the connection that has sent most is closed;
- a body that is too long is refused with 413 and discarded.

Times are measured by a clock that stops while the server is busy with something else, so that no connection is closed
for data that the server has not read yet.
"""

from __future__ import annotations

import json
import logging
import resource
import socket
import struct
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

#: Interval of the checks, s.
TICK_S = 1.0
#: Digits of the longest Content-Length that is parsed.
_LENGTH_DIGITS = 18


class Bursts:
    """Logs many events of a kind in one line.

    Parameters
    ----------
    period : float, s
        How long events are counted before they are logged.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._counts: Counter[str] = Counter()

    def note(self, event: str) -> None:
        """Count an event; the first one starts a period."""
        if not self._counts[event]:
            IOLoop.current().call_later(self._period, self._report, event)
        self._counts[event] += 1

    def _report(self, event: str) -> None:
        log.warning("in the last %g s: %s: %d", self._period, event, self._counts.pop(event))


class Phase(Enum):
    """What the server waits for on a connection."""

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
        Network address of the client (of the proxy, if there is one).
    phase : Phase
    since : int
        Tick at which the phase or the incomplete message began.
    unfinished : int, byte
        Received since the last complete message.
    sent : int
        Tick at which the client last read data.
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
        Maximum number of open connections.
    most_address : int, optional
        Maximum of one network address; None behind a proxy.

    Attributes
    ----------
    of_address : Counter
        Open connections, including web sockets, by network address.
    unfinished : int, byte
        Bytes of incomplete messages, over all connections.
    """

    def __init__(self, limits: WebLimits, most: int, most_address: int | None = None) -> None:
        self.limits, self.most, self.most_address = limits, most, most_address
        self.of_address: Counter[str] = Counter()
        self.unfinished = 0
        self.bursts = Bursts(limits.burst)
        self._all: set[Connection] = set()
        self._waited: dict[Connection, None] = {}  # in order of `since`
        self._now = 0

    def __len__(self) -> int:
        return len(self._all)

    def open(self, stream: IOStream, address: str) -> Connection | None:
        """Accept a new connection; return None if there are too many and all are in use."""
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
        """Remove a connection; it may have been removed before."""
        if connection not in self._all:
            return
        self._settle(connection)
        self._all.discard(connection)
        self._waited.pop(connection, None)
        self.of_address[connection.address] -= 1
        if self.of_address[connection.address] <= 0:
            del self.of_address[connection.address]

    def make_room(self, address: str | None = None) -> bool:
        """Close the connection (of an address) that the server has waited for longest; return whether there was one."""
        for connection in self._waited:
            if address not in {None, connection.address}:
                continue
            if connection.phase is not Phase.SOCKET or connection.stream.reading():
                connection.stream.close()
                self.bursts.note("connections without a complete request closed to make room")
                return True
        return False

    def received(self, connection: Connection, size: int) -> bool:
        """Count received bytes; return whether the connection may stay open."""
        if connection not in self._all or connection.phase is Phase.BUSY:
            return True  # while a request is answered, Tornado reads at most one chunk
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
        """Wait for the next request, after an answer was sent."""
        self._settle(connection)
        self._wait(connection, Phase.IDLE)

    def await_body(self, connection: Connection, body: RequestBody) -> None:
        """Wait for the body that a header has announced."""
        self._settle(connection)
        self._wait(connection, Phase.BODY)
        connection.body = body

    def discard(self, connection: Connection) -> None:
        """Discard what has arrived of a message."""
        self._settle(connection)

    def serve(self, connection: Connection) -> None:
        """Mark the request as complete."""
        self._rest(connection, Phase.BUSY)

    def settle(self, connection: Connection) -> None:
        """Mark the message of a web socket as complete."""
        self._rest(connection, Phase.SOCKET)

    def progress(self, connection: Connection) -> None:
        """Record that the client has read data."""
        connection.sent = self._now

    def tick(self) -> None:
        """Advance the clock by a second, and close overdue connections."""
        self._now += 1
        limits = self.limits
        for connection in list(self._waited):
            waited = self._now - connection.since
            if connection.phase is Phase.BODY and connection.body is not None:
                if waited > limits.body_time:
                    connection.body.late()
            elif connection.phase is Phase.SOCKET:
                if not connection.stream.reading():
                    self._wait(connection, Phase.SOCKET)  # the server itself is slow to read it
                elif waited > limits.message_time:
                    self.bursts.note(f"web sockets closed: a message took longer than {limits.message_time:g} s")
                    connection.stream.close()
            elif waited > (limits.idle_time if connection.phase is Phase.IDLE else limits.header_time):
                connection.stream.close()
        for connection in list(self._all):
            if not connection.stream.writing():
                connection.sent = self._now
            elif self._now - connection.sent > limits.send_time:
                self.bursts.note(f"connections closed: the client read nothing for {limits.send_time:g} s")
                _reset(connection.stream)

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
    """Passes a request to its handler; refuses a body that is too long or too slow.

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
        """Refuse a body that is too long; pass on everything else."""
        length, limit = headers.get("Content-Length", "0"), self._connections.limits.body
        if length != "0" or "Transfer-Encoding" in headers:
            self._connections.await_body(self._connection, self)
        else:
            self._connections.serve(self._connection)
        # Python refuses to parse thousands of digits, even zeros
        if length.isdecimal() and (len(length) > _LENGTH_DIGITS or int(length) > limit):
            headers.pop("Expect", None)  # otherwise Tornado sends "Continue" after the answer
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(limit))
            return None
        self._begun = True
        return self._handler.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass on a chunk, or discard it."""
        if self._refused:
            self._connections.discard(self._connection)
            return None
        self._size += len(chunk)
        if self._size > self._connections.limits.body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(self._connections.limits.body))
            return None
        return self._handler.data_received(chunk)

    def finish(self) -> None:
        """Complete the request."""
        self._connections.serve(self._connection)
        if self._refused:
            self._end()
        else:
            self._handler.finish()

    def on_connection_close(self) -> None:
        """Handle a closed connection."""
        if self._begun:
            self._begun = False
            self._handler.on_connection_close()

    def late(self) -> None:
        """Refuse a body that has not arrived in time."""
        if self._refused or self._http.stream.writing():
            self._http.stream.close()
            return
        limit = self._connections.limits.body_time
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"request bodies must arrive within {limit:g} s")
        self._end()

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answer now, and discard the rest of the body."""
        self._refused = True
        self.on_connection_close()  # releases what the handler has of the body
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
        """Finish the answer; Tornado then closes the connection if the body is not complete."""
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

    def initialize(  # type: ignore[override] # `install` passes these two, Bokeh the others
        self, *arguments: Any, limits: WebLimits, most: int, most_address: int | None = None, **named: Any
    ) -> None:
        """Start without connections."""
        self.connections = Connections(limits, most, most_address)
        super().initialize(*arguments, **({"max_header_size": limits.header} | named))
        PeriodicCallback(self.connections.tick, 1000 * TICK_S).start()

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Listen on these sockets, and take ownership of them."""
        super().add_sockets([SheddingListener.of(given, self._shed) for given in sockets])

    def _shed(self) -> bool:
        self.connections.bursts.note("connections refused because no file descriptor was left")
        return self.connections.make_room()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Accept a new connection, or refuse it."""
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
        """Handle a connection that was closed, or has become a web socket."""
        super().on_close(server_conn)
        stream = server_conn.stream  # type: ignore[attr-defined]
        known = _known(stream)
        if known is not None and not stream.closed():
            self.connections.settle(known)


def _reset(stream: IOStream) -> None:
    """Close a connection at once, without what the client has not read.

    After an ordinary close the kernel would hold it, up to megabytes, for as long as the client keeps the connection.
    """
    if not stream.closed():
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()


def _known(stream: Any) -> Connection | None:
    connection: Connection | None = getattr(stream, "connection", None)
    return connection


def usable_connections(limits: WebLimits) -> int:
    """Number of connections that may be open, after raising the process's limit on open files if necessary."""
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
    """Apply these rules in this process; behind a proxy all connections come from the proxy's address."""
    most = usable_connections(limits)
    most_address = None if behind_proxy else min(limits.connections_address, max(most // 2, 1))
    HTTPServer.configure(LimitedServer, limits=limits, most=most, most_address=most_address)
