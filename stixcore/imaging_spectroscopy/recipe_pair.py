"""A recipe of images and a recipe of a spectrum that belong together: of the same files and the same time range."""

from __future__ import annotations

from stixcore.errors import SelectionError
from stixcore.recipe import Recipe
from stixcore.spectrum_recipe import SpectrumRecipe

#: Counts above background that a channel needs for an image (guide of the ground software: 1,000).
LEAST_COUNTS = 1_000.0
#: Energies whose channels are imaged by default, keV.
ENERGY = (4.0, 28.0)


def require_same_data(images: Recipe, spectrum: SpectrumRecipe) -> None:
    """Refuse recipes of different files or time ranges.

    Raises
    ------
    SelectionError
        Naming what differs.
    """
    for name in ("science", "background"):
        if getattr(images, name) != getattr(spectrum, name):
            message = f"the {name} file of the images is not that of the spectrum"
            raise SelectionError(message)
    if (images.t_start, images.t_end) != (spectrum.t_start, spectrum.t_end):
        message = "images and spectrum must have the same time range"
        raise SelectionError(message)
