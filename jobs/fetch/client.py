"""New files from the STIX data archive or from SOAR, which this module downloads and ingests.

In the STIX data archive stixpy's Fido client finds them, which knows its layout and the names of products; in SOAR
`jobs.fetch.soar` does. The client's downloader (parfive) is not used: it opens
many connections at once, does not resume an interrupted transfer, and writes under final names.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import numpy as np

from archive import Archive, InvalidName, Outcome, parse_file_name, version_rank
from archive.index.schema import select_files
from archive.ingest.ingest import ingest
from archive.ingest.quarantine import NOTE
from archive.layout import FileName
from jobs.fetch.companions import (
    BACKGROUND_BYTES,
    CANDIDATES,
    REACHES,
    has_background,
    middle_of,
    missing_days,
    possible_backgrounds,
    without_background,
)
from jobs.fetch.download import download
from jobs.fetch.transport import BadStatus, Headers, RemoteFault, Transport, last_modified, require_http
from jobs.shared.lock import single_instance
from jobs.shared.logs import fields

log = logging.getLogger(__name__)

#: What is searched for: level, kind of data, products, as the client names them.
WANTED = (
    ("L1", "SCI", ("sci_xray_cpd", "sci_xray_rpd", "sci_xray_scpd", "sci_xray_vis", "sci_xray_spec")),
    ("L1", "QL", ("ql_lightcurve", "ql_background", "ql_variance", "ql_spectra", "ql_flareflag")),
    ("ANC", "ASP", ("asp_ephemeris",)),
)
SCIENCE, COMPANIONS = WANTED[:1], WANTED[1:]
#: After this many failures in a row the server counts as unreachable.
GIVE_UP_AFTER = 5
#: Status codes of a server that answers only whole requests.
_NO_HEAD = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_INGEST_WAIT_S = 3600.0


class FetchStatus(StrEnum):
    """Result for one file on the server."""

    FETCHED = "fetched"
    KNOWN = "known"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class RemoteFile:
    """A file on the server.

    Attributes
    ----------
    name : FileName
    url : str
    size : int, optional
        byte, where the server's list has it.
    """

    name: FileName
    url: str
    size: int | None = None


class Finder(Protocol):
    """Finds the wanted files of a time range on a server; as `search`."""

    def __call__(
        self,
        start: np.datetime64,
        end: np.datetime64,
        base_url: str,
        transport: Transport,
        wanted: Sequence[tuple[str, str, tuple[str, ...]]] = ...,
    ) -> list[RemoteFile]:
        """See `search`."""


@dataclass(frozen=True)
class Fetched:
    """Result for one file.

    Attributes
    ----------
    name, url : str
    status : FetchStatus
    reason : str
        Why it was not fetched.
    size : int
        byte; 0 if it was not fetched.
    """

    name: str
    url: str
    status: FetchStatus
    reason: str = ""
    size: int = 0


@dataclass(frozen=True)
class FetchReport:
    """Every file that was found, and the outcomes of ingesting the fetched ones."""

    files: tuple[Fetched, ...]
    ingested: tuple[Outcome, ...]

    def having(self, status: FetchStatus) -> tuple[Fetched, ...]:
        """Files with one status."""
        return tuple(file for file in self.files if file.status is status)


def fetch(
    archive: Archive,
    start: np.datetime64,
    end: np.datetime64,
    now: np.datetime64,
    *,
    base_url: str = "",
    find: Finder | None = None,
    transport: Transport | None = None,
    progress: Callable[[int, int, Fetched], None] | None = None,
) -> FetchReport:
    """Fetch and ingest the files of a time range that the archive lacks, with their companions.

    Companions are the aspect and light-curve files of every day that a science file touches, and a background if the
    archive has none that fits.

    After an interruption at any moment, the same call resumes.

    Parameters
    ----------
    archive : Archive
    start, end : datetime64
        UTC at Solar Orbiter; every file that overlaps counts.
    now : datetime64
        Current time, UTC.
    base_url : str
        Address of the server, as ``find`` expects it; for `search`, the folder that holds L1 and ANC,
        ``http://host/data/fits``. By default that of the source itself.
    find : function, optional
        Source of the files: `search` (default), for the STIX data archive, or `jobs.fetch.soar.search`.
    transport : Transport, optional
        Pauses, retries and limits.
    progress : function, optional
        Called with number (from 1), total, and result of each file.

    Raises
    ------
    RemoteFault
        When the server cannot be searched.
    AlreadyRunning
        When another fetch is running on this archive.
    OSError
        When the disk is full, or the archive is read-only.
    """
    transport, find = transport or Transport(), find or search
    with single_instance(archive.root, "fetch"):
        found = find(start, end, base_url, transport)
        for span in missing_days([file.name for file in found], (start, end)):
            found += find(*span, base_url, transport, COMPANIONS)
        offered = newest(found)
        (archive.root / "incoming").mkdir(exist_ok=True)
        files = _fetch_all(archive, offered, transport, progress)
        outcomes = _ingest_downloads(archive, now)
        for candidate in _backgrounds(archive, files, partial(find, base_url=base_url, transport=transport), transport):
            files += _fetch_all(archive, [candidate], transport, progress)
            outcomes += _ingest_downloads(archive, now)
    return FetchReport(tuple(files), tuple(outcomes))


def _fetch_all(
    archive: Archive,
    offered: Sequence[RemoteFile],
    transport: Transport,
    progress: Callable[[int, int, Fetched], None] | None,
) -> list[Fetched]:
    files: list[Fetched] = []
    failed_in_row = 0
    for file in offered:
        if failed_in_row >= GIVE_UP_AFTER:
            done = Fetched(file.name.name, file.url, FetchStatus.FAILED, "not tried: the server does not answer")
        else:
            done = _fetch_one(archive, file, transport)
            failed_in_row = failed_in_row + 1 if done.status is FetchStatus.FAILED else 0
        files.append(done)
        log.log(
            logging.WARNING if done.status is FetchStatus.FAILED else logging.INFO,
            "%s: %s",
            done.name,
            f"{done.status} {done.reason}".rstrip(),
            extra=fields(file=done.name, status=str(done.status), size=done.size),
        )
        if progress is not None:
            progress(len(files), len(offered), done)
    return files


def _ingest_downloads(archive: Archive, now: np.datetime64) -> list[Outcome]:
    with single_instance(archive.root, "ingest", wait_s=_INGEST_WAIT_S):
        return list(ingest(archive, [], now, incoming=archive.root / "incoming"))


def _backgrounds(
    archive: Archive, files: Sequence[Fetched], find: Callable[..., list[RemoteFile]], transport: Transport
) -> Iterator[RemoteFile]:
    """Candidate backgrounds for the fetched science files without one, until each has one or none is left.

    Only ingest can say whether a file is a background, so each candidate is ingested before the next.
    """
    tried = {file.name for file in files}
    came = [file.name for file in files if file.status is FetchStatus.FETCHED]
    for science in without_background(archive, came):
        middle, left = middle_of(science), CANDIDATES
        for reach in REACHES:
            if has_background(archive, science) or not left:
                break
            near = newest(find(middle - reach, middle + reach, wanted=SCIENCE))
            for number in possible_backgrounds([file.name for file in near], middle):
                if near[number].name.name in tried:
                    continue
                if not left or has_background(archive, science):
                    break
                tried.add(near[number].name.name)
                if _may_be_background(near[number], transport):
                    left -= 1
                    yield near[number]
        if not has_background(archive, science):
            log.info("%s: no background within %s on the server", science.name, REACHES[-1])


def _may_be_background(file: RemoteFile, transport: Transport) -> bool:
    """Whether the file on the server is small enough to have a single time bin."""
    try:
        size = str(file.size) if file.size is not None else transport.headers(file.url).get("Content-Length", "")
    except RemoteFault as error:
        log.warning("%s: %s", file.name.name, error)
        return False
    return size.isdigit() and int(size) <= BACKGROUND_BYTES


# Finding files -------------------------------------------------------------------------------------------------------


def search(
    start: np.datetime64,
    end: np.datetime64,
    base_url: str,
    transport: Transport,
    wanted: Sequence[tuple[str, str, tuple[str, ...]]] = WANTED,
) -> list[RemoteFile]:
    """Search for the wanted files with stixpy's client, whose requests go through ``transport``.

    Raises
    ------
    RemoteFault
        When the server, or the client, fails.
    """
    from stixpy.net.attrs import DataType
    from stixpy.net.client import STIXClient
    from sunpy.net import attrs

    base_url = (base_url or STIXClient.baseurl).rstrip("/")
    require_http(base_url)
    found: dict[str, RemoteFile] = {}
    span = attrs.Time(str(start.astype("datetime64[ms]")), str(end.astype("datetime64[ms]")))
    for level, kind, products in wanted:
        try:
            with transport.behind_urlopen():
                answer = STIXClient(source=base_url).search(
                    span, attrs.Instrument("STIX"), attrs.Level(level), DataType(kind)
                )
            urls = [str(row["url"]) for row in answer]
        except OSError as error:
            message = f"{base_url} cannot be searched for {level} {kind}: {getattr(error, 'reason', error)}"
            raise RemoteFault(message) from error
        except (TypeError, AttributeError, LookupError, ValueError) as error:
            message = f"the installed stixpy cannot search {base_url} for {level} {kind}: {error}"
            raise RemoteFault(message) from error
        for file in _known_products(urls):
            if file.name.product.replace("-", "_") in products:
                found[file.name.name] = file
    return [found[name] for name in sorted(found)]


def _known_products(urls: Iterable[str]) -> Iterator[RemoteFile]:
    """Files whose name belongs to a product that the archive keeps."""
    for url in urls:
        try:
            name = parse_file_name(unquote(urlsplit(url).path).rpartition("/")[2])
        except InvalidName:
            continue
        if name.kind is not None:
            yield RemoteFile(name, url)


def newest(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The newest version of each observation, in order of time, science files after the others."""
    best: dict[tuple[str, str, np.datetime64], RemoteFile] = {}
    for file in files:
        key = (file.name.product, file.name.uid, file.name.start)
        if key not in best or _rank(file) > _rank(best[key]):
            best[key] = file
    # science files last: their previews need the pointing
    return sorted(best.values(), key=lambda file: (bool(file.name.uid), file.name.start, file.name.name))


