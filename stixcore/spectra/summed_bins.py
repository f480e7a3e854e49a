"""Time bins of a file summed over detectors and pixels, with background, live time and energy edges applied.

The steps are those of the ground software v0.6.2 (``stx_convert_pixel_data``, ``stx_convert_spectrogram``): live time
per detector, background per pixel and channel, energy edges per pixel and channel, sum, times the mean live time of the
detectors. For each bin t and channel i, with detector d, pixel p, live fraction f, its mean over the detectors f̄,
correction of the energy edges g, and counts C_b of the background in its live time L_b:

    C(t, i) = Σ_d Σ_p g(d, p, i) · [f̄(t)/f(t, d) · C(t, d, p, i) − f̄(t)·Δt · C_b(d, p, i)/L_b(d)]

Differences, all on purpose: bins at the end of a file that do not fill a group for the spectral indices belong to the
last group (the ground software sets one of them to 0); the background of spectrograms is that of the detectors and
pixels in the spectrogram (there, of all 32 · 12); live-time errors are common to all that share a trigger accumulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.background import expected_background
from stixcore.calibration.catalog import Calibration
from stixcore.calibration.energy import EdgeCorrection, edge_factors, spectral_indices
from stixcore.calibration.livetime import livetime_fraction
from stixcore.errors import CalibrationError
from stixcore.fits.products import PixelCounts, PixelData, Spectrogram
from stixcore.instrument.energy_tables import EnergyLookupTable
from stixcore.instrument.tables import N_DETECTORS, trigger_accumulator
from stixcore.spectra.count_spectra import N_ACCUMULATORS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Bins are grouped to this many seconds for the spectral indices (``delta_time_min`` of the ground software).
GROUP_SECONDS = 20.0
#: Upper end of the channels that are compared between the pixel rows, keV (channels 1 to 25 of the ground software).
ROWS_END = 70.0


@dataclass(frozen=True)
class Elements:
    """Detectors and pixels that are summed, as indices."""

    detectors: tuple[int, ...]
    pixels: tuple[int, ...]

    @property
    def index(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index of the elements in arrays (32, 12, …)."""
        return np.array(self.detectors)[:, None], np.array(self.pixels)[None, :]


@dataclass(frozen=True, eq=False)
class SummedBins:
    """Sums of each time bin.

    Attributes
    ----------
    rows : (n_time,) int
        Rows of the file.
    channels : (n_channel,) int
        Channels of the file.
    counts, variance : (n_time, n_channel) float, ct and ct²
        Including background.
    background, background_sigma : (n_time, n_channel) float, ct
        Zero without a background file. The errors of all bins come from one measurement: they add linearly.
    livetime : (n_time,) float, s
        Duration of each bin × mean live fraction.
    pixel_rows, pixel_rows_variance : (2,) float, ct and ct²
        Counts above background in the top and the bottom row of pixels below 70 keV, in all bins; NaN where a row is
        not known.
    """

    rows: Ints
    channels: Ints
    counts: Floats
    variance: Floats
    background: Floats
    background_sigma: Floats
    livetime: Floats
    pixel_rows: Floats
    pixel_rows_variance: Floats


def common_channels(data: PixelData | Spectrogram, background: PixelData | None, table: EnergyLookupTable) -> Ints:
    """Channels of a spectrum: those with two edges on board that the background has too, (n_channel,) int.

    Raises
    ------
    CalibrationError
        When there are none.
    """
    first, last = float(table.nominal[0]), float(table.nominal[-1])
    closed = (data.e_low > first - 1e-3) & (data.e_high < last + 1e-3)
    if background is not None:
        same = np.isclose(data.e_low[:, None], background.e_low, atol=1e-3)
        closed &= (same & np.isclose(data.e_high[:, None], background.e_high, atol=1e-3)).any(axis=1)
    if not closed.any():
        other = "" if background is None else f" that {background.header.name} has too"
        message = f"{data.header.name}: no energy channel within {first:g}-{last:g} keV{other}"
        raise CalibrationError(message)
    return np.flatnonzero(closed)


