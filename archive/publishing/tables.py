"""The public rows of the index as Parquet files that are read in parts: by year, newest first."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import PART, make_folder, move_file
from archive.index.columns import Table
from archive.index.schema import FLARES, IMAGES, REGION_SPECTRA, RUNS, SPECTRA
from archive.index.sql import Conditions, select
from archive.published.manifest import PublishedFile
from archive.store import Archive

#: Rows per row group of the tables, and of the sorted keys. A query reads whole row groups, and the list of them first.
ROWS, KEYS = 8192, 16384
#: Level of zstd: the files are written once and read often.
_LEVEL = 9
#: Tables whose keys do not tell the time.
KEYED: tuple[Table[Any], ...] = (IMAGES, RUNS, SPECTRA, REGION_SPECTRA)

#: Conditions for public rows. An image set is hidden as a whole, also if only its run or only its images say so.
_PUBLIC = {
    IMAGES.name: "NOT hidden AND recipe_id NOT IN (SELECT run_id FROM runs WHERE hidden)",
    RUNS.name: "NOT hidden AND (run_id IN (SELECT recipe_id FROM images WHERE NOT hidden) "
    "OR run_id NOT IN (SELECT recipe_id FROM images))",
    SPECTRA.name: "NOT hidden",
    REGION_SPECTRA.name: "NOT hidden",
}
_PUBLIC_IMAGES = select("image_id", IMAGES.name, f" WHERE {_PUBLIC[IMAGES.name]}")
#: Columns of flares that name a result, which may be hidden.
_NAMES = {
    "best_image_thermal": _PUBLIC_IMAGES,
    "best_image_nonthermal": _PUBLIC_IMAGES,
    "spectrum_id": select("spectrum_id", SPECTRA.name, f" WHERE {_PUBLIC[SPECTRA.name]}"),
}
#: Columns of flares that repeat these as JSON.
_DETAILS = {"located": ("best_image_thermal", "best_image_nonthermal"), "fitted": ("spectrum_id",)}


@dataclass(frozen=True)
class Period:
    """Months that are published.

    Attributes
    ----------
    since : datetime64, optional
        First month.
    only : datetime64, optional
        The only month.
    """

    since: np.datetime64 | None = None
    only: np.datetime64 | None = None

    def __contains__(self, month: np.datetime64) -> bool:
        return (self.since is None or month >= self.since) and (self.only is None or month == self.only)


def public_months(archive: Archive, table: Table[Any], period: Period) -> list[np.datetime64]:
    """Months with rows of a table, newest first."""
    months = select(f"DISTINCT date_trunc('month', {table.time}) AS month", table.name, " ORDER BY month DESC")
    found = [np.datetime64(row["month"], "M") for row in archive.rows(months)]
    return [month for month in found if month in period]


def public_rows(archive: Archive, table: Table[Any], month: np.datetime64) -> pa.Table:
    """Public rows of a month, newest first: the newest rows of a table are then in its first row group."""
    begin, end = month.astype("datetime64[us]"), (month + np.timedelta64(1, "M")).astype("datetime64[us]")
    chosen = Conditions.of((f"{table.time} >= ?", begin), (f"{table.time} < ?", end))
    chosen &= Conditions.of((_PUBLIC.get(table.name, "true"), ()))
    columns = ", ".join(_column(table, column.name) for column in table.columns)
    rows = archive.query(
        select(columns, table.name, f"{chosen.where} ORDER BY {table.time} DESC, {table.key}"), chosen.values
    )
    return rows.select(table.arrow.names).cast(table.arrow)


def _column(table: Table[Any], name: str) -> str:
    """SQL of a column: of flares, empty where it names a result that is not public."""
    named = _DETAILS.get(name, (name,) if name in _NAMES else ())
    if table.name != FLARES.name or not named:
        return name
    public = " AND ".join(f"({part} IS NULL OR {part} IN ({_NAMES[part]}))" for part in named)
    return f"CASE WHEN {public} THEN {name} END AS {name}"


def write_parquet(
    out: Path, stem: str, schema: pa.Schema, parts: Iterator[pa.Table], rows: int, key: str, period: str = ""
) -> PublishedFile | None:
    """Write one file of the index, in row groups of ``rows`` rows; None if there are no rows.

    The name contains the beginning of its SHA-256, so a file that is there already is not written again.

    Parameters
    ----------
    out : Path
        Folder of the published archive.
    stem : str
        Path below it, without the end of the name.
    schema : pyarrow.Schema
    parts : iterator of pyarrow.Table
        Sorted rows.
    rows : int
    key : str
        Column with a Bloom filter; empty for none.
    period : str
        As in `PublishedFile`.
    """
    folder, name = (out / stem).parent, (out / stem).name
    make_folder(folder)
    temporary, count = folder / f"{PART}{secrets.token_hex(8)}.parquet", 0
    options = {"bloom_filter_options": {key: True}} if key else {}
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd", compression_level=_LEVEL, **options) as writer:
            for part in _groups(parts, rows):
                writer.write_table(part, row_group_size=rows)
                count += part.num_rows
        if not count:
            return None
        with temporary.open("rb") as reader:
            digest = file_digest(reader, "sha256").hexdigest()
        size, place = temporary.stat().st_size, folder / f"{name}-{digest[:12]}.parquet"
        if not place.is_file() or place.stat().st_size != size:
            move_file(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)
    return PublishedFile(place.relative_to(out).as_posix(), size, digest, count, period)


def _groups(parts: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of a multiple of ``rows`` rows, so that short months share a row group."""
    waiting: list[pa.Table] = []
    for part in parts:
        waiting.append(part)
        together = pa.concat_tables(waiting)
        full = together.num_rows // rows * rows
        if full:
            yield together.slice(0, full).combine_chunks()
        waiting = [together.slice(full)]
    if waiting and waiting[0].num_rows:
        yield waiting[0].combine_chunks()
