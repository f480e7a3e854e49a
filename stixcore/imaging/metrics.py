"""Measures of images: centroid, width, agreement with a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stixcore.imaging.grid import ImageGrid

Floats = NDArray[np.float64]

#: FWHM of a Gaussian in units of its standard deviation, 2√(2 ln 2).
FWHM_PER_SIGMA = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
#: A source is the connected region around the peak above this fraction of it.
SOURCE_LEVEL = 0.5


@dataclass(frozen=True)
class SourceMeasure:
    """The brightest source of an image.

    Attributes
    ----------
    x, y : float, arcsec
        Flux-weighted centroid of the region above half maximum around the peak, helioprojective; of a forward fit, the
        position of the source with the largest flux.
    fwhm : float, arcsec
        Diameter of a circle with that region's area (for a Gaussian source its FWHM).
    area : float, arcsec²
        Of the region above half maximum.
    """

    x: float
    y: float
    fwhm: float
    area: float


def strongest_source(sources: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The fitted source with the largest flux, of at least one in the format of `Reconstruction.sources`.

    It need not be the narrowest one, which has the brightest pixel.
    """
    return max(sources, key=lambda source: float(source["flux"]))


def measure_source(image: Floats, grid: ImageGrid, sources: Sequence[Mapping[str, Any]] = ()) -> SourceMeasure:
    """Measure the brightest source of an image; for fitted sources, the one with the largest flux.

    Parameters
    ----------
    image : (ny, nx) float
        With a positive maximum.
    grid : ImageGrid
    sources : sequence of mappings
        Fitted sources, in the format of `Reconstruction.sources`.
    """
    if sources:
        strongest = strongest_source(sources)
        fwhm = float(strongest["fwhm"])
        return SourceMeasure(float(strongest["x"]), float(strongest["y"]), fwhm, float(np.pi / 4.0 * fwhm**2))
    row, column = np.unravel_index(int(np.argmax(image)), image.shape)
    regions, _ = ndimage.label(image >= SOURCE_LEVEL * image[row, column])
    rows, columns = np.nonzero(regions == regions[row, column])
    weight = image[rows, columns]
    total = weight.sum()
    # sums instead of vector products, because the order of summation in BLAS depends on its threads
    x, y = grid.position(float((rows * weight).sum() / total), float((columns * weight).sum() / total))
    area = rows.size * grid.pixel_area
    return SourceMeasure(x, y, float(np.sqrt(4.0 * area / np.pi)), float(area))


def relative_rms(image: Floats, truth: Floats) -> float:
    """‖image - truth‖₂ ÷ ‖truth‖₂."""
    return float(np.linalg.norm(image - truth) / np.linalg.norm(truth))


def signal_to_noise(amplitude: Floats, sigma: Floats) -> float:
    """Resistant mean of amplitude ÷ sigma, as in the ground software's ``stx_vis_get_snr``.

    Values further than 3 sigma from the median are left out, with sigma from the median absolute deviation.
    """
    ratio = amplitude / sigma
    median = np.median(ratio)
    spread = np.median(np.abs(ratio - median)) / 0.6745  # median absolute deviation → standard deviation
    kept = np.abs(ratio - median) <= 3.0 * spread if spread > 0 else np.ones(ratio.size, dtype=bool)
    return float(ratio[kept].mean())
