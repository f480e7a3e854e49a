"""The imaging methods by name: their parameters, and a function that runs them.

To add a method: write its module, add a member to `Method`, an entry to `PARAMETERS` and a line in `run_method`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing
from stixcore.errors import ReconstructionError
from stixcore.imaging.back_projection import BackProjectionParameters, back_project
from stixcore.imaging.clean import CleanParameters, clean
from stixcore.imaging.em import EmParameters, em
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import FluxEstimate, MemGeParameters, mem_ge
from stixcore.imaging.ms_clean import MultiScaleCleanParameters, ms_clean
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name
from stixcore.imaging.total_flux import counted_flux
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities


@dataclass(frozen=True)
class FullDiskParameters:
    """The full-disk map has no parameters; it uses 10a … 7c, natural weighting, and 512² pixels on 2.6 solar radii."""


type MethodParameters = (
    FullDiskParameters
    | BackProjectionParameters
    | CleanParameters
    | MultiScaleCleanParameters
    | EmParameters
    | MemGeParameters
    | ForwardFitParameters
)

PARAMETERS: Mapping[Method, type[MethodParameters]] = {
    Method.FULL_DISK_BP: FullDiskParameters,
    Method.BP: BackProjectionParameters,
    Method.CLEAN: CleanParameters,
    Method.MS_CLEAN: MultiScaleCleanParameters,
    Method.EM: EmParameters,
    Method.MEM_GE: MemGeParameters,
    Method.VIS_FWDFIT: ForwardFitParameters,
}


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
    match parameters:
        case BackProjectionParameters():
            return back_project(given.vis, given.grid, parameters, operator=given.operator)
        case CleanParameters():
            return clean(given.vis, given.grid, parameters, operator=given.operator, counted_flux=_known_flux(given))
        case MultiScaleCleanParameters():
            return ms_clean(given.vis, given.grid, parameters, operator=given.operator, counted_flux=_known_flux(given))
        case EmParameters():
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
        case MemGeParameters():
            parameters, flux = _with_flux(parameters, given)
            return mem_ge(given.vis, given.grid, parameters, operator=given.operator, counted_flux=flux)
        case ForwardFitParameters():
            return forward_fit(given.vis, given.grid, parameters)
        case _:
            message = f"{type(parameters).__name__} are not parameters of {method_name(method)}"
            raise ReconstructionError(message)


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
