"""State of a running check: its options, its findings, and moving files into quarantine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive.checks.findings import KINDS, Code, Finding
from archive.errors import BadRow, NotInArchive
from archive.index.columns import Table
from archive.index.recorded import RecordedRow
from archive.index.schema import Image, Run
from archive.index.write import partitions
from archive.ingest.quarantine import Refusal, put_aside
from archive.regular_files import open_regular
from archive.store import Archive
from stixcore.printable import printable, without_folders

#: A file younger than this may still be in use by a writer, s.
IN_PROGRESS_S = 3600.0

#: Exceptions raised by reading a damaged Parquet file.
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, BadRow)


class Remake(Protocol):
    """Remakes the images of a run, files and rows; returns whether that succeeded."""

    def __call__(self, run: Run, images: Sequence[Image]) -> bool:
        """Remake them; ``images`` are the rows still in the index."""


#: Makes files and row of a spectrum, or of region spectra, again from its recipe; returns whether that succeeded.
type Remeasure = Callable[[RecordedRow], bool]


@dataclass
class Inspection:
    """State of one check.

    Attributes
    ----------
    archive : Archive
    now : datetime64
        UTC.
    repair, deep : bool
        Repair what is found; read every file instead of comparing sizes.
    remake : Remake, optional
    remeasure : function, optional
        Makes a spectrum, or region spectra, again.
    progress : function, optional
        Called with the kind of item ("files", "images", "spectra", "regions"), the number done and the total.
    findings : list of Finding
    unreadable : set of (table, month)
        Months that cannot be read, so that nothing is known about their rows.
    """

    archive: Archive
    now: np.datetime64
    repair: bool = False
    deep: bool = True
    remake: Remake | None = None
    remeasure: Remeasure | None = None
    progress: Callable[[str, int, int], None] | None = None
    findings: list[Finding] = field(default_factory=list)
    unreadable: set[tuple[str, str]] = field(default_factory=set)

    @property
    def root(self) -> Path:
        """Folder of the archive."""
        return self.archive.root

    def found(self, code: Code, table: str, file: str, message: str, *, repaired: bool = False) -> None:
        """Add a finding."""
        self.findings.append(
            Finding(KINDS[code].level, code, table, printable(file), without_folders(printable(message)), repaired)
        )

    def step(self, what: str, done: int, total: int) -> None:
        """Report progress."""
        if self.progress is not None:
            self.progress(what, done, total)

    @contextmanager
    def writers_out(self) -> Iterator[None]:
        """Hold the write lock, so that files and rows match. A read-only archive needs none, as nobody can write."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.archive.write_lock())
            except OSError:
                if self.repair:
                    raise
            yield

    def in_progress(self, modified_s: float) -> bool:
        """Whether a file last modified then [Unix time, s] may still be in use by a writer."""
        age = (self.now - np.datetime64(round(modified_s * 1e6), "us")) / np.timedelta64(1, "s")
        return bool(abs(age) < IN_PROGRESS_S)  # after a clock was set back, files are younger than now

    def older_than(self, modified_s: float, age_s: float) -> bool:
        """Whether a file was last modified [Unix time, s] more than ``age_s`` ago."""
        age = (self.now - np.datetime64(round(modified_s * 1e6), "us")) / np.timedelta64(1, "s")
        return bool(age > age_s)

    def path_of(self, relative: str | None) -> Path | None:
        """Absolute path of a file of the archive; None when the path is empty or leaves the archive."""
        if not relative:
            return None
        try:
            return self.archive.path_of(relative)
        except NotInArchive:
            return None

    def set_aside(self, path: Path, reason: str) -> None:
        """Move a file into quarantine, with the reason. A file that cannot be read stays where it is."""
        if self.copy_aside(path, reason) or not path.is_file() or path.is_symlink():
            path.unlink(missing_ok=True)

    def copy_aside(self, path: Path, reason: str) -> bool:
        """Copy a file into quarantine, with the reason. If it cannot be read, write the reason and return False."""
        sha256 = None
        with suppress(OSError), open_regular(path) as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        put_aside(self.root / "quarantine", path, Refusal(reason), self.now, sha256)
        return sha256 is not None

    def months(self, table: Table[Any]) -> list[str]:
        """Readable months of a table, oldest first."""
        stems = (path.stem for path in partitions(self.archive.index, table.name))
        return [month for month in stems if (table.name, month) not in self.unreadable]

    def all_months(self, folder: str, *tables: Table[Any]) -> list[str]:
        """Months with rows in tables, or with a folder ``<folder>/<year>/<month>``, oldest first."""
        indexed = {path.stem for table in tables for path in partitions(self.archive.index, table.name)}
        places = (self.root / folder).glob("[0-9]*/[0-9]*")
        return sorted((indexed | {month_of_path(f"{place.parent.name}/{place.name}") for place in places}) - {""})

    def folders_of_month(self, folder: str, month: str) -> Iterator[Path]:
        """Folders ``<folder>/<year>/<month>/<day>/<name>`` of one month, in order; no links."""
        for day in sorted((self.root / folder).joinpath(*month.split("-")).glob("[0-9][0-9]")):
            with os.scandir(day) as entries:
                yield from sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))

    def rows[Row](self, table: Table[Row], month: str) -> list[Row]:
        """Rows in the file of one month; empty when there is no such file."""
        if (table.name, month) in self.unreadable:
            return []
        path = self.archive.index / table.name / f"{month}.parquet"
        return table.to_rows(read_month(table, path)) if path.is_file() else []


def read_month(table: Table[Any], path: Path) -> pa.Table:
    """Rows in the file of a month, with the columns and types of its table; raises one of `UNREADABLE`."""
    found = pq.read_table(path, partitioning=None)  # a folder called "a=b" is no column
    return found.select(table.arrow.names).cast(table.arrow)


def files_of(folder: Path) -> dict[str, tuple[int, float]]:
    """Names of the files in a folder, with size [byte] and time of writing [Unix time, s]; no hidden ones."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                status = entry.stat()
                found[entry.name] = (status.st_size, status.st_mtime)
    return found


def month_of_path(relative: str) -> str:
    """Month of a path such as ``fits/L1/2022/11/11/SCI/x.fits`` or ``images/2022/11/11/…``; empty where it has none."""
    parts = relative.split("/")
    for year, month in pairwise(parts):
        if len(year) == 4 and year.isdigit() and len(month) == 2 and month.isdigit():
            return f"{year}-{month}"
    return ""
