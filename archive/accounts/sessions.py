"""Sessions of the pages: the keys that sign them, and the list of sessions ended before they expired."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from archive.accounts.secret_file import LOCK_TIMEOUT_S, SecretFile

SECRETS_FILE, ENDED_FILE = "web-secrets.json", "signed-out.json"
#: Shortest valid key; a shorter one means a damaged file.
_KEY_LENGTH = 32


@dataclass(frozen=True)
class WebSecrets:
    """Keys of the web server: anyone who has them can impersonate any user."""

    cookie: str = field(repr=False)
    session: str = field(repr=False)


def web_secrets(root: Path) -> WebSecrets:
    """Keys of an archive, created on first use; the same for all its servers and after a restart.

    Raises
    ------
    AccountsDamaged, ArchiveBusy, OSError
        When they cannot be read or, the first time, written.
    """
    file = SecretFile[WebSecrets | None](root, SECRETS_FILE, _secrets_of, None)
    found = file.read()
    if found is None:
        with file.locked():
            found = file.read()
            if found is None:
                found = WebSecrets(secrets.token_urlsafe(48), secrets.token_urlsafe(48))
                file.write({"cookie": found.cookie, "session": found.session})
    return found


class Sessions:
    """Ended sessions: hashes of their cookies, with the time when the cookie expires anyway.

    A session ended by this process stays ended in this process even if the list cannot be written; it is then written
    with the next one.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    lock_timeout_s : float, s
        Time limit for the lock of the list.
    """

    def __init__(self, root: Path, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._file = SecretFile[dict[str, np.datetime64]](root, ENDED_FILE, _ended_of, {}, lock_timeout_s)
        self._here: dict[str, np.datetime64] = {}
        self._guard = Lock()

    def end_here(self, cookie: str, now: np.datetime64, expires: np.datetime64) -> None:
        """End the session of a cookie in this process only, and forget expired ones."""
        with self._guard:
            self._here = {key: time for key, time in self._here.items() if time > now} | {_hash(cookie): expires}

    def end(self, cookie: str, now: np.datetime64, expires: np.datetime64) -> None:
        """End the session of a cookie on all servers of this archive, and forget expired ones.

        Raises
        ------
        AccountsDamaged, ArchiveBusy, OSError
            When that cannot be recorded; the session has then ended in this process only.
        """
        self.end_here(cookie, now, expires)
        with self._file.locked():
            with self._guard:
                here = dict(self._here)
            kept = {key: time for key, time in (self._file.read() | here).items() if time > now}
            self._file.write({key: str(time) for key, time in kept.items()})
        with self._guard:
            self._here = {key: time for key, time in self._here.items() if key not in here}

    def has_ended(self, cookie: str) -> bool:
        """Whether the session of a cookie has been ended.

        Raises
        ------
        AccountsDamaged
            When the list cannot be read.
        """
        key = _hash(cookie)
        return key in self._here or key in self._file.read()


def _secrets_of(document: dict[str, Any]) -> WebSecrets:
    keys = document["cookie"], document["session"]
    if not all(isinstance(key, str) and len(key) >= _KEY_LENGTH for key in keys):
        message = f"a key has {_KEY_LENGTH} characters or more"
        raise ValueError(message)
    return WebSecrets(*keys)


def _ended_of(document: dict[str, Any]) -> dict[str, np.datetime64]:
    if not all(isinstance(time, str) for time in document.values()):
        message = "every entry is the time when a session expires"
        raise TypeError(message)
    return {key: np.datetime64(time, "us") for key, time in document.items()}


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
