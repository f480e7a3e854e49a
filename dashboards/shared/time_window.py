"""Time windows of the light curves: limits, movement, and resolution."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from archive import Archive, NotInArchive
from archive.lightcurves.read import MAX_POINTS
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.ranges import earliest, latest

#: Shortest and longest window, s.
SHORTEST_S, LONGEST_S = 20.0, 20 * 366 * 86_400.0
DAY_S, WEEK_S = 86_400.0, 7 * 86_400.0
#: Maximum number of buckets if their length is automatic: about one per pixel of a large screen.
POINTS = 1500
#: Automatic bucket lengths, s; those above a day are whole days.
LENGTHS = (
    4.0,
    8.0,
    12.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1200.0,
    1800.0,
    3600.0,
    7200.0,
    10_800.0,
    21_600.0,
    43_200.0,
    86_400.0,
)
#: Margin that is loaded on both sides, in windows, so that a pan shows curves immediately.
MARGIN = 0.5
#: Maximum number of bins in a window: no screen shows more, and every pan would transfer them.
MOST_POINTS = 12_000
#: Shortest bins of the quick-look light curves, s.
CADENCE_S = 4.0
#: Margin around a flare, in units of its length, and minimum length of its window, s.
AROUND_FLARE, LEAST_AROUND_FLARE_S = 0.5, 1200.0

_FLARE_ID = re.compile(r"\d{10}", re.ASCII)


@dataclass(frozen=True)
class Window:
    """From ``start``, UTC at Solar Orbiter as seconds since 1970, for ``span`` seconds."""

    start: float
    span: float

    @classmethod
    def between(cls, begin: np.datetime64, end: np.datetime64) -> Window:
        """Window from one time to another."""
        return cls(unix_seconds(begin), float((end - begin) / np.timedelta64(1, "s")))

    @property
    def begin(self) -> np.datetime64:
        """Start, UTC at Solar Orbiter."""
        return moment(self.start)

    @property
    def end(self) -> np.datetime64:
        """End (exclusive), UTC at Solar Orbiter."""
        return moment(self.start + self.span)

    @property
    def middle(self) -> np.datetime64:
        """Middle, UTC at Solar Orbiter."""
        return moment(self.start + self.span / 2)

    def moved(self, windows: float) -> Window:
        """The window that many spans later."""
        return Window(self.start + windows * self.span, self.span)

    def around(self, span: float) -> Window:
        """A window with another span and the same middle."""
        return Window(self.start + (self.span - span) / 2, span)

    @property
    def loaded(self) -> Window:
        """The window with its margins."""
        return self.around(self.span * (1 + 2 * MARGIN))

    def limited(self) -> Window:
        """The window within the allowed lengths, with start and span in whole seconds, as in URLs."""
        span = min(max(self.span, SHORTEST_S), LONGEST_S)
        return Window(float(round(self.around(span).start)), float(round(span)))


@dataclass(frozen=True)
class Resolution:
    """Resolution of a query.

    Attributes
    ----------
    loaded : Window
        Window to load.
    points : int
        Maximum number of buckets.
    wish_too_fine : bool
        The requested bins would be too many; these are longer.
    """

    loaded: Window
    points: int
    wish_too_fine: bool = False


def resolution(window: Window, bin_s: float = 0.0) -> Resolution:
    """Resolution for a window.

    Parameters
    ----------
    window : Window
        Visible window.
    bin_s : float, s
        Requested bin length; 0 for automatic.
    """
    loaded = window.loaded
    too_fine = 0 < bin_s < window.span / MOST_POINTS
    if bin_s <= 0 or too_fine:
        most = MOST_POINTS if too_fine else POINTS
        bin_s = next((length for length in LENGTHS if window.span <= most * length), 0.0)
        bin_s = bin_s or np.ceil(window.span / most / DAY_S) * DAY_S
    # a limit that is never reached returns recorded bins; one that just fits returns buckets of that length
    if bin_s <= CADENCE_S:
        return Resolution(loaded, min(max(round(2 * loaded.span / CADENCE_S) + 2, 2), MAX_POINTS), too_fine)
    buckets = max(int(np.ceil(loaded.span / bin_s)), 1)
    return Resolution(loaded.around(buckets * bin_s), buckets + 1, too_fine)


def go_to(text: str, archive: Archive, window: Window) -> Window:
    """The window of a flare id, or of a time that may be incomplete.

    Parameters
    ----------
    text : str
        Ten digits, or a time as in `ranges.earliest`. A year, month or day is shown whole; a moment is centred in a
        window as long as the current one.
    archive : Archive
    window : Window
        The current one.

    Raises
    ------
    NotUnderstood
        If it is neither, or there is no such flare.
    """
    text = text.strip()
    if _FLARE_ID.fullmatch(text):
        return flare_window(text, archive)
    begin, end = earliest(text), latest(text)
    if begin is None or end is None:
        message = "Enter a flare id (ten digits) or a time"
        raise NotUnderstood(message)
    meant = Window.between(begin, end)
    if meant.span >= DAY_S:
        return meant
    return Window(meant.start - window.span / 2, window.span)


def flare_window(flare_id: str, archive: Archive) -> Window:
    """The window of a flare with some margin.

    Raises
    ------
    NotUnderstood
        If there is no such flare.
    """
    try:
        flare = archive.flare(flare_id)
    except NotInArchive as error:
        message = f"The archive has no flare {flare_id}"
        raise NotUnderstood(message) from error
    whole = Window.between(flare.t_start or flare.t_peak, flare.t_end or flare.t_peak)
    return whole.around(max(whole.span * (1 + 2 * AROUND_FLARE), LEAST_AROUND_FLARE_S))


def moment(seconds: float) -> np.datetime64:
    """Time from seconds since 1970."""
    return np.datetime64(round(seconds * 1e6), "us")


def unix_seconds(time: np.datetime64) -> float:
    """Seconds since 1970."""
    return float(time.astype("datetime64[us]").astype(np.int64)) / 1e6
