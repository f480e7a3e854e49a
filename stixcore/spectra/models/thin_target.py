"""Thin-target bremsstrahlung of a broken power law of electrons (``thin2`` of OSPEX)."""

from __future__ import annotations

import numpy as np

from stixcore.spectra.models.bremsstrahlung import (
    AU,
    MC2,
    ElectronSpectrum,
    Floats,
    bin_means,
    integrate_electrons,
)

#: Density × volume × electron flux in one unit of ``norm``, cm⁻² s⁻¹.
NORM = 1e55


def thin_target(
    photon_edges: Floats,
    norm: float,
    delta: float,
    e_cut: float,
    *,
    e_break: float = 1e6,
    delta_above: float = 6.0,
    e_high: float = 3.2e4,
) -> Floats:
    """Mean photon flux of a thin target in each bin, ph s⁻¹ cm⁻² keV⁻¹ at 1 AU.

    Parameters
    ----------
    photon_edges : Floats (J+1,)
        Edges of the photon bins, keV.
    norm : float
        Plasma density × volume × electron flux above ``e_cut``, 10⁵⁵ cm⁻² s⁻¹.
    delta, delta_above : float
        Spectral index of the mean electron flux below and above the break.
    e_cut, e_break, e_high : float
        Low-energy cutoff, break and high-energy cutoff, keV. A break above ``e_high`` means a single power law.

    Returns
    -------
    Floats (J,)

    Raises
    ------
    SelectionError
        When edges or parameters are invalid.

    Notes
    -----
    Between 200 log-spaced photon energies the flux is taken as a power law. Source: ``brm2_thintarget`` of SolarSoft;
    cross-section in `stixcore.spectra.models.bremsstrahlung`.
    """
    spectrum = ElectronSpectrum(delta, e_cut, e_break, delta_above, e_high)
    edges = np.asarray(photon_edges, dtype=float)
    return norm * bin_means(lambda energies: NORM * thin_target_flux(energies, spectrum), edges, spectrum.parts)


def thin_target_flux(photons: Floats, electrons: ElectronSpectrum) -> Floats:
    """Photon flux at energies ``photons`` (m,) keV for density × volume × flux of 1 cm⁻² s⁻¹, per keV, at 1 AU."""
    # I(ε) = 1/(4π D² mc²) · ∫_ε F(E) σ(E, ε) dE, F = mean electron flux, normalised to 1
    return integrate_electrons(electrons.flux, photons, electrons.parts) / (4.0 * np.pi * AU**2 * MC2)
