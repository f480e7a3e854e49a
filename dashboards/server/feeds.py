"""Atom feeds: ``/feed.xml`` of flares, ``/feed/failures.xml`` of what failed.

Parameters of the feed of flares: ``goes_min`` (a GOES class such as M1, measured or else estimated), ``trusted=yes``
(position), ``simulated=no``. Everybody sees the same feed, signed in or not.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from tornado.web import HTTPError, RequestHandler

from archive import Archive, FlareFilter
from archive.about import About
from archive.errors import BadSettings
from dashboards.server.atom import MEDIA_TYPE, Entry, atom_document
from dashboards.server.bounded_threads import journal_threads
from dashboards.server.conditional import SETTLED, Validators, check_conditions, content_etag
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.shared.clock import now
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.navigation import SITE
from dashboards.shared.source import Unavailable, archive_source
from jobs.notices.subjects import Subject, failure_subjects, flare_subjects
from stixcore.errors import StixError
from stixcore.flares.goes import flux_of_class

log = logging.getLogger(__name__)

#: Entries of a feed.
MOST = 50
#: The feed of failures has those of this time, at most.
FAILURES_SINCE = np.timedelta64(30, "D")
FLARES, FAILURES = "feed.xml", "feed/failures.xml"
_TRUTHS = {"yes": True, "no": False}


def flare_filter(arguments: dict[str, str]) -> FlareFilter:
    """Filter of the feed of flares.

    Raises
    ------
    NotUnderstood
        If a parameter is unknown or has an invalid value.
    """
    unknown = sorted(arguments.keys() - {"goes_min", "trusted", "simulated"})
    if unknown:
        message = "expected parameters: goes_min=M1 (a GOES class), trusted=yes, simulated=yes|no"
        raise NotUnderstood(message)
    flux = None
    if "goes_min" in arguments:
        try:
            flux = flux_of_class(arguments["goes_min"])
        except StixError:
            flux = None
        if flux is None:
            message = "goes_min: expected a GOES class, a letter and a number such as M1 or C3.4"
            raise NotUnderstood(message)
    trusted, simulated = (arguments.get(name) for name in ("trusted", "simulated"))
    if trusted not in (None, "yes") or simulated not in (None, *_TRUTHS):
        message = "expected trusted=yes, simulated=yes or simulated=no"
        raise NotUnderstood(message)
    return FlareFilter(
        class_min=flux,
        verdict=None if trusted is None else "trusted",
        simulated=None if simulated is None else _TRUTHS[simulated],
    )


def _filter_of(name: str, arguments: dict[str, str]) -> FlareFilter | None:
    if name == FLARES:
        return flare_filter(arguments)
    no_filter(arguments)
    return None


def no_filter(arguments: dict[str, str]) -> None:
    """Check the parameters of the feed of failures, which has none.

    Raises
    ------
    NotUnderstood
        If there are any.
    """
    if arguments:
        message = "this feed has no parameters"
        raise NotUnderstood(message)


def public_base(root: Path, request_url: str, name: str) -> str:
    """Address of this server without a trailing slash: the configured one, else that of the request.

    Behind a proxy that removes a path prefix, only the configured address is right.

    Raises
    ------
    Unavailable
        If the configuration cannot be read: with another host, all ids would change.
    """
    try:
        configured = About.of(root).url
    except BadSettings as error:
        log.warning("%s", error)
        message = "The configuration of the archive cannot be read. Please tell the operator."
        raise Unavailable(message) from error
    return configured or request_url.partition("?")[0].removesuffix(f"/{name}")


def query_of(url: str) -> str:
    """``?goes_min=M1`` of a URL, or nothing."""
    query = urlsplit(url).query
    return f"?{query}" if query else ""


def flare_feed(archive: Archive, which: FlareFilter, base: str, own_url: str, host: str) -> bytes:
    """Feed of the flares that were added or changed last."""
    flares = archive.flare_page(which, sort=("-updated_at", "-t_peak"), limit=MOST)
    return atom_document(
        [_entry(one, base) for one in flare_subjects(archive, flares)],
        host=host,
        key=FLARES,
        title=f"Flares · {SITE}",
        subtitle="New and changed flares seen by Solar Orbiter/STIX",
        author=SITE,
        own_url=own_url,
        page=f"{base}/flares",
    )


def failure_feed(archive: Archive, time: np.datetime64, base: str, own_url: str, host: str) -> bytes:
    """Feed of the latest failures."""
    return atom_document(
        [_entry(one, base) for one in failure_subjects(archive, time - FAILURES_SINCE, MOST)],
        host=host,
        key=FAILURES,
        title=f"Failures · {SITE}",
        subtitle="Files that were refused; image sets and requests that failed",
        author=SITE,
        own_url=own_url,
        page=f"{base}/operations",
    )


def _entry(subject: Subject, base: str) -> Entry:
    return Entry(
        key=subject.key,
        title=subject.title,
        summary=subject.text,
        page=f"{base}/{subject.page}",
        updated=subject.changed_at,
        pictures=[(f"{base}/archive/thumbnail/{name}", f"Image {name}") for name in subject.images],
        categories=("simulated",) if subject.simulated else (),
    )


def last_written(root: Path, patterns: tuple[str, ...]) -> datetime | None:
    """When a file of the archive was last written, in whole seconds; None if that may not be over.

    Rows carry the time when their command began, which may be earlier than what a reader has already seen.
    """
    times = []
    for pattern in patterns:
        for path in root.glob(pattern):
            try:
                times.append(path.stat().st_mtime)
            except FileNotFoundError:  # replaced meanwhile
                return None
    if not times:
        return None
    latest = datetime.fromtimestamp(int(max(times)), UTC)
    return latest if datetime.now(UTC) - latest > 2 * SETTLED else None


class FeedHandler(RequestHandler):
    """Sends a feed."""

    def check_xsrf_cookie(self) -> None:
        """Skip the check: this handler changes nothing, and a POST is answered with 405."""

    async def get(self, name: str) -> None:
        """Write and send the feed."""
        arguments = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        request_url = self.request.full_url()
        try:
            which = _filter_of(name, arguments)
        except NotUnderstood as error:
            raise HTTPError(400) from error

        def write(archive: Archive) -> tuple[bytes, datetime | None]:
            base = public_base(archive.root, request_url, name)
            own_url, host = f"{base}/{name}{query_of(request_url)}", urlsplit(base).netloc
            if which is not None:
                # before the rows are read: a change in between must look new next time
                written = last_written(archive.root, _FLARE_FILES)
                return flare_feed(archive, which, base, own_url, host), written
            # what is over a month old leaves the feed without any file being written
            return failure_feed(archive, now(), base, own_url, host), None

        threads = None if which is not None else journal_threads()
        try:
            content, written = await look_up_file(self, lambda: archive_source().ask(write), threads)
        except Busy as busy:
            refuse_json(self, busy)
            return
        self._send(content, written)

    def _send(self, content: bytes, written: datetime | None) -> None:
        current = Validators(content_etag(content), written)
        self.set_header("Content-Type", f"{MEDIA_TYPE}; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Etag", current.etag or "")
        if written is not None:
            self.set_header("Last-Modified", written)
        if not check_conditions(self, current):
            self.finish()
            return
        self.set_header("Content-Length", len(content))
        self.finish(content if self.request.method != "HEAD" else None)

    async def head(self, name: str) -> None:
        """Send the headers."""
        await self.get(name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


#: Files that the feed of flares is made of, and their folders: a file may be removed.
_FLARE_FILES = ("index/flares", "index/flares/*.parquet", "index/images", "index/images/*.parquet")
FEED_ROUTES = [(r"/(feed\.xml|feed/failures\.xml)", FeedHandler)]
