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
from pathlib import Path

from archive.errors import ArchiveError

PART = ".part-"
_BLOCK = 1 << 20


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


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` as the file ``path``, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def copy_file(source: Path, target: Path, sha256: str | None = None) -> str:
    """Copy bytes (no times, no permissions), whole or not at all.

    Parameters
    ----------
    source, target : Path
    sha256 : str, optional
        What the copy must hash to.

    Returns
    -------
    str
        SHA-256 of what was written, 64 hex digits.

    Raises
    ------
    ArchiveError
        When the copy does not hash to ``sha256``: the source changed while it was read.
    """
    with atomic_path(target) as temporary:
        digest = hashlib.sha256()
        with source.open("rb") as reader, temporary.open("wb") as writer:
            while block := reader.read(_BLOCK):
                digest.update(block)
                writer.write(block)
        found = digest.hexdigest()
        if sha256 is not None and found != sha256:
            message = f"{source.name} changed while it was copied (sha256 {found[:16]}… instead of {sha256[:16]}…)"
            raise ArchiveError(message)
    return found


def remove_file(path: Path) -> None:
    """Remove a file for good; no complaint where there is none."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _flush(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each flushed, so that a file in it cannot lose its road after a power cut."""
    missing = [place for place in (folder, *folder.parents) if not place.is_dir()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        _flush(place.parent)


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
