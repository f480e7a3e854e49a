"""Model of the instrument, from the sky to rates: effective area of every pixel, dead time, background.

It is the inverse of the calibration, with the tables and functions of `stixcore.calibration` and
`stixcore.instrument`, and the amplitude scheme ``gsw-2026``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.energy import actual_edges
from stixcore.calibration.grids import flight_transmission
from stixcore.calibration.livetime import LATENCY_TIME, READOUT_TIME, pileup_factor
from stixcore.coordinates import Pointing
from stixcore.errors import SelectionError
from stixcore.instrument.energy_tables import EnergyLookupTable
from stixcore.instrument.flare_locator import PIXEL_AREA as LOCATOR_PIXEL_AREA
from stixcore.instrument.flare_locator import lit_areas
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR, PixelSet, uv_points
from stixcore.instrument.tables import (
    N_DETECTORS,
    N_PIXELS,
    phase_correction,
    pixel_area,
    trigger_accumulator,
)
from stixcore.simulation.sources import Source, shares, source_position, source_visibility

Floats = NDArray[np.float64]

#: Edges of the 32 science channels, keV.
SCIENCE_EDGES = np.array(
    [0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 76, 84, 100,
     120, 150, np.inf]
)  # fmt: skip
N_CHANNELS = 32
N_ACCUMULATORS = 16
MM2_PER_CM2 = 100.0

#: Counts of the coarse flare locator ÷ those that the fluence behind the other grids predicts, and the share of a fully
#: lit pixel that reaches a pixel in the shadow, as in real flares (`stixcore.imaging.coarse_locator`).
FLARE_LOCATOR_FACTOR, FLARE_LOCATOR_LEAKAGE = 1.04, 0.0026
#: Apertures of the background monitor as real flares show them: two open pixels, two faint ones, the rest closed.
BACKGROUND_MONITOR_TRANSMISSION = np.array([0.145, 0.002, 0.012, 0.002, 0.002, 0.012, 0.002, 0.145] + [0.001] * 4)

#: Quiet-Sun counts of the whole instrument above 4 keV, ct s⁻¹ (quiet interval of 2022-11-09).
BACKGROUND_RATE = 716.0
#: Background of small pixels per cm², relative to large pixels.
SMALL_PIXEL_BACKGROUND = 0.6
#: Triggers without a count (below threshold), s⁻¹ per accumulator, in the same interval.
EMPTY_TRIGGER_RATE = 9.4
# Continuum (keV, relative counts per keV, straight in log-log) and lines (keV, counts, sigma): fluorescence, the
# calibration source's 31, 35 and 81 keV.
_CONTINUUM = (
    (3.0, 1.6), (4.0, 0.78), (5.0, 0.34), (6.0, 0.14), (7.0, 0.09), (10.0, 0.056), (14.0, 0.038), (22.0, 0.05),
    (27.0, 0.06), (38.0, 0.03), (45.0, 0.03), (52.0, 0.06), (70.0, 0.055), (90.0, 0.027), (98.0, 0.027), (108.0, 0.16),
    (135.0, 0.155), (150.0, 0.11), (165.0, 0.03), (250.0, 0.004), (400.0, 0.0005),
)  # fmt: skip
_LINES = ((7.8, 0.86, 0.5), (12.0, 0.14, 0.6), (30.6, 4.75, 1.1), (34.9, 0.75, 1.1), (81.0, 1.75, 2.2))
#: Grid on which the background is integrated, keV.
_ENERGY_GRID = np.geomspace(1.0, 400.0, 6000)


def modulation(transmission: Floats, large: bool = True) -> Floats:
    """Half amplitude of the modulation per unit flux and area: M₁ = k (4/π³) sin(π/4k) sin²(π√T).

    k is 1 for large and 2 for small pixels (Massa et al. 2019, A&A 624, A130; ground software ``stx_em``). The result
    is at most T/2, so that no counts are negative; this only affects point sources in grids 1 and 2 and small pixels.
    """
    k = 1.0 if large else 2.0
    ideal = k * 4.0 / np.pi**3 * np.sin(np.pi / (4.0 * k)) * np.sin(np.pi * np.sqrt(np.maximum(transmission, 0.0))) ** 2
    return np.asarray(np.minimum(ideal, transmission / 2.0))


def pixel_response(sources: Sequence[Source], pointing: Pointing | None) -> Floats:
    """Effective area of every pixel for sources of unit total flux, (32, 12) float, cm².

    Counts per second are this area × flux [ct s⁻¹ cm⁻²]. The patterns, times the area of the pixel, are
    A: T - 2M₁cos ψ, B: T - 2M₁sin ψ, C: T + 2M₁cos ψ, D: T + 2M₁sin ψ,
    where ψ is the phase of the visibility minus all corrections.

    Parameters
    ----------
    sources : sequence of Source
    pointing : Pointing or None
        None when positions are in the STIX frame.
    """
    u, v = np.nan_to_num(uv_points()).T
    correction = phase_correction()
    pattern = np.zeros((N_DETECTORS, N_PIXELS))
    lit = np.zeros(N_PIXELS)
    for source, share in zip(sources, shares(sources), strict=True):
        place = source_position(source, pointing)
        transmission = flight_transmission(*place)
        # the extent of a source moves the shadow's edge by less than 0.1 mm
        lit += share * (lit_areas(*place) + FLARE_LOCATOR_LEAKAGE * LOCATOR_PIXEL_AREA)
        seen = source_visibility(source, u, v, pointing)
        for pixels, pixel_set in ((slice(0, 8), PixelSet.TOP_BOT), (slice(8, 12), PixelSet.SMALL)):
            large = pixel_set is PixelSet.TOP_BOT
            raw = seen * np.exp(-1j * np.deg2rad(correction + pixel_set.phase))
            swing = 2.0 * modulation(transmission, large) * np.stack([-raw.real, -raw.imag, raw.real, raw.imag])
            columns = (transmission + swing).T
            pattern[:, pixels] += share * np.tile(columns, 2 if large else 1)
    pattern[BACKGROUND_MONITOR] = BACKGROUND_MONITOR_TRANSMISSION
    response = pattern * pixel_area()
    response[FLARE_LOCATOR] = FLARE_LOCATOR_FACTOR * lit / MM2_PER_CM2
    return response


def channel_edges(elut: EnergyLookupTable | None) -> Floats:
    """Edges of the 32 channels in every pixel, (32, 12, 33) float, keV; nominal edges without a table."""
    edges = np.tile(SCIENCE_EDGES, (N_DETECTORS, N_PIXELS, 1))
    if elut is not None:
        for channel, energy in enumerate(SCIENCE_EDGES):
            edges[:, :, channel] = actual_edges(elut, float(energy))
    return edges


@dataclass(frozen=True)
class Background:
    """Rates without a flare.

    Attributes
    ----------
    rate : float, ct s⁻¹
        Sum over all detectors and pixels above 4 keV.

    Raises
    ------
    SelectionError
        When the rate is negative.
    """

    rate: float = BACKGROUND_RATE

    def __post_init__(self) -> None:
        if not self.rate >= 0:
            message = f"a background rate must not be negative, found {self.rate}"
            raise SelectionError(message)

    def pixel_rates(self, edges: Floats) -> Floats:
        """Rates in the channels of every pixel, (32, 12, 32) float, ct s⁻¹; ``edges`` is (32, 12, 33) float, keV."""
        total = _background_cumulative()
        per_channel = np.diff(np.interp(edges, _ENERGY_GRID, total), axis=-1)
        weight = pixel_area() * np.where(np.arange(N_PIXELS) < 8, 1.0, SMALL_PIXEL_BACKGROUND)
        above_threshold = total[-1] - np.interp(4.0, _ENERGY_GRID, total)
        return np.asarray(
            self.rate / (N_DETECTORS * weight.sum() * above_threshold) * weight[None, :, None] * per_channel
        )


@cache
def _background_cumulative() -> Floats:
    energy, level = np.array(_CONTINUUM).T
    density = np.exp(np.interp(np.log(_ENERGY_GRID), np.log(energy), np.log(level)))
    density[energy[0] > _ENERGY_GRID] = 0.0
    for line, counts, sigma in _LINES:
        density += counts / (sigma * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * ((_ENERGY_GRID - line) / sigma) ** 2)
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(_ENERGY_GRID)
    return np.concatenate([[0.0], np.cumsum(steps)])


def dead_time(incident: Floats) -> tuple[Floats, Floats]:
    """Live fraction and trigger rate of accumulators with ``incident`` events per second.

    This is the live-time model of `stixcore.calibration.livetime`, solved for the triggers: n = r/(1 - r(τ+η)) gives
    r = n/(1 + (τ+η)n) and f = exp(-βηn)/(1 + (τ+η)n).
    """
    dead = READOUT_TIME + LATENCY_TIME
    fraction = np.exp(-pileup_factor() * LATENCY_TIME * incident) / (1.0 + dead * incident)
    return np.asarray(fraction), np.asarray(incident / (1.0 + dead * incident))


def group_rates(per_detector: Floats) -> Floats:
    """Sum rates over the detectors of each trigger accumulator: (…, 32) → (…, 16)."""
    groups = np.zeros((*per_detector.shape[:-1], N_ACCUMULATORS))
    for detector, accumulator in enumerate(trigger_accumulator()):
        groups[..., accumulator] += per_detector[..., detector]
    return groups
