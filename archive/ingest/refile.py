"""Moving files with a wrong name or folder to the path that their header implies.

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

_MACHINE_ERRORS = frozenset({EACCES, EAGAIN, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ESTALE, ETIMEDOUT})


def describe_filed(path: Path, sha256: str, now: np.datetime64) -> Description:
    """Describe a file of the archive, with the name its header implies if its own is wrong.

    Parameters and errors as `archive.ingest.describe.describe`. The row has the correct path, which may not be
    ``path``.
    """
    try:
        return describe(path, sha256, now)
    except WrongName:
        return describe(path, sha256, now, by_header=True)


def content_in_place(archive: Archive, row: ProductFile) -> str:
    """SHA-256 of the file at the path of a row; empty when there is none."""
    place = archive.path_of(row.path)
    return sha256_of(place) if place.is_file() else ""


def refile(archive: Archive, path: Path, row: ProductFile) -> None:
    """Move a file to the path of its row, under the write lock. The caller writes the rows.

    Raises
    ------
    InvalidProduct
        When another file is there.
    """
    place = archive.path_of(row.path)
    if place.exists():
        raise InvalidProduct(path, f"no other file at {row.path}, where it belongs", "one with other content")
    move_file(path, place)


def is_machine_error(error: BaseException | None) -> bool:
    """Whether reading failed because of the machine and not the file: permissions, a failing disk, no memory."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _MACHINE_ERRORS):
            return True
        error = error.__cause__
    return False
