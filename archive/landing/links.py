"""Where a landing page leads: addresses of the server, or files of a published archive."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Protocol

from archive.index.schema import Image, Run


class LandingLinks(Protocol):
    """Relative addresses, escaped for HTML; empty for what is not there."""

    def flare(self, flare_id: str) -> str:
        """The page of a flare."""

    def archive_page(self, image: Image) -> str:
        """The page of the image archive with an image."""

    def science(self, run: Run) -> str:
        """The page of the science data of a run."""

    def image_set(self, recipe_id: str) -> str:
        """The landing page of another image set."""

    def fits(self, image: Image) -> str:
        """The FITS file of an image."""

    def picture(self, image: Image) -> str:
        """The picture of an image."""

    def thumbnail(self, image: Image) -> str:
        """The small picture of an image."""

    def script(self, image: Image, suffix: str) -> str:
        """A script that makes an image."""


@dataclass(frozen=True)
class ServerLinks:
    """Addresses of the server.

    Attributes
    ----------
    up : str
        Relative path from the page to the first page, such as "../".
    """

    up: str

    def flare(self, flare_id: str) -> str:
        """See `LandingLinks`."""
        return f"{self.up}flare?id={escape(flare_id)}"

    def archive_page(self, image: Image) -> str:
        """See `LandingLinks`."""
        return f"{self.up}image_archive?image={escape(image.image_id)}"

    def science(self, run: Run) -> str:
        """See `LandingLinks`."""
        return f"{self.up}science_data?uid={escape(run.uid)}"

    def image_set(self, recipe_id: str) -> str:
        """See `LandingLinks`."""
        return recipe_id

    def fits(self, image: Image) -> str:
        """See `LandingLinks`."""
        return f"{self.up}archive/fits/{escape(image.image_id)}"

    def picture(self, image: Image) -> str:
        """See `LandingLinks`."""
        return f"{self.up}archive/png/{escape(image.image_id)}"

    def thumbnail(self, image: Image) -> str:
        """See `LandingLinks`."""
        return "" if image.thumbnail is None else f"{self.up}archive/thumbnail/{escape(image.image_id)}"

    def script(self, image: Image, suffix: str) -> str:
        """See `LandingLinks`."""
        return f"{self.up}archive/script/{escape(image.image_id)}{suffix}"
