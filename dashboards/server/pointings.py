"""All pointings of an image set, under ``/archive/pointing/<recipe_id>.json``."""

from __future__ import annotations

import json
from contextlib import suppress

from archive import Archive, ImageFilter
from dashboards.server.computed_file import ComputedFileHandler, visible_recipe
from dashboards.shared.access import Visitor
from jobs.imaging.pointings import pointing_document
from stixcore.coordinates import Pointing
from stixcore.errors import InvalidProduct
from stixcore.image_files.read import read_image_file


def pointing_file(archive: Archive, recipe_id: str, visitor: Visitor) -> bytes:
    """Pointings of an image set as JSON, see `stixcore.pointings.pointing_choices`.

    Raises
    ------
    NotInArchive
        If the visitor may see no image of the recipe.
    """
    recipe = visible_recipe(archive, recipe_id, visitor)
    (image,) = archive.images(
        ImageFilter(recipe_id=recipe_id, viewer=visitor.name, all_hidden=visitor.operator), limit=1
    )
    stored: tuple[Pointing, ...] = ()
    with suppress(InvalidProduct):  # then they are computed
        stored = read_image_file(archive.path_of(image.file)).pointings
    document = pointing_document(archive, recipe, stored, simulated=image.simulated)
    return (json.dumps(document, allow_nan=False) + "\n").encode()


class PointingHandler(ComputedFileHandler):
    """Sends the pointings."""

    stem = "stix_pointing"

    def content(self, archive: Archive, recipe_id: str, kind: str, visitor: Visitor) -> bytes:  # noqa: ARG002 - one kind
        """See `pointing_file`."""
        return pointing_file(archive, recipe_id, visitor)
