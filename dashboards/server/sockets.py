"""Messages of web sockets: how large they may be in memory, and what the log says of those that fail.

A message of Bokeh has several parts, each a message of the web socket, and Bokeh bounds neither their number nor what
they are unpacked to. It also writes the whole content of a message that fails into the log.
"""

from __future__ import annotations

import base64
import logging
import reprlib
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bokeh.core.serialization import DeserializationError, Deserializer

from dashboards.shared.limits import WebLimits

if TYPE_CHECKING:
    from dashboards.server.connections import Connections

#: Loggers that report messages of web sockets which fail, with their content.
LOGGERS = ("bokeh.server.protocol_handler", "bokeh.server.views.ws")
#: Faults with their traceback in one burst; more of them say nothing new.
TRACEBACKS = 5


class SocketMessages:
    """What Bokeh's handlers of web sockets lack: a bound for a message of several parts, and their bookkeeping."""

    _size, _refused = 0, False

    @property
    def max_message_size(self) -> int:
        """Largest part of a message, byte."""
        connections: Connections = self._stream.connections
        return connections.limits.message

    @property
    def _stream(self) -> Any:
        handler: Any = self
        return handler.request.connection.stream if handler.ws_connection is None else handler.ws_connection.stream

    async def _receive(self, fragment: str | bytes) -> Any:
        """Take a part; returns the message that it completes, or None."""
        handler: Any = self
        if self._refused:
            return None
        self._size += len(fragment)
        if self._size > self.max_message_size:
            self._refused = True
            handler.close(1009, f"a message may be {self.max_message_size} bytes long")
            return None
        message = await super()._receive(fragment)  # type: ignore[misc]
        if message is not None:
            self._size = 0
            self._settle()
        return message

    def on_ping(self, data: bytes) -> None:
        """The other end asks whether this one is there."""
        super().on_ping(data)  # type: ignore[misc]
        self._settle()

    def on_pong(self, data: bytes) -> None:
        """The other end is there."""
        super().on_pong(data)  # type: ignore[misc]
        self._settle()

    def _settle(self) -> None:
        """Note that nothing incomplete is there, unless it is."""
        handler: Any = self
        protocol = handler.ws_connection
        fragments = None if protocol is None else protocol._fragmented_message_buffer  # noqa: SLF001 - nothing else says
        if not self._size and fragments is None and self._stream.connection is not None:
            self._stream.connections.settle(self._stream.connection)


def unpacked(content: bytes, most: int) -> bytes:
    """Content of a gzip stream.

    Parameters
    ----------
    content : bytes
    most : int, byte
        Largest result.

    Raises
    ------
    DeserializationError
        When the result is larger, or ``content`` is damaged.
    """
    try:
        unpacking = zlib.decompressobj(wbits=31)
        result = unpacking.decompress(content, most)
    except zlib.error as error:
        message = f"packed data is damaged: {error}"
        raise DeserializationError(message) from error
    if unpacking.unconsumed_tail or not unpacking.eof:
        message = f"packed data is damaged, or larger than {most} bytes"
        raise DeserializationError(message)
    return result


class ShortFaults(logging.Filter):
    """Cuts the content of messages out of the log, and counts faults that come in bursts.

    Parameters
    ----------
    period : float, s
        Length of a burst.
    clock : callable
        Time, s.
    """

    def __init__(self, period: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._period, self._clock = period, clock
        self._begun, self._count = float("-inf"), 0
        self._short = reprlib.Repr(maxstring=200, maxother=200)

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a record; says whether it is written."""
        if record.levelno < logging.ERROR:
            return True
        if isinstance(record.args, tuple):
            record.args = tuple(_Shown(self._short.repr(argument)) for argument in record.args)
        if record.exc_info and isinstance(record.exc_info[1], DeserializationError):
            record.exc_info = record.exc_text = None  # what came makes no sense, and the server has no fault
        now = self._clock()
        left_out = self._count - TRACEBACKS
        if now - self._begun > self._period:
            self._begun, self._count = now, 0
            if left_out > 0:
                record.msg = f"({left_out} more faults like the last ones) {record.msg}"
        self._count += 1
        return self._count <= TRACEBACKS


class _Shown(str):
    """A text that is its own `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def install(limits: WebLimits) -> None:
    """Let this process unpack messages, and log those that fail, under these rules."""
    decode: Any = Deserializer._decode_bytes  # noqa: SLF001 - Bokeh offers no bound

    def decode_bytes(self: Deserializer, value: Any) -> Any:
        packed = value.get("data")
        return unpacked(base64.b64decode(packed), limits.message) if isinstance(packed, str) else decode(self, value)

    Deserializer._decode_bytes = decode_bytes  # type: ignore[method-assign, assignment] # noqa: SLF001
    for name in LOGGERS:
        logging.getLogger(name).addFilter(ShortFaults(limits.burst))
