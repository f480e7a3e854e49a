"""Convert χ² of old images, defined as Σ|ΔV|²/σ² ÷ (n_vis - 1), to χ² per degree of freedom.

Newer files have their degrees of freedom in the keyword CHI2DOF; files without it have the old value. For a forward fit
the conversion needs the number of fitted parameters, which comes from the recipe or, if the model was chosen
automatically, from the sources in the image file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from stixcore.errors import InvalidProduct, SelectionError
from stixcore.image_files.read import read_sources
from stixcore.imaging.forward_fit import AUTO
from stixcore.imaging.forward_fit.shapes import Shape
from stixcore.imaging.forward_fit.sources import Source
from stixcore.imaging.reconstruction import Method


def chi2_in_header(header: fits.Header, recipe: Mapping[str, Any], shapes: Sequence[str]) -> float | None:
    """χ² per degree of freedom of an image file, old or new.

    Parameters
    ----------
    header : Header
        Primary header.
    recipe : mapping
        Content of the recipe.
    shapes : sequence of str
        Shapes of the fitted sources; empty unless it is a forward fit.
    """
    chi2 = header.get("CHI2")
    return chi2 if "CHI2DOF" in header else per_degree_of_freedom(chi2, str(header["ALG_USED"]), recipe, shapes)


def converted_value(chi2: float | None, method: str, recipe: str | None, file: Path) -> float | None:
    """Convert the old value of a row; None if the number of fitted parameters is unknown.

    Parameters
    ----------
    chi2 : float or None
    method : str
    recipe : str or None
        Recipe of the run, JSON.
    file : Path
        Image file, for the sources of a forward fit.
    """
    if chi2 is None or recipe is None:
        return None
    try:
        content = json.loads(recipe)
        shapes = _shapes(content, file) if method == Method.VIS_FWDFIT else ()
        return per_degree_of_freedom(chi2, method, content, shapes)
    except (ValueError, KeyError, TypeError, SelectionError, InvalidProduct):
        return None  # neither recipe nor file gives the number of fitted parameters


def per_degree_of_freedom(
    chi2: float | None, method: str, recipe: Mapping[str, Any], shapes: Sequence[str]
) -> float | None:
    """χ²_new = χ²_old (n_vis - 1)/(2 n_vis - n_par), n_par = 0 unless the image is a parametric model."""
    if chi2 is None:
        return None
    n_vis, n_par = len(recipe["subcollimators"]), 0
    if method == Method.VIS_FWDFIT:
        if not shapes:
            return None
        fixed = recipe["methods"][method]["fixed"] or [{} for _ in shapes]
        n_par = sum(Source(Shape(name), values).n_free for name, values in zip(shapes, fixed, strict=True))
    return chi2 * (n_vis - 1) / max(2 * n_vis - n_par, 1)


def _shapes(recipe: Mapping[str, Any], file: Path) -> Sequence[str]:
    configuration: list[str] = recipe["methods"][Method.VIS_FWDFIT]["configuration"]
    return [source["shape"] for source in read_sources(file)] if configuration == [AUTO] else configuration
