"""The result type of all imaging methods, and how well an image fits the visibilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore import notebook
from stixcore.errors import ReconstructionError
from stixcore.imaging.declaration import NAME
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import strongest_source
from stixcore.imaging.registry import display_name, find_method, known_names
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: Unit of every image except back projections, in FITS notation.
SURFACE_BRIGHTNESS = "ct / (s cm2 keV arcsec2)"
#: Unit of a back projection, which is not deconvolved, so that its values are per dirty beam.
PER_BEAM = "ct / (s cm2 keV beam)"


class Method(StrEnum):
    """The kinds of image; the values are the suffixes of file names, and their meaning never changes.

    The members are the built-in methods that code refers to. A method of an installed package has no member in this
    list, but ``Method("uniform")`` is one: the same object each time, equal to its name, and pickled by its name.
    `known_methods` lists all.
    """

    FULL_DISK_BP = "full_disk_bp"
    BP = "bp"
    CLEAN = "clean"
    MS_CLEAN = "ms_clean"
    EM = "em"
    MEM_GE = "mem_ge"
    VIS_FWDFIT = "vis_fwdfit"

    @classmethod
    def _missing_(cls, value: object) -> Method:
        if isinstance(value, str) and find_method(value) is not None:
            return cls.named(value)
        message = f"{value!r} is not a method; the methods are {', '.join(known_names())}"
        raise ValueError(message)

    @classmethod
    def named(cls, name: str) -> Method:
        """The method of a name, whether or not a package that has it is installed.

        A package names its own method so, and recipes and files of methods that are not installed are read so.

        Raises
        ------
        ValueError
            When the name cannot be that of a method.
        """
        if name in cls._value2member_map_:
            return cls(name)
        if re.fullmatch(NAME, name, re.ASCII) is None:
            message = f"the name of a method matches {NAME}, found {name!r}"
            raise ValueError(message)
        if name not in _OTHERS:
            member = str.__new__(cls, name)
            member._name_, member._value_ = name.upper(), name
            _OTHERS.setdefault(name, member)  # the first one, where two threads are here at a time
        return _OTHERS[name]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Method.named, (str(self),)


#: Methods without a member of `Method`, by name.
_OTHERS: dict[str, Method] = {}


def known_methods() -> tuple[Method, ...]:
    """All methods: built-in ones in their order, then those of installed packages in alphabetical order."""
    return tuple(Method.named(name) for name in known_names())


def method_name(method: str) -> str:
    """Display name of a method, "MEM_GE" of ``"mem_ge"``: for messages, reports, figures and pages.

    Files, API and command-line options have the values of `Method`. Other text is returned as it is.
    """
    return display_name(str(method))


class StopReason(StrEnum):
    """Why an iteration ended."""

    DIRECT = "direct"  # no iteration
    CONVERGED = "converged"
    MAX_ITERATIONS = "max_iterations"
    NEGATIVE_RESIDUAL = "negative_residual"  # CLEAN: the largest residual is negative
    NOISE = "noise"  # CLEAN: the highest remaining peak is noise
    STOPPING_RULE = "stopping_rule"  # EM, early-stopped MEM_GE: the method's own rule, before convergence
    STALLED = "stalled"  # no further step improves the objective
    END_OF_RANGE = "end_of_range"  # MEM_GE: no regularization in the allowed range gives the requested chi²


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """An image and information about it.

    Attributes
    ----------
    method : Method
    grid : ImageGrid
    image : (ny, nx) float, unit as ``unit``
    unit : str
    chi2 : float
        Per degree of freedom: 1 for a correct fit, about 0.5 for an image of pixels, see `chi_square`; NaN without one.
    total_flux : float, ct s⁻¹ cm⁻² keV⁻¹
        Flux of the sources: sum of the image, for CLEAN sum of the components; NaN for a back projection.
    n_parameters : int
        Fitted parameters of a parametric model; 0 for other images.
    n_iter : int
    stopped_by : StopReason
    planes : mapping of str to (ny, nx) float
        Additional images of the method (CLEAN: components, residual …).
    sources : tuple of mappings
        Parametric sources with errors (forward fit).
    model_selection : tuple of mappings
        The models that a forward fit tried, one row each, with the chosen one marked.
    elapsed : float, s
    history : float array
        The quantity of the stopping rule at each check.
    certificate : mapping of str to float
        Measures of the solution's quality, by name (MEM_GE: objective, duality gap …; EM: C-statistic …; CLEAN: missing
        flux …).
    flux_estimate : str
        Origin of the total flux of MEM_GE: "counts", "amplitude", "landweber" or "given"; empty for other methods.
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
        """Helioprojective (x, y) of the brightest pixel, or of the fitted source with the largest flux, arcsec."""
        if self.sources:
            strongest = strongest_source(self.sources)
            return float(strongest["x"]), float(strongest["y"])
        return self.grid.peak(self.image)

    def plot(self, axes: Any = None) -> Any:
        """Draw the image into matplotlib axes, by default new ones; returns the axes."""
        (x0, y0), grid = self.grid.center, self.grid
        where = notebook.new_axes() if axes is None else axes
        return notebook.draw_image(where, self.image, x0 + grid.x, y0 + grid.y, self.unit, display_name(self.method))

    def peek(self) -> None:
        """Show the image in a figure."""
        self.plot()
        notebook.show()

    def _repr_html_(self) -> str:
        ny, nx = self.grid.shape
        x, y = self.peak
        rows = [
            ("peak", f"({x:.1f}, {y:.1f}) arcsec"),
            ("pixels", f"{nx} × {ny}, {self.grid.pixel:g} arcsec each"),
            ("total flux", f"{notebook.number(self.total_flux)} ct s⁻¹ cm⁻² keV⁻¹"),
            ("χ² per degree of freedom", notebook.number(self.chi2, ".2f")),
            ("iterations", f"{self.n_iter}, {str(self.stopped_by).replace('_', ' ')}"),
        ]
        return notebook.facts_html(display_name(self.method), rows, [notebook.picture_html(self.image)])


