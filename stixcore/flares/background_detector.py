"""The background detector (detector 10) as a flux meter of flares.

It has no grids. A plate covers it, with holes before six of its pixels, and the attenuator never moves in front of it
(Stiefel et al. 2025, A&A 694, A138). So it measures the soft X-rays of the largest flares, but through small holes:
flares below about 0.3 ct s⁻¹ mm⁻² are lost in its background.

    flux = Σ net counts ÷ (Σ T_p A_p · live time)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.livetime import livetime_fraction
from stixcore.errors import SelectionError
from stixcore.fits.products import CountSeries, PixelData
from stixcore.instrument.geometry import BACKGROUND_MONITOR
from stixcore.instrument.tables import pixel_area, trigger_accumulator

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

#: Energy range of the flux, keV.
ENERGY = (4.0, 10.0)
#: Calibrated on-axis transmission of the plate before each pixel (hole ÷ pixel), from the ground software's
#: ``real_bkg_grid_transmission.txt`` of 2024-06-18 (STIX-GSW, Apache-2.0). Pixels 3, 4 and 8 to 11 are covered.
TRANSMISSION = np.array(
    [0.1341096, 0.0010084, 0.0115397, 0, 0, 0.0113317, 0.0009876, 0.1393076, 0, 0, 0, 0], dtype=float
)
#: Length of the mean whose maximum is the peak, s. GOES classes are of one-minute means, too.
WINDOW = 60.0
#: The background is taken from this long before the start of the flare, s, and needs this much exposure.
BEFORE, ENOUGH = 1200.0, 120.0
_SECOND = np.timedelta64(1_000_000, "us")


@dataclass(frozen=True, eq=False)
class DetectorCurve:
    """4-10 keV counts of the background detector.

    Attributes
    ----------
    t_start : (n,) datetime64[us]
        UTC at Solar Orbiter.
    duration, livetime : (n,) float, s
    counts : (n,) float, ct
        Sum over the pixels of ``area``.
    area : float, mm²
        Σ T_p A_p.
    """

    t_start: Times
    duration: Floats
    livetime: Floats
    counts: Floats
    area: float

    def rate(self, chosen: NDArray[np.bool_]) -> tuple[float, float]:
        """Mean rate of some bins and its standard deviation, ct s⁻¹; NaN without live time."""
        live = float(self.livetime[chosen].sum())
        if live <= 0:
            return math.nan, math.nan
        counts = float(self.counts[chosen].sum())
        return counts / live, math.sqrt(counts + 1.0) / live


@dataclass(frozen=True)
class DetectorPeak:
    """Flux of a flare at its peak and its standard deviation, ct s⁻¹ mm⁻²."""

    flux: float
    sigma: float

    @property
    def detected(self) -> bool:
        """Above the background by more than three standard deviations."""
        return self.flux > 3.0 * self.sigma


def open_area(pixels: NDArray[np.bool_] | None = None) -> float:
    """Σ T_p A_p of some pixels (default: all), mm²."""
    area = TRANSMISSION * pixel_area() * 100.0
    return float(area.sum() if pixels is None else area[pixels].sum())


def curve_of_pixels(data: PixelData) -> DetectorCurve:
    """Curve of a pixel-data file: only the pixels with holes, corrected for live time.

    Raises
    ------
    SelectionError
        When the detector or its pixels were not read out, pixels were summed on board, or 4-10 keV is not in the file.
    CalibrationError
        When a trigger rate exceeds what the electronics can report.
    """
    used = (TRANSMISSION > 0) & data.pixel_mask.all(axis=0)
    if data.pixels_summed or not used.any() or not data.detector_mask[:, BACKGROUND_MONITOR].all():
        message = f"{data.header.name}: the pixels of the background detector were not read out one by one"
        raise SelectionError(message)
    read = data.read(channels=data.energy_channels(*ENERGY))
    group = trigger_accumulator()[BACKGROUND_MONITOR]
    fraction, _ = livetime_fraction(read.triggers[:, group], np.sqrt(read.triggers_variance[:, group]), read.duration)
    counts = read.counts[:, BACKGROUND_MONITOR][:, used].sum(axis=(1, 2))
    return DetectorCurve(read.t_start, read.duration, fraction * read.duration, counts, open_area(used))


def curve_of_monitor(series: CountSeries) -> DetectorCurve:
    """Curve of a quick-look file of the background detector: the sum over all its pixels, corrected for live time.

    Raises
    ------
    SelectionError
        When the file has no band of 4-10 keV.
    CalibrationError
        When a trigger rate exceeds what the electronics can report.
    """
    band = np.flatnonzero((np.abs(series.e_low - ENERGY[0]) < 0.6) & (np.abs(series.e_high - ENERGY[1]) < 0.6))
    if band.size != 1:
        message = f"{series.header.name}: no band of 4-10 keV among {series.e_low} … {series.e_high} keV"
        raise SelectionError(message)
    fraction, _ = livetime_fraction(series.triggers, np.sqrt(series.triggers), series.duration)
    livetime = fraction * series.duration
    return DetectorCurve(series.t_start, series.duration, livetime, series.counts[:, band[0]], open_area())


def peak_of(
    curve: DetectorCurve,
    start: np.datetime64,
    peak: np.datetime64,
    end: np.datetime64,
    quiet: tuple[float, float] | None = None,
) -> DetectorPeak | None:
    """Flux at the peak of a flare, above the background.

    Parameters
    ----------
    curve : DetectorCurve
    start, peak, end : datetime64
        Of the flare, UTC at Solar Orbiter.
    quiet : (float, float), optional
        Rate of the background and its standard deviation, ct s⁻¹, where the curve has none before the flare.

    Returns
    -------
    DetectorPeak or None
        The highest one-minute mean within a minute of the peak; None when the curve does not cover it, or no
        background is known.
    """
    middle = (curve.t_start - peak) / _SECOND + 0.5 * curve.duration
    before = (middle < (start - peak) / _SECOND) & (middle > (start - peak) / _SECOND - BEFORE)
    background = quiet
    if curve.livetime[before].sum() >= ENOUGH:
        background = curve.rate(before)
    half = 0.5 * np.maximum(curve.duration, WINDOW)
    inside = (np.abs(middle) <= np.maximum(WINDOW, half)) & (middle <= max((end - peak) / _SECOND, 0.0) + half)
    if background is None or not inside.any() or np.abs(middle[inside]).min() > half[inside].max():
        return None
    means = [curve.rate(np.abs(middle - middle[i]) <= 0.5 * WINDOW) for i in np.flatnonzero(inside)]
    rate, sigma = max(means)
    return DetectorPeak((rate - background[0]) / curve.area, math.hypot(sigma, background[1]) / curve.area)


__all__ = [
    "DetectorCurve",
    "DetectorPeak",
    "curve_of_monitor",
    "curve_of_pixels",
    "open_area",
    "peak_of",
]
