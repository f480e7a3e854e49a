"""Writing the index: one Parquet file per table and month, replaced whole.

Only one process writes at a time, under the write lock of the archive; others can read meanwhile. Rows of a month are
sorted by time and key, so that the same rows give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.atomic import atomic_path, remove_file, write_text
from archive.errors import IndexDamaged
from archive.index.columns import Table
from archive.index.read_model import mark_changed
from archive.layout import PARTITIONS

#: Exists while rows move from one month to another, so that the next writer can complete the move after a crash.
MOVES = "moves.json"


def upsert(index: Path, table: Table[Any], rows: Iterable[Any | Mapping[str, Any]]) -> tuple[str, ...]:
    """Insert rows, or replace those with the same key in any month. Call under the write lock.

    Parameters
    ----------
    index : Path
        Folder of the index.
    table : Table
    rows : iterable of rows, or of mappings with the columns as keys
        Of rows with the same key the last is used.

    Returns
    -------
    tuple of str
        Months ("2022-11") whose file changed; empty when nothing changed.

    Raises
    ------
    BadRow
        When a row does not fit the table. Nothing is written.
    IndexDamaged
        When a month cannot be read.
    """
    finish_moves(index, table)
    new = table.to_arrow(rows)
    months = np.asarray(new.column(table.time).to_numpy().astype("datetime64[M]").astype(str))
    merged: dict[str, pa.Table] = {}
    moves: dict[str, str] = {}
    for month in sorted(set(months.tolist())):
        arriving = new.filter(pa.array(months == month))
        present = _read(index, table, month)
        together = _sorted(table, pa.concat_tables([_without(table, present, arriving[table.key]), arriving]))
        if not together.equals(present):
            merged[month] = together
        strangers = _without(table, arriving, present[table.key])[table.key]
        moves |= dict.fromkeys(strangers.to_pylist(), month)
    homes = _months_of(index, table, list(moves))
    moves = {key: month for key, month in moves.items() if homes.get(key, set()) - {month}}
    if moves:
        write_text(_moves(index, table), json.dumps(moves, sort_keys=True))
    for month, rows_of_month in merged.items():
        _write(index, table, month, rows_of_month)
    left = finish_moves(index, table)
    return tuple(sorted({*merged, *left}))


def delete(index: Path, table: Table[Any], keys: Iterable[str]) -> tuple[str, ...]:
    """Remove the rows with these keys. Call under the write lock.

    Returns
    -------
    tuple of str
        Months whose file changed.

    Raises
    ------
    IndexDamaged
        When a month cannot be read.
    """
    finish_moves(index, table)
    keys = list(keys)
    months = sorted({month for homes in _months_of(index, table, keys).values() for month in homes})
    for month in months:
        _write(index, table, month, _without(table, _read(index, table, month), pa.array(keys, pa.string())))
    return tuple(months)


def finish_moves(index: Path, table: Table[Any]) -> tuple[str, ...]:
    """Remove rows that moved to another month from their old month; returns the months that changed.

    A row is written to its new month first, so that a killed process leaves it twice and never loses it.
    """
    journal = _moves(index, table)
    if not journal.is_file():
        return ()
    moves: dict[str, str] = json.loads(journal.read_text())
    stale: dict[str, list[str]] = {}
    for key, homes in _months_of(index, table, list(moves)).items():
        if moves[key] in homes:  # otherwise the new month was never written, and the old row is the row
            for month in homes - {moves[key]}:
                stale.setdefault(month, []).append(key)
    for month, keys in stale.items():
        _write(index, table, month, _without(table, _read(index, table, month), pa.array(keys, pa.string())))
    remove_file(journal)
    return tuple(sorted(stale))


def partitions(index: Path, table: str) -> list[Path]:
    """Parquet files of a table, oldest month first."""
    return sorted((index / table).glob(PARTITIONS))


def _read(index: Path, table: Table[Any], month: str) -> pa.Table:
    path = _partition(index, table, month)
    if not path.is_file():
        return table.arrow.empty_table()
    try:
        found = pq.read_table(path, partitioning=None)  # do not read a folder "a=b" as a column
        return found.select(table.arrow.names).cast(table.arrow)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error


def _write(index: Path, table: Table[Any], month: str, rows: pa.Table) -> None:
    mark_changed(index, table.name, [month])
    path = _partition(index, table, month)
    if rows.num_rows == 0:
        remove_file(path)
        return
    with atomic_path(path) as temporary:
        pq.write_table(rows.combine_chunks(), temporary, compression="zstd")


def _sorted(table: Table[Any], rows: pa.Table) -> pa.Table:
    return rows.sort_by([(table.time, "ascending"), (table.key, "ascending")]).combine_chunks()


def _without(table: Table[Any], rows: pa.Table, keys: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows[table.key], value_set=keys)))


def _months_of(index: Path, table: Table[Any], keys: list[str]) -> dict[str, set[str]]:
    """Months of some keys; more than one only while a row moves."""
    import pyarrow.dataset as ds  # imports pandas: commands that write nothing start without

    files = partitions(index, table.name)
    homes: dict[str, set[str]] = {}
    if not (keys and files):
        return homes
    try:
        found = ds.dataset(files).to_table(
            columns=[table.key, "__filename"], filter=pc.field(table.key).isin(pa.array(keys, pa.string()))
        )
    except (pa.ArrowException, OSError) as error:
        raise _damaged(index / table.name, error) from error
    for row in found.to_pylist():
        homes.setdefault(row[table.key], set()).add(Path(row["__filename"]).stem)
    return homes


def _damaged(path: Path, error: Exception) -> IndexDamaged:
    message = f"{path} cannot be read ({error}); remove it and rebuild the index with stix-jobs check --repair"
    return IndexDamaged(message)


def _partition(index: Path, table: Table[Any], month: str) -> Path:
    return index / table.name / f"{month}.parquet"


def _moves(index: Path, table: Table[Any]) -> Path:
    return index / table.name / MOVES
