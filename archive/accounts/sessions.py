"""Sessions of the pages: the secrets that sign them, and the list of those that were ended before their time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive.accounts.secret_file import SecretFile

SECRETS_FILE, ENDED_FILE = "web-secrets.json", "signed-out.json"


@dataclass(frozen=True)
class WebSecrets:
    """Keys of the web server: whoever knows them can be anybody."""

    cookie: str
    session: str


def web_secrets(root: Path) -> WebSecrets:
    """The keys of an archive, made when first asked for; the same for all its servers and after a restart.

    Raises
    ------
    AccountsDamaged, ArchiveBusy, OSError
        When they cannot be read or, the first time, written.
    """
    file = SecretFile(root, SECRETS_FILE)
    if not file.read():
        with file.alone():
            if not file.read():
                file.write({"cookie": secrets.token_urlsafe(48), "session": secrets.token_urlsafe(48)})
    content = file.read()
    return WebSecrets(str(content["cookie"]), str(content["session"]))


class Sessions:
    """Sessions that were ended: hashes of their cookies, with the time after which the cookie is worth nothing anyway.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    """

    def __init__(self, root: Path) -> None:
        self._file = SecretFile(root, ENDED_FILE)

    def end(self, cookie: str, now: np.datetime64, expires: np.datetime64) -> None:
        """End the session of a cookie, for all servers of this archive, and forget those that have expired."""
        with self._file.alone():
            kept = {key: time for key, time in self._file.read().items() if np.datetime64(time) > now}
            self._file.write({**kept, _hash(cookie): str(expires)})

    def has_ended(self, cookie: str) -> bool:
        """Whether the session of a cookie was ended."""
        return _hash(cookie) in self._file.read()


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
