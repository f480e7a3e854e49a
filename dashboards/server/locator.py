"""The coarse flare locator of an image set, under ``/archive/locator/<recipe_id>.fits|.json``, made when asked for."""

from __future__ import annotations

import io
import json
from typing import Any

from tornado.web import RequestHandler

from archive import Archive, ImageFilter, NotInArchive
from dashboards.server.conditional import send_content
from dashboards.server.downloads import announce
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.shared.access import Visitor
from dashboards.shared.source import archive_source
from dashboards.shared.visitors import visitor_asking
from stixcore.errors import StixError
from stixcore.image_files.coarse_locator import locator_document, locator_map
from stixcore.recipe import Recipe
from stixcore.reconstruct import prepare_data

MEDIA_TYPES = {"fits": "application/fits", "json": "application/json"}


def locator_file(archive: Archive, recipe_id: str, kind: str, visitor: Visitor) -> bytes:
    """Map (``"fits"``) or regions (``"json"``) of the locator, from the files and the window of a recipe.

    Raises
    ------
    NotInArchive
        If the visitor may see no image of the recipe, or its files allow no position; the message says why.
    """
    which = ImageFilter(recipe_id=recipe_id, viewer=visitor.name, all_hidden=visitor.operator)
    recipe = archive.run(recipe_id).recipe if archive.count_images(which) else None
    if recipe is None:
        message = f"there is no image set {recipe_id!r}"
        raise NotInArchive(message)
    try:
        data = prepare_data(
            Recipe.from_json(recipe), lambda reference: archive.locate(reference.name), archive.calibration
        )
        found = data.locate_coarsely()
    except StixError as error:
        message = f"the coarse flare locator gives no position: {error}"
        raise NotInArchive(message) from error
    if kind == "json":
        return (json.dumps(locator_document(found), allow_nan=False) + "\n").encode()
    stream = io.BytesIO()
    locator_map(found).writeto(stream)
    return stream.getvalue()


class LocatorHandler(RequestHandler):
    """Sends the map or the regions."""

    async def get(self, recipe_id: str, kind: str) -> None:
        """Compute in a thread, and send."""
        visitor = await visitor_asking(self)
        try:
            content = await look_up_file(
                self, lambda: archive_source().ask(lambda archive: locator_file(archive, recipe_id, kind, visitor))
            )
        except Busy as busy:
            refuse_json(self, busy)
            return
        announce(self, f"stix_coarse_locator_{recipe_id}.{kind}", MEDIA_TYPES[kind])
        send_content(self, content)

    async def head(self, recipe_id: str, kind: str) -> None:
        """Send the headers."""
        await self.get(recipe_id, kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")
