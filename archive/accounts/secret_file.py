"""JSON files that only their owner may read (mode 600), replaced whole, and read again only when they changed."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from archive.atomic import atomic_path, make_folder
from archive.errors import AccountsDamaged, ArchiveBusy

MODE = 0o600
#: How long a writer waits for another one, s; writing takes milliseconds.
PATIENCE_S = 20.0


class SecretFile[Content]:
    """One such file.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    name : str
        Of the file in it.
    parse : callable
        Content of the JSON object in it; KeyError, TypeError or ValueError when the object is none of ours.
    missing : Content
        What is read when there is no such file.
    patience_s : float, s
        How long `alone` waits for another process.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        parse: Callable[[dict[str, Any]], Content],
        missing: Content,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.path = root / name
        self._parse, self._missing, self._patience_s = parse, missing, patience_s
        self._lock_path = root / "locks" / f"{name}.lock"
        self._known: tuple[tuple[int, int, int], Content] | None = None

    def read(self) -> Content:
        """Its content, not to be changed.

        Raises
        ------
        AccountsDamaged
            When it cannot be read or does not hold what it should.
        """
        try:
            entry = self.path.stat()
            identity = entry.st_ino, entry.st_mtime_ns, entry.st_size
            known = self._known
            if known is not None and known[0] == identity:
                return known[1]
            if not stat.S_ISREG(entry.st_mode):  # to open a pipe waits for somebody who writes into it
                raise _damaged(self.path, "it is not a regular file")
            document = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return self._missing
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(self.path, str(error)) from error
        if not isinstance(document, dict):
            raise _damaged(self.path, "it does not hold a JSON object")
        try:
            content = self._parse(document)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(self.path, f"it does not hold what it should: {error!r}") from error
        self._known = identity, content
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace it; called inside `alone`.

        Raises
        ------
        OSError
            When the disk does not take it; the old file stays.
        """
        with atomic_path(self.path) as temporary:
            temporary.touch(mode=MODE)
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who reads and writes, over all processes.

        Raises
        ------
        ArchiveBusy
            When another process holds the lock for too long.
        OSError
            When the disk takes no lock file: it is full, or may not be written.
        """
        make_folder(self._lock_path.parent)
        lock = FileLock(self._lock_path)
        try:
            lock.acquire(timeout=self._patience_s)
        except Timeout:
            message = f"another process has been changing {self.path} for {self._patience_s:g} s; try again later"
            raise ArchiveBusy(message) from None
        try:
            yield
        finally:
            lock.release()


def _damaged(path: Path, why: str) -> AccountsDamaged:
    return AccountsDamaged(f"{path} cannot be read ({why}); restore it from a backup")
