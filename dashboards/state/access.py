"""Who may see what. Pages and routes ask here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from archive import Archive, Image, NotInArchive


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


GUEST = Visitor()


def visible_image(archive: Archive, image_id: str, visitor: Visitor = GUEST) -> Image:
    """The image of that id, for this visitor.

    Raises
    ------
    NotInArchive
        When there is none, or none for him: the two must not be told apart.
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
