"""Files of the archive under permanent URLs.

``/archive/fits/<image_id>``, ``…/png/…``, ``…/thumbnail/…``, ``…/script/…``; files of a spectrum under
``/archive/spectrum/<spectrum_id>/<name>``, of spectra of regions under ``/archive/regions/<region_id>/<name>``; input
files of images under ``/archive/science/<name>``, ``…/aux/…``, ``…/quicklook/…``, ``…/other/…``, ``…/calibration/…``.
A plug-in of ``panel serve --plugins dashboards.server.routes``.

URLs contain ids and names, never paths; hidden files are 404 for other visitors. Conditions and ranges are as in
`dashboards.server.conditional`. Errors are JSON.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from archive import Archive, NotInArchive
from archive.calibration import calibration_place
from archive.cubes import cube_file
from archive.index.recorded import REGION_RECORDS
from archive.index.schema import FILE_KINDS
from archive.index.sql import select
from archive.layout import REGIONS_RECORD, SPECTRUM_FILES
from archive.regular_files import NotRegularFile, open_regular
from dashboards.server.account_page import AccountPage
from dashboards.server.api.handlers import API_ROUTES
from dashboards.server.bounded_threads import journal_threads
from dashboards.server.conditional import choose_version, file_etag
from dashboards.server.context_picture import ContextPictureHandler
from dashboards.server.downloads import SELECTION_PATHS, SelectionHandler
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.feeds import FEED_ROUTES
from dashboards.server.flare_files import FlareBundleHandler, ReportPdfHandler, report_place
from dashboards.server.hapi.handlers import HAPI_ROUTES
from dashboards.server.landing import LANDING_ROUTES
from dashboards.server.lightcurve_files import LightCurveHandler
from dashboards.server.locator import LocatorHandler
from dashboards.server.old_addresses import OLD_ADDRESS_ROUTES
from dashboards.server.pointings import PointingHandler
from dashboards.server.responses import write_json_error
from dashboards.server.scripts import SUFFIXES, ScriptHandler
from dashboards.server.send_page import SEND_ROUTES
from dashboards.server.sign_in import SignOutPage
from dashboards.server.spectrum_files import TAKE_HOME_NAMES, SpectrumFileHandler
from dashboards.server.tap.handlers import TAP_ROUTES
from dashboards.shared.access import Visitor, visible_image, visible_regions, visible_spectrum
from dashboards.shared.source import ArchiveSource, archive_source, journal_of
from dashboards.shared.visitors import visitor_asking
from jobs.renderings.run import MEDIA_TYPES, find_rendering
from jobs.shared.errors import NoSuchRequest

#: Pictures change only when their recipe is run again with newer software.
PICTURE_AGE_S = 300
#: Size of the chunks that are read, byte.
PIECE_BYTES = 64 << 10
#: Extensions of rendering files that a page shows.
SHOWN = (".mp4", ".gif", ".png")


@dataclass(frozen=True)
class FoundFile:
    """A file to send: its path inside the archive, its name, and whether the browser should save it."""

    root: Path
    place: PurePosixPath
    media_type: str
    save: bool
    hidden: bool = False

    @property
    def freshness(self) -> str:
        """Value of the header Cache-Control; hidden files are not stored."""
        if self.hidden:
            return "no-store"
        return "no-cache" if self.save else f"private, max-age={PICTURE_AGE_S}"

    @property
    def disposition(self) -> str:
        """Value of the header Content-Disposition."""
        name = self.place.name.replace('"', "")
        return f'{"attachment" if self.save else "inline"}; filename="{name}"'


def find_file(source: ArchiveSource, kind: str, key: str, visitor: Visitor) -> FoundFile:
    """Find the file of one kind ("fits", "png", "thumbnail") of an image, or a file by its name (`FILE_KINDS`).

    The kind "rendering" finds files made by the worker, by request and name; "cube" those of the cube of a flare, by
    group and name; "spectrum" and "regions" those of spectra, by id and name.

    Raises
    ------
    NotInArchive
        If there is no such image or file for this visitor, or the image has no such file.
    Unavailable
        If the archive cannot be read.
    """

    def find(archive: Archive) -> FoundFile:
        if kind == "rendering":
            return _rendered(archive, key, visitor)
        if kind == "cube":
            return _of_cube(archive, key)
        if kind == "spectrum":
            return _of_spectrum(archive, key, visitor)
        if kind == "regions":
            return _of_regions(archive, key, visitor)
        hidden = False
        if kind == "report":
            place, hidden = report_place(archive, key.removesuffix(".png"), visitor)
        elif kind == "calibration":
            place = calibration_place(archive.root, key)
        elif kind in FILE_KINDS:
            place = _input_place(archive, kind, key)
        else:
            image = visible_image(archive, key, visitor)
            hidden = image.hidden
            found = {"fits": image.file, "png": image.png, "thumbnail": image.thumbnail}[kind]
            if found is None:
                message = f"image {key!r} has no {kind}"
                raise NotInArchive(message)
            place = found
        archive.path_of(place)  # refuses paths outside the archive
        is_picture = kind in {"png", "thumbnail", "report"}
        media_type = "image/png" if is_picture else "text/csv" if place.endswith(".csv") else "application/fits"
        return FoundFile(archive.root, PurePosixPath(place), media_type, save=not is_picture, hidden=hidden)

    return source.ask(find)


def _input_place(archive: Archive, kind: str, name: str) -> str:
    """Path of an input file; every version has its own name."""
    rows = archive.rows(select("path", FILE_KINDS[kind].name, " WHERE name = ?"), [name])
    if not rows:
        message = f"there is no file {name!r}"
        raise NotInArchive(message)
    return str(rows[0]["path"])


def _of_cube(archive: Archive, key: str) -> FoundFile:
    """A file of the cube of a flare; cubes of previews are visible to all."""
    place, media_type = cube_file(archive, *key.split("/", 1))
    return FoundFile(archive.root, place, media_type, save=place.suffix not in SHOWN)


def _of_spectrum(archive: Archive, key: str, visitor: Visitor) -> FoundFile:
    """One of the pair of files of a spectrum, or its record."""
    spectrum_id, _, name = key.partition("/")
    spectrum = visible_spectrum(archive, spectrum_id, visitor)
    if name not in SPECTRUM_FILES:
        message = f"spectrum {spectrum_id!r} has no file {name!r}"
        raise NotInArchive(message)
    place = PurePosixPath(spectrum.folder, name)
    archive.path_of(place)  # refuses paths outside the archive
    media_type = "application/json" if place.suffix == ".json" else "application/fits"
    return FoundFile(archive.root, place, media_type, save=True, hidden=spectrum.hidden)


def _of_regions(archive: Archive, key: str, visitor: Visitor) -> FoundFile:
    """A file of the spectra of regions that their record names, or the record."""
    region_id, _, name = key.partition("/")
    regions = visible_regions(archive, region_id, visitor)
    record = REGION_RECORDS.read_own(archive.path_of(regions.folder))
    suffix = PurePosixPath(name).suffix
    if name not in (REGIONS_RECORD, *(record.sha256 if record else ())) or suffix not in _REGION_MEDIA:
        message = f"spectra of regions {region_id!r} have no file {name!r}"
        raise NotInArchive(message)
    place = PurePosixPath(regions.folder, name)
    archive.path_of(place)  # refuses paths outside the archive
    return FoundFile(archive.root, place, _REGION_MEDIA[suffix], save=suffix not in SHOWN, hidden=regions.hidden)


#: Files of spectra of regions, by extension.
_REGION_MEDIA = {
    ".fits": "application/fits",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
}


def _rendered(archive: Archive, key: str, visitor: Visitor) -> FoundFile:
    """A file of a rendering, for its user and operators. For others it does not exist."""
    number, _, name = key.partition("/")
    journal = journal_of(archive)
    try:
        request = journal.get(int(number))
    except NoSuchRequest:
        request = None
    mine = request is not None and (visitor.operator or visitor.name == request.user)
    rendering = find_rendering(archive, journal, request) if mine and request is not None else None
    if rendering is None or name not in rendering.files:
        message = f"no file {name!r} in request {number}"
        raise NotInArchive(message)
    place = PurePosixPath(*(rendering.folder / name).relative_to(archive.root).parts)
    suffix = place.suffix
    return FoundFile(archive.root, place, MEDIA_TYPES[suffix], save=suffix not in SHOWN, hidden=True)


class ImageFileHandler(StaticFileHandler):
    """Sends one file; Tornado's static file handler with ids instead of paths.

    The file is opened once: size, date, entity tag and content belong to one version, even if it is replaced meanwhile.
    """

    found: FoundFile
    _file: IO[bytes]
    _status: os.stat_result

    def initialize(self) -> None:  # type: ignore[override] # Tornado wants a folder here
        """Do nothing: the folder is known only when the file is found."""
        super().initialize(path="")

    def check_xsrf_cookie(self) -> None:
        """Skip the check: this handler changes nothing, and a POST is answered with 405."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send the file; ``path`` is ``<kind>/<image_id>`` or ``<kind>/<name>``."""
        kind, key = path.split("/", 1)
        visitor = await visitor_asking(self)
        threads = journal_threads() if kind == "rendering" else None
        try:
            self.found = await look_up_file(self, lambda: find_file(archive_source(), kind, key, visitor), threads)
        except Busy as busy:
            refuse_json(self, busy)
            return
        self.root = str(self.found.root)
        with ExitStack() as self._opened:
            await super().get(str(self.found.place), include_body)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Open the file if it is in the archive."""
        place = super().validate_absolute_path(root, absolute_path)
        if place is not None:
            try:
                self._file = self._opened.enter_context(open_regular(Path(place), below=Path(root)))
            except (NotRegularFile, OSError):
                raise HTTPError(404) from None
            self._status = os.fstat(self._file.fileno())
        return place

    def should_return_304(self) -> bool:
        """Whether the client has this version; otherwise sets the range to send."""
        return choose_version(self)

    def get_content_size(self) -> int:
        """Size, byte."""
        return self._status.st_size

    def get_modified_time(self) -> datetime:
        """Modification time of the file."""
        return datetime.fromtimestamp(int(self._status.st_mtime), UTC)

    def get_content(  # type: ignore[override] # a class method of Tornado, which would open the file again
        self,
        abspath: str,  # noqa: ARG002 - as Tornado calls it
        start: int | None = None,
        end: int | None = None,
    ) -> Iterator[bytes]:
        """Yield the file from ``start`` to before ``end`` in chunks."""
        place, end = start or 0, self._status.st_size if end is None else end
        self._file.seek(place)
        while piece := self._file.read(min(PIECE_BYTES, end - place)):
            place += len(piece)
            yield piece

    def get_content_type(self) -> str:
        """Media type."""
        return self.found.media_type

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - as Tornado calls it
        """Set the file name, caching, and no content sniffing."""
        self.set_header("Content-Disposition", self.found.disposition)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", self.found.freshness)

    def compute_etag(self) -> str | None:
        """Entity tag of the open file; Tornado's version would read all of it."""
        return file_etag(self._status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


class UnknownHandler(RequestHandler):
    """Answers all other paths under ``/archive/`` with 404."""

    def check_xsrf_cookie(self) -> None:
        """Skip the check: this handler changes nothing."""

    def prepare(self) -> None:
        """Answer 404."""
        raise HTTPError(404)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Send one JSON object with one sentence."""
        write_json_error(self, status_code, "not found")


class LivenessHandler(RequestHandler):
    """Reports that the server responds. Panel's handler would create a whole page for every request."""

    def get(self) -> None:
        """Send one JSON object."""
        self.finish({self.request.path: True})


_SPECTRUM_NAMES = "|".join(name.replace(".", r"\.") for name in SPECTRUM_FILES)
ROUTES = [
    (r"/liveness", LivenessHandler),
    (r"/archive/((?:fits|png|thumbnail)/[0-9a-f]{16}-[a-z][a-z0-9_]*)", ImageFileHandler),
    (rf"/archive/((?:{'|'.join(FILE_KINDS)})/[^/]+\.fits)", ImageFileHandler),
    (r"/archive/(calibration/[^/]+\.(?:fits|csv))", ImageFileHandler),
    (rf"/archive/script/([0-9a-f]{{16}}-[a-z][a-z0-9_]*?)({SUFFIXES})", ScriptHandler),
    (r"/archive/context/(\d{10})/(context_[a-z0-9_T]{1,40}\.fits)/(solo|earth)\.png", ContextPictureHandler),
    (r"/archive/(cube/cube-[0-9-]{1,40}/[a-z0-9_.-]{1,80})", ImageFileHandler),
    (rf"/archive/(spectrum/[0-9a-f]{{16}}/(?:{_SPECTRUM_NAMES}))", ImageFileHandler),
    (r"/archive/(regions/[0-9a-f]{16}/[A-Za-z0-9_-]{1,80}\.[a-z]{3,8})", ImageFileHandler),
    (r"/archive/(report/[0-9a-f]{16}\.png)", ImageFileHandler),
    (r"/archive/report/([0-9a-f]{16})\.pdf", ReportPdfHandler),
    (rf"/archive/spectrum/([0-9a-f]{{16}})/({TAKE_HOME_NAMES})", SpectrumFileHandler),
    (r"/archive/flare/(\d{10})\.zip", FlareBundleHandler),
    (r"/archive/locator/([0-9a-f]{16})\.(fits|json)", LocatorHandler),
    (r"/archive/pointing/([0-9a-f]{16})\.(json)", PointingHandler),
    (r"/archive/lightcurve\.(csv|parquet)", LightCurveHandler),
    (r"/archive/(rendering/\d{1,15}/[A-Za-z0-9_.-]+)", ImageFileHandler),
    (rf"/archive/selection/({SELECTION_PATHS})", SelectionHandler),
    (r"/archive/.*", UnknownHandler),
    *API_ROUTES,
    *LANDING_ROUTES,
    *SEND_ROUTES,
    *OLD_ADDRESS_ROUTES,
    *FEED_ROUTES,
    *TAP_ROUTES,
    *HAPI_ROUTES,
    (r"/account", AccountPage),
    (r"/logout", SignOutPage),  # before Panel's, which only clears the browser's cookies
]
