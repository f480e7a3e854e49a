"""Parameters of the fit: names, units, bounds, and the scale on which they are varied.

A fit varies x = ln(value − offset). On this scale a factor is a step, the counts of most components are nearly power
laws, and no value can be negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stixcore.errors import SelectionError


@dataclass(frozen=True)
class Value:
    """A fitted value with the ends of its 1-sigma interval.

    Attributes
    ----------
    value : float
    sigma_minus, sigma_plus : float or None
        Distance to the ends of the interval of Δ statistic = 1, both positive. None: open, the bound of the parameter
        is reached first. 0 for a fixed value.
    fixed : bool
        Whether the user gave it.
    at_bound : bool
        Whether the best value is a bound of the parameter.
    unit : str
    """

    value: float
    sigma_minus: float | None
    sigma_plus: float | None
    fixed: bool = False
    at_bound: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a component.

    Attributes
    ----------
    name : str
        As in results and in the JSON of the command line, with the unit: "T_keV".
    lower, upper : float
        Bounds.
    unit : str
    offset : float
        Of the scale: x = ln(value − offset).
    step : float
        Distance of the tabulated values on the scale; 0 for the linear parameter, which needs no table.
    starts : tuple of float
        Values that the search for a start tries.
    """

    name: str
    lower: float
    upper: float
    unit: str
    offset: float = 0.0
    step: float = 0.0
    starts: tuple[float, ...] = ()

    def scaled(self, value: float) -> float:
        """The value on the scale of the fit."""
        return float(np.log(value - self.offset))

    def value(self, x: float) -> float:
        """The value at ``x`` of the scale."""
        return float(np.exp(x)) + self.offset

    def check(self, value: float, name: str) -> float:
        """``value``, if it is within the bounds.

        Raises
        ------
        SelectionError
            When it is not.
        """
        if not self.lower <= value <= self.upper:
            message = f"{name} must be {self.lower:g} to {self.upper:g} {self.unit}".rstrip() + f", found {value}"
            raise SelectionError(message)
        return float(value)
