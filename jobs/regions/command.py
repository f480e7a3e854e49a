"""The command that measures region spectra again: ``stix-jobs regions`` with every option of a recipe."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from jobs.spectra.command import plain_number, selection_arguments
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.spectra.regions import Circle, Contour, Ellipse, Polygon, Region

#: Folder in which the command writes its files.
OUT = "regions"


def regions_command(recipe: RegionRecipe, science: str, background: str | None, aspect: Sequence[str]) -> str:
    """The command for a recipe, for a shell in the folder of its files.

    Parameters
    ----------
    recipe : RegionRecipe
        Options of images and fits that the command does not have are left out.
    science : str
        Name of the science file.
    background : str or None
    aspect : sequence of str
        Names of the auxiliary files, in the order in which they were used.
    """
    images, request = recipe.images, recipe.spectrum.request
    parts = ["stix-jobs", "regions", *selection_arguments(request, science, background, aspect)]
    parts += ["--energy", *_numbers(images.energy_range), "--method", str(recipe.method)]
    for region in recipe.regions:
        parts += region_option(region)
    for name, model in recipe.models.items():
        parts += ["--model", f"{name}={model}"]
    parts += ["--fit", request.model, "--least-counts", *_numbers([recipe.least_counts])]
    parts += ["--copies", str(images.ensemble), *(["--seed", str(images.seed)] if images.seed else [])]
    parts += ["--location", *_numbers((images.location.x, images.location.y))]
    parts += ["--shape", *map(str, images.shape), "--pixel", *_numbers([images.pixel])]
    if not request.albedo:
        parts.append("--no-albedo")
    return shlex.join([*parts, "--out", OUT, "--json"])


def region_option(region: Region) -> list[str]:
    """The option of a region."""
    match region:
        case Circle():
            return ["--circle", region.name, *_numbers((region.x, region.y, region.radius))]
        case Ellipse():
            values = region.x, region.y, region.major, region.minor, region.position_angle
            return ["--ellipse", region.name, *_numbers(values)]
        case Polygon():
            return ["--polygon", region.name, *_numbers(value for corner in region.corners for value in corner)]
        case Contour():
            place = () if region.x is None or region.y is None else (region.x, region.y)
            return ["--contour", region.name, *_numbers((region.level, *place))]


def _numbers(values: Iterable[float]) -> list[str]:
    return [plain_number(value) for value in values]
