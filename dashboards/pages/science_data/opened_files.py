"""Cache of open science files, which are opened again when they change on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from stixcore.fits.products import AspectTable, PixelData, Spectrogram
from stixcore.fits.read import read_aspect, read_header, read_pixel_data, read_spectrogram
from stixcore.fits.spec import ProductKind
from stixcore.spectra import CountSpectra, count_spectra

#: Number of values per kind. Pixel data leave their counts on disk; a spectrogram is 5 MB at most so far.
KEPT = 8


@dataclass
class FileCache[Value]:
    """Results of a function of files, by path, size and modification time; the least recently used is removed first.

    Parameters
    ----------
    read : callable
        Returns the value for a path. It may run twice at a time if two callers need it, which only costs time.
    kept : int
    """

    read: Callable[[Path], Value]
    kept: int = KEPT
    _values: OrderedDict[tuple[Path, int, int], Value] = field(default_factory=OrderedDict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __call__(self, path: Path) -> Value:
        """Value for a file; raises what ``read`` raises, and OSError if there is no such file."""
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = self.read(path)
        with self._lock:
            self._values[key] = value
            while len(self._values) > self.kept:
                self._values.popitem(last=False)
        return value

    def forget(self, path: Path) -> None:
        """Remove a file from the cache."""
        with self._lock:
            for key in [key for key in self._values if key[0] == path]:
                del self._values[key]

    def __len__(self) -> int:
        return len(self._values)


def _open(path: Path) -> PixelData | Spectrogram:
    if read_header(path).kind is ProductKind.SPECTROGRAM:
        return read_spectrogram(path)
    return read_pixel_data(path)


#: Pixel data or spectrogram of a file; its spectrogram in its own bins; an auxiliary file. One of each per process.
opened: FileCache[PixelData | Spectrogram] = FileCache(_open)
spectra_of: FileCache[CountSpectra] = FileCache(lambda path: count_spectra(opened(path)))
aspect_of: FileCache[AspectTable] = FileCache(read_aspect)
