"""Colours and labels of light curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archive.index.series import BANDS

#: Labels of the bands.
BAND_NAMES: Mapping[str, str] = {band: f"{band.replace('_', '–')} keV" for band in BANDS}


@dataclass(frozen=True)
class Colors:
    """Colours of a theme.

    Bands are blue, orange, green, red and purple, with different lightness for colour blindness:
    tests/dashboards/shared/test_colors.py simulates it.
    """

    bands: tuple[str, str, str, str, str]
    ink: str
    line: str
    paper: str
    flare: str
    attenuator: str
    trusted: str
    doubtful: str
    detector: str


LIGHT = Colors(
    ("#0050a0", "#c87700", "#008f6b", "#bd2a28", "#ab5fd6"),
    "#1c2733", "#e3e8ee", "#ffffff", "#5d7ea3", "#c75000", "#15612e", "#c47a00", "#b3156f",
)  # fmt: skip
DARK = Colors(
    ("#3f98e0", "#f5b042", "#2fd0a5", "#f06a5a", "#e8c8fd"),
    "#e6edf5", "#2a3644", "#131b24", "#7fa3cc", "#ff9e57", "#2e9d57", "#ffc65c", "#ff7ac3",
)  # fmt: skip
