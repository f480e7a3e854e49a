"""Numbers and names as text: units, dashes, thin spaces."""

from __future__ import annotations

import re

import numpy as np

from archive import Flare, Image, RegionSpectra, Run, Spectrum
from dashboards.shared.listing import grouped
from stixcore.flares.goes import BACKGROUND_DETECTOR
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import display_name
from stixcore.spectra.counts import CountSpectrum

#: Superscript digits.
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

UNKNOWN = "–"
CLOCK = "UTC at Solar Orbiter"


def day(time: np.datetime64) -> str:
    """``2022-11-11``."""
    return str(time.astype("datetime64[D]"))


def clock(time: np.datetime64) -> str:
    """``13:56:34``."""
    return str(time.astype("datetime64[s]"))[11:]


def duration(t_start: np.datetime64, t_end: np.datetime64) -> str:
    """``56 s``, ``6 min``, ``2.5 h``."""
    seconds = float((t_end - t_start) / np.timedelta64(1, "s"))
    if seconds < 600:
        return f"{seconds:.4g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def time_range(row: Image | Run | Spectrum | RegionSpectra | CountSpectrum) -> str:
    """``2022-11-11 13:56:34 – 13:57:30``; the second date is given if it differs."""
    begin, end = day(row.t_start), day(row.t_end)
    return f"{begin} {clock(row.t_start)} – {end + ' ' if end != begin else ''}{clock(row.t_end)}"


def band(row: Image | Run) -> str:
    """``4–10 keV``."""
    return f"{row.e_low:g}–{row.e_high:g} keV"


def energies(low: float, high: float) -> str:
    """``4–28 keV``; ``4 keV and more`` for an open upper end."""
    return f"{low:g}–{high:g} keV" if np.isfinite(high) else f"{low:g} keV and more"


def method_name(method: str) -> str:
    """Short display name of a method."""
    return "Full disk" if method == Method.FULL_DISK_BP else display_name(method)


#: How a recipe found its location, as `Recipe.location.method` has it.
LOCATION_NAMES = {
    "given": "given in the request",
    "full_disk_bp": "full-disk back projection",
    "full_disk_bp+vis_fwdfit": "full-disk back projection, refined by a circle fit",
}


def location_name(method: str) -> str:
    """How a location was found, for people."""
    return LOCATION_NAMES.get(method, method)


def number(value: float | None, form: str = ".3g") -> str:
    """A number with a minus sign and without ``e``: ``3 180``, ``2.5 × 10⁻⁵``; a dash if unknown."""
    if value is None or not np.isfinite(value):
        return UNKNOWN
    text = f"{value:{form}}"
    mantissa, _, exponent = text.partition("e")
    if exponent and 0 < int(exponent) < 6:
        text = grouped(float(text))
    elif exponent:
        text = f"{mantissa} × 10{raised(int(exponent))}"
    return text.replace("-", "−")


def raised(power: int) -> str:
    """``⁻⁵``."""
    return str(power).translate(_RAISED)


def arcsec(value: float | None) -> str:
    """``−512.3``."""
    return number(value, ".1f")


def plural(value: int, noun: str, nouns: str = "") -> str:
    """``1 file``, ``45 files``; ``nouns`` is an irregular plural."""
    return f"{grouped(value)} {noun if value == 1 else nouns or f'{noun}s'}"


def sentence(text: str, *, capital: bool = True) -> str:
    """A text with a full stop and a capital letter; Greek letters are symbols and stay small."""
    first = text[:1].upper() if capital and text[:1].isascii() else text[:1]
    return f"{first}{text[1:].rstrip('.')}."


def counts(value: float | None) -> str:
    """``45 210``."""
    return UNKNOWN if value is None else grouped(value).replace("-", "−")


def size(value: int) -> str:
    """``363 kB``."""
    return f"{value / 1e6:.1f} MB" if value >= 1_000_000 else f"{max(value / 1e3, 0.1):.0f} kB"


def position(x: float | None, y: float | None) -> str:
    """``(−512.3″, 211.0″)``."""
    return UNKNOWN if x is None or y is None else f"({arcsec(x)}″, {arcsec(y)}″)"


def unit(fits_unit: str) -> str:
    """``ct s⁻¹ cm⁻²`` from the ``ct s-1 cm-2`` of FITS."""
    return re.sub(r"(?<=[A-Za-z])-?\d+", lambda power: power[0].translate(_RAISED), fits_unit)


def estimate(low: str | None, middle: str | None, high: str | None) -> str:
    """A class estimated from STIX data: ``≈C4``, with its 1 σ range ``≈C4 (C2–C9)``; ``≥C2`` for a lower limit."""
    span = f"{low}–{high}" if low and high and low != high else ""
    if middle:
        return f"≈{middle}{f' ({span})' if span else ''}"
    if span:
        return f"≈{span}"
    return f"≥{low}" if low else (f"≤{high}" if high else "")


def estimated_class(of: Flare | Image) -> str:
    """Estimated class of a flare, or of the flare of an image, as `estimate` has it; empty if unknown."""
    low, high = (getattr(of, f"goes_estimated_{end}", None) for end in ("low", "high"))  # images have no range
    return estimate(low, of.goes_estimated, high)


def estimate_source(data: str | None) -> str:
    """From which data a class is estimated, and what that means; empty if unknown.

    A measured class includes the Sun's background. So does the law from counts, but not that from the detector.
    """
    if data == BACKGROUND_DETECTOR:
        return f"from the {data}: the flare alone, while a measured class includes the Sun's background"
    return f"from the {data}" if data else ""


def goes_class(of: Flare | Image) -> str:
    """Class of a flare, or of the flare of an image: ``C3.4`` if measured, else estimated; empty if unknown."""
    return of.goes_class or estimated_class(of)
