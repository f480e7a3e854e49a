"""Fits of photon models to count spectra: components, statistics, bounded least squares, errors by profile, recipe.

`fit_spectrum` does it all; what it returns, `SpectrumFit`, says what was fitted, how well, and what to doubt.
"""

from stixcore.spectra.fit.energy_range import EnergyRange, choose_range
from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.recipe import AUTO, fit_spectrum
from stixcore.spectra.fit.result import Alternative, CorrelatedPair, SpectrumFit
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.fit.verdict import Doubt

__all__ = [
    "AUTO",
    "Alternative",
    "CorrelatedPair",
    "Doubt",
    "EnergyRange",
    "SpectrumFit",
    "Statistic",
    "Value",
    "choose_range",
    "fit_spectrum",
]
