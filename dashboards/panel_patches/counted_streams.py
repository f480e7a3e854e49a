r"""Connections report what they receive and send, and when they are closed.

Tornado creates the stream of a connection itself, of a fixed class, and neither limits nor reports the total size of
incomplete messages over all connections. The smallest program that shows it::

    sockets = [create_connection(server) for _ in range(1000)]
    for one in sockets:
        one.sendall(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + bytes(10_000_000))  # 10 GB in memory

Tornado 6.5 and 6.6.
"""

from __future__ import annotations

from typing import Any

from tornado.iostream import IOStream, SSLIOStream


def counted(stream: IOStream, connections: Any, connection: Any) -> IOStream:
    """Make a new stream report to ``connections`` as ``connection``; return it."""
    changed: Any = stream
    changed.__class__ = CountedTlsStream if isinstance(stream, SSLIOStream) else CountedStream
    changed.connections, changed.connection = connections, connection
    return stream


class _Counted:
    """A stream that reports to `dashboards.server.connections.Connections`.

    These are the methods that Tornado's streams require of subclasses.
    """

    connections: Any
    connection: Any = None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        size: int | None = super().read_from_fd(buf)  # type: ignore[misc]
        if size and self.connection is not None and not self.connections.received(self.connection, size):
            return 0  # as if the client had closed
        return size

    def write_to_fd(self, data: memoryview) -> int:
        size: int = super().write_to_fd(data)  # type: ignore[misc]
        if size and self.connection is not None:
            self.connections.progress(self.connection)
        return size

    def close_fd(self) -> None:
        super().close_fd()  # type: ignore[misc]
        if self.connection is not None:
            self.connections.closed(self.connection)


class CountedStream(_Counted, IOStream):
    """A plain connection."""


class CountedTlsStream(_Counted, SSLIOStream):
    """A connection with TLS."""
