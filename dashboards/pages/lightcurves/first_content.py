"""Light curves as a static drawing in the document, until the live plot is ready."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archive.index.series import BANDS
from dashboards.pages.lightcurves.plot import ROOM
from dashboards.pages.lightcurves.state import Curves
from dashboards.shared.curve_colors import LIGHT
from dashboards.shared.curve_series import columns_of, rate_limits

#: Size of the drawing in its own unit; it is stretched to the width of the page.
WIDTH, HEIGHT = 1000, 400
#: Maximum number of points per curve: the drawing is sent with every page.
POINTS = 400


def curves_svg(curves: Curves, bands: Sequence[str], *, log: bool) -> str:
    """Mean rates of a window as SVG; empty if there is nothing to draw."""
    if curves.view is None or not curves.recorded:
        return ""
    begin, span = curves.window.start * 1e3, curves.window.span * 1e3
    low, high = rate_limits(curves.view, [*bands], begin, begin + span, log=log, room=ROOM)
    columns = columns_of(curves.view, log=log)
    inside = (columns["time"] >= begin) & (columns["time"] <= begin + span)
    rows = np.flatnonzero(inside)
    # gaps are always kept
    some = np.unique(np.r_[rows[:: max(rows.size // POINTS, 1)], rows[np.isnan(columns["triggers"][rows])]])
    x = (columns["time"][some] - begin) / span * WIDTH
    paths = []
    for band, color in zip(BANDS, LIGHT.bands, strict=True):
        if band in bands:
            rates = columns[f"mean_{band}"][some].astype(float)
            part = np.log(rates / low) / np.log(high / low) if log else (rates - low) / (high - low)
            paths.append(f'<path d="{_path(x, HEIGHT * (1 - part))}" stroke="{color}"/>')
    return (
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" width="100%" height="{HEIGHT}" '
        f'fill="none" aria-hidden="true">{"".join(paths)}</svg>'
    )


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """SVG path of connected points, with gaps at missing ones."""
    steps, drawing = [], False
    for left, top in zip(x, y, strict=True):
        if np.isfinite(top):
            steps.append(f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}")
        drawing = bool(np.isfinite(top))
    return "".join(steps)
