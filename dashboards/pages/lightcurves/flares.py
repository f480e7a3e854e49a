"""Flares of a window of the light curves, as spans with a name and a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive import Archive
from archive.index.schema import FLARES
from archive.index.sql import select
from dashboards.pages.lightcurves.window import Window

#: More spans than this hide the curves; the strongest are shown.
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
    """One flare as it is shaded.

    Attributes
    ----------
    flare_id : str
    start, peak, end : datetime64
        UTC at Solar Orbiter; all the same where a list gives the peak only.
    class_text : str
        Measured GOES class, or the range it was estimated to be in, marked as such; empty when nothing is known.
    peak_counts : float or None, ct
        Most counts in a bin of 4 s, 4-10 keV.
    """

    flare_id: str
    start: np.datetime64
    peak: np.datetime64
    end: np.datetime64
    class_text: str
    peak_counts: float | None

    @property
    def label(self) -> str:
        """Id, and class below it."""
        return f"{self.flare_id}\n{self.class_text}".strip()


def flares_in(archive: Archive, window: Window, *, simulated: bool) -> tuple[list[FlareSpan], int]:
    """The strongest flares that reach into a window, strongest first, and how many there are altogether."""
    rows = archive.rows(select(_COLUMNS, FLARES.name, _IN_WINDOW), [simulated, window.begin, window.end, MOST_FLARES])
    return [_span(row) for row in rows], rows[0]["total"] if rows else 0


def labelled(flares: Sequence[FlareSpan], window: Window, most: int) -> list[FlareSpan]:
    """Flares whose names find room side by side, the strongest first.

    Parameters
    ----------
    flares : sequence of FlareSpan
        Strongest first.
    window : Window
        What is seen; flares whose peak is outside have their name elsewhere.
    most : int
        Number of names that find room in it.
    """
    room = window.span / most
    taken: list[float] = []
    chosen = []
    for flare in flares:
        since = float((flare.peak - window.begin) / np.timedelta64(1, "s"))
        # half a name reaches out on either side
        if room / 2 <= since <= window.span - room / 2 and all(abs(since - other) >= room for other in taken):
            taken.append(since)
            chosen.append(flare)
    return chosen


def class_text(measured: str | None, low: str | None, middle: str | None, high: str | None) -> str:
    """``C3.4`` when GOES measured it, else ``B5-C1 est.``: a range, and said to be an estimate."""
    if measured:
        return measured
    if low and high and low != high:
        return f"{low}\N{EN DASH}{high} est."
    one = middle or low or high
    return f"{one} est." if one else ""


def _span(row: dict[str, Any]) -> FlareSpan:
    peak = np.datetime64(row["t_peak"], "us")
    start, end = (np.datetime64(row[name], "us") if row[name] else peak for name in ("t_start", "t_end"))
    text = class_text(row["goes_class"], row["goes_estimated_low"], row["goes_estimated"], row["goes_estimated_high"])
    return FlareSpan(row["flare_id"], start, peak, end, text, row["peak_counts"])
