"""One check of the archive while it runs: what it may do, what it has found, how it sets things aside."""

from __future__ import annotations

import hashlib
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
from archive.index.schema import Image, Run
from archive.index.write import partitions
from archive.ingest.quarantine import Refusal, put_aside
from archive.regular_files import open_regular
from archive.store import Archive
from stixcore.printable import printable, without_folders

#: What is younger than this may still be at work, s.
AT_WORK_S = 3600.0

#: What reading a damaged Parquet file raises.
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, BadRow)


class Remake(Protocol):
    """Makes the images of a run again, files and rows; says whether they are there now."""

    def __call__(self, run: Run, images: Sequence[Image]) -> bool:
        """``images`` are the rows that the index still has."""


@dataclass
class Inspection:
    """State of one check.

    Attributes
    ----------
    archive : Archive
    now : datetime64
        UTC.
    repair, deep : bool
        Mend what is found; read every file instead of asking for its size.
    remake : Remake, optional
    progress : function, optional
        Called with what is looked at ("files", "images"), how many were done, how many there are.
    findings : list of Finding
    blind : set of (table, month)
        Months that cannot be read: what is missing in them is not known.
    """

    archive: Archive
    now: np.datetime64
    repair: bool = False
    deep: bool = True
    remake: Remake | None = None
    progress: Callable[[str, int, int], None] | None = None
    findings: list[Finding] = field(default_factory=list)
    blind: set[tuple[str, str]] = field(default_factory=set)

    @property
    def root(self) -> Path:
        """Folder of the archive."""
        return self.archive.root

    def found(self, code: Code, table: str, file: str, message: str, *, repaired: bool = False) -> None:
        """Note a finding."""
        self.findings.append(
            Finding(KINDS[code].level, code, table, printable(file), without_folders(printable(message)), repaired)
        )

    def step(self, what: str, done: int, total: int) -> None:
        """Tell how far it is."""
        if self.progress is not None:
            self.progress(what, done, total)

    @contextmanager
    def writers_out(self) -> Iterator[None]:
        """Be the only writer, so that files and rows fit together. In an archive nobody can write to, nobody writes."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.archive.write_lock())
            except OSError:
                if self.repair:
                    raise
            yield

    def at_work(self, modified_s: float) -> bool:
        """Whether a file of that age [s, Unix time] may belong to a writer that is still at work."""
        age = (self.now - np.datetime64(round(modified_s * 1e6), "us")) / np.timedelta64(1, "s")
        return bool(abs(age) < AT_WORK_S)  # a clock that was set back makes files younger than now

    def older_than(self, modified_s: float, age_s: float) -> bool:
        """Whether a file was last written to longer ago than ``age_s``."""
        age = (self.now - np.datetime64(round(modified_s * 1e6), "us")) / np.timedelta64(1, "s")
        return bool(age > age_s)

    def path_of(self, relative: str | None) -> Path | None:
        """Path of something inside the archive; None for what leads out of it."""
        if not relative:
            return None
        try:
            return self.archive.path_of(relative)
        except NotInArchive:
            return None

    def set_aside(self, path: Path, reason: str) -> None:
        """Move a file into quarantine, with the reason. One that cannot be read stays: nobody knows what is in it."""
        if self.copy_aside(path, reason) or not path.is_file() or path.is_symlink():
            path.unlink(missing_ok=True)

    def copy_aside(self, path: Path, reason: str) -> bool:
        """Copy a file into quarantine, with the reason; the reason alone, and False, where it cannot be read."""
        sha256 = None
        with suppress(OSError), open_regular(path) as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        put_aside(self.root / "quarantine", path, Refusal(reason), self.now, sha256)
        return sha256 is not None

    def months(self, table: Table[Any]) -> list[str]:
        """Months of a table that can be read, oldest first."""
        stems = (path.stem for path in partitions(self.archive.index, table.name))
        return [month for month in stems if (table.name, month) not in self.blind]

    def rows[Row](self, table: Table[Row], month: str) -> list[Row]:
        """Rows of one month as they stand in its file; none where there is no such file."""
        if (table.name, month) in self.blind:
            return []
        path = self.archive.index / table.name / f"{month}.parquet"
        return table.to_rows(read_month(table, path)) if path.is_file() else []


def read_month(table: Table[Any], path: Path) -> pa.Table:
    """All of a month's file, in the columns and types of its table; raises one of `UNREADABLE`."""
    found = pq.read_table(path, partitioning=None)  # a folder called "a=b" is no column
    return found.select(table.arrow.names).cast(table.arrow)


def month_of_path(relative: str) -> str:
    """Month of a path such as ``fits/L1/2022/11/11/SCI/x.fits`` or ``images/2022/11/11/…``; empty where it has none."""
    parts = relative.split("/")
    for year, month in pairwise(parts):
        if len(year) == 4 and year.isdigit() and len(month) == 2 and month.isdigit():
            return f"{year}-{month}"
    return ""
