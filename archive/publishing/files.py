"""Files of a published archive: copies or hard links of those that public rows name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from archive.atomic import atomic_path, copy_file
from archive.errors import ArchiveError, NotInArchive
from archive.index.schema import FILE_TABLES, IMAGES, REGION_SPECTRA, SPECTRA
from archive.regular_files import open_regular
from archive.store import Archive

SCHEMA = pa.schema(
    [pa.field("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string()), ("modified_ns", pa.int64())]
)


@dataclass(frozen=True)
class CopiedFile:
    """A file of the published archive: path, size, SHA-256, time of modification [ns]."""

    path: str
    bytes: int
    sha256: str
    modified_ns: int


@dataclass(frozen=True)
class Contents:
    """What is published beside the index.

    Attributes
    ----------
    fits : bool
        FITS files of images and spectra.
    inputs : bool
        Level-1, quick-look, auxiliary and other files.
    link : bool
        Hard links instead of copies, where the file system allows.
    """

    fits: bool = True
    inputs: bool = False
    link: bool = True


def named_files(archive: Archive, table: str, rows: pa.Table, contents: Contents) -> Iterator[str]:
    """Paths of the files that public rows name, relative to the archive."""
    if table == IMAGES.name:
        columns = ("thumbnail", "png", *(("file",) if contents.fits else ()))
        for column in columns:
            yield from (path for path in rows[column].to_pylist() if path is not None)
    elif table in (SPECTRA.name, REGION_SPECTRA.name) and contents.fits:
        for folder in rows["folder"].to_pylist():
            found = archive.path_of(folder).glob("*.fits")
            yield from sorted((PurePosixPath(folder) / path.name).as_posix() for path in found)
    elif contents.inputs and table in {one.name for one in FILE_TABLES}:
        yield from rows["path"].to_pylist()


def copy_named(
    archive: Archive, out: Path, paths: Iterable[str], before: dict[str, CopiedFile], *, link: bool
) -> tuple[dict[str, CopiedFile], list[str], int]:
    """Bring files into the published archive; those that did not change are left alone.

    Returns
    -------
    tuple
        Published files by path, paths without a file, and the number of files written.
    """
    made: dict[str, CopiedFile] = {}
    absent: list[str] = []
    written = 0
    for path in paths:
        if path in made:
            continue
        try:
            source = archive.path_of(path)
            status = source.lstat()
        except (NotInArchive, FileNotFoundError):
            absent.append(path)
            continue
        if not stat.S_ISREG(status.st_mode):
            absent.append(path)
            continue
        known = before.get(path)
        same = known is not None and (known.bytes, known.modified_ns) == (status.st_size, status.st_mtime_ns)
        if known is not None and same and _is_there(out / path, status):
            made[path] = known
            continue
        _bring(source, out / path, link=link)
        written += 1
        with open_regular(out / path) as reader:
            digest = file_digest(reader, "sha256").hexdigest()
        made[path] = CopiedFile(path, status.st_size, digest, status.st_mtime_ns)
    return made, absent, written


def as_table(files: Iterable[CopiedFile]) -> pa.Table:
    """The table ``files``, sorted by path."""
    rows: list[dict[str, Any]] = [vars(file) for file in sorted(files, key=lambda file: file.path)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _is_there(target: Path, source: os.stat_result) -> bool:
    try:
        status = target.lstat()
    except FileNotFoundError:
        return False
    return (status.st_mode, status.st_size, status.st_mtime_ns) == (
        source.st_mode,
        source.st_size,
        source.st_mtime_ns,
    )


def _bring(source: Path, target: Path, *, link: bool) -> None:
    status = source.lstat()
    if link and _linked(source, target):
        return
    copy_file(source, target)
    target.chmod(stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    if source.lstat().st_mtime_ns != status.st_mtime_ns:
        message = f"{source.name} changed while it was copied; publish again"
        raise ArchiveError(message)


def _linked(source: Path, target: Path) -> bool:
    try:
        with atomic_path(target) as temporary:
            os.link(source, temporary, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        return False
    return True
