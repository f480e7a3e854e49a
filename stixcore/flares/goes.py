"""GOES classes: as text and flux, and estimated from STIX data.

Two laws estimate the flux that GOES measures in 0.1-0.8 nm at the peak of a flare. An estimate is not a measurement.

- *From counts*: the law in the code of the STIX Data Center (the paper on it prints other coefficients), good
  to a factor of two in counts. It is a fit to listed fluxes, so the quiet Sun of those years is in it.
- *From the background detector*, which the attenuator never covers: a power law, fitted by ``benchmarks.goes_law`` to
  the flux above the background before the flare.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from stixcore.errors import SelectionError

#: log10 F [W m⁻²] = c0 + c1·x + c2·x² with x = log10(counts per 4 s · d²)
COEFFICIENTS = (-6.90, 0.07505, 0.07064)
#: Half-width of the range of an estimate, on x (not on log F).
X_RANGE = 0.3

#: log10 F [W m⁻²] = a + b·log10(f·d²), f in ct s⁻¹ mm⁻², d in au: 24 flares of November 2022 and 39 of September and
#: October 2024 (r = 0.97); printed by ``python -m benchmarks goes_law``.
DETECTOR_COEFFICIENTS = (-6.041, 0.840)
#: Standard deviation of log10 F about that law, dex.
DETECTOR_SCATTER = 0.161
#: f·d² of the faintest and the brightest of these flares, ct s⁻¹ mm⁻² au².
DETECTOR_RANGE = (0.323, 207.0)
#: The law is used this far beyond its range, dex.
EXTRAPOLATION = 0.3

#: Data of an estimate.
COUNTS, BACKGROUND_DETECTOR = "counts", "background detector"

_LETTERS = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}
_CLASS = re.compile(r"([ABCMX])(\d{1,3}(?:\.\d{1,3})?)", re.ASCII)


@dataclass(frozen=True)
class EstimatedClass:
    """An estimated class with its range of one standard deviation; None where unknown.

    Attributes
    ----------
    low, center, high : str or None
        "C3" or "C1.4": with a decimal where a whole number is coarser than the error; "A" for everything below B.
    flux : float or None, W m⁻²
        Of ``center``.
    source : str or None
        `COUNTS` or `BACKGROUND_DETECTOR`.
    """

    low: str | None = None
    center: str | None = None
    high: str | None = None
    flux: float | None = None
    source: str | None = None


def estimated_flux(net_counts: float, dsun_au: float, shift: float = 0.0) -> float:
    """Estimate the peak flux that GOES would measure in 0.1-0.8 nm, W m⁻², from counts.

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
    """Estimate the GOES class and its range from counts.

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
    if not _positive(net_counts, dsun_au):
        return EstimatedClass()
    low, flux, high = (estimated_flux(net_counts, dsun_au, shift) for shift in (-X_RANGE, 0.0, X_RANGE))
    known = _with_range(low, flux, high, COUNTS)
    return EstimatedClass(known.low, source=COUNTS) if attenuated else known


def detector_law(flux: float, dsun_au: float) -> float:
    """GOES flux above the background before the flare, W m⁻², from the flux of the background detector.

    Parameters
    ----------
    flux : float, ct s⁻¹ mm⁻²
        4-10 keV at the peak, without background; positive.
    dsun_au : float, au
    """
    a, b = DETECTOR_COEFFICIENTS
    # log10 F = a + b log10(f d²)
    return float(10.0 ** (a + b * math.log10(flux * dsun_au**2)))


def estimate_from_detector(flux: float, sigma: float, dsun_au: float) -> EstimatedClass:
    """Estimate the GOES class and its range from the background detector.

    Parameters
    ----------
    flux, sigma : float, ct s⁻¹ mm⁻²
        4-10 keV at the peak, without background, and its standard deviation.
    dsun_au : float, au

    Returns
    -------
    EstimatedClass
        Empty for a flare more than `EXTRAPOLATION` fainter than those of the law; with a lower end only when it is
        that much brighter.
    """
    if not (_positive(flux, dsun_au) and sigma >= 0):
        return EstimatedClass()
    scaled = math.log10(flux * dsun_au**2)
    faintest, brightest = (math.log10(end) for end in DETECTOR_RANGE)
    if scaled < faintest - EXTRAPOLATION:
        return EstimatedClass()
    beyond = scaled - (brightest + EXTRAPOLATION)
    center = detector_law(flux / 10.0 ** max(beyond, 0.0), dsun_au)
    # σ² of log10 F = scatter² + (b σ_f / (f ln 10))²
    spread = 10.0 ** math.hypot(DETECTOR_SCATTER, DETECTOR_COEFFICIENTS[1] * sigma / (flux * math.log(10.0)))
    known = _with_range(center / spread, center, center * spread, BACKGROUND_DETECTOR)
    return EstimatedClass(known.low, source=BACKGROUND_DETECTOR) if beyond > 0 else known


def _positive(*values: float) -> bool:
    return all(math.isfinite(value) and value > 0 for value in values)


def _with_range(low: float, flux: float, high: float, source: str) -> EstimatedClass:
    # relative standard deviation, for the number of digits
    error = math.sqrt(high / low) - 1.0
    lowest, center, highest = (_estimated_class(value, error) for value in (low, flux, high))
    return EstimatedClass(lowest, center, highest, float(f"{flux:.3g}"), source)


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


def class_of_flux(flux: float, digits: int = 1) -> str:
    """Class of a flux [W m⁻²], rounded to some decimals: "C3.4", "X12.0", "A0.3".

    Raises
    ------
    SelectionError
        When the flux is not a positive number.
    """
    if not _positive(flux):
        message = f"a flux of {flux:g} W m⁻² has no GOES class"
        raise SelectionError(message)
    for letter in "ABCM":
        number = round(flux / _LETTERS[letter], digits)
        if number < 10:
            return f"{letter}{number:.{digits}f}"
    return f"X{flux / _LETTERS['X']:.{digits}f}"


def _estimated_class(flux: float, error: float) -> str:
    """Class with a decimal where the error [relative] is below one of its letter's units."""
    if flux < _LETTERS["B"]:
        return "A"
    letter = max((one for one in "BCMX" if _LETTERS[one] <= flux), key=lambda one: _LETTERS[one])
    return class_of_flux(flux, 1 if flux / _LETTERS[letter] * error < 1.0 else 0)
