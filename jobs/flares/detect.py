"""Detect flares in the quick-look light curves: ``stix-jobs flares``.

Each day is searched with the same hours before and after it, whatever the requested range, and a flare belongs to the
day of its peak. So a flare at midnight or between two files is found once, and running it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from archive import Archive, QuicklookFile
from archive.index.series import day_file
from archive.ingest.describe import AU_M
from jobs.flares.rows import (
    DETECTED,
    NEIGHBORHOOD,
    SAME_FLARE,
    Changes,
    Layer,
    LayerSet,
    combined,
    near_any,
    replace_rows,
    rows_between,
    with_given_ids,
)
from stixcore.errors import InvalidProduct, StixError
from stixcore.fits.products import AspectTable
from stixcore.fits.read import read_aspect, read_header
from stixcore.flares import (
    REACH,
    DetectedFlare,
    DetectionRules,
    EstimatedClass,
    QuicklookSeries,
    estimate_class,
    find_flares,
)

_DAY = np.timedelta64(1, "D")
_SECOND = np.timedelta64(1_000_000, "us")
#: A flare that is no longer detected is removed if light curves still cover this fraction of it.
COVERED = 0.9
#: Largest time difference of a file that gives the distance from the Sun, which changes by at most 2 % a day.
NEAR_ENOUGH = np.timedelta64(86_400_000_000, "us")


class NoInterval(StixError):
    """A time range that is empty."""


@dataclass(frozen=True)
class FlareReport:
    """Result of `detect_flares`.

    Attributes
    ----------
    days : int
        Number of days with light curves that were searched, real and simulated ones counted separately.
    detected : tuple of str
        Ids of the flares detected in the time range, before they are matched with imported lists.
    written, removed : tuple of str
        Ids of rows of the flare list that were added or changed, and of those that were removed.
    confirmed : tuple of str
        Ids of flares in the time range that are also in an imported list.
    clashes : tuple of str
        Ids of simulated flares that were omitted because a real flare has the same id.
    """

    days: int
    detected: tuple[str, ...]
    written: tuple[str, ...]
    removed: tuple[str, ...]
    confirmed: tuple[str, ...]
    clashes: tuple[str, ...]


def detect_flares(
    archive: Archive,
    start: np.datetime64 | None,
    end: np.datetime64 | None,
    now: np.datetime64,
    *,
    rules: DetectionRules | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FlareReport:
    """Detect flares in the light curves of the archive and update the flare list.

    Parameters
    ----------
    archive : Archive
    start, end : datetime64 or None
        Time range of the peaks, UTC at Solar Orbiter; by default all of the archive. Flares with their peak outside
        are not changed.
    now : datetime64
        Current time, UTC.
    rules : DetectionRules, optional
    progress : callable, optional
        Called after each day with its number (from 1) and the number of days.

    Returns
    -------
    FlareReport
        A second call writes and removes nothing.

    Raises
    ------
    NoInterval
        When ``start`` is not before ``end``.
    IndexDamaged, ArchiveBusy
        When a file of the index cannot be read; when another process holds the write lock for too long.
    """
    if start is not None and end is not None and not start < end:
        message = f"no flares can be detected between {start} and {end}: the time range is empty"
        raise NoInterval(message)
    searches = [
        _Search(archive, simulated, days, begin, stop)
        for simulated in (False, True)
        for begin, stop, days in [_days(archive, start, end, simulated=simulated)]
        if days
    ]
    total, done = sum(len(search.days) for search in searches), 0
    changes: list[Changes] = []
    for search in searches:
        for day in search.days:
            search.look_at(day, rules)
            done += 1
            if progress is not None:
                progress(done, total)
        changes.append(search.file(now))
    if any(change.written or change.removed for change in changes):
        archive.build_read_model()
    return FlareReport(
        days=total,
        detected=tuple(sorted(layer.flare_id for search in searches for layer in search.found)),
        written=_joined(changes, "written"),
        removed=_joined(changes, "removed"),
        confirmed=_joined(changes, "together"),
        clashes=_joined(changes, "clashes"),
    )


def _joined(changes: list[Changes], name: str) -> tuple[str, ...]:
    return tuple(sorted(flare_id for change in changes for flare_id in getattr(change, name)))


def _days(
    archive: Archive, start: np.datetime64 | None, end: np.datetime64 | None, *, simulated: bool
) -> tuple[np.datetime64, np.datetime64, list[np.datetime64]]:
    """The time range, limited to that of the archive, and its days with light curves."""
    (have,) = archive.rows(
        "SELECT min(t_start) AS first, max(t_end) AS last FROM quicklook_files WHERE simulated = ?", [simulated]
    )
    never = np.datetime64("NaT", "us")
    if have["first"] is None:
        return never, never, []
    begin, stop = np.datetime64(have["first"], "us"), np.datetime64(have["last"], "us")
    begin = begin if start is None else max(begin, start.astype("datetime64[us]"))
    stop = stop if end is None else min(stop, end.astype("datetime64[us]"))
    if not begin < stop:
        return begin, stop, []
    days = np.arange(begin.astype("datetime64[D]"), (stop - np.timedelta64(1, "us")).astype("datetime64[D]") + _DAY)
    return begin, stop, [day for day in days if day_file(archive.index, day).is_file()]


@dataclass
class _Search:
    """Detection in some days of real or of simulated light curves."""

    archive: Archive
    simulated: bool
    days: list[np.datetime64]
    start: np.datetime64
    end: np.datetime64
    found: list[Layer] = field(default_factory=list)
    vanished: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._distances = _Distances(self.archive, self.simulated)

    def look_at(self, day: np.datetime64, rules: DetectionRules | None) -> None:
        """Detect the flares with their peak on a day, and find earlier ones that are no longer detected."""
        begin = day.astype("datetime64[us]")
        series = self.archive.light_curve_bins(begin - REACH, begin + _DAY + REACH, simulated=self.simulated)
        first, last = max(begin, self.start), min(begin + _DAY, self.end)
        flares = [flare for flare in find_flares(series, rules) if first <= flare.t_peak < last]
        self.found += [_layer(flare, self._distances.at(flare.t_peak)) for flare in flares]
        earlier = LayerSet.of(rows_between(self.archive, first, last, simulated=self.simulated)).detected
        self.vanished |= {one.flare_id for one in earlier if _coverage(series, one) >= COVERED}

    def file(self, now: np.datetime64) -> Changes:
        """Write the rows of the time range."""
        found = _without_duplicates(self.found)
        with self.archive.write_lock():
            around = self.start - NEIGHBORHOOD, self.end + NEIGHBORHOOD
            before = rows_between(self.archive, *around, simulated=self.simulated)
            layers = LayerSet.of(before)
            found = with_given_ids(found, layers.detected)
            gone = self.vanished | near_any(layers.detected, found)
            kept = tuple(one for one in layers.detected if one.flare_id not in gone)
            after = combined(replace(layers, detected=(*kept, *found)), now, simulated=self.simulated, known=before)
            return replace_rows(self.archive, before, after)


def _without_duplicates(layers: list[Layer]) -> list[Layer]:
    """Remove duplicates, in case two days disagree about a flare at midnight; the one with the higher peak stays."""
    chosen: list[Layer] = []
    for layer in sorted(layers, key=lambda one: one.t_peak):
        if not chosen or layer.t_peak - chosen[-1].t_peak >= SAME_FLARE:
            chosen.append(layer)
        elif layer.values["peak_counts"] > chosen[-1].values["peak_counts"]:
            chosen[-1] = layer
    return chosen


def _layer(flare: DetectedFlare, dsun_au: float | None) -> Layer:
    """A detected flare in the columns of the flare list."""
    known = estimate_class(flare.net_counts, dsun_au, attenuated=flare.attenuator_in) if dsun_au else EstimatedClass()
    values: dict[str, Any] = {
        "flare_id": flare.flare_id,
        "t_start": flare.t_start,
        "t_peak": flare.t_peak,
        "t_end": flare.t_end,
        "peak_counts": flare.peak_counts[0],
        "peak_counts_10_15": flare.peak_counts[1],
        "peak_counts_15_25": flare.peak_counts[2],
        "total_counts": flare.total_counts,
        "background_counts": round(flare.background_counts, 1),
        "significance": round(flare.significance, 2),
        "highest_band": flare.highest_band,
        "attenuator_in": flare.attenuator_in,
        "goes_estimated_low": known.low,
        "goes_estimated": known.center,
        "goes_estimated_high": known.high,
        "goes_estimated_flux": known.flux,
        "goes_estimated_from": known.source,
        "dsun_au": None if dsun_au is None else round(dsun_au, 6),
    }
    return Layer(DETECTED, {key: value for key, value in values.items() if value is not None})


def _coverage(series: QuicklookSeries, layer: Layer) -> float:
    """Fraction of the duration of a flare that light curves cover."""
    start, end = layer.values["t_start"], layer.values["t_end"]
    inside = (series.t_start >= start) & (series.t_start < end)
    return float(series.duration[inside].sum() / ((end - start) / _SECOND))


class _Distances:
    """Distance of Solar Orbiter from the Sun, au, from the files of the archive; each is read once."""

    def __init__(self, archive: Archive, simulated: bool) -> None:
        self._archive, self._simulated = archive, simulated
        self._of_day: dict[np.datetime64, list[QuicklookFile]] = {}
        self._of_header: dict[str, float | None] = {}
        self._ephemerides: dict[str, AspectTable | None] = {}

    def at(self, time: np.datetime64) -> float | None:
        """Distance from the quick-look file, an ephemeris file, else the nearest science file; None without any."""
        for row in reversed(self._files_of(time.astype("datetime64[D]"))):
            distance = self._in_header(row.path) if row.t_start <= time < row.t_end else None
            if distance is not None:
                return distance
        for aux in self._archive.aux_for(time, within_s=float(NEAR_ENOUGH / _SECOND), simulated=self._simulated):
            table = self._ephemeris(aux.path)
            if table is not None:
                seconds = (table.time - time) / _SECOND
                return float(np.interp(0.0, seconds, table.dsun)) / AU_M
        nearest = self._archive.rows(
            "SELECT dsun_au FROM science_files WHERE simulated = ? AND dsun_au IS NOT NULL AND t_start BETWEEN ? AND ? "
            "ORDER BY abs(epoch_us(t_start) - ?), name LIMIT 1",
            [self._simulated, time - NEAR_ENOUGH, time + NEAR_ENOUGH, int(time.astype(np.int64))],
        )
        return float(nearest[0]["dsun_au"]) if nearest else None

    def _files_of(self, day: np.datetime64) -> list[QuicklookFile]:
        if day not in self._of_day:
            begin = day.astype("datetime64[us]")
            self._of_day = {day: self._archive.quicklook_files(begin, begin + _DAY, simulated=self._simulated)}
        return self._of_day[day]

    def _in_header(self, path: str) -> float | None:
        if path not in self._of_header:
            self._of_header[path] = None
            with suppress(InvalidProduct, OSError):  # `stix-jobs check` reports missing files
                distance = read_header(self._archive.path_of(path)).ephemeris.get("DSUN_OBS")
                if isinstance(distance, (int, float)) and np.isfinite(distance) and distance > 0:
                    self._of_header[path] = distance / AU_M
        return self._of_header[path]

    def _ephemeris(self, path: str) -> AspectTable | None:
        if path not in self._ephemerides:
            self._ephemerides[path] = None
            with suppress(InvalidProduct, OSError):
                self._ephemerides[path] = read_aspect(self._archive.path_of(path))
        return self._ephemerides[path]
