"""A model: components by name, their parameters side by side, and its counts in the channels.

    counts(i) = L · Σ_j R(i, j) · [F(j) + A(j)] ΔE_j · area / D²

F is the flux of the components at 1 AU, A the flux that the Sun reflects (albedo), D the distance in AU, L the live
time. The distance enters here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.printable import excerpt
from stixcore.spectra.fit.components import COMPONENTS, LIMITS, Component, FoldedComponent
from stixcore.spectra.fit.parameters import Parameter

Floats = NDArray[np.float64]
Fold = Callable[[Floats], Floats]

MAX_COMPONENTS = 4


@dataclass(frozen=True, eq=False)
class Part:
    """A component within a model: label ("vth", "vth_2"), names of its parameters, index of the first one, the norm."""

    label: str
    folded: FoldedComponent
    names: tuple[str, ...]
    first: int


class SpectralModel:
    """Components whose counts are added.

    Parameters
    ----------
    name : str
        Names of components joined by "+". A second component of a kind has "_2" after its name and its parameters.
    photon_edges : (J + 1,) float, keV
    fold : callable
        Counts (I,) of a flux (J,) at 1 AU.
    fixed : mapping
        Values of parameters that are not fitted, and of constants ("abundance", "e_break_keV" …).
    components : mapping, optional
        Components by name.

    Raises
    ------
    SelectionError
        When a component or parameter is unknown, or a fixed value is outside its bounds.
    """

    def __init__(
        self,
        name: str,
        photon_edges: Floats,
        fold: Fold,
        fixed: Mapping[str, float],
        components: Mapping[str, Component] = COMPONENTS,
    ) -> None:
        self.name = name
        self.parts: list[Part] = []
        self.names: list[str] = []
        self.parameters: list[Parameter] = []
        unused = set(fixed)
        for label, suffix, kind in _labels(name, components):
            component = components[kind]
            names = tuple(parameter.name + suffix for parameter in component.parameters)
            constants = {key: float(fixed.get(key + suffix, value)) for key, value in component.constants.items()}
            unused -= {key + suffix for key in constants} | set(names)
            _check_constants(constants, suffix)
            folded = FoldedComponent(component, photon_edges, fold, constants)
            self.parts.append(Part(label, folded, names, len(self.names)))
            self.names += names
            self.parameters += component.parameters
        if unused:
            message = f"fixed: {name} has no parameter {excerpt(min(unused))}; it has {', '.join(self.names)}"
            raise SelectionError(message)
        self.fixed = {
            key: parameter.check(float(fixed[key]), f"fixed {key}")
            for key, parameter in zip(self.names, self.parameters, strict=True)
            if key in fixed
        }

    def bounds(self) -> tuple[Floats, Floats]:
        """Bounds on the scale of the fit, (p,) and (p,) float; equal for fixed parameters."""
        low = [p.scaled(self.fixed.get(n, p.lower)) for n, p in zip(self.names, self.parameters, strict=True)]
        high = [p.scaled(self.fixed.get(n, p.upper)) for n, p in zip(self.names, self.parameters, strict=True)]
        return np.array(low), np.array(high)

    def evaluator(self, used: NDArray[np.bool_]) -> Callable[[Floats], tuple[Floats, Floats]]:
        """Counts in the ``used`` channels (n,) and derivatives (p, n) at parameters (p,) on the scale of the fit."""

        def evaluate(x: Floats) -> tuple[Floats, Floats]:
            rows = []
            for part in self.parts:
                norm = np.exp(x[part.first])
                unit, slopes = part.folded.counts(x[part.first + 1 : part.first + len(part.names)])
                # C = N c(shape): ∂C/∂ln N = C
                rows += [norm * unit[used], *(norm * slopes[:, used])]
            derivatives = np.array(rows)
            return derivatives[[part.first for part in self.parts]].sum(axis=0), derivatives

        return evaluate

    def exact(self, x: Floats) -> dict[str, Floats]:
        """Counts of each component by its label, (I,) float each, without interpolation."""
        counts = {}
        for part in self.parts:
            values = [self.parameters[part.first + k].value(x[part.first + k]) for k in range(len(part.names))]
            counts[part.label] = float(np.exp(x[part.first])) * part.folded.exact(tuple(values[1:]))
        return counts

    def starts(
        self, counts: Floats, sigma: Floats, used: NDArray[np.bool_], given: Mapping[str, float], keep: int = 2
    ) -> list[Floats]:
        """Starting points, (p,) float each, the best first, on the scale of the fit.

        Every combination of a few temperatures, indices and cutoffs is tried; the norms, in which the counts are
        linear, come from non-negative least squares. ``given`` values are taken as they are.

        Raises
        ------
        SelectionError
            When ``given`` has an unknown parameter or a value outside the bounds.
        """
        given = self._checked(given)
        choices = [self._choices(part, used, given) for part in self.parts]
        found: list[tuple[float, Floats]] = []
        for combination in product(*choices):
            shapes = [shape for shape, _ in combination]
            if any(sa[0] >= sb[0] for a, sa, b, sb in self._pairs(shapes) if not self._are_told_apart(a, b, given)):
                continue  # two of a kind are the same either way round
            units = np.array([unit for _, unit in combination])
            norms, chi2 = _non_negative(units / sigma, counts / sigma)
            found.append((chi2, self._joined(norms, units, counts, shapes, given)))
        found.sort(key=lambda item: item[0])
        return [x for _, x in found[:keep]]

    def _checked(self, given: Mapping[str, float]) -> dict[str, float]:
        for name in given:
            if name not in self.names:
                message = f"start: {self.name} has no parameter {excerpt(name)}; it has {', '.join(self.names)}"
                raise SelectionError(message)
        bounds = dict(zip(self.names, self.parameters, strict=True))
        return {**{n: bounds[n].check(float(v), f"start {n}") for n, v in given.items()}, **self.fixed}

    def _choices(self, part: Part, used: NDArray[np.bool_], given: Mapping[str, float]) -> list[tuple[Floats, Floats]]:
        shape = part.folded.component.shape
        values = [
            (given[name],) if name in given else parameter.starts
            for name, parameter in zip(part.names[1:], shape, strict=True)
        ]
        choices = []
        for combination in product(*values):
            x = part.folded.node_near(combination)
            choices.append((x, part.folded.at_node(x)[used]))
        return choices

    def _pairs(self, shapes: list[Floats]) -> list[tuple[Part, Floats, Part, Floats]]:
        """Parts of the same kind with their shapes, in pairs."""
        items = list(zip(self.parts, shapes, strict=True))
        pairs = [(*items[i], *items[j]) for i in range(len(items)) for j in range(i + 1, len(items))]
        return [pair for pair in pairs if pair[0].folded.component is pair[2].folded.component]

    def _are_told_apart(self, one: Part, other: Part, given: Mapping[str, float]) -> bool:
        """Whether the user says which of two parts of a kind is which."""
        return bool({one.names[1], other.names[1]} & set(given) or {*one.names, *other.names} & set(self.fixed))

    def in_order(self, x: Floats) -> Floats:
        """The same model with components of a kind in rising order of their first shape parameter (temperature, index).

        Components with a fixed parameter keep their place, because the user has chosen it.

        Parameters
        ----------
        x : (p,) float
            Parameters on the scale of the fit.
        """
        sorted_x = x.copy()
        kinds: dict[tuple[str, tuple[tuple[str, float], ...]], list[Part]] = {}
        for part in self.parts:
            if not set(part.names) & set(self.fixed):
                kinds.setdefault((part.folded.component.name, part.folded.constants), []).append(part)
        for parts in kinds.values():
            blocks = [x[part.first : part.first + len(part.names)] for part in parts]
            for part, block in zip(parts, sorted(blocks, key=lambda block: float(block[1])), strict=True):
                sorted_x[part.first : part.first + len(part.names)] = block
        return sorted_x

    def _joined(
        self, norms: Floats, units: Floats, counts: Floats, shapes: list[Floats], given: Mapping[str, float]
    ) -> Floats:
        x: list[float] = []
        for norm, unit, shape in zip(norms, units, shapes, strict=True):
            least = 1e-3 * max(float(counts.sum()), 1.0) / max(float(unit.sum()), 1e-300)
            x += [float(np.log(max(norm, least))), *shape]
        for k, (name, parameter) in enumerate(zip(self.names, self.parameters, strict=True)):
            if name in given:
                x[k] = parameter.scaled(given[name])
        low, high = self.bounds()
        return np.asarray(np.clip(np.array(x), low, high))


def parameter_names(name: str) -> frozenset[str]:
    """Names of the parameters and constants of a model.

    Raises
    ------
    SelectionError
        When a component is unknown.
    """
    found: list[str] = []
    for _, suffix, kind in _labels(name, COMPONENTS):
        component = COMPONENTS[kind]
        found += [one + suffix for one in (*component.constants, *(each.name for each in component.parameters))]
    return frozenset(found)


def _labels(name: str, components: Mapping[str, Component]) -> list[tuple[str, str, str]]:
    kinds = name.split("+")
    unknown = [kind for kind in kinds if kind not in components]
    if unknown or len(kinds) > MAX_COMPONENTS:
        known = ", ".join(components)
        message = f"model must be auto or up to {MAX_COMPONENTS} of {known} joined by '+', found {excerpt(name)}"
        raise SelectionError(message)
    labels = []
    for k, kind in enumerate(kinds):
        number = kinds[: k + 1].count(kind)
        suffix = f"_{number}" if number > 1 else ""
        labels.append((kind + suffix, suffix, kind))
    return labels


def _non_negative(units: Floats, counts: Floats) -> tuple[Floats, float]:
    """Norms ≥ 0 (c,) of components (c, n) that fit the counts (n,) best, and χ²."""
    from scipy.optimize import nnls

    scale = np.maximum(np.sqrt((units**2).sum(axis=1)), 1e-300)
    norms, distance = nnls((units / scale[:, None]).T, counts)
    return norms / scale, float(distance) ** 2


def _check_constants(constants: Mapping[str, float], suffix: str) -> None:
    """Refuse a constant with which a flux could be infinite or zero at every energy."""
    for name, value in constants.items():
        low, high = LIMITS[name]
        if not low <= value <= high:
            message = f"fixed {name}{suffix} must be {low:g} to {high:g}, found {value:g}"
            raise SelectionError(message)
