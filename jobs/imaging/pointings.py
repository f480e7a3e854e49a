"""Pointings of an image set of the archive: from its files, else from the auxiliary files of the archive."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from archive import Archive, NotInArchive
from jobs.inputs import choose_aspect
from stixcore.calibration.pointing import MAX_GAP
from stixcore.coordinates import Pointing
from stixcore.errors import StixError
from stixcore.fits.products import AspectTable
from stixcore.fits.read import read_aspect
from stixcore.pointings import SAME_ROLL, SAME_TRANSMISSION, pointing_choices, solutions_in_window
from stixcore.recipe import Recipe

log = logging.getLogger(__name__)

#: Auxiliary files that stay open: those of the last images.
KEPT = 4


def known_pointings(
    archive: Archive, recipe: Recipe, stored: Sequence[Pointing] = (), *, simulated: bool = False
) -> tuple[Pointing, ...]:
    """Every pointing that is known for the time range of a recipe, except a given one.

    Parameters
    ----------
    archive : Archive
    recipe : Recipe
    stored : sequence of Pointing
        Those of an image file (`ImageFile.pointings`); they are returned as they are.
    simulated : bool
        Whether the recipe's files are simulated.

    Returns
    -------
    tuple of Pointing
        Those of the recipe's auxiliary files; for a recipe with a given or assumed pointing, of the auxiliary files
        that a search would use. Empty where the archive has no such file, or none that can be read.
    """
    if stored:
        return tuple(stored)
    try:
        return solutions_in_window(recipe, [_table(path) for path in _aspect_paths(archive, recipe, simulated)])
    except (StixError, OSError) as error:  # the page and its image do not depend on them
        log.warning("recipe %s: pointings of its time are unknown: %s", recipe.recipe_id, error)
        return ()


def pointing_document(archive: Archive, recipe: Recipe, stored: Sequence[Pointing], *, simulated: bool) -> Any:
    """Pointings of an image set as JSON values, with the bounds within which a shift suffices."""
    solutions = known_pointings(archive, recipe, stored, simulated=simulated)
    return {
        "recipe_id": recipe.recipe_id,
        "pointings": [choice.to_dict() for choice in pointing_choices(recipe, solutions)],
        "stored": bool(stored),
        "bounds": {"roll_change_deg": SAME_ROLL, "transmission_change": SAME_TRANSMISSION},
        "units": {"hpc_x": "arcsec", "hpc_y": "arcsec"},
    }


def _aspect_paths(archive: Archive, recipe: Recipe, simulated: bool) -> list[Path]:
    if recipe.aspect:
        return [archive.locate(reference.name) for reference in recipe.aspect]
    start, end = recipe.t_start, recipe.t_end
    middle = start + (end - start) // 2
    near = archive.aux_for(middle, within_s=float(MAX_GAP / np.timedelta64(1, "s")), simulated=simulated)
    return [archive.path_of(row.path) for row in choose_aspect(near, start, end)]


def _table(path: Path) -> AspectTable:
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        message = f"{path.name} is in the index, but the file is missing"
        raise NotInArchive(message) from error


@lru_cache(maxsize=KEPT)
def _read(path: Path, changed_ns: int) -> AspectTable:  # noqa: ARG001 - part of the key
    return read_aspect(path)
