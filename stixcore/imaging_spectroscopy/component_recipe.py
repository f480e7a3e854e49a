"""The recipe of component images: everything that determines the images of a spectrum's components, frozen.

It joins the recipe of the images and the recipe of the spectrum, which have the same files and the same time range.
`stixcore.imaging_spectroscopy.component_images.component_images` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from stixcore.errors import SelectionError
from stixcore.imaging_spectroscopy.recipe_pair import PairRecipe, require_pair
from stixcore.spectrum_recipe import NO_MODEL

#: Version of the JSON format.
COMPONENT_RECIPE_VERSION = 1
#: Raised whenever the software gives other numbers for the same recipe.
COMPONENT_REVISION = 1


@dataclass(frozen=True, kw_only=True)
class ComponentRecipe(PairRecipe):
    """Everything that determines component images.

    Attributes
    ----------
    images : Recipe
        Of the images: files, pointing, grid, location, methods for visibilities with their parameters, and number and
        seed of the simulated copies. Its energy range holds the channels that are used.
    spectrum : SpectrumRecipe
        Of the whole flare: the same files and time range, the response, and the model with the components.
    least_counts : float, ct
        Counts above background that a channel needs.
    revision, version : int
        Of the software that gives the numbers, and of the JSON format.

    Raises
    ------
    SelectionError
        When a value is impossible, or the two recipes do not belong together.
    """

    contents = "component images"
    format_version = COMPONENT_RECIPE_VERSION

    revision: int = COMPONENT_REVISION
    version: int = COMPONENT_RECIPE_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "least_counts", float(self.least_counts))
        if self.spectrum.request.model == NO_MODEL:
            message = "component images need a spectrum with a model"
            raise SelectionError(message)
        require_pair(self.images, self.spectrum, self.least_counts, self.contents)

    @property
    def component_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return self.text_id
