"""Make ``data/thermal.npz``, the built-in table of `stixcore.spectra.models.thermal`, from a CHIANTI database.

    python -m stixcore.spectra.makers.thermal FOLDER CSV [OUT]

FOLDER is an unpacked CHIANTI 10.1 database (https://www.chiantidatabase.org). CSV contains emissivities of lines and
continuum of CHIANTI 10.0 in 0.1 Å steps (those of xrtpy 0.5.1): they complete the iron lines of 6.4-6.7 keV where the
copy of the database lacks collision strengths. The same files give the same table, bit for bit.

CHIANTI is free to use; cite Dere et al. 1997, A&AS 125, 149 and Del Zanna et al. 2021, ApJ 909, 38.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from stixcore.spectra.makers.chianti_database import Database, Floats
from stixcore.spectra.makers.continuum import KEV_PER_K, BoundFree, Gaunt, TwoPhoton, free_bound, free_free
from stixcore.spectra.makers.lines import Ion
from stixcore.spectra.models.chianti_files import WAVELENGTH_KEV
from stixcore.spectra.models.thermal import FILE_NAME, FLOOR, group_of

#: Coronal abundances of Feldman 1992, Physica Scripta 46, 202, extended: ``sun_coronal_ext`` of OSPEX.
ABUNDANCES = "archive/sun_coronal_1992_feldman_ext.abund"
LOG_T = np.arange(6.0, 8.001, 0.05)
LOWEST, HIGHEST = 2.0, 500.0  # keV
DENSITY = 1e10  # cm⁻³
TRACE = 1e-8  # elements of a lower abundance have no lines here
#: Lines are summed within cells of this width, keV, and cells below this fraction of 0.1 keV of continuum left out.
CELL, FAINT = 0.002, 3e-4
#: Energy (keV) and range (Å) of what the iron lines lack: inner-shell excitation of Fe XXI and Fe XXIII.
IRON_ENERGY, IRON_WAVELENGTH = 6.60, 1.9


class Plasma:
    """Ion fractions, abundances and the emissivities of all ions, at the temperatures of the table."""

    def __init__(self, folder: Path) -> None:
        self.database, self.log_t = Database(folder), LOG_T
        self.kelvin = 10**self.log_t
        grid, fractions = self.database.ion_fractions()
        self.fractions = {
            ion: 10 ** CubicSpline(grid, np.log10(np.clip(values, 1e-40, None)))(self.log_t)
            for ion, values in fractions.items()
        }
        self.abundances = self.database.abundances(ABUNDANCES)
        self.binding = self.database.ionisation_energies()
        self.two_photon: list[tuple[int, int, float, Floats]] = []

    def continuum(self, energy: Floats) -> Floats:
        """Continuum of each abundance group, divided by exp(−E/kT), (group, temperature, energy)."""
        found = np.zeros((3, len(self.kelvin), len(energy)))
        gaunt, bound_free, pair = Gaunt(self.database), BoundFree(self.database), TwoPhoton(self.database)
        for z in range(1, 31):
            for stage in range(1, z + 1):
                found[group_of(z)] += self._recombination(bound_free, z, stage, energy)
        for i, kelvin in enumerate(self.kelvin):
            for charge in range(1, 31):
                amounts = np.zeros(3)
                for z in range(charge, 31):
                    amounts[group_of(z)] += self.abundances[z - 1] * self.fractions[z, charge + 1][i]
                flux = free_free(charge, kelvin, energy, gaunt(charge, kelvin, energy))
                found[:, i] += amounts[:, None] * flux
        for z, electrons, total, decays in self.two_photon:
            for i, kelvin in enumerate(self.kelvin):
                found[group_of(z), i] += decays[i] * pair(z, electrons, total, kelvin, energy)
        return found

    def _recombination(self, bound_free: BoundFree, z: int, stage: int, energy: Floats) -> Floats:
        found = np.zeros((len(self.kelvin), len(energy)))
        following = self.database.bound_levels(z, stage + 1) if stage < z else []
        weight = following[0].weight if following else 1.0
        for k, level in enumerate(self.database.bound_levels(z, stage)):
            binding = self.binding[z, stage] - level.energy
            if binding <= 0:
                continue
            ground = k == 0 and (z, z - stage + 1) in bound_free.verner
            sigma = bound_free.ground(z, z - stage + 1, energy) if ground else bound_free.level(level, binding, energy)
            for i in np.flatnonzero(self.fractions[z, stage + 1] > 1e-12):
                rate = free_bound(self.kelvin[i], energy, binding, (level.weight, weight), sigma)
                found[i] += self.abundances[z - 1] * self.fractions[z, stage + 1][i] * rate
        return found

    def edges(self) -> list[float]:
        """Recombination edges and ends of two-photon spectra, keV, of elements that matter."""
        found = {total for _, _, total, _ in self.two_photon}
        for z in (int(i) + 1 for i in np.flatnonzero(self.abundances > 1e-6)):
            for stage in range(1, z + 1):
                if self.fractions[z, stage + 1].max() > 1e-3:
                    levels = self.database.bound_levels(z, stage)
                    found |= {round(self.binding[z, stage] - level.energy, 4) for level in levels if level.n <= 3}
        return sorted(e for e in found if LOWEST < e < HIGHEST)

    def lines(self) -> tuple[Floats, Floats, Floats]:
        """Energy, abundance group and emissivity (temperature, line) of all lines; collects the two-photon decays."""
        energy, group, emissivity = [], [], []
        for z in range(14, 29):
            for stage in range(1, z + 1):
                if self.abundances[z - 1] < TRACE or self.fractions[z, stage].max() < 1e-6:
                    continue
                wavelengths = [wavelength for _, _, wavelength, _ in self.database.radiative(z, stage)]
                if not any(0 < wavelength <= WAVELENGTH_KEV / LOWEST for wavelength in wavelengths):
                    continue
                here, after = self.fractions[z, stage], self.fractions[z, stage + 1]
                # both can be 0; where this ion is so rare, its lines are too faint for the table
                ratio = np.clip(after, 1e-30, None) / np.clip(here, 1e-25, None)
                binding = self.binding[z, stage]
                ion = Ion(self.database, z, stage, self.kelvin, ratio, binding=binding, density=DENSITY)
                amount = self.abundances[z - 1] * here
                found = ion.lines(LOWEST)
                energy.append(found.energy)
                group.append(np.full(len(found.energy), group_of(z)))
                emissivity.append(found.emissivity * amount[:, None])
                if z - stage < 2:
                    self.two_photon += [
                        (z, z - stage + 1, total, decays * amount) for total, decays in found.two_photon
                    ]
        return np.concatenate(energy), np.concatenate(group), np.concatenate(emissivity, axis=1)


def in_cells(energy: Floats, group: Floats, emissivity: Floats) -> tuple[Floats, Floats, Floats]:
    """Lines of a group that are closer than a cell become one, at their mean energy."""
    keys, index = np.unique(np.round(energy / CELL).astype(int) * 3 + group, return_inverse=True)
    summed = np.array([np.bincount(index, row, minlength=len(keys)) for row in emissivity])
    weight = emissivity.max(axis=0) + 1e-99
    mean = np.bincount(index, weight * energy) / np.bincount(index, weight)
    return mean, keys % 3, summed


def missing_iron(plasma: Plasma, csv_file: Path, energy: Floats, emissivity: Floats) -> Floats:
    """What the lines lack in the 0.1 Å around 1.9 Å, photons cm³ s⁻¹ at each temperature."""
    with csv_file.open(encoding="utf-8") as stream:
        rows = list(csv.reader(line for line in stream if not line.startswith("#")))
    column = rows[0].index(f"{IRON_WAVELENGTH:.1f}")
    grid = np.log10([float(row[0]) for row in rows[1:]])
    values = np.array([float(row[column]) for row in rows[1:]]) * 4 * np.pi * 0.1
    total = np.exp(np.interp(plasma.log_t, grid, np.log(values) + WAVELENGTH_KEV / IRON_WAVELENGTH / _kt(grid)))
    # fine energies: the continuum falls within the range
    fine = WAVELENGTH_KEV / (IRON_WAVELENGTH + np.linspace(-0.05, 0.05, 21))
    slow = plasma.continuum(fine).sum(axis=0) * np.exp((fine[10] - fine) / _kt(plasma.log_t)[:, None])
    continuum = -np.trapezoid(slow, fine, axis=1)
    inside = np.abs(WAVELENGTH_KEV / energy - IRON_WAVELENGTH) <= 0.05
    known = (emissivity[:, inside].sum(axis=1)) * np.exp(fine[10] / _kt(plasma.log_t))
    lacking = np.where(plasma.log_t < grid[0], 0.0, total - continuum - known)
    # never zero: logarithms are interpolated
    return np.asarray(np.maximum(lacking, 1e-3 * known) * np.exp(-fine[10] / _kt(plasma.log_t)))


def _kt(log_t: Floats) -> Floats:
    return np.asarray(KEV_PER_K * 10**log_t)


def table(folder: Path, csv_file: Path) -> dict[str, object]:
    """Arrays of the data file."""
    plasma = Plasma(folder)
    energy, group, emissivity = plasma.lines()
    lacking = missing_iron(plasma, csv_file, energy, emissivity)
    energy, group, emissivity = in_cells(
        np.append(energy, IRON_ENERGY), np.append(group, group_of(26)), np.column_stack([emissivity, lacking])
    )
    edges = np.array(plasma.edges())
    grid = np.geomspace(LOWEST, HIGHEST, 260)
    grid = np.unique(np.concatenate([grid, edges * (1 - 1e-6), edges * (1 + 1e-6)]))
    continuum = plasma.continuum(grid)
    kt = _kt(plasma.log_t)[:, None]
    local = np.array([np.interp(energy, grid, row) for row in continuum.sum(axis=0)]) * np.exp(-energy / kt)
    bright = (emissivity / np.clip(local, 1e-300, None) > FAINT * 0.1).any(axis=0)
    energy, group, emissivity = energy[bright], group[bright], emissivity[:, bright]
    return {
        "version": f"CHIANTI {plasma.database.version}",
        "source": "CHIANTI database; coronal abundances of Feldman 1992 (sun_coronal_ext); chianti.ioneq",
        "log_t": plasma.log_t,
        "energy": grid,
        "continuum": _logarithm(continuum),
        "line_energy": energy,
        "line_group": group.astype(np.int8),
        "lines": np.clip(_logarithm(emissivity) + energy / kt, FLOOR, None).astype(np.float32),
    }


def _logarithm(values: Floats) -> Floats:
    return np.asarray(np.log(np.clip(values, np.exp(FLOOR), None)).astype(np.float32))


def main(folder: Path, csv_file: Path, out: Path) -> None:
    """Write the data file."""
    np.savez_compressed(out, **table(folder, csv_file))  # type: ignore[arg-type]  # names of arrays, not options


if __name__ == "__main__":
    _default = Path(__file__).parent.parent / "data" / FILE_NAME
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else _default)
