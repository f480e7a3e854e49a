"""The archive: one folder with files, images and their index, opened for reading or for writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

from filelock import FileLock, Timeout

from archive.atomic import make_folder, make_private_folder
from archive.calibration import calibration_catalog
from archive.errors import ArchiveBusy, IndexVersion, NotAnArchive
from archive.index import read_model
from archive.index import write as parquet_index
from archive.index.migrations import migrate, pending
from archive.index.reader import QueryLimits
from archive.index.recorded import REGION_RECORDS, SPECTRUM_RECORDS, Recorded, RecordedRow
from archive.index.records import keep_records
from archive.index.schema import TABLES, Image, RegionSpectra, Run, Spectrum, table_named
from archive.queries import ArchiveQueries
from stixcore.calibration.catalog import CalibrationCatalog

FOLDERS = ("incoming", "fits", "images", "index", "quarantine", "locks")

#: Time limit for the write lock, s. Building the read model of a million images takes a few seconds.
LOCK_TIMEOUT_S = 600.0
_LIMITS = QueryLimits()


class Archive(ArchiveQueries):
    """A folder of STIX files and images, with its index.

    Reading needs no lock and changes nothing, so an archive may be read-only. Methods that write take the write lock;
    hold `write_lock` around several steps that belong together. An archive can be shared between threads. Pickling
    keeps the folder and the time limit only, so each worker process opens its own.

    Parameters
    ----------
    root : path
        Folder of the archive, or the address ("https://…") of a published one: see
        `archive.published.archive.PublishedArchive`.
    create : bool
        Create missing folders and migrate an older index. Otherwise nothing is written.
    lock_timeout_s : float
        Time limit for the write lock, s.
    incomplete : bool
        Leave unreadable months of the index out of answers (`left_out` lists them) instead of raising IndexDamaged.
        For display only: code that decides by what is missing needs complete answers.
    limits : QueryLimits
        What its queries may use.

    Raises
    ------
    NotAnArchive
        When the folder is not an archive and ``create`` is off.
    IndexVersion
        When the index was written by newer software, or is older and ``create`` is off.
    """

    def __new__(cls, root: str | Path, **options: Any) -> Self:
        """An archive in a folder; an address opens a published one, which can only be read."""
        if isinstance(root, str) and root.startswith(("https://", "http://")):
            from archive.published.archive import PublishedArchive

            limits = {"limits": options["limits"]} if "limits" in options else {}
            return cast("Self", PublishedArchive(root, **limits))  # its writing methods refuse
        return super().__new__(cls)

    def __init__(
        self,
        root: str | Path,
        *,
        create: bool = False,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        incomplete: bool = False,
        limits: QueryLimits = _LIMITS,
    ) -> None:
        folder = Path(root).expanduser().resolve()
        super().__init__(folder, self.write_lock, incomplete=incomplete, limits=limits)
        self._lock_timeout_s = lock_timeout_s
        self._lock = FileLock(self.root / "locks" / "write.lock", timeout=lock_timeout_s)
        _check_folder(self.root, self.index, create=create)
        if create:
            for name in FOLDERS:
                make_folder(self.root / name)
            make_private_folder(self.root / "quarantine")
        waiting = pending(self.index)
        if waiting and not create:
            message = f"{self.index} was written by older software; run stix-jobs ingest to update it"
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
        """Hold the write lock. The same thread can take it again inside.

        Raises
        ------
        ArchiveBusy
            When another process holds it for longer than the time limit.
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
        """Energy tables and CAL files of the software and of the archive.

        Raises
        ------
        CalibrationError
            When something in the folder ``calibration`` is damaged.
        """
        return calibration_catalog(self.root)

    def upsert(self, table: str, rows: Iterable[Any | Mapping[str, Any]]) -> tuple[str, ...]:
        """Insert rows, or replace those with the same key. Writing the same rows again changes no byte.

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
            When a row does not fit the table. Nothing is written.
        NotInArchive
            When there is no such table.
        IndexDamaged
            When a month cannot be read.
        ArchiveBusy
            When another process holds the write lock for too long.
        """
        declared = table_named(table)
        with self.write_lock():
            return parquet_index.upsert(self.index, declared, rows)

    def delete(self, table: str, keys: Iterable[str]) -> tuple[str, ...]:
        """Remove rows by their key; returns the months whose file changed. Errors as `upsert`."""
        declared = table_named(table)
        with self.write_lock():
            return parquet_index.delete(self.index, declared, keys)

    def write_runs(self, runs: Iterable[Run], images: Iterable[Image]) -> None:
        """Write runs and their images: first the records beside the files, then the index, images before runs.

        So a run that is in the index as done has all of its images, and a lost index can be rebuilt.

        Parameters
        ----------
        runs : iterable of Run
        images : iterable of Image
            All images of these runs.

        Raises
        ------
        BadRow, IndexDamaged, ArchiveBusy
            As `upsert`.
        """
        runs, images = list(runs), list(images)
        with self.write_lock():
            keep_records(self.root, runs, images)
            self.upsert("images", images)
            self.upsert("runs", runs)

    def write_spectra(self, rows: Iterable[Spectrum]) -> None:
        """Write spectra into the index, after their records where these have other rows.

        Files and record are in the folder of a spectrum already (`archive.index.recorded`).

        Parameters
        ----------
        rows : iterable of Spectrum

        Raises
        ------
        BadRow, IndexDamaged, ArchiveBusy
            As `upsert`.
        """
        self.write_recorded(SPECTRUM_RECORDS, rows)

    def write_region_spectra(self, rows: Iterable[RegionSpectra]) -> None:
        """Write region spectra into the index; as `write_spectra`."""
        self.write_recorded(REGION_RECORDS, rows)

    def write_recorded[Row: RecordedRow](self, kind: Recorded[Row], rows: Iterable[Row]) -> None:
        """Write results of a kind into the index; as `write_spectra`."""
        rows = list(rows)
        with self.write_lock():
            kind.keep(self.root, rows)
            self.upsert(kind.table.name, rows)

    def build_read_model(self) -> Path:
        """Rebuild the read model after a batch of writes, unless it is up to date; returns its file."""
        with self.write_lock():
            for table in TABLES.values():
                parquet_index.finish_moves(self.index, table)
            return read_model.build(self.index)


def _reopened(root: str, lock_timeout_s: float) -> Archive:
    return Archive(root, lock_timeout_s=lock_timeout_s)


def _check_folder(root: Path, index: Path, *, create: bool) -> None:
    if set(str(root)) & set("*?[]{}"):
        # DuckDB would read the path as a pattern
        message = f"{root}: the path of an archive may not contain any of * ? [ ] {{ }}"
        raise NotAnArchive(message)
    if not create and not index.is_dir():
        lost = (root / "fits").is_dir() or (root / "images").is_dir()
        advice = (
            "stix-jobs check --repair rebuilds it"
            if lost
            else f"create it with stix-jobs ingest FOLDER --archive {root}"
        )
        what = "its index folder is missing" if lost else "it has no index folder"
        message = f"{root} is not an archive ({what}); {advice}"
        raise NotAnArchive(message)
    if root.exists() and not root.is_dir():
        message = f"{root} is a file, not the folder of an archive"
        raise NotAnArchive(message)
