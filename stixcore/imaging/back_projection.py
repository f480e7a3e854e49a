"""Back projection: the dirty map."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import PER_BEAM, Method, Reconstruction, require_usable
from stixcore.imaging.weights import Weighting, visibility_weights
from stixcore.visibility.visibilities import Visibilities


@dataclass(frozen=True)
class BackProjectionParameters:
    """Parameters of `back_project`."""

    weighting: Weighting = Weighting.NATURAL


def back_project(
    vis: Visibilities,
    grid: ImageGrid,
    parameters: BackProjectionParameters | None = None,
    *,
    operator: FourierOperator | None = None,
    method: Method = Method.BP,
) -> Reconstruction:
    """Make a dirty map I(x, y) = Σ w Re[V e^{-2πi(ux+vy)}] / Σ w, ct s⁻¹ cm⁻² keV⁻¹ beam⁻¹.

    The peak of a point source is its flux, not its brightness per solid angle.

    Parameters
    ----------
    vis : Visibilities
        Phase centre = centre of ``grid``.
    grid : ImageGrid
    parameters : BackProjectionParameters, optional
    operator : FourierOperator, optional
        Existing operator for the same (u, v) points and grid.
    method : Method
        BP or FULL_DISK_BP.

    Raises
    ------
    ReconstructionError
        When the visibilities are unusable.
    """
    begin = perf_counter()
    require_usable(vis)
    weighting = (parameters or BackProjectionParameters()).weighting
    weights = visibility_weights(weighting, vis.u, vis.v)
    operator = operator or FourierOperator(vis.u, vis.v, grid)
    image = operator.adjoint(vis.vis * weights) / weights.sum()
    return Reconstruction(method, grid, image, unit=PER_BEAM, elapsed=perf_counter() - begin)
