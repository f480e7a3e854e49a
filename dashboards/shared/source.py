"""Where the archive is, and messages when it cannot be read."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import duckdb

from archive import Archive, ArchiveBusy, IndexDamaged, IndexVersion, NotAnArchive, QueryTimeout
from archive.index.reader import QueryLimits
from dashboards.shared.limits import WebLimits
from jobs.queue.journal import Journal
from jobs.shared.errors import JournalVersion
from stixcore.errors import CalibrationError, StixError

#: Environment variable with the folder of the archive.
ARCHIVE_VARIABLE = "STIX_ARCHIVE"
ARCHIVE_DEFAULT = "stix-archive"

_LIMITS = QueryLimits()

log = logging.getLogger(__name__)

_FULL = "The archive's disk is full. Please tell the operator."
_CLOSED = "The server has no permission to use the archive. Please tell the operator."
_DAMAGED = "The index of the archive is damaged. An operator can repair it with “stix-jobs check --repair”."
_BUSY = "The archive is busy. Try again in a moment."
_NO_JOURNAL = "The request queue is not available. Please tell the operator."


class Unavailable(StixError):
    """The archive cannot be read now; the message is for the visitor."""


@dataclass
class ArchiveSource:
    """The archive of the pages: opened when first needed; opening is retried after errors.

    Parameters
    ----------
    folder : Path
    limits : QueryLimits
        What queries may use.
    """

    folder: Path
    limits: QueryLimits = _LIMITS
    _archive: Archive | None = field(default=None, repr=False)

    def archive(self) -> Archive:
        """The archive.

        Raises
        ------
        Unavailable
            If the folder is not an archive, or its index has another version.
        """
        if self._archive is None or not self._archive.index.is_dir():
            with in_plain_words():
                self._archive = Archive(
                    self.folder, incomplete=True, lock_timeout_s=WebLimits().lock_time, limits=self.limits
                )
        return self._archive

    def lacks(self, table: str) -> bool:
        """Whether months of a table are damaged and left out, so that it may not be complete."""
        return self._archive is not None and any(month.startswith(f"{table} ") for month in self._archive.left_out)

    @property
    def warning(self) -> str:
        """What is missing from all results, for the visitor; empty if nothing is."""
        months = self._archive.left_out if self._archive is not None else ()
        if not months:
            return ""
        return (
            f"Part of the index is damaged ({', '.join(months)}), so lists are incomplete. "
            "An operator can repair it with “stix-jobs check --repair”."
        )

    def ask[Answer](self, question: Callable[[Archive], Answer]) -> Answer:
        """Result of a function of the archive.

        Raises
        ------
        Unavailable
            If the archive cannot be read.
        """
        archive = self.archive()
        with in_plain_words():
            return question(archive)


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Replace errors of an archive by a sentence for visitors; the log has the details.

    Raises
    ------
    Unavailable
        Instead of any error of the archive, its journal, its calibration, or the disk.
    """
    try:
        yield
    except NotAnArchive as error:
        message = "There is no archive here yet. An operator can create one with “stix-jobs ingest FOLDER”."
        log.warning("%s", error)
        raise Unavailable(message) from error
    except IndexVersion as error:
        message = (
            "The index of the archive does not match this software version. "
            "An operator can update it with “stix-jobs ingest”."
        )
        log.warning("%s", error)
        raise Unavailable(message) from error
    except QueryTimeout as error:
        message = "The archive took too long to answer. Narrow the filter, or try again."
        raise Unavailable(message) from error
    except ArchiveBusy as error:
        log.warning("%s", error)
        raise Unavailable(_BUSY) from error
    except (sqlite3.Error, JournalVersion) as error:
        log.error("the journal cannot be used: %s: %s", type(error).__name__, error)  # noqa: TRY400 (a fault of files)
        raise Unavailable(_journal_sentence(error)) from error
    except OSError as error:
        log.error("the archive cannot be used: %s", error)  # noqa: TRY400 (a fault of the disk)
        raise Unavailable(disk_sentence(error)) from error
    except CalibrationError as error:
        log.error("the calibration of the archive is damaged: %s", error)  # noqa: TRY400 (a fault of files)
        message = f"The calibration of the archive is damaged: {error}"
        raise Unavailable(message) from error
    except (IndexDamaged, duckdb.Error, KeyError) as error:  # KeyError: a column that this version does not know
        log.error("the archive cannot be read: %s: %s", type(error).__name__, error)  # noqa: TRY400 (a fault of files)
        raise Unavailable(_DAMAGED) from error


def disk_sentence(error: OSError) -> str:
    """Message about a disk error, for visitors."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _FULL
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return _CLOSED
    return _DAMAGED


def _journal_sentence(error: sqlite3.Error | JournalVersion) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return {
        sqlite3.SQLITE_BUSY: _BUSY,
        sqlite3.SQLITE_LOCKED: _BUSY,
        sqlite3.SQLITE_FULL: _FULL,
        sqlite3.SQLITE_READONLY: _CLOSED,
    }.get(code, _NO_JOURNAL)


def journal_of(archive: Archive) -> Journal:
    """Journal of an archive for the web server, with a short wait for its lock."""
    return Journal(archive.root, WebLimits().lock_time)


def archive_source() -> ArchiveSource:
    """The shared source of this process for the folder in ``$STIX_ARCHIVE``, else ``./stix-archive``."""
    return _source_of(Path(os.environ.get(ARCHIVE_VARIABLE, ARCHIVE_DEFAULT)).resolve())


@cache
def _source_of(folder: Path) -> ArchiveSource:
    return ArchiveSource(folder)
