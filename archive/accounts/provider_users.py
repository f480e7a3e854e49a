"""Users of a sign-in provider (OAuth, OpenID Connect).

The provider verifies the name; ``config.toml`` of the archive lists the names that may sign in::

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
class ProviderUsers:
    """Names of a sign-in provider that may sign in.

    Attributes
    ----------
    allowed : tuple of str
        Patterns; ``*`` matches any text. Empty by default.
    operators : tuple of str
        Names of operators, without patterns; they may sign in as well.
    """

    allowed: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()

    @classmethod
    def of(cls, root: Path) -> ProviderUsers:
        """Read the configuration of an archive.

        Raises
        ------
        AccountsDamaged
            If it cannot be read or has an invalid entry, so that a typing error admits no user.
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
        """The person with this name; None when the name may not sign in."""
        name = name.strip().lower()
        try:
            check_name(name)
        except InvalidAccount:
            return None
        operator = name in self.operators
        return Person(name, operator) if operator or any(fnmatchcase(name, one) for one in self.allowed) else None


def _items(path: Path, section: Any) -> list[tuple[str, Any]]:
    known = [field.name for field in fields(ProviderUsers)]
    if not isinstance(section, dict) or set(section) - set(known):
        message = f"{path}: the section {SECTION} can only have {' and '.join(known)}"
        raise AccountsDamaged(message)
    return list(section.items())


def _names(path: Path, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        message = f"{path}: {SECTION}.{name} must be a list of names"
        raise AccountsDamaged(message)
    return tuple(item.strip().lower() for item in value)
