"""Broken files that the fuzzer found something with: each is refused with a reason that names the field, for good."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import mutations
import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, OutcomeStatus
from archive.ingest.ingest import ingest
from stixcore.errors import InvalidProduct
from stixcore.fits.read import read_aspect, read_pixel_data

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-11-22T12:00:00", "us")
CARD = mutations.CARD


def with_card(content: bytes, keyword: str, text: str, extension: int) -> bytes:
    """Replace the card of a keyword in the header of an extension (0: primary); ``text`` is the whole card."""
    begin, end = mutations.headers(content)[extension]
    for at in range(begin, end, CARD):
        if content[at : at + 8].decode("latin-1").rstrip() == keyword:
            return content[:at] + text.encode("latin-1").ljust(CARD) + content[at + CARD :]
    message = f"no card {keyword} in header {extension}"
    raise AssertionError(message)


#: Keyword, what stands there instead, header (2 is DATA), and what the reason must say.
CARDS = (
    ("SIMPLE", "SIMPLE  = '99999-01-01T00:00:00'", 0, r"SIMPLE = T"),
    ("NAXIS", "NAXIS   = 'NaT'", 2, r"NAXIS = 0 to 99 in extension DATA, found NAXIS = 'NaT'"),
    ("NAXIS2", "NAXIS2  = '999999999D'", 2, r"NAXIS2 = 0 or more in extension DATA"),
    ("NAXIS2", "NAXIS2  = -1", 2, r"NAXIS2 = 0 or more in extension DATA, found NAXIS2 = -1"),
    ("NAXIS2", "NAXIS2  = 9223372036854775807", 2, r"bytes up to extension DATA, found \d+ bytes"),
    ("NAXIS2", "COMMENT", 2, r"NAXIS2 = 0 or more in extension DATA, found no NAXIS2"),
    ("NAXIS1", "NAXIS   =                    9", 2, r"keyword NAXIS once in extension DATA"),
    ("PCOUNT", "PCOUNT  = 'now'", 2, r"PCOUNT = 0 or more in extension DATA, found PCOUNT = 'now'"),
    ("GCOUNT", "GCOUNT  = 2", 2, r"GCOUNT = 1 in extension DATA"),
    ("BITPIX", "BITPIX  = '%s%n'", 2, r"BITPIX = -64 to 64 in extension DATA"),
    ("TFIELDS", "TFIELDS = 'DATA'", 2, r"TFIELDS = 1 to 999 in extension DATA"),
    ("TFIELDS", "TFIELDS = 1E308", 2, r"TFIELDS = 1 to 999 in extension DATA"),
    ("TFORM3", "TFORM3  = 'NaN'", 2, r"column format for TFORM3 in extension DATA, found 'NaN'"),
    ("TFORM3", "COMMENT", 2, r"text for TFORM3 in extension DATA, found no TFORM3"),
    ("TFORM3", "TFORM3  = '../../../etc/passwd'", 2, r"column format for TFORM3"),
    ("TFORM3", f"TFORM3  = '{'A' * 67}&'", 2, r"column format for TFORM3"),
    ("TFORM3", "TFORM3  = '999999999D'", 2, r"columns that fill rows of NAXIS1"),
    ("TTYPE7", "TTYPE7  =", 2, r"text for TTYPE7 in extension DATA, found TTYPE7 = None"),
    ("TTYPE7", "TTYPE7  = 4294967296", 2, r"text for TTYPE7"),
    ("TTYPE7", "TTYPE7  = 'time'", 2, r"TTYPE1 = TTYPE7 = 'time'"),
    ("TUNIT1", "TUNIT1  = 'cs", 2, r"value for TUNIT1"),
    ("TUNIT1", "TUNIT1  = '  '   \xa0", 2, r"value for TUNIT1"),
    ("TUNIT1", "TUNIT1  = 'c\x01s'", 2, r"value for TUNIT1"),
    ("TZERO1", "TZERO1  = INF", 2, r"value for TZERO1"),
    ("TZERO1", "TZERO1  = '1'", 2, r"number for TZERO1"),
    ("TSCAL1", "TSCAL1  = 1E400", 2, r"number for TSCAL1"),
    ("TDIM10", "TDIM10  = '(-1,32)'", 2, r"TDIM10 that multiplies to the 3328"),
    ("TDIM10", "TDIM10  = '(2,3)'", 2, r"TDIM10 that multiplies to the 3328"),
    ("NAXIS", "END     x", 2, r"nothing after END"),
    ("NAXIS", "END", 2, r"NAXIS = 0 to 99 in extension 2, found no NAXIS"),
    ("XTENSION", "HIERARCH a very long keyword = 'x'", 2, r"XTENSION at byte \d+, where a header begins"),
    ("NAXIS", "CONTINUE  'of nothing'", 2, r"text before CONTINUE in extension 2|text for CONTINUE"),
    ("TFIELDS", "CONTINUE  'of nothing'", 2, r"text before CONTINUE in extension 2"),
    ("VERSION", "VERSION = '\u00b2'", 0, r"value for VERSION"),
)  # fmt: skip


@pytest.mark.parametrize(("keyword", "text", "header", "reason"), CARDS)
def test_cards(science, tmp_path, keyword, text, header, reason):
    content = mutations.without_check_sums(science.read_bytes())
    refused(tmp_path / science.name, with_card(content, keyword, text, header), reason)


def refused(path: Path, content: bytes, reason: str) -> None:
    """Into quarantine with that reason; nothing else is left; and no image either."""
    path.write_bytes(content)
    archive = Archive(path.parent / "archive", create=True)
    (outcome,) = ingest(archive, [path], NOW)
    assert outcome.status is OutcomeStatus.QUARANTINED
    read = read_aspect if "aux" in path.name else read_pixel_data
    with pytest.raises(InvalidProduct, match=reason):
        read(path)
    assert re.search(reason, outcome.reason)
    assert "Error" not in outcome.reason
    assert [kept.name for kept in archive.root.rglob("*.fits")] == [path.name]
    assert not list(archive.root.rglob(".part-*"))


def changed(path: Path, change: Callable[[fits.HDUList], None]) -> bytes:
    out = io.BytesIO()
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(out, checksum=True)
    return out.getvalue()


def set_values(name: str, value: float, extension: str = "DATA") -> Callable[[fits.HDUList], None]:
    def change(hdus: fits.HDUList) -> None:
        hdus[extension].data[name][...] = value

    return change


#: Values in tables, and what the reason must say.
TABLES = (
    ("pixel data", set_values("e_high", np.inf, "ENERGIES"), r"rising channel edges in ENERGIES"),
    ("pixel data", set_values("e_low", np.nan, "ENERGIES"), r"rising channel edges in ENERGIES"),
    ("pixel data", set_values("timedel", 0.0), r"positive timedel"),
    ("pixel data", set_values("request_id", 0.0, "CONTROL"), None),
    ("aspect", set_values("time", 0.0), r"time rising from record to record"),
)


@pytest.mark.parametrize(("kind", "change", "reason"), TABLES)
def test_tables(science, aspect, tmp_path, kind, change, reason):
    original = science if kind == "pixel data" else aspect
    content = changed(original, change)
    if reason is None:  # a file without a request is quick-look data or a light curve, never a crash
        path = tmp_path / original.name
        path.write_bytes(content)
        (outcome,) = ingest(Archive(tmp_path / "archive", create=True), [path], NOW)
        assert "Error" not in outcome.reason
    elif kind == "aspect":
        path = tmp_path / original.name
        path.write_bytes(content)
        (outcome,) = ingest(Archive(tmp_path / "archive", create=True), [path], NOW)
        assert outcome.status is OutcomeStatus.QUARANTINED
        assert reason in outcome.reason
    else:
        refused(tmp_path / original.name, content, reason)


def test_a_compressed_image_that_is_called_data(science, tmp_path):
    def change(hdus: fits.HDUList) -> None:
        hdus.insert(1, fits.CompImageHDU(np.zeros((32, 32), np.float32), name="DATA"))

    path = tmp_path / science.name
    path.write_bytes(changed(science, change))
    (outcome,) = ingest(Archive(tmp_path / "archive", create=True), [path], NOW)
    assert outcome.status is OutcomeStatus.INGESTED


def test_a_check_sum_that_is_no_number(science, tmp_path):
    path = tmp_path / science.name
    path.write_bytes(with_card(science.read_bytes(), "DATASUM", "DATASUM = 'now'", 2))
    (outcome,) = ingest(Archive(tmp_path / "archive", create=True), [path], NOW)
    assert "content that fits DATASUM = 'now' in extension DATA, found other content" in outcome.reason


def test_a_header_without_numbers_where_they_belong(science, tmp_path):
    """The observer's numbers are as good as absent; the file is taken and makes images."""
    content = with_card(science.read_bytes(), "RSUN_ARC", "RSUN_ARC= '(99999,99999,99999)'", 0)
    path = tmp_path / science.name
    path.write_bytes(content)
    assert "RSUN_ARC" not in read_pixel_data(path).header.ephemeris


