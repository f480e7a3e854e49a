"""Ways to break a FITS file: a seed names a way, a place and a value, and always makes the same file.

Bytes (truncated at a block, flipped, blocks swapped), cards of a header (sizes, formats, dates, keywords that lie) and
tables (columns swapped, NaN, negative, out of order). Half of the broken ones lose their check sums first: otherwise
these would catch what the readers shall be tried on.
"""

from __future__ import annotations

import gzip
import io
import random
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

BLOCK, CARD = 2880, 80

#: Values that ought to be refused, or survived, wherever they stand in a header.
NASTY = (
    "-1", "0", "1", "2", "3", "7", "255", "999", "1000", "99999999", "2147483648", "4294967296",
    "9223372036854775807",
    "-9223372036854775808", "99999999999999999999999", "1E308", "-1E308", "1E-320", "NaN", "INF", "T", "F",
    "''", "' '",
    "'NaN'", "'now'", "'today'", "'NaT'", "'2022-11-09'", "'9999-99-99T99:99:99'", "'1858-11-17T00:00:00'",
    "'2049-12-31T23:59:59'", "'99999-01-01T00:00:00'", "'../../../etc/passwd'", "'L9'", "'1J'", "'0A'",
    "'1PB(9)'", "'1QD(99)'",
    "'999999999D'", "'99999999999999999999B'", "'(0)'", "'(-1,32)'", "'(99999,99999,99999)'",
    "'{0.__class__}'", "'%s%n'",
    "'é'", "'counts'", "'DATA'", "'<script>alert(1)</script>'", "(1.0, 2.0)", "'x", "", "=", "'" + "A" * 67 + "&'",
)  # fmt: skip
#: Keywords that decide how a file is read.
STRUCTURE = (
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT", "TFIELDS",
    "EXTNAME", "EXTEND",
    "THEAP", "GROUPS", "EXTVER", "BLOCKED", "INHERIT", "ZIMAGE", "ZTABLE", "ZCMPTYPE", "END",
)  # fmt: skip
#: Keywords that say what is in it.
MEANING = (
    "DATE-BEG", "DATE-END", "DATE_BEG", "DATE_END", "DATE", "VERSION", "LEVEL", "TELESCOP", "INSTRUME",
    "DSUN_OBS", "HGLN_OBS",
    "HGLT_OBS", "RSUN_ARC", "OBS_MODE", "FILENAME", "EAR_TDEL", "COMMENT", "CHECKSUM", "DATASUM",
)  # fmt: skip
COLUMN = ("TFORM", "TTYPE", "TDIM", "TUNIT", "TSCAL", "TZERO", "TNULL", "TDISP")
ODD_CARDS = (
    "HIERARCH a very long keyword indeed = 'value'", "CONTINUE  'of nothing'", "LONGSTRN= 'OGIP 1.0'",
    "COMMENT " + "\xff" * 60,
    "HIERARCH = ", "        = 1", "NAXIS   =                    9", "\x00" * 80, "END", "END     x",
    "DATE-BEG= ' CONTINUE '",
)  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """A file somebody broke: its content, and in words how."""

    content: bytes
    how: str


type Way = Callable[[bytes, random.Random], Broken]


def break_file(content: bytes, seed: int) -> Broken:
    """One broken copy of a FITS file; the same seed breaks it the same way."""
    choice = random.Random(seed)
    unsealed = choice.random() < 0.6
    if unsealed:
        content = without_check_sums(content)
    # structure and tables are where the readers live: they get the larger part
    way: Way = choice.choices(WAYS, weights=WEIGHTS)[0]
    broken = way(content, choice)
    return Broken(broken.content, broken.how + (", no check sums" if unsealed else ""))


def without_check_sums(content: bytes) -> bytes:
    """Blank the cards CHECKSUM and DATASUM."""
    changed = bytearray(content)
    for place in cards(content):
        if content[place : place + 9] in (b"CHECKSUM=", b"DATASUM ="):
            changed[place : place + CARD] = b"COMMENT".ljust(CARD)
    return bytes(changed)


def headers(content: bytes) -> list[tuple[int, int]]:
    """Begin and end of every header (multiples of a block), found by their keywords and END."""
    found, place = [], 0
    while place < len(content):
        if content[place : place + 9] in (b"SIMPLE  =", b"XTENSION="):
            begin = place
            while place < len(content) and not _ends(content[place : place + BLOCK]):
                place += BLOCK
            found.append((begin, min(place + BLOCK, len(content))))
        place += BLOCK
    return found


