"""Read the text files of a CHIANTI database folder (``fe/fe_25/fe_25.elvlc`` …).

Formats: Dere et al. 1997, A&AS 125, 149; Young et al. 2003, ApJS 144, 135; Dere et al. 2019, ApJS 241, 22.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stixcore.errors import CalibrationError

Floats = npt.NDArray[np.float64]
#: Elements by atomic number − 1, in few lines: they name folders and files.
SYMBOLS = [
    "h", "he", "li", "be", "b", "c", "n", "o", "f", "ne", "na", "mg", "al", "si", "p",
    "s", "cl", "ar", "k", "ca", "sc", "ti", "v", "cr", "mn", "fe", "co", "ni", "cu", "zn",
]  # fmt: skip
#: 1 cm⁻¹ in keV (CODATA 2018).
KEV_PER_CM = 1.239841984e-7


@dataclass(frozen=True, eq=False)
class Level:
    """One bound level: energy above the ground level, keV; statistical weight; quantum numbers n and l."""

    energy: float
    weight: float
    n: int
    l: int  # noqa: E741 - the quantum number


@dataclass(frozen=True, eq=False)
class Excitation:
    """Scaled effective collision strengths of one transition (Burgess & Tully 1992, A&A 254, 436)."""

    lower: int
    upper: int
    energy: float  # Ry
    kind: int
    constant: float
    x: Floats
    y: Floats


class Database:
    """A CHIANTI database folder.

    Raises
    ------
    CalibrationError
        When the folder has no ``VERSION``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "VERSION").is_file():
            message = f"{folder.name} is not a CHIANTI database: it contains no file VERSION."
            raise CalibrationError(message)
        self.version = (folder / "VERSION").read_text().strip()

    def rows(self, z: int, stage: int, kind: str) -> list[str]:
        """Lines of data of one file of an ion (stage 1: neutral); none when the file is missing or only a pointer."""
        name = f"{SYMBOLS[z - 1]}_{stage}"
        path = self.folder / SYMBOLS[z - 1] / name / f"{name}.{kind}"
        if not path.is_file():
            return []
        text = path.read_text(encoding="latin-1")
        return [] if text.startswith("version https://git-lfs") else _data(text)

    def table(self, name: str) -> list[str]:
        """Lines of data of a file of the folder."""
        return _data((self.folder / name).read_text(encoding="latin-1"))

    def ionisation_energies(self) -> dict[tuple[int, int], float]:
        """Ionisation energy of (z, stage), keV."""
        values = (row.split() for row in self.table("ip/chianti.ip"))
        return {(int(z), int(stage)): float(value) * KEV_PER_CM for z, stage, value in values}

    def ion_fractions(self) -> tuple[Floats, dict[tuple[int, int], Floats]]:
        """Grid of log10 T, and the fraction of each (z, stage) on it."""
        lines = (self.folder / "ioneq/chianti.ioneq").read_text(encoding="latin-1").splitlines()
        count = int(lines[0].split()[0])
        log_t = np.array(_fixed(lines[1], 6, count))
        fractions = {}
        for line in lines[2:]:
            if line.strip().startswith("-1"):
                break
            fractions[int(line[:3]), int(line[3:6])] = np.array(_fixed(line[6:], 10, count))
        return log_t, fractions

    def abundances(self, name: str) -> Floats:
        """Number of atoms per hydrogen atom, by atomic number − 1."""
        found = np.zeros(len(SYMBOLS))
        for row in self.table(f"abundance/{name}"):
            z, logarithm = row.split()[:2]
            found[int(z) - 1] = 10.0 ** (float(logarithm) - 12.0)
        return found

    def levels(self, z: int, stage: int) -> tuple[Floats, Floats]:
        """Energy (keV; observed where known, else theoretical) and statistical weight of each level."""
        energies, weights = [], []
        for row in self.rows(z, stage, "elvlc"):
            j, observed, theoretical = (float(value) for value in row[40:].split(",")[0].split()[-3:])
            energies.append(KEV_PER_CM * (observed if observed >= 0 else theoretical))
            weights.append(2 * j + 1)
        return np.array(energies), np.array(weights)

    def bound_levels(self, z: int, stage: int) -> list[Level]:
        """Levels into which an electron recombines (configurations)."""
        found = []
        for row in self.rows(z, stage, "fblvl"):
            n, ell, _, weight, observed, theoretical = row[25:].split()
            energy = float(observed) or float(theoretical)
            found.append(Level(energy * KEV_PER_CM, float(weight), int(n), int(ell)))
        return found

    def radiative(self, z: int, stage: int) -> list[tuple[int, int, float, float]]:
        """Lower level, upper level (from 1), wavelength (Å; 0: two photons), rate (s⁻¹)."""
        values = (row.split() for row in self.rows(z, stage, "wgfa"))
        return [(int(v[0]), int(v[1]), abs(float(v[2])), float(v[4])) for v in values]

    def autoionisation(self, z: int, stage: int) -> list[tuple[int, int, float]]:
        """Level of the next ion, level of this ion, rate (s⁻¹)."""
        values = (row.split() for row in self.rows(z, stage, "auto"))
        return [(int(v[0]), int(v[1]), float(v[2])) for v in values]

    def recombination(self, z: int, stage: int) -> list[tuple[int, Floats, Floats]]:
        """Level of this ion, T (K), radiative recombination rate into it (cm³ s⁻¹) from the next ion's ground."""
        rows, logarithmic = self.rows(z, stage, "rrlvl"), False
        if not rows:
            rows, logarithmic = self.rows(z, stage, "reclvl"), True
        found = []
        for grid, rates in zip(rows[::2], rows[1::2], strict=True):
            head, t = grid.split()[:4], np.array(grid.split()[4:], dtype=float)
            if int(head[2]) == 1:
                found.append((int(head[3]), 10**t if logarithmic else t, np.array(rates.split()[4:], dtype=float)))
        return found

    def excitations(self, z: int, stage: int) -> list[Excitation]:
        """Collisional excitation by electrons."""
        rows, found = self.rows(z, stage, "scups"), []
        for first, x, y in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            v = first.split()
            lower, upper, energy, kind, constant = int(v[0]), int(v[1]), float(v[2]), int(v[6]), float(v[7])
            strengths = np.array(x.split(), dtype=float), np.array(y.split(), dtype=float)
            found.append(Excitation(lower, upper, energy, kind, constant, *strengths))
        return found


def _data(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        if line.split()[:1] == ["-1"] or line.startswith("%"):
            break
        if line.strip():
            found.append(line)
    return found


def _fixed(line: str, width: int, count: int) -> list[float]:
    return [float(line[i * width : (i + 1) * width]) for i in range(count)]
