"""Make an image again from the recipe in its file, and compare the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from archive import Archive
from archive.errors import NotInArchive
from stixcore.calibration.catalog import SHIPPED
from stixcore.errors import InvalidProduct, ReconstructionError
from stixcore.image_files.read import read_recipe
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import FileReference
from stixcore.reconstruct import reconstruct

Floats = NDArray[np.float64]

#: Largest relative difference that 32-bit storage and other library versions explain.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Comparison:
    """Result of `reproduce`: largest difference relative to the brightest pixel."""

    name: str
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within `TOLERANCE`."""
        return self.difference <= TOLERANCE

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        verdict = "reproduced" if self.agrees else "NOT reproduced"
        return f"{self.name}: {verdict}, largest difference {self.difference:.1e} of the maximum"


def reproduce(path: Path, archive: Archive | None = None) -> Comparison:
    """Make an image again from its recipe.

    Parameters
    ----------
    path : Path
        Image file of this software.
    archive : Archive, optional
        Holds the input files; files beside the image are preferred.

    Raises
    ------
    InvalidProduct
        When the file is not an image of this software, or an input is missing or has changed.
    """
    recipe = read_recipe(path)
    with fits.open(path) as hdus:
        method = Method.named(str(hdus[0].header["ALG_USED"]))
    stored = _pixels(path)

    def locate(reference: FileReference) -> Path:
        beside = path.parent / reference.name
        if beside.is_file():
            return beside
        try:
            if archive is not None:
                return archive.locate(reference.name)
        except NotInArchive:
            pass
        raise InvalidProduct(path, f"the input file {reference.name} beside it or in an archive", "neither")

    images = reconstruct(recipe, locate, ensemble=0, catalog=SHIPPED if archive is None else archive.calibration)
    if method in images.failures:
        message = f"{path.name} cannot be reproduced: {images.failures[method]}"
        raise ReconstructionError(message)
    again = images.images[method].image.astype(np.float32).astype(float)
    return _compared(path, stored, again)


def compare(path: Path, other: Path) -> Comparison:
    """Compare an image with the same image made elsewhere.

    Parameters
    ----------
    path : Path
        Image file of this software.
    other : Path
        The other image file.

    Raises
    ------
    InvalidProduct
        When one of them is not an image of this software, or their recipes differ.
    """
    recipe, found = read_recipe(path).recipe_id, read_recipe(other).recipe_id
    if found != recipe:
        raise InvalidProduct(other, f"an image of recipe {recipe}", f"one of {found}")
    return _compared(path, _pixels(path), _pixels(other))


def _pixels(path: Path) -> Floats:
    with fits.open(path) as hdus:
        return np.asarray(hdus[0].data, dtype=float)


def _compared(path: Path, stored: Floats, again: Floats) -> Comparison:
    if again.shape != stored.shape:
        raise InvalidProduct(path, f"an image of shape {again.shape} as in its recipe", f"shape {stored.shape}")
    return Comparison(path.name, float(np.abs(again - stored).max() / np.abs(stored).max()))
