"""Files that appear whole or not at all: written beside their place, flushed to disk, renamed.

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
    """Name of a temporary file that takes the place of ``path`` when the block ends well.

    Folders are made as needed. When the block raises, or writes nothing, ``path`` stays as it was.

    Parameters
    ----------
    path : Path
        Where the file shall be. An existing file is replaced.

    Yields
    ------
    Path
        A hidden name in the same folder which does not exist yet. It ends in the suffix of ``path``, for libraries that
        go by it.
    """
    make_folder(path.parent)
    temporary = path.parent / f"{PART}{secrets.token_hex(8)}{path.suffix[:16]}"
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except BaseException:  # a Ctrl-C shall not leave litter either
        temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def write_bytes(path: Path, content: bytes, mode: int = READABLE) -> None:
    """Write ``content`` as the file ``path``, whole or not at all; ``mode`` is what the umask leaves of it."""
    with atomic_path(path) as temporary, create(temporary, mode) as writer:
        writer.write(content)


def write_text(path: Path, content: str, mode: int = READABLE) -> None:
    """Write ``content`` as UTF-8, whole or not at all; ``mode`` as in `write_bytes`."""
    write_bytes(path, content.encode(), mode)


def create(path: Path, mode: int = READABLE) -> BinaryIO:
    """Create a file, which must not exist, and open it for writing; nobody can open it with more rights before."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")


def copy_file(source: Path, target: Path, sha256: str | None = None, mode: int = READABLE) -> str:
    """Copy bytes (no times, no permissions), whole or not at all.

    Parameters
    ----------
    source : Path
        A regular file; a link is not followed.
    target : Path
    sha256 : str, optional
        What the copy must hash to.
    mode : int
        As in `write_bytes`.

    Returns
    -------
    str
        SHA-256 of what was written, 64 hex digits.

    Raises
    ------
    ArchiveError
        When the copy does not hash to ``sha256``: the source changed while it was read. Or it cannot be read.
    NotRegularFile
        When ``source`` is a link, or no file.
    """
    with atomic_path(target) as temporary, open_regular(source) as reader, create(temporary, mode) as writer:
        return copy_stream(reader, writer, source.name, sha256)


def copy_stream(reader: BinaryIO, writer: BinaryIO, name: str, sha256: str | None = None) -> str:
    """Copy what is left in one open file to another; returns its SHA-256, 64 hex digits.

    Raises
    ------
    ArchiveError
        When that is not ``sha256``, or ``reader`` fails; ``name`` is how the message calls it.
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
    """Move a file of ours to its place, whole or not at all, even to another file system.

    Parameters
    ----------
    source, target : Path
        An existing ``target`` is replaced.
    mode : int, optional
        Permissions it gets.
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
    """Remove a file for good; no complaint where there is none."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _flush(path.parent)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, each flushed, so that a file in it is not lost after a power cut.

    ``mode``, less the umask, is for each that is made.
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
    """Temporary files that a killed process left below ``folder``; one may belong to a writer that is still at work."""
    return sorted(folder.rglob(f"{PART}*"))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def identity(path: Path) -> tuple[int, int, int] | None:
    """What tells whether a file was replaced: another inode, time or size; None when there is none."""
    try:
        entry = path.stat()
    except FileNotFoundError:
        return None
    return entry.st_ino, entry.st_mtime_ns, entry.st_size
