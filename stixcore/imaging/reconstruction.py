"""The common result of every imaging method, and how well an image explains the visibilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import ReconstructionError
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import strongest_source
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: Unit of every image but the back projections, as FITS writes it.
SURFACE_BRIGHTNESS = "ct / (s cm2 keV arcsec2)"
#: Unit of a back projection: not deconvolved, so its values are per dirty beam and not per solid angle.
PER_BEAM = "ct / (s cm2 keV beam)"


class Method(StrEnum):
    """The seven products; the values are the suffixes of file names and never change their meaning."""

    FULL_DISK_BP = "full_disk_bp"
    BP = "bp"
    CLEAN = "clean"
    MS_CLEAN = "ms_clean"
    EM = "em"
    MEM_GE = "mem_ge"
    VIS_FWDFIT = "vis_fwdfit"


#: Names for people, on pictures, reports and pages.
METHOD_NAMES: Mapping[Method, str] = {
    Method.FULL_DISK_BP: "Full-disk back projection",
    Method.BP: "Back projection",
    Method.CLEAN: "CLEAN",
    Method.MS_CLEAN: "Multi-scale CLEAN",
    Method.EM: "EM",
    Method.MEM_GE: "MEM_GE",
    Method.VIS_FWDFIT: "VIS_FWDFIT",
}


class StopReason(StrEnum):
    """Why an iteration ended."""

    DIRECT = "direct"  # no iteration
    CONVERGED = "converged"
    MAX_ITERATIONS = "max_iterations"
    NEGATIVE_RESIDUAL = "negative_residual"  # CLEAN: the largest residual is a hole
    NOISE = "noise"  # CLEAN: the highest peak left is noise
    STOPPING_RULE = "stopping_rule"  # EM, early-stopped MEM_GE: the method's own rule, before convergence
    STALLED = "stalled"  # no step improves the objective any more
    END_OF_RANGE = "end_of_range"  # MEM_GE: no regularization in the allowed range gives the chi² asked for


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """An image and what is to be said about it.

    Attributes
    ----------
    method : Method
    grid : ImageGrid
    image : (ny, nx) float, unit as ``unit``
    unit : str
    chi2 : float
        Per degree of freedom: 1 for a right fit, about 0.5 for pixels, see `chi_square` (NaN: none).
    total_flux : float, ct s⁻¹ cm⁻² keV⁻¹
        Of the sources: the sum of the image, of the components for CLEAN; NaN for a back projection.
    n_parameters : int
        Fitted parameters of a parametric model; 0 for other images.
    n_iter : int
    stopped_by : StopReason
    planes : mapping of str to (ny, nx) float
        Further images of the method (CLEAN: components, residual …).
    sources : tuple of mappings
        Parametric sources with errors (forward fit).
    model_selection : tuple of mappings
        The models a forward fit tried, one row each, the chosen one marked.
    elapsed : float, s
    history : float array
        The quantity the stopping rule watches, each time it was looked at.
    certificate : mapping of str to float
        Numbers that say how good the solution is, by name (MEM_GE: objective, duality gap …; EM: C-statistic …;
        CLEAN: missing flux …).
    flux_estimate : str
        Where a flux that the method needs came from (MEM_GE: "counts", "amplitude", "landweber", "given"); empty for
        the others.
    """

    method: Method
    grid: ImageGrid
    image: Floats
    unit: str = SURFACE_BRIGHTNESS
    chi2: float = float("nan")
    total_flux: float = float("nan")
    n_parameters: int = 0
    n_iter: int = 0
    stopped_by: StopReason = StopReason.DIRECT
    planes: Mapping[str, Floats] = field(default_factory=dict)
    sources: tuple[Mapping[str, Any], ...] = ()
    model_selection: tuple[Mapping[str, Any], ...] = ()
    history: Floats = field(default_factory=lambda: np.empty(0))
    elapsed: float = 0.0
    certificate: Mapping[str, float] = field(default_factory=dict)
    flux_estimate: str = ""

    @property
    def peak(self) -> tuple[float, float]:
        """Helioprojective (x, y), arcsec: brightest pixel; for fitted sources the place of the one with most flux."""
        if self.sources:
            strongest = strongest_source(self.sources)
            return float(strongest["x"]), float(strongest["y"])
        return self.grid.peak(self.image)


def chi_square(predicted: NDArray[np.complex128], vis: Visibilities, n_parameters: int = 0) -> float:
    """χ² per degree of freedom: χ² = Σ|V_pred - V_obs|²/σ² ÷ (2 n_vis - n_parameters).

    The one definition for images, FITS headers, index and pages. σ is that of the real and of the imaginary part
    alike: counting and compression, background, live time, and a systematic error of 5 % of the amplitude
    (`stixcore.visibility.form.SYSTEMATIC_ERROR`) in quadrature. Where the calibration is better than that 5 %, as in
    the simulator, bright sources come out below 1.

    Parameters
    ----------
    predicted : (n_vis,) complex
    vis : Visibilities
    n_parameters : int
        Fitted parameters of a parametric model, which has 1 where it is right. Pixels of an image are not counted: 0.
        Yet they follow the data as γ parameters would, and χ² is about 1 - γ/(2 n_vis): medians on real flares are 0.5
        for CLEAN, 0.53 for MEM_GE and 0.81 for EM, which stops early. MEM_GE knows its γ ("effective_parameters": 32 of
        48 for 2.9 million counts); for the others there is no such number.

    Notes
    -----
    The ground software (``stx_plot_fit_map``) divides by n_vis - 1 instead: its value is 2 n_vis/(n_vis - 1) times that
    of an image here, about 2 for a perfect one.
    """
    residual = np.abs(predicted - vis.vis) ** 2 / vis.sigma**2
    return float(residual.sum() / max(2 * len(vis) - n_parameters, 1))


def require_usable(vis: Visibilities) -> None:
    """Refuse visibilities no method can work with.

    Raises
    ------
    ReconstructionError
        When there are none, all are zero, a value is not finite or a sigma not positive.
    """
    if len(vis) == 0:
        message = "there are no visibilities"
        raise ReconstructionError(message)
    if not np.isfinite(vis.vis).all():
        message = f"visibility {vis.labels[int(np.argmin(np.isfinite(vis.vis)))]} is not a finite number"
        raise ReconstructionError(message)
    good = np.isfinite(vis.sigma) & (vis.sigma > 0)
    if not good.all():
        message = f"sigma of visibility {vis.labels[int(np.argmin(good))]} is not a positive number"
        raise ReconstructionError(message)
    if not vis.vis.any():
        message = "all visibilities are zero: there is nothing to image"
        raise ReconstructionError(message)
