"""Integer compression of the telemetry ("k-s-m"): encoding, decoding, and the variance of decoded values.

A value is stored as sign bit (s), exponent (k bits) and mantissa (m bits). Values below 2^(m+1) are exact; larger
values with the same code decode to the middle of their interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stixcore.errors import SelectionError


def _shift(value: NDArray[np.int64], m: int) -> NDArray[np.int64]:
    """Number of low bits that are dropped: bit_length(value) - 1 - m, at least 0."""
    # value = f·2^e with 0.5 ≤ f < 1, so e is the bit length
    bit_length: NDArray[np.int64] = np.frexp(value.astype(float))[1]
    return np.maximum(bit_length - 1 - m, 0)


def compress(value: ArrayLike, skm: tuple[int, int, int]) -> NDArray[np.int64]:
    """Encode non-negative integers.

    Raises
    ------
    SelectionError
        When a value is negative or too large for the exponent, or the scheme is signed.
    """
    s, k, m = skm
    number = np.asarray(value, dtype=np.int64)
    if s or number.min(initial=0) < 0:
        message = f"only unsigned values can be compressed, found scheme {skm} and a minimum of {number.min(initial=0)}"
        raise SelectionError(message)
    exact = number < (1 << (m + 1))
    shift = _shift(number, m)
    code = ((shift + 1) << m) | ((number >> shift) & ((1 << m) - 1))
    if code[~exact].max(initial=0) >= 1 << (k + m):
        message = f"{number.max()} is more than compression scheme {skm} can hold"
        raise SelectionError(message)
    return np.where(exact, number, code)


def decompress(code: ArrayLike, skm: tuple[int, int, int]) -> NDArray[np.int64]:
    """Decode values: ((2^m + mantissa) << e) + (1 << (e-1)) - 1 with e = (code >> m) - 1, exact below 2^(m+1)."""
    _, _, m = skm
    number = np.asarray(code, dtype=np.int64)
    e = np.maximum((number >> m) - 1, 0)
    coarse = (((1 << m) + (number & ((1 << m) - 1))) << e) + (1 << np.maximum(e - 1, 0)) - 1
    return np.where(number < (1 << (m + 1)), number, coarse)


def compression_variance(value: ArrayLike, skm: tuple[int, int, int]) -> NDArray[np.float64]:
    """Variance of decoded values: (Δ² + 2)/12 with interval width Δ = 2^e; zero for exact values."""
    _, _, m = skm
    number = np.asarray(np.rint(value), dtype=np.int64)
    width = np.exp2(_shift(number, m))
    return np.where(number < (1 << (m + 1)), 0.0, (width**2 + 2.0) / 12.0)
