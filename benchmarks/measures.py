"""Measurements on the images of one simulated observation, ours and those of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.scenes import CONFIGURATION, LEVEL, Observation, Scene
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.forward_fit import ForwardFitParameters, ModelSelection, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import FluxEstimate, MemGeParameters
from stixcore.imaging.methods import ImagingInput, MethodParameters, default_methods, run_method
from stixcore.imaging.metrics import measure_source, relative_rms
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.simulation.sources import Circle, Ellipse, Loop

Floats = NDArray[np.float64]

#: Default parameters until 2026-11-29 where they differed; these recipes can still be run.
BEFORE: Mapping[str, tuple[Method, MethodParameters]] = {
    "CLEAN, before": (Method.CLEAN, CleanParameters()),
    "MEM_GE, before": (Method.MEM_GE, MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE)),
    "VIS_FWDFIT, before": (Method.VIS_FWDFIT, ForwardFitParameters(selection=ModelSelection.PLAIN_BIC)),
}
METHODS = (
    "BP", "CLEAN", "CLEAN, before", "CLEAN ⊗", "MS_CLEAN", "EM", "MEM_GE", "MEM_GE, before",
    "VIS_FWDFIT", "VIS_FWDFIT, before",
)  # fmt: skip
#: CLEAN compared with the truth convolved with its beam.
SMEARED, BEAM = "CLEAN ⊗", 20.0
#: Two sources are separated if there is a maximum within this distance of each, arcsec,
NEAR = 10.0
#: the fainter maximum is at least this high relative to the highest pixel,
FAINTEST = 0.3
#: and the image drops between them to this fraction of the fainter one, or lower.
DIP = 0.9
_NAMES = {
    Method.BP: "BP",
    Method.CLEAN: "CLEAN",
    Method.MS_CLEAN: "MS_CLEAN",
    Method.EM: "EM",
    Method.MEM_GE: "MEM_GE",
    Method.VIS_FWDFIT: "VIS_FWDFIT",
}


#: Choice of the forward-fit model: shapes are given, or one of four is chosen, by the current rule or by plain BIC.
CHOICES = ("known", "by BIC", "by BIC, before")


@dataclass(frozen=True)
class Measured:
    """One image compared with the truth.

    Attributes
    ----------
    scene : Scene
    counts : float
    number : int
        Number of the noise realization.
    method : str
    peer : bool
        Whether the image was made by ``xrayvisim`` or ``stixpy``.
    rms : float
        ‖image - truth‖ ÷ ‖truth‖ over all pixels; a back projection, which has no absolute scale, is scaled to fit.
    peak : float
        Highest pixel ÷ that of the truth; NaN for a back projection.
    width : float
        FWHM of the brightest source ÷ that of the truth's, both measured in the same way on the same pixels.
    position : float, arcsec
        Distance of the centroid of the brightest source from that of the truth (the nearer one of two sources).
    flux : float
        Total flux ÷ truth; NaN for a back projection.
    separated : bool or None
        Whether both sources are separated; None if there are not two.
    """

    scene: Scene
    counts: float
    number: int
    method: str
    peer: bool
    rms: float
    peak: float
    width: float
    position: float
    flux: float
    separated: bool | None


@dataclass(frozen=True)
class Fitted:
    """Parameters of one forward fit compared with the truth.

    Attributes
    ----------
    choice : str
        Choice of the model: one of `CHOICES`.
    model : str
    flux : float
        Total flux ÷ truth - 1.
    fwhm : float
        FWHM ÷ truth - 1 of the brightest source (with a halo, of the core; of a loop, the geometric mean of the axes);
        NaN if the fit has a different number of sources.
    position : float, arcsec
        Distance of the flux-weighted centroid of all sources from the true one.
    separated : bool or None
        Whether there is a fitted source within 10″ of each of the two true ones.
    """

    scene: Scene
    counts: float
    number: int
    choice: str
    model: str
    flux: float
    fwhm: float
    position: float
    separated: bool | None


def our_images(given: Observation, *, before: bool = False) -> dict[str, Reconstruction]:
    """The methods with the default parameters of the archive, and optionally with earlier ones."""
    parameters, data = default_methods(), ready(given)
    chosen = {name: (method, parameters[method]) for method, name in _NAMES.items()} | (dict(BEFORE) if before else {})
    return {name: run_method(method, wanted, data) for name, (method, wanted) in chosen.items()}


def ready(given: Observation) -> ImagingInput:
    """An observation as input of the methods."""
    operator = FourierOperator(given.vis.u, given.vis.v, given.grid)
    scheme = AmplitudeScheme.GSW_2026
    return ImagingInput(given.vis, given.pixels, given.grid, operator, LEVEL, given.flare_xy, scheme)


def measure(given: Observation, method: str, image: Floats, total_flux: float, *, peer: bool = False) -> Measured:
    """Compare an image with the truth."""
    truth = given.truth(BEAM if method == SMEARED else 0.0)
    scaled = method != "BP"
    if not scaled:
        image = best_scaled(image, truth)
    source, true_source = measure_source(image, given.grid), measure_source(truth, given.grid)
    places = given.positions if given.scene is Scene.TWO else np.array([[true_source.x, true_source.y]])
    distance = np.hypot(*(places - (source.x, source.y)).T)
    return Measured(
        scene=given.scene,
        counts=given.counts,
        number=given.number,
        method=method,
        peer=peer,
        rms=relative_rms(image, truth),
        peak=float(image.max() / truth.max()) if scaled else float("nan"),
        width=source.fwhm / true_source.fwhm,
        position=float(distance.min()),
        flux=total_flux / given.flux,
        separated=is_separated(image, given.grid, given.positions) if given.scene is Scene.TWO else None,
    )


def measure_ours(given: Observation) -> tuple[list[Measured], list[Fitted]]:
    """All our methods on one observation."""
    images = our_images(given, before=True)
    measured = [measure(given, name, result.image, result.total_flux) for name, result in images.items()]
    measured.append(measure(given, SMEARED, images["CLEAN"].image, images["CLEAN"].total_flux))
    known = forward_fit(given.vis, given.grid, ForwardFitParameters(CONFIGURATION[given.scene]))
    fits = (known, images["VIS_FWDFIT"], images["VIS_FWDFIT, before"])
    return measured, [_fitted(given, fit, choice) for fit, choice in zip(fits, CHOICES, strict=True)]


def best_scaled(image: Floats, truth: Floats) -> Floats:
    """An image scaled to fit the truth."""
    return np.asarray(image * (np.vdot(image, truth) / np.vdot(image, image)))


def is_separated(image: Floats, grid: ImageGrid, positions: Floats) -> bool:
    """Whether an image separates two sources at ``positions``, (2, 2) float, arcsec (`NEAR`, `FAINTEST`, `DIP`)."""
    maxima = np.argwhere((image == ndimage.maximum_filter(image, size=3)) & (image >= FAINTEST * image.max()))
    if len(maxima) < 2:
        return False
    x, y = grid.position(maxima[:, 0].astype(float), maxima[:, 1].astype(float))  # type: ignore[arg-type]
    found = []
    for place in positions:
        near = np.flatnonzero(np.hypot(x - place[0], y - place[1]) <= NEAR)
        if not near.size:
            return False
        found.append(maxima[near[np.argmax(image[tuple(maxima[near].T)])]])
    one, other = found
    if (one == other).all():
        return False
    line = one[:, None] + np.linspace(0.0, 1.0, 41) * (other - one)[:, None]
    profile = ndimage.map_coordinates(image, line, order=1)
    return bool(profile.min() <= DIP * min(profile[0], profile[-1]))


def _fitted(given: Observation, result: Reconstruction, choice: str) -> Fitted:
    (row,) = (model for model in result.model_selection if model["chosen"])
    sources = sorted(result.sources, key=lambda source: _rank(given.scene, source))
    flux = np.array([source["flux"] for source in sources])
    places = np.array([[source["x"], source["y"]] for source in sources])
    share = np.array([source.share for source in given.sources])
    center = (share / share.sum()) @ given.positions
    return Fitted(
        scene=given.scene,
        counts=given.counts,
        number=given.number,
        choice=choice,
        model=row["model"],
        flux=result.total_flux / given.flux - 1.0,
        fwhm=sources[0]["fwhm"] / _true_width(given) - 1.0 if len(sources) == len(given.sources) else float("nan"),
        position=float(np.hypot(*(flux @ places / flux.sum() - center))),
        separated=_are_apart(places, given.positions) if given.scene is Scene.TWO else None,
    )


def _rank(scene: Scene, source: Mapping[str, Any]) -> float:
    """Brightest first; with a halo, the core first."""
    return float(source["fwhm"] if scene is Scene.HALO else -source["flux"])


def _true_width(given: Observation) -> float:
    first = given.sources[0]
    if isinstance(first, Loop | Ellipse):
        return float(np.sqrt(first.fwhm_max * first.fwhm_min))
    assert isinstance(first, Circle)
    return first.fwhm


def _are_apart(places: Floats, positions: Floats) -> bool:
    """Whether there is a source near each position."""
    if len(places) != 2:
        return False
    distance = np.hypot(*(places[:, None] - positions[None]).transpose(2, 0, 1))
    return bool(min(np.diag(distance).max(), np.diag(distance[::-1]).max()) <= NEAR)
