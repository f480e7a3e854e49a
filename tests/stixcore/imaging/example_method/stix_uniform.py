from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

import numpy as np
from pydantic import Field

from stixcore.imaging.declaration import ImagingMethod
from stixcore.imaging.methods import ImagingInput
from stixcore.imaging.reconstruction import PER_BEAM, Method, Reconstruction, require_usable


@dataclass(frozen=True)
class UniformParameters:
    """Parameters of `uniform`."""

    power: Annotated[float, Field(ge=0, le=3, description="0: natural weighting, 1: uniform")] = 1.0


def uniform(given: ImagingInput, parameters: UniformParameters) -> Reconstruction:
    """Dirty map with weights |(u, v)|^p, ct s⁻¹ cm⁻² keV⁻¹ beam⁻¹."""
    begin, vis = perf_counter(), given.vis
    require_usable(vis)
    weights = np.hypot(vis.u, vis.v) ** parameters.power
    # I = Σ w Re[V e^{-2πi(ux+vy)}] / Σ w
    image = given.operator.adjoint(vis.vis * weights) / weights.sum()
    return Reconstruction(Method.named("uniform"), given.grid, image, PER_BEAM, elapsed=perf_counter() - begin)


UNIFORM = ImagingMethod(
    name="uniform",
    display_name="Uniform weights",
    parameters=UniformParameters(),
    run=uniform,
    description="Dirty map with weights that grow with the spatial frequency",
    deconvolved=False,
    bias_weight=0.0,
)
