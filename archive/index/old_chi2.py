"""χ² of images made when it was Σ|ΔV|²/σ² ÷ (n_vis - 1): to the value per degree of freedom.

Files written since carry their degrees of freedom in the keyword CHI2DOF; a file without it has the older value, whose
definition allows the conversion. For a forward fit that needs the number of fitted parameters: from the recipe, or,
where the model was chosen automatically, from the sources in the image file.
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
    """χ² per degree of freedom of an image file, whichever definition it was written with.

    Parameters
    ----------
    header : Header
        Primary header.
    recipe : mapping
        Content of the recipe.
    shapes : sequence of str
        Of the fitted sources; empty but for a forward fit.
    """
    chi2 = header.get("CHI2")
    return chi2 if "CHI2DOF" in header else per_degree_of_freedom(chi2, str(header["ALG_USED"]), recipe, shapes)


def converted_value(chi2: float | None, method: str, recipe: str | None, file: Path) -> float | None:
    """The older value of a row as the present one; None where it is not known how many parameters were fitted.

    Parameters
    ----------
    chi2 : float or None
    method : str
    recipe : str or None
        Of the run, JSON.
    file : Path
        The image, for the sources of a forward fit.
    """
    if chi2 is None or recipe is None:
        return None
    try:
        content = json.loads(recipe)
        shapes = _shapes(content, file) if method == Method.VIS_FWDFIT else ()
        return per_degree_of_freedom(chi2, method, content, shapes)
    except (ValueError, KeyError, TypeError, SelectionError, InvalidProduct):
        return None  # unknown: neither recipe nor file says how many parameters were fitted


def per_degree_of_freedom(
    chi2: float | None, method: str, recipe: Mapping[str, Any], shapes: Sequence[str]
) -> float | None:
    """χ²_new = χ²_old (n_vis - 1)/(2 n_vis - n_par), n_par = 0 for an image that is no parametric model."""
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
