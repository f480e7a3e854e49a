"""Spectra of sources: models of photons, folded with the response, and normalized by their counts.

There are two models, those of spectral fits: an isothermal plasma and a thick target. A fit of simulated counts
therefore finds the parameters that went in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.simulation.response import count_edges, narrow_counts
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thermal import thermal
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.tables import response_tables

Floats = NDArray[np.float64]

#: Count spectra are within these energies, keV; bands of fluxes start at the response's lowest channel.
LOWEST_BAND, HIGHEST_BAND = 4.0, 150.0


class Spectrum(Protocol):
    """A photon spectrum, and the counts that it has at the peak of the light curve."""

    @property
    def flux(self) -> float:
        """Counts s⁻¹ cm⁻² in ``band``, without grids and attenuator."""

    @property
    def band(self) -> tuple[float, float]:
        """Energy band of the flux, keV."""

    def photons(self, photon_edges: Floats) -> Floats:
        """Photons s⁻¹ cm⁻² keV⁻¹ at 1 AU in each bin, for one unit of the model's norm."""

    def __hash__(self) -> int:
        """Spectra are hashable, because their counts are cached."""


def _require_flux(spectrum: Spectrum) -> None:
    low, high = spectrum.band
    if not (spectrum.flux >= 0 and LOWEST_BAND <= low < high <= HIGHEST_BAND):
        message = f"a spectrum needs a flux ≥ 0 in a band within 4-150 keV, found {spectrum}"
        raise SelectionError(message)


@dataclass(frozen=True)
class ThermalSpectrum:
    """Isothermal plasma in front of the detectors (`stixcore.spectra.models.thermal`); its norm is in 10⁴⁹ cm⁻³.

    Attributes
    ----------
    flux : float, ct s⁻¹ cm⁻² in ``band``
    temperature : float, MK
    """

    flux: float
    temperature: float = 15.0
    band: tuple[float, float] = (4.0, 10.0)

    def __post_init__(self) -> None:
        _require_flux(self)

    def photons(self, photon_edges: Floats) -> Floats:
        """See `Spectrum.photons`."""
        return thermal(photon_edges, self.temperature, 1.0)


@dataclass(frozen=True)
class ThickTargetSpectrum:
    """Thick target (`stixcore.spectra.models.thick_target`); its norm is in 10³⁵ electrons s⁻¹.

    Attributes
    ----------
    flux : float, ct s⁻¹ cm⁻² in ``band``
    delta : float
        Index of the electrons.
    cutoff : float, keV
        Lowest energy of the electrons.
    """

    flux: float
    delta: float = 5.5
    cutoff: float = 18.0
    band: tuple[float, float] = (16.0, 28.0)

    def __post_init__(self) -> None:
        _require_flux(self)

    def photons(self, photon_edges: Floats) -> Floats:
        """See `Spectrum.photons`."""
        return thick_target(photon_edges, 1.0, ElectronSpectrum(self.delta, self.cutoff))


@lru_cache(maxsize=256)
def _unit_counts(spectrum: Spectrum, attenuated: bool) -> Floats:
    """Cumulative counts s⁻¹ cm⁻² up to each narrow edge, (n + 1,) float, for one unit of the norm at 1 AU."""
    photons = spectrum.photons(response_tables().photon_edges)
    return np.concatenate([[0.0], np.cumsum(narrow_counts(photons, attenuated))])


def norm_at_unit_distance(spectrum: Spectrum) -> float:
    """Norm of the photon model at the peak for a flare at 1 AU from the spacecraft, 10⁴⁹ cm⁻³ or 10³⁵ s⁻¹.

    At D AU it is D² times this value. The attenuator does not change it.
    """
    low, high = np.interp(spectrum.band, count_edges(), _unit_counts(spectrum, False))
    return float(spectrum.flux / (high - low))


def integrate(spectrum: Spectrum, edges: Floats, *, attenuated: bool = False) -> Floats:
    """Counts s⁻¹ cm⁻² between consecutive edges.

    Parameters
    ----------
    spectrum : Spectrum
    edges : (…, n + 1) float, keV
        Increasing; the spectrum is zero outside 2-150 keV.
    attenuated : bool
        Whether the attenuator is in.

    Returns
    -------
    (…, n) float
    """
    total = norm_at_unit_distance(spectrum) * _unit_counts(spectrum, attenuated)
    return np.diff(np.interp(edges, count_edges(), total), axis=-1)


def describe(spectrum: Spectrum) -> dict[str, Any]:
    """Model and parameters of a spectrum, as JSON values."""
    values: dict[str, Any] = asdict(spectrum)  # type: ignore[call-overload]  # every model here is a dataclass
    return {"model": type(spectrum).__name__.removesuffix("Spectrum").lower(), **values}
