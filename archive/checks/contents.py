"""Whether a file of a known format is whole: its beginning, its end and its length; deep checks read it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.regular_files import open_regular

#: Largest JSON file that is read, byte.
_LARGEST = 16 << 20
_PNG, _PNG_END, _GIF, _GIF_END, _FITS = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82", b"GIF8", b";", b"SIMPLE  ="
_FITS_BLOCK = 2880
#: Boxes that a playable MP4 file has.
_MP4_BOXES = {b"ftyp", b"moov", b"mdat"}


def fault_of(path: Path, root: Path, *, deep: bool = False) -> str:
    """What is wrong with a file, for people; empty when nothing is found or the format is not known.

    Parameters
    ----------
    path : Path
        Its ending says the format: png, gif, mp4, json, parquet, fits or zip.
    root : Path
        No part of the path below this folder may be a link.
    deep : bool
        Read all rows of Parquet files.
    """
    try:
        with open_regular(path, below=root) as stream:
            return _fault(stream, path.suffix.lower(), deep=deep)
    except FileNotFoundError:
        return "it is missing"
    except (OSError, ValueError, RecursionError, pa.ArrowException, zipfile.BadZipFile) as error:
        return f"it cannot be read: {error}"


def _fault(stream: IO[bytes], ending: str, *, deep: bool) -> str:
    size = stream.seek(0, 2)
    if size == 0:
        return "it is empty"
    stream.seek(0)
    if ending in (".png", ".gif"):
        begin, end = (_PNG, _PNG_END) if ending == ".png" else (_GIF, _GIF_END)
        return _between(stream, begin, end, size, ending[1:].upper())
    if ending == ".mp4":
        return "" if _mp4_boxes(stream, size) >= _MP4_BOXES else "it is no whole MP4 file"
    if ending == ".json":
        json.loads(stream.read(_LARGEST))
    elif ending == ".parquet":
        file = pq.ParquetFile(stream)
        if deep:
            file.read()
    elif ending == ".fits" and (stream.read(len(_FITS)) != _FITS or size % _FITS_BLOCK):
        return "it is no whole FITS file"
    elif ending == ".zip":
        with zipfile.ZipFile(stream) as bundle:
            damaged = bundle.testzip() if deep else None
        return f"{damaged} in it is damaged" if damaged else ""
    return ""


def _between(stream: IO[bytes], begin: bytes, end: bytes, size: int, name: str) -> str:
    """Whether a file begins and ends as files of a format do."""
    if stream.read(len(begin)) != begin:
        return f"it is no {name} file"
    stream.seek(max(0, size - len(end)))
    return "" if stream.read() == end else f"its end is missing, or it is no {name} file"


def _mp4_boxes(stream: IO[bytes], size: int) -> set[bytes]:
    """Types of the whole boxes of an MP4 file; each has its length [byte] before its type (ISO 14496-12)."""
    found, place = set(), 0
    while place + 8 <= size:
        stream.seek(place)
        head = stream.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:  # then it follows the type
            length = int.from_bytes(head[8:16])
        elif length == 0:  # up to the end of the file
            length = size - place
        if length < 8 or place + length > size:
            break
        found.add(head[4:8])
        place += length
    return found