def _rank(file: RemoteFile) -> tuple[int, bool, int]:
    return version_rank(file.name.level, file.name.version)


# Fetching files ------------------------------------------------------------------------------------------------------


def _fetch_one(archive: Archive, file: RemoteFile, transport: Transport) -> Fetched:
    name = file.name.name
    try:
        reason = _reason_to_skip(archive, file, transport)
        if reason is not None:
            return reason
        size = download(file.url, archive.root / "incoming" / name, transport)
    except RemoteFault as error:
        return Fetched(name, file.url, FetchStatus.FAILED, str(error))
    return Fetched(name, file.url, FetchStatus.FETCHED, size=size)


def _reason_to_skip(archive: Archive, file: RemoteFile, transport: Transport) -> Fetched | None:
    """The result for a file that need not be fetched, else None; one that may change is compared with the server's."""
    name = file.name.name
    rows = archive.rows(select_files("size, ingested_at", " WHERE name = $1"), [name])
    if rows and not file.name.version.endswith("U"):
        return Fetched(name, file.url, FetchStatus.KNOWN)
    if (archive.root / "incoming" / name).is_file():
        return Fetched(name, file.url, FetchStatus.KNOWN, "waits in incoming")
    if rows:
        came = np.datetime64(rows[0]["ingested_at"], "us").astype(np.int64) / 1e6
        if not _changed(_headers_of(file, transport), rows[0]["size"], came):
            return Fetched(name, file.url, FetchStatus.KNOWN, "not changed")
        return None
    for note in (archive.root / "quarantine").glob(f"*/*{name}{NOTE}"):
        refused = note.with_name(note.name.removesuffix(NOTE))
        if refused.is_file() and not _changed(
            _headers_of(file, transport), refused.stat().st_size, refused.stat().st_mtime
        ):
            return Fetched(name, file.url, FetchStatus.REFUSED, f"refused before: {_reason_of(note)}")
    return None


def _headers_of(file: RemoteFile, transport: Transport) -> Headers:
    """Headers of a file; of a server that refuses to send them alone, the size in its list."""
    try:
        return transport.headers(file.url)
    except BadStatus as error:
        if file.size is None or error.status not in _NO_HEAD:
            raise
        return {"Content-Length": str(file.size)}


def _changed(headers: Headers, size: int, since: float) -> bool:
    """Whether the file on the server may differ from ours, of a size [byte] and fetched at a time [Unix, s]."""
    offered, modified = headers.get("Content-Length"), last_modified(headers)
    return (offered is not None and offered != str(size)) or (modified is not None and modified > since)


def _reason_of(note: Path) -> str:
    try:
        return str(json.loads(note.read_text())["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return note.name
