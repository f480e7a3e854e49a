"""Read-only SQL over the Parquet files and the read model.

Every query has its own cursor on an in-memory DuckDB with one view per table. The views are replaced when the list of
files changes. Each query opens the files, so that it sees a replaced month at once. If a month is replaced during a
query, the query is repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import identity
from archive.errors import ArchiveBusy, IndexDamaged, QueryRefused, QueryTimeout
from archive.index.columns import Table
from archive.index.read_model import current
from archive.index.schema import TABLES, AnyTable
from archive.index.series import SERIES, series_views
from archive.index.sql import Conditions, bindable, parquet_scan, quoted, select
from archive.index.write import partitions

#: Rows fetched at a time.
_BATCH = 20_000
#: Interval of interrupts, s: DuckDB forgets one that comes while it still prepares the query.
_INTERRUPT_AGAIN_S = 0.1
#: Attempts before a query that is disturbed by writers takes the write lock.
_ATTEMPTS = 5


@dataclass(frozen=True)
class QueryLimits:
    """What the queries of one reader may use.

    Attributes
    ----------
    memory : int, byte
        Memory of all its running queries. A query that needs more fails; it never spills to disk.
    answer : int, byte
        Largest answer of `Reader.query`: it is held in memory.
    threads : int, optional
        Threads of DuckDB; by default one per core.
    """

    memory: int = 10**9
    answer: int = 512 << 20
    threads: int | None = None


@dataclass(frozen=True)
class _Source:
    """Location of the rows of a table: months in Parquet files, and the other months in the read model, if any."""

    table: AnyTable
    files: tuple[Path, ...]
    months: tuple[str, ...] = ()
    model: Path | None = None

    @property
    def view(self) -> str:
        """The query behind the view of this table."""
        parts = []
        if self.model is not None:
            parts.append(select("*", f"model.{self.table.name}", self._other_months.where))
        if self.files:
            parts.append(parquet_scan(self.files))
        return " UNION ALL BY NAME ".join(parts) or self.table.empty_select

    def by_key(self, keys: Mapping[str, str]) -> tuple[str, list[Any]]:
        """Query for the rows with some keys, and its parameters.

        DuckDB uses the index of the model only if there is no other condition, so outdated months are removed
        afterwards. The file of a month is opened only if a key is in that month, or in an unknown one.
        """
        in_model, in_files, files = list(keys), list(keys), self.files
        if all(keys.values()):
            in_model = [key for key, month in keys.items() if month not in self.months]
            in_files = [key for key, month in keys.items() if self.model is None or month in self.months]
            files = tuple(path for path in files if path.stem in set(keys.values()))
        columns, parts, values = self.table.selection, [], []
        if self.model is not None and in_model:
            found = select(columns, f"model.{self.table.name}", self._having(in_model))
            parts.append(f"WITH found AS MATERIALIZED ({found}) " + select(columns, "found", self._other_months.where))
            values += in_model
        if files and in_files:
            parts.append(select(columns, f"({parquet_scan(files)})", self._having(in_files)))
            values += in_files
        return " UNION ALL ".join(f"({part})" for part in parts) or self.table.empty_select, values

    def _having(self, keys: list[str]) -> str:
        return f" WHERE {self.table.key} IN ({', '.join('?' for _ in keys)})"

    @property
    def _other_months(self) -> Conditions:
        time, one = self.table.time, np.timedelta64(1, "M")
        spans = ((month, np.datetime64(month) + one) for month in self.months)
        return Conditions(tuple(f"{time} < TIMESTAMP '{a}-01' OR {time} >= TIMESTAMP '{b}-01'" for a, b in spans))


#: Errors of DuckDB that are caused by the query.
MISTAKES = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
)

type _Take[T] = Callable[[duckdb.DuckDBPyConnection, str, list[Any]], T]
type _Record = tuple[Any, ...]
type _Question = Callable[[tuple[_Source, ...]], tuple[str, list[Any]]]


@dataclass
class Reader:
    """Read-only queries on one index folder; safe to share between threads.

    Parameters
    ----------
    index : Path
        Folder of the index, absolute.
    writers_out : function
        Context manager that holds the write lock, for a query that writers keep disturbing.
    incomplete : bool
        Leave out unreadable months instead of raising IndexDamaged.
    limits : QueryLimits
    """

    index: Path
    writers_out: Callable[[], AbstractContextManager[None]]
    incomplete: bool = False
    limits: QueryLimits = QueryLimits()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _sources: tuple[_Source, ...] = ()
    _views: dict[str, str] = field(default_factory=dict, repr=False)
    _connection: duckdb.DuckDBPyConnection | None = None
    _models: dict[Path, bool] = field(default_factory=dict, repr=False)
    _damaged: dict[Path, tuple[int, int, int] | None] = field(default_factory=dict, repr=False)

    def query(self, sql: str, parameters: Sequence[Any] = (), time_limit_s: float | None = None) -> pa.Table:
        """Run one SELECT.

        Parameters
        ----------
        sql : str
            One statement that reads; ``?`` stands for a parameter.
        parameters : sequence
            Values for the question marks: numbers, text, times, lists.
        time_limit_s : float, optional
            Time limit, s.

        Raises
        ------
        QueryRefused
            When it is not valid SQL, is more than one statement, does not only read, or has too large an answer.
        QueryTimeout
            When it exceeds the time limit.
        IndexDamaged
            When a file of the index cannot be read.
        """
        _check(sql)
        values = [bindable(value) for value in parameters]
        return self._answer(lambda _: (sql, values), self._arrow_table, time_limit_s)

    def records(self, sql: str, parameters: Sequence[Any] = ()) -> list[_Record]:
        """Run one of the package's own queries; returns tuples, which is faster than `query` for short answers.

        Raises
        ------
        IndexDamaged
            When a file of the index cannot be read.
        """
        values = [bindable(value) for value in parameters]
        return self._answer(lambda _: (sql, values), _fetch_all)

    def by_key(self, table: Table[Any], keys: Mapping[str, str]) -> list[_Record]:
        """Rows with some keys, as tuples, in any order, without keys that do not exist.

        Parameters
        ----------
        table : Table
        keys : mapping of str to str
            Month ("2022-11") of each key, empty if unknown; at most a few thousand keys.

        Raises
        ------
        IndexDamaged
            When a file of the index cannot be read.
        """
        place = list(TABLES).index(table.name)
        return self._answer(lambda sources: sources[place].by_key(keys), _fetch_all)

    def _arrow_table(self, cursor: duckdb.DuckDBPyConnection, sql: str, values: list[Any]) -> pa.Table:
        batches, weight = [], 0
        reader = cursor.sql(sql, params=values).to_arrow_reader(_BATCH)
        try:
            for batch in reader:
                weight += batch.nbytes
                if weight > self.limits.answer:
                    message = f"the answer has more than {self.limits.answer >> 20} MiB; ask for fewer columns or rows"
                    raise QueryRefused(message)
                batches.append(batch)
        except (OSError, pa.ArrowException) as error:
            raise _own_error(error) from error
        return pa.Table.from_batches(batches, reader.schema)

    def _answer[T](self, question: _Question, take: _Take[T], time_limit_s: float | None = None) -> T:
        for _ in range(_ATTEMPTS):
            answer = self._attempt(question, take, time_limit_s)
            if answer is not None:
                return answer
        with self.writers_out():  # writers change the index faster than the query runs
            answer = self._attempt(question, take, time_limit_s)
        if answer is None:
            message = f"{self.index} changed while it was read under the write lock; is the lock on another disk?"
            raise ArchiveBusy(message)
        return answer

    def _attempt[T](self, question: _Question, take: _Take[T], time_limit_s: float | None) -> T | None:
        """Answer, or None when a month was replaced meanwhile.

        DuckDB opens a file more than once per query, and may read the footer of the old file and the data of the new
        one. An answer is valid only if every file is the same before and after.
        """
        sources = self._look()
        sql, values = question(sources)
        series = [name for name in SERIES if name in sql.lower()]
        before = _identities(sources, self.index, series)
        try:
            with self._cursor(sources, series) as cursor, limited(cursor, time_limit_s):
                answer = take(cursor, sql, values)
        except duckdb.InterruptException:
            message = f"the query was stopped after {time_limit_s} s, its time limit"
            raise QueryTimeout(message) from None
        except duckdb.Error as error:
            if _identities(sources, self.index, series) != before:
                return None
            if self._is_mistake(error) and all(_has_columns(s.table, path) for s in sources for path in s.files):
                raise QueryRefused(str(error)) from error
            model = sources[0].model
            if model is not None and self._models.pop(model, False) and not self._usable(model):
                return None
            if self.incomplete and self._leave_out(sources):
                return None
            message = f"the index cannot be read, try stix-jobs check --repair: {error}"
            raise IndexDamaged(message) from error
        return answer if _identities(sources, self.index, series) == before else None

    def _is_mistake(self, error: duckdb.Error) -> bool:
        """Whether the query caused the error, and not a damaged file of the index."""
        if isinstance(error, duckdb.PermissionException):
            return True
        return isinstance(error, MISTAKES) and str(self.index) not in str(error)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Unreadable months that were left out: "images 2022-11"."""
        left = (path for path, known in self._damaged.items() if identity(path) == known)
        return tuple(sorted(f"{path.parent.name} {path.stem}" for path in left))

    def _leave_out(self, sources: tuple[_Source, ...]) -> bool:
        """Find unreadable months to leave out; returns whether there are any."""
        damaged = [path for source in sources for path in source.files if not _is_readable(source.table, path)]
        self._damaged.update((path, identity(path)) for path in damaged)
        return bool(damaged)

    def _whole(self, files: Iterable[Path]) -> tuple[Path, ...]:
        """Files without those known to be damaged."""
        if not self._damaged:
            return tuple(files)
        return tuple(path for path in files if path not in self._damaged or self._damaged[path] != identity(path))

    def state(self) -> tuple[object, ...]:
        """Identity of the index: equal as long as every query has the same answer."""
        sources = self._look()
        places = ((source.table.name, source.files, source.months, source.model) for source in sources)
        return (*places, *_identities(sources, self.index, []))

    def close(self) -> None:
        """Close every file; the next query opens them again."""
        with self._lock:
            self._sources, self._connection = (), None

    def _cursor(self, sources: tuple[_Source, ...], series: list[str]) -> duckdb.DuckDBPyConnection:
        """Cursor with views of all tables, and of the series in the query only, because their files may be damaged."""
        views = series_views(self.index, series)
        with self._lock:
            known = sources == self._sources and views.items() <= self._views.items()
            if self._connection is None or not known:
                self._connection = _open(self.index, sources, views, self.limits)
                self._sources, self._views = sources, views
            return self._connection.cursor()

    def _look(self) -> tuple[_Source, ...]:
        """Find the files as they are now: a handful of stats with a read model, a listing per table without."""
        model = current(self.index)
        if model is None or not self._usable(model.database):
            found = ((table, partitions(self.index, name)) for name, table in TABLES.items())
            return tuple(_Source(table, self._whole(files)) for table, files in found)
        sources = []
        for name, table in TABLES.items():
            months = model.months(name)
            files = (self.index / name / f"{month}.parquet" for month in months)
            present = self._whole(path for path in files if path.is_file())
            sources.append(_Source(table, present, months, model.database))
        return tuple(sources)

    def _usable(self, database: Path) -> bool:
        """Whether a model can be opened: it may have been removed just now, or written by another DuckDB."""
        if database not in self._models:
            try:
                with duckdb.connect(":memory:") as connection:
                    connection.execute(_attach(database))
                self._models[database] = True
            except duckdb.Error:
                self._models[database] = False
        return self._models[database]


