"""The recipe of electron maps: everything that determines maps of the electron flux, frozen.

It joins the recipe of the images and the recipe of the spectrum, which have the same files and the same time range.
`stixcore.imaging_spectroscopy.electron_maps.electron_maps` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stixcore.errors import SelectionError
from stixcore.imaging_spectroscopy.recipe_pair import PairRecipe, require_pair

#: Version of the JSON format.
ELECTRON_RECIPE_VERSION = 1
#: Raised whenever the software gives other numbers for the same recipe.
ELECTRON_REVISION = 1
#: Photon energies that are used by default, and energies of the electrons in the maps, keV.
PHOTON_ENERGY = (10.0, 28.0)
ELECTRON_ENERGIES = (15.0, 20.0, 25.0)
#: Counts above background that a channel needs. There is no image of a channel, so few are enough: errors of its
#: visibilities must be those of a normal distribution.
LEAST_COUNTS = 300.0
#: Limits of the electron energies, keV, and of their number.
LOWEST, HIGHEST, MOST = 4.0, 1000.0, 20


@dataclass(frozen=True, kw_only=True)
class ElectronRecipe(PairRecipe):
    """Everything that determines electron maps.

    Attributes
    ----------
    images : Recipe
        Of the images: files, pointing, grid, location, methods for visibilities with their parameters, and number and
        seed of the simulated copies. Its energy range holds the channels that are used.
    spectrum : SpectrumRecipe
        Of the whole flare: the same files and time range, and the response. Its model only says where hot plasma
        is brighter than energetic electrons.
    energies : tuple of float, keV
        Of the electrons, ascending.
    least_counts : float, ct
        Counts above background that a channel needs.
    revision, version : int
        Of the software that gives the numbers, and of the JSON format.

    Raises
    ------
    SelectionError
        When a value is impossible, or the two recipes do not belong together.
    """

    contents = "electron maps"
    format_version = ELECTRON_RECIPE_VERSION

    energies: tuple[float, ...] = ELECTRON_ENERGIES
    least_counts: float = LEAST_COUNTS
    revision: int = ELECTRON_REVISION
    version: int = ELECTRON_RECIPE_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "least_counts", float(self.least_counts))
        object.__setattr__(self, "energies", tuple(float(energy) for energy in self.energies))
        ascending = list(self.energies) == sorted(set(self.energies))
        if not (
            1 <= len(self.energies) <= MOST and ascending and LOWEST <= self.energies[0] <= self.energies[-1] <= HIGHEST
        ):
            message = (
                f"energies must be 1 to {MOST} ascending electron energies of {LOWEST:g}-{HIGHEST:g} keV, found "
                f"{', '.join(f'{energy:g}' for energy in self.energies) or 'none'}"
            )
            raise SelectionError(message)
        require_pair(self.images, self.spectrum, self.least_counts, self.contents)

    @property
    def electron_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return self.text_id

    def _more_values(self) -> dict[str, Any]:
        return {"energies": list(self.energies)}

    @classmethod
    def _more_fields(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"energies": tuple(data["energies"])}
