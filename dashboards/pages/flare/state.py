"""State of the flare page: which flare, which clock, which spectrum, and the opened image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import param

from archive import NotInArchive
from dashboards.pages.flare.content import FlareContent, load_flare, load_flare_spectra
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.dialog_layers import DIALOG_KEYS
from dashboards.shared.light_times import Clock
from dashboards.shared.opened_image import OpenedImageState
from dashboards.shared.source import ArchiveSource
from stixcore.errors import StixError


class FlareState(OpenedImageState):
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
    spectrum = param.String("", doc="Id of the spectrum; empty for the one that gave the flare its values")
    content: FlareContent | None = param.ClassSelector(  # type: ignore[assignment]
        class_=FlareContent, allow_None=True, doc="The flare with everything about it"
    )
    problem = param.String("", doc="Why no flare is shown, one sentence; empty if one is")

    outcomes: ClassVar = ("content", "problem", "detail", "detail_problem")
    address_keys: ClassVar[dict[str, str]] = {
        "flare_id": "id",
        "clock": "clock",
        "spectrum": "spectrum",
        "opened": "image",
        **DIALOG_KEYS,
    }

    def __init__(self, source: ArchiveSource, visitor: Callable[[], Visitor] = lambda: GUEST, **params: Any) -> None:
        super().__init__(source, visitor, **params)
        self._unavailable = False
        self.param.watch(self._show_spectrum, "spectrum")

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
            found = self._source.ask(lambda archive: load_flare(archive, self.flare_id, self._visitor(), self.spectrum))
        except NotInArchive:
            return {"content": None, "problem": f"The archive has no flare “{self.flare_id[:60]}”."}
        except StixError as error:
            self._unavailable = True
            return {"content": None, "problem": str(error)}
        return {"content": found, "problem": ""}

    def _show_spectrum(self, *_: Any) -> None:
        """Read another spectrum of the same flare."""
        content = self.content
        if content is None:
            return
        try:
            flare, wanted = content.flare, self.spectrum
            spectra = self._source.ask(lambda archive: load_flare_spectra(archive, flare, self._visitor(), wanted))
        except StixError as error:
            self.param.update(content=None, problem=str(error))
            return
        self.content = replace(content, spectra=spectra)

    @property
    def _image_ids(self) -> list[str]:
        return [] if self.content is None else [image.image_id for image in self.content.images]
