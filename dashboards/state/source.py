"""Where the archive is, and what to say when it cannot be read."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import duckdb

from archive import Archive, IndexDamaged, IndexVersion, NotAnArchive, QueryTimeout
from stixcore.errors import StixError

#: Folder of the archive, for those who do not name one.
ARCHIVE_VARIABLE = "STIX_ARCHIVE"
ARCHIVE_DEFAULT = "stix-archive"

log = logging.getLogger(__name__)


class Unavailable(StixError):
    """The archive cannot be read now; the message is for the visitor."""


@dataclass
class ArchiveSource:
    """The archive that pages show: opened when first needed, and tried again for as long as it cannot be.

    Parameters
    ----------
    folder : Path
    """

    folder: Path
    _archive: Archive | None = field(default=None, repr=False)

    def archive(self) -> Archive:
        """The archive.

        Raises
        ------
        Unavailable
            When the folder is no archive, or its index is of another version.
        """
        if self._archive is None or not self._archive.index.is_dir():
            with in_plain_words():
                self._archive = Archive(self.folder, incomplete=True)
        return self._archive

    def lacks(self, table: str) -> bool:
        """Whether months of a table are damaged and left out: then nobody can say that it is empty."""
        return self._archive is not None and any(month.startswith(f"{table} ") for month in self._archive.left_out)

    @property
    def warning(self) -> str:
        """What is missing in everything that is shown, in plain words; empty when nothing is."""
        months = self._archive.left_out if self._archive is not None else ()
        if not months:
            return ""
        return (
            f"A part of the index is damaged ({', '.join(months)}): lists are not complete. "
            "Its keeper mends it with “stix-jobs check --repair”."
        )

    def ask[Answer](self, question: Callable[[Archive], Answer]) -> Answer:
        """Answer of the archive.

        Raises
        ------
        Unavailable
            When there is none, for reasons that are not the question's.
        """
        archive = self.archive()
        with in_plain_words():
            return question(archive)


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn what can go wrong with an archive into a sentence for visitors; the log keeps the details."""
    try:
        yield
    except NotAnArchive as error:
        message = "There is no archive here yet. Its keeper makes one with “stix-jobs ingest FOLDER --archive DIR”."
        log.warning("%s", error)
        raise Unavailable(message) from error
    except IndexVersion as error:
        message = f"The index of the archive has another version than these pages: {error}."
        raise Unavailable(message) from error
    except QueryTimeout as error:
        message = "The archive took too long to answer. Narrow the filter, or try again."
        raise Unavailable(message) from error
    except (
        IndexDamaged,
        duckdb.Error,
        OSError,
        KeyError,
    ) as error:  # KeyError: a column that this version does not know
        message = "The index of the archive is damaged. Its keeper mends it with “stix-jobs check --repair”."
        log.error("the archive cannot be read: %s: %s", type(error).__name__, error)  # noqa: TRY400 (a fault of files)
        raise Unavailable(message) from error


def archive_source() -> ArchiveSource:
    """The one source of this process for the folder that ``$STIX_ARCHIVE`` names; without it, ``./stix-archive``."""
    return _source_of(Path(os.environ.get(ARCHIVE_VARIABLE, ARCHIVE_DEFAULT)).resolve())


@cache
def _source_of(folder: Path) -> ArchiveSource:
    return ArchiveSource(folder)
