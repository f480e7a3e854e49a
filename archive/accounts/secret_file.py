"""JSON files that only their owner may read (mode 600), replaced whole, and read again only when they changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from archive.atomic import atomic_path, make_folder
from archive.errors import AccountsDamaged, ArchiveBusy

MODE = 0o600
#: How long a writer waits for another one, s; writing takes milliseconds.
_PATIENCE_S = 20.0


class SecretFile:
    """One such file.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    name : str
        Of the file in it.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / name
        self._lock_path = root / "locks" / f"{name}.lock"
        self._known: tuple[tuple[int, int, int], dict[str, Any]] | None = None

    def read(self) -> dict[str, Any]:
        """Its content, not to be changed; empty when there is no such file.

        Raises
        ------
        AccountsDamaged
            When it cannot be read or is no JSON object.
        """
        try:
            entry = self.path.stat()
            identity = entry.st_ino, entry.st_mtime_ns, entry.st_size
            known = self._known
            if known is not None and known[0] == identity:
                return known[1]
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            message = f"{self.path} cannot be read ({error}); bring it back from a copy"
            raise AccountsDamaged(message) from error
        if not isinstance(content, dict):
            message = f"{self.path} does not hold what it should; bring it back from a copy"
            raise AccountsDamaged(message)
        self._known = identity, content
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace it; called inside `alone`."""
        with atomic_path(self.path) as temporary:
            temporary.touch(mode=MODE)
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who reads and writes, over all processes.

        Raises
        ------
        ArchiveBusy
            When somebody else does not come to an end.
        """
        make_folder(self._lock_path.parent)
        lock = FileLock(self._lock_path)
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            message = f"another process has been changing {self.path} for {_PATIENCE_S:g} s; try again later"
            raise ArchiveBusy(message) from None
        try:
            yield
        finally:
            lock.release()
