"""Counts over time and energy: spectrograms, spectra, and time bins grouped into intervals for images."""

from stixcore.spectra.bins import Interval, equal_counts, equal_steps, native_bins
from stixcore.spectra.count_spectra import CountSpectra, count_spectra, merge_bins, pixel_counts, recorded_counts
from stixcore.spectra.counts import CountSpectrum, count_spectra_of_bins, count_spectrum
from stixcore.spectra.window import WindowSpectrum, window_spectrum

__all__ = [
    "CountSpectra",
    "CountSpectrum",
    "Interval",
    "WindowSpectrum",
    "count_spectra",
    "count_spectra_of_bins",
    "count_spectrum",
    "equal_counts",
    "equal_steps",
    "merge_bins",
    "native_bins",
    "pixel_counts",
    "recorded_counts",
    "window_spectrum",
]
