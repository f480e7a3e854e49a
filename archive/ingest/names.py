"""Is this ours, what is it, what is it called: the one answer for ingest, check, repair and fetch.

A file is what the service types of its header say, and what its name says where the header has none (see
`stixcore.fits.identity`). It keeps its name if that is the name of a STIX product; a file that was renamed gets the
name it was written under, or one built from its header. A file that is in the archive under the name found here is
found to have that name again: an index that was lost comes back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from archive.errors import InvalidName, WrongName
from archive.layout import FileName, archive_path, build_file_name, parse_file_name
from stixcore.errors import InvalidProduct
from stixcore.fits.identity import LEVELS
from stixcore.fits.products import ProductHeader
from stixcore.fits.read import read_header
from stixcore.fits.spec import ProductKind

#: Names carry whole seconds, and those of early files the time before it was corrected.
NAME_TOLERANCE = np.timedelta64(60, "s")
#: The middle of a daily file lies inside its day; a day that is cut off has it near the end.
DAY_TOLERANCE = np.timedelta64(6, "h")


@dataclass(frozen=True)
class Identity:
    """What a file is and what the archive calls it."""

    header: ProductHeader
    name: FileName

    @property
    def kind(self) -> ProductKind:
        """Kind of product."""
        return self.header.kind

    @property
    def path(self) -> PurePosixPath:
        """Place inside the archive."""
        return archive_path(self.name, self.kind)


def identify(path: Path, *, by_header: bool = False) -> Identity:
    """Identity of a file.

    Parameters
    ----------
    path : Path
    by_header : bool
        Name it by its header, whatever it is called now: a file that older software filed under a wrong name.

    Raises
    ------
    WrongName
        When its name contradicts its header.
    InvalidProduct
        When it is no STIX product, or its level has no UTC.
    """
    header = read_header(path)
    name = (None if by_header else _own_name(path)) or _given_name(path, header)
    if name.level not in LEVELS:
        raise InvalidProduct(path, f"level {', '.join(LEVELS)} (the others count on-board time)", f"level {name.level}")
    _check_name(path, name, header)
    return Identity(header, name)


def _own_name(path: Path) -> FileName | None:
    """The name a file has, if it is that of a product."""
    try:
        name = parse_file_name(path.name)
    except InvalidName:
        return None
    return name if name.kind or name.level not in LEVELS else None


def _given_name(path: Path, header: ProductHeader) -> FileName:
    """Name for a file that its owner renamed: the one it was written under, or one built from the header."""
    try:
        original = parse_file_name(header.original_name)
        _check_name(path, original, header)
    except (InvalidName, WrongName):
        pass  # not all generations tell it, and older software told a wrong one
    else:
        return original
    try:
        return parse_file_name(build_file_name(header))
    except InvalidName as error:
        raise InvalidProduct(path, "LEVEL and VERSION in the header, to name the file by", str(error)) from error


def _check_name(path: Path, name: FileName, header: ProductHeader) -> None:
    """A file under another file's name would be found under the wrong day or request."""
    if name.kind is not header.kind:
        found = f"a {header.kind} product by its header"
        raise WrongName(path, f"a {name.kind} product as in the file name {name.name}", found)
    if name.uid and header.request_id and int(name.uid) != int(header.request_id):
        raise WrongName(path, f"request_id {name.uid} as in the file name", f"request_id {header.request_id}")
    if name.moment:
        return
    middle = header.date_beg + (header.date_end - header.date_beg) // 2
    if name.whole_day:
        fits_in = name.start - DAY_TOLERANCE <= middle <= name.end + DAY_TOLERANCE
    else:
        fits_in = abs(header.date_beg - name.start) <= NAME_TOLERANCE
    if not fits_in:
        expected = f"{'data' if name.whole_day else 'DATE-BEG'} near {name.start} as in the file name"
        raise WrongName(path, expected, f"{header.date_beg} to {header.date_end}")
