"""Counts over time and energy, for eyes and for choosing what to image: spectrograms, spectra, bins in groups."""

from stixcore.spectra.bins import Interval, equal_counts, equal_steps, native_bins
from stixcore.spectra.count_spectra import CountSpectra, count_spectra, merge_bins, pixel_counts, recorded_counts
from stixcore.spectra.window import WindowSpectrum, window_spectrum

__all__ = [
    "CountSpectra",
    "Interval",
    "WindowSpectrum",
    "count_spectra",
    "equal_counts",
    "equal_steps",
    "merge_bins",
    "native_bins",
    "pixel_counts",
    "recorded_counts",
    "window_spectrum",
]
