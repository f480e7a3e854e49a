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


def thin_target(photon_edges: Floats, norm: float, electrons: ElectronSpectrum) -> Floats:
    """Mean photon flux of a thin target in each bin, ph s⁻¹ cm⁻² keV⁻¹ at 1 AU.

    Parameters
    ----------
    photon_edges : Floats (J+1,)
        Edges of the photon bins, keV.
    norm : float
        Plasma density × volume × electron flux above ``e_cut``, 10⁵⁵ cm⁻² s⁻¹.
    electrons : ElectronSpectrum
        Mean electron flux, averaged over the plasma.

    Returns
    -------
    Floats (J,)

    Raises
    ------
    SelectionError
        When the edges are invalid.

    Notes
    -----
    Between 200 log-spaced photon energies the flux is taken as a power law. Source: ``brm2_thintarget`` of SolarSoft;
    cross-section in `stixcore.spectra.models.bremsstrahlung`.
    """
    edges = np.asarray(photon_edges, dtype=float)
    return norm * bin_means(lambda energies: NORM * thin_target_flux(energies, electrons), edges, electrons.parts)


def thin_target_flux(photons: Floats, electrons: ElectronSpectrum) -> Floats:
    """Photon flux at energies ``photons`` (m,) keV for density × volume × flux of 1 cm⁻² s⁻¹, per keV, at 1 AU."""
    # I(ε) = 1/(4π D² mc²) · ∫_ε F(E) σ(E, ε) dE, F = mean electron flux, normalised to 1
    return integrate_electrons(electrons.flux, photons, electrons.parts) / (4.0 * np.pi * AU**2 * MC2)
