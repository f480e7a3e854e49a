"""Downloads that are generated while they are sent: each chunk in turn, in separate threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from dashboards.server.bounded_threads import BoundedThreads
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import answer_in_turn, fair_use
from stixcore.errors import StixError

log = logging.getLogger(__name__)

#: Size of one write to a connection, byte.
_PART = 1 << 20


async def make_piece[Answer](handler: RequestHandler, question: Callable[[], Answer]) -> Answer:
    """Generate a chunk of a download when it is the client's turn.

    Raises
    ------
    Busy
    HTTPError
        As in `dashboards.server.responses.looked_up`.
    """
    return await answer_in_turn(handler, fair_use().pieces, question, _download_threads())


async def send_pieces(handler: RequestHandler, first: bytes | None, pieces: Iterator[bytes], what: str) -> None:
    """Send a download whose headers are set, as fast as the client reads it.

    Parameters
    ----------
    handler : RequestHandler
    first : bytes, optional
        The first chunk.
    pieces : iterator of bytes
        The other chunks.
    what : str
        For the log, as in "{what} was not sent to its end".

    Raises
    ------
    StreamClosedError
        If the client has disconnected or does not read (`WebLimits.send_time`), or a chunk could not be generated. The
        connection is then closed, so that the file is not mistaken for a complete one.
    """
    piece = first
    while piece is not None:
        for begin in range(0, len(piece), _PART):
            handler.write(piece[begin : begin + _PART])
            await handler.flush()
        try:
            piece = await make_piece(handler, lambda: next(pieces, None))
        except (Busy, HTTPError, StixError, OSError) as error:
            log.warning("%s was not sent to its end: %s", what, error)
            handler.detach().close()
            raise StreamClosedError from None


@cache
def _download_threads() -> BoundedThreads:
    """Separate threads, so that a large download delays no lookup."""
    limits = fair_use().limits
    return BoundedThreads("download", limits.pieces.places, limits.waiting)
