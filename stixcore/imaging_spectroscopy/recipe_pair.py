"""A recipe of images and a recipe of a spectrum that belong together: of the same files and the same time range."""

from __future__ import annotations

import math

from stixcore.errors import SelectionError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.recipe import Recipe
from stixcore.spectrum_recipe import SpectrumRecipe

#: Counts above background that a channel needs for an image (guide of the ground software: 1,000).
LEAST_COUNTS = 1_000.0
#: Energies whose channels are imaged by default, keV.
ENERGY = (4.0, 28.0)
#: Methods that make images of visibilities. EM is for counts with the noise of counts, and those of components or
#: electrons are differences of channels; the full-disk map is for finding the flare.
VISIBILITY_METHODS = (Method.BP, Method.CLEAN, Method.MS_CLEAN, Method.MEM_GE, Method.VIS_FWDFIT)


def require_pair(images: Recipe, spectrum: SpectrumRecipe, least_counts: float, contents: str) -> None:
    """Refuse recipes that cannot give ``contents``, images that methods make of the visibilities of many channels.

    Raises
    ------
    SelectionError
        Naming what does not fit.
    """
    if not 0 < least_counts < math.inf:
        message = f"least_counts must be positive, found {least_counts:g}"
        raise SelectionError(message)
    others = [method_name(method) for method in images.methods if method not in VISIBILITY_METHODS]
    if others:
        known = ", ".join(map(method_name, VISIBILITY_METHODS))
        message = f"{contents} are made by {known}, not by {', '.join(others)}"
        raise SelectionError(message)
    if images.window_rule is not WindowRule.CENTRES:
        message = "the images must have the time bins of the spectrum"
        raise SelectionError(message)
    require_same_data(images, spectrum)


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
