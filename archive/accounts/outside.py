"""Names that a sign-in provider (OAuth, OpenID Connect) vouches for, and which of them may come in.

A provider says who somebody is; ``config.toml`` of the archive says who of them is a user here::

    [accounts]
    allowed = ["*@example.org", "guest.scientist@example.com"]
    operators = ["operator@example.org"]
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from archive.accounts.names import check_name
from archive.accounts.users import Person
from archive.errors import AccountsDamaged, InvalidAccount

FILE_NAME = "config.toml"
SECTION = "accounts"


@dataclass(frozen=True)
class OutsideNames:
    """Who of a provider's names is a user.

    Attributes
    ----------
    allowed : tuple of str
        Patterns; ``*`` stands for anything. Nobody by default.
    operators : tuple of str
        Whole names, no patterns; they are allowed as well.
    """

    allowed: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()

    @classmethod
    def of(cls, root: Path) -> OutsideNames:
        """What the configuration of an archive says.

        Raises
        ------
        AccountsDamaged
            When it cannot be read, or says something that means nothing: a slip must not let anybody in.
        """
        path = root / FILE_NAME
        try:
            section = tomllib.loads(path.read_text(encoding="utf-8")).get(SECTION, {})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, RecursionError) as error:
            message = f"{path} cannot be read: {error}"
            raise AccountsDamaged(message) from error
        return cls(**{name: _names(path, name, value) for name, value in _items(path, section)})

    def person(self, name: str) -> Person | None:
        """Who a provider's name is here; None when it may not come in."""
        name = name.strip().lower()
        try:
            check_name(name)
        except InvalidAccount:
            return None
        operator = name in self.operators
        return Person(name, operator) if operator or any(fnmatchcase(name, one) for one in self.allowed) else None


def _items(path: Path, section: Any) -> list[tuple[str, Any]]:
    known = [field.name for field in fields(OutsideNames)]
    if not isinstance(section, dict) or set(section) - set(known):
        message = f"{path}: the section {SECTION} has {' and '.join(known)} and nothing else"
        raise AccountsDamaged(message)
    return list(section.items())


def _names(path: Path, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        message = f"{path}: {SECTION}.{name} is a list of names"
        raise AccountsDamaged(message)
    return tuple(item.strip().lower() for item in value)
