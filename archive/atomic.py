"""Atomic writes: a file is written under a temporary name, flushed to disk and renamed.

A rename within a folder is atomic, so a reader sees the old file or the new one. The temporary file is flushed before
the rename and the folder after it, so both survive a power cut in that order. A process killed in between leaves a
hidden ``.part-<random>`` behind, which nothing reads and `leftovers` finds.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EXDEV
from pathlib import Path
from typing import BinaryIO

from archive.errors import ArchiveError
from archive.regular_files import open_regular

PART = ".part-"
_BLOCK = 1 << 20
#: Permissions before the umask; of what only its owner may see.
READABLE, PRIVATE, PRIVATE_FOLDER = 0o666, 0o600, 0o700


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Name of a temporary file that replaces ``path`` when the block ends without an error.

    Folders are created as needed. When the block raises, or writes nothing, ``path`` is not changed.

    Parameters
    ----------
    path : Path
        Path of the file. An existing file is replaced.

    Yields
    ------
    Path
        A hidden path in the same folder, which does not exist yet. It has the suffix of ``path``, for libraries that
        need it.
    """
    make_folder(path.parent)
    temporary = path.parent / f"{PART}{secrets.token_hex(8)}{path.suffix[:16]}"
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except BaseException:  # also after Ctrl-C
        temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def write_bytes(path: Path, content: bytes, mode: int = READABLE) -> None:
    """Write bytes atomically; ``mode`` is the permissions before the umask."""
    with atomic_path(path) as temporary, create(temporary, mode) as writer:
        writer.write(content)


def write_text(path: Path, content: str, mode: int = READABLE) -> None:
    """Write text as UTF-8, atomically; ``mode`` as in `write_bytes`."""
    write_bytes(path, content.encode(), mode)


def create(path: Path, mode: int = READABLE) -> BinaryIO:
    """Create a new file with the permissions ``mode`` and open it for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")


def copy_file(source: Path, target: Path, sha256: str | None = None, mode: int = READABLE) -> str:
    """Copy the content of a file (no times, no permissions), atomically.

    Parameters
    ----------
    source : Path
        A regular file; a link is not followed.
    target : Path
    sha256 : str, optional
        Expected SHA-256 of the copy.
    mode : int
        As in `write_bytes`.

    Returns
    -------
    str
        SHA-256 of the copy, 64 hex digits.

    Raises
    ------
    ArchiveError
        When the copy has another SHA-256 because the source changed meanwhile, or the source cannot be read.
    NotRegularFile
        When ``source`` is a link or not a file.
    """
    with atomic_path(target) as temporary, open_regular(source) as reader, create(temporary, mode) as writer:
        return copy_stream(reader, writer, source.name, sha256)


def copy_stream(reader: BinaryIO, writer: BinaryIO, name: str, sha256: str | None = None) -> str:
    """Copy the rest of an open file to another; returns its SHA-256, 64 hex digits.

    Raises
    ------
    ArchiveError
        When it differs from ``sha256``, or ``reader`` fails; the message quotes ``name``.
    """
    digest = hashlib.sha256()
    while block := _read(reader, name):
        digest.update(block)
        writer.write(block)
    found = digest.hexdigest()
    if sha256 is not None and found != sha256:
        message = f"{name} changed while it was copied (sha256 {found[:16]}… instead of {sha256[:16]}…)"
        raise ArchiveError(message)
    return found


def _read(reader: BinaryIO, name: str) -> bytes:
    try:
        return reader.read(_BLOCK)
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise ArchiveError(message) from error


def move_file(source: Path, target: Path, mode: int | None = None) -> None:
    """Move a file atomically, also to another file system.

    Parameters
    ----------
    source, target : Path
        An existing ``target`` is replaced.
    mode : int, optional
        New permissions of the file.
    """
    make_folder(target.parent)
    if mode is not None:
        source.chmod(mode)
    _flush(source)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        copy_file(source, target, mode=READABLE if mode is None else mode)
        source.unlink()
    _flush(target.parent)


def remove_file(path: Path) -> None:
    """Remove a file, if it exists, and flush its folder."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _flush(path.parent)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Create a folder and its parents, flushing each, so that its files survive a power cut.

    ``mode``, before the umask, applies to each new folder.
    """
    missing = [place for place in (folder, *folder.parents) if not place.is_dir()]
    for place in reversed(missing):
        place.mkdir(mode, exist_ok=True)
        _flush(place.parent)


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can open; close it to others if older software left it open."""
    make_folder(folder, PRIVATE_FOLDER)
    status = folder.stat()
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        folder.chmod(PRIVATE_FOLDER)


def leftovers(folder: Path) -> list[Path]:
    """Temporary files under ``folder``: of killed processes, or of writers still in progress."""
    return sorted(folder.rglob(f"{PART}*"))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def identity(path: Path) -> tuple[int, int, int] | None:
    """Identity of a file, to notice a replacement: inode, time, size; None when there is no file."""
    try:
        entry = path.stat()
    except FileNotFoundError:
        return None
    return entry.st_ino, entry.st_mtime_ns, entry.st_size
