"""The spectrum of a time range, and the background expected in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.background import expected_background
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.calibration.livetime import detector_livetime
from stixcore.fits.products import PixelData
from stixcore.instrument.geometry import ALL_LABELS, detector_indices

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WindowSpectrum:
    """Count rate over energy, summed over the thirty imaging detectors and all pixels that were read out.

    Attributes
    ----------
    e_low, e_high : (n_channel,) float, keV
        Channels of the file, without open ones.
    rate, rate_error : (n_channel,) float, ct s⁻¹ keV⁻¹
        Including background, corrected for dead time.
    background, background_error : (n_channel,) float, ct s⁻¹ keV⁻¹
        Expected in the same pixels; NaN without a background file, and in channels that the file does not have.
    """

    e_low: Floats
    e_high: Floats
    rate: Floats
    rate_error: Floats
    background: Floats
    background_error: Floats

    @property
    def net(self) -> Floats:
        """Rate above background, (n_channel,) float, ct s⁻¹ keV⁻¹; NaN where it is unknown."""
        return self.rate - self.background


def window_spectrum(
    data: PixelData, times: slice, background: PixelData | None = None, catalog: CalibrationCatalog = SHIPPED
) -> WindowSpectrum:
    """Spectrum of consecutive time bins.

    Parameters
    ----------
    data : PixelData
    times : slice
    background : PixelData, optional
    catalog : CalibrationCatalog
        Determines the energy tables in force.

    Raises
    ------
    CalibrationError
        When the trigger rate exceeds what the electronics can report, or a different energy table was on board during
        the background.
    """
    detectors = detector_indices(ALL_LABELS)
    window = data.read(times)
    closed = np.flatnonzero(np.isfinite(data.e_high))
    width = data.e_high[closed] - data.e_low[closed]
    livetime, livetime_sigma = detector_livetime(window)
    exposure = livetime[detectors][:, None]

    def per_second(counts: Floats) -> Floats:
        """Convert (32, 12, n) ct to (n,) ct s⁻¹."""
        return np.asarray((counts[detectors].sum(axis=1) / exposure).sum(axis=0))

    def error_per_second(variance: Floats) -> Floats:
        return np.asarray(np.sqrt((variance[detectors].sum(axis=1) / exposure**2).sum(axis=0)))

    quiet, quiet_error = np.full((2, closed.size), np.nan)
    if background is not None:
        shared = [i for i, channel in enumerate(closed.tolist()) if _has_channel(background, data, channel)]
        if shared:
            low, high = data.e_low[closed[shared]], data.e_high[closed[shared]]
            elut = catalog.energy_table_at(window.t_start[0]).name
            expected, sigma = expected_background(background, low, high, livetime, livetime_sigma, elut, catalog)
            read_out = (window.detector_mask.all(axis=0)[:, None] & window.pixel_mask.all(axis=0))[:, :, None]
            quiet[shared] = per_second(expected * read_out) / width[shared]
            quiet_error[shared] = error_per_second((sigma * read_out) ** 2) / width[shared]
    counts = window.counts.sum(axis=0)[:, :, closed]
    variance = window.counts_variance.sum(axis=0)[:, :, closed]
    return WindowSpectrum(
        data.e_low[closed],
        data.e_high[closed],
        per_second(counts) / width,
        error_per_second(variance) / width,
        quiet,
        quiet_error,
    )


def _has_channel(background: PixelData, data: PixelData, channel: int) -> bool:
    same_low = np.isclose(background.e_low, data.e_low[channel], atol=1e-3)
    return bool((same_low & np.isclose(background.e_high, data.e_high[channel], atol=1e-3)).any())
