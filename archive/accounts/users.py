"""Users and tokens, and their form in ``users.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np


class Role(StrEnum):
    """What a user may do beyond browsing."""

    USER = "user"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Person:
    """A person who is signed in: name, and whether an operator."""

    name: str
    operator: bool


@dataclass(frozen=True)
class Token:
    """A personal API token. Only its hash is stored.

    Attributes
    ----------
    token_id : str
        Eight hexadecimal digits, also part of the token.
    label : str
        What it is for.
    sha256 : str
        Of the whole token.
    created_at : datetime64, UTC
    """

    token_id: str
    label: str
    sha256: str
    created_at: np.datetime64


@dataclass(frozen=True)
class User:
    """One entry of ``users.json``.

    Attributes
    ----------
    name : str
    role : Role
    password : str or None
        Argon2id hash; None for a name that a sign-in provider vouches for, which is here because of its tokens.
    generation : str
        Changes with the password: sessions of an older generation have ended.
    added_at : datetime64, UTC
    tokens : tuple of Token
    """

    name: str
    role: Role
    password: str | None
    generation: str
    added_at: np.datetime64
    tokens: tuple[Token, ...] = ()


def user_document(user: User) -> dict[str, Any]:
    """A user as JSON."""
    return {
        "name": user.name,
        "role": str(user.role),
        "password": user.password,
        "generation": user.generation,
        "added_at": str(user.added_at),
        "tokens": [
            {"id": t.token_id, "label": t.label, "sha256": t.sha256, "created_at": str(t.created_at)}
            for t in user.tokens
        ],
    }


def user_of(document: Mapping[str, Any]) -> User:
    """Inverse of `user_document`; raises KeyError, TypeError or ValueError for invalid JSON."""
    password = document["password"]
    return User(
        name=_text(document["name"]),
        role=Role(document["role"]),
        password=None if password is None else _text(password),
        generation=_text(document["generation"]),
        added_at=np.datetime64(_text(document["added_at"]), "us"),
        tokens=tuple(_token_of(token) for token in document["tokens"]),
    )


def _token_of(document: Mapping[str, Any]) -> Token:
    created_at = np.datetime64(_text(document["created_at"]), "us")
    return Token(_text(document["id"]), _text(document["label"]), _text(document["sha256"]), created_at)


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"expected text, found {value!r}"
        raise TypeError(message)
    return value
