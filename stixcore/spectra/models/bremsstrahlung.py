"""Bremsstrahlung of energetic electrons: cross-section, energy loss, electron spectrum and the integral over it.

The constants are those of the IDL procedures (``brm``, ``brm2`` of SolarSoft), so that results agree to all digits.

Sources: Haug 1997, A&A 326, 417; Elwert 1939, Ann. Phys. 426, 178; Koch & Motz 1959, Rev. Mod. Phys. 31, 920;
Brown 1971, Sol. Phys. 18, 489; `brm2` in SolarSoft and its translation in sunkit-spex (BSD-3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError

Floats = NDArray[np.float64]

#: Electron rest energy, keV.
MC2 = 510.98
#: Astronomical unit, cm.
AU = 1.496e13
#: Classical electron radius, cm.
ELECTRON_RADIUS = 2.8179e-13
#: Fine-structure constant.
FINE_STRUCTURE = 7.29735308e-3
#: Mean atomic number of the solar atmosphere, as IDL has it.
ATOMIC_NUMBER = 1.2
#: 2 α r₀², cm².
TWO_ALPHA_R2 = 1.15893512e-27

#: Photon energies at which the integral is computed; between them the flux is a power law.
NODES = 200
#: Gauss-Legendre points per part of the electron spectrum.
POINTS = 20


@dataclass(frozen=True)
class ElectronSpectrum:
    """Broken power law with cutoffs, normalised to one electron.

    Below ``e_break`` the spectrum falls as E^−delta, above as E^−delta_above. A break at or above ``e_high`` means a
    single power law, as by default.

    Attributes
    ----------
    delta, delta_above : float
        Spectral indices.
    e_cut, e_break, e_high : float
        Low-energy cutoff, break and high-energy cutoff, keV.

    Raises
    ------
    SelectionError
        When a value is not finite, or a cutoff is not positive or not below the next one.
    """

    delta: float
    e_cut: float
    e_break: float = 1e6
    delta_above: float = 6.0
    e_high: float = 3.2e4

    def __post_init__(self) -> None:
        for name in ("delta", "e_cut", "e_break", "delta_above", "e_high"):
            value = getattr(self, name)
            if not np.isfinite(value):
                message = f"{name} must be a finite number, found {value}"
                raise SelectionError(message)
        if not 0 < self.e_cut < self.e_high:
            message = f"e_cut must be between 0 and e_high ({self.e_high:g} keV), found {self.e_cut:g} keV"
            raise SelectionError(message)
        if not self.e_break > 0:
            message = f"e_break must be positive, found {self.e_break:g} keV"
            raise SelectionError(message)

    @property
    def parts(self) -> tuple[float, ...]:
        """Energies where the spectrum is not smooth, ascending, keV."""
        return (self.e_cut, self._knee, self.e_high) if self._broken else (self.e_cut, self.e_high)

    @property
    def _broken(self) -> bool:
        return self.e_cut < self.e_break < self.e_high

    @property
    def _knee(self) -> float:
        return min(max(self.e_break, self.e_cut), self.e_high)

    def flux(self, energies: Floats) -> Floats:
        """Electrons per keV at ``energies`` (any shape, keV); 0 outside the cutoffs."""
        inside = (energies >= self.e_cut) & (energies <= self.e_high)
        return np.where(inside, self._shape(energies), 0.0) / self._total()

    def above(self, energies: Floats) -> Floats:
        """Fraction of the electrons with more than ``energies`` (any shape, keV): 1 below the low-energy cutoff."""
        clipped = np.clip(energies, self.e_cut, self.e_high)
        low = _power_integral(np.minimum(clipped, self._knee), self._knee, self.delta, self.e_cut)
        if self.e_break >= self.e_high:
            return np.asarray(low / self._total())
        high = _power_integral(np.maximum(clipped, self._knee), self.e_high, self.delta_above, self._knee)
        return (low + self._at_knee() * high) / self._total()

    def _shape(self, energies: Floats) -> Floats:
        """The spectrum in units of its value at the low-energy cutoff."""
        below = (energies / self.e_cut) ** -self.delta
        over = self._at_knee() * (energies / self._knee) ** -self.delta_above
        return np.where(energies < self._knee, below, over)

    def _at_knee(self) -> float:
        return float((self._knee / self.e_cut) ** -self.delta)

    def _total(self) -> float:
        low = _power_integral(np.asarray(self.e_cut), self._knee, self.delta, self.e_cut)
        high = _power_integral(np.asarray(self._knee), self.e_high, self.delta_above, self._knee)
        return float(low + self._at_knee() * high)


def _power_integral(start: Floats, end: float, index: float, unit: float) -> Floats:
    """∫ (E/unit)^−index dE from ``start`` to ``end``; stable at index 1, where it is a logarithm."""
    width = np.log(end / start)
    exponent = (1.0 - index) * width
    # expm1(x)/x tends to 1 where x does to 0
    ratio = np.where(exponent == 0, 1.0, np.expm1(exponent) / np.where(exponent == 0, 1.0, exponent))
    return np.asarray(start * (start / unit) ** -index * width * ratio)


def cross_section(electrons: Floats, photons: Floats, atomic_number: float = ATOMIC_NUMBER) -> Floats:
    """Bremsstrahlung cross-section differential in photon energy, cm² per mc² (times dk = dε/mc²).

    Haug 1997, equation 4 (a short form of Koch & Motz 3BN), with the factor of Elwert 1939.

    Parameters
    ----------
    electrons, photons : Floats
        Kinetic energy of the electron and energy of the photon, keV; shapes that broadcast. An electron must have more
        energy than the photon.
    atomic_number : float
        Mean atomic number of the target.
    """
    k = photons / MC2
    e1 = electrons / MC2 + 1.0  # total energies before and after, in mc²
    e2 = e1 - k
    p1 = np.sqrt(e1**2 - 1.0)
    p2 = np.sqrt((electrons - photons) / MC2 * (e2 + 1.0))  # e2² − 1 without cancellation
    ee, pp, kk = e1 * e2, p1 * p2, k**2
    cubed = ee * ee * ee
    sums = (p1**2 + p2**2) / cubed
    # equation 4: {4/3 e1e2 + k² − 7/15 k²/(e1e2) − 11/70 k² (p1²+p2²)/(e1e2)⁴}
    first = 4 / 3 * ee + kk - (7 / 15 + 11 / 70 * sums) * kk / ee
    # {2 ln[(e1e2 + p1p2 − 1)/k] − p1p2/(e1e2) [1 + 1/(e1e2) + (7/20 (p1²+p2²) + 9/28 k² + 263/210 p1²p2²)/(e1e2)³]}
    bracket = 1.0 + 1.0 / ee + 7 / 20 * sums + (9 / 28 * kk + 263 / 210 * pp**2) / cubed
    second = 2.0 * np.log((ee + pp - 1.0) / k) - pp / ee * bracket
    a1 = 2.0 * np.pi * FINE_STRUCTURE * atomic_number * e1 / p1
    a2 = 2.0 * np.pi * FINE_STRUCTURE * atomic_number * e2 / p2
    elwert = a2 / a1 * np.expm1(-a1) / np.expm1(-a2)  # a2/a1 (1 − e^−a1)/(1 − e^−a2)
    return np.asarray(TWO_ALPHA_R2 * atomic_number**2 * elwert * first * second / (k * p1**2))


def energy_loss(electrons: Floats) -> Floats:
    """Energy-dependent part of the collisional energy loss, Λ = ln(6.9447·10⁹ E) / β, of electrons of E keV.

    ``brm_eloss`` of SolarSoft: the Coulomb logarithm of a fully ionised target over the speed in units of light's.
    """
    gamma = electrons / MC2 + 1.0
    return np.asarray(np.log(6.9447e9 * electrons) / np.sqrt(1.0 - gamma**-2))


def integrate_electrons(weight: Callable[[Floats], Floats], photons: Floats, parts: tuple[float, ...]) -> Floats:
    """∫ weight(E) σ(E, ε) dE over the electrons above each photon energy, weight unit · cm² per mc² · keV.

    Parameters
    ----------
    weight : callable
        Weight of electrons of the given energies (m, n), keV.
    photons : Floats (m,)
        Photon energies ε, keV.
    parts : tuple of float
        Energies between which the weight is smooth, ascending, keV. Nothing is added outside them.

    Returns
    -------
    Floats (m,)
    """
    total = np.zeros(photons.shape)
    for low, high in pairwise(parts):
        rows = photons < high * (1.0 - 1e-9)  # nearer, the electron's energy cannot be told from the photon's
        if rows.any():
            total[rows] += _integrate_part(weight, photons[rows], low, high)
    return total


def _integrate_part(weight: Callable[[Floats], Floats], photons: Floats, low: float, high: float) -> Floats:
    """Integrate over one smooth part; with E = ε e^{s²} the square root at the threshold becomes smooth."""
    nodes, weights = _gauss_legendre(POINTS)
    start = np.sqrt(np.log(np.maximum(low / photons, 1.0)))[:, None]
    half = (np.sqrt(np.log(high / photons))[:, None] - start) / 2.0
    s = start + half * (1.0 + nodes)
    energies = photons[:, None] * np.exp(s**2)
    values = weight(energies) * cross_section(energies, photons[:, None]) * 2.0 * s * energies  # dE = 2 s E ds
    return np.asarray((values * weights).sum(axis=1) * half[:, 0])


@cache
def _gauss_legendre(points: int) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return nodes, weights


def bin_means(flux: Callable[[Floats], Floats], edges: Floats, marks: tuple[float, ...]) -> Floats:
    """Mean of ``flux`` in each bin, from its values at about 200 log-spaced energies with power laws between them.

    Parameters
    ----------
    flux : callable
        Flux at energies (m,), keV; 0 above the last mark.
    edges : Floats (J+1,)
        Edges of the bins, keV.
    marks : tuple of float
        Energies where the flux has a kink; the last one is where it ends.

    Returns
    -------
    Floats (J,)
        In the unit of ``flux``.

    Raises
    ------
    SelectionError
        When the edges are not positive and ascending.
    """
    check_edges(edges)
    end = marks[-1]
    if edges[0] >= end:
        return np.zeros(edges.size - 1)
    nodes = _nodes(float(edges[0]), min(float(edges[-1]), end), marks, cut=bool(edges[-1] > end))
    integral = _PowerLaws(nodes, flux(nodes))
    return np.asarray(-np.diff(integral.from_above(np.minimum(edges, nodes[-1]))) / np.diff(edges))


def check_edges(edges: Floats) -> None:
    """Raise `SelectionError` unless the photon edges (J+1,) are positive and ascending."""
    if edges.ndim != 1 or edges.size < 2 or not edges[0] > 0 or not np.all(np.diff(edges) > 0):
        message = f"photon_edges must be at least two ascending positive energies, found shape {edges.shape}"
        raise SelectionError(message)


def _nodes(first: float, last: float, marks: tuple[float, ...], *, cut: bool) -> Floats:
    inner = [mark for mark in marks if first < mark < last]
    near_end = last * (1.0 - np.geomspace(1e-3, 0.3, 50)) if cut else np.empty(0)  # the flux falls to 0 there
    top = last * (1.0 - 1e-9) if cut else last
    nodes = np.concatenate([np.geomspace(first, top, NODES), inner, near_end])
    nodes = np.unique(nodes[nodes >= first])
    return np.asarray(nodes[np.concatenate([[True], np.diff(nodes) > 1e-12 * nodes[1:]])])


class _PowerLaws:
    """A positive function given at nodes, a power law between them, and its integral."""

    def __init__(self, nodes: Floats, values: Floats) -> None:
        tiny = np.finfo(float).tiny
        self.nodes, self.logs = np.log(nodes), np.log(np.maximum(values, tiny))
        self.slopes = np.diff(self.logs) / np.diff(self.nodes) + 1.0  # of E·f(E)
        parts = self._integral(np.arange(self.slopes.size), self.nodes[:-1])
        self.tail = np.concatenate([np.cumsum(parts[::-1])[::-1], [0.0]])

    def from_above(self, energies: Floats) -> Floats:
        """Integral from each energy to the last node. Summed from above: the small numbers keep their digits."""
        logs = np.log(energies)
        part = np.clip(np.searchsorted(self.nodes, logs, side="right") - 1, 0, self.slopes.size - 1)
        return np.asarray(self.tail[part + 1] + self._integral(part, np.minimum(logs, self.nodes[part + 1])))

    def _integral(self, part: NDArray[np.intp], start: Floats) -> Floats:
        """∫ f dE from e^start to the end of the part, with E f(E) = e^{a + b ln E}."""
        end = self.nodes[part + 1]
        value = np.exp(self.logs[part + 1] + end)
        exponent = self.slopes[part] * (start - end)
        ratio = np.where(exponent == 0, 1.0, np.expm1(exponent) / np.where(exponent == 0, 1.0, exponent))
        return np.asarray(value * (end - start) * ratio)
