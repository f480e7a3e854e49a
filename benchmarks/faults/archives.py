"""Comparison of archives: all rows of all tables, without columns that depend on the time of processing."""

from __future__ import annotations

from archive import Archive
from archive.index import schema

TABLES = {name: table.key for name, table in schema.TABLES.items()}
#: Columns that depend only on the clock. The header of an image contains the time, so its hash depends on it.
TIMES = {"ingested_at", "started_at", "created_at", "updated_at", "elapsed_s"}
HASHES = {"sha256", "size"}


def rows_of(archive: Archive) -> dict[str, dict[str, dict[str, object]]]:
    """Rows by table and key."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for table, key in TABLES.items():
        apart = TIMES | (HASHES if table == "images" else set())
        rows = archive.query(f"SELECT * FROM {table} ORDER BY {key}").to_pylist()
        found[table] = {row[key]: {name: value for name, value in row.items() if name not in apart} for row in rows}
    return found
