"""Thermal X-ray spectrum of an isothermal, optically thin plasma: the f_vth of OSPEX.

F = EM·ε(E, T)/(4π AU²), with ε from a table of lines and continuum in collisional ionisation equilibrium. The built-in
table is computed from the CHIANTI 10.1 database (Dere et al. 1997, A&AS 125, 149; Del Zanna et al. 2021, ApJ 909, 38);
`stixcore.spectra.models.chianti_files` reads the tables that OSPEX uses.

Accuracy of the built-in table: continuum within 0.4 % and total within 2 % of f_vth with CHIANTI 7.1 at 6 MK,
3-28 keV, at the energies where OSPEX evaluates it; within 1.2 % of CHIANTI 10.0 at 6-50 MK, 3-12 keV, but 6 % beside
the K edge of iron (8.6-9.2 keV) above 25 MK. OSPEX takes the continuum at the geometric mean of the edges of a bin; the
mean over the bin, returned here, is higher by about (ΔE/kT)²/24: 3-4 % for bins of one kT, nothing on the axis of the
instrument.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from stixcore.errors import SelectionError
from stixcore.references import TableReference

Floats = npt.NDArray[np.float64]
#: Boltzmann's constant, keV per MK (CODATA 2018).
KEV_PER_MK = 0.08617333262
AU = 1.495978707e13  # cm, IAU 2012
EM_UNIT = 1e49  # cm⁻³
FILE_NAME = "thermal.npz"
#: Atomic numbers whose abundance the parameter scales: Si, Ca, Fe, Ni; S follows with half of the deviation from 1.
SCALED = (14, 20, 26, 28)
HALF_SCALED = (16,)
#: Smallest number whose logarithm a table contains: no emission.
FLOOR = -690.0


def group_of(z: int) -> int:
    """How abundance scales an element: 0 not at all, 1 fully, 2 with half of its deviation from 1."""
    return 1 if z in SCALED else 2 if z in HALF_SCALED else 0


@dataclass(frozen=True, eq=False)
class ThermalTable:
    """Emissivity of a hot plasma: photons cm³ s⁻¹ (lines) and photons cm³ s⁻¹ keV⁻¹ (continuum), whole sphere.

    Both are divided by exp(−E/kT), so that they vary slowly with T and E. The second axis of groups is that of
    `group_of`.

    Attributes
    ----------
    name, version, source : str
        For example ``built in``, ``CHIANTI 10.1`` and where it comes from.
    log_t : (T,) float
        log10 of the temperature in K, increasing.
    energy : (E,) float, keV
        Grid of the continuum, increasing.
    continuum : (3, T, E) float
        ln of the continuum of each abundance group.
    line_energy : (L,) float, keV
    line_group : (L,) int
    lines : (T, L) float
        ln of the line emissivities.
    """

    name: str
    version: str
    source: str
    log_t: Floats
    energy: Floats
    continuum: Floats
    line_energy: Floats
    line_group: npt.NDArray[np.int64]
    lines: Floats

    @property
    def label(self) -> str:
        """Name and version, for results: ``CHIANTI 10.1 (built in)``."""
        return f"{self.version} ({self.name})"

    @cached_property
    def reference(self) -> TableReference:
        """Label, and SHA-256 of the numbers, for recipes."""
        digest = hashlib.sha256()
        for values in (self.log_t, self.energy, self.continuum, self.line_energy, self.line_group, self.lines):
            digest.update(np.ascontiguousarray(values).tobytes())
        return TableReference(self.label, digest.hexdigest())

    @property
    def temperature_range(self) -> tuple[float, float]:
        """Lowest and highest temperature, MK."""
        return float(10 ** (self.log_t[0] - 6)), float(10 ** (self.log_t[-1] - 6))

    def continuum_emissivity(self, energy: Floats, temperature: float, abundance: float = 1.0) -> Floats:
        """Continuum at energies (keV), photons cm³ s⁻¹ keV⁻¹. Outside its grid the table is extended by exp(−E/kT)."""
        at, weights = self._around(temperature)
        groups = np.exp(np.einsum("t,gte->ge", weights, self.continuum[:, at]))
        slow = np.log(np.clip(np.array(abundance_factors(abundance)) @ groups, 1e-300, None))
        found = np.interp(np.log(energy), np.log(self.energy), slow)
        return np.asarray(np.exp(found - energy / (KEV_PER_MK * temperature)))

    def line_emissivity(self, temperature: float, abundance: float = 1.0) -> Floats:
        """Emissivity of each line, (n_line,) float, photons cm³ s⁻¹."""
        at, weights = self._around(temperature)
        slow = np.einsum("t,tl->l", weights, self.lines[at])
        factor = np.array(abundance_factors(abundance))[self.line_group]
        return np.asarray(factor * np.exp(slow - self.line_energy / (KEV_PER_MK * temperature)))

    def _around(self, temperature: float) -> tuple[slice, Floats]:
        """Cubic Hermite interpolation in log T with slopes from the neighbours: four temperatures and their weights.

        Its derivative is continuous, which a fit needs; the parabolas of OSPEX meet at an angle.
        """
        x = np.log10(temperature) + 6
        first = int(np.clip(np.searchsorted(self.log_t, x, side="right") - 2, 0, len(self.log_t) - 4))
        x0, x1, x2, x3 = self.log_t[first : first + 4]
        if not x1 <= x <= x2:  # the first and the last interval of the table: the cubic through four points
            nodes = self.log_t[first : first + 4]
            others = [np.delete(nodes, i) for i in range(4)]
            return slice(first, first + 4), np.array(
                [np.prod((x - o) / (n - o)) for n, o in zip(nodes, others, strict=True)]
            )
        step, u = x2 - x1, (x - x1) / (x2 - x1)
        slope1, slope2 = u * (1 - u) ** 2 * step / (x2 - x0), u**2 * (u - 1) * step / (x3 - x1)
        value2 = u**2 * (3 - 2 * u)
        return slice(first, first + 4), np.array([-slope1, 1 - value2 - slope2, value2 + slope1, slope2])


def abundance_factors(abundance: float) -> tuple[float, float, float]:
    """Factors of the three groups of elements of `group_of`, as in OSPEX: 1, a, (1 + a)/2."""
    return 1.0, abundance, (1.0 + abundance) / 2


def thermal(
    photon_edges: npt.ArrayLike,
    temperature: float,
    emission_measure: float,
    *,
    abundance: float = 1.0,
    table: ThermalTable | None = None,
) -> Floats:
    """Mean photon flux of a thermal source in each bin.

    Parameters
    ----------
    photon_edges : (J+1,) float, keV
        Increasing and positive.
    temperature : float, MK
    emission_measure : float, 10⁴⁹ cm⁻³
        Volume emission measure n_e n_H V.
    abundance : float
        Abundance of Fe, Ni, Si and Ca relative to the table's coronal abundances; S has half of the deviation from 1.
    table : ThermalTable, optional
        The built-in table by default.

    Returns
    -------
    (J,) float, photons s⁻¹ cm⁻² keV⁻¹ at 1 AU

    Raises
    ------
    SelectionError
        When edges do not increase, the temperature is outside the table, or a value is negative or not finite.
    """
    table = built_in_table() if table is None else table
    edges = _checked_edges(photon_edges)
    _check_parameters(temperature, emission_measure, abundance, table)
    continuum = _bin_means(edges, temperature, abundance, table)
    lines = _line_bins(edges, table.line_energy, table.line_emissivity(temperature, abundance))
    # F = EM ε/(4π AU²)
    return np.asarray((continuum + lines / np.diff(edges)) * (emission_measure * EM_UNIT / (4 * np.pi * AU**2)))


def _bin_means(edges: Floats, temperature: float, abundance: float, table: ThermalTable) -> Floats:
    """Mean of the continuum in each bin.

    A bin is divided into 1, 2, 4 … 64 parts not wider than kT, with three Gauss-Legendre points in each: their error is
    (ΔE/kT)⁶/2·10⁶. The midpoint is enough for bins below kT/20: (ΔE/kT)²/24 = 10⁻⁴.
    """
    widths = np.diff(edges)
    relative = widths / (KEV_PER_MK * temperature)
    parts = 2 ** np.ceil(np.log2(np.clip(relative, 1, 64))).astype(int)
    parts[relative < 0.05] = 0
    found = np.empty(len(widths))
    for count in np.unique(parts):
        chosen = parts == count
        x, weights = np.polynomial.legendre.leggauss(3 if count else 1)
        divisions = max(int(count), 1)
        fractions = ((np.arange(divisions)[:, None] + (x + 1) / 2) / divisions).ravel()
        energy = edges[:-1][chosen, None] + widths[chosen, None] * fractions
        values = table.continuum_emissivity(energy.ravel(), temperature, abundance).reshape(energy.shape)
        found[chosen] = values @ np.tile(weights / 2 / divisions, divisions)
    return found


def _line_bins(edges: Floats, energy: Floats, emissivity: Floats) -> Floats:
    """Lines in bins: each is shared by its bin and a neighbour so that its mean energy is kept, as in OSPEX."""
    centres, count = (edges[1:] + edges[:-1]) / 2, len(edges) - 1
    inside = (energy >= edges[0]) & (energy < edges[-1])
    energy, emissivity = energy[inside], emissivity[inside]
    if count == 1:
        return np.array([emissivity.sum()])
    low = np.clip(np.searchsorted(centres, energy, side="right") - 1, 0, count - 2)
    share = np.clip((energy - centres[low]) / (centres[low + 1] - centres[low]), 0.0, 1.0)
    found = np.bincount(low, emissivity * (1 - share), minlength=count)
    return np.asarray(found + np.bincount(low + 1, emissivity * share, minlength=count))


def _checked_edges(photon_edges: npt.ArrayLike) -> Floats:
    edges = np.asarray(photon_edges, dtype=float)
    if (
        edges.ndim != 1
        or len(edges) < 2
        or not np.all(np.isfinite(edges))
        or edges[0] <= 0
        or np.any(np.diff(edges) <= 0)
    ):
        message = "photon_edges: at least two positive energies in increasing order are needed."
        raise SelectionError(message)
    return edges


def _check_parameters(temperature: float, emission_measure: float, abundance: float, table: ThermalTable) -> None:
    low, high = table.temperature_range
    if not low * 0.9999 <= temperature <= high * 1.0001:
        message = f"temperature {temperature:g} MK is outside the range of the table, {low:.3g}-{high:.3g} MK."
        raise SelectionError(message)
    for name, value in (("emission_measure", emission_measure), ("abundance", abundance)):
        if not 0 <= value < np.inf:
            message = f"{name} {value:g} is negative or not finite."
            raise SelectionError(message)


@cache
def built_in_table() -> ThermalTable:
    """The table in ``stixcore/spectra/data``, made by `stixcore.spectra.makers.thermal`."""
    with files("stixcore.spectra").joinpath("data", FILE_NAME).open("rb") as stream, np.load(stream) as data:
        return ThermalTable(
            name="built in",
            version=str(data["version"]),
            source=str(data["source"]),
            log_t=data["log_t"].astype(float),
            energy=data["energy"].astype(float),
            continuum=data["continuum"].astype(float),
            line_energy=data["line_energy"].astype(float),
            line_group=data["line_group"].astype(np.int64),
            lines=data["lines"].astype(float),
        )
