"""Thick-target bremsstrahlung of a broken power law of electrons (``thick2`` of OSPEX)."""

from __future__ import annotations

import numpy as np

from stixcore.spectra.models.bremsstrahlung import (
    AU,
    ELECTRON_RADIUS,
    MC2,
    ElectronSpectrum,
    Floats,
    bin_means,
    energy_loss,
    integrate_electrons,
)

#: Electrons per second in one unit of ``norm``.
NORM = 1e35


def thick_target(photon_edges: Floats, norm: float, electrons: ElectronSpectrum) -> Floats:
    """Mean photon flux of a thick target in each bin, ph s⁻¹ cm⁻² keV⁻¹ at 1 AU.

    Parameters
    ----------
    photon_edges : Floats (J+1,)
        Edges of the photon bins, keV.
    norm : float
        Electrons that enter the target above ``e_cut``, 10³⁵ s⁻¹.
    electrons : ElectronSpectrum
        Injected electrons.

    Returns
    -------
    Floats (J,)

    Raises
    ------
    SelectionError
        When the edges are invalid.

    Notes
    -----
    Between 200 log-spaced photon energies the flux is taken as a power law. Source: Brown 1971, Sol. Phys. 18, 489;
    ``brm2_thicktarget`` of SolarSoft; cross-section and loss in `stixcore.spectra.models.bremsstrahlung`.
    """
    edges = np.asarray(photon_edges, dtype=float)
    return norm * bin_means(lambda energies: NORM * thick_target_flux(energies, electrons), edges, electrons.parts)


def thick_target_flux(photons: Floats, electrons: ElectronSpectrum) -> Floats:
    """Photon flux at energies ``photons`` (m,) keV for one electron per second, ph s⁻¹ cm⁻² keV⁻¹ at 1 AU."""

    # I(ε) = 1/(4π D²) · 1/(4π r₀² (mc²)³) · ∫_ε N(E) σ(E, ε) p / [(E/mc² + 1) Λ(E)] dE
    # N = fraction injected above E
    def weight(energies: Floats) -> Floats:
        momentum = np.sqrt(energies * (energies + 2.0 * MC2))  # pc, keV
        slowed = momentum / ((energies / MC2 + 1.0) * energy_loss(energies))
        return np.asarray(electrons.above(energies) * slowed)

    factor = 1.0 / (4.0 * np.pi * AU**2) / (4.0 * np.pi * ELECTRON_RADIUS**2 * MC2**3)
    below = float(np.min(photons))
    parts = electrons.parts if below >= electrons.e_cut else (below, *electrons.parts)
    return factor * integrate_electrons(weight, photons, parts)
