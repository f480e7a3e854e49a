"""Components of a fit, and their counts in the channels as fast interpolations.

The flux of a component is linear in its first parameter and depends on one or two more. The flux per unit is computed
on a grid of these, as the fit needs the nodes, and kept for other spectra; folded with the response it gives the
logarithm of the counts at the nodes; cubic convolution with four nodes in each direction (Keys 1981, IEEE Trans. ASSP
29, 1153), whose derivatives are continuous, gives what lies between. The error of the interpolation is about 0.1 % of
the counts (tests); results carry the counts of the exact model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from stixcore.spectra.fit.parameters import Parameter
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thermal import KEV_PER_MK, ThermalTable, thermal
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.models.thin_target import thin_target

Floats = NDArray[np.float64]
#: Flux of a component: edges (J + 1,), varied parameters, constants by name -> (J,) ph s⁻¹ cm⁻² keV⁻¹ at 1 AU.
FluxFunction = Callable[[Floats, tuple[float, ...], Mapping[str, float]], Floats]

CACHED = 1500  # photon spectra, 26 kB each
TINY = 1e-300  # least counts whose logarithm is taken


@dataclass(frozen=True)
class Component:
    """A component that a model may contain.

    Attributes
    ----------
    name : str
        As in OSPEX.
    norm : Parameter
        The linear parameter.
    shape : tuple of Parameter
        The others, one or two.
    flux : callable
        Flux for a norm of 1.
    constants : mapping
        Further parameters, which are not varied, with their usual values.
    """

    name: str
    norm: Parameter
    shape: tuple[Parameter, ...]
    flux: FluxFunction
    constants: Mapping[str, float] = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that can be varied, the norm first."""
        return (self.norm, *self.shape)


def _vth(edges: Floats, shape: tuple[float, ...], constants: Mapping[str, float]) -> Floats:
    return thermal(edges, shape[0] / KEV_PER_MK, 1.0, abundance=constants["abundance"])


@lru_cache(maxsize=4)
def components_with(table: ThermalTable) -> Mapping[str, Component]:
    """The components, with another thermal table than the built-in one."""

    def flux(edges: Floats, shape: tuple[float, ...], constants: Mapping[str, float]) -> Floats:
        return thermal(edges, shape[0] / KEV_PER_MK, 1.0, abundance=constants["abundance"], table=table)

    return {**COMPONENTS, "vth": replace(COMPONENTS["vth"], flux=flux)}


def _thick2(edges: Floats, shape: tuple[float, ...], constants: Mapping[str, float]) -> Floats:
    return thick_target(edges, 1.0, _electrons(shape, constants))


def _thin2(edges: Floats, shape: tuple[float, ...], constants: Mapping[str, float]) -> Floats:
    return thin_target(edges, 1.0, _electrons(shape, constants))


def _electrons(shape: tuple[float, ...], constants: Mapping[str, float]) -> ElectronSpectrum:
    delta, e_cut = shape
    return ElectronSpectrum(delta, e_cut, constants["e_break_keV"], constants["delta_above"], constants["e_high_keV"])


_INDEX = Parameter("delta", 1.5, 12.0, "", offset=1.0, step=0.15, starts=(3.0, 4.5, 7.0))
_CUTOFF = Parameter("e_cut_keV", 5.0, 100.0, "keV", step=0.08, starts=(10.0, 15.0, 20.0, 30.0))
# single power law, as OSPEX writes it: the break is above the end
_ELECTRONS = {"e_break_keV": 1e6, "delta_above": 6.0, "e_high_keV": 3.2e4}

#: Bounds of the constants; with larger ones a flux is infinite, or no electron is left above the break.
LIMITS = {"abundance": (0.0, 100.0), "e_break_keV": (1.0, 1e6), "delta_above": (0.0, 100.0), "e_high_keV": (1.0, 1e6)}

#: Components by name.
COMPONENTS: dict[str, Component] = {
    "vth": Component(
        "vth",
        Parameter("EM_1e49_cm3", 1e-8, 1e3, "10⁴⁹ cm⁻³"),
        (Parameter("T_keV", 0.35, 7.5, "keV", step=0.05, starts=(0.6, 0.9, 1.2, 1.6, 2.2, 3.2)),),
        _vth,
        {"abundance": 1.0},
    ),
    "thick2": Component(
        "thick2", Parameter("norm_1e35_per_s", 1e-8, 1e6, "10³⁵ s⁻¹"), (_INDEX, _CUTOFF), _thick2, _ELECTRONS
    ),
    "thin2": Component(
        "thin2", Parameter("norm_1e55_per_cm2_s", 1e-8, 1e6, "10⁵⁵ cm⁻² s⁻¹"), (_INDEX, _CUTOFF), _thin2, _ELECTRONS
    ),
}


class _Axis:
    """Photon edges as the key of a cache."""

    def __init__(self, edges: Floats) -> None:
        self.edges = np.ascontiguousarray(edges, dtype=np.float64)
        self._bytes = self.edges.tobytes()
        self._hash = hash(self._bytes)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Axis) and self._bytes == other._bytes


