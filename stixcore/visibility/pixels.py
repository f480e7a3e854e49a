"""Time and energy selection → A, B, C, D sums of every detector, with background, energy edges and live time applied.

The order is that of the ground software (``stx_construct_pixel_data`` → ``stx_sum_pixel_data``): live time, background
per pixel and channel, energy-edge correction, sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.background import expected_background
from stixcore.calibration.catalog import SHIPPED, Calibration
from stixcore.calibration.energy import EdgeCorrection, edge_factors, spectral_indices
from stixcore.calibration.livetime import detector_livetime
from stixcore.errors import CalibrationError, ReconstructionError, SelectionError
from stixcore.fits.products import PixelCounts, PixelData, ProductHeader
from stixcore.fits.windows import WindowRule
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SinglePixels:
    """Counts of single pixels above background in every channel of a window, without energy-edge correction.

    Attributes
    ----------
    e_low, e_high : (n_channel,) float, keV
    net : (32, 12, n_channel) float, ct
        NaN for pixels that were not read out, and for channels that the background lacks.
    variance : (32, 12, n_channel) float, ct²
    """

    e_low: Floats
    e_high: Floats
    net: Floats
    variance: Floats

    def band(self, low: float, high: float) -> tuple[Floats, Floats] | None:
        """Net counts and variance of the channels between two edges, (32, 12) each; None without such channels."""
        first, last = np.flatnonzero(np.isclose(self.e_low, low)), np.flatnonzero(np.isclose(self.e_high, high))
        if not (first.size and last.size) or last[0] < first[0]:
            return None
        channels = slice(int(first[0]), int(last[0]) + 1)
        return self.net[:, :, channels].sum(axis=2), self.variance[:, :, channels].sum(axis=2)


@dataclass(frozen=True, eq=False)
class MetaPixels:
    """A, B, C, D of all 32 detectors for one time and energy interval.

    Attributes
    ----------
    header : ProductHeader
        Header of the science file.
    background_name : str
        Name of the background file; empty without one.
    t_start, t_end : datetime64[us]
        The interval in whole bins, UTC at Solar Orbiter.
    e_low, e_high : float, keV
        The energy range in whole channels.
    pixel_set : PixelSet
    counts, counts_variance : (32, 4) float, ct and ct²
        As recorded, before background subtraction and energy-edge correction.
    background, background_variance : (32, 4) float, ct and ct²
        Expected background in the same exposure; zero without a background file.
    edge_factor : (32, 4) float
        Energy-edge correction of flare counts: mean over pixels, weighted over channels by the flare's spectrum.
    rate, rate_sigma : (32, 4) float, ct s⁻¹ keV⁻¹ cm⁻²
        (counts - background), energy-edge corrected per pixel and channel, ÷ (live time · ΔE · area).
    livetime, livetime_sigma : (32,) float, s
    duration : float, s
        Sum of the time bins.
    rcr : int
        Rate-control state; 0 with the attenuator out.
    detector_mask : (32,) bool
    top_bottom : (32, 2) float, ct
        Net counts of the top and the bottom row, for detecting partial illumination.
    single : SinglePixels or None
        Counts of single pixels in all channels; None where they are unknown, because pixels were summed on board.
    """

    header: ProductHeader
    background_name: str
    t_start: np.datetime64
    t_end: np.datetime64
    e_low: float
    e_high: float
    pixel_set: PixelSet
    counts: Floats
    counts_variance: Floats
    background: Floats
    background_variance: Floats
    edge_factor: Floats
    rate: Floats
    rate_sigma: Floats
    livetime: Floats
    livetime_sigma: Floats
    duration: float
    rcr: int
    detector_mask: NDArray[np.bool_]
    top_bottom: Floats
    single: SinglePixels | None = None

    @property
    def exposure(self) -> Floats:
        """Live time · ΔE · area of a meta-pixel, (32,) float, s keV cm²: rate = net counts ÷ exposure."""
        return self.livetime * (self.e_high - self.e_low) * self.pixel_set.area

    def switched_on(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The sub-collimators among ``labels`` whose detectors were on.

        Raises
        ------
        ReconstructionError
            When all were off.
        """
        wanted = tuple(labels)
        index = detector_indices(wanted)
        on = self.detector_mask[index] & (self.livetime[index] > 0)
        if not on.any():
            message = f"{self.header.name}: none of the chosen sub-collimators was switched on"
            raise ReconstructionError(message)
        return tuple(label for label, used in zip(wanted, on, strict=True) if used)

    def totals(self, detectors: NDArray[np.int64]) -> tuple[float, float]:
        """Recorded counts and expected background, ct, summed over ``detectors`` (indices) and their meta-pixels."""
        return float(self.counts[detectors].sum()), float(self.background[detectors].sum())


