"""A published archive, opened by its address."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from archive.atomic import write_bytes
from archive.errors import NotInArchive, PublicationChanged, ReadOnlyArchive
from archive.index.reader import QueryLimits
from archive.index.rows import Rows
from archive.published.manifest import FILES, Manifest
from archive.published.reader import PublishedReader
from archive.published.transport import Transport, base_address
from archive.queries import ArchiveQueries

#: Folder for downloaded files.
CACHE_VARIABLE = "STIX_CACHE"
_LIMITS = QueryLimits()


class PublishedArchive(ArchiveQueries):
    """What ``stix-jobs publish`` wrote, read over HTTP: the queries of an archive, without writing.

    Queries read the parts of the tables that they need. Files are downloaded when `path_of` asks for them.

    Parameters
    ----------
    address : str
        Address of the folder, or of its ``archive.json``.
    cache : path, optional
        Folder for downloaded files; by default ``$STIX_CACHE``, else ``~/.cache/stix-flare-archive``.
    limits : QueryLimits
        What its queries may use.

    Raises
    ------
    Unreachable
        When the server does not answer, or has no archive there.
    NotAnArchive
        When the manifest is damaged, or of another version.
    """

    def __init__(self, address: str, *, cache: Path | None = None, limits: QueryLimits = _LIMITS) -> None:
        self.address = base_address(address)
        folder = cache or Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "stix-flare-archive")
        name = hashlib.sha256(self.address.encode()).hexdigest()[:16]
        super().__init__(folder.expanduser().resolve() / name, self._refuse, limits=limits)
        self.transport = Transport(self.address)
        self._published = PublishedReader(self.transport, limits)
        self._reader, self._rows = self._published, Rows(self._published)

    def __reduce__(self) -> tuple[Any, ...]:
        return PublishedArchive, (self.address,)

    def __repr__(self) -> str:
        return f"PublishedArchive({self.address!r})"

    @property
    def manifest(self) -> Manifest:
        """Names, sizes and SHA-256 of the files of the index."""
        return self._published.manifest

    def refresh(self) -> None:
        """Read the manifest again, for a new publication.

        Raises
        ------
        Unreachable
            When the server does not answer.
        """
        self._published.refresh()

    def url_of(self, relative: str | PurePosixPath) -> str:
        """Address of a file."""
        return f"{self.address}{relative}"

    def path_of(self, relative: str | PurePosixPath) -> Path:
        """Path of a downloaded file, whose size and SHA-256 are those of the table ``files``.

        Raises
        ------
        NotInArchive
            When it is not published.
        PublicationChanged
            When the server has another file.
        Unreachable
            When the server does not answer.
        """
        found = []
        if self.manifest.tables.get(FILES):
            found = self._reader.records(f"SELECT bytes, sha256 FROM {FILES} WHERE path = ?", [str(relative)])  # noqa: S608
        path = self.root / relative
        if not found or ".." in PurePosixPath(relative).parts or not path.is_relative_to(self.root):
            message = f"{str(relative)!r} is not published at {self.address}"
            raise NotInArchive(message)
        ((size, sha256),) = found
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
        content = self.transport.whole(str(relative), most=size)
        if hashlib.sha256(content).hexdigest() != sha256:
            message = f"{self.url_of(relative)} has another SHA-256 than the table {FILES} says; open the archive again"
            raise PublicationChanged(message)
        write_bytes(path, content)
        return path

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        message = f"{self.address} is a published archive, which can only be read"
        raise ReadOnlyArchive(message)

    write_lock = upsert = delete = write_runs = write_spectra = write_region_spectra = write_recorded = _refuse
    build_read_model = _refuse

    def _no_light_curves(self, *_: Any, **__: Any) -> NoReturn:
        message = f"{self.address} has no light curves; those of pixel data are in its files (science_curve)"
        raise NotInArchive(message)

    light_curve = light_curve_bins = light_curve_rows = _no_light_curves
