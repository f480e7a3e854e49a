"""A server without free file descriptors closes connections, and logs little.

When `accept` fails because no file can be opened, Tornado logs a traceback and calls it again immediately, since the
connection still waits: that keeps a processor busy and fills the disk with log records. The smallest program that shows
it::

    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    HTTPServer(app).listen(5006)  # then open 30 connections

Tornado 6.5 and 6.6.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from tornado.ioloop import IOLoop

#: Errors of `accept` when no further file can be opened.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: How long the listener pauses if there is nothing to close, s.
PAUSE_S = 1.0


class SheddingListener(socket.socket):
    """A listening socket that sheds connections when no descriptor is left.

    Attributes
    ----------
    shed : callable
        Closes another connection; returns whether there was one.
    spare : int, optional
        A spare descriptor for refusing connections.
    """

    shed: Callable[[], bool]
    spare: int | None = None

    @classmethod
    def of(cls, given: socket.socket, shed: Callable[[], bool]) -> Self:
        """Create a listener that takes over the descriptor of a socket."""
        family, kind, proto = given.family, given.type, given.proto
        listener = cls(family, kind, proto, fileno=given.detach())
        listener.setblocking(False)
        listener.shed, listener.spare = shed, _spare_descriptor()
        return listener

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection.

        Raises
        ------
        BlockingIOError
            If there is none, or no descriptor for it.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
        if not self.shed():
            self._refuse()
        raise BlockingIOError

    def _refuse(self) -> None:
        """Accept the connection with the spare descriptor and close it; without one, pause the listener."""
        if self.spare is None:
            loop = IOLoop.current()
            loop.update_handler(self, 0)  # otherwise it would be called again and again
            loop.call_later(PAUSE_S, self._listen)
            return
        os.close(self.spare)
        with suppress(BlockingIOError):
            super().accept()[0].close()
        self.spare = _spare_descriptor()

    def _listen(self) -> None:
        if self.fileno() >= 0:
            self.spare = _spare_descriptor()
            IOLoop.current().update_handler(self, IOLoop.READ)


def _spare_descriptor() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in EXHAUSTED:
            raise
        return None
