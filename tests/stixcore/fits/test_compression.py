"""Telemetry compression: published examples, ``stixpy`` code by code, and what holds for every number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.errors import SelectionError
from stixcore.fits.compression import compress, compression_variance, decompress

COUNTS, TRIGGERS = (0, 4, 4), (0, 5, 3)
SCHEMES = [COUNTS, TRIGGERS, (0, 3, 5)]


def largest(skm):
    """2^(2^k - 2)·(2^(m+1) - 1): the largest value a scheme can hold (STIX-TN-0117)."""
    _, k, m = skm
    return 2 ** (2**k - 2) * (2 ** (m + 1) - 1)


def schemes_and_values():
    return st.sampled_from(SCHEMES).flatmap(
        lambda skm: st.tuples(st.just(skm), st.integers(0, min(largest(skm), 2**40)))
    )


@pytest.mark.parametrize(
    ("value", "skm", "code", "decoded"),
    [
        (12345, TRIGGERS, 92, 12799),  # the example in the documentation of stixpy
        (31, COUNTS, 31, 31),  # exact below 2^(m+1)
        (32, COUNTS, 32, 32),
        (33, COUNTS, 32, 32),
        (375, COUNTS, 87, 375),
    ],
)
def test_known_codes(value, skm, code, decoded):
    assert compress(value, skm) == code
    assert decompress(code, skm) == decoded


def test_error_of_a_real_file():
    """375 counts stand in steps of 16: √((16² + 2)/12) = 4.637, as real files have it."""
    assert np.sqrt(compression_variance(375, COUNTS)) == pytest.approx(4.637, abs=5e-4)


@pytest.mark.parametrize("skm", [COUNTS, TRIGGERS])
def test_every_code_as_stixpy(skm):
    from stixpy.calibration.compression import decompress as stixpy_decompress

    s, k, m = skm
    codes = np.arange(256)
    theirs, variance = stixpy_decompress(codes, s=s, k=k, m=m, return_variance=True)
    fits_int64 = codes < (62 << m)
    ours = decompress(codes[fits_int64], skm)
    np.testing.assert_array_equal(ours, theirs[fits_int64].astype(np.int64))
    np.testing.assert_allclose(compression_variance(ours, skm), variance[fits_int64], rtol=1e-12)


@pytest.mark.parametrize("skm", [COUNTS, TRIGGERS])
def test_compress_as_stixpy(skm):
    from stixpy.calibration.compression import compress as stixpy_compress

    s, k, m = skm
    values = np.unique(np.geomspace(1, 2**30 if skm == TRIGGERS else largest(skm), 4000).astype(int))
    np.testing.assert_array_equal(compress(values, skm), stixpy_compress(values, s=s, k=k, m=m).astype(int))


@pytest.mark.parametrize("skm", [COUNTS, (0, 3, 5)])
def test_codes_survive_the_round_trip(skm):
    codes = np.arange(256)
    np.testing.assert_array_equal(compress(decompress(codes, skm), skm), codes)


@given(schemes_and_values())
def test_a_value_comes_back_within_half_its_interval(case):
    skm, value = case
    back = int(decompress(compress(value, skm), skm))
    width = 1 if value < 2 ** (skm[2] + 1) else 2 ** (value.bit_length() - 1 - skm[2])
    assert abs(back - value) <= width / 2
    if width == 1:
        assert back == value
        assert compression_variance(back, skm) == 0.0
    else:
        assert compression_variance(back, skm) == pytest.approx((width**2 + 2) / 12)


@given(schemes_and_values(), st.integers(1, 1000))
def test_order_is_kept(case, step):
    skm, value = case
    if value + step <= largest(skm):
        assert compress(value + step, skm) >= compress(value, skm)


def test_variance_is_that_of_the_values_sharing_a_code():
    """(Δ² + 2)/12: the spread of Δ equally likely integers around the value the code stands for."""
    value = int(decompress(87, COUNTS))
    sharing = [n for n in range(value - 20, value + 20) if compress(n, COUNTS) == 87]
    assert len(sharing) == 16
    assert np.mean((np.array(sharing) - value) ** 2) == pytest.approx(compression_variance(value, COUNTS))


@pytest.mark.parametrize(
    ("value", "skm", "complaint"),
    [
        (-1, COUNTS, "minimum of -1"),
        (5, (1, 3, 4), "only unsigned"),
        (largest(COUNTS) * 2, COUNTS, "more than compression scheme"),
    ],
)
def test_what_cannot_be_compressed(value, skm, complaint):
    with pytest.raises(SelectionError, match=complaint):
        compress(value, skm)


def test_arrays_keep_their_shape():
    values = np.arange(24).reshape(2, 3, 4) * 37
    assert decompress(compress(values, COUNTS), COUNTS).shape == values.shape
    assert compress([], COUNTS).size == 0