def _fetch_all(cursor: duckdb.DuckDBPyConnection, sql: str, values: list[Any]) -> list[_Record]:
    return cursor.execute(sql, values).fetchall()


def _own_error(error: Exception) -> duckdb.Error:
    """What DuckDB raised while Arrow took its rows: Arrow passes on no more than the message."""
    kinds = {"INTERRUPT": duckdb.InterruptException, "Out of Memory": duckdb.OutOfMemoryException}
    kind = next((kind for beginning, kind in kinds.items() if beginning in str(error)), duckdb.DataError)
    return kind(str(error))


def _has_columns(table: AnyTable, path: Path) -> bool:
    """Whether a month's file has the columns of its table; a question fails also when it has others."""
    try:
        return set(table.arrow.names) <= set(pq.read_schema(path).names)
    except FileNotFoundError:
        return True  # removed meanwhile
    except (pa.ArrowException, OSError):
        return False


def _is_readable(table: AnyTable, path: Path) -> bool:
    """Whether a month's file can be read as a whole."""
    if not _has_columns(table, path):
        return False
    try:
        pq.read_table(path, columns=table.arrow.names, partitioning=None)
    except FileNotFoundError:
        return True  # removed meanwhile
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return False
    return True


def _identities(sources: tuple[_Source, ...], index: Path, series: list[str]) -> list[tuple[int, int, int] | None]:
    """What tells whether a file was replaced; a folder of light curves changes with every file in it."""
    files = (file for source in sources for file in source.files)
    return [identity(path) for path in (*files, *(index / name for name in series))]


