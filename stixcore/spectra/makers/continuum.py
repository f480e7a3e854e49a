"""Continuum of a hot plasma: bremsstrahlung, radiative recombination and two-photon decay.

All emissivities are photons cm³ s⁻¹ keV⁻¹ per electron and per ion, for the whole sphere, divided by exp(−E/kT): what
remains varies slowly and does not underflow.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from stixcore.spectra.makers.chianti_database import Database, Floats, Level

KEV_PER_K = 8.617333262e-8
RYDBERG = 0.013605693123  # keV
ELECTRON = 510.99895  # keV
LIGHT = 2.99792458e10  # cm s⁻¹
FINE_STRUCTURE = 7.2973525693e-3
CLASSICAL_RADIUS = 2.8179403262e-13  # cm


class Gaunt:
    """Free-free Gaunt factors averaged over a Maxwellian.

    Itoh et al. 2000, ApJS 128, 125 (relativistic) where they are given (6 ≤ log T ≤ 8.5, −4 ≤ log u ≤ 1), else
    Sutherland 1998, MNRAS 300, 321 (non-relativistic).
    """

    def __init__(self, database: Database) -> None:
        self.itoh = np.array([row.split() for row in database.table("continuum/itoh.dat")], dtype=float)
        rows = database.table("continuum/gffgu.dat")
        start = 1 + next(i for i, row in enumerate(rows) if row.startswith("---"))
        # The heading of the file names the first two columns the wrong way round: the Born limit shows it.
        gamma2, u, g = np.array([row.split() for row in rows[start:] if len(row.split()) == 3], dtype=float).T
        log_u, log_gamma2 = np.unique(np.log10(u).round(6)), np.unique(np.log10(gamma2).round(6))
        grid = np.full((len(log_u), len(log_gamma2)), np.nan)
        grid[np.searchsorted(log_u, np.log10(u).round(6)), np.searchsorted(log_gamma2, np.log10(gamma2).round(6))] = g
        self.sutherland = RegularGridInterpolator((log_u, log_gamma2), np.log10(grid))

    def __call__(self, charge: int, kelvin: float, energy: Floats) -> Floats:
        """Gaunt factor at photon energies (keV)."""
        kt = KEV_PER_K * kelvin
        log_u = np.log10(energy / kt)
        log_gamma2 = np.full_like(log_u, np.log10(charge**2 * RYDBERG / kt))
        points = np.column_stack([np.clip(log_u, -4, 4), np.clip(log_gamma2, -4, 4)])
        gaunt = 10 ** self.sutherland(points)
        given = (log_u >= -4) & (log_u <= 1) & (6 <= np.log10(kelvin) <= 8.5)
        t, v = (np.log10(kelvin) - 7.25) / 1.25, (log_u[given] + 1.5) / 2.5
        coefficients = self.itoh[charge - 1].reshape(11, 11)
        # g = Σ a_ij t^i v^j, Itoh et al. 2000, eq. 4
        gaunt[given] = np.polynomial.polynomial.polyval2d(np.full_like(v, t), v, coefficients)
        return np.asarray(gaunt)


def free_free(charge: int, kelvin: float, energy: Floats, gaunt: Floats) -> Floats:
    """Bremsstrahlung per electron and per ion of a charge (Rybicki & Lightman 1979, eq. 5.14a, per keV)."""
    kt = KEV_PER_K * kelvin
    # (16/3) √(2π/3) α r₀² c Z² √(mc²/kT) g / E
    constant = 16 / 3 * np.sqrt(2 * np.pi / 3) * FINE_STRUCTURE * CLASSICAL_RADIUS**2 * LIGHT
    return np.asarray(constant * charge**2 * np.sqrt(ELECTRON / kt) * gaunt / energy)


class BoundFree:
    """Photoionisation cross-sections, cm².

    Ground configurations of few electrons: Verner & Yakovlev 1995, A&AS 109, 125; others: Kramers with the Gaunt
    factors of Karzas & Latter 1961, ApJS 6, 167 (n ≤ 6).
    """

    def __init__(self, database: Database) -> None:
        rows = np.array([row.split() for row in database.table("continuum/verner_short.txt")], dtype=float)
        self.verner = {(int(row[0]), int(row[1])): row[2:] for row in rows}
        self.karzas_latter = {
            n: np.array([row.split() for row in database.table(f"continuum/klgfb_{n}.dat")], dtype=float)[::-1]
            for n in range(1, 7)
        }

    def ground(self, z: int, electrons: int, energy: Floats) -> Floats:
        """Cross-section of the outer shell of the ground level."""
        _, ell, _, e0, sigma0, y_a, power, y_w = self.verner[z, electrons]
        y = energy * 1e3 / e0
        q = 5.5 + ell - 0.5 * power
        # F(y) = [(y − 1)² + y_w²] y^{−Q} (1 + √(y/y_a))^{−P}, Verner & Yakovlev eq. 1
        return np.asarray(sigma0 * 1e-18 * ((y - 1) ** 2 + y_w**2) * y**-q * (1 + np.sqrt(y / y_a)) ** -power)

    def level(self, level: Level, binding: float, energy: Floats) -> Floats:
        """Cross-section of a level with a binding energy (keV)."""
        gaunt = np.ones_like(energy)
        if level.n in self.karzas_latter:
            table = self.karzas_latter[level.n]
            # its abscissa is E/(Z² Ry), and the binding energy is Z² Ry/n²
            x = energy / binding / level.n**2
            gaunt = np.exp(np.interp(np.log(x), np.log(table[:, 0]), np.log(table[:, 1 + min(level.l, level.n - 1)])))
        # Kramers: 64π α a₀²/(3√3) (n/Z²) (I/E)³ g with Z² = n² I/Ry
        constant = 64 * np.pi * FINE_STRUCTURE * (CLASSICAL_RADIUS / FINE_STRUCTURE**2) ** 2 / (3 * np.sqrt(3))
        return np.asarray(constant * RYDBERG * binding**2 / (level.n * energy**3) * gaunt)


def free_bound(kelvin: float, energy: Floats, binding: float, weights: tuple[float, float], sigma: Floats) -> Floats:
    """Recombination into one level, per electron and per recombining ion.

    Milne relation with a Maxwellian: √(2/π) c (mc² kT)^{−3/2} (g_level/g_ion) E² σ e^{−(E−I)/kT} above E = I.
    """
    kt = KEV_PER_K * kelvin
    level, ion = weights
    rate = np.sqrt(2 / np.pi) * LIGHT * (ELECTRON * kt) ** -1.5 * level / ion * energy**2 * sigma
    return np.where(energy >= binding, rate * np.exp(binding / kt), 0.0)


class TwoPhoton:
    """Spectrum of two-photon decays: H-like 2s (Goldman & Drake 1981, PRA 24, 183), He-like 1s2s ¹S (Drake 1986)."""

    def __init__(self, database: Database) -> None:
        self.tables = {}
        for electrons, name in ((1, "hseq"), (2, "heseq")):
            rows = [row.split() for row in database.table(f"continuum/{name}_2photon.dat")]
            y = np.array(rows[0], dtype=float)
            for row in rows[1:]:
                if len(row) >= len(y) + 2:
                    shape = np.array(row[-len(y) :], dtype=float)
                    self.tables[int(row[0]), electrons] = y, 2 * shape / np.trapezoid(shape, y)

    def __call__(self, z: int, electrons: int, total: float, kelvin: float, energy: Floats) -> Floats:
        """Photons keV⁻¹ per decay, when both photons together have an energy (keV)."""
        y, shape = self.tables[z, electrons]
        inside = np.interp(energy / total, y, shape, right=0.0) / total
        return np.asarray(inside * np.exp(np.where(energy < total, energy, 0.0) / (KEV_PER_K * kelvin)))
