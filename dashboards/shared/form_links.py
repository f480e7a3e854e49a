"""Links from results to a form that is filled in as they were made."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from dashboards.shared.navigation import PAGES
from dashboards.shared.region_entries import RegionEntry, address_of
from jobs.queue.requests import AUTO, NONE
from stixcore.coordinates import PointingSource
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY
from stixcore.imaging_spectroscopy.region_recipe import REGION_METHODS, RegionRecipe
from stixcore.recipe import Recipe


def region_form_address(recipe: Recipe | None, method: str) -> str:
    """URL of the form for spectra of regions with window, map and pointing of a recipe; empty without that page.

    Parameters
    ----------
    recipe : Recipe or None
    method : str
        Of the image; the form has another one if its flux cannot be divided.
    """
    # all usual channels: a spectrum of the image's band alone has too few
    return "" if recipe is None else _address(_image_pairs(recipe, method, ENERGY))


def filed_regions_address(recipe: RegionRecipe) -> str:
    """URL of the form for spectra of regions, filled in as for the recipe; empty without that page.

    Options that the form does not have, such as the seed of the copies, have their usual values.
    """
    images, model = recipe.images, recipe.spectrum.request.model
    entries = [
        replace(RegionEntry.of(region, decimals=6), model=recipe.models.get(region.name, ""))
        for region in recipe.regions
    ]
    pairs = _image_pairs(images, recipe.method, images.energy_range) | {
        "regions": address_of(entries),
        "background": NONE if images.background is None else images.background.name,
        "copies": str(images.ensemble),
        "least_counts": f"{recipe.least_counts:.15g}",
    }
    return _address(pairs | ({} if model == AUTO else {"model": model}))


def _address(pairs: dict[str, str]) -> str:
    return "science_data?" + urlencode(pairs, safe=",:") if "science_data" in PAGES else ""


def _image_pairs(recipe: Recipe, method: str, energy: tuple[float, float]) -> dict[str, str]:
    """Options of the form that an image has."""
    pairs = {
        "uid": recipe.science.name,
        "tab": "regions",
        "window": f"{recipe.time_range[0]},{recipe.time_range[1]},{energy[0]:g},{energy[1]:g}",
        "given_location": f"{recipe.location.x:.3f},{recipe.location.y:.3f}",
        "map": f"{recipe.shape[1]},{recipe.pixel:.15g}",
    }
    if method in REGION_METHODS:
        pairs["method"] = method
    if recipe.pointing.source is PointingSource.MANUAL:
        pointing = recipe.pointing
        pairs["given_pointing"] = f"{pointing.roll:.6f},{pointing.x:.3f},{pointing.y:.3f}"
    return pairs
