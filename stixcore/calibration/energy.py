"""Energy-edge correction: the channel edges of pixels differ from the nominal energies.

Inner edges cancel when channels are summed, so only the first and the last selected channel are corrected, per
detector and pixel, by the ratio of the integrals of a power-law spectrum over the nominal and over the actual interval
(ground software v0.6.2). ``stixpy`` and the ground software before 2026 use a flat spectrum.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stixcore.instrument.energy_tables import N_DETECTORS, N_PIXELS, EnergyLookupTable

Floats = NDArray[np.float64]

MAX_INDEX = 8.0  # |γ| beyond this is noise


class EdgeCorrection(StrEnum):
    """Spectrum assumed inside the first and the last channel."""

    POWER_LAW = "power-law"
    FLAT = "flat"
    NONE = "none"


def actual_edges(table: EnergyLookupTable, energy: float) -> Floats:
    """Actual energies of the nominal edge ``energy`` in every pixel, (32, 12) float, keV.

    The nominal energy is returned for edges that the table does not contain (0 keV, the open upper end).
    """
    match = np.flatnonzero(np.abs(table.nominal - energy) < 1e-3)
    if match.size == 0:
        return np.full((N_DETECTORS, N_PIXELS), energy)
    return table.edges[:, :, match[0]]


def spectral_indices(spectrum: Floats, e_low: Floats, e_high: Floats) -> Floats:
    """Index γ of E^-γ in each channel of a count spectrum, (n_channel,) float.

    Parameters
    ----------
    spectrum : (n_channel,) float
        Counts per keV, background subtracted.
    e_low, e_high : (n_channel,) float, keV

    Notes
    -----
    γ is the slope to the next channel below the peak, the slope from the previous channel above it, and 0 at the peak.
    It is computed first between channel centres, then between the mean energies of the channels for that power law,
    ⟨E⟩ = ∫E·E^-γ dE / ∫E^-γ dE.
    """
    closed = np.where(np.isfinite(e_high), e_high, e_low + 1.0)
    # The open last channel has no width and so no density: all counts above 150 keV would look like the peak.
    spectrum = np.where(np.isfinite(e_high), spectrum, np.nan)
    peak = int(np.nanargmax(spectrum)) if np.isfinite(spectrum).any() else 0
    centre = 0.5 * (e_low + closed)
    index = np.zeros_like(spectrum)
    for _ in range(2):
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = -np.diff(np.log(spectrum)) / np.diff(np.log(centre))
        index = np.zeros_like(spectrum)
        index[:peak] = slope[:peak]
        index[peak + 1 :] = slope[peak:]
        index = np.clip(np.where(np.isfinite(index), index, 0.0), -MAX_INDEX, MAX_INDEX)
        centre = _power_integral(e_low, closed, index - 1.0) / _power_integral(e_low, closed, index)
    return index


def _power_integral(low: Floats, high: Floats, index: Floats | float) -> Floats:
    """∫ E^-γ dE from ``low`` to ``high`` (a logarithm at γ = 1)."""
    power = 1.0 - np.asarray(index, dtype=float)
    near_one = np.abs(power) < 1e-9
    safe = np.where(near_one, 1.0, power)
    low = np.maximum(low, 1e-3)  # the integral over a channel from 0 keV must be finite
    return np.asarray(np.where(near_one, np.log(high / low), (high**safe - low**safe) / safe))


def _peak_integral(low: Floats, high: Floats, middle: float, below: float, above: float) -> Floats:
    """Integral of a continuous spectrum, E^-γ_low below ``middle`` and E^-γ_high above it."""
    continuity = middle ** (below - above)
    lower = _power_integral(np.minimum(low, middle), np.minimum(high, middle), below)
    upper = _power_integral(np.maximum(low, middle), np.maximum(high, middle), above)
    return np.asarray(continuity * lower + upper)


def edge_factors(
    table: EnergyLookupTable, e_low: Floats, e_high: Floats, channels: slice, index: Floats
) -> tuple[Floats, Floats]:
    """Correction factors of the first and of the last selected channel, (32, 12) float each.

    Parameters
    ----------
    table : EnergyLookupTable
    e_low, e_high : (n_channel,) float, keV
        Nominal edges of all channels of the file.
    channels : slice
        Selected channels; for a single channel the first factor corrects both edges and the second is 1.
    index : (n_channel,) float
        Spectral index per channel; all zeros for a flat spectrum.
    """
    first, last = channels.start, channels.stop - 1
    low, high = float(e_low[first]), float(e_high[last])
    low_actual, high_actual = actual_edges(table, low), actual_edges(table, high)
    one = np.ones((N_DETECTORS, N_PIXELS))
    if first == last:
        if not np.isfinite(high):
            return one, one
        wanted_low, wanted_high = np.full_like(one, low), np.full_like(one, high)
        if 0 < first < index.size - 1 and index[first] == 0 and index[[first - 1, first + 1]].any():
            middle, below, above = 0.5 * (low + high), float(index[first - 1]), float(index[first + 1])
            wanted = _peak_integral(wanted_low, wanted_high, middle, below, above)
            return wanted / _peak_integral(low_actual, high_actual, middle, below, above), one
        gamma = float(index[first])
        return _power_integral(wanted_low, wanted_high, gamma) / _power_integral(low_actual, high_actual, gamma), one
    # first: G(l, h') / G(l', h');  last: G(l', h) / G(l', h')
    inner_high = actual_edges(table, float(e_high[first]))
    first_factor = _power_integral(np.full_like(one, low), inner_high, float(index[first])) / _power_integral(
        low_actual, inner_high, float(index[first])
    )
    if not np.isfinite(high):
        return first_factor, one
    inner_low = actual_edges(table, float(e_low[last]))
    last_factor = _power_integral(inner_low, np.full_like(one, high), float(index[last])) / _power_integral(
        inner_low, high_actual, float(index[last])
    )
    return first_factor, last_factor
