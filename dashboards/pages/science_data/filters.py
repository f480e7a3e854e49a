"""Filter fields above the table of science files."""

from __future__ import annotations

from typing import Any

import panel.ui as pmui

from dashboards.pages.science_data.state import ANY, BACKGROUNDS, FLARES, PIXELS, SPECTROGRAMS, ScienceState
from dashboards.shared.folding_filters import FIELD, FoldingFilters

PRODUCTS = {"any type": ANY, "pixel data": PIXELS, "spectrogram": SPECTROGRAMS}
AIMS = {"any purpose": ANY, "science": FLARES, "background": BACKGROUNDS}


class ScienceFilters(FoldingFilters[ScienceState]):
    """Fields linked to a `ScienceState`."""

    def _first_fields(self) -> list[Any]:
        return [
            *self._times(),
            self._text("text", "Uid, name or subject", 172),
            self._choice("product", "Type", PRODUCTS, 136),
            self._choice("aim", "Purpose", AIMS, 146),
            self._text("band", "Covers [keV]", 120, "16-28"),
            pmui.IntInput.from_param(self._state.param.minutes, label="Min. length [min]", width=130, **FIELD),
        ]
