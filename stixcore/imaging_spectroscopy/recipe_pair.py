"""A recipe of images and a recipe of a spectrum that belong together: of the same files and the same time range."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stixcore.errors import SelectionError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.json_recipe import JsonRecipe
from stixcore.recipe import Recipe
from stixcore.spectrum_recipe import SpectrumRecipe

#: Counts above background that a channel needs for an image (guide of the ground software: 1,000).
LEAST_COUNTS = 1_000.0
#: Energies whose channels are imaged by default, keV.
ENERGY = (4.0, 28.0)
#: Methods that make images of visibilities. EM is for counts with the noise of counts, and those of components or
#: electrons are differences of channels; the full-disk map is for finding the flare.
VISIBILITY_METHODS = (Method.BP, Method.CLEAN, Method.MS_CLEAN, Method.MEM_GE, Method.VIS_FWDFIT)


@dataclass(frozen=True, kw_only=True)
class PairRecipe(JsonRecipe):
    """A recipe made of the two; subclasses add what else determines their numbers.

    Attributes
    ----------
    images : Recipe
    spectrum : SpectrumRecipe
    least_counts : float, ct
        Counts above background that a channel needs.
    revision, version : int
        Of the software that gives the numbers, and of the JSON format.
    """

    images: Recipe
    spectrum: SpectrumRecipe
    least_counts: float = LEAST_COUNTS
    revision: int
    version: int

    def _more_values(self) -> dict[str, Any]:
        """JSON values of the fields that a subclass adds."""
        return {}

    @classmethod
    def _more_fields(cls, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Inverse of `_more_values`: these fields, read from all values of the recipe."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {
            "version": self.version,
            "revision": self.revision,
            "images": self.images.to_dict(),
            "spectrum": self.spectrum.to_dict(),
            "least_counts": self.least_counts,
            **self._more_values(),
        }

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            images=Recipe.from_json(json.dumps(data["images"])),
            spectrum=SpectrumRecipe.from_json(json.dumps(data["spectrum"])),
            least_counts=data["least_counts"],
            revision=int(data["revision"]),
            version=cls.format_version,
            **cls._more_fields(data),
        )


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