def sum_pixels(
    science: PixelData,
    start: np.datetime64,
    end: np.datetime64,
    low: float,
    high: float,
    *,
    background: PixelData | None = None,
    pixel_set: PixelSet = PixelSet.TOP_BOT,
    edge_correction: EdgeCorrection = EdgeCorrection.POWER_LAW,
    calibration: Calibration | None = None,
    window_rule: WindowRule = WindowRule.CENTRES,
) -> MetaPixels:
    """Sum pixels to A, B, C, D over a time and energy range.

    Parameters
    ----------
    science, background : PixelData
    start, end : datetime64
        UTC at Solar Orbiter.
    low, high : float, keV
        The range grows outward to whole channels.
    pixel_set : PixelSet
    edge_correction : EdgeCorrection
        Spectrum assumed inside the first and the last channel.
    calibration : Calibration, optional
        Energy table with its edges; by default the shipped table in force at the start.
    window_rule : WindowRule
        How the time range is converted to whole bins.

    Raises
    ------
    SelectionError
        When the range is outside the file, when the attenuator, pixels or detectors change within it, or when the
        selected pixels were not read out or were summed on board with others.
    CalibrationError
        When the background cannot be combined with the data.
    """
    times, channels = science.time_bins(start, end, window_rule), science.energy_channels(low, high)
    # Read channels outside the range too: the energy-edge correction depends on the spectrum around the range.
    window = science.read(times)
    _require_constant(window, pixel_set)
    for data in (science, background):
        if data is not None:
            _require_summed(data, pixel_set)
    e_high = window.e_high[channels]
    if not np.isfinite(e_high[-1]):
        message = (
            f"{science.header.name}: the channel above {window.e_low[channels][-1]:g} keV is open and has no width"
        )
        raise SelectionError(message)
    catalog = SHIPPED if calibration is None else calibration.catalog
    elut = catalog.energy_table_at(window.t_start[0]) if calibration is None else calibration.energy_table
    livetime, livetime_sigma = detector_livetime(window)
    counts, variance = window.counts.sum(axis=0), window.counts_variance.sum(axis=0)
    expected, expected_variance = np.zeros_like(counts), np.zeros_like(counts)
    if background is not None:
        _require_covering(background, window, pixel_set)
        used = _common_channels(background, window, channels)
        values, sigma = expected_background(
            background, window.e_low[used], window.e_high[used], livetime, livetime_sigma, elut.name, catalog
        )
        expected[:, :, used], expected_variance[:, :, used] = values, sigma**2

    factor = np.ones_like(counts)
    if edge_correction is not EdgeCorrection.NONE:
        index = np.zeros(window.e_low.size)
        if edge_correction is EdgeCorrection.POWER_LAW:
            width = window.e_high - window.e_low
            net = (counts - expected)[detector_indices(IMAGING_LABELS)][:, :8].sum(axis=(0, 1)) / width
            index = spectral_indices(net, window.e_low, window.e_high)
        first, last = edge_factors(elut, window.e_low, window.e_high, channels, index)
        factor[:, :, channels.start] *= first
        factor[:, :, channels.stop - 1] *= last

    net = (counts - expected)[:, :, channels] * factor[:, :, channels]
    net_variance = (variance + expected_variance)[:, :, channels] * factor[:, :, channels] ** 2

    def abcd(values: Floats) -> Floats:
        """(32, 12, n_channel) → (32, 4): pixels ≡ 0, 1, 2, 3 mod 4 are A, B, C, D."""
        return values[:, pixel_set.pixels].sum(axis=2).reshape(32, -1, 4).sum(axis=1)

    total, total_variance = abcd(net), abcd(net_variance)
    raw, quiet = abcd(counts[:, :, channels]), abcd(expected[:, :, channels])
    delta_e = float(window.e_high[channels][-1] - window.e_low[channels][0])
    exposure = (livetime * delta_e * pixel_set.area)[:, None]
    # rate = N / (L ΔE A),  σ = |rate| √((σ_N/N)² + (σ_L/L)²)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(exposure > 0, total / exposure, np.nan)
        sigma = np.sqrt(total_variance / exposure**2 + (rate * (livetime_sigma / livetime)[:, None]) ** 2)
    # Mean factor of a meta-pixel for the flare's spectrum; the ratio of its own net counts, sometimes a few, is noise.
    share = np.maximum((counts - expected)[:, pixel_set.pixels, channels].sum(axis=(0, 1)), 0.0)
    share = share / share.sum() if share.any() else np.full(share.size, 1.0 / share.size)
    edge_factor = (factor[:, pixel_set.pixels, channels] @ share).reshape(32, -1, 4).mean(axis=1)
    rows = net.sum(axis=2)
    return MetaPixels(
        header=science.header,
        background_name="" if background is None else background.header.name,
        t_start=window.t_start[0],
        t_end=window.t_end[-1],
        e_low=float(window.e_low[channels][0]),
        e_high=float(window.e_high[channels][-1]),
        pixel_set=pixel_set,
        counts=raw,
        counts_variance=abcd(variance[:, :, channels]),
        background=quiet,
        background_variance=abcd(expected_variance[:, :, channels]),
        edge_factor=edge_factor,
        rate=rate,
        rate_sigma=sigma,
        livetime=livetime,
        livetime_sigma=livetime_sigma,
        duration=float(window.duration.sum()),
        rcr=int(window.rcr[0]),
        detector_mask=window.detector_mask[0],
        top_bottom=np.stack([rows[:, :4].sum(axis=1), rows[:, 4:8].sum(axis=1)], axis=1),
        single=None
        if science.pixels_summed or (background is not None and background.pixels_summed)
        else _single_pixels(window, background, counts - expected, variance + expected_variance),
    )


