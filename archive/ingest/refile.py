"""Files under a wrong name or in a wrong folder go to the place that their header gives them; none is lost.

Older software filed days that begin half a second before midnight under the day before.
"""

from __future__ import annotations

from errno import EACCES, EAGAIN, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ESTALE, ETIMEDOUT
from pathlib import Path

import numpy as np

from archive.atomic import move_file
from archive.errors import WrongName
from archive.index.schema import ProductFile
from archive.ingest.describe import Description, describe
from archive.store import Archive
from stixcore.errors import InvalidProduct
from stixcore.recipe import sha256_of

_OF_THE_MACHINE = frozenset({EACCES, EAGAIN, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ESTALE, ETIMEDOUT})


def describe_filed(path: Path, sha256: str, now: np.datetime64) -> Description:
    """Describe a file of the archive; under the name that its header gives it where the one it has is wrong.

    Parameters and errors as `archive.ingest.describe.describe`. The place in the row is the right one, not that of
    ``path``.
    """
    try:
        return describe(path, sha256, now)
    except WrongName:
        return describe(path, sha256, now, by_header=True)


def content_in_place(archive: Archive, row: ProductFile) -> str:
    """SHA-256 of the file that is in a row's place, empty when there is none."""
    place = archive.path_of(row.path)
    return sha256_of(place) if place.is_file() else ""


def refile(archive: Archive, path: Path, row: ProductFile) -> None:
    """Move a file to the place of its row, under the write lock; its rows are the caller's to write.

    Raises
    ------
    InvalidProduct
        When another file is there.
    """
    place = archive.path_of(row.path)
    if place.exists():
        raise InvalidProduct(path, f"no other file at {row.path}, where it belongs", "one with other content")
    move_file(path, place)


def of_the_machine(error: BaseException | None) -> bool:
    """Whether a file could not be read for no fault of its own: no permission, a failing disk, no memory."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _OF_THE_MACHINE):
            return True
        error = error.__cause__
    return False
