"""X-rays that the photosphere reflects towards the observer (albedo)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.spectra.models.bremsstrahlung import check_edges

Floats = NDArray[np.float64]

#: Between these energies, keV, scattering without energy loss gives way to the Green's function.
CHANGE = (10.0, 12.0)


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Reflection of photons by the photosphere, for an isotropic source above it.

    Attributes
    ----------
    mu : Floats (M,)
        Cosines of the angle between the vertical and the direction to the observer, ascending.
    nodes : Floats (K,)
        Energies of the Green's function, keV.
    green : Floats (M, K, K)
        Reflected flux at an energy (second axis) per keV of direct flux at another (last axis), keV⁻¹.
    slope : float
        Between nodes, green × E^slope is linear in the reflected energy.
    elastic_energies, elastic : Floats (L,), (M, L) or None
        Reflected over direct flux at the same energy, which holds below 10 keV; None where ``green`` holds everywhere.
    """

    mu: Floats
    nodes: Floats
    green: Floats
    slope: float = 0.0
    elastic_energies: Floats | None = None
    elastic: Floats | None = None


@cache
def shipped_table() -> ReflectionTable:
    """The table that ``stixcore.spectra.makers.albedo`` made from the functions of Magdziarz & Zdziarski 1995."""
    with as_file(files("stixcore.spectra") / "data" / "albedo.npz") as path, np.load(path) as table:
        low, high = table["log_range"]
        nodes, codes = table["nodes"], table["green"]
        green = np.zeros((codes.shape[0], nodes.size, nodes.size))
        green[:, *np.triu_indices(nodes.size)] = np.where(codes, np.exp(low + codes / 65535 * (high - low)), 0.0)
        return ReflectionTable(
            table["mu"],
            nodes,
            green,
            float(table["slope"]),
            table["elastic_energies"],
            table["elastic"].astype(float),
        )


class Albedo:
    """Reflected flux of any photon spectrum, for one photon axis and one position on the Sun.

    Parameters
    ----------
    photon_edges : Floats (J+1,)
        Edges of the photon bins, keV. Photons above the last edge are not there to be scattered down.
    angle_deg : float
        Heliocentric angle of the flare as the spacecraft sees it, 0 (disk centre) to 90 (limb), degree. Beyond the
        table (mu 0.05-0.95) its end is used.
    anisotropy : float
        Flux towards the observer over flux towards the photosphere; 1 for an isotropic source.
    table : ReflectionTable, optional
        Another table than the shipped one.

    Raises
    ------
    SelectionError
        When the edges, the angle or the anisotropy are invalid.

    Notes
    -----
    R(E) = ∫ G(mu, E, E₀) F(E₀) dE₀ / anisotropy, G linear between the table's cosines. Source: Magdziarz & Zdziarski
    1995, MNRAS 273, 837; use in flares: Kontar et al. 2006, A&A 446, 1157. Outside the table (3-600 keV) nothing is
    reflected.

    The table gives the published function to 0.3 % for a power law of index 3 and 0.8 % for index 7; the function
    agrees with an own Monte Carlo calculation to 4 %. The matrices of OSPEX (and sunkit-spex) differ from both: for
    index 3 they reflect up to 15 % more between 17 and 60 keV, and 40 to 50 % less at 10 keV.
    """

    def __init__(
        self,
        photon_edges: Floats,
        angle_deg: float,
        *,
        anisotropy: float = 1.0,
        table: ReflectionTable | None = None,
    ) -> None:
        edges = np.asarray(photon_edges, dtype=float)
        check_edges(edges)
        if not 0.0 <= angle_deg <= 90.0:
            message = f"angle_deg must be between 0 and 90 degrees, found {angle_deg}"
            raise SelectionError(message)
        if not anisotropy > 0.0 or not np.isfinite(anisotropy):
            message = f"anisotropy must be a positive number, found {anisotropy}"
            raise SelectionError(message)
        table = shipped_table() if table is None else table
        self.angle, self.anisotropy = float(angle_deg), float(anisotropy)
        self._energies, self._widths = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges)
        self._nodes, self._slope = table.nodes, table.slope
        lower, weight = _place(table.mu, np.array([np.cos(np.radians(self.angle))]))
        low, share = int(lower[0]), float(weight[0])
        self._green = (1.0 - share) * table.green[low] + share * table.green[low + 1]
        self._left, self._weight = _place(table.nodes, self._energies)
        self._inside = (self._energies >= table.nodes[0]) & (self._energies <= table.nodes[-1])
        self._factor, self._compton = np.zeros(self._energies.shape), np.ones(self._energies.shape)
        if table.elastic is not None and table.elastic_energies is not None:
            factor = (1.0 - share) * table.elastic[low] + share * table.elastic[low + 1]
            self._compton = _change(self._energies)
            known = (self._energies >= table.elastic_energies[0]) & (self._energies <= CHANGE[1])
            self._factor[known] = np.interp(self._energies[known], table.elastic_energies, factor)

    def reflected(self, flux: Floats) -> Floats:
        """Reflected flux in each bin.

        Parameters
        ----------
        flux : Floats (J,)
            Direct photon flux per keV in each bin, any unit.

        Returns
        -------
        Floats (J,)
            In the same unit, to be added to the direct flux.

        Raises
        ------
        SelectionError
            When the flux does not have one value per bin.
        """
        flux = np.asarray(flux, dtype=float)
        if flux.shape != self._energies.shape:
            message = f"flux must have one value per photon bin {self._energies.shape}, found {flux.shape}"
            raise SelectionError(message)
        photons = np.where(self._inside, flux * self._widths, 0.0)
        count = self._nodes.size
        at_nodes = np.bincount(self._left, photons * (1.0 - self._weight), count)
        at_nodes += np.bincount(self._left + 1, photons * self._weight, count)
        steep = self._nodes**self._slope * (self._green @ at_nodes)
        scattered = steep[self._left] * (1.0 - self._weight) + steep[self._left + 1] * self._weight
        scattered = np.where(self._inside, scattered * self._energies**-self._slope, 0.0)
        elastic = self._factor * flux
        return np.asarray((self._compton * scattered + (1.0 - self._compton) * elastic) / self.anisotropy)


def _place(grid: Floats, values: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Index of the grid point below each value and the weight 0 … 1 of the next one; the ends outside."""
    left = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, grid.size - 2)
    return left, np.clip((values - grid[left]) / (grid[left + 1] - grid[left]), 0.0, 1.0)


def _change(energies: Floats) -> Floats:
    """Share of the Green's function: 0 below 10 keV, 1 above 12, a sine in the logarithm between."""
    low, high = np.log(CHANGE)
    return np.asarray((1.0 + np.sin(np.pi * (np.clip((np.log(energies) - low) / (high - low), 0.0, 1.0) - 0.5))) / 2.0)
