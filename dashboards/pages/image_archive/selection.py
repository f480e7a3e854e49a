"""Images that a visitor has selected in the table, one by one or all that match a filter.

A selection does not depend on page, order or tab.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from archive import Archive, Image, ImageFilter
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.listing import grouped
from stixcore.errors import StixError

#: Maximum number of ids in a URL; more make it too long to share.
FEW = 20
#: Maximum number of images for actions on all of them at once.
MOST = 2000


class TooMany(StixError):
    """More images are selected than an action allows; the message is for the visitor."""


@dataclass(frozen=True)
class Selection:
    """Selected images.

    Attributes
    ----------
    ids : tuple of str
        Images selected one by one, in the order of selection.
    which : ImageFilter or None
        All images that match this filter are selected, too.
    without : frozenset of str
        Images excluded from the filter.
    """

    ids: tuple[str, ...] = ()
    which: ImageFilter | None = None
    without: frozenset[str] = frozenset()

    @classmethod
    def of_all(cls, which: ImageFilter) -> Selection:
        """All images that match a filter, now and later."""
        return cls(which=which)

    @property
    def is_few(self) -> bool:
        """Whether the selection fits into a URL."""
        return self.which is None and len(self.ids) <= FEW

    def turned(self, on: Iterable[str], off: Iterable[str]) -> Selection:
        """The selection after some images were added and some removed."""
        ids, without = dict.fromkeys(self.ids), set(self.without)
        for image_id in on:
            if image_id in without:
                without.remove(image_id)
            else:
                ids[image_id] = None
        for image_id in off:
            if image_id in ids:
                del ids[image_id]
            elif self.which is not None:
                without.add(image_id)
        return replace(self, ids=tuple(ids), without=frozenset(without))

    def among(self, archive: Archive, image_ids: Sequence[str], visitor: Visitor = GUEST) -> frozenset[str]:
        """The selected ones among some images."""
        picked = set(self.ids).intersection(image_ids)
        rest = [image_id for image_id in image_ids if image_id not in picked and image_id not in self.without]
        if self.which is not None and rest:
            same = replace(self._filter(visitor), ids=tuple(rest))
            picked.update(image.image_id for image in archive.images(same, limit=len(rest)))
        return frozenset(picked)

    def count(self, archive: Archive, visitor: Visitor = GUEST) -> int:
        """Number of selected images."""
        if self.which is None:
            return len(self.ids)
        return len(self.ids) + archive.count_images(self._filter(visitor)) - len(self.without)

    def images(self, archive: Archive, visitor: Visitor = GUEST, most: int = MOST) -> tuple[Image, ...]:
        """The selected images that this visitor may see, oldest first.

        Raises
        ------
        TooMany
            If there are more than ``most``.
        """
        number = self.count(archive, visitor)
        if number > most:
            message = f"{grouped(number)} images are selected; the limit is {grouped(most)}"
            raise TooMany(message)
        found: dict[str, Image] = {}
        if self.ids:
            one_by_one = ImageFilter(ids=self.ids, viewer=visitor.name, all_hidden=visitor.operator)
            found |= {image.image_id: image for image in archive.images(one_by_one, limit=len(self.ids))}
        if self.which is not None:
            whole = archive.images(self._filter(visitor), limit=most + len(self.without))
            found |= {image.image_id: image for image in whole if image.image_id not in self.without}
        return tuple(sorted(found.values(), key=lambda image: (image.t_start, image.e_low, image.image_id)))

    def _filter(self, visitor: Visitor) -> ImageFilter:
        """The filter for the current visitor, who may have signed out since."""
        return replace(self.which or ImageFilter(), viewer=visitor.name, all_hidden=visitor.operator)
