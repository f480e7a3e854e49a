"""Encoded headers and tables are those of astropy, to the byte."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from stixcore.fits.encode import Keywords, TableColumn, encode_primary, encode_table

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150)
NUMBERS = st.one_of(st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False))
KEYS = st.from_regex(r"\A[A-Z][A-Z0-9]{0,5}\Z").map(lambda text: f"X{text}")
LONG_KEYS = st.from_regex(r"\A[A-Z][A-Z_]{8,20}\Z").map(lambda text: f"HIERARCH {text}")
# astropy cannot write a comment that does not fit next to a number without a warning
CARDS = st.one_of(
    st.tuples(KEYS, TEXTS, st.sampled_from(["", "what the value is"])),
    st.tuples(KEYS, NUMBERS, st.sampled_from(["", "[s] of all detectors"])),
    st.tuples(LONG_KEYS, st.floats(-1e5, 1e5), st.just("in AU")),
)


def bytes_of(*hdus: fits.PrimaryHDU | fits.BinTableHDU) -> bytes:
    """Astropy's bytes of HDUs."""
    stream = BytesIO()
    fits.HDUList(list(hdus)).writeto(stream)
    return stream.getvalue()


@given(st.lists(CARDS, max_size=8), st.lists(TEXTS.filter(lambda text: text.strip() != ""), max_size=2))
def test_a_header_is_astropys(cards, texts):
    theirs, ours = fits.PrimaryHDU(), Keywords()
    for header in (theirs.header, ours):
        for key, value, comment in cards:
            header[key] = (value, comment)
        for text in texts:
            header.add_history(text)
            header.add_comment(text)
    assert encode_primary(ours) == bytes_of(theirs)


def test_a_keyword_that_is_set_again_keeps_its_place_and_comment():
    theirs, ours = fits.PrimaryHDU(), Keywords()
    for header in (theirs.header, ours):
        header["FILTER"] = ("none", "attenuator")
        header["DETCHANS"] = 4
        header["FILTER"] = "0"
    assert encode_primary(ours) == bytes_of(theirs)


@pytest.mark.parametrize("value", [1, True, 1.0, 0, False, 0.0, -0.0], ids=repr)
def test_equal_values_of_other_types_have_their_own_cards(value):
    theirs, ours = fits.PrimaryHDU(), Keywords()
    for header in (theirs.header, ours):
        header["KEY"] = (value, "all tests set this keyword")
    assert encode_primary(ours) == bytes_of(theirs)


@pytest.mark.parametrize("n", [1, 7, 3000])
def test_a_table_is_astropys(n):
    rng = np.random.default_rng(n)
    columns = [
        TableColumn("RATE", "E", rng.normal(size=(n, 26)), "counts/s"),
        TableColumn("ONE", "D", rng.normal(size=(n, 1))),
        TableColumn("TIME", "D", rng.normal(size=n), "s"),
        TableColumn("CHANNEL", "J", np.tile(np.arange(26), (n, 1))),
        TableColumn("NUMBER", "I", np.ones(n)),
        TableColumn("STATE", "B", rng.integers(0, 256, n)),
    ]
    theirs = fits.BinTableHDU.from_columns(
        [fits.Column(one.name, one.tform, one.unit or None, array=one.values) for one in columns]
    )
    theirs.name = "RATE"
    keywords = Keywords()
    keywords["EXTNAME"] = ("RATE", "extension name")
    for header in (theirs.header, keywords):
        header["GEOAREA"] = (47.86, "[cm2 AU-2]")
    assert encode_primary(Keywords()) + encode_table(columns, keywords) == bytes_of(fits.PrimaryHDU(), theirs)


def test_what_a_header_cannot_hold_is_refused():
    for value in ("Δ", "two\nlines", float("nan")):
        keywords = Keywords()
        keywords["KEY"] = value
        with pytest.raises(ValueError, match="FITS"):
            encode_primary(keywords)


def test_columns_of_different_lengths_are_refused():
    columns = [TableColumn("A", "J", np.arange(3)), TableColumn("B", "J", np.arange(4))]
    with pytest.raises(ValueError, match="column B has 4 rows, column A 3"):
        encode_table(columns, Keywords())
