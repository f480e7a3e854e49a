"""The total size of a web socket message is limited, not only the size of its parts.

Bokeh sends one message in several parts, each a web socket message of its own, and `WSHandler` limits neither their
number nor their total size. The smallest program that shows it::

    socket.send('{"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 1000000}')
    while True:
        socket.send(header); socket.send(bytes(20_000_000))

Bokeh 3.10.
"""

from __future__ import annotations

from typing import Any


class SocketMessages:
    """Base class in front of Bokeh's `WSHandler`.

    The stream of the connection has ``connections`` (`dashboards.server.connections.Connections`).
    """

    _size, _refused = 0, False

    @property
    def max_message_size(self) -> int:
        """Largest part of a message, byte."""
        limit: int = self._stream.connections.limits.message
        return limit

    @property
    def _stream(self) -> Any:
        handler: Any = self
        return handler.request.connection.stream if handler.ws_connection is None else handler.ws_connection.stream

    async def _receive(self, fragment: str | bytes) -> Any:
        """Process a part; return the message that it completes, or None."""
        handler: Any = self
        if self._refused:
            return None
        self._size += len(fragment)
        if self._size > self.max_message_size:
            self._refused = True
            handler.close(1009, f"a message is limited to {self.max_message_size} bytes")
            return None
        message = await super()._receive(fragment)  # type: ignore[misc]
        if message is not None:
            self._size = 0
            self._settle()
        return message

    def on_ping(self, data: bytes) -> None:
        """Answer a ping."""
        super().on_ping(data)  # type: ignore[misc]
        self._settle()

    def on_pong(self, data: bytes) -> None:
        """Handle a pong."""
        super().on_pong(data)  # type: ignore[misc]
        self._settle()

    def _settle(self) -> None:
        """Report that no incomplete message is left, if that is the case."""
        handler: Any = self
        protocol = handler.ws_connection
        fragments = None if protocol is None else protocol._fragmented_message_buffer
        if not self._size and fragments is None and self._stream.connection is not None:
            self._stream.connections.settle(self._stream.connection)
