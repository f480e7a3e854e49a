"""Energies and pixels of a map."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from stixcore.image_files.validation.findings import Finding, Findings, Level, MapHeader

#: Relative differences that are rounding to single precision.
_ROUNDING = 1e-5
_AGREE = 1e-2


def check_energies(header: MapHeader) -> Findings:
    """Ranges of energy and wavelength."""
    for low, high in (("ENERGY_L", "ENERGY_H"), ("WAVEMIN", "WAVEMAX"), ("DATAMIN", "DATAMAX")):
        first, last = header.number(low), header.number(high)
        if first is not None and last is not None and (first > last or (first == last and low != "DATAMIN")):
            yield header.error(low, f"It must be below {high} = {last:g}.")
    low_energy = header.number("ENERGY_L")
    if low_energy is not None and not 0.0 <= low_energy < 150.0:
        yield header.error("ENERGY_L", "STIX counts photons of 4 to 150 keV.")
    unit = _unit(header)
    if "WAVEUNIT" in header and unit is None:
        yield header.error("WAVEUNIT", "It is not a unit of wavelength or energy, nor a power of ten of the metre.")
    elif unit is None and "WAVEMIN" in header:
        yield header.warning("WAVEMIN", "Its unit is unknown without WAVEUNIT.")
    elif unit is not None and unit.is_equivalent(u.m):
        for energy, wave in (("ENERGY_H", "WAVEMIN"), ("ENERGY_L", "WAVEMAX")):
            kev, length = header.number(energy), header.number(wave)
            if kev is not None and kev > 0.0 and length is not None:
                expected = float((kev * u.keV).to_value(unit, u.spectral()))
                if abs(length - expected) > _AGREE * expected:
                    yield header.error(wave, f"{energy} = {kev:g} keV is a wavelength of {expected:.4g} {unit}.")


def _unit(header: MapHeader) -> u.UnitBase | None:
    value = header.values.get("WAVEUNIT")
    if isinstance(value, int) and not isinstance(value, bool) and -12 <= value <= 0:
        return u.Unit(10.0**value * u.m)  # as SOLARNET writes it
    try:
        unit = u.Unit(str(value))
    except (ValueError, TypeError):
        return None
    return unit if unit.is_equivalent(u.m, u.spectral()) else None


def check_pixels(header: MapHeader, pixels: NDArray[np.generic], *, exact: bool = True) -> Findings:
    """Pixels that are no numbers, and the range of the others unless ``exact`` is false: compression changes it."""
    numbers = np.asarray(pixels, dtype=np.float64)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        yield Finding(Level.ERROR, header.hdu, "", None, "No pixel has a finite value.")
        return
    if finite.size < numbers.size:
        text = f"{numbers.size - finite.size} of {numbers.size} pixels have no finite value."
        yield Finding(Level.NOTE, header.hdu, "", None, text)
    for keyword, found in (("DATAMIN", float(finite.min())), ("DATAMAX", float(finite.max()))):
        said = header.number(keyword)
        if exact and said is not None and abs(said - found) > _ROUNDING * max(abs(found), abs(said)):
            yield header.error(keyword, f"The pixels have {found:.8g}.")