def _ends(block: bytes) -> bool:
    return any(block[at : at + 8] == b"END     " for at in range(0, len(block), CARD))


def cards(content: bytes) -> list[int]:
    """Where every card of every header begins."""
    return [at for begin, end in headers(content) for at in range(begin, end, CARD)]


# Bytes


def truncated(content: bytes, choice: random.Random) -> Broken:
    blocks = len(content) // BLOCK
    at = choice.randrange(blocks + 1) * BLOCK if choice.random() < 0.7 else choice.randrange(len(content))
    return Broken(content[:at], f"truncated to {at} bytes")


def flipped(content: bytes, choice: random.Random) -> Broken:
    changed, n = bytearray(content), choice.choice((1, 1, 2, 8, 64, 1000))
    first, last = choice.choice([*headers(content), (0, len(content))])
    for _ in range(n):
        changed[choice.randrange(first, last)] ^= 1 << choice.randrange(8)
    return Broken(bytes(changed), f"{n} bits flipped in bytes {first} to {last}")


def overwritten(content: bytes, choice: random.Random) -> Broken:
    changed, n = bytearray(content), choice.choice((1, 4, 80, BLOCK, 4 * BLOCK))
    at = choice.randrange(len(content))
    filling = choice.choice((b"\x00", b"\xff", b"\x7f\xf8", b" ", b"'", b"9"))
    changed[at : at + n] = (filling * n)[: len(changed[at : at + n])]
    return Broken(bytes(changed), f"{n} bytes of {filling!r} at {at}")


def shuffled(content: bytes, choice: random.Random) -> Broken:
    blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
    one, two = choice.randrange(len(blocks)), choice.randrange(len(blocks))
    match choice.choice(("lost", "twice", "swapped")):
        case "lost":
            del blocks[one]
            how = f"block {one} lost"
        case "twice":
            blocks.insert(two, blocks[one])
            how = f"block {one} again before block {two}"
        case _:
            blocks[one], blocks[two] = blocks[two], blocks[one]
            how = f"blocks {one} and {two} swapped"
    return Broken(b"".join(blocks), how)


def wrapped(content: bytes, choice: random.Random) -> Broken:
    match choice.randrange(5):
        case 0:
            return Broken(gzip.compress(content, 1), "compressed with gzip")
        case 1:
            return Broken(gzip.compress(content[:BLOCK] + bytes(50_000_000), 1), "a gzip bomb of 50 MB")
        case 2:
            return Broken(content + bytes(choice.randrange(1, 9000)), "zeros after the end")
        case 3:
            return Broken(b"\xef\xbb\xbf" + content, "a byte order mark before the beginning")
        case _:
            return Broken(content.replace(b"\n", b"\r\n").replace(b"\x0d", b""), "line ends translated")


# Cards


def card_changed(content: bytes, choice: random.Random) -> Broken:
    """A keyword that is there gets a value that does not belong there."""
    kind = choice.choices((STRUCTURE, MEANING, COLUMN), weights=(5, 2, 5))[0]
    keyword = choice.choice(kind)
    places = [at for at in cards(content) if content[at : at + 8].decode("latin-1").startswith(keyword)]
    if not places:
        return card_added(content, choice)
    at = choice.choice(places)
    name = content[at : at + 8].decode("latin-1")
    value = choice.choice(NASTY)
    if choice.random() < 0.3:  # nearly right is worse than absurd
        number = re.search(rb"= +(-?\d+)", content[at : at + CARD])
        if number:
            value = str(int(number[1]) + choice.choice((-1, 1, 32, -32, BLOCK)))
    return Broken(_with_card(content, at, f"{name}= {value:>20}"), f"{name.strip()} = {value} at {at}")


def card_added(content: bytes, choice: random.Random) -> Broken:
    """A card where none belongs; the last blank ones give way."""
    at = choice.choice(cards(content))
    text = (
        choice.choice(ODD_CARDS)
        if choice.random() < 0.7
        else f"{choice.choice(MEANING + STRUCTURE):8}= {choice.choice(NASTY)}"
    )
    return Broken(_with_card(content, at, text), f"card {text[:40]!r} at {at}")


