"""A list with a legend in the dialog of an image, for one of the layers over the picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import DialogLayers
from dashboards.shared.style import LOW, style


class LayerChoice(ABC):
    """What the lists of the dialog have in common: they follow the state of the page, and the page follows them.

    Parameters
    ----------
    layers : DialogLayers
        Has the choice.
    name : str
        Parameter of ``layers`` that the list sets.
    on_change : callable
        Called after another choice.
    look : mapping
        Label, options, value and width of the list.
    """

    def __init__(self, layers: DialogLayers, name: str, on_change: Callable[[], None], look: Mapping[str, Any]) -> None:
        self._layers, self._on_change = layers, on_change
        self._detail: ImageDetail | None = None
        self.widget = pmui.Select(description="", size="small", sx=LOW, margin=(0, 8, 8, 0), **look)
        self.legend = pn.pane.HTML(
            "", sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_detail")]
        )
        self.widget.param.watch(self._chosen, "value")
        layers.param.watch(lambda _: self._follow(), name)

    def show(self, detail: ImageDetail) -> None:
        """Offer what an image has."""
        self._detail = detail
        self.widget.param.update(**self._offer(detail))
        self.legend.object = self._legend(detail)

    @abstractmethod
    def _offer(self, detail: ImageDetail) -> dict[str, Any]:
        """Options, value and visibility of the list for an image."""

    @abstractmethod
    def _legend(self, detail: ImageDetail) -> str:
        """HTML below the picture."""

    @abstractmethod
    def _choose(self, detail: ImageDetail, value: str) -> None:
        """Keep a choice that the visitor made for an image."""

    def _chosen(self, event: Any) -> None:
        if self._detail is not None:
            self._choose(self._detail, event.new)

    def _follow(self) -> None:
        if self._detail is not None:
            self.show(self._detail)
            self._on_change()
