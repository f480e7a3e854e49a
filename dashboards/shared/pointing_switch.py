"""Choice of the pointing with which the dialog shows an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import AS_MADE, DialogLayers
from dashboards.shared.layer_choice import LayerChoice
from dashboards.shared.pointing_layer import chosen_of, circles_svg, moved_detail, options_of, pointing_html

_ALONE = {"": AS_MADE}
_LOOK = {"label": "Pointing", "options": _ALONE, "value": AS_MADE, "width": 270, "visible": False}


class PointingSwitch(LayerChoice):
    """A list of pointings and a legend; the list is hidden where an image has only one.

    Parameters
    ----------
    layers, on_change
        See `LayerChoice`.
    """

    def __init__(self, layers: DialogLayers, on_change: Callable[[], None]) -> None:
        super().__init__(layers, "pointing", on_change, _LOOK)

    def moved(self, detail: ImageDetail) -> ImageDetail:
        """The image with its picture moved to the chosen pointing, where a shift suffices."""
        return moved_detail(detail, chosen_of(detail.pointings, self._layers.pointing))

    def svg(self, detail: ImageDetail) -> str:
        """Error circles over the picture."""
        return "" if detail.file is None else circles_svg(detail.pointings, detail.file.extent)

    def _offer(self, detail: ImageDetail) -> dict[str, Any]:
        options = options_of(detail.pointings)
        several = len(options) > 1
        return {"options": options if several else _ALONE, "value": self._value(options), "visible": several}

    def _legend(self, detail: ImageDetail) -> str:
        return pointing_html(detail, chosen_of(detail.pointings, self._layers.pointing))

    def _choose(self, detail: ImageDetail, value: str) -> None:
        # setting the value for another image is no choice of the visitor
        if value != self._value(options_of(detail.pointings)):
            self._layers.pointing = value

    def _value(self, options: dict[str, str]) -> str:
        """What the list shows: the choice, where this image has it."""
        return self._layers.pointing if self._layers.pointing in options.values() else AS_MADE
