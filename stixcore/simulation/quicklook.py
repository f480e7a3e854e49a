"""Quick-look light curves: five bands every four seconds, as summed on board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import energy_lookup_table
from stixcore.coordinates import Pointing
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR
from stixcore.instrument.tables import N_DETECTORS, trigger_accumulator
from stixcore.simulation.flare import Flare, components_of, mean_level
from stixcore.simulation.instrument import (
    EMPTY_TRIGGER_RATE,
    SCIENCE_EDGES,
    Background,
    channel_edges,
    dead_time,
    group_rates,
    pixel_response,
)
from stixcore.simulation.spectrum import integrate

Floats = NDArray[np.float64]

QUICKLOOK_BIN = 4  # s
QUICKLOOK_BANDS = np.array([4.0, 10.0, 15.0, 25.0, 50.0, 84.0])  # keV
#: Detectors that are summed: all except the flare locator and the background monitor.
QUICKLOOK_DETECTORS = np.delete(np.arange(N_DETECTORS), [FLARE_LOCATOR, BACKGROUND_MONITOR])


def quicklook_rates(
    flares: Sequence[Flare], start: np.datetime64, n_time: int, pointing: Pointing, background: Background | None = None
) -> tuple[Floats, Floats]:
    """Expected rates in quick-look bins, starting at ``start``.

    Returns
    -------
    rates : (n_time, 5) float, ct s⁻¹
    trigger_rates : (n_time,) float, s⁻¹
        Sum over all accumulators.
    """
    edges = channel_edges(energy_lookup_table(start))
    band_of_channel = _band_matrix()
    t_start = start + np.arange(n_time) * np.timedelta64(QUICKLOOK_BIN, "s")
    duration = np.full(n_time, float(QUICKLOOK_BIN))

    def detector_rates(pixel_rates: Floats) -> tuple[Floats, Floats]:
        """Sum rates (32, 12, 32) to bands (32, 5) and over all channels (32,)."""
        per_detector = pixel_rates.sum(axis=1)
        return per_detector @ band_of_channel, per_detector.sum(axis=1)

    quiet_bands, quiet_total = detector_rates((background or Background()).pixel_rates(edges))
    incident = np.tile(group_rates(quiet_total) + EMPTY_TRIGGER_RATE, (n_time, 1))
    bright: list[tuple[Floats, Floats]] = []
    for component in components_of(flares):
        level = mean_level(component.profile, t_start, duration)
        if level.max() < 1e-9:  # a flare at another time
            continue
        area = pixel_response(component.sources, pointing)[:, :, None]
        bands, total = detector_rates(area * integrate(component.spectrum, edges))
        incident += np.multiply.outer(level, group_rates(total))
        bright.append((level, bands))
    fraction, trigger_rate = dead_time(incident)
    live = fraction[:, trigger_accumulator()][:, QUICKLOOK_DETECTORS]
    rates = live @ quiet_bands[QUICKLOOK_DETECTORS]
    for level, bands in bright:
        rates += level[:, None] * (live @ bands[QUICKLOOK_DETECTORS])
    return rates, trigger_rate.sum(axis=1)


def _band_matrix() -> Floats:
    """Matrix (32, 5) float: 1 where a science channel is in a quick-look band, else 0."""
    low, high = SCIENCE_EDGES[:-1, None], SCIENCE_EDGES[1:, None]
    return ((low >= QUICKLOOK_BANDS[:-1]) & (high <= QUICKLOOK_BANDS[1:])).astype(float)