def groups_of_rows(rows: Ints, duration: Floats, rcr: Ints, seconds: float) -> Iterator[Ints]:
    """Consecutive rows in groups of at least ``seconds``, without changes of the attenuator state.

    Rows that are left over belong to the group before, where there is one.

    Parameters
    ----------
    rows : (n,) int
        Rising.
    duration : (n_time,) float, s
    rcr : (n_time,) int
    """
    breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(rcr[rows]) != 0)) + 1
    for run in np.split(rows, breaks):
        ends, total = [], 0.0
        for place, row in enumerate(run.tolist(), 1):
            total += float(duration[row])
            if total >= seconds:
                ends.append(place)
                total = 0.0
        yield from np.split(run, ends[:-1])


def sum_pixel_bins(
    data: PixelData,
    rows: Ints,
    channels: Ints,
    elements: Elements,
    background: PixelData | None,
    calibration: Calibration,
    edge_correction: EdgeCorrection,
) -> SummedBins:
    """Sum bins of pixel data.

    Raises
    ------
    CalibrationError
        When the background has another energy table, or the trigger rate exceeds what the electronics can report.
    """
    quiet = _BackgroundRate.of(data, channels, elements, background, calibration)
    edges = _EdgeFactors(data.e_low[channels], data.e_high[channels], elements, calibration, edge_correction)
    parts = []
    for group in groups_of_rows(rows, data.duration, data.rcr, GROUP_SECONDS):
        window = data.read(slice(int(group[0]), int(group[-1]) + 1), slice(int(channels[0]), int(channels[-1]) + 1))
        parts.append(_sum_group(window, channels - channels[0], elements, quiet, edges))
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if "rows" not in key}
    pixel_rows, pixel_rows_variance = (
        np.sum([part[key] for part in parts], axis=0) for key in ("pixel_rows", "pixel_rows_variance")
    )
    return SummedBins(rows, channels, **joined, pixel_rows=pixel_rows, pixel_rows_variance=pixel_rows_variance)


def sum_spectrogram_bins(
    data: Spectrogram,
    rows: Ints,
    channels: Ints,
    elements: Elements,
    background: PixelData | None,
    calibration: Calibration,
) -> SummedBins:
    """Sum bins of a spectrogram, which has one trigger count for all detectors: their live fractions are one number.

    Raises
    ------
    CalibrationError
        As `sum_pixel_bins`.
    """
    quiet = _BackgroundRate.of(data, channels, elements, background, calibration)
    triggers, sigma = data.triggers[rows] / N_ACCUMULATORS, np.sqrt(data.triggers_variance[rows]) / N_ACCUMULATORS
    fraction, fraction_sigma = livetime_fraction(triggers, sigma, data.duration[rows])
    counts = data.counts[np.ix_(rows, channels)]
    # σ² = σ_C² + (C σ_f/f)²
    variance = data.counts_variance[np.ix_(rows, channels)] + (counts * (fraction_sigma / fraction)[:, None]) ** 2
    livetime = fraction * data.duration[rows]
    unknown = np.full(2, np.nan)
    return SummedBins(
        rows,
        channels,
        counts,
        variance,
        livetime[:, None] * quiet.rate.sum(axis=(0, 1)),
        livetime[:, None] * np.sqrt((quiet.sigma**2).sum(axis=(0, 1))),
        livetime,
        unknown,
        unknown,
    )


@dataclass(frozen=True, eq=False)
class _BackgroundRate:
    """Background of the summed elements, (n_detector, n_pixel, n_channel) float, ct per second of live time."""

    rate: Floats
    sigma: Floats

    @classmethod
    def of(
        cls,
        data: PixelData | Spectrogram,
        channels: Ints,
        elements: Elements,
        background: PixelData | None,
        calibration: Calibration,
    ) -> _BackgroundRate:
        if background is None:
            nothing = np.zeros((len(elements.detectors), len(elements.pixels), channels.size))
            return cls(nothing, nothing)
        rate, sigma = expected_background(
            background,
            data.e_low[channels],
            data.e_high[channels],
            np.ones(N_DETECTORS),  # a live time of one second, which has no error
            np.zeros(N_DETECTORS),
            calibration.energy_table.name,
            calibration.catalog,
        )
        return cls(rate[elements.index], sigma[elements.index])


