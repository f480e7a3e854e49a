"""Flare detection in quick-look light curves, flare properties, and estimated GOES classes. Pure functions of a series.

Reading order: `series` (the input and its one-minute mean), `attenuator` (the curve corrected for the attenuator),
`envelope` (the background below the flares), `peaks` (positions and extents of flares), `detect` (XX

The rules are those of the STIX Data Center: one-minute mean of the 4-10 keV band, SNIP envelope, a height of 3 and a
prominence of 2 standard deviations, a width of a minute, five minutes between peaks, edges one standard deviation above
the background. There are four differences. Every level is local; the original uses the lowest level of the whole file.
A flare on the decay of another one is detected where the logarithm of the curve bends (see `peaks.bend`). Overlapping
flares are split at the valley between them; the original keeps only the highest. The attenuator state is taken from the
data, bin by bin.
"""

from stixcore.flares.detect import REACH, DetectedFlare, find_flares
from stixcore.flares.goes import (
    EstimatedClass,
    class_of_flux,
    estimate_class,
    estimate_from_detector,
    flux_of_class,
)
from stixcore.flares.peaks import DetectionRules
from stixcore.flares.series import QuicklookSeries

__all__ = [
    "REACH",
    "DetectedFlare",
    "DetectionRules",
    "EstimatedClass",
    "QuicklookSeries",
    "class_of_flux",
    "estimate_class",
    "estimate_from_detector",
    "find_flares",
    "flux_of_class",
]
