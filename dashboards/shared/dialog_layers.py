"""What is shown over the image in the dialog: kept in the URL of the page whose dialog it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import param

from dashboards.shared.address import AddressState
from stixcore.coordinates import PointingSource

#: The pointing that the image was made with.
AS_MADE = ""
#: Parameters of `DialogLayers` and their names in the URL; part of the ``address_keys`` of every page with the dialog.
DIALOG_KEYS: Mapping[str, str] = {"pointing": "pointing", "significance": "significance"}
#: How significance is shown: not, as contours over the image, or as a map in its place, also with contours.
OFF, CONTOURS, MAP = "off", "contours", "map"


class DialogLayers(AddressState):
    """Base of the states of pages with an image dialog."""

    pointing: param.Selector[Any] = param.Selector(
        default=AS_MADE,
        objects=[AS_MADE, *(str(source) for source in PointingSource)],
        doc="Source of the pointing with which images are shown; empty for that with which they were made",
    )
    significance: param.Selector[Any] = param.Selector(
        default=OFF, objects=[OFF, CONTOURS, MAP], doc="How the significance of images is shown"
    )

    def reset_layers(self) -> None:
        """Set all layers to their defaults."""
        self.param.update(**{name: self.param[name].default for name in DIALOG_KEYS})
