"""Tables of the light curves: one documented field per column, and reading and writing of their files.

``index/lightcurves/<yyyy-mm-dd>.parquet`` holds the bins that start on a day, and
``index/lightcurve_minutes/<yyyy-mm>.parquet`` the minutes of a month. Simulated and real rows are in the same files
and are never combined.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import atomic_path
from archive.errors import IndexDamaged
from archive.index.columns import Column, Table
from archive.index.sql import quoted, select

_UTC = "UTC at Solar Orbiter"

#: Bands in the names of columns, and their edges, keV. Files of 2020 and 2021 give 150 for the last edge.
BANDS = ("4_10", "10_15", "15_25", "25_50", "50_84")
BAND_EDGES = np.array([4.0, 10.0, 15.0, 25.0, 50.0])
COUNTS = tuple(f"counts_{band}" for band in BANDS)

#: Names of day files; one that is being written beside them has another name.
DAY_FILES = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].parquet"

_INPUTS = b"stix.quicklook_files"


@dataclass(frozen=True, kw_only=True)
class LightCurveBin:
    """One bin of the series."""

    time: Annotated[np.datetime64, Column("Start of the bin", _UTC)]
    duration_s: Annotated[float, Column("Length of the bin", "s")]
    counts_4_10: Annotated[float, Column("Counts in 4-10 keV, detectors of the light curve", "ct")]
    counts_10_15: Annotated[float, Column("Counts in 10-15 keV", "ct")]
    counts_15_25: Annotated[float, Column("Counts in 15-25 keV", "ct")]
    counts_25_50: Annotated[float, Column("Counts in 25-50 keV", "ct")]
    counts_50_84: Annotated[float, Column("Counts in 50-84 keV", "ct")]
    triggers: Annotated[float, Column("Triggers of all accumulators")]
    rcr: Annotated[int, Column("Rate-control state; 0: attenuator out, 1 and more: in")]
    simulated: Annotated[bool, Column("Made by the simulator")]
    file: Annotated[str, Column("Quick-look file the bin is from")]
    version: Annotated[str, Column("Version of that file")]


@dataclass(frozen=True, kw_only=True)
class LightCurveMinute:
    """One minute: the bins that start in it."""

    time: Annotated[np.datetime64, Column("Start of the minute", _UTC)]
    seconds: Annotated[float, Column("Length of its bins together", "s")]
    mean_4_10: Annotated[float, Column("Mean rate in 4-10 keV", "ct/s")]
    mean_10_15: Annotated[float, Column("Mean rate in 10-15 keV", "ct/s")]
    mean_15_25: Annotated[float, Column("Mean rate in 15-25 keV", "ct/s")]
    mean_25_50: Annotated[float, Column("Mean rate in 25-50 keV", "ct/s")]
    mean_50_84: Annotated[float, Column("Mean rate in 50-84 keV", "ct/s")]
    mean_triggers: Annotated[float, Column("Mean trigger rate", "1/s")]
    min_4_10: Annotated[float, Column("Lowest rate of a bin in 4-10 keV", "ct/s")]
    min_10_15: Annotated[float, Column("Lowest rate of a bin in 10-15 keV", "ct/s")]
    min_15_25: Annotated[float, Column("Lowest rate of a bin in 15-25 keV", "ct/s")]
    min_25_50: Annotated[float, Column("Lowest rate of a bin in 25-50 keV", "ct/s")]
    min_50_84: Annotated[float, Column("Lowest rate of a bin in 50-84 keV", "ct/s")]
    min_triggers: Annotated[float, Column("Lowest trigger rate of a bin", "1/s")]
    max_4_10: Annotated[float, Column("Highest rate of a bin in 4-10 keV", "ct/s")]
    max_10_15: Annotated[float, Column("Highest rate of a bin in 10-15 keV", "ct/s")]
    max_15_25: Annotated[float, Column("Highest rate of a bin in 15-25 keV", "ct/s")]
    max_25_50: Annotated[float, Column("Highest rate of a bin in 25-50 keV", "ct/s")]
    max_50_84: Annotated[float, Column("Highest rate of a bin in 50-84 keV", "ct/s")]
    max_triggers: Annotated[float, Column("Highest trigger rate of a bin", "1/s")]
    rcr: Annotated[int, Column("Highest rate-control state")]
    simulated: Annotated[bool, Column("Made by the simulator")]


LIGHT_CURVES = Table(
    "lightcurves", LightCurveBin, "time", "time", "Quick-look light curves, one row per bin of 4 s.", "day"
)
LIGHT_CURVE_MINUTES = Table(
    "lightcurve_minutes", LightCurveMinute, "time", "time", "One-minute means, minima and maxima of `lightcurves`."
)

#: Series: tables that are derived from quick-look files and not written row by row.
SERIES: dict[str, Table[LightCurveBin] | Table[LightCurveMinute]] = {
    table.name: table for table in (LIGHT_CURVES, LIGHT_CURVE_MINUTES)
}


_PATTERNS = {LIGHT_CURVES.name: "????-??-??.parquet", LIGHT_CURVE_MINUTES.name: "????-??.parquet"}


def day_file(index: Path, day: np.datetime64) -> Path:
    """File of a day."""
    return index / LIGHT_CURVES.name / f"{day.astype('datetime64[D]')}.parquet"


def month_file(index: Path, month: np.datetime64) -> Path:
    """File of a month's minutes."""
    return index / LIGHT_CURVE_MINUTES.name / f"{month.astype('datetime64[M]')}.parquet"


