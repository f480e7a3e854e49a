"""Keywords of Solar Orbiter's metadata standard in the header of an image: provenance, planning, observer, photons.

The standard is SOL-SGS-TN-0009; what is written and what is not stands in ``docs/decisions/fits_keywords.md``.
`stixcore.image_files.validation` checks a file for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from astropy.constants import c, e, h
from numpy.typing import NDArray

from stixcore.coordinates import SOLAR_RADIUS
from stixcore.fits.spec import PLANNING_KEYWORDS
from stixcore.heliographic import LIGHT, carrington_of_earth
from stixcore.image_files.layout import FILE_VERSION
from stixcore.reconstruct import ImageSet

Card = tuple[str, Any, str]

#: Value of a planning keyword that the science file does not have, as STIXCore writes it.
NOT_KNOWN = "none"
#: Wavelength × energy of a photon, nm keV.
NM_KEV = float(h.value * c.value / e.value * 1e6)

#: Longest value in a card with a comment of `_FROM_SCIENCE`; longer ones have none.
_SHORT = 40
_FROM_SCIENCE = "from the science file"


def provenance_cards(images: ImageSet) -> Iterator[Card]:
    """Parents and version of the file, and what the science file says of the plan."""
    recipe = images.recipe
    used = None if images.calibration is None else images.calibration.reference.cal_file
    parents = [recipe.science, recipe.background, *recipe.aspect, used]
    yield "PARENT", ";".join(dict.fromkeys(file.name for file in parents if file is not None)), ""
    yield "VERSION", FILE_VERSION, "version of this file"
    planning = images.pixels.header.planning
    for keyword in PLANNING_KEYWORDS:
        value = planning.get(keyword, NOT_KNOWN)
        yield keyword, value, _FROM_SCIENCE if len(value) <= _SHORT else ""


def carrington_longitude(stonyhurst: float, distance: float, time: np.datetime64) -> float:
    """Carrington longitude of an observer, deg in [0, 360).

    Light leaves the surface below the observer, as in sunpy's frame `HeliographicCarrington`.

    Parameters
    ----------
    stonyhurst : float, deg
    distance : float, m
        From Sun center.
    time : datetime64
        When the light arrives, UTC.
    """
    return (stonyhurst + carrington_of_earth(time, (distance - SOLAR_RADIUS) / LIGHT)) % 360.0


def observer_cards(images: ImageSet, lon: float | None, lat: float | None, distance: float | None) -> Iterator[Card]:
    """Carrington position of the observer in the middle of the image, computed from the Stonyhurst position.

    The values of the science file are not used: files of version 1 repeat the Stonyhurst longitude as Carrington's, and
    later ones are for the middle of the file, and for light that arrives at the Earth.
    """
    start, end = images.pixels.t_start, images.pixels.t_end
    if lon is not None and distance is not None:
        yield "CRLN_OBS", carrington_longitude(lon, distance, start + (end - start) // 2), "[deg] Carrington longitude"
    yield "CRLT_OBS", lat, "[deg] Carrington latitude"
    yield "SOLAR_B0", lat, "[deg] heliographic latitude (B0)"


def photon_cards(energy: tuple[float, float]) -> Iterator[Card]:
    """Wavelengths of the energy range (keV); none for a range that begins at 0."""
    low, high = energy
    if low > 0.0:
        # λ = h c / E
        yield "WAVEUNIT", "nm", "unit of WAVEMIN and WAVEMAX"
        yield "WAVEMIN", NM_KEV / high, "[nm] photons of ENERGY_H"
        yield "WAVEMAX", NM_KEV / low, "[nm] photons of ENERGY_L"


def range_cards(image: NDArray[np.floating[Any]]) -> Iterator[Card]:
    """Smallest and largest pixel as stored, which is in single precision."""
    stored = image.astype(np.float32)
    low, high = float(np.nanmin(stored)), float(np.nanmax(stored))
    if math.isfinite(low) and math.isfinite(high):
        yield "DATAMIN", low, "smallest pixel, in BUNIT"
        yield "DATAMAX", high, "largest pixel, in BUNIT"
