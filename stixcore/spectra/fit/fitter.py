"""One model fitted to one spectrum: starts, iteration of the errors, minimum, errors by profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stixcore.spectra.fit.minimise import CONVERGED, Minimum, minimise
from stixcore.spectra.fit.model import SpectralModel
from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.profile import covariance, profile_side, value_at
from stixcore.spectra.fit.result import CorrelatedPair
from stixcore.spectra.fit.statistic import (
    Cash,
    ChannelData,
    ChiSquare,
    Objective,
    Statistic,
    data_errors,
    model_errors,
)

Floats = NDArray[np.float64]

#: Most fits with new errors, and the relative change of the errors that ends them.
MAX_ROUNDS, SETTLED = 20, 1e-3
#: First fits whose errors are taken as they are; later ones are averaged with those before.
UNDAMPED = 3
#: A profile that finds a better minimum restarts from there, at most this many times.
MAX_RESTARTS = 3
AT_BOUND = 1e-6  # on the scale of the fit
UNSETTLED = "the errors of the model do not settle"


class Fitter:
    """A model, the data of the fitted channels, and the best fit.

    Parameters
    ----------
    model : SpectralModel
    data : ChannelData
        Of the fitted channels.
    used : (n_channel,) bool
        Which these are.
    statistic : Statistic
    start : mapping
        Values to start from, by name; the others are searched.
    error : (n,) float, ct, optional
        Errors for χ², instead of those that the fitted model expects.

    Attributes
    ----------
    best : Minimum
    error : (n,) float, ct
        Errors of the model in the fitted channels.
    iterations : int
    """

    def __init__(
        self,
        model: SpectralModel,
        data: ChannelData,
        used: NDArray[np.bool_],
        statistic: Statistic,
        start: Mapping[str, float],
        error: Floats | None = None,
    ) -> None:
        self.model, self.data, self.statistic = model, data, statistic
        self.iterations, self._given_error = 0, error
        self._evaluate = model.evaluator(used)
        self.lower, self.upper = model.bounds()
        fits = [self._converge(x) for x in model.starts(data.counts, data_errors(data), used, start)]
        self._take_in_order(min(fits, key=lambda fit: fit[0].value))

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which parameters are fitted, (p,) bool."""
        return np.asarray(self.lower < self.upper)

    @property
    def n_free(self) -> int:
        """Number of fitted parameters."""
        return int(self.free.sum())

    def _take(self, fit: tuple[Minimum, Floats, Objective]) -> None:
        self.best, self.error, self._objective = fit

    def _take_in_order(self, fit: tuple[Minimum, Floats, Objective]) -> None:
        """Take a fit with its components in the order of the model."""
        found, error, objective = fit
        x = self.model.in_order(found.x)
        if not np.array_equal(x, found.x):
            found = self._run(objective, x, self.lower, self.upper)  # the same minimum, with its derivatives in order
        self._take((found, error, objective))

    def _run(self, objective: Objective, start: Floats, lower: Floats, upper: Floats) -> Minimum:
        found = minimise(objective, self._evaluate, start, lower, upper)
        self.iterations += found.iterations
        return found

    def _refit(self, start: Floats, lower: Floats, upper: Floats) -> Minimum:
        return self._run(self._objective, start, lower, upper)

    def _converge(self, start: Floats) -> tuple[Minimum, Floats, Objective]:
        """Fit from a start; χ² with new errors until these settle."""
        if self.statistic is Statistic.CASH:
            objective: Objective = Cash(self.data)
            found = self._run(objective, start, self.lower, self.upper)
            return found, model_errors(self.data, found.counts), objective
        if self._given_error is not None:
            objective = ChiSquare(self.data.counts, self._given_error)
            return self._run(objective, start, self.lower, self.upper), self._given_error, objective
        error = data_errors(self.data)
        for number in range(MAX_ROUNDS):
            objective = ChiSquare(self.data.counts, error)
            found = self._run(objective, start, self.lower, self.upper)
            renewed = model_errors(self.data, found.counts)
            change = np.abs(renewed / error - 1.0).max()
            # a model that is far off swings between two solutions unless the errors are averaged
            start, error = found.x, renewed if number < UNDAMPED else np.sqrt(error * renewed)
            if change < SETTLED:
                break
        else:  # its minimum with the last errors: with others, its profile would start above or below it
            found = self._run(ChiSquare(self.data.counts, error), start, self.lower, self.upper)
            found = replace(found, reason=UNSETTLED)
        return found, error, ChiSquare(self.data.counts, error)

    def values(self) -> dict[str, Value]:
        """All parameters with their errors by profile; may find and take a better fit."""
        for _ in range(MAX_RESTARTS):
            sides = self._sides()
            if sides is not None:
                return sides
        return self._sides(settle=True) or {}

    def _sides(self, *, settle: bool = False) -> dict[str, Value] | None:
        values = {}
        best = self.best
        for k, (name, parameter) in enumerate(zip(self.model.names, self.model.parameters, strict=True)):
            x = best.x[k]
            value = parameter.value(x)
            if not self.free[k]:
                values[name] = Value(value, 0.0, 0.0, fixed=True, unit=parameter.unit)
                continue
            ends: list[float | None] = []
            for sign in (-1, 1):
                side = profile_side(best, k, sign, self.lower, self.upper, self._refit)
                if side.best is not best and not settle:
                    self._take_in_order(self._converge(side.best.x))
                    return None
                gap = None if side.distance is None else abs(parameter.value(x + sign * side.distance) - value)
                ends.append(gap)
            bound = bool(min(x - self.lower[k], self.upper[k] - x) < AT_BOUND)
            values[name] = Value(value, ends[0], ends[1], at_bound=bound, unit=parameter.unit)
        return values

    def rise_at_lower_bound(self, name: str) -> float:
        """Rise of the statistic with a parameter at its lower bound, all others fitted."""
        k = self.model.names.index(name)
        return value_at(self.best, k, float(self.lower[k]), self.lower, self.upper, self._refit)

    def pair(self, first: str, second: str) -> CorrelatedPair | None:
        """Two parameters with their covariance; None if one is not fitted."""
        k, m = self.model.names.index(first), self.model.names.index(second)
        if not (self.free[k] and self.free[m]):
            return None
        places = [int(self.free[:i].sum()) for i in (k, m)]
        matrix = covariance(self.best.hessian, self.free)[np.ix_(places, places)]
        # the scale of both is the logarithm of the value
        values = (float(np.exp(self.best.x[k])), float(np.exp(self.best.x[m])))
        return CorrelatedPair((first, second), values, matrix)

    @property
    def converged(self) -> bool:
        """Whether the iteration ended at a minimum."""
        return self.best.reason == CONVERGED
