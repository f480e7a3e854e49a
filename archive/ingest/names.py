"""Identity of a file: product and name. Ingest, check, repair and fetch all use this module.

The service types in the header decide which product a file is, or its name if the header has none (see
`stixcore.fits.identity`). A file keeps its name if that is the name of a STIX product. A renamed file gets its original
name from the header, or one built from the header. Identifying a file of the archive gives its name in the archive, so
that a lost index can be rebuilt.
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
from stixcore.fits.read import OpenProduct, read_header
from stixcore.fits.spec import ProductKind

#: Names have whole seconds, and those of early files the uncorrected time.
NAME_TOLERANCE = np.timedelta64(60, "s")
#: The middle of a daily file is inside its day, or near it for an incomplete day.
DAY_TOLERANCE = np.timedelta64(6, "h")


@dataclass(frozen=True)
class Identity:
    """Header of a file and its name in the archive."""

    header: ProductHeader
    name: FileName

    @property
    def kind(self) -> ProductKind:
        """Kind of product."""
        return self.header.kind

    @property
    def path(self) -> PurePosixPath:
        """Path inside the archive."""
        return archive_path(self.name, self.kind)


def identify(path: Path, *, by_header: bool = False, opened: OpenProduct | None = None) -> Identity:
    """Identity of a file.

    Parameters
    ----------
    path : Path
    by_header : bool
        Ignore the present name: older software may have given the file a wrong one.
    opened : OpenProduct, optional
        The file, if it is open already.

    Raises
    ------
    WrongName
        When its name contradicts its header.
    InvalidProduct
        When it is not a STIX product, or its level has no UTC times.
    """
    header = read_header(opened or path)
    name = (None if by_header else _own_name(path)) or _given_name(path, header)
    if name.level not in LEVELS:
        raise InvalidProduct(path, f"level {', '.join(LEVELS)} (the others count on-board time)", f"level {name.level}")
    _check_name(path, name, header)
    return Identity(header, name)


def _own_name(path: Path) -> FileName | None:
    """Parsed name of a file, if it is the name of a product."""
    try:
        name = parse_file_name(path.name)
    except InvalidName:
        return None
    return name if name.kind or name.level not in LEVELS else None


def _given_name(path: Path, header: ProductHeader) -> FileName:
    """Name of a renamed file: its original name, or one built from the header."""
    try:
        original = parse_file_name(header.original_name)
        _check_name(path, original, header)
    except (InvalidName, WrongName):
        pass  # missing in some generations, and wrong in older software
    else:
        return original
    try:
        return parse_file_name(build_file_name(header))
    except InvalidName as error:
        raise InvalidProduct(path, "LEVEL and VERSION in the header, to name the file by", str(error)) from error


def _check_name(path: Path, name: FileName, header: ProductHeader) -> None:
    """Refuse a name that contradicts the header in product, request or time."""
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
