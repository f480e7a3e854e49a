"""Web socket messages that fail leave only short log records.

Bokeh writes the whole content of a message that it cannot handle into the log, with a traceback, for every such
message. The smallest program that shows it::

    while True:
        socket.send(header); socket.send("{}"); socket.send('{"x": "' + 1_000_000 * "x" + '"}')

Bokeh 3.10.
"""

from __future__ import annotations

import logging
import reprlib
import time
from collections.abc import Callable

from bokeh.core.serialization import DeserializationError

#: Loggers that report failed messages with their content.
LOGGERS = ("bokeh.server.protocol_handler", "bokeh.server.views.ws")
#: Tracebacks per burst; further ones say nothing new.
TRACEBACKS = 5


def shorten_message_errors(period: float) -> None:
    """Shorten the log records of this process about failed messages; ``period`` is the length of a burst [s]."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(ShortMessageErrors(period))


class ShortMessageErrors(logging.Filter):
    """Removes the content of messages from the log, and limits the records of a burst.

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
        """Shorten a record; return whether it is written."""
        if record.levelno < logging.ERROR:
            return True
        if isinstance(record.args, tuple):
            record.args = tuple(_Shown(self._short.repr(argument)) for argument in record.args)
        if record.exc_info and isinstance(record.exc_info[1], DeserializationError):
            record.exc_info = record.exc_text = None  # the message is at fault, not the server
        now = self._clock()
        left_out = self._count - TRACEBACKS
        if now - self._begun > self._period:
            self._begun, self._count = now, 0
            if left_out > 0:
                record.msg = f"({left_out} more errors like the last ones) {record.msg}"
        self._count += 1
        return self._count <= TRACEBACKS


class _Shown(str):
    """A string whose `repr` is the string itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
