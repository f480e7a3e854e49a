"""Opening files that others may replace at any time: open once, then use the descriptor.

To look at a name and to open it later is to open whatever is there by then: a link to a secret, a pipe that never
ends. Here a file is opened once, without following links and without waiting, and what it is comes from the
descriptor. In a folder that strangers may write to, the folders on the way are opened the same way, one by one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ELOOP, ENOTDIR, ENXIO
from io import BufferedReader, BufferedWriter
from pathlib import Path, PurePath

from stixcore.printable import printable

#: Not there on every system; without them a name is looked at before it is opened, which is all that can be done.
_SAFELY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class NotRegularFile(OSError):
    """A link, a pipe, a folder or a special file where a regular file was expected.

    Attributes
    ----------
    found : str
        What is there instead.
    """

    def __init__(self, path: PurePath, found: str) -> None:
        super().__init__(f"{printable(path.name)} is not a regular file but {found}")
        self.found = found


@dataclass(frozen=True)
class Identity:
    """Identity of a file, to notice a replacement: device, inode, mode, size [byte], time of modification [ns]."""

    device: int
    inode: int
    mode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """Identity from the result of ``os.stat``."""
        return cls(status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)


def open_regular(path: Path, *, below: Path | None = None) -> BufferedReader:
    """Open a regular file for reading.

    Parameters
    ----------
    path : Path
        The last part of it must not be a link.
    below : Path, optional
        A folder on the way to ``path``. None of the parts behind it may be a link; those up to it may.

    Raises
    ------
    NotRegularFile
        When it is a link, a pipe, a folder or a special file.
    OSError
        When it cannot be opened.
    """
    with open_folder(path.parent, below=below) as folder:
        # what is no file is not opened, if only it stays what it is: opening a device may do something
        _check_regular(path, os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode)
        try:
            descriptor = os.open(path.name, os.O_RDONLY | _SAFELY, dir_fd=folder)
        except OSError as error:
            if error.errno in {ELOOP, ENXIO}:
                raise NotRegularFile(path, "a link or special file, which is not followed") from error
            raise
    _check_opened(path, descriptor)
    return os.fdopen(descriptor, "rb")


def append_to_regular(path: Path) -> BufferedWriter:
    """Open a regular file for appending, and create it if missing. Errors as `open_regular`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _SAFELY, 0o666)
    except OSError as error:
        if error.errno in {ELOOP, ENXIO}:
            raise NotRegularFile(path, "a link or special file, which is not followed") from error
        raise
    _check_opened(path, descriptor)
    return os.fdopen(descriptor, "ab")


@contextmanager
def open_folder(folder: Path, *, below: Path | None = None) -> Iterator[int]:
    """Descriptor of a folder; see `open_regular`.

    Raises
    ------
    NotRegularFile
        When one of the parts behind ``below`` is a link, or no folder.
    OSError
        When it cannot be opened.
    """
    base = folder if below is None else below
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folder.relative_to(base).parts:
            try:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _SAFELY, dir_fd=descriptor)
            except OSError as error:
                if error.errno in {ELOOP, ENOTDIR}:
                    raise NotRegularFile(folder, "in a folder that is a link, which is not followed") from error
                raise
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def remove_same(path: Path, identity: Identity, *, below: Path | None = None) -> bool:
    """Remove a file, unless it was replaced or modified meanwhile.

    Returns
    -------
    bool
        Whether it was removed.
    """
    try:
        with open_folder(path.parent, below=below) as folder:
            if Identity.of(os.stat(path.name, dir_fd=folder, follow_symlinks=False)) != identity:
                return False
            os.unlink(path.name, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError, NotRegularFile):  # a folder may have taken its place
        return False
    return True


def kind_of(mode: int) -> str:
    """Description of a file that is not regular, from its mode."""
    if stat.S_ISLNK(mode):
        return "a symbolic link, which is not followed"
    return "a pipe" if stat.S_ISFIFO(mode) else "a folder or special file"


def _check_opened(path: Path, descriptor: int) -> None:
    """Close a descriptor that is not of a regular file."""
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularFile(path, kind_of(mode))
