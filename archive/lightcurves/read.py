"""Light curves of any time window at any resolution, read with DuckDB.

Short windows are read from the files of their days, long ones from the one-minute means. File names follow from the
dates, so that no folder is listed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from archive.atomic import identity
from archive.errors import ArchiveBusy, IndexDamaged, QueryRefused
from archive.index.columns import Table
from archive.index.series import (
    BANDS,
    COUNTS,
    LIGHT_CURVE_MINUTES,
    LIGHT_CURVES,
    LightCurveBin,
    LightCurveMinute,
    day_file,
    month_file,
    read_rows,
)
from archive.index.sql import parquet_scan, select
from archive.lightcurves.corrections import (
    NONE,
    TRANSMISSION,
    Corrections,
    Quiet,
    cautions_of,
    corrected_rows,
    corrected_sql,
    live_fraction_sql,
)
from archive.lightcurves.minutes import MINUTE_US
from stixcore import notebook
from stixcore.calibration.attenuator import QUIET_QUANTILE
from stixcore.flares.series import QuicklookSeries

Floats = NDArray[np.float64]

#: Windows up to this long are read from the files of their days, unless their buckets are long.
LONGEST_OF_BINS_US = 10 * 86_400_000_000
#: Buckets of at least this many minutes are made from the one-minute means, and rounded to whole minutes.
MINUTES_FROM = 5
#: Largest number of points of a view.
MAX_POINTS = 200_000

_SECOND_US = 1_000_000
#: From ``begin`` to just before ``end``, µs since 1970.
type _Span = tuple[int, int]
type _Table = Table[LightCurveBin] | Table[LightCurveMinute]

_ATTEMPTS = 20
#: Windows longer than this per point hold too many bins, unless most of them are missing.
_FEW_BINS_US = 8 * _SECOND_US
#: Curves of a view, and their columns in the table of bins.
_COLUMNS = {**dict(zip(BANDS, COUNTS, strict=True)), "triggers": "triggers"}


@dataclass(frozen=True, eq=False)
class LightCurveView:
    """A time window of the light curves, for a plot.

    A gap is one row of NaN with ``rcr`` -1, so that lines break.

    Attributes
    ----------
    time : (n,) datetime64[us]
        Start of each bucket, UTC at Solar Orbiter.
    bucket_s : float, s
        Length of the buckets; 0 for the recorded bins, whose lengths differ.
    seconds : (n,) float, s
        Recorded time in the bucket; length of a bin.
    low, mean, high : (n, 5) float, ct s⁻¹
        Lowest, mean and highest rate of the bins in the bucket, per band.
    triggers_low, triggers_mean, triggers_high : (n,) float, s⁻¹
    rcr : (n,) int
        Highest rate-control state.
    cautions : tuple of str
        What to know about corrected rates.
    """

    time: NDArray[np.datetime64]
    bucket_s: float
    seconds: Floats
    low: Floats
    mean: Floats
    high: Floats
    triggers_low: Floats
    triggers_mean: Floats
    triggers_high: Floats
    rcr: NDArray[np.int64]
    cautions: tuple[str, ...] = ()

    def plot(self, axes: Any = None) -> Any:
        """Draw the mean rates of all bands into matplotlib axes, by default new ones; returns the axes."""
        where = notebook.new_axes(size=(9.0, 4.0)) if axes is None else axes
        for band, rate in zip(BANDS, self.mean.T, strict=True):
            where.step(self.time, rate, where="post", label=f"{band.replace('_', '-')} keV")
        where.set(xlabel="UTC at Solar Orbiter", ylabel="rate [ct s⁻¹]", yscale="log")
        where.legend()
        return where

    def peek(self) -> None:
        """Show the light curves in a figure."""
        self.plot()
        notebook.show()


@dataclass
class LightCurveReader:
    """Reads the light curves of one index folder; can be shared between threads.

    Parameters
    ----------
    index : Path
        Folder of the index, absolute.
    """

    index: Path
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _connection: duckdb.DuckDBPyConnection | None = None

    def view(
        self,
        start: np.datetime64,
        end: np.datetime64,
        max_points: int = 2000,
        *,
        simulated: bool = False,
        corrections: Corrections = NONE,
    ) -> LightCurveView:
        """A time window at the resolution of a plot.

        Parameters
        ----------
        start, end : datetime64
            UTC at Solar Orbiter. Buckets are complete, so the view may begin slightly earlier and end later.
        max_points : int
            Largest number of buckets, not counting one row per gap.
        simulated : bool
            Simulated or real light curves; the two are never mixed.
        corrections : Corrections
            For live time and for the attenuator; by default rates are as recorded. Bins are corrected before they are
            combined; from one-minute means, rates are corrected with the triggers of each minute.

        Raises
        ------
        QueryRefused
            When the window is empty or ``max_points`` is out of range.
        IndexDamaged
            When a file cannot be read.
        """
        span = _microseconds(start), _microseconds(end)
        if not span[0] < span[1] or not 2 <= max_points <= MAX_POINTS:
            message = (
                f"a light curve needs a start before its end and 2 to {MAX_POINTS} points, "
                f"found {start} … {end} and {max_points}"
            )
            raise QueryRefused(message)
        # buckets begin at multiples of their length, so one more than fits into the window may be touched
        bucket = -(-(span[1] - span[0]) // (max_points - 1))
        minutes, seconds = (-(-bucket // unit) * unit for unit in (MINUTE_US, _SECOND_US))
        of_minutes = minutes >= MINUTES_FROM * MINUTE_US or (
            3 * bucket >= MINUTE_US and span[1] - span[0] > LONGEST_OF_BINS_US
        )
        quiet: Quiet = {}
        if of_minutes:
            view = self._of_minutes(span, minutes, simulated, corrections)
        else:
            quiet = self.quiet_levels(start, end, simulated=simulated, corrections=corrections)
            exact = _Correct(corrections, quiet)
            view = self._native(span, max_points, simulated, exact) or self._of_bins(span, seconds, simulated, exact)
        cautions = cautions_of(view.time, view.rcr, corrections, quiet, minutes=of_minutes)
        return replace(view, cautions=cautions) if cautions else view

    def quiet_levels(
        self, start: np.datetime64, end: np.datetime64, *, simulated: bool = False, corrections: Corrections = NONE
    ) -> Quiet:
        """Quiet rates of the days of a window, where the attenuator moved; empty unless they are needed.

        Parameters
        ----------
        start, end : datetime64
            UTC at Solar Orbiter.
        simulated : bool
        corrections : Corrections
            With a correction for live time, quiet rates are corrected, too.

        Returns
        -------
        mapping
            Rate [ct s⁻¹] by day (days since 1970) and band, of days with the attenuator both in and out.
        """
        if not corrections.attenuator:
            return {}
        day_us = 86_400 * _SECOND_US
        # buckets may begin before the window and end after it
        span = _whole_buckets((_microseconds(start) - MINUTE_US, _microseconds(end) + MINUTE_US), day_us)
        rate = f"/ {live_fraction_sql('mean_triggers')}" if corrections.live_time else ""
        levels = [
            f"quantile_cont(mean_{band} {rate}, {QUIET_QUANTILE}) FILTER (WHERE rcr = 0) AS {_level(band)}"
            for band in TRANSMISSION
        ]
        what = f"epoch_us(time) // {day_us} AS day, {', '.join(levels)}"
        rest = "GROUP BY day HAVING max(rcr) > 0 AND min(rcr) = 0 ORDER BY day"
        found = self._fetch(LIGHT_CURVE_MINUTES, what, span, simulated, rest)
        return {
            int(day): {band: float(found[_level(band)][place]) for band in TRANSMISSION}
            for place, day in enumerate(found["day"])
        }

    def bins(self, start: np.datetime64, end: np.datetime64, *, simulated: bool = False) -> QuicklookSeries:
        """The bins that start in a time range, for flare detection.

        Raises
        ------
        IndexDamaged
            When a file cannot be read.
        """
        span = _microseconds(start), _microseconds(end)
        what = f"time, duration_s, {', '.join(COUNTS)}, rcr"
        found = self._fetch(LIGHT_CURVES, what, span, simulated, "ORDER BY time")
        return QuicklookSeries(
            found["time"].astype("datetime64[us]"),
            found["duration_s"],
            np.stack([found[name] for name in COUNTS], axis=1),
            found["rcr"].astype(np.int64),
        )

    def stored(
        self,
        start: np.datetime64,
        end: np.datetime64,
        *,
        minutes: bool = False,
        simulated: bool = False,
        corrections: Corrections = NONE,
    ) -> Iterator[pa.Table]:
        """Stored rows, one day (or one month of minutes) at a time, to limit the memory of downloads.

        Parameters
        ----------
        start, end : datetime64
            Range of the start times of the rows, UTC at Solar Orbiter.
        minutes : bool
            One-minute means instead of recorded bins.
        simulated : bool
        corrections : Corrections
            With any, counts are corrected and rows have two more columns; see `corrected_rows`.

        Raises
        ------
        IndexDamaged
            When a file cannot be read.
        """
        table: _Table = LIGHT_CURVE_MINUTES if minutes else LIGHT_CURVES
        begin, after = (pa.scalar(time.astype("datetime64[us]").item(), pa.timestamp("us")) for time in (start, end))
        for file in self._files(table, (_microseconds(start), _microseconds(end))):
            rows = read_rows(file, table)
            time = rows["time"].cast(pa.timestamp("us"))
            inside = pc.and_(pc.greater_equal(time, begin), pc.less(time, after))
            chosen = rows.filter(pc.and_(inside, pc.equal(rows["simulated"], simulated)))
            if corrections:
                span = (chosen["time"][0].as_py(), chosen["time"][-1].as_py()) if chosen.num_rows else None
                quiet = (
                    self.quiet_levels(*map(np.datetime64, span), simulated=simulated, corrections=corrections)
                    if span and not minutes
                    else {}
                )
                chosen = corrected_rows(chosen, corrections, quiet, minutes=minutes)
            yield chosen

    def close(self) -> None:
        """Close the connection; the next query opens another one."""
        with self._lock:
            self._connection = None

    def _native(self, span: _Span, max_points: int, simulated: bool, correct: _Correct) -> LightCurveView | None:
        """The recorded bins, or None when there are too many."""
        if span[1] - span[0] > max_points * _FEW_BINS_US:
            return None
        rates = ", ".join(f"{correct.rate(name)} AS mean_{name}" for name in _COLUMNS)
        what = f"epoch_us(time) AS begin, duration_s AS seconds, {rates}, rcr"
        found = self._fetch(LIGHT_CURVES, what, span, simulated, f"ORDER BY begin LIMIT {max_points + 1}")
        if found["begin"].size > max_points:
            return None
        for name in _COLUMNS:
            found[f"min_{name}"] = found[f"max_{name}"] = found[f"mean_{name}"]
        length = np.rint(found["seconds"] * 1e6).astype(np.int64)
        return _view(found, 0.0, found["begin"] + length, length // 2)

    def _of_bins(self, span: _Span, bucket: int, simulated: bool, correct: _Correct) -> LightCurveView:
        rates = [
            f"sum({rate} * duration_s) / sum(duration_s) AS mean_{name}, "
            f"min({rate}) AS min_{name}, max({rate}) AS max_{name}"
            for name, rate in ((name, correct.rate(name)) for name in _COLUMNS)
        ]
        span = _whole_buckets(span, bucket)
        return self._bucketed(LIGHT_CURVES, span, bucket, simulated, "sum(duration_s)", rates)

    def _of_minutes(self, span: _Span, bucket: int, simulated: bool, corrections: Corrections) -> LightCurveView:
        def rate(kind: str, name: str) -> str:
            if name == "triggers" or not corrections.live_time:
                return f"{kind}_{name}"
            return f"{kind}_{name} / {live_fraction_sql(f'{kind}_triggers')}"

        rates = [
            f"sum({rate('mean', name)} * seconds) / sum(seconds) AS mean_{name}, "
            f"min({rate('min', name)}) AS min_{name}, max({rate('max', name)}) AS max_{name}"
            for name in _COLUMNS
        ]
        span = _whole_buckets(span, bucket)
        return self._bucketed(LIGHT_CURVE_MINUTES, span, bucket, simulated, "sum(seconds)", rates)

    def _bucketed(
        self, table: _Table, span: _Span, bucket: int, simulated: bool, seconds: str, rates: list[str]
    ) -> LightCurveView:
        begin = f"epoch_us(time) // {bucket} * {bucket} AS begin"
        what = f"{begin}, {seconds} AS seconds, {', '.join(rates)}, max(rcr) AS rcr"
        found = self._fetch(table, what, span, simulated, "GROUP BY begin ORDER BY begin")
        ends = found["begin"] + bucket
        return _view(found, bucket / 1e6, ends, np.zeros_like(ends))

    def _files(self, table: _Table, span: _Span) -> list[Path]:
        """Files that a span touches and that exist: days of bins, months of minutes."""
        place, unit = (day_file, "D") if table is LIGHT_CURVES else (month_file, "M")
        first, last = (np.datetime64(time, "us").astype(f"datetime64[{unit}]") for time in (span[0], span[1] - 1))
        dates = first + np.arange(int((last - first).astype(np.int64)) + 1).astype(f"timedelta64[{unit}]")
        return [path for path in (place(self.index, date) for date in dates) if path.is_file()]

    def _fetch(self, table: _Table, what: str, span: _Span, simulated: bool, rest: str) -> dict[str, Any]:
        """Columns of the rows of a table that begin in a span."""
        for _ in range(_ATTEMPTS):
            files = self._files(table, span)
            before = [identity(path) for path in files]
            rows = f"({parquet_scan(files) if files else table.empty_select})"
            where = " WHERE simulated = ? AND time >= make_timestamp(?) AND time < make_timestamp(?) "
            damage: duckdb.Error | None = None
            found: dict[str, Any] = {}
            try:
                with self._cursor() as cursor:
                    answer = cursor.execute(select(what, rows, where + rest), [simulated, *span])
                    found = {name: np.ma.getdata(values) for name, values in answer.fetchnumpy().items()}
            except duckdb.Error as error:
                damage = error
            # a file that was replaced meanwhile may have been read half old and half new
            if [identity(path) for path in files] == before:
                if damage is None:
                    return found
                message = f"the light curves cannot be read, rebuild them: {damage}"
                raise IndexDamaged(message) from damage
        message = f"the light curves in {self.index} change faster than they can be read; try again"
        raise ArchiveBusy(message)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect(":memory:")
            return self._connection.cursor()


@dataclass(frozen=True)
class _Correct:
    """Rates of recorded bins as SQL."""

    corrections: Corrections
    quiet: Quiet

    def rate(self, name: str) -> str:
        """Rate of a band, or of triggers, which are never corrected."""
        rate = f"{_COLUMNS[name]} / duration_s"
        if name == "triggers":
            return rate
        return corrected_sql(name, rate, "triggers / duration_s", self.corrections, self.quiet)


def _level(band: str) -> str:
    return f"quiet_{band}"


def _view(
    found: dict[str, Any], bucket_s: float, ends: NDArray[np.int64], patience: NDArray[np.int64]
) -> LightCurveView:
    """Put the columns together, with a row of NaN where the next one begins later than it may."""
    begin = found["begin"].astype(np.int64)
    gaps = np.flatnonzero(begin[1:] - ends[:-1] > patience[1:]) + 1

    def column(name: str) -> Floats:
        return np.asarray(np.insert(found[name].astype(float), gaps, np.nan))

    def bands(kind: str) -> Floats:
        return np.stack([column(f"{kind}_{band}") for band in BANDS], axis=1)

    return LightCurveView(
        time=np.insert(begin, gaps, ends[gaps - 1]).astype("datetime64[us]"),
        bucket_s=bucket_s,
        seconds=np.insert(found["seconds"].astype(float), gaps, 0.0),
        low=bands("min"),
        mean=bands("mean"),
        high=bands("max"),
        triggers_low=column("min_triggers"),
        triggers_mean=column("mean_triggers"),
        triggers_high=column("max_triggers"),
        rcr=np.insert(found["rcr"].astype(np.int64), gaps, -1),
    )


def _whole_buckets(span: _Span, bucket: int) -> _Span:
    return span[0] // bucket * bucket, -(-span[1] // bucket) * bucket


def _microseconds(time: np.datetime64) -> int:
    return int(time.astype("datetime64[us]").astype(np.int64))
