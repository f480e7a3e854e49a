"""Who holds a lease, and whether they still live: a lock that the operating system lets go when its process ends."""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}", re.ASCII)


class Owner:
    """A worker's name, with a lock on a file of that name for as long as the process lives.

    So its requests can be taken up at once when it was killed, without waiting for the lease; where locks do not reach
    (another machine), the lease decides.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    """

    def __init__(self, root: Path) -> None:
        host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:100]
        self._root = root
        self.name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        self._path = _lock_file(root, self.name)
        self._lock = FileLock(self._path)
        self._lock.acquire(timeout=0)

    def is_dead(self, name: str) -> bool:
        """Whether another worker is known not to live any more."""
        path = _lock_file(self._root, name)
        if name == self.name or not _NAME.fullmatch(name) or not path.is_file():
            return False
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError, NotImplementedError):
            return False
        path.unlink(missing_ok=True)
        lock.release()
        return True

    def release(self) -> None:
        """Let go of the name, in peace."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._lock.release()


def _lock_file(root: Path, name: str) -> Path:
    return root / "locks" / f"worker-{name}.lock"
