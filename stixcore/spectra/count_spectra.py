"""Spectrogram of a file: counts over time and energy, summed over detectors and corrected for dead time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.livetime import livetime_fraction
from stixcore.errors import CalibrationError, SelectionError
from stixcore.fits.products import PixelCounts, PixelData, ProductHeader, Spectrogram, Times
from stixcore.fits.windows import bins_of_window
from stixcore.instrument.geometry import ALL_LABELS, detector_indices
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, trigger_accumulator

Floats = NDArray[np.float64]

#: Number of count values in memory at a time while a file is summed.
_CHUNK = 4_000_000
N_ACCUMULATORS = 16


@dataclass(frozen=True, eq=False)
class CountSpectra:
    """Counts over time and energy, summed over the imaging detectors.

    For pixel data, the sum is over the thirty detectors with grids and all pixels that were read out; the flare locator
    and the background monitor have other apertures. For spectrograms, detectors were summed on board.

    Attributes
    ----------
    header : ProductHeader
    t_start, t_end : (n_time,) datetime64[us]
    duration : (n_time,) float, s
    e_low, e_high : (n_channel,) float, keV
        The last upper edge may be inf.
    counts : (n_time, n_channel) float, ct
        As recorded.
    corrected : (n_time, n_channel) float, ct
        Divided by the live fraction of each detector; as recorded where it is unknown.
    live_fraction : (n_time,) float
        Mean over the detectors; NaN where it is unknown.
    rcr : (n_time,) int
        Rate-control state; the highest one of merged bins.
    merged : int
        Largest number of bins of the file in one bin here.
    caution : str
        Why rates are not corrected for dead time; empty when they are.
    """

    header: ProductHeader
    t_start: Times
    t_end: Times
    duration: Floats
    e_low: Floats
    e_high: Floats
    counts: Floats
    corrected: Floats
    live_fraction: Floats
    rcr: NDArray[np.int64]
    merged: int = 1
    caution: str = ""

    @property
    def width(self) -> Floats:
        """Width of the channels, (n_channel,) float, keV; NaN for an open channel."""
        return np.where(np.isfinite(self.e_high), self.e_high - self.e_low, np.nan)

    def rate(self, *, corrected: bool = True) -> Floats:
        """Count rate, (n_time, n_channel) float, ct s⁻¹ keV⁻¹; NaN in an open channel, which has no width."""
        values = self.corrected if corrected else self.counts
        return np.asarray(values / (self.duration[:, None] * self.width))

    def light_curve(self, low: float, high: float, *, corrected: bool = True) -> Floats:
        """Rate in the channels within ``low`` … ``high`` keV, (n_time,) float, ct s⁻¹; NaN when there are none."""
        inside = (self.e_low >= low) & (self.e_high <= high)
        if not inside.any():
            return np.full(self.duration.size, np.nan)
        values = self.corrected if corrected else self.counts
        return np.asarray(values[:, inside].sum(axis=1) / self.duration)

    def between(self, start: np.datetime64, end: np.datetime64) -> CountSpectra:
        """The bins to plot between two times: all that overlap the range, or the whole file when none does."""
        inside = (self.t_end > start) & (self.t_start < end)
        return self._rows(inside) if inside.any() else self

    def within(self, start: np.datetime64, end: np.datetime64) -> CountSpectra:
        """The bins of a window; see `stixcore.fits.windows.bins_of_window`.

        Raises
        ------
        SelectionError
            When the window contains no bins.
        """
        rows = np.zeros(self.t_start.size, dtype=bool)
        rows[bins_of_window(self.t_start, self.t_end, start, end, name=self.header.name)] = True
        return self._rows(rows)

    def _rows(self, rows: NDArray[np.bool_]) -> CountSpectra:
        names = ("t_start", "t_end", "duration", "counts", "corrected", "live_fraction", "rcr")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def count_spectra(data: PixelData | Spectrogram) -> CountSpectra:
    """Spectrogram of a file in its native bins.

    Parameters
    ----------
    data : PixelData or Spectrogram
        Pixel data are read a few time bins at a time, so that memory does not limit the size of the file.
    """
    if isinstance(data, Spectrogram):
        return _of_spectrogram(data)
    detectors, accumulator = detector_indices(ALL_LABELS), trigger_accumulator()
    shape = (data.t_start.size, data.e_low.size)
    counts, corrected, live = np.zeros(shape), np.zeros(shape), np.full(shape[0], np.nan)
    caution = ""
    for rows, part in _chunks(data):
        by_detector = part.counts[:, detectors].sum(axis=2)
        counts[rows] = corrected[rows] = by_detector.sum(axis=1)
        try:
            fraction, _ = livetime_fraction(part.triggers, np.zeros_like(part.triggers), part.duration[:, None])
        except CalibrationError as error:
            caution = f"Rates are not corrected for dead time: {error}."
            continue
        fraction = fraction[:, accumulator[detectors]]
        corrected[rows] = (by_detector / fraction[:, :, None]).sum(axis=1)
        live[rows] = fraction.mean(axis=1)
    return CountSpectra(
        header=data.header,
        t_start=data.t_start,
        t_end=data.t_end,
        duration=data.duration,
        e_low=data.e_low,
        e_high=data.e_high,
        counts=counts,
        corrected=corrected,
        live_fraction=live,
        rcr=data.rcr,
        caution=caution,
    )


def _of_spectrogram(data: Spectrogram) -> CountSpectra:
    """Count spectra of a spectrogram; its triggers are summed, so the sixteen accumulators are assumed to be equal."""
    caution, live = "", np.full(data.duration.size, np.nan)
    corrected = data.counts
    try:
        live, _ = livetime_fraction(data.triggers / N_ACCUMULATORS, np.zeros_like(data.triggers), data.duration)
        corrected = data.counts / live[:, None]
    except CalibrationError as error:
        caution = f"Rates are not corrected for dead time: {error}."
    return CountSpectra(
        header=data.header,
        t_start=data.t_start,
        t_end=data.t_start + np.rint(data.duration * 1e6).astype("timedelta64[us]"),
        duration=data.duration,
        e_low=data.e_low,
        e_high=data.e_high,
        counts=data.counts,
        corrected=corrected,
        live_fraction=live,
        rcr=data.rcr,
        caution=caution,
    )


def merge_bins(spectra: CountSpectra, most: int) -> CountSpectra:
    """Merge adjacent time bins to about ``most`` at most, but not across a change of attenuator.

    Counts, live time and durations are summed, so that mean rates do not change. Spectra with fewer bins are returned
    unchanged.

    Raises
    ------
    SelectionError
        When ``most`` is less than 1.
    """
    if most < 1:
        message = f"a spectrogram needs at least one time bin, not {most}"
        raise SelectionError(message)
    if spectra.duration.size <= most:
        return spectra
    middle = spectra.t_start + (spectra.t_end - spectra.t_start) // 2
    slot = ((middle - spectra.t_start[0]) / (spectra.t_end[-1] - spectra.t_start[0]) * most).astype(int)
    first = np.flatnonzero(np.concatenate([[True], (np.diff(slot) > 0) | (np.diff(spectra.rcr) != 0)]))
    last = np.concatenate([first[1:], [spectra.duration.size]]) - 1
    duration = np.add.reduceat(spectra.duration, first)
    return replace(
        spectra,
        t_start=spectra.t_start[first],
        t_end=spectra.t_end[last],
        duration=duration,
        counts=np.add.reduceat(spectra.counts, first, axis=0),
        corrected=np.add.reduceat(spectra.corrected, first, axis=0),
        live_fraction=np.add.reduceat(spectra.live_fraction * spectra.duration, first) / duration,
        rcr=spectra.rcr[first],
        merged=int((last - first).max()) + 1,
    )


def pixel_counts(data: PixelData, times: slice | None = None, channels: slice | None = None) -> Floats:
    """Recorded counts of every detector and pixel in consecutive time bins and channels, (32, 12) float, ct."""
    total = np.zeros((N_DETECTORS, N_PIXELS))
    for _, part in _chunks(data, times, channels):
        total += part.counts.sum(axis=(0, 3))
    return total


def recorded_counts(data: PixelData, times: slice | None = None, channels: slice | None = None) -> Floats:
    """Recorded counts of all detectors and pixels per time bin, (n_time,) float, ct, as in the 10,000-count rule."""
    parts = [part.counts.sum(axis=(1, 2, 3)) for _, part in _chunks(data, times, channels)]
    return np.concatenate(parts) if parts else np.empty(0)


def _chunks(
    data: PixelData, times: slice | None = None, channels: slice | None = None
) -> Iterator[tuple[slice, PixelCounts]]:
    """Slices of time bins that fit into memory."""
    start, stop, _ = (times or slice(None)).indices(data.t_start.size)
    step = max(1, _CHUNK // (N_DETECTORS * N_PIXELS * max(data.e_low[channels or slice(None)].size, 1)))
    for first in range(start, stop, step):
        rows = slice(first, min(first + step, stop))
        yield rows, data.read(rows, channels)
