"""Choice of the pointing with which the dialog shows an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import AS_MADE, DialogLayers
from dashboards.shared.pointing_layer import chosen_of, circles_svg, moved_detail, options_of, pointing_html
from dashboards.shared.style import LOW, style


class PointingSwitch:
    """A list of pointings and a legend; hidden where an image has only one.

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
            label="Pointing",
            options={"": AS_MADE},
            value=AS_MADE,
            description="",
            size="small",
            width=270,
            sx=LOW,
            margin=(0, 8, 8, 0),
            visible=False,
        )
        self.legend = pn.pane.HTML(
            "", sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_detail")]
        )
        self.widget.param.watch(self._chosen, "value")
        layers.param.watch(lambda _: self._follow(), "pointing")

    def show(self, detail: ImageDetail) -> None:
        """Show the pointings of an image."""
        self._detail = detail
        options = options_of(detail.pointings)
        several = len(options) > 1
        self.widget.param.update(
            options=options if several else {"": AS_MADE}, value=self._value(options), visible=several
        )
        self._show_legend()

    def moved(self, detail: ImageDetail) -> ImageDetail:
        """The image with its picture moved to the chosen pointing, where a shift suffices."""
        return moved_detail(detail, chosen_of(detail.pointings, self._layers.pointing))

    def svg(self, detail: ImageDetail) -> str:
        """Error circles over the picture."""
        return "" if detail.file is None else circles_svg(detail.pointings, detail.file.extent)

    def _value(self, options: dict[str, str]) -> str:
        """What the list shows: the choice, where this image has it."""
        return self._layers.pointing if self._layers.pointing in options.values() else AS_MADE

    def _chosen(self, event: Any) -> None:
        detail = self._detail
        if detail is not None and event.new != self._value(options_of(detail.pointings)):
            self._layers.pointing = event.new

    def _follow(self) -> None:
        if self._detail is not None:
            self.widget.value = self._value(options_of(self._detail.pointings))
            self._show_legend()
            self._on_change()

    def _show_legend(self) -> None:
        detail = self._detail
        if detail is not None:
            self.legend.object = pointing_html(detail, chosen_of(detail.pointings, self._layers.pointing))
