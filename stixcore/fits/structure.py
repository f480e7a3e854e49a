"""Check the structure of a FITS file before a library opens it: cards, sizes, columns.

A library that reads ``NAXIS2 = 'now'`` fails with a message about types, and one that reads a size of 10¹⁸ allocates
that much memory. Here every error names the keyword and the extension, and only headers are read.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stixcore.errors import InvalidProduct

BLOCK, CARD = 2880, 80
MAX_COLUMNS = 999  # the FITS standard's limit
#: Largest number of blocks of a header; those of real files have 5.
MAX_HEADER_BLOCKS = 1000
#: Bytes of one element of a column, by the letter of its format.
WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}

_VALUE = re.compile(
    r"(?P<text>'(?:[ -&(-~]|'')*')"
    r"|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?)"
    r"|(?P<truth>[TF])"
    r"|\([^()]*\)"  # complex numbers, which no keyword here uses
    r"|",
    re.IGNORECASE,
)
_FORMAT = re.compile(r"(\d{0,10})([LXBIJKAEDCMPQ])(.*)")
_BLANKS = bytes.maketrans(b"\r\n", b"  ")
_DIMENSIONS = re.compile(r"\(\s*\d{1,10}\s*(?:,\s*\d{1,10}\s*)*\)")

type Value = str | float | int | bool | None


@dataclass(frozen=True)
class _Header:
    """The cards of one header that have a value."""

    file: str
    name: str
    values: dict[str, Value]
    twice: frozenset[str]
    data: int  # byte where its data begin
    broken: bool = False  # contains line breaks

    def whole(self, keyword: str, low: int = 0, high: int | None = None, default: int | None = None) -> int:
        """An integer in this header.

        Raises
        ------
        InvalidProduct
            When it is missing without a default, is not an integer, or is out of range.
        """
        value = self._once(keyword)
        if keyword not in self.values and default is not None:
            return default
        highest = math.inf if high is None else high
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= highest:
            return value
        wanted = f"{low} or more" if high is None else f"{low} to {high}" if low != high else str(low)
        raise InvalidProduct(self.file, f"{keyword} = {wanted} in {self.name}", self._said(keyword))

    def text(self, keyword: str, *, default: str | None = None) -> str:
        """A text in this header, stripped.

        Raises
        ------
        InvalidProduct
            When it is missing or empty without a default, or is not text.
        """
        value = self._once(keyword)
        if keyword not in self.values and default is not None:
            return default
        if isinstance(value, str) and (value or default is not None):
            return value
        raise InvalidProduct(self.file, f"a text for {keyword} in {self.name}", self._said(keyword))

    def finite(self, keyword: str) -> None:
        """Check that a keyword, if present, is a finite number.

        Raises
        ------
        InvalidProduct
            When it is not.
        """
        value = self._once(keyword)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if keyword in self.values and not number:
            raise InvalidProduct(self.file, f"a number for {keyword} in {self.name}", self._said(keyword))

    def _once(self, keyword: str) -> Value:
        if keyword in self.twice:
            raise InvalidProduct(self.file, f"keyword {keyword} once in {self.name}", "two of them")
        return self.values.get(keyword)

    def _said(self, keyword: str) -> str:
        return f"{keyword} = {self.values[keyword]!r}" if keyword in self.values else f"no {keyword}"


def checked_stream(path: Path, stream: BinaryIO) -> BinaryIO:
    """Check a file and return it for a library to read, with blanks instead of line breaks in its headers.

    Some programs end texts with a line break, which is not allowed in FITS headers.

    Parameters
    ----------
    path : Path
        Used for messages and for the size of the file.
    stream : binary file

    Returns
    -------
    binary file
        ``stream`` at its beginning, or a copy in memory if something was replaced.

    Raises
    ------
    InvalidProduct
        As `check_structure`.
    """
    broken = check_structure(path, stream)
    if not broken:
        return stream
    content = bytearray(stream.read())
    for first, last in broken:
        content[first:last] = content[first:last].translate(_BLANKS)
    return io.BytesIO(content)


def check_structure(path: Path, stream: BinaryIO) -> list[tuple[int, int]]:
    """Check the headers of a FITS file.

    Parameters
    ----------
    path : Path
        Used for messages and for the size of the file.
    stream : binary file
        Left at its beginning.

    Returns
    -------
    list of (int, int)
        Byte ranges of the headers that contain line breaks.

    Raises
    ------
    InvalidProduct
        When a card cannot be read, a size is invalid or exceeds the file, or the columns of a table do not match it.
    """
    size, place, number = path.stat().st_size, 0, 0
    broken = []
    while place < size:
        stream.seek(place)
        beginning = stream.read(BLOCK)
        if number and not beginning.strip(b" \x00\r\n"):
            break  # padding after the last extension, or a line break from a program that treated the file as text
        first = b"XTENSION=" if number else b"SIMPLE  ="
        if not beginning.startswith(first):
            expected = f"{first.decode()[:8].strip()} at byte {place}, where a header begins"
            raise InvalidProduct(path, expected, repr(beginning[:16].decode("latin-1")))
        header = _read_header(path.name, stream, place, number)
        if not number and header.values.get("SIMPLE") is not True:
            raise InvalidProduct(path, "SIMPLE = T in the primary header", f"SIMPLE = {header.values.get('SIMPLE')!r}")
        if header.broken:
            broken.append((place, header.data))
        place = header.data + _data_size(header, size)
        place += -place % BLOCK
        number += 1
    stream.seek(0)
    return broken


def _read_header(file: str, stream: BinaryIO, place: int, number: int) -> _Header:
    stream.seek(place)
    what = f"extension {number}" if number else "the primary header"
    values: dict[str, Value] = {}
    twice: set[str] = set()
    broken = False
    latest: Value = ""  # HIERARCH may also have text, which astropy parses
    for blocks in range(1, MAX_HEADER_BLOCKS + 1):
        raw = stream.read(BLOCK)
        broken |= b"\r" in raw or b"\n" in raw
        block = raw.translate(_BLANKS).decode("latin-1")
        for card in (block[at : at + CARD] for at in range(0, len(block), CARD)):
            keyword = card[:8].rstrip()
            if keyword == "END":
                if card.strip() != "END":
                    raise InvalidProduct(file, f"nothing after END in {what}", repr(card.strip()))
                name = values.get("EXTNAME")
                what = f"extension {name}" if number and isinstance(name, str) and name else what
                return _Header(file, what, values, frozenset(twice), place + blocks * BLOCK, broken)
            if keyword == "CONTINUE" and not isinstance(latest, str):
                raise InvalidProduct(file, f"a text before CONTINUE in {what}", f"{card[8:40].strip()!r} after no text")
            if keyword == "CONTINUE" and not isinstance(_value(file, what, keyword, card[8:]), str):
                raise InvalidProduct(file, f"a text for CONTINUE in {what}", repr(card[8:40].strip()))
            if card[8:10] == "= " and keyword:
                latest = _value(file, what, keyword, card[10:])
                if keyword in values:
                    twice.add(keyword)
                values.setdefault(keyword, latest)
            elif keyword not in {"CONTINUE", "HIERARCH"}:
                latest = None
        if len(block) < BLOCK:
            break
    raise InvalidProduct(file, f"a FITS file with END in {what}", "no such card (the file is truncated)")


def _value(file: str, what: str, keyword: str, text: str) -> Value:
    text = text.strip(" ")
    match = _VALUE.match(text)
    rest = text[match.end() :].lstrip(" ") if match else text
    if match is None or (rest and not rest.startswith("/")):
        raise InvalidProduct(file, f"a value for {keyword} in {what}", repr(text[:30]))
    if match["text"] is not None:
        return match["text"][1:-1].replace("''", "'").rstrip()
    if match["truth"] is not None:
        return match["truth"].upper() == "T"
    if match["number"] is not None:
        number = match["number"].upper().replace("D", "E")
        return int(number) if re.fullmatch(r"[+-]?\d+", number) else float(number)
    return None


def _data_size(header: _Header, file_size: int) -> int:
    """Bytes of data after a header, which must be within the file."""
    bits = header.whole("BITPIX", -64, 64)
    if bits not in (8, 16, 32, 64, -32, -64):
        raise InvalidProduct(header.file, f"BITPIX = 8, 16, 32, 64, -32 or -64 in {header.name}", f"BITPIX = {bits}")
    axes = [header.whole(f"NAXIS{n}") for n in range(1, header.whole("NAXIS", 0, 99) + 1)]
    extra, groups = header.whole("PCOUNT", default=0), header.whole("GCOUNT", 1, 1, default=1)
    if header.text("XTENSION", default="") == "BINTABLE":
        _check_table(header, axes, bits)
    data = (math.prod(axes) + extra) * groups * abs(bits) // 8 if axes else 0
    if header.data + data > file_size:
        expected = f"{header.data + data} bytes up to {header.name}"
        raise InvalidProduct(header.file, expected, f"{file_size} bytes (the file is truncated)")
    return data


def _check_table(header: _Header, axes: list[int], bits: int) -> None:
    if bits != 8 or len(axes) != 2:
        found = f"BITPIX = {bits} and NAXIS = {len(axes)}"
        raise InvalidProduct(header.file, f"BITPIX = 8 and NAXIS = 2 in {header.name}", found)
    header.text("EXTNAME", default="")
    names: dict[str, int] = {}
    row = 0
    for n in range(1, header.whole("TFIELDS", 1, MAX_COLUMNS) + 1):
        name = header.text(f"TTYPE{n}")
        if name in names:
            found = f"TTYPE{names[name]} = TTYPE{n} = {name!r}"
            raise InvalidProduct(header.file, f"column names that differ in {header.name}", found)
        names[name] = n
        row += _column_bytes(header, n)
        for scale in (f"TSCAL{n}", f"TZERO{n}"):
            header.finite(scale)
    if row != axes[0]:
        expected = f"columns that fill rows of NAXIS1 = {axes[0]} bytes in {header.name}"
        raise InvalidProduct(header.file, expected, f"TFORM1 … TFORM{len(names)} of {row} bytes")


def _column_bytes(header: _Header, n: int) -> int:
    """Bytes of one column in a row, from TFORM; TDIM must be consistent with it."""
    text = header.text(f"TFORM{n}")
    match = _FORMAT.fullmatch(text)
    if match is None or (match[3] and match[2] not in "PQ"):
        raise InvalidProduct(header.file, f"a column format for TFORM{n} in {header.name}", repr(text))
    repeat, letter = int(match[1] or 1), match[2]
    dimensions = header.text(f"TDIM{n}", default="")
    if dimensions:
        sizes = [int(size) for size in re.findall(r"\d+", dimensions)]
        if not _DIMENSIONS.fullmatch(dimensions) or (letter not in "PQ" and math.prod(sizes) != repeat):
            expected = f"TDIM{n} that multiplies to the {repeat} of TFORM{n} in {header.name}"
            raise InvalidProduct(header.file, expected, f"TDIM{n} = {dimensions!r}")
    return (repeat + 7) // 8 if letter == "X" else repeat * WIDTHS[letter]
