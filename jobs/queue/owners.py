"""Names of workers, and locks that show whether a worker is alive: the system releases them when it ends."""

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
    """The name of a worker, with a lock on a file of that name while its process lives.

    When it is killed, others on this machine can claim its requests at once. On other machines, which do not see the
    lock, they wait until the lease expires.

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
        """Whether another worker is known to be dead."""
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
        """Release the name when the worker leaves."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._lock.release()


def _lock_file(root: Path, name: str) -> Path:
    return root / "locks" / f"worker-{name}.lock"
