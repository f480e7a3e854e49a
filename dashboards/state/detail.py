"""One image with everything that is known of it, and what the other methods made of the same recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass

from archive import Archive, Image, ImageFilter, NotInArchive, Run
from archive.layout import METHODS
from dashboards.state.access import GUEST, Visitor, visible_image


@dataclass(frozen=True)
class Caution:
    """One reason to be careful with an image: how serious ("doubt", "note"), and one sentence."""

    severity: str
    text: str


@dataclass(frozen=True)
class ImageDetail:
    """An opened image.

    Attributes
    ----------
    image : Image
    run : Run or None
        The run that made it; None when its row is missing.
    siblings : tuple of Image
        What all methods made of the recipe, this image included, in the order pages show methods.
    """

    image: Image
    run: Run | None
    siblings: tuple[Image, ...]


def load_detail(archive: Archive, image_id: str, visitor: Visitor = GUEST) -> ImageDetail:
    """Everything about an image.

    Raises
    ------
    NotInArchive
        When there is no such image for this visitor.
    """
    image = visible_image(archive, image_id, visitor)
    same = ImageFilter(recipe_id=image.recipe_id, viewer=visitor.name, all_hidden=visitor.operator)
    siblings = archive.images(same, sort=("method",))
    try:
        run = archive.run(image.recipe_id)
    except NotInArchive:
        run = None
    return ImageDetail(image, run, tuple(sorted(siblings, key=lambda other: METHODS.index(other.method))))


def read_cautions(text: str) -> tuple[Caution, ...]:
    """Cautions from the column of the index that holds them as JSON; nothing from what is no such JSON."""
    try:
        entries = json.loads(text)
    except ValueError:
        return ()
    if not isinstance(entries, list):
        return ()
    return tuple(
        Caution(str(entry.get("severity", "note")), str(entry["text"]))
        for entry in entries
        if isinstance(entry, dict) and "text" in entry
    )
