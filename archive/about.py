"""Who runs this archive and under what terms, from the section ``about`` of its ``config.toml``.

::

    [about]
    name = "STIX images at Example University"
    publisher = "Example University"
    contact = "stix@example.org"
    url = "https://stix.example.org"     # of the pages
    license = "https://creativecommons.org/licenses/by/4.0/"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from archive.accounts.provider_users import FILE_NAME
from archive.errors import BadSettings

SECTION = "about"
_LONGEST = 500


@dataclass(frozen=True)
class About:
    """What feeds, metadata and landing pages say about the archive; empty where the operator has said nothing.

    Attributes
    ----------
    name : str
    publisher : str
        Institute; the name of the archive if it is not given.
    contact : str
        E-mail address or URL.
    url : str
        Address of the pages, without a trailing slash.
    license : str
        URL of the license of images.
    """

    name: str = "STIX flare-imaging archive"
    publisher: str = ""
    contact: str = ""
    url: str = ""
    license: str = ""

    @classmethod
    def of(cls, root: Path) -> About:
        """Read the configuration of an archive.

        Raises
        ------
        BadSettings
            When it cannot be read or has an invalid entry.
        """
        path = root / FILE_NAME
        try:
            section = tomllib.loads(path.read_text(encoding="utf-8")).get(SECTION, {})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, RecursionError) as error:
            message = f"{path} cannot be read: {error}"
            raise BadSettings(message) from error
        known = [field.name for field in fields(cls)]
        if not isinstance(section, dict) or set(section) - set(known):
            message = f"{path}: the section {SECTION} can only have {', '.join(known)}"
            raise BadSettings(message)
        return cls(**{name: _text(path, name, value) for name, value in section.items()})


def is_address(text: str) -> bool:
    """Whether a text is an address of the web."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and text.isprintable()


def _text(path: Path, name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST:
        message = f"{path}: {SECTION}.{name} must be a text of at most {_LONGEST} characters"
        raise BadSettings(message)
    if name in {"url", "license"} and value and not is_address(value):
        message = f"{path}: {SECTION}.{name} must begin with https:// or http://, found {value!r}"
        raise BadSettings(message)
    return value.strip().removesuffix("/")