def _check(sql: str) -> None:
    try:
        kinds = [str(statement.type).rpartition(".")[2] for statement in duckdb.extract_statements(sql)]
    except (duckdb.Error, ValueError) as error:  # ValueError: a statement that DuckDB knows and its Python does not
        raise QueryRefused(str(error)) from error
    if kinds != ["SELECT"]:
        message = f"a query is one SELECT, found {', '.join(kinds) or 'nothing'}"
        raise QueryRefused(message)


def _attach(model: Path) -> str:
    return f"ATTACH {quoted(model)} AS model (READ_ONLY)"


def _open(
    index: Path, sources: tuple[_Source, ...], views: dict[str, str], limits: QueryLimits
) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that can read only the given files, and do nothing else."""
    connection = duckdb.connect(":memory:")
    if sources[0].model is not None:
        connection.execute(_attach(sources[0].model))
    for source in sources:
        connection.execute(f"CREATE VIEW {source.table.name} AS {source.view}")
    for name, view in views.items():
        connection.execute(f"CREATE VIEW {name} AS {view}")
    files = [path for source in sources for path in source.files]
    settings = {
        "TimeZone": "'UTC'",
        "memory_limit": quoted(f"{limits.memory}B"),
        **({} if limits.threads is None else {"threads": str(limits.threads)}),
        "temp_directory": "''",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allowed_paths": f"[{', '.join(map(quoted, files))}]",
        "allowed_directories": f"[{', '.join(quoted(index / name) for name in SERIES)}]",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value}")
    return connection


@contextmanager
def limited(cursor: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Interrupt what runs inside after some seconds."""
    if seconds is None:
        yield
        return
    done = threading.Event()

    def stop() -> None:
        wait = seconds
        while not done.wait(wait):
            cursor.interrupt()
            wait = _INTERRUPT_AGAIN_S

    timer = threading.Thread(target=stop, daemon=True)
    timer.start()
    try:
        yield
    finally:
        done.set()
        timer.join()  # it holds the cursor: DuckDB complains about one that is left when the process ends