def card_removed(content: bytes, choice: random.Random) -> Broken:
    at = choice.choice([at for at in cards(content) if content[at : at + CARD].strip()])
    name = content[at : at + 8].decode("latin-1").strip()
    return Broken(_with_card(content, at, "COMMENT"), f"{name} removed at {at}")


def cards_swapped(content: bytes, choice: random.Random) -> Broken:
    """Two cards of one keyword change places: columns swap names, units, formats."""
    name = choice.choice(COLUMN)
    places = [at for at in cards(content) if content[at : at + 8].decode("latin-1").startswith(name)]
    if len(places) < 2:
        return card_removed(content, choice)
    one, two = choice.sample(places, 2)
    first, second = content[one + 8 : one + CARD], content[two + 8 : two + CARD]
    changed = bytearray(content)
    changed[one + 8 : one + CARD], changed[two + 8 : two + CARD] = second, first
    return Broken(bytes(changed), f"values of {name} at {one} and {two} swapped")


def _with_card(content: bytes, at: int, text: str) -> bytes:
    return content[:at] + text.encode("latin-1", "replace")[:CARD].ljust(CARD) + content[at + CARD :]


# Tables


def table_changed(content: bytes, choice: random.Random) -> Broken:
    """Values that FITS allows and no instrument records; check sums are made anew."""
    with warnings.catch_warnings(), fits.open(io.BytesIO(content), memmap=False) as hdus:
        warnings.simplefilter("ignore", AstropyWarning)
        how = choice.choice(TABLE_WAYS)(hdus, choice)
        out = io.BytesIO()
        hdus.writeto(out, checksum=True, output_verify="ignore")
    return Broken(out.getvalue(), how)


