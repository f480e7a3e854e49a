"""Columns of an image with the errors of its source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stixcore.imaging.metrics import strongest_source


def error_columns(ensemble: Mapping[str, float | None], sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Errors of centroid, flux and width of an image, and where they are from.

    They are from simulated copies of the data if there are any, and otherwise from the fit of the strongest source;
    an image of pixels without copies has none.

    Parameters
    ----------
    ensemble : mapping
        Errors from simulated copies: ``x``, ``y``, ``fwhm`` [arcsec] and ``flux``; empty without copies.
    sources : sequence of mappings
        Sources of a forward fit with their ``<name>_sigma``; empty for other methods.
    """
    if ensemble:
        sigma, source = dict(ensemble), "ensemble"
    elif sources:
        strongest = strongest_source(sources)
        # the flux of one source is not that of the sum
        names = ("x", "y", "fwhm") if len(sources) > 1 else ("x", "y", "fwhm", "flux")
        sigma, source = {name: strongest[f"{name}_sigma"] for name in names if f"{name}_sigma" in strongest}, "fit"
    else:
        return {}
    known = {name: float(value) for name, value in sigma.items() if value is not None and math.isfinite(value)}
    x, y = known.get("x"), known.get("y")
    return {
        # on each axis: σ² = (σx² + σy²)/2
        "centroid_sigma": None if x is None or y is None else math.hypot(x, y) / math.sqrt(2.0),
        "flux_sigma": known.get("flux"),
        "fwhm_sigma": known.get("fwhm"),
        "sigma_source": source,
    }
