"""Choice of how the dialog shows significance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import OFF, DialogLayers
from dashboards.shared.significance_layer import CHOICES, NONE, significance_html
from dashboards.shared.style import LOW, style


class SignificanceChoice:
    """A list (off, contours, map) and a legend; the list is disabled where an image has no significance.

    Parameters
    ----------
    layers : DialogLayers
        Has the choice.
    on_change : callable
        Called after another choice.
    """

    def __init__(self, layers: DialogLayers, on_change: Callable[[], None]) -> None:
        self._layers, self._on_change = layers, on_change
        self._detail: ImageDetail | None = None
        self.widget = pmui.Select(
            label="Significance",
            options=CHOICES,
            value=OFF,
            description="",
            size="small",
            width=210,
            sx=LOW,
            margin=(0, 8, 8, 0),
        )
        self.legend = pn.pane.HTML(
            "", sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_detail")]
        )
        self.widget.param.watch(self._chosen, "value")
        layers.param.watch(lambda _: self._follow(), "significance")

    def show(self, detail: ImageDetail) -> None:
        """Offer what an image has."""
        self._detail = detail
        has = detail.significance is not None
        self.widget.param.update(
            options=CHOICES if has else NONE,
            value=self._layers.significance if has else OFF,
            disabled=not has,
            visible=detail.file is not None,
        )
        self._show_legend()

    def _chosen(self, event: Any) -> None:
        detail = self._detail
        # an image without significance keeps the choice for the next
        if detail is not None and detail.significance is not None:
            self._layers.significance = event.new

    def _follow(self) -> None:
        if self._detail is not None:
            self.show(self._detail)
            self._on_change()

    def _show_legend(self) -> None:
        detail = self._detail
        self.legend.object = "" if detail is None else significance_html(detail, self._layers.significance)
