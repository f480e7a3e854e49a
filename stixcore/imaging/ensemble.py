"""How sure is a picture: the same method on noise-perturbed copies of the data, for every method alike.

Visibilities are perturbed by their sigma in real and imaginary part, counts (EM) by Poisson's law. The scatter of the
images is the uncertainty of each pixel, that of their measures the error of peak, centroid, flux and width. It holds
what noise does to the whole chain of a method, its stopping rule and its choice of model included; it holds no error
that all copies share (pointing, calibration beyond the 5 % in sigma).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.methods import ImagingInput, MethodParameters, run_method
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.metrics import measure_source

Floats = NDArray[np.float64]

MAX_MEMBERS = 1000


@dataclass(frozen=True)
class Measured:
    """Mean and standard deviation of one number over an ensemble; NaN where the method does not give it."""

    mean: float
    sigma: float


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Result of `perturbed_ensemble`.

    Attributes
    ----------
    method : Method
    n : int
        Members that gave an image.
    seed : int
    mean, sigma : (ny, nx) float, unit of the image
    significance : (ny, nx) float
        mean ÷ sigma; 0 where no member differs from another.
    peak_x, peak_y, centroid_x, centroid_y : Measured, arcsec, helioprojective
    flux : Measured, ct s⁻¹ cm⁻² keV⁻¹
    fwhm : Measured, arcsec
    """

    method: Method
    n: int
    seed: int
    mean: Floats
    sigma: Floats
    significance: Floats
    peak_x: Measured
    peak_y: Measured
    centroid_x: Measured
    centroid_y: Measured
    flux: Measured
    fwhm: Measured

    def numbers(self) -> dict[str, dict[str, float | None]]:
        """The measured numbers as plain JSON values."""
        names = ("peak_x", "peak_y", "centroid_x", "centroid_y", "flux", "fwhm")
        return {
            name: {
                key: float(value) if np.isfinite(value) else None
                for key, value in (("mean", getattr(self, name).mean), ("sigma", getattr(self, name).sigma))
            }
            for name in names
        }


def perturbed_ensemble(
    method: Method, parameters: MethodParameters, given: ImagingInput, n: int = 30, seed: int = 0
) -> Ensemble:
    """Run a method on ``n`` perturbed copies of its data.

    Parameters
    ----------
    method : Method
        Any but the full-disk map.
    parameters : MethodParameters
    given : ImagingInput
    n : int
        Members; the relative error of a sigma is about 1/√(2n).
    seed : int
        The same seed gives the same numbers.

    Raises
    ------
    SelectionError
        When ``n`` is not 2 … 1000.
    ReconstructionError
        When fewer than two members gave an image.
    """
    if not 2 <= n <= MAX_MEMBERS:
        message = f"an ensemble has 2 to {MAX_MEMBERS} members, found {n}"
        raise SelectionError(message)
    # Each member has a generator of its own: more members do not change the first ones.
    copies = (_perturbed(method, given, np.random.default_rng((seed, i))) for i in range(n))
    if isinstance(parameters, ForwardFitParameters):
        parameters = replace(parameters, uncertainty=parameters.uncertainty.COVARIANCE)  # members need no error bars
    images = list(_members(method, parameters, copies))
    if len(images) < 2:
        message = f"{method}: {len(images)} of {n} perturbed copies gave an image, two are needed"
        raise ReconstructionError(message)
    stack = np.stack([image.image for image in images])
    mean, sigma = stack.mean(axis=0), stack.std(axis=0, ddof=1)
    sources = [measure_source(image.image, image.grid, image.sources) for image in images]

    def measured(values: list[float]) -> Measured:
        return Measured(float(np.mean(values)), float(np.std(values, ddof=1)))

    return Ensemble(
        method=method,
        n=len(images),
        seed=seed,
        mean=mean,
        sigma=sigma,
        significance=np.divide(mean, sigma, out=np.zeros_like(mean), where=sigma > 0),
        peak_x=measured([image.peak[0] for image in images]),
        peak_y=measured([image.peak[1] for image in images]),
        centroid_x=measured([source.x for source in sources]),
        centroid_y=measured([source.y for source in sources]),
        flux=measured([image.total_flux for image in images]),
        fwhm=measured([source.fwhm for source in sources]),
    )


def _perturbed(method: Method, given: ImagingInput, rng: np.random.Generator) -> ImagingInput:
    """The same input with noise added: counts for EM, visibilities for all others."""
    if method is Method.EM:
        counts = rng.poisson(given.pixels.counts).astype(float)
        return replace(given, pixels=replace(given.pixels, counts=counts))
    vis = given.vis
    noise = rng.normal(size=len(vis)) + 1j * rng.normal(size=len(vis))
    return replace(given, vis=replace(vis, vis=vis.vis + vis.sigma * noise))


def _members(method: Method, parameters: MethodParameters, copies: Iterator[ImagingInput]) -> Iterator[Reconstruction]:
    for copy in copies:
        try:
            image = run_method(method, parameters, copy)
        except ReconstructionError:  # noise alone can make a copy impossible; their number is in ``n``
            continue
        if image.image.max() > 0:
            yield image
