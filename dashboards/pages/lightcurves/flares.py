"""Flares of a window of the light curves, as labelled spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive import Archive
from archive.index.schema import FLARES
from archive.index.sql import select
from dashboards.shared import formatting
from dashboards.shared.time_window import Window

#: More spans would hide the curves; the strongest are shown.
MOST_FLARES = 200

_COLUMNS = (
    "flare_id, t_start, t_peak, t_end, peak_counts, goes_class, goes_estimated_low, goes_estimated, "
    "goes_estimated_high, count(*) OVER () AS total"
)
_IN_WINDOW = """
    WHERE simulated = ? AND coalesce(t_end, t_peak) > ? AND coalesce(t_start, t_peak) < ?
    ORDER BY peak_counts DESC NULLS LAST, goes_flux DESC NULLS LAST, flare_id LIMIT ?
"""


@dataclass(frozen=True)
class FlareSpan:
    """One flare as a shaded span.

    Attributes
    ----------
    flare_id : str
    start, peak, end : datetime64
        UTC at Solar Orbiter; all equal if a list contains only the peak.
    class_text : str
        GOES class, measured or else estimated; empty if unknown.
    peak_counts : float or None, ct
        Maximum counts in a bin of 4 s, 4-10 keV.
    """

    flare_id: str
    start: np.datetime64
    peak: np.datetime64
    end: np.datetime64
    class_text: str
    peak_counts: float | None

    @property
    def label(self) -> str:
        """Id and, on a second line, class."""
        return f"{self.flare_id}\n{self.class_text}".strip()


def flares_in(archive: Archive, window: Window, *, simulated: bool) -> tuple[list[FlareSpan], int]:
    """The strongest flares that overlap a window, strongest first, and the total number."""
    rows = archive.rows(select(_COLUMNS, FLARES.name, _IN_WINDOW), [simulated, window.begin, window.end, MOST_FLARES])
    return [_span(row) for row in rows], rows[0]["total"] if rows else 0


def labelled(flares: Sequence[FlareSpan], window: Window, most: int) -> list[FlareSpan]:
    """Flares whose labels fit side by side, strongest first.

    Parameters
    ----------
    flares : sequence of FlareSpan
        Strongest first.
    window : Window
        Visible window; flares whose peak is outside get no label.
    most : int
        Number of labels that fit into it.
    """
    room = window.span / most
    taken: list[float] = []
    chosen = []
    for flare in flares:
        since = float((flare.peak - window.begin) / np.timedelta64(1, "s"))
        # half a label extends to either side
        if room / 2 <= since <= window.span - room / 2 and all(abs(since - other) >= room for other in taken):
            taken.append(since)
            chosen.append(flare)
    return chosen


def _span(row: dict[str, Any]) -> FlareSpan:
    peak = np.datetime64(row["t_peak"], "us")
    start, end = (np.datetime64(row[name], "us") if row[name] else peak for name in ("t_start", "t_end"))
    text = row["goes_class"] or formatting.estimate(
        row["goes_estimated_low"], row["goes_estimated"], row["goes_estimated_high"]
    )
    return FlareSpan(row["flare_id"], start, peak, end, text, row["peak_counts"])
