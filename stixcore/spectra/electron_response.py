"""Counts in each channel per electron flux: bremsstrahlung of electron bins, folded with the response.

W(E) is the mean electron flux times plasma density, integrated over the volume, n V F̄(E): what X-rays determine without
a model of the target (Brown, Emslie & Kontar 2003, ApJ 595, L115). Its unit is 10⁵⁰ electrons s⁻¹ cm⁻² keV⁻¹, that of
the flux, because density times volume is a number. An image of it, per arcsec², is the electron flux times the column
density (cm⁻²) times the area of an arcsec² at the Sun (cm²).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.spectra.models.albedo import Albedo
from stixcore.spectra.models.bremsstrahlung import AU, MC2, ElectronSpectrum, energy_loss, integrate_electrons
from stixcore.spectra.models.bremsstrahlung import ELECTRON_RADIUS as R0
from stixcore.spectra.response import Response

Floats = NDArray[np.float64]

#: One unit of W, electrons s⁻¹ cm⁻² keV⁻¹.
UNIT = 1e50
#: Index of the power law within an electron bin; bins are narrow, so any index of a flare gives the same.
INDEX = 4.0


def electron_edges(lowest: float, n: int = 60, highest: float = 1000.0) -> Floats:
    """Edges of logarithmic electron bins, (n + 1,) float, keV.

    They begin below the lowest photons, as the energy resolution mixes channels, and end where flares have no electrons
    left: hard spectra have 10 % of the photons at 60 keV from electrons above 300 keV.

    Parameters
    ----------
    lowest : float, keV
        Lower edge of the lowest channel.
    n : int
    highest : float, keV
    """
    return np.geomspace(0.85 * lowest, highest, n + 1)


def electron_response(response: Response, edges: Floats, distance: float, angle: float | None = None) -> Floats:
    """Counts s⁻¹ in each channel for one unit of W at the centre of each electron bin, (I, K) float.

    Parameters
    ----------
    response : Response
        With I channels.
    edges : (K + 1,) float, keV
        Of the electron bins; within a bin W falls as E⁻⁴, and its value is that at the geometric mean.
    distance : float, AU
        From the spacecraft to the Sun.
    angle : float or None, degree
        Heliocentric angle of the flare, for photons that the photosphere reflects; None: none are.

    Raises
    ------
    SelectionError
        When edges or distance are not positive numbers in ascending order.
    """
    if edges.ndim != 1 or edges.size < 2 or not edges[0] > 0 or not (np.diff(edges) > 0).all():
        message = f"electron edges must be at least two ascending positive energies, found shape {edges.shape}"
        raise SelectionError(message)
    if not 0 < distance < np.inf:
        message = f"the distance to the Sun must be a positive number of AU, found {distance:g}"
        raise SelectionError(message)
    photons = 0.5 * (response.photon_edges[1:] + response.photon_edges[:-1])
    albedo = None if angle is None else Albedo(response.photon_edges, angle)
    columns = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        flux = _photon_flux(photons, low, high) / distance**2
        columns.append(response.fold(flux if albedo is None else flux + albedo.reflected(flux)))
    return np.array(columns).T


def _photon_flux(photons: Floats, low: float, high: float) -> Floats:
    """Photons s⁻¹ cm⁻² keV⁻¹ at 1 AU for one unit of W in a bin, (J,) float."""
    centre = (low * high) ** 0.5
    # I(ε) = 1/(4π D² mc²) · ∫ W(E) σ(E, ε) dE, W(E) = (E/E_k)⁻⁴ in bin k
    integral = integrate_electrons(lambda energies: (energies / centre) ** -INDEX, photons, (low, high))
    return np.asarray(UNIT * integral / (4.0 * np.pi * AU**2 * MC2))


def thick_target_electrons(energies: Floats, norm: float, electrons: ElectronSpectrum) -> Floats:
    """W of a thick target, any shape, 10⁵⁰ electrons s⁻¹ cm⁻² keV⁻¹.

    Parameters
    ----------
    energies : float array, keV
    norm : float, 10³⁵ s⁻¹
        Electrons that enter the target.
    electrons : ElectronSpectrum
        Injected electrons.
    """
    # W(E) = N(E) · p c / [(E/mc² + 1) Λ(E)] / (4π r₀² (mc²)²), N = electrons s⁻¹ injected above E
    momentum = np.sqrt(energies * (energies + 2.0 * MC2))
    slowed = momentum / ((energies / MC2 + 1.0) * energy_loss(energies))
    return np.asarray(norm * 1e35 * electrons.above(energies) * slowed / (4.0 * np.pi * R0**2 * MC2**2) / UNIT)
