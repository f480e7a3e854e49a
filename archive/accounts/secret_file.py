"""JSON files that only their owner can read (mode 600), replaced atomically and cached until they change."""

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
#: Time limit for the lock of a file, s; writing takes milliseconds.
LOCK_TIMEOUT_S = 20.0


class SecretFile[Content]:
    """A private JSON file.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    name : str
        Of the file in it.
    parse : callable
        Converts the JSON object to the content; raises KeyError, TypeError or ValueError for an invalid object.
    missing : Content
        Content when there is no file.
    lock_timeout_s : float, s
        Time limit of `locked`.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        parse: Callable[[dict[str, Any]], Content],
        missing: Content,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        self.path = root / name
        self._parse, self._missing, self._lock_timeout_s = parse, missing, lock_timeout_s
        self._lock_path = root / "locks" / f"{name}.lock"
        self._known: tuple[tuple[int, int, int], Content] | None = None

    def read(self) -> Content:
        """Content of the file, which must not be modified.

        Raises
        ------
        AccountsDamaged
            When it cannot be read or has invalid content.
        """
        try:
            entry = self.path.stat()
            identity = entry.st_ino, entry.st_mtime_ns, entry.st_size
            known = self._known
            if known is not None and known[0] == identity:
                return known[1]
            if not stat.S_ISREG(entry.st_mode):  # opening a pipe would wait for a writer
                raise _damaged(self.path, "it is not a regular file")
            document = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return self._missing
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(self.path, str(error)) from error
        if not isinstance(document, dict):
            raise _damaged(self.path, "it is not a JSON object")
        try:
            content = self._parse(document)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(self.path, f"its content is not valid: {error!r}") from error
        self._known = identity, content
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace the file; call inside `locked`.

        Raises
        ------
        OSError
            When it cannot be written; the old file stays.
        """
        with atomic_path(self.path) as temporary:
            temporary.touch(mode=MODE)
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the file, across all processes.

        Raises
        ------
        ArchiveBusy
            When another process holds the lock for too long.
        OSError
            When the lock file cannot be written: disk full, no permission.
        """
        make_folder(self._lock_path.parent)
        lock = FileLock(self._lock_path)
        try:
            lock.acquire(timeout=self._lock_timeout_s)
        except Timeout:
            message = f"another process has been changing {self.path} for {self._lock_timeout_s:g} s; try again later"
            raise ArchiveBusy(message) from None
        try:
            yield
        finally:
            lock.release()


def _damaged(path: Path, why: str) -> AccountsDamaged:
    return AccountsDamaged(f"{path} cannot be read ({why}); restore it from a backup")
