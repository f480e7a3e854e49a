"""Conditional requests and ranges, as in RFC 9110 (sections 13 and 14).

A resumed download must never join two versions of a file: a range is sent only if `If-Range` matches exactly, and all
validators of a file come from one file descriptor.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

#: An entity tag: whether it is weak, and its opaque part.
ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
#: One byte range: first and last position, one of which may be left out. Digits that fit into 64 bits.
ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
#: A file could be written again within the second that Last-Modified names.
SETTLED = timedelta(seconds=1)


@dataclass(frozen=True)
class Validators:
    """Validators of one version of a resource.

    Attributes
    ----------
    etag : str, optional
        Strong, with its quotation marks.
    modified : datetime, optional
        In whole seconds, UTC.
    """

    etag: str | None = None
    modified: datetime | None = None


def precondition(method: str, headers: HTTPHeaders, current: Validators) -> HTTPStatus:
    """Evaluate the preconditions of a request, in the order of section 13.2.2.

    Parameters
    ----------
    method : str
    headers : HTTPHeaders
        Headers of the request.
    current : Validators
        Validators of the current version.

    Returns
    -------
    HTTPStatus
        OK, NOT_MODIFIED or PRECONDITION_FAILED.
    """
    reads = method in {"GET", "HEAD"}
    if "If-Match" in headers:
        if not _matches(headers["If-Match"], current.etag, weak=False):
            return HTTPStatus.PRECONDITION_FAILED
    elif (before := _date(headers.get("If-Unmodified-Since"))) and current.modified and current.modified > before:
        return HTTPStatus.PRECONDITION_FAILED
    if "If-None-Match" in headers:
        if _matches(headers["If-None-Match"], current.etag, weak=True):
            return HTTPStatus.NOT_MODIFIED if reads else HTTPStatus.PRECONDITION_FAILED
    elif reads and (since := _date(headers.get("If-Modified-Since"))) and current.modified:
        return HTTPStatus.NOT_MODIFIED if current.modified <= since else HTTPStatus.OK
    return HTTPStatus.OK


def wanted_range(method: str, headers: HTTPHeaders, current: Validators, now: datetime) -> str | None:
    """The range to send, in Tornado's form; None for the whole content, which is a valid answer to any range.

    The whole content is sent for methods other than GET, several or invalid ranges, and if `If-Range` does not match.

    Parameters
    ----------
    method : str
    headers : HTTPHeaders
        Headers of the request.
    current : Validators
        Validators of the current version.
    now : datetime, UTC
    """
    found = ONE_RANGE.fullmatch(headers.get("Range", ""))
    if method != "GET" or found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if first and last and int(first) > int(last):
        return None
    if "If-Range" in headers:
        value, date = headers["If-Range"].strip(), _date(headers["If-Range"])
        settled = current.modified is not None and now - current.modified > SETTLED
        if value != current.etag and not (settled and date == current.modified):
            return None
    return f"bytes={first}-{last}"


def _matches(field: str, etag: str | None, *, weak: bool) -> bool:
    """Whether a list of entity tags contains the current one; ``*`` matches any version."""
    if field.strip() == "*":
        return True
    return etag is not None and any(tag == etag and (weak or not w) for w, tag in ENTITY_TAG.findall(field))


def _date(field: str | None) -> datetime | None:
    """An HTTP date; None if it is invalid, and then ignored."""
    try:
        date = parsedate_to_datetime(field or "")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (OverflowError, TypeError, ValueError):  # includes years and offsets beyond those of a datetime
        return None


def file_etag(status: os.stat_result) -> str:
    """Entity tag of a file: it changes whenever the file is written, even if its size and date stay the same."""
    version = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return f'"{hashlib.sha256(version.encode()).hexdigest()[:24]}"'


def content_etag(content: bytes) -> str:
    """Entity tag of content that is generated for each request."""
    return f'"{hashlib.sha256(content).hexdigest()[:24]}"'


def check_conditions(handler: RequestHandler, current: Validators | None = None) -> bool:
    """Whether a handler should send its content; if not, it has been answered with 304.

    Parameters
    ----------
    handler : RequestHandler
        All headers of its answer are set.
    current : Validators, optional
        None if there are no validators.

    Raises
    ------
    HTTPError
        412 if a precondition fails.
    """
    status = precondition(handler.request.method or "", handler.request.headers, current or Validators())
    if status is HTTPStatus.PRECONDITION_FAILED:
        raise HTTPError(status, log_message=None)
    if status is HTTPStatus.NOT_MODIFIED:
        handler.set_status(status)
    return status is HTTPStatus.OK


def send_content(handler: RequestHandler, content: str | bytes) -> None:
    """Finish a response with content that is in memory, with 304, or with the headers alone.

    Raises
    ------
    HTTPError
        412 if a precondition fails.
    """
    content = content.encode() if isinstance(content, str) else content
    etag = content_etag(content)
    handler.set_header("Etag", etag)
    if check_conditions(handler, Validators(etag)):
        handler.set_header("Content-Length", len(content))
        handler.finish(content if handler.request.method != "HEAD" else None)
    else:
        handler.finish()


def choose_version(handler: StaticFileHandler) -> bool:
    """Whether a file handler answers 304; otherwise its request contains the range to send, or none.

    Replaces Tornado's `should_return_304` (`dashboards.panel_patches.static_files`).

    Raises
    ------
    HTTPError
        412 if a precondition fails.
    """
    current = Validators(handler.compute_etag(), handler.modified)
    if not check_conditions(handler, current):
        return True
    headers = handler.request.headers
    chosen = wanted_range(handler.request.method or "", headers, current, datetime.now(UTC))
    headers.pop("Range", None)
    if chosen is not None:
        headers["Range"] = chosen
    return False
