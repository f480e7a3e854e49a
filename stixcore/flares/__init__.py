"""Flares in quick-look light curves: found, measured, and their GOES class estimated. Pure functions of a series.

Reading order: `series` (what comes in, and its one-minute mean), `attenuator` (what the curve would be without it),
`envelope` (what lies under the flares), `peaks` (where they are and how far they reach), `detect` (their numbers),
`goes` (what class the counts stand for).

The rules are those of the STIX Data Center (one-minute mean of the 4-10 keV band, SNIP envelope, height of 3 and
prominence of 2 standard deviations, a width of a minute, five minutes between peaks, edges one standard deviation up),
with four changes. Every level is local, where the original takes the lowest one of the whole file. A flare on the decay
of another counts when the logarithm of the curve bends (see `peaks.bend`). Flares that overlap are cut at the valley
between them, where the original keeps the highest alone. And the attenuator is seen in the data, bin by bin.
"""

from stixcore.flares.detect import REACH, DetectedFlare, find_flares
from stixcore.flares.goes import EstimatedClass, estimate_class, flux_of_class
from stixcore.flares.peaks import DetectionRules
from stixcore.flares.series import QuicklookSeries

__all__ = [
    "REACH",
    "DetectedFlare",
    "DetectionRules",
    "EstimatedClass",
    "QuicklookSeries",
    "estimate_class",
    "find_flares",
    "flux_of_class",
]
