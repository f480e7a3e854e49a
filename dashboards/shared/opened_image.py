"""State of a page that opens images of its own in a dialog."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import param

from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.dialog_layers import DialogLayers
from dashboards.shared.source import ArchiveSource
from dashboards.shared.steps import Steps, beside
from stixcore.errors import StixError


class OpenedImageState(DialogLayers):
    """Base of states with an opened image among the images that the page shows.

    Parameters
    ----------
    source : ArchiveSource
    visitor : callable
        Returns the current visitor, so that a user who has signed out elsewhere no longer sees hidden images.
    """

    opened = param.String("", doc="Id of the image that is shown large; empty for none")

    detail = param.ClassSelector(class_=ImageDetail, default=None, allow_None=True, doc="The opened image")
    detail_problem = param.String("", doc="Why the opened image is not shown")

    def __init__(self, source: ArchiveSource, visitor: Callable[[], Visitor] = lambda: GUEST, **params: Any) -> None:
        super().__init__(**params)
        self._source, self._visitor = source, visitor
        self.param.watch(self._opened, "opened")

    def step(self, by: int) -> None:
        """Open the image that many places further on the page; stops at the ends."""
        self.opened = beside(self._image_ids, self.opened, by)

    @property
    def steps(self) -> Steps:
        """Previous and next of the open image."""
        return Steps.among(self._image_ids, self.opened)

    @property
    @abstractmethod
    def _image_ids(self) -> list[str]:
        """Images of the page, in their order."""

    def _opened(self, *_: param.parameterized.Event) -> None:
        if not self.opened:
            self.param.update(detail=None, detail_problem="")
            return
        try:
            detail = self._source.ask(lambda archive: load_detail(archive, self.opened, self._visitor()))
            self.param.update(detail=detail, detail_problem="")
        except StixError as error:
            self.param.update(detail=None, detail_problem=str(error))
