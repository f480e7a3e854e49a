"""Significance of the pixels of an image file: the image ÷ its 1 σ error, as far as the file has one.

With uncertainty maps (`stixcore.imaging.ensemble`) it is the image ÷ error in every pixel. Without, maps that contain
the noise of the data have a level of noise, the same in every pixel: back projections and both CLEAN methods. The other
methods put no noise around the source, and their images have no significance without uncertainty maps; nor has a
full-disk map, which is full of side lobes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.errors import InvalidProduct, SelectionError
from stixcore.image_files.layout import PLANES_EXTENSION, RECIPE_EXTENSION, VISIBILITY_EXTENSION
from stixcore.image_files.read import StoredUncertainty, read_uncertainty
from stixcore.imaging.clean import beam_sum
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.weights import Weighting, visibility_weights

Floats = NDArray[np.float64]

#: Unit of significance.
SIGMA_UNIT = "σ"
#: Levels of contours, σ.
SIGMA_LEVELS = (3.0, 5.0, 10.0)
_CLEANED = (Method.CLEAN, Method.MS_CLEAN)


@dataclass(frozen=True, eq=False)
class Significance:
    """Significance of an image.

    Attributes
    ----------
    values : (ny, nx) float
        Image ÷ σ; 0 where σ is 0.
    meaning : str
        What σ is, a sentence.
    from_ensemble : bool
        Whether σ comes from uncertainty maps; else it is the same in every pixel.
    """

    values: Floats
    meaning: str
    from_ensemble: bool


def read_significance(path: Path) -> Significance:
    """Significance of the image in a file.

    Raises
    ------
    SelectionError
        With the reason, when the file allows none.
    InvalidProduct
        When the file is missing or damaged.
    """
    uncertainty = read_uncertainty(path)
    try:
        with fits.open(path, memmap=False) as hdus:
            image = np.asarray(hdus[0].data, dtype=np.float64)
            method = Method.named(str(hdus[0].header["ALG_USED"]).strip())
            if uncertainty is not None:
                return _from_ensemble(image, uncertainty)
            sigma, meaning = _noise(hdus, method)
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidProduct(path, "an image of this software", f"{type(error).__name__}: {error}") from error
    return Significance(_divided(image, np.full(image.shape, sigma)), meaning, from_ensemble=False)


def _from_ensemble(image: Floats, uncertainty: StoredUncertainty) -> Significance:
    meaning = (
        f"σ is the error of each pixel from {uncertainty.n} simulated copies of the data: noise, calibration error of "
        "5 %, and the bias of the method."
    )
    return Significance(_divided(image, uncertainty.error), meaning, from_ensemble=True)


def _noise(hdus: fits.HDUList, method: Method) -> tuple[float, str]:
    """Noise of a map in its unit, and what it is."""
    if method is Method.FULL_DISK_BP:
        message = "the side lobes of a full-disk map are as significant as its sources"
        raise SelectionError(message)
    if method not in (Method.BP, *_CLEANED):
        message = f"{method_name(method)} images have no noise around the source; an image with an ensemble has σ"
        raise SelectionError(message)
    needed = [VISIBILITY_EXTENSION, RECIPE_EXTENSION, *([PLANES_EXTENSION] if method in _CLEANED else [])]
    missing = [name for name in needed if name not in hdus]
    if missing:
        message = f"the file has no table {missing[0]}, and so no noise"
        raise SelectionError(message)
    parameters = json.loads(str(hdus[RECIPE_EXTENSION].data["recipe"][0]))["methods"][method]
    dirty = _dirty_noise(hdus, Weighting(parameters["weighting"]))
    if method is Method.BP:
        return dirty, (
            "σ is the noise of the map from the errors of the visibilities (counting and 5 % calibration), the same "
            "in every pixel. Side lobes are significant, too."
        )
    (ny, nx), scale = hdus[0].data.shape, float(hdus[0].header["CDELT1"])
    grid = ImageGrid((ny, nx), scale)
    # like the residual, the noise is divided by the beam's integral
    per_area = dirty / beam_sum(grid, float(parameters["beam_fwhm"])) / grid.pixel_area
    residual = float(np.sqrt(np.mean(np.asarray(hdus[PLANES_EXTENSION].data["residual"], np.float64) ** 2)))
    return max(per_area, residual), (
        "σ is the noise of the map, the same in every pixel: the rms of the residual map or, if larger, the noise from "
        "the errors of the visibilities (counting and 5 % calibration)."
    )


def _dirty_noise(hdus: fits.HDUList, weighting: Weighting) -> float:
    table = hdus[VISIBILITY_EXTENSION].data
    weights = visibility_weights(weighting, np.asarray(table["u"], np.float64), np.asarray(table["v"], np.float64))
    # √Σ(wσ)² ÷ Σw
    return float(np.sqrt(((weights * table["sigma"]) ** 2).sum()) / weights.sum())


def _divided(image: Floats, sigma: Floats) -> Floats:
    return np.divide(image, sigma, out=np.zeros_like(image), where=sigma > 0)
