"""The files of a published archive as a file system of fsspec, which DuckDB reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem  # type: ignore[import-untyped]

from archive.errors import ArchiveError
from archive.published.blocks import Blocks
from archive.published.manifest import PublishedFile
from archive.published.transport import Transport

PROTOCOL = "stixpublished"
#: Files never change: a changed one has another name.
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class _RangeFile(AbstractBufferedFile):  # type: ignore[misc] # fsspec has no types
    """A file that is read in ranges."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self.fs.read_range(self.path, start, min(end, self.size)))


class PublishedFiles(AbstractFileSystem):  # type: ignore[misc]
    """Files that the manifest names, without requests for their sizes.

    Parameters
    ----------
    transport : Transport
    """

    protocol = PROTOCOL
    cachable = False

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self.transport = transport
        self.blocks = Blocks(transport.part)
        self.known: dict[str, PublishedFile] = {}
        #: What went wrong, for the sentence: DuckDB passes on only a text.
        self.problem: ArchiveError | None = None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size of a file."""
        name = self._strip_protocol(path)
        if name not in self.known:
            raise FileNotFoundError(name)
        return {"name": name, "size": self.known[name].bytes, "type": "file"}

    def modified(self, path: str) -> datetime:  # noqa: ARG002 (of fsspec)
        """A fixed time: files never change."""
        return _EPOCH

    def glob(self, path: str, **_: Any) -> list[str]:
        """The file itself; there are no patterns."""
        name = self._strip_protocol(path)
        return [name] if name in self.known else []

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Bytes of a file."""
        name = self._strip_protocol(path)
        try:
            return self.blocks.read(name, start, end, self.known[name].bytes)
        except ArchiveError as error:
            self.problem = error
            raise OSError(str(error)) from error

    def _open(self, path: str, mode: str = "rb", **_: Any) -> _RangeFile:
        # the blocks are shared by all open files
        return _RangeFile(self, path, mode, cache_type="none", size=self.info(path)["size"])