def _values(hdus: fits.HDUList, choice: random.Random) -> str:
    hdu = choice.choice([hdu for hdu in hdus[1:] if hdu.data is not None and len(hdu.data)])
    name = choice.choice(hdu.columns.names)
    column = hdu.data[name]
    if column.dtype.kind in "SU":
        column[...] = choice.choice(("", "x", "0", "nan"))
        return f"text in {name}"
    if column.dtype.kind == "b":
        column[...] = choice.random() < 0.5
        return f"flags of {name} all the same"
    value = choice.choice((np.nan, np.inf, -1.0, 0.0, 1.0, 1e30, -1e30, 255.0, 32767.0, 1e300))
    where = choice.randrange(len(column)) if choice.random() < 0.5 else slice(None)
    with np.errstate(all="ignore"):
        if column.dtype.kind == "f":
            column[where] = value
        else:
            low, high = np.iinfo(column.dtype).min, np.iinfo(column.dtype).max
            column[where] = int(np.clip(np.nan_to_num(value, nan=low, posinf=high, neginf=low), low, high // 2))
    return f"{value:g} in {hdu.name}.{name}[{where}]"


def _floats(hdus: fits.HDUList, choice: random.Random) -> str:
    """A column becomes floating point, so that it can hold NaN, infinities and negative numbers."""
    name = choice.choice([n for n in hdus["DATA"].columns.names if hdus["DATA"].data[n].dtype.kind in "iuf"])
    value = choice.choice((np.nan, np.inf, -np.inf, -1.0, 1e38, 0.5))
    share = choice.choice((1.0, 0.01))

    def changed(column: fits.Column) -> fits.Column:
        if column.name != name:
            return column
        array = np.array(hdus["DATA"].data[name], dtype=">f4")
        array.flat[:: max(1, int(1 / share))] = value
        n = int(np.prod(array.shape[1:]))
        return fits.Column(name=name, format=f"{n}E", dim=column.dim, unit=column.unit, array=array)

    _rebuild(hdus, changed)
    return f"DATA.{name} as float with {value:g}"


def _columns(hdus: fits.HDUList, choice: random.Random) -> str:
    names = hdus["DATA"].columns.names
    match choice.randrange(5):
        case 0:
            lost = choice.choice(names)
            _rebuild(hdus, lambda column: None if column.name == lost else column)
            return f"DATA.{lost} lost"
        case 1:
            one, two = choice.sample(names, 2)
            swap = {one: two, two: one}
            order = [hdus["DATA"].columns[swap.get(name, name)] for name in names]
            _rebuild(hdus, lambda column: column, [column.copy() for column in order])
            return f"DATA.{one} and {two} change places (names and all)"
        case 2:
            one, two = choice.sample(names, 2)
            swap = {one: two, two: one}
            for column in hdus["DATA"].columns:
                hdus["DATA"].header[f"TTYPE{names.index(column.name) + 1}"] = swap.get(column.name, column.name)
            return f"DATA.{one} and {two} swap names"
        case 3:
            twice = choice.choice(names)
            hdus["DATA"].header[f"TTYPE{choice.randrange(1, len(names) + 1)}"] = twice
            return f"two columns are called {twice}"
        case _:
            odd = choice.choice(names)
            variable = np.array([np.arange(i % 5) for i in range(len(hdus["DATA"].data))] or [0], dtype=object)
            _rebuild(
                hdus,
                lambda column: fits.Column(name=odd, format="PJ()", array=variable) if column.name == odd else column,
            )
            return f"DATA.{odd} of variable length"


def _rows(hdus: fits.HDUList, choice: random.Random) -> str:
    name = choice.choice([hdu.name for hdu in hdus[1:] if isinstance(hdu, fits.BinTableHDU)])
    data = hdus[name].data
    what, rows = choice.choice(
        (
            ("no row", data[:0]),
            ("one row", data[:1]),
            ("rows in reverse", data[::-1]),
            ("every row twice", data[np.repeat(np.arange(len(data)), 2)]),
            ("the first row last", data[np.roll(np.arange(len(data)), 1)]),
        )
    )
    hdus[name].data = fits.FITS_rec.from_columns(hdus[name].columns, nrows=0) if what == "no row" else rows.copy()
    return f"{what} in {name}"


def _extensions(hdus: fits.HDUList, choice: random.Random) -> str:
    match choice.randrange(6):
        case 0:
            at = choice.randrange(1, len(hdus))
            name = hdus[at].name
            del hdus[at]
            return f"extension {name} lost"
        case 1:
            at = choice.randrange(1, len(hdus))
            hdus.insert(choice.randrange(1, len(hdus)), hdus[at].copy())
            return f"extension {hdus[at].name} twice"
        case 2:
            hdus.insert(1, fits.CompImageHDU(np.zeros((32, 32), np.float32), name="DATA"))
            return "a compressed image called DATA"
        case 3:
            hdus.append(fits.CompImageHDU(np.arange(1024, dtype=np.int16).reshape(32, 32), name="EXTRA"))
            return "a compressed image after the tables"
        case 4:
            table = np.zeros(3, dtype=[(f"c{number}", "u1") for number in range(999)])
            hdus.append(fits.BinTableHDU(table, name=choice.choice(("WIDE", "DATA"))))
            return "a table of 999 columns"
        case _:
            hdus[0].header["HIERARCH stix a long name"] = "é".encode("unicode_escape").decode() * 40
            hdus[0].header["REMARK"] = "long " * 60
            return "HIERARCH and CONTINUE"


def _rebuild(
    hdus: fits.HDUList,
    change: Callable[[fits.Column], fits.Column | None],
    columns: list[fits.Column] | None = None,
) -> None:
    old = hdus["DATA"]
    changed = [change(column) for column in (columns or old.columns)]
    new = fits.BinTableHDU.from_columns([column for column in changed if column is not None], name="DATA")
    hdus[hdus.index_of("DATA")] = new


TABLE_WAYS = (_values, _values, _values, _floats, _floats, _columns, _rows, _extensions)
WAYS: tuple[Way, ...] = (
    truncated, flipped, overwritten, shuffled, wrapped, card_changed, card_added, card_removed, cards_swapped,
    table_changed,
)  # fmt: skip
WEIGHTS = (8, 12, 5, 5, 1, 30, 5, 5, 5, 24)


def originals(shared: Path) -> list[Path]:
    """Small real files, one or two of every kind and generation."""
    patterns = (
        "nov2022/l1/*_2211094607-54679.fits",
        "nov2022/l1/*_2211119787-54708.fits",
        "nov2022/l1/*_2211113481-54702.fits",
        "nov2022/l1/*_2211104239-54655.fits",
        "formats/solo_L1_stix-sci-xray-cpd_2022*.fits",
        "formats/solo_L1_stix-sci-xray-l1-*.fits",
        "formats/solo_L1A_stix-sci-xray-l1-*.fits",
        "formats/solo_L1A_stix-ql-*.fits",
        "formats/solo_L1_stix-sci-xray-spec_*.fits",
        "nov2022/aux/*_20221109_V01.fits",
    )
    return [path for pattern in patterns for path in sorted(shared.glob(pattern))]
