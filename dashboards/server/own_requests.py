"""Requests of a user: kind, state, and links to the results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from archive import Archive, NotInArchive
from archive.index.recorded import RECORDED, REGION_RECORDS, SPECTRUM_RECORDS
from jobs.queue.journal import REGIONS, SPECTRUM, Journal, Request, RequestState
from jobs.renderings.run import find_rendering

#: Number of requests that are listed, newest first.
LISTED = 100
#: Kind of a request that does not name one.
IMAGES = "images"


@dataclass(frozen=True)
class OwnRequest:
    """One request of a user.

    Attributes
    ----------
    request : Request
    kind : str
        "images", "spectrum", "regions", or what is made from images: "animation", "overlay", "cube".
    page : str
        URL of the page that shows it; empty if there are only files.
    files : tuple of (str, str)
        Names and URLs of its files.
    """

    request: Request
    kind: str
    page: str = ""
    files: tuple[tuple[str, str], ...] = ()

    @property
    def is_gone(self) -> bool:
        """Whether its files have been removed."""
        return self.kind != IMAGES and self.request.state == RequestState.DONE and not self.files


def own_requests(archive: Archive, journal: Journal, user: str) -> list[OwnRequest]:
    """The last requests of a user, newest first."""
    return [_own_request(archive, journal, request) for request in journal.requests(user, limit=LISTED)]


def _own_request(archive: Archive, journal: Journal, request: Request) -> OwnRequest:
    kind = _kind(request.body)
    if kind == IMAGES:
        return OwnRequest(
            request, kind, f"science_data?uid={quote(request.uid)}&tab=analysis&request={request.request_id}"
        )
    if kind in _FILED:
        return OwnRequest(request, kind, files=_filed_files(archive, journal, request, kind))
    made = find_rendering(archive, journal, request) if request.state == RequestState.DONE else None
    files = () if made is None else tuple((n, f"archive/rendering/{request.request_id}/{quote(n)}") for n in made.files)
    return OwnRequest(request, kind, files=files)


#: Kinds of requests whose results are in the index: their table, and the folder in URLs of their files.
_FILED = {SPECTRUM: (SPECTRUM_RECORDS.table.name, "spectrum"), REGIONS: (REGION_RECORDS.table.name, "regions")}


def _filed_files(archive: Archive, journal: Journal, request: Request, kind: str) -> tuple[tuple[str, str], ...]:
    """Names and URLs of the files of a spectrum or of region spectra; empty if there are none."""
    table, address = _FILED[kind]
    records = RECORDED[table]
    for part in journal.parts(request.request_id):
        try:
            row = (
                archive.spectrum(part.run_id or "") if kind == SPECTRUM else archive.region_spectrum(part.run_id or "")
            )
        except NotInArchive:
            continue
        record = records.read(archive.path_of(row.folder))
        names = () if record is None else (*record.sha256, records.record)
        return tuple((name, f"archive/{address}/{part.run_id}/{quote(name)}") for name in names)
    return ()


def _kind(body: str) -> str:
    try:
        return str(json.loads(body).get("kind", IMAGES))
    except (ValueError, AttributeError):
        return IMAGES
