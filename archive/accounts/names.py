"""Rules for user names, passwords and token labels."""

from __future__ import annotations

import re

from archive.errors import InvalidAccount

#: Names that users cannot have: visitors, and the author of previews.
RESERVED_NAMES = frozenset({"", "guest", "auto"})
#: Largest length of a user name.
NAME_LENGTH = 64

PASSWORD_LENGTH = (10, 200)
LABEL_LENGTH = 60

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]*", re.ASCII)


def check_name(name: str) -> str:
    """Return the name if it is a valid user name.

    Lower case only, so that no two names differ in case alone; no characters with a meaning in paths, HTML or SQL.

    Raises
    ------
    InvalidAccount
    """
    if name in RESERVED_NAMES:
        message = f"{name!r} cannot be the name of a user"
        raise InvalidAccount(message)
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        message = (
            f"{name[:80]!r} cannot be the name of a user: up to {NAME_LENGTH} of a-z, 0-9 and . _ @ + - are possible, "
            "the first a letter or digit"
        )
        raise InvalidAccount(message)
    return name


def check_password(password: str) -> str:
    """Return the password if its length is valid. Hashing a very long one would take too long.

    Raises
    ------
    InvalidAccount
    """
    least, most = PASSWORD_LENGTH
    if not least <= len(password) <= most:
        message = f"a password must have {least} to {most} characters; this one has {len(password)}"
        raise InvalidAccount(message)
    return password


def check_label(label: str) -> str:
    """Return the label of a token, stripped, if it is short and printable.

    Raises
    ------
    InvalidAccount
    """
    stripped = label.strip()
    if not stripped.isprintable() or len(stripped) > LABEL_LENGTH:
        message = f"the label of a token can have up to {LABEL_LENGTH} printable characters"
        raise InvalidAccount(message)
    return stripped