def chi_square(predicted: NDArray[np.complex128], vis: Visibilities, n_parameters: int = 0) -> float:
    """χ² per degree of freedom: χ² = Σ|V_pred - V_obs|²/σ² ÷ (2 n_vis - n_parameters).

    This definition is used for images, FITS headers, index and pages. σ is the error of the real and of the imaginary
    part: counting statistics and compression, background, live time, and a systematic error of 5 % of the amplitude
    (`stixcore.visibility.form.SYSTEMATIC_ERROR`), in quadrature. Where the calibration is better than 5 %, as in the
    simulator, χ² of bright sources is below 1.

    Parameters
    ----------
    predicted : (n_vis,) complex
    vis : Visibilities
    n_parameters : int
        Fitted parameters of a parametric model, whose χ² is 1 if the model is correct; 0 for an image, as pixels are
        not counted. Pixels nevertheless fit the data as γ parameters would, and χ² is about 1 - γ/(2 n_vis): medians
        for real flares are 0.5 for CLEAN, 0.53 for MEM_GE and 0.81 for EM, which stops early. γ is known for MEM_GE
        only ("effective_parameters": 32 of 48 for 2.9 million counts).

    Notes
    -----
    The ground software (``stx_plot_fit_map``) divides by n_vis - 1 instead, so its value for an image is
    2 n_vis/(n_vis - 1) times the one here, and about 2 for a perfect image.
    """
    residual = np.abs(predicted - vis.vis) ** 2 / vis.sigma**2
    return float(residual.sum() / max(2 * len(vis) - n_parameters, 1))


def require_usable(vis: Visibilities) -> None:
    """Refuse visibilities that no method can use.

    Raises
    ------
    ReconstructionError
        When there are none, all are zero, a value is not finite, or a sigma is not positive.
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
