"""The spectrum of a region: its fraction of the flux of the images times the spectrum of the whole flare."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.fit.result import SpectrumFit
from stixcore.spectra.regions import Region

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RegionSpectrum:
    """The spectrum of a region and its fit. Arrays have the channels of the whole flare, NaN where not imaged.

    Attributes
    ----------
    name : str
    region : Region or None
        None for what is outside all regions.
    area : float, arcsec²
        Of its pixels; for a source of a forward fit, the area at half maximum.
    flux, flux_sigma : (n_channel,) float, ct s⁻¹ cm⁻² keV⁻¹
        In the images.
    fraction, fraction_sigma : (n_channel,) float
        φ, its part of the flux of the image.
    spectrum : CountSpectrum
        Fraction times the spectrum of the whole flare.
    fit : SpectrumFit or None
    no_fit : str
        Why there is no fit; empty if there is one, or none was wanted.
    doubts : tuple of str
        What may be wrong with the spectrum, one sentence each; those of the fit are its own.
    """

    name: str
    region: Region | None
    area: float
    flux: Floats
    flux_sigma: Floats
    fraction: Floats
    fraction_sigma: Floats
    spectrum: CountSpectrum
    fit: SpectrumFit | None = None
    no_fit: str = ""
    doubts: tuple[str, ...] = ()


def divided_spectrum(whole: CountSpectrum, fraction: Floats, fraction_sigma: Floats) -> CountSpectrum:
    """Spectrum of a region.

    Parameters
    ----------
    whole : CountSpectrum
        Of the whole flare, above background.
    fraction, fraction_sigma : (n_channel,) float
        Of the flux that belongs to the region; NaN where it is unknown, the error also where there is none.

    Notes
    -----
    The part of the error that is due to the fraction does not depend on the model that is fitted:
    `stixcore.spectra.fit.statistic.model_errors` keeps what the variance has in excess of the Poisson part.
    """
    # σ_φ is 0 where no copies were simulated
    spread = np.where(np.isfinite(fraction), np.nan_to_num(fraction_sigma), np.nan)
    # C_k = φ_k C,  σ² = (φ σ_C)² + (C σ_φ)²
    sigma = np.hypot(fraction * whole.sigma, whole.counts * spread)
    positive = np.maximum(np.nan_to_num(fraction), 0.0)
    return replace(
        whole,
        counts=fraction * whole.counts,
        sigma=sigma,
        background=positive * whole.background,
        background_sigma=positive * whole.background_sigma,
    )
