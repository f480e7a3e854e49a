"""Who may see what. Pages and routes ask here and nowhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass

from archive import Archive, Image, NotInArchive
from jobs.queue.journal import Request


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page.

    Attributes
    ----------
    name : str or None
        Name of a registered user; None for a guest.
    operator : bool
        Sees what is hidden from everybody else.
    """

    name: str | None = None
    operator: bool = False

    def may_see(self, image: Image) -> bool:
        """Whether an image may be shown: hidden ones only to their author and operators."""
        return not image.hidden or self.operator or (self.name is not None and image.author == self.name)

    def may_change_request(self, request: Request) -> bool:
        """Whether a request may be cancelled or put back into the queue: by its author and by operators."""
        return self.operator or (self.name is not None and request.user == self.name)

    def may_see_request(self, request: Request) -> bool:
        """Whether a request may be listed: one for hidden images only to its author and operators."""
        if self.may_change_request(request):
            return True
        try:
            return json.loads(request.body).get("hidden") is False
        except (ValueError, AttributeError):
            return False


GUEST = Visitor()


def visible_image(archive: Archive, image_id: str, visitor: Visitor = GUEST) -> Image:
    """The image of that id, for this visitor.

    Raises
    ------
    NotInArchive
        When there is none, or none for them: the two must not be told apart.
    """
    image: Image | None
    try:
        image = archive.image(image_id)
    except NotInArchive:
        image = None
    if image is None or not visitor.may_see(image):
        message = f"there is no image {image_id!r}"
        raise NotInArchive(message)
    return image
