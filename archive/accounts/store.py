"""``users.json``: users, password hashes (argon2id) and tokens. Any process can read and change it, under a lock."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from archive.accounts.names import check_label, check_name, check_password
from archive.accounts.provider_users import ProviderUsers
from archive.accounts.secret_file import LOCK_TIMEOUT_S, SecretFile
from archive.accounts.users import Person, Role, Token, User, user_document, user_of
from archive.errors import InvalidAccount, NoSuchUser, UserExists

USERS_FILE = "users.json"
VERSION = 1
#: Largest number of tokens per user.
TOKENS = 20

_TOKEN = re.compile(r"stix_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_HASHER = PasswordHasher()  # argon2id; 64 MiB and a tenth of a second each


class Accounts:
    """The users of an archive.

    Parameters
    ----------
    root : Path
        Folder of the archive, which need not exist yet.
    lock_timeout_s : float, s
        Time limit for the lock of the file.

    Every change raises AccountsDamaged when the file cannot be read, ArchiveBusy when another process holds its lock
    for too long, and OSError when it cannot be written. Nothing has changed then.
    """

    def __init__(self, root: Path, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self.root = root
        self._file = SecretFile[dict[str, User]](root, USERS_FILE, _users_of, {}, lock_timeout_s)

    def users(self) -> list[User]:
        """All users, sorted by name.

        Raises
        ------
        AccountsDamaged
            When the file cannot be read.
        """
        return [user for _, user in sorted(self._read().items())]

    def user(self, name: str) -> User:
        """The user with this name.

        Raises
        ------
        NoSuchUser
        """
        found = self._read().get(name)
        if found is None:
            message = f"there is no user {name[:80]!r}"
            raise NoSuchUser(message)
        return found

    # -- changing -----------------------------------------------------------------------------------------------------

    def add(self, name: str, password: str, now: np.datetime64, role: Role = Role.USER) -> User:
        """Add a user.

        Raises
        ------
        InvalidAccount, UserExists
        """
        made = User(check_name(name), role, _HASHER.hash(check_password(password)), secrets.token_hex(8), now)
        with self._changing() as users:
            present = users.get(name)
            if present is not None and present.password is not None:
                message = f"user {name!r} exists already; change the password with stix-jobs user passwd {name}"
                raise UserExists(message)
            users[name] = made
        return made

    def remove(self, name: str) -> None:
        """Remove a user. Their sessions end and their tokens become invalid; their images stay.

        Raises
        ------
        NoSuchUser
        """
        with self._changing() as users:
            self._of(users, name)
            del users[name]

    def change_password(self, name: str, password: str) -> None:
        """Change the password. Every session of the user ends; tokens stay valid until revoked.

        Raises
        ------
        NoSuchUser, InvalidAccount
        """
        self.set_password_hash(name, self.password_hash(password))

    @staticmethod
    def password_hash(password: str) -> str:
        """Argon2id hash of a password; takes about 0.1 s.

        Raises
        ------
        InvalidAccount
            When the password is too short or too long.
        """
        return _HASHER.hash(check_password(password))

    def set_password_hash(self, name: str, hashed: str) -> User:
        """Change the password by its hash, see `change_password`; returns the changed user."""
        with self._changing() as users:
            user = self._of(users, name)
            if user.password is None:
                message = f"{name!r} signs in with a provider and has no password here"
                raise InvalidAccount(message)
            users[name] = replace(user, password=hashed, generation=secrets.token_hex(8))
        return users[name]

    def end_sessions(self, name: str) -> None:
        """End every session of a user.

        Raises
        ------
        NoSuchUser
        """
        with self._changing() as users:
            users[name] = replace(self._of(users, name), generation=secrets.token_hex(8))

    def make_token(self, name: str, label: str, now: np.datetime64) -> str:
        """A new API token of a user, shown this once and kept as a hash.

        A user who signs in through a provider gets an entry without a password.

        Raises
        ------
        NoSuchUser, InvalidAccount
        """
        token_id, label = secrets.token_hex(4), check_label(label)
        text = f"stix_{token_id}_{secrets.token_urlsafe(32)}"
        with self._changing() as users:
            if name not in users and ProviderUsers.of(self.root).person(name) is not None:
                users[name] = User(name, Role.USER, None, secrets.token_hex(8), now)
            user = self._of(users, name)
            if len(user.tokens) >= TOKENS:
                message = f"{name!r} has {TOKENS} tokens, which is the most; revoke one first"
                raise InvalidAccount(message)
            users[name] = replace(user, tokens=(*user.tokens, Token(token_id, label, _sha256(text), now)))
        return text

    def revoke_token(self, name: str, token_id: str) -> None:
        """Revoke a token.

        Raises
        ------
        NoSuchUser
            When there is no such user, or no such token of theirs.
        """
        with self._changing() as users:
            user = self._of(users, name)
            kept = tuple(token for token in user.tokens if token.token_id != token_id)
            if len(kept) == len(user.tokens):
                message = f"{name!r} has no token {token_id[:20]!r}"
                raise NoSuchUser(message)
            users[name] = replace(user, tokens=kept)

    # -- asking who somebody is ---------------------------------------------------------------------------------------

    def verify(self, name: str, password: str) -> User | None:
        """The user if the password is correct, otherwise None. Takes equally long for unknown names."""
        user = self._read().get(name)
        hashed = user.password if user is not None else None
        try:
            _HASHER.verify(hashed or _hash_of_nobody(), password)
        except (VerificationError, InvalidHashError):
            return None
        return user if hashed is not None else None

    def of_session(self, name: str, generation: str) -> Person | None:
        """The person of a session, if it was started with the current password."""
        user = self._read().get(name)
        if user is None or user.password is None or not hmac.compare_digest(user.generation, generation):
            return None
        return Person(user.name, user.role is Role.OPERATOR)

    def of_token(self, text: str) -> Person | None:
        """The person who owns a token; None for an invalid one."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            return None
        for user in self._read().values():
            for token in user.tokens:
                if token.token_id == found[1] and hmac.compare_digest(token.sha256, _sha256(text)):
                    if user.password is None:
                        return self.from_provider(user.name)
                    return Person(user.name, user.role is Role.OPERATOR)
        return None

    def from_provider(self, name: str) -> Person | None:
        """The person with a name verified by a provider; None if a user with a password has the same name."""
        person = ProviderUsers.of(self.root).person(name)
        if person is None:
            return None
        user = self._read().get(person.name)
        return person if user is None or user.password is None else None

    # -----------------------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, User]:
        return self._file.read()

    @contextmanager
    def _changing(self) -> Iterator[dict[str, User]]:
        """Users to be changed; written when the block ends without an error."""
        with self._file.locked():
            users = dict(self._read())
            yield users
            self._file.write({"version": VERSION, "users": [user_document(u) for _, u in sorted(users.items())]})

    @staticmethod
    def _of(users: dict[str, User], name: str) -> User:
        if name not in users:
            message = f"there is no user {name[:80]!r}"
            raise NoSuchUser(message)
        return users[name]


def _users_of(document: dict[str, Any]) -> dict[str, User]:
    if document["version"] > VERSION:
        message = "it was written by a newer version; update this installation"
        raise ValueError(message)
    found = [user_of(one) for one in document["users"]]
    return {user.name: user for user in found}


@cache
def _hash_of_nobody() -> str:
    """A hash that matches no password, for comparison when the user does not exist."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
