"""T0 of the light-curve page: the time from which a relative axis counts, and its unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archive import Archive, NotInArchive
from dashboards.pages.lightcurves.flares import FlareSpan
from dashboards.shared import formatting
from dashboards.shared.light_times import Clock, LightTimes
from dashboards.shared.time_window import DAY_S, Window

#: T0 at the start of the window, at the peak or at the start of a flare.
WINDOW, PEAK, START = "window", "peak", "start"
#: Values in the URL: ``window``, ``peak:2211110123``, ``start:2211110123``; without an id the strongest flare.
PATTERN = rf"^({WINDOW}|({PEAK}|{START})(:[A-Za-z0-9_.-]{{1,40}})?)?$"
#: Flares to choose from.
CHOICES = 3
#: Longest window [s] whose axis has a unit, the unit, and its length, s.
_UNITS = ((600.0, "s", 1.0), (21_600.0, "min", 60.0), (4 * DAY_S, "h", 3600.0), (np.inf, "days", DAY_S))


@dataclass(frozen=True)
class TimeOrigin:
    """T0 and what it is.

    Attributes
    ----------
    time : datetime64
        UTC at Solar Orbiter.
    text : str
        ``peak of flare 2211110123``.
    """

    time: np.datetime64
    text: str


def origin_of(
    wish: str, archive: Archive, window: Window, flares: Sequence[FlareSpan]
) -> tuple[TimeOrigin | None, str]:
    """T0 of a wish, and why there is none; both empty without a wish.

    Parameters
    ----------
    wish : str
        As in the URL.
    archive : Archive
    window : Window
    flares : sequence of FlareSpan
        In and near the window, strongest first.
    """
    what, _, flare_id = wish.partition(":")
    if not what:
        return None, ""
    if what == WINDOW:
        return TimeOrigin(window.begin, "start of the window"), ""
    if not flare_id:
        inside = [flare for flare in flares if window.begin <= flare.peak < window.end]
        if not inside:
            return None, "No flare has its peak in this window, so the axis shows the time of day."
        flare_id = inside[0].flare_id
    try:
        row = archive.flare(flare_id)
    except NotInArchive:
        return None, f"The archive has no flare {flare_id}, so the axis shows the time of day."
    time = row.t_peak if what == PEAK or row.t_start is None else row.t_start
    return TimeOrigin(time, f"{what if time is not row.t_peak else PEAK} of flare {row.flare_id}"), ""


def choices(wish: str, window: Window, flares: Sequence[FlareSpan]) -> dict[str, str]:
    """Names and values to choose from: no T0, the window's start, and the strongest flares in the window."""
    found = {"none (UTC)": "", "window start": WINDOW}
    inside = [flare for flare in flares if window.begin <= flare.peak < window.end][:CHOICES]
    for what in (PEAK, START):
        found |= {f"{what} {flare.flare_id}": f"{what}:{flare.flare_id}" for flare in inside}
    if wish not in found.values():
        what, _, flare_id = wish.partition(":")
        found[f"{what} {flare_id or 'of the strongest'}"] = wish
    return found


def unit_of(span: float) -> tuple[str, float]:
    """Unit of a relative axis and its length in seconds, for a window of ``span`` seconds."""
    return next((name, length) for longest, name, length in _UNITS if span <= longest)


def origin_label(origin: TimeOrigin, span: float, clock: Clock, light: LightTimes | None) -> str:
    """``T − T0 [min], T0 = 2022-11-11 01:23:45`` and its clock and meaning, in two lines: they fit on a telephone."""
    where, time = formatting.CLOCK, origin.time
    if clock != Clock.SOLAR_ORBITER and light is not None:
        time = time + np.timedelta64(round(light.shift(clock) * 1e6), "us")
        where = "UTC at Earth" if clock == Clock.EARTH else "UTC at the Sun"
    when = f"{formatting.day(time)} {formatting.clock(time)}"
    return f"T − T0 [{unit_of(span)[0]}], T0 = {when}\n{where}, {origin.text}"
