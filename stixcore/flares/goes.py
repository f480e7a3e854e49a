"""GOES classes estimated from STIX counts, and conversion of classes to fluxes.

The relation is the one in the code of the STIX Data Center; the paper that describes it prints other coefficients. It
is a fit to flares observed by both instruments and good to a factor of two in counts. An estimate is not a measurement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stixcore.errors import SelectionError

#: log10 F [W m⁻²] = c0 + c1·x + c2·x² with x = log10(counts per 4 s · d²)
COEFFICIENTS = (-6.90, 0.07505, 0.07064)
#: Half-width of the range of an estimate, on x (not on log F).
X_RANGE = 0.3

_LETTERS = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}
_CLASS = re.compile(r"([ABCMX])(\d{1,3}(?:\.\d{1,3})?)", re.ASCII)


@dataclass(frozen=True)
class EstimatedClass:
    """Range of GOES classes without decimals ("C3"; "A" for everything below B); None where unknown."""

    low: str | None = None
    center: str | None = None
    high: str | None = None


def estimated_flux(net_counts: float, dsun_au: float, shift: float = 0.0) -> float:
    """Estimate the peak flux that GOES would measure in 0.1-0.8 nm, W m⁻².

    Parameters
    ----------
    net_counts : float, ct per 4 s
        4-10 keV at the peak, without background, attenuator out; positive.
    dsun_au : float, au
        Distance of Solar Orbiter from the Sun.
    shift : float
        Added to x, see `X_RANGE`.
    """
    x = np.log10(net_counts * dsun_au**2) + shift
    c0, c1, c2 = COEFFICIENTS
    return float(10.0 ** (c0 + c1 * x + c2 * x * x))


def estimate_class(net_counts: float, dsun_au: float, *, attenuated: bool = False) -> EstimatedClass:
    """Estimate the GOES class and its range.

    Parameters
    ----------
    net_counts, dsun_au : float
        See `estimated_flux`. All classes are None unless both are positive and finite.
    attenuated : bool
        The attenuator was in during the flare, and the counts are those of the brightest bin without it. Only the lower
        end of the range is given then.

    Returns
    -------
    EstimatedClass
    """
    if not (np.isfinite(net_counts) and np.isfinite(dsun_au) and net_counts > 0 and dsun_au > 0):
        return EstimatedClass()
    low, center, high = (_whole_class(estimated_flux(net_counts, dsun_au, shift)) for shift in (-X_RANGE, 0.0, X_RANGE))
    return EstimatedClass(low) if attenuated else EstimatedClass(low, center, high)


def flux_of_class(goes_class: str) -> float | None:
    """Flux of a class such as "C3.4", W m⁻²; None for a letter alone.

    Raises
    ------
    SelectionError
        When the text is not a GOES class.
    """
    found = _CLASS.fullmatch(goes_class)
    if found is not None:
        return float(f"{_LETTERS[found[1]] * float(found[2]):.4g}")
    if goes_class in _LETTERS:
        return None
    message = f"{goes_class!r} is not a GOES class (a letter A, B, C, M or X and a number, such as C3.4)"
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
