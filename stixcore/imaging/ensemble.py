"""Uncertainty of images: the same method is applied to simulated copies of the data, in the same way for every method.

A parametric bootstrap (Efron & Tibshirani 1993, chapter 6): data are simulated from the reconstruction with the noise
of the measurement and the calibration error of 5 %, and imaged like the measured data. Visibilities get Gaussian noise
of their sigma, which includes both. Counts (EM) get the calibration error in gain and phase of every sub-collimator,
then Poisson noise. A back projection is linear and has no model; its copies are the data with added noise.

The result has three parts. "sigma" is the scatter of the copies. "bias" is the mean of the copies minus the image they
were simulated from, the effect of the method (regularization, beam, stop rule) on such a source. "error" combines both
and is calibrated on simulated flares: the truth lies within one error in 60 to 76 % of the pixels with signal
(docs/accuracy.md). Errors that all copies have in common are not included: pointing, background level, confusion of the
flare with a side lobe.

The truth is the sky for EM, MEM_GE and forward fits, the sky convolved with the clean beam for CLEAN and multi-scale
CLEAN, and the sky convolved with the dirty beam for a back projection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.declaration import MethodInput
from stixcore.imaging.em import expected_counts
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.methods import ImagingInput, MethodParameters, declaration_of, run_method
from stixcore.imaging.metrics import FWHM_PER_SIGMA, measure_source
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name
from stixcore.instrument.geometry import detector_indices
from stixcore.visibility.form import SYSTEMATIC_ERROR
from stixcore.visibility.miscalibration import miscalibrated

Floats = NDArray[np.float64]

MAX_MEMBERS = 1000
#: The bias changes sign within a source, so its mean square is taken over this FWHM around a pixel, the finest
#: resolution, arcsec.
BIAS_REACH = 15.0
#: Error of a centroid from the whole pixels of the half-maximum region, pixels.
CENTROID_ROUNDING = 0.125


@dataclass(frozen=True)
class Measured:
    """Statistics of one quantity over an ensemble; NaN where the method does not give it.

    Attributes
    ----------
    mean, sigma : float
        Mean and standard deviation of the copies.
    error : float
        Half-width of the interval around the value of the image that contains the truth in about 68 % of cases: sigma,
        bias and, for positions and widths, the rounding to pixels, in quadrature.
    """

    mean: float
    sigma: float
    error: float


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Result of `perturbed_ensemble`.

    Attributes
    ----------
    method : Method
    n : int
        Number of copies that gave an image.
    seed : int
    mean, sigma : (ny, nx) float, unit of the image
        Mean and standard deviation of the copies.
    bias : (ny, nx) float, unit of the image
        Mean of the copies minus the image they were simulated from; 0 for a back projection.
    error : (ny, nx) float, unit of the image
        Half-width of the interval around the image that contains the truth in 60 to 76 % of pixels (see the module).
    significance : (ny, nx) float
        mean ÷ sigma; 0 where all copies are equal.
    peak_x, peak_y : Measured, arcsec, helioprojective
    centroid_x, centroid_y : Measured, arcsec, helioprojective
        Brightest source, as in `SourceMeasure`.
    flux : Measured, ct s⁻¹ cm⁻² keV⁻¹
    fwhm : Measured, arcsec
    """

    method: Method
    n: int
    seed: int
    mean: Floats
    sigma: Floats
    bias: Floats
    error: Floats
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
            name: {key: _finite(getattr(getattr(self, name), key)) for key in ("mean", "sigma", "error")}
            for name in names
        }

    def errors(self) -> dict[str, float | None]:
        """Errors of position (brightest source), flux and size as plain JSON values."""
        named = {"x": self.centroid_x, "y": self.centroid_y, "flux": self.flux, "fwhm": self.fwhm}
        return {name: _finite(measured.error) for name, measured in named.items()}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def perturbed_ensemble(
    method: Method,
    parameters: MethodParameters,
    given: ImagingInput,
    n: int = 30,
    seed: int = 0,
    *,
    image: Reconstruction | None = None,
) -> Ensemble:
    """Run a method on ``n`` simulated copies of its data.

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
    image : Reconstruction, optional
        Image of these data, if it exists already.

    Returns
    -------
    Ensemble

    Raises
    ------
    SelectionError
        When ``n`` is not 2 … 1000.
    ReconstructionError
        When the data give no image, or fewer than two members gave one.
    """
    if image is None:
        image = run_method(method, parameters, given)
    images = list(simulated_images(method, parameters, given, n, (seed,), image=image))
    stack = np.stack([member.image for member in images])
    mean, sigma = stack.mean(axis=0), stack.std(axis=0, ddof=1)
    declared = declaration_of(method)
    weight = declared.bias_weight
    # what the copies were made of, as the map shows it
    source = image.planes.get("restored", image.image)
    bias = mean - source if weight else np.zeros_like(mean)
    measures = [measure_source(member.image, member.grid, member.sources) for member in images]
    own = measure_source(source, image.grid, image.sources) if source.max() > 0 else None
    rounding = image.grid.pixel / np.sqrt(12.0)
    centroid = CENTROID_ROUNDING * image.grid.pixel

    def measured(values: list[float], truth: float, least: float = 0.0) -> Measured:
        middle, scatter = float(np.mean(values)), float(np.std(values, ddof=1))
        off = weight * (middle - truth) if np.isfinite(truth) else 0.0
        return Measured(middle, scatter, float(np.sqrt(scatter**2 + off**2 + least**2)))

    x, y, fwhm = (float("nan"),) * 3 if own is None else (own.x, own.y, own.fwhm)
    peak_x, peak_y = image.peak if image.sources else image.grid.peak(source)
    return Ensemble(
        method=method,
        n=len(images),
        seed=seed,
        mean=mean,
        sigma=sigma,
        bias=bias,
        error=_error(sigma, weight * bias, declared.image_weight * source, image.grid),
        significance=np.divide(mean, sigma, out=np.zeros_like(mean), where=sigma > 0),
        peak_x=measured([member.peak[0] for member in images], peak_x, rounding),
        peak_y=measured([member.peak[1] for member in images], peak_y, rounding),
        centroid_x=measured([one.x for one in measures], x, centroid),
        centroid_y=measured([one.y for one in measures], y, centroid),
        flux=measured([member.total_flux for member in images], image.total_flux),
        fwhm=measured([one.fwhm for one in measures], fwhm, rounding),
    )


