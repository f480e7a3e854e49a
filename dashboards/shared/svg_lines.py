"""Lines of a map as SVG, in a frame of 1000 units with north up."""

from __future__ import annotations

from stixcore.solar_grid import Line


def points_of(line: Line, extent: tuple[float, float, float, float]) -> str:
    """``points`` of a polyline.

    Parameters
    ----------
    line : (x, y), arcsec
    extent : (x0, x1, y0, y1), arcsec
        Edges of the map.
    """
    (x, y), (x0, x1, y0, y1) = line, extent
    across, down = (x - x0) / (x1 - x0) * 1000.0, (y1 - y) / (y1 - y0) * 1000.0
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across.tolist(), down.tolist(), strict=True))
