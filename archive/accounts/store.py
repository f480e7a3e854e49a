"""``users.json``: users, their passwords (argon2id) and tokens. Any process may ask and change; changes queue up."""

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
from archive.accounts.outside import OutsideNames
from archive.accounts.secret_file import PATIENCE_S, SecretFile
from archive.accounts.users import Person, Role, Token, User, user_document, user_of
from archive.errors import InvalidAccount, NoSuchUser, UserExists

USERS_FILE = "users.json"
VERSION = 1
#: Most tokens of one user.
TOKENS = 20

_TOKEN = re.compile(r"stix_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_HASHER = PasswordHasher()  # argon2id; 64 MiB and a tenth of a second each


class Accounts:
    """The users of an archive.

    Parameters
    ----------
    root : Path
        Folder of the archive; it need not be one yet.
    patience_s : float, s
        How long a change waits for another process.

    Every change raises AccountsDamaged when the file cannot be read, ArchiveBusy when another process holds its lock
    for too long, and OSError when the disk does not take it; then nothing has changed.
    """

    def __init__(self, root: Path, patience_s: float = PATIENCE_S) -> None:
        self.root = root
        self._file = SecretFile[dict[str, User]](root, USERS_FILE, _users_of, {}, patience_s)

    def users(self) -> list[User]:
        """All of them, by name.

        Raises
        ------
        AccountsDamaged
            When the file cannot be read.
        """
        return [user for _, user in sorted(self._read().items())]

    def user(self, name: str) -> User:
        """The user of that name.

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
        """A new user.

        Raises
        ------
        InvalidAccount, UserExists
        """
        made = User(check_name(name), role, _HASHER.hash(check_password(password)), secrets.token_hex(8), now)
        with self._changing() as users:
            present = users.get(name)
            if present is not None and present.password is not None:
                message = f"there is a user {name!r} already; change the password with stix-jobs user passwd {name}"
                raise UserExists(message)
            users[name] = made
        return made

    def remove(self, name: str) -> None:
        """Forget a user; sessions end and tokens open nothing any more. What they made stays.

        Raises
        ------
        NoSuchUser
        """
        with self._changing() as users:
            self._of(users, name)
            del users[name]

    def change_password(self, name: str, password: str) -> None:
        """Set another password; every session of the user ends. Tokens stay: they are revoked by themselves.

        Raises
        ------
        NoSuchUser, InvalidAccount
        """
        self.set_password_hash(name, self.password_hash(password))

    @staticmethod
    def password_hash(password: str) -> str:
        """Argon2id hash of a password, a tenth of a second's work.

        Raises
        ------
        InvalidAccount
            When the password is too short or too long.
        """
        return _HASHER.hash(check_password(password))

    def set_password_hash(self, name: str, hashed: str) -> User:
        """Set another password by its hash, see `change_password`; returns the user as changed."""
        with self._changing() as users:
            user = self._of(users, name)
            if user.password is None:
                message = f"{name!r} signs in with a provider and has no password here"
                raise InvalidAccount(message)
            users[name] = replace(user, password=hashed, generation=secrets.token_hex(8))
        return users[name]

    def end_sessions(self, name: str) -> None:
        """Sign a user out everywhere.

        Raises
        ------
        NoSuchUser
        """
        with self._changing() as users:
            users[name] = replace(self._of(users, name), generation=secrets.token_hex(8))

    def make_token(self, name: str, label: str, now: np.datetime64) -> str:
        """A new API token of a user, shown this once and kept as a hash.

        A name that only a provider vouches for gets an entry without password.

        Raises
        ------
        NoSuchUser, InvalidAccount
        """
        token_id, label = secrets.token_hex(4), check_label(label)
        text = f"stix_{token_id}_{secrets.token_urlsafe(32)}"
        with self._changing() as users:
            if name not in users and OutsideNames.of(self.root).person(name) is not None:
                users[name] = User(name, Role.USER, None, secrets.token_hex(8), now)
            user = self._of(users, name)
            if len(user.tokens) >= TOKENS:
                message = f"{name!r} has {TOKENS} tokens, which is the most; revoke one first"
                raise InvalidAccount(message)
            users[name] = replace(user, tokens=(*user.tokens, Token(token_id, label, _sha256(text), now)))
        return text

    def revoke_token(self, name: str, token_id: str) -> None:
        """Make a token worthless.

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
        """The user, when the password is right. Takes as long for a name that does not exist."""
        user = self._read().get(name)
        hashed = user.password if user is not None else None
        try:
            _HASHER.verify(hashed or _hash_of_nobody(), password)
        except (VerificationError, InvalidHashError):
            return None
        return user if hashed is not None else None

    def of_session(self, name: str, generation: str) -> Person | None:
        """Who a session is, when it was begun with the password that is valid now."""
        user = self._read().get(name)
        if user is None or user.password is None or not hmac.compare_digest(user.generation, generation):
            return None
        return Person(user.name, user.role is Role.OPERATOR)

    def of_token(self, text: str) -> Person | None:
        """Whose token this is."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            return None
        for user in self._read().values():
            for token in user.tokens:
                if token.token_id == found[1] and hmac.compare_digest(token.sha256, _sha256(text)):
                    if user.password is None:
                        return self.of_outside(user.name)
                    return Person(user.name, user.role is Role.OPERATOR)
        return None

    def of_outside(self, name: str) -> Person | None:
        """Who a name is that a provider vouches for; nobody who shares a name with a user who has a password here."""
        person = OutsideNames.of(self.root).person(name)
        if person is None:
            return None
        user = self._read().get(person.name)
        return person if user is None or user.password is None else None

    # -----------------------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, User]:
        return self._file.read()

    @contextmanager
    def _changing(self) -> Iterator[dict[str, User]]:
        """The users, to be changed; written when the block ends well."""
        with self._file.alone():
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
        message = "it was written by newer software than this"
        raise ValueError(message)
    found = [user_of(one) for one in document["users"]]
    return {user.name: user for user in found}


@cache
def _hash_of_nobody() -> str:
    """A hash that no password fits, to compare with when there is no user of that name."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
