"""Access rules: who may see what. All pages and routes use these and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from archive import Archive, Image, NotInArchive, RegionSpectra, Spectrum
from jobs.queue.journal import REGIONS, Request


@dataclass(frozen=True)
class Visitor:
    """A visitor of a page.

    Attributes
    ----------
    name : str or None
        Name of a registered user; None for a guest.
    operator : bool
        Operators also see hidden images and requests.
    """

    name: str | None = None
    operator: bool = False

    def may_see(self, row: Image | Spectrum | RegionSpectra) -> bool:
        """Whether an image or spectra may be shown: hidden ones only to their author and operators."""
        return not row.hidden or self.operator or (self.name is not None and row.author == self.name)

    def may_change_request(self, request: Request) -> bool:
        """Whether a request may be cancelled or put back into the queue: by its author and by operators."""
        return self.operator or (self.name is not None and request.user == self.name)

    def may_see_request(self, request: Request) -> bool:
        """Whether a request may be listed: requests for hidden results only for their author and operators."""
        if self.may_change_request(request):
            return True
        try:
            document = json.loads(request.body)
            chosen = document["imaging"] if request.kind == REGIONS else document
            return chosen.get("hidden") is False
        except (ValueError, AttributeError, LookupError, TypeError):
            return False


GUEST = Visitor()


def visible_image(archive: Archive, image_id: str, visitor: Visitor = GUEST) -> Image:
    """Image by id, if this visitor may see it.

    Raises
    ------
    NotInArchive
        If it does not exist, or is hidden from the visitor: the two must be indistinguishable.
    """
    return _visible(archive.image, "image", image_id, visitor)


def visible_spectrum(archive: Archive, spectrum_id: str, visitor: Visitor = GUEST) -> Spectrum:
    """Spectrum by id, if this visitor may see it.

    Raises
    ------
    NotInArchive
        As for `visible_image`.
    """
    return _visible(archive.spectrum, "spectrum", spectrum_id, visitor)


def visible_regions(archive: Archive, region_id: str, visitor: Visitor = GUEST) -> RegionSpectra:
    """Spectra of regions by id, if this visitor may see them.

    Raises
    ------
    NotInArchive
        As for `visible_image`.
    """
    return _visible(archive.region_spectrum, "spectra of regions", region_id, visitor)


def _visible[Row: (Image, Spectrum, RegionSpectra)](
    find: Callable[[str], Row], kind: str, key: str, visitor: Visitor
) -> Row:
    found: Row | None
    try:
        found = find(key)
    except NotInArchive:
        found = None
    if found is None or not visitor.may_see(found):
        message = f"there {'are' if kind.startswith('spectra') else 'is'} no {kind} {key!r}"
        raise NotInArchive(message)
    return found
