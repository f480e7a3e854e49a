"""Checks of the index itself: unreadable or missing months, misplaced rows, a read model that is out of date."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.atomic import atomic_path, remove_file
from archive.checks.findings import Code
from archive.checks.inspection import UNREADABLE, Inspection, read_month
from archive.index import write as parquet_index
from archive.index.columns import Table
from archive.index.read_model import ReadModel, current, mark_changed
from archive.index.schema import FLARES, TABLES
from archive.index.sql import quoted, select
from archive.index.write import MOVES, partitions

#: Columns with the time a row was written. Of two rows with one key, the later one is kept.
_WRITTEN = ("updated_at", "ingested_at", "started_at", "created_at")
#: Tables that cannot be restored from files, and how to fill them again. Skipped and failed runs are recorded again
#: by the next run of the previews.
_NOT_IN_FILES = {
    FLARES.name: "detect flares with stix-jobs flares, and import lists with stix-jobs import-flares",
}


def check_index(inspection: Inspection) -> None:
    """Check every month of every table, then the read model."""
    with inspection.writers_out(), _model_of(inspection) as model:
        for table in TABLES.values():
            _check_months(inspection, table, model)
            _check_moves(inspection, table)
            _check_places(inspection, table)
        if model is not None and model.stale:
            text = f"the read model {model.stale}"
            inspection.found(Code.READ_MODEL_STALE, "", _POINTER, text, repaired=inspection.repair)
            if inspection.repair:
                remove_file(inspection.root / _POINTER)


def _check_months(inspection: Inspection, table: Table[Any], model: _Model | None) -> None:
    known = dict(model.months[table.name]) if model else {}
    for path in partitions(inspection.archive.index, table.name):
        relative = str(path.relative_to(inspection.root))
        try:
            rows = read_month(table, path)
            table.to_rows(rows.slice(0, 1))
        except UNREADABLE as error:
            text = f"{relative} cannot be read: {error}"
            inspection.found(Code.MONTH_UNREADABLE, table.name, relative, text, repaired=inspection.repair)
            _repair_month(inspection, table, path, model, text)
            continue
        if model and path.stem in known:
            model.compare(table, path.stem, rows, known.pop(path.stem), deep=inspection.deep)
        elif model and not model.lacks(table, path.stem):
            model.add_difference(f"lacks {relative}")
    for month, number in known.items():
        path = inspection.archive.index / table.name / f"{month}.parquet"
        if model is not None and number and not path.is_file():
            relative = str(path.relative_to(inspection.root))
            text = f"{relative} is missing; the read model has {number} of its rows"
            inspection.found(Code.MONTH_MISSING, table.name, relative, text, repaired=inspection.repair)
            if inspection.repair:
                _write_month(table, path, model.rows(table, month))
            else:
                inspection.unreadable.add((table.name, month))


def _repair_month(inspection: Inspection, table: Table[Any], path: Path, model: _Model | None, reason: str) -> None:
    """Move a damaged month into quarantine, and restore it from the read model if that has it."""
    month = path.stem
    if not inspection.repair:
        inspection.unreadable.add((table.name, month))
        return
    recovered = model.rows(table, month) if model and month in model.months[table.name] else None
    inspection.copy_aside(path, reason)
    if recovered is not None:
        _write_month(table, path, recovered)
        return
    mark_changed(inspection.archive.index, table.name, [month])
    remove_file(path)
    if table.name in _NOT_IN_FILES:
        text = f"{table.name} of {month} cannot be restored from files; {_NOT_IN_FILES[table.name]}"
        inspection.found(Code.ROWS_LOST, table.name, str(path.relative_to(inspection.root)), text)


def _write_month(table: Table[Any], path: Path, rows: pa.Table) -> None:
    """Write a month from the read model. Readers keep using the model, which has the same rows."""
    with atomic_path(path) as temporary:
        rows = rows.sort_by([(table.time, "ascending"), (table.key, "ascending")]).combine_chunks()
        pq.write_table(rows, temporary, compression="zstd")


def _check_moves(inspection: Inspection, table: Table[Any]) -> None:
    journal = inspection.archive.index / table.name / MOVES
    if not journal.is_file():
        return
    relative = str(journal.relative_to(inspection.root))
    text = f"{relative}: a writer was killed while moving rows to another month"
    inspection.found(Code.MOVE_UNFINISHED, table.name, relative, text, repaired=inspection.repair)
    if inspection.repair:
        try:
            parquet_index.finish_moves(inspection.archive.index, table)
        except (ValueError, AttributeError):
            remove_file(journal)  # unreadable: rows that are in two months are found below


def _check_places(inspection: Inspection, table: Table[Any]) -> None:
    """Check that every row is in the month of its time, and every key occurs once."""
    months, keys = [], []
    strangers: set[str] = set()
    for month in inspection.months(table):
        found = pq.read_table(
            inspection.archive.index / table.name / f"{month}.parquet",
            columns=[table.key, table.time],
            partitioning=None,
        )
        there = pc.strftime(found[table.time], format="%Y-%m")
        strangers |= set(found.filter(pc.not_equal(there, month))[table.key].to_pylist())
        keys.append(found[table.key].combine_chunks())
        months += [month] * found.num_rows
    if not keys:
        return
    column = pa.chunked_array(keys, pa.string())
    counted = column.value_counts()
    twice = (
        {entry["values"].as_py() for entry in counted if entry["counts"].as_py() > 1}
        if len(counted) < len(column)
        else set()
    )
    if not inspection.repair:
        twice -= _moving(inspection, table)
    for code, wrong in ((Code.ROW_DUPLICATE, twice), (Code.ROW_MISPLACED, strangers - twice)):
        for key in sorted(wrong):
            at = sorted({month for month, name in zip(months, column.to_pylist(), strict=True) if name == key})
            text = f"{table.name} {key} is in {' and '.join(at)}; it must be in one month, once"
            inspection.found(code, table.name, key, text, repaired=inspection.repair)
    if inspection.repair and twice | strangers:
        rows = [row for month in inspection.months(table) for row in inspection.rows(table, month)]
        best = _latest(table, (row for row in rows if getattr(row, table.key) in twice | strangers))
        parquet_index.delete(inspection.archive.index, table, list(best))
        parquet_index.upsert(inspection.archive.index, table, best.values())


def _moving(inspection: Inspection, table: Table[Any]) -> set[str]:
    try:
        return set(json.loads((inspection.archive.index / table.name / MOVES).read_text()))
    except (OSError, ValueError, TypeError):
        return set()


def _latest(table: Table[Any], rows: Iterable[Any]) -> dict[str, Any]:
    """The row written last, for each key."""
    written = next(name for name in _WRITTEN if name in table.names)
    best: dict[str, Any] = {}
    for row in rows:
        key = getattr(row, table.key)
        if key not in best or getattr(row, written) >= getattr(best[key], written):
            best[key] = row
    return best


# The read model ------------------------------------------------------------------------------------------------------

_POINTER = "index/read/current.json"


class _Model:
    """The read model, as a second copy of the months that have not changed since it was built.

    Attributes
    ----------
    months : dict
        Number of rows by month, for each table; only months that the model still covers.
    """

    def __init__(self, model: ReadModel, connection: duckdb.DuckDBPyConnection) -> None:
        self._model, self._connection = model, connection
        self._differences: list[str] = []
        connection.execute(f"ATTACH {quoted(model.database)} AS model (READ_ONLY)")
        self.months = {table.name: self._count(table) for table in TABLES.values()}

    @property
    def stale(self) -> str:
        """How it differs from the index; empty when it does not."""
        more = f" (and {len(self._differences) - 1} more)" if len(self._differences) > 1 else ""
        return self._differences[0] + more if self._differences else ""

    def add_difference(self, text: str) -> None:
        """Record a difference from the index."""
        self._differences.append(text)

    def lacks(self, table: Table[Any], month: str) -> bool:
        """Whether the month has changed since the model was built."""
        return month in self._model.months(table.name)

    def _count(self, table: Table[Any]) -> dict[str, int]:
        what = f"strftime({table.time}, '%Y-%m') AS month, count(*) AS n"
        rows = self._connection.execute(select(what, f"model.{table.name}", " GROUP BY 1")).fetchall()
        return {str(month): int(n) for month, n in rows if not self.lacks(table, month)}

    def rows(self, table: Table[Any], month: str) -> pa.Table:
        """Rows of one month."""
        begin, end = np.datetime64(month), np.datetime64(month) + np.timedelta64(1, "M")
        span = f" WHERE {table.time} >= TIMESTAMP '{begin}-01' AND {table.time} < TIMESTAMP '{end}-01'"
        found = self._connection.sql(select("*", f"model.{table.name}", span)).to_arrow_table()
        return found.select(table.arrow.names).cast(table.arrow)

    def compare(self, table: Table[Any], month: str, rows: pa.Table, number: int, *, deep: bool) -> None:
        """Compare a month with the model: the number of rows and, if ``deep``, their content."""
        if rows.num_rows != number:
            self.add_difference(f"has {number} rows of {table.name} {month}, the index has {rows.num_rows}")
        elif deep:
            order = [(table.time, "ascending"), (table.key, "ascending")]
            ours, its = (part.sort_by(order).combine_chunks() for part in (rows, self.rows(table, month)))
            if not ours.equals(its):
                self.add_difference(f"differs from the index in {table.name} {month}")


@contextmanager
def _model_of(inspection: Inspection) -> Iterator[_Model | None]:
    """The current read model; None when there is none, or when it is unusable, which is reported."""
    pointer = inspection.root / _POINTER
    if not pointer.exists():
        yield None
        return
    with duckdb.connect(":memory:") as connection:
        model, reason = current(inspection.archive.index), f"{_POINTER} is not valid"
        found = None
        if model is not None:
            try:
                found = _Model(model, connection)
            except duckdb.Error as error:
                reason = f"the read model {model.database.name} cannot be used: {str(error).splitlines()[0]}"
        if found is None:
            inspection.found(Code.READ_MODEL_STALE, "", _POINTER, reason, repaired=inspection.repair)
            if inspection.repair:
                remove_file(pointer)
        yield found
