"""Read-only SQL over the tables of a published archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import duckdb

from archive.errors import IndexDamaged, PublicationChanged, QueryRefused, QueryTimeout
from archive.index.columns import Table
from archive.index.reader import MISTAKES, QueryLimits, Reader, limited
from archive.index.schema import TABLES
from archive.index.sql import parquet_scan, quoted, select
from archive.index.terms import OF_FLARE
from archive.published.files import PROTOCOL, PublishedFiles
from archive.published.manifest import FILES, NAME, Manifest, PublishedFile
from archive.published.transport import Transport

#: Largest manifest, byte.
_MOST = 64 << 20


class PublishedReader(Reader):
    """Queries on Parquet files over HTTP; safe to share between threads.

    Parameters
    ----------
    transport : Transport
    limits : QueryLimits
    """

    def __init__(self, transport: Transport, limits: QueryLimits) -> None:
        super().__init__(Path("/"), nullcontext, limits=limits)
        self.transport = transport
        self.files = PublishedFiles(transport)
        self.manifest = self._load()

    def _load(self) -> Manifest:
        manifest = Manifest.from_json(self.transport.whole(NAME, most=_MOST), self.transport.base + NAME)
        self.transport.forget()
        self.files.known = manifest.index_files
        return manifest

    def records(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See `Reader.records`. The ids of a flare are looked up first, so that they choose row groups."""
        values = list(parameters)
        while OF_FLARE in sql:
            before, _, rest = sql.partition(OF_FLARE)
            place = before.count("?")
            flare_id = values[place]
            also = "SELECT flare_id FROM flares WHERE list_contains(string_split(other_ids, ' '), ?)"
            ids = [flare_id, *(found for (found,) in super().records(also, [flare_id]))]
            sql = f"{before}flare_id IN ({', '.join('?' for _ in ids)}){rest}"
            values[place : place + 2] = ids
        return super().records(sql, values)

    def state(self) -> tuple[object, ...]:
        """Identity of the index."""
        return (tuple(sorted(self.manifest.index_files)),)

    def by_key(self, table: Table[Any], keys: Mapping[str, str]) -> list[tuple[Any, ...]]:
        """See `Reader.by_key`. The sorted keys tell the times, and these the row groups."""
        wanted, times = list(keys), []
        marks = ", ".join("?" for _ in wanted)
        if not wanted:
            return []
        having, values = f" WHERE {table.key} IN ({marks})", list[Any](wanted)
        if table.name in self.manifest.keys:
            found = self.records(select(table.time, _keys(table.name), having), wanted)
            times = [time for (time,) in found]
            if not times:
                return []
            having += f" AND {table.time} IN ({', '.join('?' for _ in times)})"
            values += times
        years = {f"{time:%Y}" for time in times}
        chosen = [file for file in self.manifest.tables[table.name] if not years or file.period in years]
        source = f"({_scan(chosen)})" if chosen else table.name
        return self.records(select(table.selection, source, having), values)

    def refresh(self) -> None:
        """Read the manifest again."""
        self.manifest = self._load()
        super().close()

    def close(self) -> None:
        """Close every file and connection; the next query opens them again."""
        super().close()
        self.files.blocks.clear()
        self.transport.close()

    def _answer[T](
        self,
        question: Callable[..., tuple[str, list[Any]]],
        take: Callable[[duckdb.DuckDBPyConnection, str, list[Any]], T],
        time_limit_s: float | None = None,
    ) -> T:
        try:
            return self._once(question, take, time_limit_s)
        except PublicationChanged:
            before, self.manifest = self.manifest, self._load()
            super().close()
            if self.manifest == before:
                raise
        return self._once(question, take, time_limit_s)

    def _once[T](
        self,
        question: Callable[..., tuple[str, list[Any]]],
        take: Callable[[duckdb.DuckDBPyConnection, str, list[Any]], T],
        time_limit_s: float | None,
    ) -> T:
        sql, values = question(())
        try:
            with self._opened() as cursor, limited(cursor, time_limit_s):
                return take(cursor, sql, values)
        except duckdb.InterruptException:
            message = f"the query was stopped after {time_limit_s} s, its time limit"
            raise QueryTimeout(message) from None
        except duckdb.Error as error:
            problem, self.files.problem = self.files.problem, None
            if problem is not None:
                raise type(problem)(str(problem)) from error
            if isinstance(error, (*MISTAKES, duckdb.PermissionException)):
                raise QueryRefused(str(error)) from error
            message = f"the tables of {self.transport.base} cannot be read: {error}"
            raise IndexDamaged(message) from error

    def _opened(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection.cursor()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """A database in memory that can read the files of the manifest, and do nothing else."""
        connection = duckdb.connect(":memory:")
        connection.register_filesystem(self.files)
        # the footers of files that never change
        connection.execute("SET parquet_metadata_cache = true")
        connection.execute("SET validate_external_file_cache = 'NO_VALIDATION'")
        allowed = [_address(file) for file in self.manifest.index_files.values()]
        settings = {
            "TimeZone": "'UTC'",
            "memory_limit": quoted(f"{self.limits.memory}B"),
            **({} if self.limits.threads is None else {"threads": str(self.limits.threads)}),
            "temp_directory": "''",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allowed_paths": f"[{', '.join(map(quoted, allowed))}]",
            "enable_external_access": "false",
            "lock_configuration": "true",
        }
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")
        for name, table in TABLES.items():
            files = self.manifest.tables.get(name, ())
            connection.execute(f"CREATE VIEW {name} AS {_scan(files) if files else table.empty_select}")
        for name, file in self.manifest.keys.items():
            connection.execute(f"CREATE VIEW {_keys(name)} AS {_scan([file])}")
        if self.manifest.tables.get(FILES):
            connection.execute(f"CREATE VIEW {FILES} AS {_scan(self.manifest.tables[FILES])}")
        return connection


def _keys(table: str) -> str:
    return f"keys_of_{table}"


def _address(file: PublishedFile) -> str:
    return f"{PROTOCOL}://{file.path}"


def _scan(files: Any) -> str:
    """Query of all rows of some files, newest first."""
    return parquet_scan(_address(file) for file in sorted(files, key=lambda file: file.period, reverse=True))
