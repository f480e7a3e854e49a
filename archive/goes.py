"""GOES/XRS minutes of the archive: ``goes/<yyyy-mm>.parquet``, one row per satellite and minute.

Only valid minutes are stored. Where two files have the same minute of the same satellite, the better file counts: a
one-minute product of NOAA before means of one-second data, then the later version, then the name. So the content
depends on the files and not on their order, and importing a file again changes no byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from archive.atomic import atomic_path
from archive.errors import IndexDamaged
from stixcore.flares.measured import GoesCurve

FOLDER = "goes"
#: Order in which satellites are preferred; any other comes after these. Minutes that one lacks are from the next.
PREFERRED = (16, 19, 18, 17, 15, 14, 13)

_SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us"), nullable=False),  # start of the minute, UTC at the Earth
        pa.field("satellite", pa.int16(), nullable=False),
        pa.field("long", pa.float32(), nullable=False),  # 0.1-0.8 nm, W m⁻²
        pa.field("short", pa.float32()),  # 0.05-0.4 nm, W m⁻²; empty where it is invalid
        pa.field("rank", pa.string(), nullable=False),  # order of files, and their name
    ]
)


@dataclass(frozen=True, eq=False)
class GoesMinutes:
    """Valid minutes of one file.

    Attributes
    ----------
    satellite : int
    rank : str
        Sorts files that have the same minute: the largest counts. It ends with the name of the file.
    time : (n,) datetime64[us]
        Start of the minute, UTC at the Earth.
    long, short : (n,) float, W m⁻²
        0.1-0.8 nm, and 0.05-0.4 nm; NaN where ``short`` is invalid.
    """

    satellite: int
    rank: str
    time: NDArray[np.datetime64]
    long: NDArray[np.float64]
    short: NDArray[np.float64]

    @property
    def table(self) -> pa.Table:
        """Rows for a month's file."""
        n = self.time.size
        short = pa.array(self.short, type=pa.float32(), mask=~np.isfinite(self.short))
        columns = [self.time.astype("datetime64[us]"), np.full(n, self.satellite), self.long, short, [self.rank] * n]
        return pa.Table.from_arrays(
            [pa.array(column, type=field.type) for column, field in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
        )


def add_goes_minutes(root: Path, minutes: GoesMinutes) -> int:
    """Add the minutes of a file to an archive; the caller holds the write lock.

    Returns
    -------
    int
        Number of minutes that are new or have another value.

    Raises
    ------
    IndexDamaged
        When a month cannot be read.
    """
    added = 0
    rows = minutes.table
    for month in np.unique(minutes.time.astype("datetime64[M]")):
        path = _month_file(root, month)
        own = rows.filter(pa.array(minutes.time.astype("datetime64[M]") == month))
        present = read_goes_month(path)
        together = _best(pa.concat_tables([present, own]))
        if not together.equals(present):
            changed = together.filter(pc.equal(together["rank"], minutes.rank)).num_rows
            added += changed - present.filter(pc.equal(present["rank"], minutes.rank)).num_rows
            with atomic_path(path) as temporary:
                pq.write_table(together, temporary, compression="zstd", use_dictionary=["satellite", "rank"])
    return added


def goes_curve(root: Path, start: np.datetime64, end: np.datetime64) -> GoesCurve:
    """Minutes that start in a time range [UTC at the Earth], each from the preferred satellite that has it.

    Raises
    ------
    IndexDamaged
        When a month cannot be read.
    """
    months = np.arange(start.astype("datetime64[M]"), end.astype("datetime64[M]") + np.timedelta64(1, "M"))
    rows = pa.concat_tables([_SCHEMA.empty_table(), *(read_goes_month(_month_file(root, month)) for month in months)])
    time = rows["time"].to_numpy()
    satellite = rows["satellite"].to_numpy().astype(np.int64)
    places = {number: place for place, number in enumerate(PREFERRED)}
    preference = np.array([places.get(int(number), len(PREFERRED)) for number in satellite], dtype=int)
    inside = (time >= start) & (time < end)
    order = np.lexsort((satellite, preference, time))
    order = order[inside[order]]
    first = np.ones(order.size, bool)
    first[1:] = time[order][1:] != time[order][:-1]
    chosen = order[first]
    return GoesCurve(time[chosen], rows["long"].to_numpy().astype(float)[chosen], satellite[chosen])


def goes_months(root: Path) -> tuple[str, ...]:
    """Months with GOES data, "2022-11", in order."""
    return tuple(sorted(path.stem for path in (root / FOLDER).glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].parquet")))


def _month_file(root: Path, month: np.datetime64) -> Path:
    return root / FOLDER / f"{month}.parquet"


def read_goes_month(path: Path) -> pa.Table:
    """Rows of the file of a month; none if there is no such file.

    Raises
    ------
    IndexDamaged
        When it cannot be read.
    """
    if not path.is_file():
        return _SCHEMA.empty_table()
    try:
        return pq.read_table(path, partitioning=None).select(_SCHEMA.names).cast(_SCHEMA).combine_chunks()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        message = f"{path} cannot be read ({error}); remove it and import the GOES files of this month again"
        raise IndexDamaged(message) from error


def _best(rows: pa.Table) -> pa.Table:
    """One row per satellite and minute, that with the largest rank, in order of time and satellite."""
    ordered = rows.sort_by([("time", "ascending"), ("satellite", "ascending"), ("rank", "descending")])
    time, satellite = ordered["time"].to_numpy(), ordered["satellite"].to_numpy()
    first = np.ones(time.size, bool)
    first[1:] = (time[1:] != time[:-1]) | (satellite[1:] != satellite[:-1])
    return ordered.filter(pa.array(first)).combine_chunks()
