"""Filter fields above the image table, and the choice of columns."""

from __future__ import annotations

from typing import Any

from dashboards.pages.image_archive.filter_state import (
    ANY,
    ANYONE,
    ASPECT_TRUST,
    AUTOMATIC,
    DOUBTFUL,
    MINE,
    TRUSTED,
    USERS,
)
from dashboards.pages.image_archive.state import NO_IMAGE_TAB, ImageArchiveState
from dashboards.shared import formatting
from dashboards.shared.folding_filters import FoldingFilters
from dashboards.shared.image_columns import IMAGE_COLUMNS, PICTURE
from stixcore.imaging.registry import known_names

#: Common bands: those of the previews and of the quick-look light curves.
BANDS = {"any energy": ""} | {
    f"{low}–{high} keV": f"{low}-{high}" for low, high in ((4, 10), (10, 15), (15, 25), (16, 28), (25, 50), (50, 84))
}
TRUST = {"trusted or not": ANY, "trusted": TRUSTED, "doubtful": DOUBTFUL} | {
    f"{aspect} {word}": choice for choice, (aspect, word) in ASPECT_TRUST.items()
}
AUTHORS = {"automatic": AUTOMATIC, "anyone": ANYONE, "users": USERS, "me": MINE}


class ImageFilters(FoldingFilters[ImageArchiveState]):
    """Fields linked to an `ImageArchiveState`."""

    more = ("flare", "uid", "goes", "estimated", "x", "y", "counts", "author")

    def _first_fields(self) -> list[Any]:
        band = self._state.band
        bands = {**BANDS, **({} if band in BANDS.values() else {band: band})}
        methods = {formatting.method_name(method): method for method in known_names()}
        return [
            *self._times(),
            self._text("text", "Uid, flare or image id", 180),
            *self._only_images(
                self._choice("band", "Energy", bands, 140),
                self._several("Method", methods, 220, of=self._state.param.methods),
                self._choice("trust", "Trust", TRUST, 150),
            ),
        ]

    def _second_fields(self) -> list[Any]:
        author = self._state.author
        authors = {**AUTHORS, **({} if author in AUTHORS.values() else {author: author})}
        return [
            self._text("flare", "Flare id", 130, "2211111137"),
            self._text("uid", "Unique id", 130, "2211116471"),
            *self._only_images(
                *self._classes(),
                *self._position(),
                self._text("counts", "Min. counts", 150, "10000"),
                self._choice("author", "Made by", authors, 130),
            ),
            self._columns(IMAGE_COLUMNS, PICTURE),
        ]

    def _only_images(self, *fields: Any) -> tuple[Any, ...]:
        """Fields that are disabled where they do not apply: for bands without images."""

        def enable(*_: Any) -> None:
            for field in fields:
                field.disabled = self._state.tab == NO_IMAGE_TAB

        enable()
        self._state.param.watch(enable, "tab")
        return fields
