"""Rows of a table of images."""

from __future__ import annotations

from dataclasses import dataclass

from archive import Image


@dataclass(frozen=True)
class Counts:
    """Counts and background counts in the selection of a recipe, ct; None if unknown."""

    total: float | None
    background: float | None

    @property
    def net(self) -> float | None:
        """Counts above background, ct."""
        if self.total is None:
            return None
        return self.total - (self.background or 0.0)


@dataclass(frozen=True)
class ImageRow:
    """A row of the table: an image and its counts."""

    image: Image
    counts: Counts | None = None
