"""VIS_FWDFIT: fit a few parametric sources to visibilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.forward_fit.image import draw
from stixcore.imaging.forward_fit.search import Fit, Search
from stixcore.imaging.forward_fit.selection import Candidate, chi2_unit, choose, least_bic, objection
from stixcore.imaging.forward_fit.shapes import Plane, Shape
from stixcore.imaging.forward_fit.sources import Limits, Source
from stixcore.imaging.forward_fit.uncertainty import covariance_sigma, ensemble_sigma, reported, residual_sigma
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction, StopReason, chi_square, require_usable
from stixcore.imaging.threads import single_threaded
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: The configuration that selects the model from the data.
AUTO = "auto"
#: Models `AUTO` chooses from.
CANDIDATES: tuple[tuple[Shape, ...], ...] = (
    (Shape.CIRCLE,),
    (Shape.ELLIPSE,),
    (Shape.LOOP,),
    (Shape.CIRCLE, Shape.CIRCLE),
)
MAX_SOURCES = 6


class ModelSelection(StrEnum):
    """How "auto" compares models."""

    PLAIN_BIC = "plain_bic"  # χ² with σ as given
    SCALED_BIC = "scaled_bic"  # χ² ÷ best reduced χ²; no source whose evidence is a single sub-collimator


class Uncertainty(StrEnum):
    """Where error bars come from."""

    RESIDUALS = "residuals"  # residuals of the fit: calibrated whether or not sigma is correct
    COVARIANCE = "covariance"  # curvature of χ² at the best fit: correct if sigma is
    ENSEMBLE = "ensemble"  # scatter of refits to visibilities perturbed by sigma


@dataclass(frozen=True)
class ForwardFitParameters:
    """Parameters of `forward_fit`; the limits are those of the ground software.

    Attributes
    ----------
    configuration : tuple of str
        Shapes "circle", "ellipse", "loop", one per source; or "auto": the best of circle, ellipse, loop and two
        circles. A plain string is the same as a tuple of one.
    fixed : tuple of mappings
        Values that are not fitted, one mapping per source in the order of ``configuration``: flux, x, y, fwhm and,
        except for circles, fwhm_max, fwhm_min, position_angle, loop_angle, in the units of the result. x and y are
        coordinates of the grid. Empty: nothing is fixed.
    uncertainty : Uncertainty
        How error bars are determined.
    n_ensemble : int
        Number of refits for `Uncertainty.ENSEMBLE`.
    seed : int
        Seed of the ensemble; the same seed gives the same error bars.
    position_limit : float, arcsec
        Largest distance of a source from the phase center, in x and in y.
    fwhm_limits : (float, float), arcsec
    flux_limits : (float, float)
        In units of the largest visibility amplitude.
    selection : ModelSelection
        How "auto" compares models; recipes from before this choice existed have `ModelSelection.PLAIN_BIC`.

    Raises
    ------
    SelectionError
        When the configuration, a fixed value or a limit is invalid.
    """

    configuration: tuple[str, ...] = (AUTO,)
    fixed: tuple[Mapping[str, float], ...] = field(default=())
    uncertainty: Uncertainty = Uncertainty.RESIDUALS
    n_ensemble: int = 100
    seed: int = 0
    position_limit: float = 100.0
    fwhm_limits: tuple[float, float] = (1.0, 100.0)
    flux_limits: tuple[float, float] = (0.1, 1.5)
    selection: ModelSelection = ModelSelection.SCALED_BIC

    def __post_init__(self) -> None:
        named: object = self.configuration
        given = (named,) if isinstance(named, str) else tuple(self.configuration)
        object.__setattr__(self, "configuration", given)
        object.__setattr__(self, "fixed", tuple(self.fixed))
        object.__setattr__(self, "fwhm_limits", tuple(self.fwhm_limits))
        object.__setattr__(self, "flux_limits", tuple(self.flux_limits))
        object.__setattr__(self, "uncertainty", Uncertainty(self.uncertainty))
        object.__setattr__(self, "selection", ModelSelection(self.selection))
        unknown = [name for name in given if name not in set(Shape) and (name != AUTO or len(given) > 1)]
        if unknown or not 1 <= len(given) <= MAX_SOURCES:
            message = f'a configuration is "{AUTO}" or 1 to {MAX_SOURCES} of {", ".join(Shape)}, found {list(given)}'
            raise SelectionError(message)
        if self.fixed and (len(self.fixed) != len(given) or given == (AUTO,)):
            message = f"fixed values need one mapping for each source of {list(given)}, found {len(self.fixed)}"
            raise SelectionError(message)
        if self.n_ensemble < 2:
            message = f"an ensemble needs 2 or more refits, found {self.n_ensemble}"
            raise SelectionError(message)
        if not (
            self.position_limit > 0
            and 0 < self.fwhm_limits[0] < self.fwhm_limits[1]
            and 0 < self.flux_limits[0] < self.flux_limits[1]
        ):
            message = (
                "a forward fit needs position_limit > 0 and 0 < lower < upper limits of fwhm and flux, found "
                f"{self.position_limit}, {self.fwhm_limits}, {self.flux_limits}"
            )
            raise SelectionError(message)
        if given != (AUTO,):
            self.sources((0.0, 0.0))  # raises for values that cannot be fixed

    def sources(self, center: tuple[float, float]) -> tuple[Source, ...]:
        """The sources to fit, with fixed positions relative to ``center`` (x, y) in arcsec."""
        fixed: Sequence[Mapping[str, float]] = self.fixed or tuple({} for _ in self.configuration)
        shift = {"x": center[0], "y": center[1]}
        return tuple(
            Source(Shape(name), {key: value - shift.get(key, 0.0) for key, value in values.items()})
            for name, values in zip(self.configuration, fixed, strict=True)
        )


def forward_fit(vis: Visibilities, grid: ImageGrid, parameters: ForwardFitParameters | None = None) -> Reconstruction:
    """Fit circles, ellipses and loops to visibilities and draw them, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻².

    Parameters
    ----------
    vis : Visibilities
        The phase center is the center of ``grid``. Positions and angles are in the axes of these visibilities.
    grid : ImageGrid
    parameters : ForwardFitParameters, optional

    Returns
    -------
    Reconstruction
        ``sources``: one mapping per source with its ``shape`` and, each with ``<name>_sigma``, ``flux``, ``x``, ``y``
        (coordinates of the grid, as `Reconstruction.peak`), ``fwhm``; for ellipses and loops ``fwhm`` is the geometric
        mean of ``fwhm_max`` and ``fwhm_min``, ``position_angle`` that of the major axis (of a loop: across its chord),
        counter-clockwise from +x in [0, 180), and ``ec``, ``es`` are the ground software's eccentricity parameters;
        loops have a ``loop_angle``. A fixed value has sigma 0. ``model_selection``: a table with one row per fitted
        model (χ², degrees of freedom, BIC, the reason for rejection, sources); the chosen row is marked. ``chi2`` of
        the reconstruction is per degree of freedom, the ``reduced_chi2`` of the chosen row; ``chi2`` in the table is
        the sum.

    Raises
    ------
    ReconstructionError
        When the visibilities are unusable or fewer than the parameters of the model.

    Notes
    -----
    Objective and limits are those of Volpara et al. 2022, A&A 668, A145. Their particle swarm is replaced by a scan of
    the whole field and Levenberg-Marquardt with analytic derivatives, which finds the same optimum.
    """
    with single_threaded():
        return _fit(vis, grid, parameters or ForwardFitParameters())


def fit_circle(vis: Visibilities, reach: float) -> tuple[dict[str, float], float]:
    """Fit a single circle as `forward_fit` does, in two thirds of the time: no image, no other minima.

    Parameters
    ----------
    vis : Visibilities
    reach : float, arcsec
        ``position_limit`` of `ForwardFitParameters`.

    Returns
    -------
    dict, float
        The source as in `forward_fit`, with its position relative to the phase center; χ² per degree of freedom.

    Raises
    ------
    ReconstructionError
        As for `forward_fit`.
    """
    require_usable(vis)
    p = ForwardFitParameters((Shape.CIRCLE,), position_limit=reach)
    _fittable(vis, p, (0.0, 0.0))
    with single_threaded():
        circle = _candidate(_search(vis, p).alone(Shape.CIRCLE), vis, p.uncertainty)
    return dict(circle.sources((0.0, 0.0))[0]), circle.fit.chi2 / circle.ndof


def _fit(vis: Visibilities, grid: ImageGrid, p: ForwardFitParameters) -> Reconstruction:
    begin = perf_counter()
    require_usable(vis)
    wanted = _fittable(vis, p, grid.center)
    search = _search(vis, p)
    candidates = [_candidate(search.fit(sources), vis, p.uncertainty) for sources in wanted]
    if p.selection is ModelSelection.PLAIN_BIC:
        scale, winner = 1.0, least_bic(candidates)
    else:
        scale = chi2_unit(candidates)
        winner, candidates = choose(candidates, vis.vis, vis.sigma)
    best = candidates[winner]
    if p.uncertainty is Uncertainty.ENSEMBLE:
        best = replace(best, sigma=ensemble_sigma(best.fit, vis.vis, vis.sigma, p.n_ensemble, p.seed))
        candidates[winner] = best
    sources = best.sources(grid.center)
    minima = best.fit.minima
    return Reconstruction(
        Method.VIS_FWDFIT,
        grid,
        draw(sources, grid),
        chi2=chi_square(best.fit.model.evaluate(best.fit.theta[None])[0][0], vis, best.fit.model.n_free),
        total_flux=float(sum(source["flux"] for source in sources)),
        n_parameters=best.fit.model.n_free,
        n_iter=minima.history.shape[0] - 1,
        stopped_by=StopReason.CONVERGED if minima.converged[0] else StopReason.MAX_ITERATIONS,
        sources=sources,
        model_selection=tuple(
            candidate.row(grid.center, best=best.bic(scale), scale=scale, chosen=candidate is best)
            for candidate in candidates
        ),
        history=minima.history[:, 0],
        elapsed=perf_counter() - begin,
    )


def _fittable(vis: Visibilities, p: ForwardFitParameters, center: tuple[float, float]) -> list[tuple[Source, ...]]:
    """The models with fewer free parameters than there are data."""
    wanted = [sources for sources in _models(p, center) if sum(source.n_free for source in sources) < 2 * len(vis)]
    if not wanted:
        message = f"{len(vis)} visibilities are too few to fit {'+'.join(p.configuration)}"
        raise ReconstructionError(message)
    return wanted


def _models(p: ForwardFitParameters, center: tuple[float, float]) -> list[tuple[Source, ...]]:
    if p.configuration == (AUTO,):
        return [tuple(Source(shape, {}) for shape in shapes) for shapes in CANDIDATES]
    return [p.sources(center)]


def _search(vis: Visibilities, p: ForwardFitParameters) -> Search:
    plane = Plane(vis.u, vis.v)
    if not (np.isfinite(plane.k2).all() and plane.k2.max() > 0):
        message = "the (u, v) points are not finite numbers, or all of them are zero"
        raise ReconstructionError(message)
    strongest = float(np.abs(vis.vis).max())
    limits = Limits((p.flux_limits[0] * strongest, p.flux_limits[1] * strongest), p.position_limit, p.fwhm_limits)
    return Search(plane, vis.vis, vis.sigma, limits)


def _candidate(fit: Fit, vis: Visibilities, uncertainty: Uncertainty) -> Candidate:
    values = reported(fit.model, fit.theta[None])[0][0]
    # Models are compared by χ², so significance is judged with the same σ.
    sigma = covariance_sigma(fit, vis.sigma)
    against = objection(fit, values, sigma)
    if uncertainty is Uncertainty.RESIDUALS:
        sigma = residual_sigma(fit, vis.vis, vis.sigma)
    return Candidate(fit, values, sigma, 2 * len(vis), against)
