"""The built-in imaging methods, each declared once, and a function that runs a method.

To add a built-in method: write its module and add its declaration to `BUILT_IN`. A package adds one by the same
declaration and an entry point (``docs/how-to/add_a_method.md``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing
from stixcore.errors import ReconstructionError
from stixcore.imaging.back_projection import BackProjectionParameters, back_project
from stixcore.imaging.clean import CleanParameters, StopRule, clean
from stixcore.imaging.declaration import ImagingMethod, MethodInput, Package, StoredParameters
from stixcore.imaging.em import EmParameters, em
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import FluxEstimate, MemGeParameters, mem_ge
from stixcore.imaging.ms_clean import MultiScaleCleanParameters, ms_clean
from stixcore.imaging.reconstruction import (
    PER_BEAM,
    SURFACE_BRIGHTNESS,
    Method,
    Reconstruction,
    known_methods,
    method_name,
)
from stixcore.imaging.registry import find_method, known_names, package_of, register
from stixcore.imaging.total_flux import counted_flux
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FullDiskParameters:
    """The full-disk map has no parameters; it uses 10a … 7c, natural weighting, and 512² pixels on 2.6 solar radii."""


#: Parameters of a method: an instance of the frozen dataclass that its declaration has.
type MethodParameters = (
    FullDiskParameters
    | BackProjectionParameters
    | CleanParameters
    | MultiScaleCleanParameters
    | EmParameters
    | MemGeParameters
    | ForwardFitParameters
    | StoredParameters
    | Any  # of another package
)


@dataclass(frozen=True, eq=False)
class ImagingInput:
    """Input of the imaging methods.

    Attributes
    ----------
    vis : Visibilities
        Helioprojective axes, phase centre = centre of ``grid``.
    pixels : MetaPixels
        The counts that the visibilities come from.
    grid : ImageGrid
    operator : FourierOperator
        Operator for ``vis`` and ``grid``, shared by all methods.
    pointing : Pointing
    flare_xy : (x, y), arcsec
        Map centre in the STIX frame.
    scheme : AmplitudeScheme
    """

    vis: Visibilities
    pixels: MetaPixels
    grid: ImageGrid
    operator: FourierOperator
    pointing: Pointing
    flare_xy: tuple[float, float]
    scheme: AmplitudeScheme


def run_method(method: Method, parameters: MethodParameters, given: ImagingInput) -> Reconstruction:
    """Run one method on prepared input.

    Where the background is known, the ``certificate`` of an image with a total flux has "counted_flux" and
    "missing_flux" = counted_flux - total_flux, both in ct s⁻¹ cm⁻² keV⁻¹.

    Raises
    ------
    ReconstructionError
        When no image can be made from the input, or the parameters are those of another method.
    """
    image = _run(method, parameters, given)
    if "missing_flux" in image.certificate or not np.isfinite(image.total_flux):
        return image  # CLEAN has added it, or the map has no total flux
    counted = _known_flux(given)
    if counted is None:
        return image
    said = {"counted_flux": counted, "missing_flux": counted - image.total_flux}
    return replace(image, certificate={**image.certificate, **said})


def _run(method: Method, parameters: MethodParameters, given: ImagingInput) -> Reconstruction:
    declared = find_method(method)
    if declared is None or isinstance(parameters, StoredParameters):
        message = f"{method_name(method)} cannot be made: {missing_package(method, None)}"
        raise ReconstructionError(message)
    if type(parameters) is not type(declared.parameters):
        message = f"{type(parameters).__name__} are not parameters of {method_name(method)}"
        raise ReconstructionError(message)
    if declared.package is None:
        return declared.run(given, parameters)
    try:
        image = declared.run(given, parameters)
    except ReconstructionError:
        raise
    except Exception as error:
        _LOG.exception("%s of %s", method, declared.package)
        message = f"{method_name(method)} of {declared.package} failed: {type(error).__name__}: {error}"
        raise ReconstructionError(message) from error
    return _checked(image, method, declared, given)


def missing_package(method: Method, made_with: Package | None) -> str:
    """Why a method of a recipe cannot be run: which package made it, and which one is installed."""
    installed = package_of(method)
    made = f"the recipe was made with {made_with}" if made_with else "its package is unknown"
    return f"{made}, but {f'{installed} is installed' if installed else 'no package with this method is installed'}"


def _checked(image: Any, method: Method, declared: ImagingMethod, given: ImagingInput) -> Reconstruction:
    """An image of another package, which may have any fault."""
    fault = _fault(image, method, declared, given)
    if fault:
        message = f"{method_name(method)} of {declared.package} returned no valid image: {fault}"
        raise ReconstructionError(message)
    return cast("Reconstruction", image)


def _fault(image: Any, method: Method, declared: ImagingMethod, given: ImagingInput) -> str:
    """What is wrong with an image; empty when nothing is."""
    if not isinstance(image, Reconstruction):
        return f"expected a Reconstruction, found {type(image).__name__}"
    if image.method is not method:
        return f"expected the method {method}, found {image.method}"
    unit = SURFACE_BRIGHTNESS if declared.deconvolved else PER_BEAM
    if image.grid != given.grid or image.unit != unit:
        return f"expected the grid of the recipe and the unit {unit!r}, found {image.grid} and {image.unit!r}"
    planes = {"image": image.image, **image.planes}.items()
    return next((f"{name}: {fault}" for name, plane in planes if (fault := _fault_of_plane(plane, given.grid))), "")


def _fault_of_plane(plane: Any, grid: ImageGrid) -> str:
    values = np.asarray(plane)
    if values.dtype != np.float64 or values.shape != grid.shape:
        return f"expected float64 {grid.shape}, found {values.dtype} {values.shape}"
    wrong = np.count_nonzero(~np.isfinite(values))
    return f"{wrong} pixels are not finite" if wrong else ""


def _with_flux(parameters: MemGeParameters, given: ImagingInput) -> tuple[MemGeParameters, float | None]:
    """Parameters of MEM_GE, and the flux from the counts where it is known.

    Without a background file, the counts include the background. The largest amplitude does not, so it is used instead,
    and `Reconstruction.flux_estimate` shows that.
    """
    if parameters.total_flux is not None or parameters.flux_estimate != FluxEstimate.COUNTS:
        return parameters, _known_flux(given)
    if not given.pixels.background_name:
        return replace(parameters, flux_estimate=FluxEstimate.AMPLITUDE), None
    return parameters, counted_flux(given.pixels, given.vis.labels, flare_xy=given.flare_xy, scheme=given.scheme)


def _known_flux(given: ImagingInput) -> float | None:
    """Flux from the counts, for reports only; None where the background is unknown or as bright as the flare."""
    if not given.pixels.background_name:
        return None
    try:
        return counted_flux(given.pixels, given.vis.labels, flare_xy=given.flare_xy, scheme=given.scheme)
    except ReconstructionError:
        return None


# Declarations -----------------------------------------------------------------------------------------------------

#: CLEAN with the noise stop rule takes 50 to 130 iterations; the limit is for flares that no set of points explains.
CLEAN_ITERATIONS = 500


def _made_by_locator(given: ImagingInput, parameters: FullDiskParameters) -> Reconstruction:
    message = f"{type(parameters).__name__}: the full-disk map is made of other pixels than {given.grid.shape}"
    raise ReconstructionError(message)


def _back_project(given: ImagingInput, parameters: BackProjectionParameters) -> Reconstruction:
    return back_project(given.vis, given.grid, parameters, operator=given.operator)


def _clean(given: ImagingInput, parameters: CleanParameters) -> Reconstruction:
    return clean(given.vis, given.grid, parameters, operator=given.operator, counted_flux=_known_flux(given))


def _ms_clean(given: ImagingInput, parameters: MultiScaleCleanParameters) -> Reconstruction:
    return ms_clean(given.vis, given.grid, parameters, operator=given.operator, counted_flux=_known_flux(given))


def _em(given: ImagingInput, parameters: EmParameters) -> Reconstruction:
    return em(
        given.pixels,
        given.grid,
        given.pointing,
        parameters,
        labels=given.vis.labels,
        flare_xy=given.flare_xy,
        scheme=given.scheme,
        operator=given.operator,
    )


def _mem_ge(given: ImagingInput, parameters: MemGeParameters) -> Reconstruction:
    parameters, flux = _with_flux(parameters, given)
    return mem_ge(given.vis, given.grid, parameters, operator=given.operator, counted_flux=flux)


def _forward_fit(given: ImagingInput, parameters: ForwardFitParameters) -> Reconstruction:
    return forward_fit(given.vis, given.grid, parameters)


#: The built-in methods in the order of pages and files. An image is smoother than the sky, so the bias of its copies is
#: smaller than its own: ``bias_weight`` is above 1. It and ``image_weight`` are calibrated with
#: ``python -m benchmarks coverage``.
BUILT_IN = (
    ImagingMethod(
        Method.FULL_DISK_BP,
        "Full-disk back projection",
        FullDiskParameters(),
        _made_by_locator,
        "Dirty map of the whole disk from the coarse grids, on which the flare is found",
        by_default=True,
        deconvolved=False,
    ),
    ImagingMethod(
        Method.BP,
        "Back projection",
        BackProjectionParameters(),
        _back_project,
        "Dirty map: the inverse Fourier transform of the visibilities",
        by_default=True,
        deconvolved=False,
        bias_weight=0.0,
    ),
    ImagingMethod(
        Method.CLEAN,
        "CLEAN",
        # the noise rule continues until only noise is left (docs/decisions/clean_stop_rule.md)
        CleanParameters(max_iterations=CLEAN_ITERATIONS, stop_rule=StopRule.NOISE),
        _clean,
        "Point sources, convolved with a Gaussian beam",
        by_default=True,
        bias_weight=1.5,
        paper="CLEAN: Högbom 1974, A&AS 15, 417",
    ),
    ImagingMethod(
        Method.MS_CLEAN,
        "Multi-scale CLEAN",
        MultiScaleCleanParameters(),
        _ms_clean,
        "Sources of several sizes, convolved with a Gaussian beam",
        by_default=True,
        bias_weight=1.35,
        paper="Multi-scale CLEAN: after Cornwell 2008, IEEE J. Sel. Topics Signal Process. 2, 793",
    ),
    ImagingMethod(
        Method.EM,
        "EM",
        EmParameters(),
        _em,
        "Expectation maximization: the most likely image for the counts of the pixels",
        by_default=True,
        data=MethodInput.COUNTS,
        bias_weight=2.1,
        # EM stops early: structure that it does not show, such as the core of a halo, is missing in copies too
        image_weight=0.08,
        paper="EM: Massa et al. 2019, A&A 624, A130, doi:10.1051/0004-6361/201935323",
    ),
    ImagingMethod(
        Method.MEM_GE,
        "MEM_GE",
        # the only unbiased estimate of the total flux (docs/science/mem_ge.md)
        MemGeParameters(flux_estimate=FluxEstimate.COUNTS),
        _mem_ge,
        "Maximum entropy: the flattest image that fits the visibilities",
        by_default=True,
        bias_weight=1.6,
        paper="MEM_GE: Massa et al. 2020, ApJ 894, 46, doi:10.3847/1538-4357/ab8637",
    ),
    ImagingMethod(
        Method.VIS_FWDFIT,
        "VIS_FWDFIT",
        ForwardFitParameters(),
        _forward_fit,
        "Circles, ellipses or loops fitted to the visibilities",
        by_default=True,
        bias_weight=0.5,
        paper="VIS_FWDFIT: Volpara et al. 2022, A&A 668, A145, doi:10.1051/0004-6361/202243907",
    ),
)
register(BUILT_IN)

#: Classes of the parameters of the built-in methods.
PARAMETERS = {Method(method.name): type(method.parameters) for method in BUILT_IN}


def declaration_of(method: Method) -> ImagingMethod:
    """Declaration of a method.

    Raises
    ------
    ReconstructionError
        When the method is not installed.
    """
    declared = find_method(method)
    if declared is None:
        message = f"{method} is not a method; the methods are {', '.join(known_names())}"
        raise ReconstructionError(message)
    return declared


def default_parameters(method: Method) -> MethodParameters:
    """Default parameters of a method.

    Raises
    ------
    ReconstructionError
        When the method is not installed.
    """
    return declaration_of(method).parameters


def default_methods() -> dict[Method, MethodParameters]:
    """Default parameters of the methods that previews make: the built-in ones, and those of packages that say so.

    MEM_GE takes its total flux from the counts, the only unbiased estimate (``docs/science/mem_ge.md``). The largest
    visibility amplitude, which the Data Center uses, is 28 % too high with 3,000 counts, and the ground software's
    estimate is 1.3 to 1.6 times the true flux of simulated flares. CLEAN continues until only noise is left
    (``docs/decisions/clean_stop_rule.md``).
    """
    return {method: one.parameters for method in known_methods() if (one := declaration_of(method)).by_default}
