"""Addresses of an image's files.

They are relative to the page's own address, so that they stay right behind a proxy that puts the pages elsewhere.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Sequence
from typing import Protocol

from archive import Archive, Image, NotInArchive
from dashboards.shared.source import Unavailable, archive_source

#: What people call a script, and the suffix of its address.
SCRIPTS = (("Python", ".py"), ("IDL", ".pro"), ("Notebook", ".ipynb"), ("stixpy", "-stixpy.py"))
ROUTES_MODULE = "dashboards.server.routes"


class Links(Protocol):
    """Where a browser finds the files of an image; None where it cannot have them.

    Attributes
    ----------
    cheap : bool
        Links cost nothing, so that every row of a table may have one to its FITS file.
    """

    cheap: bool

    def thumbnail(self, image: Image) -> str | None:
        """Small picture."""

    def picture(self, image: Image) -> str | None:
        """Large picture with axes."""

    def fits(self, image: Image) -> str | None:
        """FITS file."""

    def scripts(self, image: Image) -> Sequence[tuple[str, str]]:
        """Scripts that make the image again: what each is called, and its address; none where there are no routes."""

    def product(self, kind: str, name: str) -> str | None:
        """STIX file of that name; ``kind`` is "science", "quicklook", "aux" or "other"."""


class RouteLinks:
    """Addresses under ``/archive/``, where `dashboards.server.routes` answers."""

    cheap = True

    def thumbnail(self, image: Image) -> str | None:
        """Small picture."""
        return f"archive/thumbnail/{image.image_id}" if image.thumbnail else None

    def picture(self, image: Image) -> str | None:
        """Large picture with axes."""
        return f"archive/png/{image.image_id}" if image.png else None

    def fits(self, image: Image) -> str | None:
        """FITS file."""
        return f"archive/fits/{image.image_id}"

    def scripts(self, image: Image) -> Sequence[tuple[str, str]]:
        """Scripts that make the image again."""
        return tuple((name, f"archive/script/{image.image_id}{suffix}") for name, suffix in SCRIPTS)

    def product(self, kind: str, name: str) -> str | None:
        """STIX file of that name."""
        return f"archive/{kind}/{name}"


class NoLinks(RouteLinks):
    """For files that are not in the archive: they have no address."""

    def product(self, kind: str, name: str) -> str | None:  # noqa: ARG002 - as links are asked
        """None."""
        return None


class InlineLinks:
    """The files themselves in the page, for a plain ``panel serve`` that has no routes.

    Parameters
    ----------
    archive : Archive
    """

    cheap = False

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def thumbnail(self, image: Image) -> str | None:
        """Small picture."""
        return self._inline(image.thumbnail, "image/png")

    def picture(self, image: Image) -> str | None:
        """Large picture with axes."""
        return self._inline(image.png, "image/png")

    def fits(self, image: Image) -> str | None:
        """FITS file."""
        return self._inline(image.file, "application/fits")

    def scripts(self, image: Image) -> Sequence[tuple[str, str]]:  # noqa: ARG002 - as links are asked
        """None: a script names addresses it downloads from, and there are none."""
        return ()

    def product(self, kind: str, name: str) -> str | None:  # noqa: ARG002 - too large for a page
        """STIX file of that name: there is no address for it."""
        return None

    def _inline(self, place: str | None, kind: str) -> str | None:
        if place is None:
            return None
        try:
            content = self._archive.path_of(place).read_bytes()
        except (OSError, NotInArchive):
            return None
        return f"data:{kind};base64,{b64encode(content).decode()}"


def session_links() -> Links:
    """Links for the pages of this process."""
    if routes_are_served():
        return RouteLinks()
    try:
        return InlineLinks(archive_source().archive())
    except Unavailable:
        return RouteLinks()  # there will be nothing to link to


def routes_are_served() -> bool:
    """Whether this process was started with ``--plugins dashboards.server.routes``; nothing else imports it."""
    return ROUTES_MODULE in sys.modules
