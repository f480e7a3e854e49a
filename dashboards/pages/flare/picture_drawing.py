"""The thermal image of a flare with contours of the non-thermal image, as SVG."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from archive import Image
from dashboards.pages.flare.content import FlareContent, MeasuredImage
from dashboards.shared import formatting
from dashboards.shared.compare import CONTOUR_LEVELS, SUN, CompareChoice, Extent, Panel, Scene, compare
from dashboards.shared.sky_figure import CONTOUR_COLORS
from jobs.imaging.figures import DEFAULT_COLORS, color_table, levels, nice_step, png
from stixcore.solar_grid import Line

#: Side of the map and its margins at the left and below, in the unit of the drawing.
SIDE, LEFT, BELOW = 400, 64, 40


def picture_svg(content: FlareContent, colors: str = DEFAULT_COLORS) -> str:
    """The best image with contours, axes, limb and grid; empty without an image.

    Parameters
    ----------
    content : FlareContent
    colors : str
        One of `jobs.imaging.figures.COLOR_MAPS`.
    """
    shown = content.thermal or content.nonthermal
    if shown is None:
        return ""
    panel = _panel(shown, content.nonthermal if content.thermal is not None else None)
    place = Placement(panel.extent)
    lines = [
        *(place.path(line, "sun") for line in panel.sun),
        *(place.path(line, "limb") for line in panel.limb),
        *(
            f'<g style="stroke: {color}">{"".join(place.path(line, "contour") for line in contour)}</g>'
            for (_, contour), color in zip(panel.contours, CONTOUR_COLORS, strict=False)
        ),
        _cross(content, place),
    ]
    pixels = Picture.fromarray(levels(panel.values, panel.low, panel.high))
    pixels.putpalette(color_table(colors).tobytes())
    source = f"data:image/png;base64,{b64encode(png(pixels)).decode()}"
    return map_svg(source, panel.extent, lines, f"{image_name(shown.image)}{_contours_said(content)}")


def map_svg(source: str, extent: Extent, lines: Sequence[str], label: str) -> str:
    """A map with axes.

    Parameters
    ----------
    source : str
        URL of its picture, escaped.
    extent : (x0, x1, y0, y1), arcsec
    lines : sequence of str
        SVG over the picture, from `Placement`; it is cut off at the edges.
    label : str
        Text for visitors who do not see the map; plain text.
    """
    place, (x0, x1, y0, y1) = Placement(extent), extent
    axes = _axis("X", x0, x1, place) + _axis("Y", y0, y1, place)
    return (
        f'<svg class="map" viewBox="0 0 {LEFT + SIDE + 12} {SIDE + BELOW + 8}" role="img" aria-label="{escape(label)}">'
        f'<image href="{source}" x="{LEFT}" y="4" width="{SIDE}" height="{SIDE}" preserveAspectRatio="none"/>'
        f'<svg x="{LEFT}" y="4" width="{SIDE}" height="{SIDE}" viewBox="{LEFT} 4 {SIDE} {SIDE}">{"".join(lines)}</svg>'
        f"{axes}</svg>"
    )


def caption_html(content: FlareContent) -> str:
    """What the picture shows."""
    if content.thermal is None and content.nonthermal is None:
        return ""
    shown = content.thermal or content.nonthermal
    said = f"<b>{escape(image_name(shown.image))}</b>" if shown is not None else ""
    colors = "".join(
        f'<span><i style="background: {color}"></i>{level:.0%}</span>'
        for level, color in zip(CONTOUR_LEVELS, CONTOUR_COLORS, strict=True)
    )
    contours = _contours_said(content)
    legend = f"{escape(contours)}<span class='levels'>{colors}</span>" if contours else ""
    cross = " The cross is the position of the flare with its error." if content.flare.hpc_x is not None else ""
    return f"<figcaption>{said}{legend}.{cross}</figcaption>"


def image_name(image: Image) -> str:
    """``MEM_GE, 4–10 keV, 2022-11-11 13:56:34 – 13:57:30``."""
    return f"{formatting.method_name(image.method)}, {formatting.band(image)}, {formatting.time_range(image)}"


def _contours_said(content: FlareContent) -> str:
    other = content.nonthermal
    return "" if other is None or content.thermal is None else f" with contours of {image_name(other.image)}"


def _panel(shown: MeasuredImage, contours: MeasuredImage | None) -> Panel:
    scenes = [Scene(one.image, one.file) for one in (shown, contours) if one is not None]
    choice = CompareChoice(
        place=SUN, contours=contours is not None, reference=scenes[-1].image.image_id if contours is not None else ""
    )
    panels = compare(scenes, choice).panels
    return next(panel for panel in panels if panel.image.image_id == shown.image.image_id)


class Placement:
    """Converts helioprojective positions to the drawing."""

    def __init__(self, extent: Extent) -> None:
        self._x0, x1, y0, self._y1 = extent
        self.scale_x, self.scale_y = SIDE / (x1 - self._x0), SIDE / (self._y1 - y0)

    def x(self, value: float) -> float:
        """Position from the left."""
        return LEFT + (value - self._x0) * self.scale_x

    def y(self, value: float) -> float:
        """Position from the top."""
        return 4 + (self._y1 - value) * self.scale_y

    def path(self, line: Line, kind: str) -> str:
        """SVG path of a line, with gaps at missing points."""
        x, y = LEFT + (line[0] - self._x0) * self.scale_x, 4 + (self._y1 - line[1]) * self.scale_y
        return f'<path class="{kind}" d="{connected(x, y)}"/>'


def connected(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """SVG path through points, with gaps at missing ones."""
    known = np.isfinite(x) & np.isfinite(y)
    begins = known & ~np.append(False, known[:-1])
    return "".join(
        f"{'M' if first else 'L'}{left:.1f} {top:.1f}"
        for left, top, first in zip(x[known].tolist(), y[known].tolist(), begins[known].tolist(), strict=True)
    )


def _cross(content: FlareContent, place: Placement) -> str:
    """Position of the flare, with bars of one standard deviation."""
    flare = content.flare
    if flare.hpc_x is None or flare.hpc_y is None:
        return ""
    x, y = place.x(flare.hpc_x), place.y(flare.hpc_y)
    half = max((flare.hpc_sigma or 0.0) * place.scale_x, 5.0)
    return f'<path class="cross" d="M{x - half:.1f} {y:.1f}h{2 * half:.1f}M{x:.1f} {y - half:.1f}v{2 * half:.1f}"/>'


def _axis(name: str, low: float, high: float, place: Placement) -> str:
    step = nice_step((high - low) / 4.0)
    values: Sequence[float] = np.arange(np.ceil(low / step) * step, high + 1e-9, step).tolist()
    bottom = SIDE + 4
    if name == "X":
        ticks = "".join(
            f'<path class="tick" d="M{place.x(value):.1f} {bottom}v5"/>'
            f'<text x="{place.x(value):.1f}" y="{bottom + 18}" text-anchor="middle">{_text(value)}</text>'
            for value in values
        )
        return f'{ticks}<text x="{LEFT + SIDE / 2}" y="{bottom + 36}" text-anchor="middle">Solar X [arcsec]</text>'
    ticks = "".join(
        f'<path class="tick" d="M{LEFT} {place.y(value):.1f}h-5"/>'
        f'<text x="{LEFT - 8}" y="{place.y(value) + 4:.1f}" text-anchor="end">{_text(value)}</text>'
        for value in values
    )
    turned = f"translate(13 {bottom / 2:.0f}) rotate(-90)"
    return f'{ticks}<text transform="{turned}" text-anchor="middle">Solar Y [arcsec]</text>'


def _text(value: float) -> str:
    return formatting.number(value, ".0f")
