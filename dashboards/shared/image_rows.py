"""Rows of a table of images."""

from __future__ import annotations

from dataclasses import dataclass

from archive import Image


@dataclass(frozen=True)
class Counts:
    """Counts in the selection of a recipe and background in them, ct; None where unknown."""

    total: float | None
    background: float | None

    @property
    def net(self) -> float | None:
        """What is left above background, ct."""
        if self.total is None:
            return None
        return self.total - (self.background or 0.0)


@dataclass(frozen=True)
class ImageRow:
    """A row of the table: an image and the counts it was made of."""

    image: Image
    counts: Counts | None = None
