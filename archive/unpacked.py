"""FITS files that may be packed with gzip, unpacked to a limited size.

astropy unpacks whatever a file holds: 16 MB of packed zeros become 16 GB of memory.
"""

from __future__ import annotations

import gzip
import zlib
from typing import IO

#: Largest map of an overlay, unpacked, byte.
LARGEST_MAP = 256 << 20
FITS_BEGIN, GZIP_BEGIN = b"SIMPLE  =", b"\x1f\x8b"


class NotUnpacked(ValueError):
    """A file that is not FITS, nor FITS packed with gzip, or larger than the limit."""


def unpacked_fits(stream: IO[bytes], most: int) -> bytes:
    """Content of a FITS file, unpacked.

    Parameters
    ----------
    stream : file
        At its beginning.
    most : int, byte
        Largest size, unpacked.

    Raises
    ------
    NotUnpacked
        If it is larger, or not FITS.
    """
    packed = stream.read(len(GZIP_BEGIN)) == GZIP_BEGIN
    stream.seek(0)
    try:
        content = (gzip.GzipFile(fileobj=stream) if packed else stream).read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        message = f"it cannot be unpacked ({error})"
        raise NotUnpacked(message) from error
    if len(content) > most:
        message = f"it has more than {most >> 20} MiB{' when unpacked' if packed else ''}, the limit for a map"
        raise NotUnpacked(message)
    if not content.startswith(FITS_BEGIN):
        message = "it is not a FITS file" + (" packed with gzip" if packed else "")
        raise NotUnpacked(message)
    return content
