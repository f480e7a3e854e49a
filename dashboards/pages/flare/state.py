"""State of the flare page: which flare, which clock, and the opened image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import param

from archive import NotInArchive
from dashboards.pages.flare.content import FlareContent, load_flare
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.dialog_layers import DIALOG_KEYS, DialogLayers
from dashboards.shared.light_times import Clock
from dashboards.shared.source import ArchiveSource
from dashboards.shared.steps import Steps, beside
from stixcore.errors import StixError


class FlareState(DialogLayers):
    """Everything that the flare page shows.

    Parameters
    ----------
    source : ArchiveSource
    visitor : callable
        Returns the current visitor, so that a user who has signed out elsewhere no longer sees hidden images.
    """

    flare_id: str = param.String("", doc="Any id of the flare")  # type: ignore[assignment]
    clock: param.Selector[Any] = param.Selector(
        default=Clock.SOLAR_ORBITER.value, objects=[clock.value for clock in Clock], doc="Clock of the light curves"
    )
    opened = param.String("", doc="Id of the image shown large; empty for none")

    content: FlareContent | None = param.ClassSelector(  # type: ignore[assignment]
        class_=FlareContent, allow_None=True, doc="The flare with everything about it"
    )
    problem = param.String("", doc="Why no flare is shown, one sentence; empty if one is")
    detail = param.ClassSelector(class_=ImageDetail, allow_None=True, doc="The opened image")
    detail_problem = param.String("", doc="Why the opened image is not shown")

    outcomes: ClassVar = ("content", "problem", "detail", "detail_problem")
    address_keys: ClassVar[dict[str, str]] = {"flare_id": "id", "clock": "clock", "opened": "image", **DIALOG_KEYS}

    def __init__(self, source: ArchiveSource, visitor: Callable[[], Visitor] = lambda: GUEST, **params: Any) -> None:
        super().__init__(**params)
        self._source, self._visitor = source, visitor
        self._unavailable = False
        self.param.watch(self._opened, "opened")

    def load(self) -> None:
        """Load the flare and the opened image."""
        self.param.update(**self._loaded())
        self._opened()

    @property
    def unknown(self) -> bool:
        """Whether there is no such flare, although the archive can be read."""
        return self.content is None and not self._unavailable

    def _loaded(self) -> dict[str, Any]:
        if not self.flare_id:
            return {"content": None, "problem": "The URL names no flare (example: flare?id=2211111136)."}
        try:
            found = self._source.ask(lambda archive: load_flare(archive, self.flare_id, self._visitor()))
        except NotInArchive:
            return {"content": None, "problem": f"The archive has no flare “{self.flare_id[:60]}”."}
        except StixError as error:
            self._unavailable = True
            return {"content": None, "problem": str(error)}
        return {"content": found, "problem": ""}

    def step(self, by: int) -> None:
        """Open the image that many places further on the page; stops at its ends."""
        self.opened = beside(self._ids, self.opened, by)

    @property
    def steps(self) -> Steps:
        """Previous and next of the open image."""
        return Steps.among(self._ids, self.opened)

    @property
    def _ids(self) -> list[str]:
        return [] if self.content is None else [image.image_id for image in self.content.images]

    def _opened(self, *_: param.parameterized.Event) -> None:
        if not self.opened:
            self.param.update(detail=None, detail_problem="")
            return
        try:
            detail = self._source.ask(lambda archive: load_detail(archive, self.opened, self._visitor()))
            self.param.update(detail=detail, detail_problem="")
        except StixError as error:
            self.param.update(detail=None, detail_problem=str(error))