def series_views(index: Path, names: Iterable[str]) -> dict[str, str]:
    """Queries behind the views of some series, by name. Their files are listed when a query is run, and only then."""
    return {
        name: select("*", f"read_parquet({quoted(index / name / _PATTERNS[name])}, hive_partitioning = false)")
        if _any_file(index / name)
        else SERIES[name].empty_select
        for name in names
    }


def _any_file(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name[0].isdigit() for entry in entries)
    except FileNotFoundError:
        return False


def write_rows(path: Path, rows: pa.Table, inputs: Mapping[str, str] | None = None) -> bool:
    """Write the rows of one file, unless it has them already. Without rows the file is removed.

    Parameters
    ----------
    path : Path
    rows : pa.Table
    inputs : mapping of str to str, optional
        Names and SHA-256 of the quick-look files that the rows were made from.

    Returns
    -------
    bool
        Whether anything changed.
    """
    if inputs is not None:
        rows = rows.replace_schema_metadata({_INPUTS: json.dumps(dict(sorted(inputs.items())))})
    if rows.num_rows == 0:
        present = path.is_file()
        path.unlink(missing_ok=True)
        return present
    if path.is_file() and _holds(path, rows):
        return False
    with atomic_path(path) as temporary:
        pq.write_table(rows.combine_chunks(), temporary, compression="zstd")
    return True


def read_rows(path: Path, table: Table[LightCurveBin] | Table[LightCurveMinute]) -> pa.Table:
    """Rows of one file; empty when there is no file.

    Raises
    ------
    IndexDamaged
        When it cannot be read.
    """
    if not path.is_file():
        return table.arrow.empty_table()
    try:
        return pq.read_table(path, partitioning=None).select(table.arrow.names).cast(table.arrow)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        message = f"{path} cannot be read ({error}); remove it and rebuild the light curves"
        raise IndexDamaged(message) from error


def inputs_of(path: Path) -> dict[str, str] | None:
    """Names and SHA-256 of the files that a day was made from; None when unknown."""
    try:
        found = json.loads((pq.read_schema(path).metadata or {})[_INPUTS])
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
    return found if isinstance(found, dict) else None


def _holds(path: Path, rows: pa.Table) -> bool:
    try:
        present = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError):
        return False  # damaged: rewrite it
    return bool(present.equals(rows) and present.schema.metadata == rows.schema.metadata)
