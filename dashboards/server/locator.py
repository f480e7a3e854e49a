"""The coarse flare locator of an image set, under ``/archive/locator/<recipe_id>.fits|.json``, made when asked for."""

from __future__ import annotations

import io
import json

from archive import Archive, NotInArchive
from dashboards.server.computed_file import ComputedFileHandler, visible_recipe
from dashboards.shared.access import Visitor
from stixcore.errors import StixError
from stixcore.image_files.coarse_locator import locator_document, locator_map
from stixcore.reconstruct import prepare_data


def locator_file(archive: Archive, recipe_id: str, kind: str, visitor: Visitor) -> bytes:
    """Map (``"fits"``) or regions (``"json"``) of the locator, from the files and the window of a recipe.

    Raises
    ------
    NotInArchive
        If the visitor may see no image of the recipe, or its files allow no position; the message says why.
    """
    recipe = visible_recipe(archive, recipe_id, visitor)
    try:
        data = prepare_data(recipe, lambda reference: archive.locate(reference.name), archive.calibration)
        found = data.locate_coarsely()
    except StixError as error:
        message = f"the coarse flare locator gives no position: {error}"
        raise NotInArchive(message) from error
    if kind == "json":
        return (json.dumps(locator_document(found), allow_nan=False) + "\n").encode()
    stream = io.BytesIO()
    locator_map(found).writeto(stream)
    return stream.getvalue()


class LocatorHandler(ComputedFileHandler):
    """Sends the map or the regions."""

    stem = "stix_coarse_locator"

    def content(self, archive: Archive, recipe_id: str, kind: str, visitor: Visitor) -> bytes:
        """See `locator_file`."""
        return locator_file(archive, recipe_id, kind, visitor)
