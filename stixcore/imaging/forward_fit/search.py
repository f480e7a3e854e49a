"""Search for the global optimum: starting points from the data, all refined together by least squares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from stixcore.imaging.forward_fit import starts
from stixcore.imaging.forward_fit.least_squares import Minima, minimize
from stixcore.imaging.forward_fit.shapes import FIT_NAMES, Plane, Shape
from stixcore.imaging.forward_fit.sources import Limits, Source, SourceModel

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_SCOUT_ITERATIONS = 8
_FINAL_ITERATIONS = 40
_MAX_ITERATIONS = 400
#: Scouts that are run to convergence, for one or two sources of one shape and for richer models.
_FINALISTS = 5
_RICH_FINALISTS = 8
#: Number of scouts (starting points run for a few iterations), for one source and for several.
_SCOUTS = {Shape.CIRCLE: 8, Shape.ELLIPSE: 12, Shape.LOOP: 24}
_PAIRS = 400  # from which the scouts are chosen
_PAIR_SCOUTS = 24
_RICH_SCOUTS = 40
_SPREAD_STARTS = 4
#: Minima of a simpler model that a richer one starts from.
_ROOTS = 3
#: Scouts whose χ² exceeds the best by this factor are dropped.
_HOPELESS = 10.0
#: Scouts whose χ² is within this factor of the best may still reach the better minimum.
_CLOSE = 1.5
#: Starting points whose visibilities differ by less, Σ|ΔV|²/σ², lead to the same minimum; such minima are the same.
_SAME_START = 1.0
_SAME_MINIMUM = 0.1


@dataclass(frozen=True, eq=False)
class Fit:
    """The best fit of a model, and the other minima that were found.

    Attributes
    ----------
    model : SourceModel
    minima : Minima
        Best first.
    """

    model: SourceModel
    minima: Minima

    @property
    def theta(self) -> Floats:
        """Best fit parameters, (n_par,)."""
        best: Floats = self.minima.theta[0]
        return best

    @property
    def chi2(self) -> float:
        """Σ|V_model - V|²/σ²."""
        return float(self.minima.chi2[0])


class Search:
    """Fits of any list of sources to one set of visibilities.

    Parameters
    ----------
    plane : Plane
    vis : (n_vis,) complex
    sigma : (n_vis,) float
    limits : Limits
    """

    def __init__(self, plane: Plane, vis: Complex, sigma: Floats, limits: Limits) -> None:
        self.plane, self.vis, self.sigma, self.limits = plane, vis, sigma, limits
        self.field = starts.Field(plane, sigma, limits.position)
        self._known: dict[tuple[Shape, ...], Fit] = {}

    def fit(self, sources: tuple[Source, ...]) -> Fit:
        """Best fit of these sources, with their fixed values kept."""
        shapes = tuple(source.shape for source in sources)
        if any(source.fixed for source in sources):
            return self._refine(SourceModel(sources, self.plane, self.limits), self._starts(shapes, orders=True))
        return self._free(shapes)

    def alone(self, shape: Shape) -> Fit:
        """Best fit of a single source with nothing fixed.

        Takes two thirds of the time of `fit`, which also finds the minima that richer models start from.
        """
        model = SourceModel([Source(shape, {})], self.plane, self.limits)
        scouted = self._scout(model, self._starts((shape,), orders=False))
        close = scouted.take(np.flatnonzero(scouted.chi2 <= _CLOSE * scouted.chi2.min()))
        close = self._distinct(model, close, _FINALISTS)
        minima = self._run(close.theta, model, _MAX_ITERATIONS, close.history)
        return Fit(model, minima.take(np.argsort(minima.chi2, kind="stable")))

    def _free(self, shapes: tuple[Shape, ...]) -> Fit:
        """Best fit of sources with nothing fixed; cached, because richer models start from it."""
        if shapes not in self._known:
            model = SourceModel([Source(shape, {}) for shape in shapes], self.plane, self.limits)
            self._known[shapes] = _brightest_first(self._refine(model, self._starts(shapes, orders=False)))
        return self._known[shapes]

    def _starts(self, shapes: tuple[Shape, ...], *, orders: bool) -> Floats:
        """Starting points in the shapes' own parameters, (n_start, n_par).

        With ``orders`` the circles are assigned to the sources in every order, which matters when values are fixed.
        """
        circles = (Shape.CIRCLE,) * len(shapes)
        made: list[Floats] = []
        if len(shapes) == 1:
            made.extend(self._scan(shapes[0], self.vis, _SCOUTS[shapes[0]]))
        elif shapes == circles and len(shapes) == 2:
            first = self._free(circles[:1]).theta
            made.extend(starts.pairs_of_circles(self.field, self.vis, first, _PAIRS))
        else:
            for k in range(len(shapes)):
                if shapes[k] not in shapes[:k]:
                    made.extend(self._one_more(shapes, k))
        if shapes != circles or orders:
            for fitted in self._free(circles).minima.theta:
                made.extend(_deformed(shapes, fitted.reshape(-1, 4)))
        n_par = sum(len(FIT_NAMES[shape]) for shape in shapes)
        return np.unique(np.array(made).reshape(-1, n_par), axis=0)

    def _scan(self, shape: Shape, vis: Complex, n: int) -> Floats:
        """The ``n`` best positions of a source of that shape, (n, n_par)."""
        peaks = 3 if shape is Shape.CIRCLE else 2
        return self.field.scan(shape, starts.templates(shape), vis, peaks).best(n).theta

    def _one_more(self, shapes: tuple[Shape, ...], k: int) -> Iterator[Floats]:
        """Source ``k`` added where the best fits without it leave the largest residual, or splitting a circle."""
        rest = self._free(shapes[:k] + shapes[k + 1 :])
        for theta in rest.minima.theta[:_ROOTS]:
            left = self.vis - rest.model.evaluate(theta[None])[0][0]
            added = list(self._scan(shapes[k], left, 8))
            for source, part in zip(rest.model.sources, rest.model.parts, strict=True):
                if source.shape is shapes[k] is Shape.CIRCLE:
                    added.extend(starts.around(theta[part]))
            column = sum(len(FIT_NAMES[shape]) for shape in shapes[:k])
            for row in added:
                yield np.concatenate([theta[:column], row, theta[column:]])

    def _spread(self, model: SourceModel) -> Floats:
        """A few points spread over the whole box, in case the data are misleading."""
        lower, upper = (
            np.where(np.isfinite(edge), edge, sign * 90.0) for edge, sign in zip(model.bounds, (-1, 1), strict=True)
        )
        return lower + (upper - lower) * starts.spread_points(_SPREAD_STARTS, model.n_par)

    def _refine(self, model: SourceModel, start: Floats) -> Fit:
        """Run scouts, then the best of them to convergence."""
        finalists = self._effort(model)[1]
        minima = self._distinct(model, self._scout(model, start), finalists)
        minima = self._distinct(model, self._run(minima.theta, model, _FINAL_ITERATIONS, minima.history), finalists)
        if not minima.converged[0]:  # a nearly flat direction: continue with the best only
            winner = self._run(minima.theta[:1], model, _MAX_ITERATIONS, minima.history[:, :1])
            return Fit(model, winner)
        return Fit(model, minima)

    def _scout(self, model: SourceModel, start: Floats) -> Minima:
        """Rank the starting points, run the best for a few iterations, and drop the hopeless ones."""
        own, column = [], 0
        for source in model.sources:
            width = len(FIT_NAMES[source.shape])
            own.append(source.from_smooth(start[:, column : column + width]))
            column += width
        theta = np.clip(np.concatenate([np.concatenate(own, axis=1), self._spread(model)]), *model.bounds)
        theta, predicted, chi2 = self._best_fluxes(model, theta)
        scouts = self._effort(model)[0]
        order = np.argsort(chi2, kind="stable")
        different = order[_different(predicted[order], _SAME_START, scouts)]
        keep = np.union1d(different, np.arange(len(theta) - _SPREAD_STARTS, len(theta)))
        minima = self._run(theta[keep], model, _SCOUT_ITERATIONS)
        return minima.take(np.flatnonzero(minima.chi2 <= _HOPELESS * minima.chi2.min()))

    def _run(self, theta: Floats, model: SourceModel, n: int, before: Floats | None = None) -> Minima:
        minima = minimize(model.evaluate, self.vis, self.sigma, theta, model.bounds, n)
        if before is None:
            return minima
        return replace(minima, history=np.concatenate([before, minima.history[1:]]))

    @staticmethod
    def _effort(model: SourceModel) -> tuple[int, int]:
        """Number of scouts, and of those that are run to convergence."""
        shapes = [source.shape for source in model.sources]
        if len(shapes) == 1:
            return _SCOUTS[shapes[0]], _FINALISTS
        return (_PAIR_SCOUTS, _FINALISTS) if shapes == [Shape.CIRCLE] * 2 else (_RICH_SCOUTS, _RICH_FINALISTS)

    def _distinct(self, model: SourceModel, minima: Minima, n: int) -> Minima:
        """The best ``n``, best first, without those that predict the same visibilities as a better one."""
        order = np.argsort(minima.chi2, kind="stable")
        predicted = (model.evaluate(minima.theta[order])[0] / self.sigma).view(np.float64)
        return minima.take(order[_different(predicted, _SAME_MINIMUM, n)])

    def _best_fluxes(self, model: SourceModel, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Solve for the fluxes: θ with the fluxes of least χ² within their bounds, V/σ (n_set, 2 n_vis), and χ²."""
        columns = np.array([part.start for part in model.parts])
        weight = np.repeat(1.0 / self.sigma, 2)
        unit = np.ascontiguousarray(model.evaluate(theta)[1][:, columns]).view(np.float64) * weight
        data = np.ascontiguousarray(self.vis).view(np.float64) * weight
        gram = unit @ unit.transpose(0, 2, 1)
        # coincident sources share the flux: a small ridge decides
        ridge = 1e-6 * np.einsum("bii->b", gram)[:, None, None] * np.eye(len(columns))
        flux = np.linalg.solve(gram + ridge, (unit @ data)[:, :, None])[:, :, 0]
        theta = theta.copy()
        theta[:, columns] = np.clip(flux, model.bounds[0][columns], model.bounds[1][columns])
        predicted = (theta[:, None, columns] @ unit)[:, 0]
        return theta, predicted, ((predicted - data) ** 2).sum(axis=1)


