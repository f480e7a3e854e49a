"""Scripts that reproduce an image, under ``/archive/script/<image_id>.py|-stixpy.py|.pro|.ipynb``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tornado.web import RequestHandler

from archive import Archive, NotInArchive
from archive.replaced import read_replaced
from archive.scripts.images import FLAVOURS, script_name
from archive.scripts.sources import ImageSource, read_source, source_of
from dashboards.server.conditional import send_content
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.shared.access import Visitor, visible_image
from dashboards.shared.source import ArchiveSource, archive_source
from dashboards.shared.visitors import visitor_asking

MEDIA_TYPES = {
    ".py": "text/x-python",
    "-stixpy.py": "text/x-python",
    ".pro": "text/plain",
    ".ipynb": "application/json",
}
#: Alternatives for Tornado's routes, the longer suffix first.
SUFFIXES = r"-stixpy\.py|\.py|\.pro|\.ipynb"


@dataclass(frozen=True)
class Script:
    """A script: name of its file, and its text."""

    name: str
    text: str


def write_script(source: ArchiveSource, image_id: str, suffix: str, server: str, visitor: Visitor) -> Script:
    """Write the script of one kind for an image.

    Parameters
    ----------
    source : ArchiveSource
    image_id, suffix : str
    server : str
        URL under which the visitor reached this server; the script downloads input files from there.
    visitor : Visitor

    Raises
    ------
    NotInArchive
        If there is no such image for this visitor, or its recipe is lost.
    Unavailable
        If the archive cannot be read.
    """

    def write(archive: Archive) -> Script:
        made_of = source_for(archive, image_id, server, visitor)
        return Script(script_name(made_of, suffix), FLAVOURS[suffix](made_of))

    return source.ask(write)


def source_for(archive: Archive, image_id: str, server: str, visitor: Visitor) -> ImageSource:
    """What the scripts of an image need, also those of an image set that was replaced.

    Raises
    ------
    NotInArchive
        If there is no such image for this visitor, or its recipe is lost.
    """
    try:
        return read_source(archive, visible_image(archive, image_id, visitor), server)
    except NotInArchive:
        replaced = read_replaced(archive.root, image_id.partition("-")[0])
        images = () if replaced is None else replaced.visible_to(visitor.name, all_hidden=visitor.operator)
        for image in images:
            if image.image_id == image_id and replaced is not None and replaced.run.recipe:
                return source_of(image, json.loads(replaced.run.recipe), server)
        raise


def server_address(handler: RequestHandler) -> str:
    """URL of this server as the visitor entered it, without a trailing slash; includes a proxy's path."""
    return handler.request.full_url().partition("/archive/")[0]


class ScriptHandler(RequestHandler):
    """Sends a script."""

    async def get(self, image_id: str, suffix: str) -> None:
        """Write and send the script."""
        server, visitor = server_address(self), await visitor_asking(self)
        try:
            script = await look_up_file(self, lambda: write_script(archive_source(), image_id, suffix, server, visitor))
        except Busy as busy:
            refuse_json(self, busy)
            return
        self.set_header("Content-Type", f"{MEDIA_TYPES[suffix]}; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{script.name}"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")  # it contains the URL of the server in the request
        send_content(self, script.text)

    async def head(self, image_id: str, suffix: str) -> None:
        """Send the headers."""
        await self.get(image_id, suffix)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")
