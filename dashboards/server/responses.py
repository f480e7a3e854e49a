"""Shared parts of routes: JSON errors, and threads that query the index."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from urllib.parse import urlsplit

from tornado.web import HTTPError, RequestHandler

from archive import NotInArchive
from dashboards.server.bounded_threads import BoundedThreads, ServerBusy
from dashboards.shared.source import Unavailable
from stixcore.printable import without_folders

#: When a client may retry after a temporary error, s.
RETRY_AFTER_S = "5"
SENTENCES = {
    403: "access to this file is not allowed",
    404: "the image file is missing",
    405: "method not allowed: this address is read-only",
    412: "precondition failed (If-Match, If-Unmodified-Since): the file has changed",
}


def write_json_error(handler: RequestHandler, status: int, sentence: str) -> None:
    """Finish a response with ``{"status": 404, "error": "there is no image '…'"}``."""
    handler.set_header("X-Content-Type-Options", "nosniff")
    if status == 503:
        handler.set_header("Retry-After", RETRY_AFTER_S)
    handler.finish(
        {"status": status, "error": without_folders(sentence) or SENTENCES.get(status, "the request failed")}
    )


def refuse_other_origins(handler: RequestHandler) -> None:
    """Refuse a form sent by another site, or by another host of the same site: such a host can set our cookies.

    Raises
    ------
    HTTPError
        403.
    """
    headers = handler.request.headers
    ours = {handler.request.host, *getattr(handler.application, "websocket_origins", ())}
    origin = headers.get("Origin")
    if headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise HTTPError(403, "a form of another origin")
    if origin is not None:
        parts = urlsplit(origin)
        default_port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
        if not {parts.netloc, parts.netloc + default_port} & ours:
            raise HTTPError(403, "a form of another origin")


def too_many_requests(handler: RequestHandler, wait: float) -> None:
    """Set status 429 and the time [s] after which to retry; the handler writes the message."""
    handler.set_status(429)
    handler.set_header("Retry-After", str(math.ceil(wait)))


async def looked_up[Answer](question: Callable[[], Answer], threads: BoundedThreads | None = None) -> Answer:
    """Result of a function of the archive, called in a thread: a slow one delays no other request.

    Parameters
    ----------
    question : callable
    threads : BoundedThreads, optional
        Used instead of the threads that query the index.

    Raises
    ------
    HTTPError
        404 if it is not in the archive, 503 if the archive cannot be read.
    """
    try:
        return await (in_thread(question) if threads is None else threads.run(question))
    except NotInArchive as error:
        raise HTTPError(404, reason="Not Found", log_message=None) from error
    except (Unavailable, ServerBusy) as error:
        raise HTTPError(503, reason="Service Unavailable") from error


async def in_thread[Answer](question: Callable[[], Answer]) -> Answer:
    """Result of a slow function."""
    return await asyncio.get_running_loop().run_in_executor(_lookups(), question)


@cache
def _lookups() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(4, thread_name_prefix="archive-lookup")