def simulated_images(
    method: Method,
    parameters: MethodParameters,
    given: ImagingInput,
    n: int,
    seed: tuple[int, ...],
    *,
    image: Reconstruction,
) -> Iterator[Reconstruction]:
    """Images of ``n`` copies of data, simulated from an image of these data; one at a time, since they may be large.

    Parameters
    ----------
    method, parameters, given, n, image
        See `perturbed_ensemble`.
    seed : tuple of int
        The same numbers give the same copies.

    Yields
    ------
    Reconstruction
        Without the copies that gave no image.

    Raises
    ------
    SelectionError
        When ``n`` is not 2 … 1000.
    ReconstructionError
        At the end, when fewer than two copies gave an image.
    """
    if not 2 <= n <= MAX_MEMBERS:
        message = f"an ensemble has 2 to {MAX_MEMBERS} members, found {n}"
        raise SelectionError(message)
    if isinstance(parameters, ForwardFitParameters):
        parameters = replace(parameters, uncertainty=parameters.uncertainty.COVARIANCE)  # members need no error bars
    # Each member has a generator of its own: more members do not change the first ones.
    copies = (_copy(method, image, given, np.random.default_rng((*seed, i))) for i in range(n))
    made = 0
    for member in _members(method, parameters, copies):
        made += 1
        yield member
    if made < 2:
        message = f"{method_name(method)}: {made} of {n} simulated copies gave an image, two are needed"
        raise ReconstructionError(message)


def _error(sigma: Floats, bias: Floats, unseen: Floats, grid: ImageGrid) -> Floats:
    """√(σ² + ⟨b² + w²⟩), the mean over a Gaussian of `BIAS_REACH`; w is structure missing in image and copies."""
    around = ndimage.gaussian_filter(bias**2 + unseen**2, BIAS_REACH / FWHM_PER_SIGMA / grid.pixel, mode="nearest")
    return np.asarray(np.sqrt(sigma**2 + around))


def _copy(method: Method, image: Reconstruction, given: ImagingInput, rng: np.random.Generator) -> ImagingInput:
    """Simulated data of a reconstruction: the counts, or the visibilities, as its method uses."""
    model, declared = image.planes.get("components", image.image), declaration_of(method)
    if declared.data is MethodInput.COUNTS:
        return replace(given, pixels=replace(given.pixels, counts=_simulated_counts(model, given, rng)))
    vis, n = given.vis, len(given.vis)
    predicted = given.operator.forward(model) if declared.deconvolved else vis.vis
    noise = rng.normal(size=n) + 1j * rng.normal(size=n)
    # the total of the counts, from which MEM_GE has its flux
    pixels = given.pixels
    gain = SYSTEMATIC_ERROR * rng.normal(size=(len(pixels.rate), 1))
    rate = pixels.rate * (1.0 + gain) + pixels.rate_sigma * rng.normal(size=pixels.rate.shape)
    return replace(given, vis=replace(vis, vis=predicted + vis.sigma * noise), pixels=replace(pixels, rate=rate))


def _simulated_counts(model: Floats, given: ImagingInput, rng: np.random.Generator) -> Floats:
    """Counts of an image and the background with calibration error and Poisson noise, (32, 4)."""
    expected = expected_counts(
        model,
        given.pixels,
        given.grid,
        given.pointing,
        labels=given.vis.labels,
        flare_xy=given.flare_xy,
        scheme=given.scheme,
        operator=given.operator,
    )
    index = detector_indices(given.vis.labels)
    counts = given.pixels.counts.copy()
    flare = miscalibrated(expected, SYSTEMATIC_ERROR, rng)
    counts[index] = rng.poisson(flare + given.pixels.background[index])
    return counts


def _members(method: Method, parameters: MethodParameters, copies: Iterator[ImagingInput]) -> Iterator[Reconstruction]:
    for copy in copies:
        try:
            image = run_method(method, parameters, copy)
        except ReconstructionError:  # noise can make a copy unusable; ``n`` counts the others
            continue
        if image.image.max() > 0:
            yield image