@lru_cache(maxsize=CACHED)
def _node_flux(
    flux: FluxFunction, axis: _Axis, shape: tuple[float, ...], constants: tuple[tuple[str, float], ...]
) -> Floats:
    values = np.asarray(flux(axis.edges, shape, dict(constants)), dtype=np.float64)
    values.flags.writeable = False
    return values


class FoldedComponent:
    """Counts of a component in the channels, for one spectrum.

    Parameters
    ----------
    component : Component
    photon_edges : (J + 1,) float, keV
    fold : callable
        Counts (I,) of a flux (J,) at 1 AU, with distance, reflection, response and live time.
    constants : mapping
        Of the component, all of them.
    """

    def __init__(
        self,
        component: Component,
        photon_edges: Floats,
        fold: Callable[[Floats], Floats],
        constants: Mapping[str, float],
    ) -> None:
        self.component = component
        self._axis = _Axis(photon_edges)
        self._fold = fold
        self.constants = tuple(sorted(constants.items()))
        self._logs: dict[tuple[int, ...], Floats] = {}
        self._cells: dict[tuple[int, ...], Floats] = {}
        # node 0 is the lower bound; one more on either side of the bounds is used
        self._first = [parameter.scaled(parameter.lower) for parameter in component.shape]
        self._last = [
            int(np.ceil((parameter.scaled(parameter.upper) - first) / parameter.step - 1e-9))
            for parameter, first in zip(component.shape, self._first, strict=True)
        ]

    def exact(self, shape: tuple[float, ...]) -> Floats:
        """Counts for a norm of 1 without interpolation, (I,) float; ``shape`` are values, not their scale."""
        return self._fold(_node_flux(self.component.flux, self._axis, shape, self.constants))

    def counts(self, x: Floats) -> tuple[Floats, Floats]:
        """Counts for a norm of 1, (I,), and their derivatives, (n_shape, I), at ``x`` on the scale of the fit."""
        cell, weights, slopes = [], [], []
        for at, first, last, parameter in zip(x, self._first, self._last, self.component.shape, strict=True):
            position = (float(at) - first) / parameter.step
            low = min(max(math.floor(position), 0), last - 1)
            weight, slope = _cubic(position - low)
            cell.append(low)
            weights.append(weight)
            slopes.append(slope / parameter.step)
        # ln C and its derivatives; ∂C/∂x = C ∂ln C/∂x
        rows = [_outer(weights), *(_outer([*weights[:k], slopes[k], *weights[k + 1 :]]) for k in range(len(cell)))]
        logs = np.array(rows) @ self._cell(tuple(cell))
        value = np.exp(logs[0])
        return value, value * logs[1:]

    def node_near(self, values: tuple[float, ...]) -> Floats:
        """``values`` moved to the nearest node, on the scale of the fit; their counts cost the least."""
        return np.array(
            [
                first + parameter.step * round((parameter.scaled(value) - first) / parameter.step)
                for value, first, parameter in zip(values, self._first, self.component.shape, strict=True)
            ]
        )

    def at_node(self, x: Floats) -> Floats:
        """Counts for a norm of 1 at a node of `node_near`, (I,) float."""
        steps = [parameter.step for parameter in self.component.shape]
        return np.exp(self._node(tuple(round(v) for v in (x - np.array(self._first)) / np.array(steps))))

    def _cell(self, cell: tuple[int, ...]) -> Floats:
        """Logarithms at the nodes around a cell, (4 or 16, I)."""
        if cell not in self._cells:
            nodes = product(*(range(low - 1, low + 3) for low in cell))
            self._cells[cell] = np.array([self._node(node) for node in nodes])
        return self._cells[cell]

    def _node(self, node: tuple[int, ...]) -> Floats:
        if node not in self._logs:
            shape = tuple(
                parameter.value(first + k * parameter.step)
                for k, first, parameter in zip(node, self._first, self.component.shape, strict=True)
            )
            self._logs[node] = np.log(np.maximum(self.exact(shape), TINY))
        return self._logs[node]


def _cubic(t: float) -> tuple[Floats, Floats]:
    """Weights of the values at −1, 0, 1, 2 in the interpolation at ``t`` from 0 to 1, and in its derivative."""
    t2, t3 = t * t, t * t * t
    weights = [-t + 2 * t2 - t3, 2 - 5 * t2 + 3 * t3, t + 4 * t2 - 3 * t3, t3 - t2]
    slopes = [-1 + 4 * t - 3 * t2, -10 * t + 9 * t2, 1 + 8 * t - 9 * t2, 3 * t2 - 2 * t]
    return np.array(weights) / 2.0, np.array(slopes) / 2.0


def _outer(weights: list[Floats]) -> Floats:
    if len(weights) == 1:
        return weights[0]
    return np.asarray(np.outer(weights[0], weights[1]).ravel())
