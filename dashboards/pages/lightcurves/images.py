"""Images of a window of the light curves: all, those shown on the curves, and the nearest one outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive import Archive, Image, ImageFilter
from archive.index.schema import IMAGES
from archive.index.sql import select
from archive.layout import MOST_METHODS
from dashboards.shared.access import Visitor
from dashboards.shared.time_window import Window
from stixcore.imaging.registry import place_in_order

#: Maximum number of recipes with a picture on the curves: more would hide them.
MOST_ON_CURVES = 40
#: Methods whose picture represents a recipe, in order of preference.
SHOWN_FIRST = ("clean", "ms_clean", "mem_ge", "em", "vis_fwdfit", "bp", "full_disk_bp")

_RECIPE = "recipe_id, min(t_start) AS t_start, bool_or(trusted) AS trusted, max(coalesce(goes_flux, 0)) AS goes_flux"
_BY_RECIPE = "GROUP BY recipe_id ORDER BY t_start, recipe_id"


@dataclass(frozen=True)
class NearestImage:
    """The image nearest to a window without images.

    Attributes
    ----------
    image : Image
    away : timedelta64
        From the edge of the window to the image's time range.
    later : bool
        Whether it is after the window.
    """

    image: Image
    away: np.timedelta64
    later: bool


@dataclass(frozen=True)
class WindowImages:
    """Images that the IMG button loads.

    Attributes
    ----------
    images : tuple of Image
        Images of the chosen recipes by all methods, in ascending order of time.
    recipes : int
        Total number of recipes in the window; more than those chosen if there are too many for the curves.
    nearest : NearestImage or None
        Set if the window has no images.
    problem : str
        Why images could not be loaded; empty if they could.
    """

    images: tuple[Image, ...] = ()
    recipes: int = 0
    nearest: NearestImage | None = None
    problem: str = ""

    @property
    def on_curves(self) -> tuple[Image, ...]:
        """One image per chosen recipe, trusted if possible."""
        best: dict[str, Image] = {}
        for image in self.images:
            other = best.get(image.recipe_id)
            if other is None or _rank(image) < _rank(other):
                best[image.recipe_id] = image
        return tuple(best.values())

    @property
    def chosen(self) -> int:
        """Number of chosen recipes."""
        return len({image.recipe_id for image in self.images})


def images_in(archive: Archive, window: Window, visitor: Visitor, *, simulated: bool) -> WindowImages:
    """Images whose time range overlaps a window.

    Parameters
    ----------
    archive : Archive
    window : Window
    visitor : Visitor
        Hidden images are visible to their author and operators only.
    simulated : bool
        Simulated or real data, as for the curves.
    """
    inside = _filter(visitor, simulated, t_start=window.begin, t_end=window.end)
    conditions = inside.conditions
    recipes = archive.rows(select(_RECIPE, IMAGES.name, f"{conditions.where} {_BY_RECIPE}"), conditions.values)
    if not recipes:
        return WindowImages(nearest=nearest_image(archive, window, visitor, simulated=simulated))
    chosen = [row["recipe_id"] for row in spread(recipes, window, MOST_ON_CURVES)]
    images = archive.images(_filter(visitor, simulated, recipe_ids=tuple(chosen)), limit=len(chosen) * MOST_METHODS)
    ordered = sorted(images, key=lambda image: (image.t_start, image.recipe_id, place_in_order(image.method)))
    return WindowImages(tuple(ordered), len(recipes))


def nearest_image(archive: Archive, window: Window, visitor: Visitor, *, simulated: bool) -> NearestImage | None:
    """The image nearest to a window without images; arguments as `images_in`."""
    before = archive.images(_filter(visitor, simulated, t_end=window.begin), sort=("-t_end",), limit=1)
    after = archive.images(_filter(visitor, simulated, t_start=window.end), sort=("t_start",), limit=1)
    candidates = [
        *(NearestImage(image, window.begin - image.t_end, later=False) for image in before),
        *(NearestImage(image, image.t_start - window.end, later=True) for image in after),
    ]
    return min(candidates, key=lambda nearest: nearest.away, default=None)


def spread(recipes: Sequence[dict[str, Any]], window: Window, most: int) -> list[dict[str, Any]]:
    """At most ``most`` recipes, spread over the window: in each part the strongest flare's, trusted ones first."""
    if len(recipes) <= most:
        return [*recipes]
    best: dict[int, dict[str, Any]] = {}
    for recipe in recipes:
        since = float((np.datetime64(recipe["t_start"], "us") - window.begin) / np.timedelta64(1, "s"))
        part = min(max(int(since / window.span * most), 0), most - 1)
        if part not in best or _strength(recipe) > _strength(best[part]):
            best[part] = recipe
    # parts without a recipe leave room for more in the others
    chosen = {recipe["recipe_id"] for recipe in best.values()}
    rest = sorted((recipe for recipe in recipes if recipe["recipe_id"] not in chosen), key=_strength, reverse=True)
    chosen |= {recipe["recipe_id"] for recipe in rest[: most - len(best)]}
    return [recipe for recipe in recipes if recipe["recipe_id"] in chosen]


def _strength(recipe: dict[str, Any]) -> tuple[bool, float]:
    return bool(recipe["trusted"]), float(recipe["goes_flux"])


def _rank(image: Image) -> tuple[bool, int]:
    first = SHOWN_FIRST.index(image.method) if image.method in SHOWN_FIRST else len(SHOWN_FIRST)
    return not image.trusted, first


def _filter(visitor: Visitor, simulated: bool, **more: Any) -> ImageFilter:
    return ImageFilter(simulated=simulated, grouped=False, viewer=visitor.name, all_hidden=visitor.operator, **more)
