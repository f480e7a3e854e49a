"""Filter of a page: as typed by the visitor, and as used by the archive."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from archive import ImageFilter, RunFilter, RunStatus
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.filter_state import FilterState
from dashboards.shared.ranges import at_least, earliest, energy_band, goes_range, latest, number_range
from stixcore.imaging.registry import known_names

ANY, TRUSTED, DOUBTFUL = "any", "trusted", "doubtful"
#: Choice of the verdict on one aspect of an image → aspect and verdict, as in "flux-trusted".
ASPECT_TRUST = {
    f"{aspect}-{word}": (aspect, word) for aspect in ("position", "flux", "shape") for word in (TRUSTED, DOUBTFUL)
}
#: Values of ``author`` besides user names.
AUTOMATIC, USERS, MINE, ANYONE = "auto", "users", "mine", "anyone"


class ImageFilterState(FilterState):
    """A filter over images and runs.

    Invalid values are ignored and reported in `complaints`.
    """

    start = param.String("", doc="Earliest time, UTC at Solar Orbiter; may be given in part")
    end = param.String("", doc="Latest time, included, UTC at Solar Orbiter; may be given in part")
    text = param.String("", doc="A piece of uid, flare id or image id")
    methods = param.ListSelector(default=[], objects=list(known_names()), doc="Any of these methods; none for all")
    band = param.String("", doc="Energy range that the images overlap, “4-10”")
    trust: param.Selector[Any] = param.Selector(
        default=ANY,
        objects=[ANY, TRUSTED, DOUBTFUL, *ASPECT_TRUST],
        doc="Whether it, or its position, flux or shape, is doubtful",
    )
    flare = param.String("", doc="Flare id, exact")
    uid = param.String("", doc="Unique id of the science request, exact")
    goes = param.String("", doc="Measured GOES class or range of them, “C1” (and above), “C1-M5”")
    estimated = param.String("", doc="GOES class estimated from STIX data, or range of them")
    x = param.String("", doc="Range of the peak's Solar X, arcsec, “-600..-400”")
    y = param.String("", doc="Range of the peak's Solar Y, arcsec")
    counts = param.String("", doc="Fewest counts above background, ct")
    author = param.String(AUTOMATIC, doc="“auto”, “users”, “mine”, “anyone”, or the name of a user")

    filter_names: ClassVar = (
        "start",
        "end",
        "text",
        "methods",
        "band",
        "trust",
        "flare",
        "uid",
        "goes",
        "estimated",
        "x",
        "y",
        "counts",
        "author",
    )

    def image_filter(self, visitor: Visitor = GUEST) -> ImageFilter:
        """The filter for images; sets `complaints`."""
        parsed = self._parse_fields(
            {
                "start": earliest,
                "end": latest,
                "band": energy_band,
                "goes": goes_range,
                "estimated": goes_range,
                "x": number_range,
                "y": number_range,
                "counts": at_least,
            }
        )
        (low, high), (goes_min, goes_max), (estimated_min, estimated_max), (x_min, x_max), (y_min, y_max) = (
            parsed[name] or (None, None) for name in ("band", "goes", "estimated", "x", "y")
        )
        author = self._author(visitor)
        aspect, word = ASPECT_TRUST.get(self.trust, (None, None))
        return ImageFilter(
            t_start=parsed["start"],
            t_end=parsed["end"],
            text=self.text.strip(),
            flare_id=self.flare.strip() or None,
            uid=self.uid.strip() or None,
            methods=tuple(self.methods),
            e_low=low,
            e_high=high,
            goes_min=goes_min,
            goes_max=goes_max,
            estimated_min=estimated_min,
            estimated_max=estimated_max,
            x_min=x_min,
            x_max=x_max,
            y_min=y_min,
            y_max=y_max,
            counts_min=parsed["counts"],
            automatic={AUTOMATIC: True, USERS: False}.get(author or ""),
            author=None if author in (AUTOMATIC, USERS, ANYONE) else author,
            trusted={TRUSTED: True, DOUBTFUL: False}.get(self.trust),
            verdict_position=word if aspect == "position" else None,
            verdict_flux=word if aspect == "flux" else None,
            verdict_shape=word if aspect == "shape" else None,
            # the steps of a cube would fill the first pages; they are found by their flare or id
            grouped=None if self.text.strip() or self.flare.strip() else False,
            viewer=visitor.name,
            all_hidden=visitor.operator,
        )

    def run_filter(self, visitor: Visitor = GUEST) -> RunFilter:
        """The filter for runs without images; other filters do not apply to them."""
        parsed = self._parse_fields({"start": earliest, "end": latest})
        return RunFilter(
            t_start=parsed["start"],
            t_end=parsed["end"],
            text=self.text.strip(),
            flare_id=self.flare.strip() or None,
            uid=self.uid.strip() or None,
            statuses=(RunStatus.SKIPPED, RunStatus.FAILED),
            viewer=visitor.name,
            all_hidden=visitor.operator,
        )

    def _author(self, visitor: Visitor) -> str | None:
        """Selected author; for a guest's own images an empty name, which matches no user."""
        if self.author == MINE:
            if visitor.name is None:
                self.complaints = {**self.complaints, "author": "Sign in to see your own images"}
            return visitor.name or ""
        return self.author.strip() or None
