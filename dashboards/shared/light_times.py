"""Clocks: times at Solar Orbiter, at Earth, and at the Sun (emission of the light).

Times everywhere are UTC at Solar Orbiter. A file's header has EAR_TDEL, how much later light from the Sun reaches Earth
than Solar Orbiter, and SUN_TIME, the light time from the Sun to Solar Orbiter:

    at Earth = at Solar Orbiter + EAR_TDEL        at the Sun = at Solar Orbiter - SUN_TIME

Both follow from two distances. Earth's is computed from a short series; Solar Orbiter's is in ephemeris files (every
64 s) and, for the middle of the observation, in each science file. The results agree with the headers to some
hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from archive import Archive
from stixcore.coordinates import ASTRONOMICAL_UNIT
from stixcore.errors import StixError
from stixcore.fits.read import read_aspect
from stixcore.simulation.ephemeris import LIGHT_SPEED, earth_ecliptic

#: Maximum radial speed of Solar Orbiter, m s⁻¹, and maximum radial acceleration, m s⁻².
FASTEST, HARDEST = 35_000.0, 0.05
#: Largest gap between two known distances for interpolation, and largest extrapolation beyond one.
BETWEEN, BEYOND = np.timedelta64(3, "D"), np.timedelta64(12, "h")
#: Every so many records of an ephemeris file are kept: within 8.5 min the distance is linear to some hundred meters.
EVERY = 8
#: Uncertainty of Earth's distance and of rounded headers, s.
ROUNDING_S = 0.03

_FILES = """
    SELECT t_start + (t_end - t_start) / 2 AS time, dsun_au FROM science_files
    WHERE dsun_au > 0 AND simulated = ? AND t_end > ? AND t_start < ? ORDER BY time
"""


class Clock(StrEnum):
    """Clock on which times are shown."""

    SOLAR_ORBITER = "solo"
    EARTH = "earth"
    SUN = "sun"


#: Name of each clock on pages → its value in URLs.
CLOCKS = {"Solar Orbiter": Clock.SOLAR_ORBITER.value, "Earth": Clock.EARTH.value, "Sun": Clock.SUN.value}


@dataclass(frozen=True)
class Distance:
    """Distance of Solar Orbiter from the Sun at some time, m."""

    time: np.datetime64
    meters: float


@dataclass(frozen=True)
class LightTimes:
    """Light travel times at some time.

    Attributes
    ----------
    to_solar_orbiter : float, s
        Light time from the Sun; SUN_TIME in headers.
    to_earth_later : float, s
        How much later the light reaches Earth; EAR_TDEL.
    uncertainty : float, s
        Maximum error of both.
    source : str
        Source of Solar Orbiter's distance, as text.
    """

    to_solar_orbiter: float
    to_earth_later: float
    uncertainty: float
    source: str

    def shift(self, clock: Clock) -> float:
        """Offset to add to UTC at Solar Orbiter, s."""
        return {Clock.SOLAR_ORBITER: 0.0, Clock.EARTH: self.to_earth_later, Clock.SUN: -self.to_solar_orbiter}[clock]


def light_times(archive: Archive, time: np.datetime64, *, simulated: bool = False) -> LightTimes | None:
    """Light times at some time; None if no file of the archive contains the position of Solar Orbiter.

    Parameters
    ----------
    archive : Archive
    time : datetime64
        UTC at Solar Orbiter.
    simulated : bool
        Simulated data have a simulated orbit; the two are never mixed.
    """
    for file in archive.aux_for(time, simulated=simulated):
        track = _track(archive.path_of(file.path).as_posix(), file.sha256)
        found = interpolated(track, time)
        if found is not None:
            return _light_times_at(time, *found, f"distance of Solar Orbiter from {file.name}")
    rows = archive.rows(_FILES, [simulated, time - BETWEEN, time + BETWEEN])
    known = [Distance(np.datetime64(row["time"], "us"), row["dsun_au"] * ASTRONOMICAL_UNIT) for row in rows]
    found = interpolated(known, time)
    if found is None:
        return None
    return _light_times_at(time, *found, "distance of Solar Orbiter from the headers of science files nearby")


def why_unknown(*, simulated: bool = False) -> str:
    """Why other clocks are not available, one sentence."""
    what = "simulated file" if simulated else "ephemeris or science file"
    return f"No {what} in the archive gives Solar Orbiter's distance from the Sun at this time."


def earth_distance(time: np.datetime64) -> float:
    """Distance of Earth from the Sun, m, with a relative error of 3e-5."""
    return float(earth_ecliptic(np.array([time]))[1][0])


def interpolated(known: Sequence[Distance], time: np.datetime64) -> tuple[float, float] | None:
    """Distance at some time [m] and its maximum error [m]; None if no known distance is near enough.

    Parameters
    ----------
    known : sequence of Distance
        In ascending order of time.
    time : datetime64
    """
    times = np.array([distance.time for distance in known], dtype="datetime64[us]")
    after = int(np.searchsorted(times, time))
    if 0 < after < times.size and times[after] - times[after - 1] <= BETWEEN:
        left, right = known[after - 1], known[after]
        gap = _seconds(right.time - left.time)
        share = _seconds(time - left.time) / gap
        return left.meters + share * (right.meters - left.meters), HARDEST * gap**2 / 8
    near = [known[i] for i in (after - 1, after) if 0 <= i < times.size]
    if not near:
        return None
    nearest = min(near, key=lambda distance: abs(distance.time - time))
    if abs(nearest.time - time) > BEYOND:
        return None
    return nearest.meters, FASTEST * abs(_seconds(nearest.time - time))


def _light_times_at(time: np.datetime64, meters: float, error: float, source: str) -> LightTimes:
    to_solar_orbiter = meters / LIGHT_SPEED
    later = earth_distance(time) / LIGHT_SPEED - to_solar_orbiter
    return LightTimes(to_solar_orbiter, later, ROUNDING_S + error / LIGHT_SPEED, f"{source}, of Earth computed")


@lru_cache(maxsize=64)
def _track(path: str, sha256: str) -> tuple[Distance, ...]:  # noqa: ARG001 (a file that changed is read again)
    """Distances of an ephemeris file; empty if it can no longer be read."""
    try:
        table = read_aspect(path)
    except (StixError, OSError):
        return ()
    known = np.isfinite(table.dsun) & (table.dsun > 0)
    order = np.argsort(table.time[known], kind="stable")
    times, meters = table.time[known][order], table.dsun[known][order]
    keep = sorted({*range(0, times.size, EVERY), times.size - 1} - {-1})
    return tuple(Distance(times[i], float(meters[i])) for i in keep)


def _seconds(time: np.timedelta64) -> float:
    return float(time / np.timedelta64(1, "s"))