@dataclass(frozen=True, eq=False)
class _EdgeFactors:
    """Correction of every channel from the actual energies of its edges to the nominal ones."""

    e_low: Floats
    e_high: Floats
    elements: Elements
    calibration: Calibration
    edge_correction: EdgeCorrection

    def of(self, net: Floats) -> Floats:
        """Factors g for a spectrum of net counts (n_channel,): (n_detector, n_pixel, n_channel) float."""
        factors = np.ones((len(self.elements.detectors), len(self.elements.pixels), net.size))
        if self.edge_correction is EdgeCorrection.NONE:
            return factors
        index = np.zeros(net.size)
        if self.edge_correction is EdgeCorrection.POWER_LAW:
            index = spectral_indices(net / (self.e_high - self.e_low), self.e_low, self.e_high)
        for i in range(net.size):  # each channel alone: g = G(l, h) / G(l', h')
            alone = slice(i, i + 1)
            factor, _ = edge_factors(self.calibration.energy_table, self.e_low, self.e_high, alone, index)
            factors[:, :, i] = factor[self.elements.index]
        return factors


def _sum_group(
    window: PixelCounts, channels: Ints, elements: Elements, quiet: _BackgroundRate, edges: _EdgeFactors
) -> dict[str, Floats]:
    """Fields of `SummedBins` for consecutive bins that share their spectral indices."""
    accumulator = trigger_accumulator()[list(elements.detectors)]
    fraction, fraction_sigma = livetime_fraction(
        window.triggers, np.sqrt(window.triggers_variance), window.duration[:, None]
    )
    mean = fraction[:, accumulator].mean(axis=1)
    weight = mean[:, None] / fraction[:, accumulator]
    livetime = mean * window.duration
    detector, pixel = elements.index
    counts = window.counts[:, detector, pixel][..., channels] * weight[:, :, None, None]
    variance = window.counts_variance[:, detector, pixel][..., channels] * weight[:, :, None, None] ** 2
    factor = edges.of((counts.sum(axis=0) - livetime.sum() * quiet.rate).sum(axis=(0, 1)))
    counts, variance = counts * factor, variance * factor**2
    rate, rate_variance = quiet.rate * factor, (quiet.sigma * factor) ** 2
    # σ² = Σ σ_C² + Σ_a (σ_f/f)² (Σ_{d of a} C)²: detectors that share an accumulator a share its error
    sharing = accumulator[:, None] == np.arange(fraction.shape[1])
    shared = np.einsum("tdpi,da->tai", counts, sharing.astype(float), optimize=True)
    lost = (((fraction_sigma / fraction)[:, :, None] * shared) ** 2).sum(axis=1)
    below = edges.e_high <= ROWS_END
    net = (counts.sum(axis=0) - livetime.sum() * rate)[..., below].sum(axis=(0, 2))
    net_variance = (variance.sum(axis=0) + livetime.sum() ** 2 * rate_variance)[..., below].sum(axis=(0, 2))
    return {
        "counts": counts.sum(axis=(1, 2)),
        "variance": variance.sum(axis=(1, 2)) + lost,
        "background": livetime[:, None] * rate.sum(axis=(0, 1)),
        "background_sigma": livetime[:, None] * np.sqrt(rate_variance.sum(axis=(0, 1))),
        "livetime": livetime,
        "pixel_rows": _of_rows(net, elements),
        "pixel_rows_variance": _of_rows(net_variance, elements),
    }


def _of_rows(values: Floats, elements: Elements) -> Floats:
    """Sums over the four pixels of the top and of the bottom row, (2,); NaN where not all four are summed."""
    by_pixel = dict(zip(elements.pixels, values.tolist(), strict=True))
    rows = (range(4), range(4, 8))
    return np.array([sum(by_pixel.get(pixel, np.nan) for pixel in row) for row in rows])