def _different(predicted: Floats, least: float, n: int) -> NDArray[np.int64]:
    """Indices of the first ``n`` rows of V/σ (n_set, 2 n_vis) that do not repeat an earlier one."""
    chosen: list[int] = []
    kept = np.empty((n, predicted.shape[1]))
    for k, row in enumerate(predicted):
        if len(chosen) == n:
            break
        if not chosen or ((kept[: len(chosen)] - row) ** 2).sum(axis=1).min() > least:
            kept[len(chosen)] = row
            chosen.append(k)
    return np.array(chosen)


def _brightest_first(fit: Fit) -> Fit:
    """The same fit with sources of one shape sorted by flux, brightest first."""
    shapes, parts = [source.shape for source in fit.model.sources], fit.model.parts
    theta = fit.minima.theta.copy()
    for row, given in zip(theta, fit.minima.theta, strict=True):
        for shape in set(shapes):
            places = [part for part, kind in zip(parts, shapes, strict=True) if kind is shape]
            for place, part in zip(places, sorted(places, key=lambda p: -given[p.start]), strict=True):
                row[place] = given[part]
    return replace(fit, minima=replace(fit.minima, theta=theta))


def _deformed(shapes: tuple[Shape, ...], circles: Floats) -> Iterator[Floats]:
    """Fitted circles (n, 4) turned into other shapes, in every order; one deformed at a time, the others round."""
    for order in permutations(range(len(shapes))):
        parts = [starts.deformed(shape, circles[k]) for shape, k in zip(shapes, order, strict=True)]
        for i, part in enumerate(parts):
            for row in part:
                yield np.concatenate([row if j == i else other[0] for j, other in enumerate(parts)])
