"""Which rows a page shows, as typed by the visitor, and as the archive takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import param

from archive import ImageFilter, RunFilter, RunStatus
from archive.layout import METHODS
from dashboards.state.access import GUEST, Visitor
from dashboards.state.address import AddressState
from dashboards.state.errors import NotUnderstood
from dashboards.state.ranges import earliest, energy_band, latest

ANY, TRUSTED, DOUBTFUL = "any", "trusted", "doubtful"


class Selection(AddressState):
    """A filter over images and runs.

    What cannot be understood is left out and said in `complaints`.
    """

    start = param.String("", doc="Earliest time, UTC at Solar Orbiter; may be given in part")
    end = param.String("", doc="Latest time, included, UTC at Solar Orbiter; may be given in part")
    text = param.String("", doc="A piece of uid, flare id or image id")
    methods = param.ListSelector(default=[], objects=list(METHODS), doc="Any of these methods; none for all")
    band = param.String("", doc="Energy range that the images overlap, “4-10”")
    trust: param.Selector[Any] = param.Selector(
        default=ANY, objects=[ANY, TRUSTED, DOUBTFUL], doc="Whether something speaks against it"
    )

    complaints = param.Dict({}, doc="Parameter → why its value is not used")

    filter_names = ("start", "end", "text", "methods", "band", "trust")

    @property
    def filtered(self) -> bool:
        """Whether anything is filtered out at all."""
        return any(getattr(self, name) != self.param[name].default for name in self.filter_names)

    def clear_filter(self) -> None:
        """Let everything through."""
        self.param.update(**{name: self.param[name].default for name in self.filter_names})

    def image_filter(self, visitor: Visitor = GUEST) -> ImageFilter:
        """The filter for images; sets `complaints`."""
        meaning = self._understand({"start": earliest, "end": latest, "band": energy_band})
        low, high = meaning["band"] or (None, None)
        return ImageFilter(
            t_start=meaning["start"],
            t_end=meaning["end"],
            text=self.text.strip(),
            methods=tuple(self.methods),
            e_low=low,
            e_high=high,
            trusted=None if self.trust == ANY else self.trust == TRUSTED,
            viewer=visitor.name,
            all_hidden=visitor.operator,
        )

    def imageless_filter(self, visitor: Visitor = GUEST) -> RunFilter:
        """The filter for runs that made no image; what only images have (method, band, trust) does not apply."""
        meaning = self._understand({"start": earliest, "end": latest})
        return RunFilter(
            t_start=meaning["start"],
            t_end=meaning["end"],
            text=self.text.strip(),
            statuses=(RunStatus.SKIPPED, RunStatus.FAILED),
            viewer=visitor.name,
            all_hidden=visitor.operator,
        )

    def _understand(self, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """What typed values mean, None where they mean nothing."""
        meaning: dict[str, Any] = {}
        complaints: dict[str, str] = {}
        for name, read in readers.items():
            try:
                meaning[name] = read(getattr(self, name))
            except NotUnderstood as error:
                meaning[name] = None
                complaints[name] = str(error)
        self.complaints = complaints
        return meaning
