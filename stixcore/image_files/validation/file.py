"""Validate one file: open it without trust, find its maps, and check each, with the checksums of all extensions."""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from astropy.io import fits

from stixcore.errors import InvalidProduct
from stixcore.fits.read import DAMAGE
from stixcore.fits.structure import checked_stream
from stixcore.image_files.validation.findings import Finding, Findings, Level, MapHeader
from stixcore.image_files.validation.keywords import check_presence, check_texts, check_types
from stixcore.image_files.validation.observer import check_observer
from stixcore.image_files.validation.times import check_times
from stixcore.image_files.validation.values import check_energies, check_pixels
from stixcore.image_files.validation.world import check_world

#: Largest file that is read, unpacked; a map of STIX has some megabytes.
MOST_BYTES = 128 << 20
#: Most pixels of an image. A compressed one may claim any number in a small file.
MOST_PIXELS = 1 << 24
_GZIP = b"\x1f\x8b"
_ALL_BITS = 0xFFFFFFFF


def validate(path: Path) -> tuple[Finding, ...]:
    """Check every map in a FITS file, which may be compressed with gzip.

    Parameters
    ----------
    path : Path
        A file of any software: of this one, of ``stx_map2fits`` in IDL, or saved by sunpy.

    Returns
    -------
    tuple of Finding
        In the order of the extensions, the worst of each first; empty for a file without faults.

    Raises
    ------
    InvalidProduct
        When it cannot be read: damaged, too large, not FITS, or without a map.
    """
    if not path.is_file():
        raise InvalidProduct(path, "a FITS file", "no such file")
    with _unpacked(path) as plain:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of astropy, about what is checked here
                found = _findings(path, plain)
        except InvalidProduct as problem:  # of the copy, which may have another name
            raise InvalidProduct(path, problem.expected, problem.found) from problem
        except (*DAMAGE, zlib.error) as problem:
            raise InvalidProduct(path, "a FITS file", f"{type(problem).__name__}: {problem}") from problem
    return tuple(found)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file, or an uncompressed copy that is removed afterwards."""
    if path.stat().st_size > MOST_BYTES:
        raise InvalidProduct(path, f"at most {MOST_BYTES >> 20} MiB", f"{path.stat().st_size >> 20} MiB")
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
    if not packed:
        yield path
        return
    with TemporaryDirectory(prefix="stix-validate-") as folder:
        copy = Path(folder, path.name.removesuffix(".gz"))
        try:
            with gzip.open(path) as stream, copy.open("wb") as out:
                out.write(stream.read(MOST_BYTES))
                more = stream.read(1)
        except (OSError, EOFError, zlib.error) as problem:
            raise InvalidProduct(path, "a gzip file", f"damage: {problem}") from problem
        if more:
            raise InvalidProduct(path, f"at most {MOST_BYTES >> 20} MiB when unpacked", "more")
        yield copy


def _findings(path: Path, plain: Path) -> list[Finding]:
    found: list[Finding] = []
    maps = 0
    with (
        plain.open("rb") as stream,
        fits.open(checked_stream(plain, stream), memmap=False, lazy_load_hdus=False) as hdus,
    ):
        for number, hdu in enumerate(hdus):
            label = f"{number} {hdu.name}" if hdu.name and hdu.name != "PRIMARY" else str(number)
            # the sums in the header of a compressed image are those of the image before
            of_this = [] if _is_compressed(hdu) else list(_check_sums(plain, hdu, label))
            if hdu.is_image and len(hdu.shape) >= 2:
                if math.prod(hdu.shape) > MOST_PIXELS:
                    raise InvalidProduct(
                        path, f"at most {MOST_PIXELS} pixels in HDU {label}", f"a shape of {hdu.shape}"
                    )
                maps += 1
                of_this += _check_map(hdu, label, path.name)
            found += sorted(of_this, key=lambda one: list(Level).index(one.level))
    if not maps:
        raise InvalidProduct(path, "an image of two dimensions in one of its extensions", "none")
    return found


def _check_map(hdu: Any, label: str, file_name: str) -> Findings:
    values = {key: hdu.header[key] for key in hdu.header if key and key not in ("COMMENT", "HISTORY")}
    header = MapHeader(label, {key: value for key, value in values.items() if isinstance(value, (str, int, float))})
    yield from check_presence(header)
    yield from check_types(header)
    yield from check_texts(header, file_name)
    yield from check_times(header)
    yield from check_world(header)
    yield from check_observer(header)
    yield from check_energies(header)
    yield from check_pixels(header, hdu.data, exact=not _is_compressed(hdu))


def _is_compressed(hdu: Any) -> bool:
    return isinstance(hdu, fits.CompImageHDU)


def _check_sums(plain: Path, hdu: Any, label: str) -> Findings:
    """CHECKSUM and DATASUM, where they are present: sums of 32-bit words in ones' complement (FITS 4.0, appendix J)."""
    place = hdu.fileinfo()
    data = np.fromfile(plain, ">u4", place["datSpan"] // 4, offset=place["datLoc"])
    head = np.fromfile(plain, ">u4", (place["datLoc"] - place["hdrLoc"]) // 4, offset=place["hdrLoc"])
    said = hdu.header.get("DATASUM")
    of_data = _sum(data)
    if said is not None and str(said).strip() != str(of_data):
        yield Finding(Level.ERROR, label, "DATASUM", str(said), f"The sum of the data is {of_data}: they have changed.")
    said = hdu.header.get("CHECKSUM")
    if said is not None and _sum(np.array([of_data, _sum(head)])) not in (0, _ALL_BITS):
        text = "The sum of the extension is not 0: header or data have changed."
        yield Finding(Level.ERROR, label, "CHECKSUM", str(said), text)


def _sum(words: Any) -> int:
    total = int(np.asarray(words).sum(dtype=np.uint64))
    while total > _ALL_BITS:
        total = (total & _ALL_BITS) + (total >> 32)
    return total
