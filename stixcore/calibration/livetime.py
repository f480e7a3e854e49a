"""Live time from trigger rates.

Each pair of detectors shares one trigger accumulator. The model is that of the ground software
(``stx_livetime_fraction``) and of Krucker et al. 2020, A&A 642, A15.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError
from stixcore.fits.products import PixelCounts
from stixcore.instrument.geometry import DETECTOR_AREA
from stixcore.instrument.tables import pixel_area, trigger_accumulator

Floats = NDArray[np.float64]

READOUT_TIME = 10.1e-6  # τ, s
LATENCY_TIME = 1.10e-6  # η, s


def pileup_factor() -> float:
    """β = 1 - q/2 = 0.9406, with q = area of a large pixel ÷ area of a detector."""
    return float(1.0 - 0.5 * pixel_area()[0] / DETECTOR_AREA)


def livetime_fraction(triggers: Floats, triggers_sigma: Floats, duration: Floats) -> tuple[Floats, Floats]:
    """Fraction of the time in which a detector group could accept photons, and its sigma.

    Parameters
    ----------
    triggers, triggers_sigma : (…) float
        Triggers per bin.
    duration : broadcastable to ``triggers``, s

    Returns
    -------
    fraction, sigma : (…) float

    Raises
    ------
    CalibrationError
        When the trigger rate exceeds what the electronics can report (one per τ + η).
    """
    dead, beta = READOUT_TIME + LATENCY_TIME, pileup_factor()
    rate = triggers / duration
    if (rate * dead >= 1.0).any():
        message = f"trigger rate {rate.max():.0f} s⁻¹ exceeds the electronics' limit of {1 / dead:.0f} s⁻¹"
        raise CalibrationError(message)
    # n = r / (1 - r(τ+η)): photons in;  f = exp(-βηn) / (1 + (τ+η)n)
    photons_in = rate / (1.0 - rate * dead)
    decay = np.exp(-beta * LATENCY_TIME * photons_in)
    fraction = decay / (1.0 + dead * photons_in)
    # σ_f = e^{-βηn} |-βη - βη(τ+η)n - (τ+η)| / (1+(τ+η)n)² σ_n,  σ_n = σ_r / (1-r(τ+η))²
    slope = beta * LATENCY_TIME * (1.0 + dead * photons_in) + dead
    sigma_in = (triggers_sigma / duration) / (1.0 - rate * dead) ** 2
    return fraction, decay * slope / (1.0 + dead * photons_in) ** 2 * sigma_in


def detector_livetime(counts: PixelCounts) -> tuple[Floats, Floats]:
    """Live time of each detector summed over the time bins, and its sigma: (32,) float each, s."""
    fraction, sigma = livetime_fraction(counts.triggers, np.sqrt(counts.triggers_variance), counts.duration[:, None])
    accumulator = trigger_accumulator()
    # L = Σ_t f Δt, errors in quadrature
    livetime = (fraction * counts.duration[:, None]).sum(axis=0)
    error = np.sqrt(((sigma * counts.duration[:, None]) ** 2).sum(axis=0))
    return livetime[accumulator], error[accumulator]