def test_bins_inside_one_another(shared_data, tmp_path):
    (several,) = (shared_data / "nov2022" / "l1").glob("*_2211104239-54655.fits")

    def change(hdus: fits.HDUList) -> None:
        hdus["DATA"].data["timedel"][...] = 86400.0 * 200

    refused(tmp_path / several.name, changed(several, change), "bins of time and timedel that follow one another")


def test_columns_of_another_shape(aspect, tmp_path):
    content = mutations.without_check_sums(aspect.read_bytes())
    swapped = with_card(content, "TTYPE8", "TTYPE8  = 'y_srf'", 2)
    swapped = with_card(swapped, "TTYPE6", "TTYPE6  = 'solo_loc_carrington_lonlat'", 2)
    refused(tmp_path / aspect.name, swapped, r"rows of shape \(\) or \(1,\) in column y_srf, found shape \(2,\)")


def test_text_where_numbers_belong(aspect, tmp_path):
    content = mutations.without_check_sums(aspect.read_bytes())
    swapped = with_card(content, "TTYPE3", "TTYPE3  = 'y_srf'", 2)
    swapped = with_card(swapped, "TTYPE6", "TTYPE6  = 'time_utc'", 2)
    refused(tmp_path / aspect.name, swapped, "numbers in column y_srf, found format 26A")
