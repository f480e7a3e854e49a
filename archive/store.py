"""The archive: one folder with files, images and their index, opened for reading or for writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from archive.atomic import make_folder, make_private_folder
from archive.calibration import calibration_catalog
from archive.errors import ArchiveBusy, IndexVersion, NotAnArchive
from archive.index import read_model
from archive.index import write as parquet_index
from archive.index.migrations import migrate, pending
from archive.index.schema import TABLES, table_named
from archive.queries import Questions
from stixcore.calibration.catalog import CalibrationCatalog

FOLDERS = ("incoming", "fits", "images", "index", "quarantine", "locks")

#: How long a writer waits for the others, s. Building the read model of a million images takes some seconds of it.
LOCK_TIMEOUT_S = 600.0


class Archive(Questions):
    """A folder of STIX files and images, with its index.

    Reading needs no lock and changes nothing, so an archive may be read-only. Writing takes the archive's write lock by
    itself; hold `write_lock` around several steps that belong together. One object may be shared between threads; a
    worker process gets its own (pickling takes the folder along and nothing else).

    Parameters
    ----------
    root : path
        Folder of the archive.
    create : bool
        Make missing folders, and bring the index of an older version up to date. Without it nothing is written.
    lock_timeout_s : float
        How long a writer waits for another one, s.
    incomplete : bool
        Answer without months of the index that cannot be read (`left_out` tells which), where otherwise every question
        is refused. For those who only show what there is: who decides by what is missing must not be told less.

    Raises
    ------
    NotAnArchive
        When the folder is no archive and shall not become one.
    IndexVersion
        When the index was written by newer software, or is older and ``create`` is off.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        create: bool = False,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        incomplete: bool = False,
    ) -> None:
        super().__init__(Path(root).expanduser().resolve(), self.write_lock, incomplete=incomplete)
        self._lock_timeout_s = lock_timeout_s
        self._lock = FileLock(self.root / "locks" / "write.lock", timeout=lock_timeout_s)
        _check_folder(self.root, self.index, create=create)
        if create:
            for name in FOLDERS:
                make_folder(self.root / name)
            make_private_folder(self.root / "quarantine")
        waiting = pending(self.index)
        if waiting and not create:
            message = f"{self.index} was written by older software; the next stix-jobs ingest brings it up to date"
            raise IndexVersion(message)
        if waiting:
            with self.write_lock():
                migrate(self.index)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (str(self.root), self._lock_timeout_s)

    def __repr__(self) -> str:
        return f"Archive({str(self.root)!r})"

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Be the only writer; the same thread may take it again inside.

        Raises
        ------
        ArchiveBusy
            When another process keeps it for longer than the time-out.
        """
        try:
            self._lock.acquire()
        except Timeout:
            message = f"another process has been writing to {self.root} for {self._lock_timeout_s:g} s; try again later"
            raise ArchiveBusy(message) from None
        try:
            yield
        finally:
            self._lock.release()

    @property
    def calibration(self) -> CalibrationCatalog:
        """Energy tables and CAL files: the shipped ones and the archive's own.

        Raises
        ------
        CalibrationError
            When something in the folder ``calibration`` is damaged.
        """
        return calibration_catalog(self.root)

    def upsert(self, table: str, rows: Iterable[Any | Mapping[str, Any]]) -> tuple[str, ...]:
        """Insert rows or replace those with the same key; the same rows again change nothing, byte for byte.

        Parameters
        ----------
        table : str
            Name of a table.
        rows : iterable
            Rows of that table's class, or mappings with its columns as keys.

        Returns
        -------
        tuple of str
            Months ("2022-11") whose file changed.

        Raises
        ------
        BadRow
            When a row does not fit. Nothing is written.
        NotInArchive, IndexDamaged, ArchiveBusy
            No such table; a month that cannot be read; another writer that does not end.
        """
        declared = table_named(table)
        with self.write_lock():
            return parquet_index.upsert(self.index, declared, rows)

    def delete(self, table: str, keys: Iterable[str]) -> tuple[str, ...]:
        """Remove rows by their key; returns the months whose file changed. Errors as `upsert`."""
        declared = table_named(table)
        with self.write_lock():
            return parquet_index.delete(self.index, declared, keys)

    def build_read_model(self) -> Path:
        """Derive the read model anew, after a batch of writing; returns its file. A complete one is left alone."""
        with self.write_lock():
            for table in TABLES.values():
                parquet_index.finish_moves(self.index, table)
            return read_model.build(self.index)


def _reopened(root: str, lock_timeout_s: float) -> Archive:
    return Archive(root, lock_timeout_s=lock_timeout_s)


def _check_folder(root: Path, index: Path, *, create: bool) -> None:
    if set(str(root)) & set("*?[]{}"):
        # DuckDB would take the path for a pattern
        message = f"{root}: the path of an archive may not contain any of * ? [ ] {{ }}"
        raise NotAnArchive(message)
    if not create and not index.is_dir():
        lost = (root / "fits").is_dir() or (root / "images").is_dir()
        advice = "stix-jobs check --repair makes it from the files" if lost else "stix-jobs ingest --archive makes one"
        what = "its folder index is lost" if lost else "it has no folder index"
        message = f"{root} is no archive ({what}); {advice}"
        raise NotAnArchive(message)
    if root.exists() and not root.is_dir():
        message = f"{root} is a file, where the folder of an archive was expected"
        raise NotAnArchive(message)
