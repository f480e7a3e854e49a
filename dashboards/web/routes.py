"""Files of the archive under stable addresses: ``/archive/fits/<image_id>``, ``…/png/…``, ``…/thumbnail/…``.

A plug-in of ``panel serve --plugins dashboards.web.routes``. Addresses hold ids, never paths; what is hidden from a
visitor does not exist for him. Range, ETag and HEAD come from Tornado. Errors are JSON.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from archive import Archive, NotInArchive
from dashboards.state.access import GUEST, Visitor, visible_image
from dashboards.state.source import ArchiveSource, Unavailable, archive_source

#: Pictures change only when their recipe is run again with newer software.
PICTURE_AGE_S = 300


@dataclass(frozen=True)
class FoundFile:
    """A file to send: where it is inside the archive, under which name, and whether the browser shall save it."""

    root: Path
    place: PurePosixPath
    media_type: str
    save: bool

    @property
    def disposition(self) -> str:
        """Value of the header Content-Disposition."""
        name = self.place.name.replace('"', "")
        return f'{"attachment" if self.save else "inline"}; filename="{name}"'


def find_file(source: ArchiveSource, kind: str, image_id: str, visitor: Visitor) -> FoundFile:
    """The file of one kind ("fits", "png", "thumbnail") of an image.

    Raises
    ------
    NotInArchive
        When there is no such image for this visitor, or it has no such file.
    Unavailable
        When the archive cannot be read.
    """

    def find(archive: Archive) -> FoundFile:
        image = visible_image(archive, image_id, visitor)
        place = {"fits": image.file, "png": image.png, "thumbnail": image.thumbnail}[kind]
        if place is None:
            message = f"image {image_id!r} has no {kind}"
            raise NotInArchive(message)
        archive.path_of(place)  # refuses what leads out of the archive
        media_type = "application/fits" if kind == "fits" else "image/png"
        return FoundFile(archive.root, PurePosixPath(place), media_type, save=kind == "fits")

    return source.ask(find)


class ImageFileHandler(StaticFileHandler):
    """Sends one file of an image; Tornado's static files with ids for names."""

    found: FoundFile

    def initialize(self) -> None:  # type: ignore[override]
        """The folder is known only when the image is found."""
        super().initialize(path="")

    def visitor(self) -> Visitor:
        """Who asks. Until there are accounts, everybody is a guest."""
        return GUEST

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send the file; ``path`` is ``<kind>/<image_id>``."""
        kind, image_id = path.split("/", 1)
        loop = asyncio.get_running_loop()
        try:
            self.found = await loop.run_in_executor(
                _lookups(), find_file, archive_source(), kind, image_id, self.visitor()
            )
        except NotInArchive as error:
            raise HTTPError(404, reason="Not Found", log_message=None) from error
        except Unavailable as error:
            raise HTTPError(503, reason="Service Unavailable") from error
        self.root = str(self.found.root)
        await super().get(str(self.found.place), include_body)

    def get_content_type(self) -> str:
        """Media type."""
        return self.found.media_type

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002
        """Name to save it under; no guessing of types; how long it stays fresh."""
        self.set_header("Content-Disposition", self.found.disposition)
        self.set_header("X-Content-Type-Options", "nosniff")
        age = "no-cache" if self.found.save else f"private, max-age={PICTURE_AGE_S}"
        self.set_header("Cache-Control", age)

    def compute_etag(self) -> str | None:
        """Size and time of the file, where Tornado would read all of it."""
        status = Path(self.absolute_path or "").stat()
        return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """One JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


class UnknownHandler(RequestHandler):
    """Everything else under ``/archive/``."""

    def prepare(self) -> None:
        """There is nothing here."""
        raise HTTPError(404)

    def write_error(self, status_code: int, **_: Any) -> None:
        """One JSON object with one sentence."""
        write_json_error(self, status_code, "there is nothing at this address")


def write_json_error(handler: RequestHandler, status: int, sentence: str) -> None:
    """End a response with ``{"status": 404, "error": "there is no image '…'"}``."""
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.finish({"status": status, "error": sentence or SENTENCES.get(status, "this cannot be answered")})


SENTENCES = {
    403: "this file may not be sent",
    404: "the file of this image is missing",
    405: "this address can only be read",
}


@cache
def _lookups() -> ThreadPoolExecutor:
    """Threads that ask the index, so that a slow question delays nobody else."""
    return ThreadPoolExecutor(4, thread_name_prefix="archive-lookup")


ROUTES = [
    (r"/archive/((?:fits|png|thumbnail)/[0-9a-f]{16}-[a-z_]+)", ImageFileHandler),
    (r"/archive/.*", UnknownHandler),
]
