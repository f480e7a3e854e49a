"""Downloads of a flare: ``/archive/flare/<id>.zip`` with everything, ``/archive/report/<recipe_id>.pdf``."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image as Picture
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from archive import Archive, Flare, Image, ImageFilter, NotInArchive
from archive.cubes import flare_cubes
from archive.index.schema import FLARES
from archive.regular_files import NotRegularFile, open_regular
from archive.scripts.bundle import ExtraFile, bundle_paths
from archive.scripts.sources import ImageSource, read_sources, with_recipe
from dashboards.server.api.rows import row_document
from dashboards.server.conditional import send_content
from dashboards.server.downloads import announce, bundle_pieces, check_size, send_bundle
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.server.scripts import server_address
from dashboards.shared.access import Visitor
from dashboards.shared.clock import now
from dashboards.shared.source import archive_source
from dashboards.shared.visitors import visitor_asking
from jobs.shared.errors import LimitReached

#: Name of a report in the folder of its images.
REPORT = "report.png"
#: Resolution of a report on A4 paper, pixel per inch.
RESOLUTION = 150.0
#: Most images of a bundle.
MOST_IMAGES = 2000


def flare_images(archive: Archive, flare_id: str, visitor: Visitor) -> list[Image]:
    """Images of a flare that a visitor may see, in order of time.

    Raises
    ------
    LimitReached
        If there are more than `MOST_IMAGES`.
    """
    which = ImageFilter(flare_id=flare_id, viewer=visitor.name, all_hidden=visitor.operator)
    total = archive.count_images(which)
    if total > MOST_IMAGES:
        message = f"the flare has {total} images, {MOST_IMAGES} at most; select some in the image archive"
        raise LimitReached(message)
    return archive.images(which, sort=("t_start", "image_id"), limit=MOST_IMAGES)


def report_place(archive: Archive, recipe_id: str, visitor: Visitor) -> tuple[str, bool]:
    """Path of the report of a recipe, relative to the archive, and whether it is hidden from others.

    Raises
    ------
    NotInArchive
        If there is none for this visitor.
    """
    which = ImageFilter(recipe_id=recipe_id, viewer=visitor.name, all_hidden=visitor.operator)
    found = archive.images(which, limit=1)
    place = f"{found[0].file.rpartition('/')[0]}/{REPORT}" if found else ""
    if not place or not archive.path_of(place).is_file():
        message = f"there is no report of recipe {recipe_id!r}"
        raise NotInArchive(message)
    return place, found[0].hidden


def report_pdf(path: Path, root: Path) -> bytes:
    """A report as a page of PDF; the same bytes for the same file.

    Raises
    ------
    NotInArchive
        If the file is gone.
    """
    try:
        with open_regular(path, below=root) as stream, Picture.open(stream) as picture:
            written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC).timetuple()
            content = io.BytesIO()
            picture.convert("RGB").save(
                content, "PDF", resolution=RESOLUTION, quality=95, creationDate=written, modDate=written
            )
    except (NotRegularFile, OSError) as error:
        message = f"the report {path.parent.name} is missing"
        raise NotInArchive(message) from error
    return content.getvalue()


class FlareHandler(RequestHandler):
    """Errors as one JSON object, for both downloads."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


class FlareBundleHandler(FlareHandler):
    """Sends everything of a flare: images, scripts, input files, reports, the row, and checksums of all."""

    async def get(self, flare_id: str) -> None:
        """Send the zip file while it is written."""
        visitor, server = await visitor_asking(self), server_address(self)
        try:
            await send_bundle(self, lambda: _begin(flare_id, visitor, server))
        except Busy as busy:
            refuse_json(self, busy)
        except LimitReached as error:
            raise HTTPError(400, reason="Bad Request") from error
        except StreamClosedError:
            return  # the client has disconnected

    async def head(self, flare_id: str) -> None:
        """Send the headers."""
        await self.get(flare_id)


class ReportPdfHandler(FlareHandler):
    """Sends a report as PDF."""

    async def get(self, recipe_id: str) -> None:
        """Make and send the page."""
        visitor = await visitor_asking(self)

        def make(archive: Archive) -> bytes:
            return report_pdf(archive.path_of(report_place(archive, recipe_id, visitor)[0]), archive.root)

        try:
            content = await look_up_file(self, lambda: archive_source().ask(make))
        except Busy as busy:
            refuse_json(self, busy)
            return
        announce(self, f"stix_report_{recipe_id}.pdf", "application/pdf")
        send_content(self, content)

    async def head(self, recipe_id: str) -> None:
        """Send the headers."""
        await self.get(recipe_id)


def _begin(flare_id: str, visitor: Visitor, server: str) -> tuple[Iterator[bytes], str]:
    def look(archive: Archive) -> tuple[Flare, tuple[ImageSource, ...], dict[str, Path], list[ExtraFile]]:
        flare = archive.flare(flare_id)
        images = flare_images(archive, flare.flare_id, visitor)
        sources = read_sources(archive, with_recipe(archive, images), server)
        return flare, sources, bundle_paths(archive, sources, inputs=True), _extra(archive, flare, images)

    flare, sources, paths, extra = archive_source().ask(look)
    check_size(paths)
    folder = f"stix_flare_{flare.flare_id}"  # so that bundles of several flares can be unpacked beside each other
    return bundle_pieces(sources, paths, now(), inputs=True, extra=extra, folder=folder), f"{folder}.zip"


def _extra(archive: Archive, flare: Flare, images: Sequence[Image]) -> list[ExtraFile]:
    """The row of the flare, reports of its image sets, and movie, tracks and fits of its cubes."""
    row = json.dumps(row_document(FLARES, flare), indent=1, ensure_ascii=False).encode()
    extra = [ExtraFile(f"flare_{flare.flare_id}.json", "the flare's row of the index", lambda: row)]
    folders = {image.recipe_id: image.file.rpartition("/")[0] for image in images}
    for recipe_id, folder in folders.items():
        path = archive.path_of(f"{folder}/{REPORT}")
        if path.is_file():
            extra.append(ExtraFile(f"report_{recipe_id}.png", f"report of recipe {recipe_id}", _reader(path)))
    for cube in flare_cubes(archive, flare.flare_id):
        for name in cube.files:
            path = archive.path_of(str(cube.folder / name))
            if path.is_file():
                extra.append(ExtraFile(f"{cube.group_id}_{name}", "movie, tracks and fits of the flare", _reader(path)))
    return extra


def _reader(path: Path) -> Callable[[], bytes]:
    return path.read_bytes
