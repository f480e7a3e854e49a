"""Emission lines of one ion: level populations in statistical equilibrium.

Processes: electron excitation and de-excitation, radiative decay, autoionisation, and from the ground level of the
next ion radiative recombination and dielectronic capture (Dere et al. 2019, ApJS 241, 22, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from stixcore.spectra.makers.chianti_database import Database, Excitation, Floats
from stixcore.spectra.makers.continuum import KEV_PER_K, RYDBERG
from stixcore.spectra.models.chianti_files import WAVELENGTH_KEV

#: (h²/(2π m k))^{3/2}, cm³ K^{3/2}: Saha.
SAHA = 4.1413e-16


@dataclass(frozen=True, eq=False)
class IonLines:
    """Lines of an ion: energy (keV) and photons cm³ s⁻¹ per electron and per ion of this stage, (temperature, line)."""

    energy: Floats
    emissivity: Floats
    two_photon: list[tuple[float, Floats]]  # energy of both photons, decays cm³ s⁻¹ at each temperature


def effective_strength(transition: Excitation, kelvin: Floats) -> Floats:
    """Effective collision strength (Burgess & Tully 1992, A&A 254, 436, section 4)."""
    c, e = transition.constant, kelvin * KEV_PER_K / (transition.energy * RYDBERG)
    x = 1 - np.log(c) / np.log(e + c) if transition.kind in {1, 4} else e / (e + c)
    y = CubicSpline(transition.x, transition.y, bc_type="natural")(np.clip(x, 0, 1))
    factor = {1: np.log(e + np.e), 2: np.ones_like(e), 3: 1 / (e + 1), 4: np.log(e + c), 5: 1 / e}
    strength = 10**y if transition.kind == 6 else y * factor[transition.kind]
    return np.asarray(np.clip(strength, 0, None))


class Ion:
    """Rates of one ion at some temperatures.

    Parameters
    ----------
    database : Database
    z, stage : int
        Atomic number, and stage of ionisation (1: neutral).
    kelvin : (n,) float, K
    ratio : (n,) float
        Ions of the next stage per ion of this stage.
    binding : float, keV
        Ionisation energy.
    density : float, cm⁻³
        Electrons.
    """

    def __init__(
        self, database: Database, z: int, stage: int, kelvin: Floats, ratio: Floats, *, binding: float, density: float
    ) -> None:
        self.kelvin, self.ratio, self.density, self.binding = kelvin, ratio, density, binding
        self.energies, self.weights = database.levels(z, stage)
        self.decays = [d for d in database.radiative(z, stage) if max(d[0], d[1]) <= len(self.energies)]
        self.ejections = [a for a in database.autoionisation(z, stage) if a[1] <= len(self.energies)]
        self.captures = database.recombination(z, stage)
        next_weights = database.levels(z, stage + 1)[1]
        self.next_weight = float(next_weights[0]) if len(next_weights) else 1.0
        self.excitations = database.excitations(z, stage)

    def lines(self, lowest: float) -> IonLines:
        """Lines above an energy (keV)."""
        populations = self.populations()
        chosen = [d for d in self.decays if d[2] > 0 and WAVELENGTH_KEV / d[2] >= lowest and d[3] > 0]
        upper = np.array([d[1] for d in chosen], dtype=int) - 1
        rate = np.array([d[3] for d in chosen])
        energy = np.array([WAVELENGTH_KEV / d[2] for d in chosen])
        pairs = [
            (self.energies[u - 1] - self.energies[low - 1], populations[:, u - 1] * a / self.density)
            for low, u, wavelength, a in self.decays
            if wavelength == 0 and self._is_two_photon(u)
        ]
        return IonLines(energy, populations[:, upper] * rate / self.density, pairs)

    def _is_two_photon(self, upper: int) -> bool:
        return all(level != upper for _, level, _ in self.ejections)

    def populations(self) -> Floats:
        """Fraction of the ions in each level, (temperature, level)."""
        n = len(self.energies)
        self._decay = np.zeros((n, n))  # into row, out of column
        for lower, upper, _, a in self.decays:
            self._decay[lower - 1, upper - 1] += a
        self._transitions = [ex for ex in self.excitations if max(ex.lower, ex.upper) <= n and ex.energy > 0]
        self._strengths = np.array([effective_strength(ex, self.kelvin) for ex in self._transitions])
        return np.array([self._at(i) for i in range(len(self.kelvin))])

    def _at(self, i: int) -> Floats:
        rates = self._decay + self._collisions(i)
        source, loss = self._recombination(self.kelvin[i])
        matrix = rates - np.diag(rates.sum(axis=0) + loss + 1e-30)
        matrix[0] = 1.0  # Σ n = 1 in place of the balance of the ground level
        right = -source * self.density * self.ratio[i]
        right[0] = 1.0
        return np.asarray(np.linalg.solve(matrix, right))

    def _collisions(self, i: int) -> Floats:
        t, n = self.kelvin[i], len(self.energies)
        rates = np.zeros((n, n))
        if self._transitions:
            low = np.array([ex.lower for ex in self._transitions]) - 1
            up = np.array([ex.upper for ex in self._transitions]) - 1
            energy = np.array([ex.energy for ex in self._transitions]) * RYDBERG
            # q = 8.629e-6 Υ/(g √T) (Burgess & Tully 1992, eq. 20)
            q = self.density * 8.629e-6 * self._strengths[:, i] / np.sqrt(t)
            np.add.at(rates, (up, low), q / self.weights[low] * np.exp(-energy / (KEV_PER_K * t)))
            np.add.at(rates, (low, up), q / self.weights[up])
        return rates

    def _recombination(self, t: float) -> tuple[Floats, Floats]:
        """Rates into the levels (cm³ s⁻¹, per ion of the next stage), and losses of the levels (s⁻¹)."""
        source, loss = np.zeros(len(self.energies)), np.zeros(len(self.energies))
        for level, grid, alpha in self.captures:
            if level <= len(source):
                source[level - 1] += np.exp(np.interp(np.log(t), np.log(grid), np.log(np.clip(alpha, 1e-99, None))))
        for following, level, a in self.ejections:
            loss[level - 1] += a
            if following == 1:
                above = self.energies[level - 1] - self.binding
                # Dielectronic capture by detailed balance: g_j/(2 g_+) (h²/(2π m kT))^{3/2} A e^{−E/kT}
                balance = self.weights[level - 1] / (2 * self.next_weight) * SAHA * t**-1.5
                source[level - 1] += balance * a * np.exp(-above / (KEV_PER_K * t))
        return source, loss
