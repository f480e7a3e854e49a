"""``archive.json``: the tables of a published archive and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from archive.errors import NotAnArchive

NAME = "archive.json"
#: Version of the layout; readers refuse another one.
VERSION = 1
#: Name of the table of all other files: path, size, SHA-256.
FILES = "files"


@dataclass(frozen=True)
class PublishedFile:
    """One Parquet file of the index.

    Attributes
    ----------
    path : str
        Relative to the manifest. It contains the beginning of the SHA-256, so that a file never changes.
    bytes : int
        Size, byte.
    sha256 : str
        SHA-256, 64 hex digits.
    rows : int
        Number of rows.
    period : str
        Year of its rows ("2022"); empty for files with all years.
    """

    path: str
    bytes: int
    sha256: str
    rows: int
    period: str = ""

    def __post_init__(self) -> None:
        place = PurePosixPath(self.path)
        if place.is_absolute() or ".." in place.parts or ":" in self.path or "?" in self.path:
            message = f"{NAME} names {self.path!r}, which is outside the published archive"
            raise NotAnArchive(message)


@dataclass(frozen=True)
class Manifest:
    """Content of ``archive.json``.

    Attributes
    ----------
    created : str
        When the tables were published, ISO 8601, UTC.
    tables : mapping of str to tuple of PublishedFile
        Files of each table, newest year first. The table ``files`` lists images, pictures and spectra.
    keys : mapping of str to PublishedFile
        Per table its keys, sorted, with their times.
    about : mapping
        Name, URL, license of the archive; version of the software; whether there are simulated data.
    """

    created: str
    tables: Mapping[str, tuple[PublishedFile, ...]]
    keys: Mapping[str, PublishedFile] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def index_files(self) -> dict[str, PublishedFile]:
        """All files that it names, by path."""
        named = [file for files in self.tables.values() for file in files]
        return {file.path: file for file in (*named, *self.keys.values())}

    def to_json(self) -> str:
        """The text of the file."""
        tables = {name: [asdict(file) for file in files] for name, files in self.tables.items()}
        keys = {name: asdict(file) for name, file in self.keys.items()}
        document = {"version": VERSION, "created": self.created, **self.about, "tables": tables, "keys": keys}
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> Manifest:
        """Read the text of the file.

        Raises
        ------
        NotAnArchive
            When it is not a manifest, or one of another version; the message quotes ``source``.
        """
        try:
            document = json.loads(text)
            version = document.pop("version")
            if version != VERSION:
                message = f"{source} has layout version {version}, this software reads version {VERSION}"
                raise NotAnArchive(message)
            tables = {
                name: tuple(PublishedFile(**file) for file in files) for name, files in document.pop("tables").items()
            }
            keys = {name: PublishedFile(**file) for name, file in document.pop("keys").items()}
            return cls(document.pop("created"), tables, keys, document)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            message = f"{source} is not the manifest of a published archive: {error}"
            raise NotAnArchive(message) from error
