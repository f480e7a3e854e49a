"""Headers are walked through before a library reads them: what may stand there, and what real files hold."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct
from stixcore.fits.structure import check_structure


def check(path, content: bytes) -> None:
    path.write_bytes(content)
    with path.open("rb") as stream:
        check_structure(path, stream)
        assert stream.tell() == 0


def table(**header) -> bytes:
    rows = np.zeros(3, dtype=[("time", ">i4"), ("counts", ">f4", (2, 5)), ("name", "S7"), ("flag", "?")])
    hdu = fits.BinTableHDU(rows, name="DATA")
    hdu.header.update(header)
    out = io.BytesIO()
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH a long keyword"] = "it's a 'value'"
    primary.header["LONG"] = "x" * 200
    primary.header["RATIO"] = 1.5e-30
    primary.header["EMPTY"] = None
    fits.HDUList([primary, hdu, fits.ImageHDU(np.zeros((4, 4)))]).writeto(out, checksum=True)
    return out.getvalue()


def test_every_real_file_passes(shared_data):
    files = sorted(shared_data.rglob("*.fits"))
    assert len(files) > 80
    for path in files:
        with path.open("rb") as stream:
            check_structure(path, stream)


def test_what_the_standard_allows(tmp_path):
    check(tmp_path / "x.fits", table())


def test_columns_of_every_format(tmp_path):
    columns = [
        fits.Column(name=f"c{letter}", format=letter, array=np.zeros(2, dtype))
        for letter, dtype in {"L": bool, "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}.items()
    ]
    columns.append(fits.Column(name="bits", format="11X", array=np.zeros((2, 11), bool)))
    columns.append(fits.Column(name="list", format="PJ()", array=np.array([[1], [2, 3]], dtype=object)))
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(out)
    check(tmp_path / "x.fits", out.getvalue())


@pytest.mark.parametrize("tail", [b"", bytes(2880), b" " * 2880, b"\r\n"])
def test_padding_after_the_end_is_no_damage(tmp_path, tail):
    check(tmp_path / "x.fits", table() + tail)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"SIMPLE  =                    T", "END in the primary header, found no such card"),
        (table()[:2880], None),
        (table()[:2880] + table()[2880:5000].replace(b"END     ", b"COMMENT "), "END in extension 1"),
        (table() + b"x" * 2880, "XTENSION at byte"),
        (table()[:-2880], "bytes up to extension 2"),
    ],
)
def test_pieces(tmp_path, content, said):
    if said is None:  # a primary header alone is a file without data
        check(tmp_path / "x.fits", content)
        return
    with pytest.raises(InvalidProduct, match=said):
        check(tmp_path / "x.fits", content)
