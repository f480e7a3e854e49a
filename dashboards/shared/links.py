"""URLs of pages and of an image's files.

They are relative to the URL of the page, so that they also work behind a proxy with a path prefix.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import urlencode

from archive import Archive, Image, NotInArchive
from archive.cubes import MEDIA_TYPES, Cube
from dashboards.shared.source import Unavailable, archive_source

#: Label and URL suffix of each script.
SCRIPTS = (("Python", ".py"), ("IDL", ".pro"), ("Notebook", ".ipynb"), ("stixpy", "-stixpy.py"))
ROUTES_MODULE = "dashboards.server.routes"


def flare_address(flare_id: str) -> str:
    """URL of the page of a flare, ``flare?id=2211110123``; escape it where it becomes HTML."""
    return "flare?" + urlencode({"id": flare_id})


def flare_link(flare_id: str) -> str:
    """Link to the page of a flare, with its id as text."""
    return f'<a href="{escape(flare_address(flare_id))}">{escape(flare_id)}</a>'


def uid_link(uid: str, text: str = "") -> str:
    """Link to the science file of a unique id; plain text is the uid, if no other is given."""
    return f'<a href="science_data?{escape(urlencode({"uid": uid}))}">{escape(text or uid)}</a>'


def locator_links(recipe_id: str) -> str:
    """Links to the map and the regions of the coarse flare locator of an image set; empty without routes."""
    place = f"archive/locator/{escape(recipe_id)}"
    return _computed(("FITS", f"{place}.fits", "Map of the coarse flare locator"),
                     ("JSON", f"{place}.json", "Regions of the coarse flare locator"))  # fmt: skip


def pointing_link(recipe_id: str) -> str:
    """Link to all pointings of an image set; empty without routes."""
    return _computed(("JSON", f"archive/pointing/{escape(recipe_id)}.json", "All pointings"))


def landing_address(recipe_id: str) -> str:
    """URL of the lasting page of an image set; empty without routes."""
    return f"image/{recipe_id}" if routes_are_served() else ""


def send_address(**what: str) -> str:
    """URL of the page that sends an image or a flare to a program: ``send?flare=2211110123``; empty without routes."""
    return f"send?{urlencode(what)}" if routes_are_served() else ""


def _computed(*files: tuple[str, str, str]) -> str:
    """Links to files that the server computes: format, URL, and what is in the file."""
    if not routes_are_served():
        return ""
    return " ".join(
        f'<a class="file" href="{place}" download aria-label="{what}, {form}">{form}</a>' for form, place, what in files
    )


class Links(Protocol):
    """URLs of the files of an image; None where there is no URL.

    Attributes
    ----------
    cheap : bool
        Links are short, so that every row of a table may link its FITS file.
    """

    cheap: bool

    def thumbnail(self, image: Image) -> str | None:
        """Thumbnail."""

    def picture(self, image: Image) -> str | None:
        """Full-size picture with axes."""

    def fits(self, image: Image) -> str | None:
        """FITS file."""

    def scripts(self, image: Image) -> Sequence[tuple[str, str]]:
        """Label and URL of each script that reproduces the image; empty without routes."""

    def product(self, kind: str, name: str) -> str | None:
        """STIX file by name; ``kind`` is "science", "quicklook", "aux" or "other"."""

    def cube(self, cube: Cube, name: str) -> str | None:
        """File of a cube by name."""


class RouteLinks:
    """URLs under ``/archive/``, served by `dashboards.server.routes`."""

    cheap = True

    def thumbnail(self, image: Image) -> str | None:
        """Thumbnail."""
        return f"archive/thumbnail/{image.image_id}" if image.thumbnail else None

    def picture(self, image: Image) -> str | None:
        """Full-size picture with axes."""
        return f"archive/png/{image.image_id}" if image.png else None

    def fits(self, image: Image) -> str | None:
        """FITS file."""
        return f"archive/fits/{image.image_id}"

    def scripts(self, image: Image) -> Sequence[tuple[str, str]]:
        """Scripts that reproduce the image."""
        return tuple((name, f"archive/script/{image.image_id}{suffix}") for name, suffix in SCRIPTS)

    def product(self, kind: str, name: str) -> str | None:
        """STIX file by name."""
        return f"archive/{kind}/{name}"

    def cube(self, cube: Cube, name: str) -> str | None:
        """File of a cube by name."""
        return f"archive/cube/{cube.group_id}/{name}"


class NoLinks(RouteLinks):
    """Links of files that are not in the archive: they have no URL."""

    def product(self, kind: str, name: str) -> str | None:  # noqa: ARG002 - signature of `Links`
        """None."""
        return None


class InlineLinks:
    """Embeds the files in the page, for a plain ``panel serve`` without routes.

    Parameters
    ----------
    archive : Archive
    """

    cheap = False

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def thumbnail(self, image: Image) -> str | None:
        """Thumbnail."""
        return self._inline(image.thumbnail, "image/png")

    def picture(self, image: Image) -> str | None:
        """Full-size picture with axes."""
        return self._inline(image.png, "image/png")

    def fits(self, image: Image) -> str | None:
        """FITS file."""
        return self._inline(image.file, "application/fits")

    def scripts(self, image: Image) -> Sequence[tuple[str, str]]:  # noqa: ARG002 - signature of `Links`
        """Empty: scripts contain download URLs, and there are none."""
        return ()

    def product(self, kind: str, name: str) -> str | None:  # noqa: ARG002 - too large for a page
        """None: STIX files are not embedded."""
        return None

    def cube(self, cube: Cube, name: str) -> str | None:
        """File of a cube by name."""
        return self._inline(str(cube.folder / name), MEDIA_TYPES[PurePosixPath(name).suffix])

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
        return RouteLinks()  # without an archive there is nothing to link to


def routes_are_served() -> bool:
    """Whether this process was started with ``--plugins dashboards.server.routes``, which alone imports that module."""
    return ROUTES_MODULE in sys.modules
