"""Choice of how the dialog shows significance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import OFF, DialogLayers
from dashboards.shared.layer_choice import LayerChoice
from dashboards.shared.significance_layer import CHOICES, NONE, significance_html

_LOOK = {"label": "Significance", "options": CHOICES, "value": OFF, "width": 210}


class SignificanceChoice(LayerChoice):
    """A list (off, contours, map) and a legend; the list is disabled where an image has no significance.

    Parameters
    ----------
    layers, on_change
        See `LayerChoice`.
    """

    def __init__(self, layers: DialogLayers, on_change: Callable[[], None]) -> None:
        super().__init__(layers, "significance", on_change, _LOOK)

    def _offer(self, detail: ImageDetail) -> dict[str, Any]:
        has = detail.significance is not None
        return {
            "options": CHOICES if has else NONE,
            "value": self._layers.significance if has else OFF,
            "disabled": not has,
            "visible": detail.file is not None,
        }

    def _legend(self, detail: ImageDetail) -> str:
        return significance_html(detail, self._layers.significance)

    def _choose(self, detail: ImageDetail, value: str) -> None:
        if detail.significance is not None:  # an image without significance keeps the choice for the next
            self._layers.significance = value
