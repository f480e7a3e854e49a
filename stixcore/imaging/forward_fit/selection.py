"""Model selection: the smallest BIC among the models that are not degenerate.

BIC = χ²/s² + n_par ln n_data with n_data = 2 n_vis (Schwarz 1978, Ann. Statist. 6, 461), where s² is the smallest
reduced χ² of all models, but at least 1: if σ is too small for the best model, it is too small for the others by the
same factor, and differences of χ² are divided by it. A richer model explains noise if it doubles a source, adds a
source that is not significant, or reaches a bound of the box; also if the evidence for a further source depends on a
single sub-collimator. Such a model stays in the table with the reason for its rejection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore.imaging.forward_fit.leave_one_out import chi2_without_each
from stixcore.imaging.forward_fit.search import Fit
from stixcore.imaging.forward_fit.shapes import Shape
from stixcore.imaging.forward_fit.sources import MAX_ELONGATION, REPORTED, SourceModel

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Two sources at one position are a core and its halo when one is this many times as wide as the other.
HALO = 2.0
#: Two sources closer than this fraction of the finest resolution, 1/(2 k_max), count as one.
SEPARATION = 0.5
#: Least flux of each of several sources, and least separation of each pair, in sigma.
SIGNIFICANCE = 3.0
#: Least decrease of BIC for which a model with more parameters replaces one with fewer: "positive" evidence (Kass &
#: Raftery 1995).
LEAST_EVIDENCE = 2.0
_ON_BOUND = 1e-3


@dataclass(frozen=True, eq=False)
class Candidate:
    """A fitted model, and the reason for its rejection if there is one.

    Attributes
    ----------
    fit : Fit
    values, sigma : (n_rep,) float
        Reported values and their standard deviations; positions relative to the phase center.
    n_data : int
        Number of data: real and imaginary parts.
    objection : str
        Why the model is rejected; empty if it is not.
    """

    fit: Fit
    values: Floats
    sigma: Floats
    n_data: int
    objection: str

    @property
    def ndof(self) -> int:
        """Degrees of freedom, 2 n_vis - n_par."""
        return self.n_data - self.fit.model.n_free

    def bic(self, scale: float) -> float:
        """Bayesian information criterion, χ² in units of ``scale``."""
        return float(self.fit.chi2 / scale + self.fit.model.n_free * np.log(self.n_data))

    def sources(self, center: tuple[float, float]) -> tuple[Mapping[str, Any], ...]:
        """One mapping per source: shape, then every value, and its standard deviation as ``<name>_sigma``.

        In the fit, positions are relative to the phase center; here ``center`` is added, which gives grid coordinates.
        """
        rows, column = [], 0
        for source in self.fit.model.sources:
            row: dict[str, Any] = {"shape": str(source.shape)}
            for name in REPORTED[source.shape]:
                shift = center[("x", "y").index(name)] if name in ("x", "y") else 0.0
                row[name], row[f"{name}_sigma"] = float(self.values[column] + shift), float(self.sigma[column])
                column += 1
            rows.append(row)
        return tuple(rows)

    def row(self, center: tuple[float, float], *, best: float, scale: float, chosen: bool) -> Mapping[str, Any]:
        """Row of the table of candidates; ``best`` is the BIC of the chosen model, ``scale`` its unit of χ²."""
        return {
            "model": self.fit.model.name,
            "chosen": chosen,
            "chi2": self.fit.chi2,
            "ndof": self.ndof,
            "reduced_chi2": self.fit.chi2 / self.ndof,
            "n_par": self.fit.model.n_free,
            "bic": self.bic(scale),
            "delta_bic": self.bic(scale) - best,
            "objection": self.objection,
            "sources": self.sources(center),
        }


def chi2_unit(candidates: Sequence[Candidate]) -> float:
    """Unit of χ² in the BIC: the least reduced χ² of the candidates, at least 1."""
    return max(1.0, min(candidate.fit.chi2 / candidate.ndof for candidate in candidates))


def least_bic(candidates: Sequence[Candidate]) -> int:
    """Index of the least BIC, with unscaled χ², among candidates that are not rejected; else of the simplest one."""
    ranked = sorted(range(len(candidates)), key=lambda k: candidates[k].fit.model.n_free)
    best = ranked[0]
    for k in ranked[1:]:
        if not candidates[k].objection and candidates[k].bic(1.0) < candidates[best].bic(1.0) - LEAST_EVIDENCE:
            best = k
    return best


def choose(candidates: Sequence[Candidate], vis: Complex, sigma: Floats) -> tuple[int, list[Candidate]]:
    """Choose the least BIC among candidates that are not rejected, or else the simplest candidate.

    Parameters
    ----------
    candidates : sequence of Candidate
    vis : (n_vis,) complex
    sigma : (n_vis,) float

    Returns
    -------
    int, list of Candidate
        Index of the chosen candidate, and the candidates with the objections found by comparing them.
    """
    found, scale = list(candidates), chi2_unit(candidates)
    ranked = sorted(range(len(found)), key=lambda k: found[k].fit.model.n_free)
    best = ranked[0]
    for k in ranked[1:]:
        if found[k].objection or found[k].bic(scale) >= found[best].bic(scale) - LEAST_EVIDENCE:
            continue
        against = _depends_on_one(found[best], found[k], vis, sigma, scale)
        if against:
            found[k] = replace(found[k], objection=against)
        else:
            best = k
    return best, found


def _depends_on_one(simple: Candidate, rich: Candidate, vis: Complex, sigma: Floats, scale: float) -> str:
    """Why further sources are rejected if their evidence depends on one sub-collimator: each is left out in turn."""
    if len(rich.fit.model.sources) <= len(simple.fit.model.sources):
        return ""
    gain = (chi2_without_each(simple.fit, vis, sigma) - chi2_without_each(rich.fit, vis, sigma)) / scale
    needed = (rich.fit.model.n_free - simple.fit.model.n_free) * np.log(rich.n_data - 2) + LEAST_EVIDENCE
    weakest = int(gain.argmin())
    if gain[weakest] > needed:
        return ""
    return (
        f"the evidence for another source depends on a single sub-collimator (visibility {weakest + 1} of {gain.size})"
    )


def objection(fit: Fit, values: Floats, sigma: Floats) -> str:
    """Why a fit is degenerate; an empty string if it is not.

    Parameters
    ----------
    fit : Fit
    values, sigma : (n_rep,) float
        Reported values and their standard deviations.
    """
    model, column = fit.model, 0
    places = []
    for number, (source, part) in enumerate(zip(model.sources, model.parts, strict=True), start=1):
        value = dict(zip(REPORTED[source.shape], values[column:], strict=False))
        error = dict(zip(REPORTED[source.shape], sigma[column:], strict=False))
        column += len(REPORTED[source.shape])
        at_bound = _at_bound(model, fit.theta, part)
        if at_bound:
            return f"{at_bound} of source {number} is at its bound"
        if len(model.sources) > 1 and value["flux"] < SIGNIFICANCE * error["flux"] and "flux" not in source.fixed:
            return f"the flux of source {number} is below {SIGNIFICANCE:g} sigma"
        if source.shape is not Shape.CIRCLE and np.log(value["fwhm_max"] / value["fwhm_min"]) > 0.99 * MAX_ELONGATION:
            return f"source {number} is a line"
        places.append((value, error))
    finest = 0.5 / float(np.sqrt(model.plane.k2.max()))
    for (one, one_error), (two, two_error) in combinations(places, 2):
        distance = np.array([one["x"] - two["x"], one["y"] - two["y"]])
        variance = np.array([one_error[axis] ** 2 + two_error[axis] ** 2 for axis in ("x", "y")])
        apart = float(np.hypot(*distance))
        deviation = np.sqrt((distance**2 * variance).sum()) / apart if apart > 0 else np.inf
        at_one_place = apart < SEPARATION * finest or apart < SIGNIFICANCE * deviation
        if at_one_place and not _core_and_halo(one, one_error, two, two_error):
            return "two sources coincide"
    return ""


def _core_and_halo(
    one: Mapping[str, float], one_error: Mapping[str, float], two: Mapping[str, float], two_error: Mapping[str, float]
) -> bool:
    """Whether one of two coincident sources is significantly wider: a core and its halo, not the same source twice."""
    wide, narrow = max(one["fwhm"], two["fwhm"]), min(one["fwhm"], two["fwhm"])
    return wide > HALO * narrow and wide - narrow > SIGNIFICANCE * float(np.hypot(one_error["fwhm"], two_error["fwhm"]))


def _at_bound(model: SourceModel, theta: Floats, part: slice) -> str:
    """Name of a free flux, position or width that is at its bound, the lower bound of widths excepted; else empty."""
    lower, upper, value = model.bounds[0][part], model.bounds[1][part], theta[part]
    margin = _ON_BOUND * (upper - lower)
    for i, name in enumerate(("flux", "x", "y", "fwhm")):
        if lower[i] == upper[i]:
            continue
        if value[i] > upper[i] - margin[i] or (value[i] < lower[i] + margin[i] and name != "fwhm"):
            return name
    return ""
