"""What a user may be called, and how good a password must be."""

from __future__ import annotations

import re

from archive.errors import InvalidAccount

#: Names that stand for nobody: visitors, and the author of previews.
RESERVED_NAMES = frozenset({"", "guest", "auto"})
#: Longest name of a user.
NAME_LENGTH = 64

PASSWORD_LENGTH = (10, 200)
LABEL_LENGTH = 60

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]*", re.ASCII)


def check_name(name: str) -> str:
    """The name, when a user may be called so.

    Small letters only, so that no two users differ in one capital letter; no sign that means something in a path, in
    HTML or in SQL.

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
    """The password, when it is neither too short nor so long that hashing it is an attack.

    Raises
    ------
    InvalidAccount
    """
    least, most = PASSWORD_LENGTH
    if not least <= len(password) <= most:
        message = f"a password has {least} to {most} characters, this one has {len(password)}"
        raise InvalidAccount(message)
    return password


def check_label(label: str) -> str:
    """What a token is for, in a few printable words.

    Raises
    ------
    InvalidAccount
    """
    stripped = label.strip()
    if not stripped.isprintable() or len(stripped) > LABEL_LENGTH:
        message = f"the label of a token has up to {LABEL_LENGTH} printable characters"
        raise InvalidAccount(message)
    return stripped