def _single_pixels(window: PixelCounts, background: PixelData | None, net: Floats, variance: Floats) -> SinglePixels:
    """Single pixels of a window from net counts and variance in all channels, (32, 12, n_channel) float."""
    known = np.repeat(window.pixel_mask.all(axis=0)[:, None], window.e_low.size, axis=1)
    if background is not None:
        known &= background.pixel_mask.all(axis=0)[:, None]
        known[:, np.setdiff1d(np.arange(window.e_low.size), _common_channels(background, window, slice(0, 0)))] = False
    return SinglePixels(window.e_low, window.e_high, np.where(known, net, np.nan), variance)


def _require_constant(window: PixelCounts, pixel_set: PixelSet) -> None:
    name = window.header.name
    for what, values in (
        ("the attenuator state (rcr)", window.rcr[:, None]),
        ("the pixel mask", window.pixel_mask),
        ("the detector mask", window.detector_mask),
    ):
        changed = np.flatnonzero((values != values[0]).any(axis=1))
        if changed.size:
            message = (
                f"{name}: {what} changes at {window.t_start[changed[0]]} inside the time range; choose a shorter one"
            )
            raise SelectionError(message)
    missing = [int(pixel) for pixel in pixel_set.pixels if not window.pixel_mask[0, pixel]]
    if missing:
        message = f"{name}: pixel set {pixel_set} needs pixels {missing}, which were not read out"
        raise SelectionError(message)


def summed_pixel_set(data: PixelData) -> PixelSet | None:
    """The pixel set of a file whose pixels were summed on board; None for a file with individual pixels.

    Raises
    ------
    SelectionError
        When the pixels that were summed are not one of the pixel sets for imaging.
    """
    if not data.pixels_summed:
        return None
    used = np.flatnonzero(data.pixel_mask.all(axis=0))
    found = next((one for one in PixelSet if np.array_equal(np.sort(one.pixels), used)), None)
    if found is None:
        message = f"{data.header.name}: pixels {used.tolist()} were summed on board; this is not a set for imaging"
        raise SelectionError(message)
    return found


def _require_summed(data: PixelData, pixel_set: PixelSet) -> None:
    """Refuse a pixel set that is only part of what was summed on board."""
    summed = summed_pixel_set(data)
    if summed not in (None, pixel_set):
        message = f"{data.header.name}: pixels were summed on board as {summed}; choose pixel set {summed}"
        raise SelectionError(message)


def _require_covering(background: PixelData, window: PixelCounts, pixel_set: PixelSet) -> None:
    """Refuse a background without some of the pixels in the flare data: their zeros would look like measurements."""
    name = background.header.name
    pixels = [int(pixel) for pixel in pixel_set.pixels if not background.pixel_mask[:, pixel].all()]
    if pixels:
        message = f"{name}: this background file did not read out pixels {pixels}, which pixel set {pixel_set} needs"
        raise CalibrationError(message)
    off = np.flatnonzero(window.detector_mask[0] & ~background.detector_mask.all(axis=0)) + 1
    if off.size:
        message = f"{name}: detectors {off.tolist()}, on during the flare, were off in this background file"
        raise CalibrationError(message)


def _common_channels(background: PixelData, window: PixelCounts, channels: slice) -> NDArray[np.int64]:
    """Channels of the flare data that the background has too, and all selected channels."""
    known = {(round(float(low), 3), float(high)) for low, high in zip(background.e_low, background.e_high, strict=True)}
    selected = range(*channels.indices(window.e_low.size))
    return np.array(
        [
            i
            for i, (low, high) in enumerate(zip(window.e_low, window.e_high, strict=True))
            if i in selected or (round(float(low), 3), float(high)) in known
        ]
    )
