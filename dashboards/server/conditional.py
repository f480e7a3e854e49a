"""Conditional requests and ranges, as RFC 9110 has them (sections 13 and 14).

A download that is resumed must never join two versions of a file: a range is sent only when `If-Range` holds exactly,
and everything about a file comes from one descriptor.
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

#: An entity tag: whether it is weak, and what is compared.
ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
#: One range of bytes: first and last place, one of which may be left out. Digits that fit into 64 bits.
ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
#: A file that has just been written could be written again within the second that Last-Modified names.
SETTLED = timedelta(seconds=1)


@dataclass(frozen=True)
class Validators:
    """What tells one version of something from another.

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
    """Whether a request is carried out, by the order of section 13.2.2.

    Parameters
    ----------
    method : str
    headers : HTTPHeaders
        Of the request.
    current : Validators
        Of what exists now.

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
    """The range that is sent, as Tornado reads it; None for the whole, which every range may be answered with.

    That is: for another method than GET, several ranges, what is no range, and an `If-Range` that does not hold.

    Parameters
    ----------
    method : str
    headers : HTTPHeaders
        Of the request.
    current : Validators
        Of what exists now.
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
    """Whether a list of entity tags names the current one; ``*`` names whatever exists."""
    if field.strip() == "*":
        return True
    return etag is not None and any(tag == etag and (weak or not w) for w, tag in ENTITY_TAG.findall(field))


def _date(field: str | None) -> datetime | None:
    """A date of HTTP; None for what is none, which is ignored."""
    try:
        date = parsedate_to_datetime(field or "")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (OverflowError, TypeError, ValueError):  # also a year or an offset beyond those of a datetime
        return None


def file_etag(status: os.stat_result) -> str:
    """Entity tag of a file: it changes whenever the file is written, even if its size and date are set back."""
    version = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return f'"{hashlib.sha256(version.encode()).hexdigest()[:24]}"'


def content_etag(content: bytes) -> str:
    """Entity tag of something that is made for each request."""
    return f'"{hashlib.sha256(content).hexdigest()[:24]}"'


def check_conditions(handler: RequestHandler, current: Validators | None = None) -> bool:
    """Whether a handler shall send what it has; if not, it has been answered with 304.

    Parameters
    ----------
    handler : RequestHandler
        With all headers of its answer set.
    current : Validators, optional
        None where nothing tells versions apart.

    Raises
    ------
    HTTPError
        412, when a condition does not hold.
    """
    status = precondition(handler.request.method or "", handler.request.headers, current or Validators())
    if status is HTTPStatus.PRECONDITION_FAILED:
        raise HTTPError(status, log_message=None)
    if status is HTTPStatus.NOT_MODIFIED:
        handler.set_status(status)
    return status is HTTPStatus.OK


def send_content(handler: RequestHandler, content: str | bytes) -> None:
    """End an answer with content that is in memory, or with 304, or with the headers alone.

    Raises
    ------
    HTTPError
        412, when a condition does not hold.
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
    """Whether a handler of files answers 304; else its request holds the range that is sent, or none.

    Replaces Tornado's `should_return_304` (`dashboards.panel_patches.static_files`).

    Raises
    ------
    HTTPError
        412, when a condition does not hold.
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
