"""Filter fields above the flare table, and the choice of columns."""

from __future__ import annotations

from typing import Any

from archive.index.filters import NO_LOCATION
from dashboards.pages.flares.columns import FLARE_COLUMNS, ID
from dashboards.pages.flares.filter_state import ANY, DOUBTFUL, NO, REAL, SIMULATED, TRUSTED, YES
from dashboards.pages.flares.state import FlaresState
from dashboards.shared.folding_filters import FoldingFilters

VERDICTS = {"any": ANY, "trusted": TRUSTED, "doubtful": DOUBTFUL, "unknown": NO_LOCATION}
EARTH = {"visible or not": ANY, "visible": YES, "hidden": NO}
PICTURES = {"with or without": ANY, "with images": YES, "without images": NO}
SERIES = {"real or simulated": ANY, "real": REAL, "simulated": SIMULATED}


class FlareFilters(FoldingFilters[FlaresState]):
    """Fields linked to a `FlaresState`."""

    more = ("estimated", "temperature", "delta", "pictures", "x", "y", "series")

    def _first_fields(self) -> list[Any]:
        return [
            *self._times(),
            self._text("text", "Flare id or SOL identifier", 220),
            self._classes()[0],
            self._choice("verdict", "Position is", VERDICTS, 120),
            self._choice("earth", "From the Earth", EARTH, 140),
        ]

    def _second_fields(self) -> list[Any]:
        return [
            self._classes()[1],
            self._text("temperature", "Temperature [MK]", 170, "10..20, or ≥ 15"),
            self._text("delta", "Spectral index δ", 140, "3..6"),
            *self._position(),
            self._choice("pictures", "Images", PICTURES, 180),
            self._choice("series", "Data", SERIES, 190),
            self._columns(FLARE_COLUMNS, ID),
        ]
