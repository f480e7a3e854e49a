"""Files of an image set that are computed when asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

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
from stixcore.recipe import Recipe

MEDIA_TYPES = {"fits": "application/fits", "json": "application/json"}


def visible_recipe(archive: Archive, recipe_id: str, visitor: Visitor) -> Recipe:
    """The recipe of an image set.

    Raises
    ------
    NotInArchive
        If the visitor may see no image of the recipe.
    """
    which = ImageFilter(recipe_id=recipe_id, viewer=visitor.name, all_hidden=visitor.operator)
    recipe = archive.run(recipe_id).recipe if archive.count_images(which) else None
    if recipe is None:
        message = f"there is no image set {recipe_id!r}"
        raise NotInArchive(message)
    return Recipe.from_json(recipe)


class ComputedFileHandler(RequestHandler):
    """Computes a file of an image set in a thread, and sends it."""

    #: Start of the file's name.
    stem: ClassVar[str]
    #: Extension → media type.
    media_types: ClassVar[Mapping[str, str]] = MEDIA_TYPES

    @abstractmethod
    def content(self, archive: Archive, recipe_id: str, kind: str, visitor: Visitor) -> bytes:
        """The file; raises NotInArchive if the visitor may not see the image set, or there is no such file."""

    async def get(self, recipe_id: str, kind: str) -> None:
        """Compute and send."""
        visitor = await visitor_asking(self)
        try:
            content = await look_up_file(
                self, lambda: archive_source().ask(lambda archive: self.content(archive, recipe_id, kind, visitor))
            )
        except Busy as busy:
            refuse_json(self, busy)
            return
        announce(self, f"{self.stem}_{recipe_id}.{kind}", self.media_types[kind])
        send_content(self, content)

    async def head(self, recipe_id: str, kind: str) -> None:
        """Send the headers."""
        await self.get(recipe_id, kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")
