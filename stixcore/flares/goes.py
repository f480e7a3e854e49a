"""GOES class estimated from STIX counts, and classes as numbers.

The law is the one in the code of the STIX Data Center; the paper that describes it prints other coefficients. It is a
fit to flares that both instruments saw, good to a factor of two in counts. An estimate is never a measured class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stixcore.errors import SelectionError

#: log10 F [W m⁻²] = c0 + c1·x + c2·x² with x = log10(counts per 4 s · d²)
COEFFICIENTS = (-6.90, 0.07505, 0.07064)
#: Range of an estimate: this much on x (not on log F).
X_RANGE = 0.3

_LETTERS = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}
_CLASS = re.compile(r"([ABCMX])(\d{1,3}(?:\.\d{1,3})?)", re.ASCII)


@dataclass(frozen=True)
class EstimatedClass:
    """Classes without decimals, "C3"; "A" for everything below B. None where nothing can be said."""

    low: str | None = None
    center: str | None = None
    high: str | None = None


def estimated_flux(net_counts: float, dsun_au: float, shift: float = 0.0) -> float:
    """Flux that GOES would measure at its peak, 0.1-0.8 nm, W m⁻².

    Parameters
    ----------
    net_counts : float, ct per 4 s
        4-10 keV at the peak, without background, attenuator out; positive.
    dsun_au : float, au
        Distance of Solar Orbiter from the Sun.
    shift : float
        On x, see `X_RANGE`.
    """
    x = np.log10(net_counts * dsun_au**2) + shift
    c0, c1, c2 = COEFFICIENTS
    return float(10.0 ** (c0 + c1 * x + c2 * x * x))


def estimate_class(net_counts: float, dsun_au: float, *, attenuated: bool = False) -> EstimatedClass:
    """Estimate the GOES class, with its range.

    Parameters
    ----------
    net_counts, dsun_au : float
        See `estimated_flux`. Without counts or distance there is no estimate.
    attenuated : bool
        The attenuator was in, and the counts are those of the brightest bin without it: the class is that or a higher
        one, so the lower end is all that can be said.
    """
    if not (np.isfinite(net_counts) and np.isfinite(dsun_au) and net_counts > 0 and dsun_au > 0):
        return EstimatedClass()
    low, center, high = (_whole_class(estimated_flux(net_counts, dsun_au, shift)) for shift in (-X_RANGE, 0.0, X_RANGE))
    return EstimatedClass(low) if attenuated else EstimatedClass(low, center, high)


def flux_of_class(goes_class: str) -> float | None:
    """Flux of a class like "C3.4", W m⁻²; None for a letter alone.

    Raises
    ------
    SelectionError
        When it is no GOES class.
    """
    found = _CLASS.fullmatch(goes_class)
    if found is not None:
        return float(f"{_LETTERS[found[1]] * float(found[2]):.4g}")
    if goes_class in _LETTERS:
        return None
    message = f"{goes_class!r} is no GOES class (a letter A, B, C, M or X and a number, like C3.4)"
    raise SelectionError(message)


def _whole_class(flux: float) -> str:
    """Class without decimals."""
    if flux < _LETTERS["B"]:
        return "A"
    for letter in "BCM":
        number = round(flux / _LETTERS[letter])
        if number < 10:
            return f"{letter}{number}"
    return f"X{round(flux / _LETTERS['X'])}"
