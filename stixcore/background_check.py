"""Check of a background: it must not contain the flare, and is compared with the quietest part of the science file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stixcore.calibration.catalog import Calibration
from stixcore.calibration.energy import EdgeCorrection
from stixcore.errors import SelectionError, StixError
from stixcore.fits.products import PixelData
from stixcore.fits.windows import TIME_TOLERANCE, AskedWindow
from stixcore.instrument.geometry import PixelSet, detector_indices
from stixcore.spectra import recorded_counts
from stixcore.times import format_time
from stixcore.visibility.pixels import MetaPixels, sum_pixels

#: Least duration [s] of the quietest part, and least counts in all detectors and pixels.
MIN_SECONDS, MIN_COUNTS = 120.0, 400.0


@dataclass(frozen=True)
class BackgroundCheck:
    """Counts in the quietest part of a science file.

    Attributes
    ----------
    start, end : datetime64[us]
    seconds : float
        Sum of the bins.
    observed, expected : float, ct
        Recorded counts and those predicted from the background, in the band, sub-collimators and pixels of the image.
    sigma : float
        Error of the ratio.
    """

    start: np.datetime64
    end: np.datetime64
    seconds: float
    observed: float
    expected: float
    sigma: float

    @property
    def ratio(self) -> float:
        """Observed ÷ expected. Below 1: too much is subtracted. Above 1: too little, or the file has no quiet part."""
        return self.observed / self.expected


@dataclass(frozen=True)
class QuietLevel:
    """Background of an image without background subtraction, estimated from the quietest part of the science file.

    Attributes
    ----------
    seconds : float
        Duration of the quietest part.
    expected : float, ct
        Background counts in the window, band, sub-collimators and pixels of the image.
    sigma : float, ct
        Its error.
    """

    seconds: float
    expected: float
    sigma: float


def net_change(counts: tuple[float, float], level: float, sigma: float) -> tuple[float, float]:
    """Relative change of the net counts of an image for another background level, and its error.

    (B - L) ÷ (N - B) of N counts, a background B and a level L.

    Parameters
    ----------
    counts : recorded N, background B; ct
    level, sigma : float, ct
        L and its error.
    """
    total, background = counts
    net = max(total - background, 1.0)
    return (background - level) / net, sigma / net


def require_part(part: AskedWindow, name: str) -> None:
    """Refuse a background range that lies mostly outside the file.

    Parameters
    ----------
    part : AskedWindow
    name : str
        Of the file, for the message.

    Raises
    ------
    SelectionError
        When the bins of the range cover less than half of it.
    """
    if 2 * (min(part.end, part.t_end) - max(part.start, part.t_start)) < part.end - part.start:
        message = f"{name}: most of the background range is not inside the file: {part}"
        raise SelectionError(message)


def require_apart(name: str, start: np.datetime64, end: np.datetime64, background: PixelData) -> None:
    """Refuse a background with bins during an image or spectrum, which would contain the flare.

    Parameters
    ----------
    name : str
        Of the science file.
    start, end : datetime64
        Ends of the bins of the image or spectrum.
    background : PixelData

    Raises
    ------
    SelectionError
        When a bin of the background overlaps them.
    """
    inside = (background.t_start < end - TIME_TOLERANCE) & (background.t_end > start + TIME_TOLERANCE)
    if not inside.any():
        return
    if background.header.name == name:
        what = "the science file is its own background: a quiet part of it has to be named (background_range) that"
    else:
        what = f"the background {background.header.name} overlaps the time range: it has to be one that"
    message = f"{name}: {what} has no bin in {format_time(start)} … {format_time(end)}"
    raise SelectionError(message)


def quietest_run(science: PixelData, times: slice, channels: slice) -> slice | None:
    """Find the run of bins with the lowest rate in a band, with attenuator, pixels and detectors as in a window.

    Parameters
    ----------
    science : PixelData
    times, channels : slice
        The window and the band.

    Returns
    -------
    slice or None
        None where no run outside the window has 120 s and 400 counts.
    """
    counts, row = recorded_counts(science, channels=channels), times.start
    usable = (
        (science.rcr == science.rcr[row])
        & (science.pixel_mask == science.pixel_mask[row]).all(axis=1)
        & (science.detector_mask == science.detector_mask[row]).all(axis=1)
    )
    usable[times] = False
    seconds, total = (np.concatenate([[0.0], np.cumsum(values)]) for values in (science.duration, counts))
    unusable = np.concatenate([[0], np.cumsum(~usable)])
    first = np.arange(counts.size)
    stop = np.maximum(
        np.searchsorted(seconds, seconds[:-1] + MIN_SECONDS - 1e-6), np.searchsorted(total, total[:-1] + MIN_COUNTS)
    )
    inside = stop <= counts.size
    first, stop = first[inside], stop[inside]
    alike = unusable[stop] == unusable[first]
    first, stop = first[alike], stop[alike]
    if not first.size:
        return None
    best = int(np.argmin((total[stop] - total[first]) / (seconds[stop] - seconds[first])))
    return slice(int(first[best]), int(stop[best]))


def check_background(
    science: PixelData,
    background: PixelData,
    times: slice,
    band: tuple[float, float],
    labels: tuple[str, ...],
    pixel_set: PixelSet,
    calibration: Calibration | None,
) -> BackgroundCheck | None:
    """Compare a background with the quietest part of a science file; None where that is not possible.

    Parameters
    ----------
    science, background : PixelData
    times : slice
        Bins of the image.
    band : (low, high), keV
    labels : tuple of str
        Sub-collimators of the image.
    pixel_set : PixelSet
    calibration : Calibration or None
    """
    try:
        run = quietest_run(science, times, science.energy_channels(*band))
        if run is None:
            return None
        pixels = _summed(science, run, background, band, pixel_set, calibration)
    except StixError:  # the band or the file does not allow a comparison
        return None
    detectors = detector_indices(labels)
    observed, expected = pixels.totals(detectors)
    if not (observed > 0 and expected > 0):
        return None
    variance = pixels.counts_variance[detectors].sum() / observed**2
    variance += pixels.background_variance[detectors].sum() / expected**2
    sigma = observed / expected * float(np.sqrt(variance))
    return BackgroundCheck(pixels.t_start, pixels.t_end, pixels.duration, observed, expected, sigma)


def quiet_level(
    science: PixelData,
    times: slice,
    band: tuple[float, float],
    labels: tuple[str, ...],
    pixel_set: PixelSet,
    calibration: Calibration | None,
) -> QuietLevel | None:
    """Background of an image at the level of the quietest part of its own file; None where that is not possible.

    Parameters
    ----------
    science : PixelData
    times : slice
        Bins of the image.
    band : (low, high), keV
    labels : tuple of str
        Sub-collimators of the image.
    pixel_set : PixelSet
    calibration : Calibration or None
    """
    try:
        run = quietest_run(science, times, science.energy_channels(*band))
        if run is None:
            return None
        pixels = _summed(science, times, science.part(run), band, pixel_set, calibration)
    except StixError:  # the quiet bins do not allow a comparison
        return None
    detectors = detector_indices(labels)
    _, expected = pixels.totals(detectors)
    sigma = float(np.sqrt(pixels.background_variance[detectors].sum()))
    return QuietLevel(float(science.duration[run].sum()), expected, sigma)


def _summed(
    science: PixelData,
    times: slice,
    background: PixelData,
    band: tuple[float, float],
    pixel_set: PixelSet,
    calibration: Calibration | None,
) -> MetaPixels:
    """Counts of some bins and the background expected in them, without energy-edge correction."""
    return sum_pixels(
        science,
        *science.window(times),
        *band,
        background=background,
        pixel_set=pixel_set,
        edge_correction=EdgeCorrection.NONE,
        calibration=calibration,
    )
