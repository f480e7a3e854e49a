"""Links from an image to a form that is filled in as the image was made."""

from __future__ import annotations

from urllib.parse import urlencode

from dashboards.shared.navigation import PAGES
from stixcore.coordinates import PointingSource
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY
from stixcore.imaging_spectroscopy.region_recipe import REGION_METHODS
from stixcore.recipe import Recipe


def region_form_address(recipe: Recipe | None, method: str) -> str:
    """URL of the form for spectra of regions with window, map and pointing of a recipe; empty without that page.

    Parameters
    ----------
    recipe : Recipe or None
    method : str
        Of the image; the form has another one if its flux cannot be divided.
    """
    if recipe is None or "science_data" not in PAGES:
        return ""
    pairs = {
        "uid": recipe.science.name,
        "tab": "regions",
        # all usual channels: a spectrum of the image's band alone has too few
        "window": f"{recipe.time_range[0]},{recipe.time_range[1]},{ENERGY[0]:g},{ENERGY[1]:g}",
        "given_location": f"{recipe.location.x:.3f},{recipe.location.y:.3f}",
        "map": f"{recipe.shape[1]},{recipe.pixel:.15g}",
    }
    if method in REGION_METHODS:
        pairs["method"] = method
    if recipe.pointing.source is PointingSource.MANUAL:
        pointing = recipe.pointing
        pairs["given_pointing"] = f"{pointing.roll:.6f},{pointing.x:.3f},{pointing.y:.3f}"
    return "science_data?" + urlencode(pairs, safe=",:")
