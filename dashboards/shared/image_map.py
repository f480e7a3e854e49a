"""An image as HTML: map, axes, limb, scale, beam and colour bar, readable at any width and in any theme."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from math import ceil, floor

import numpy as np
from PIL import Image as Picture

from dashboards.shared import formatting
from dashboards.shared.compare import lowest, sun_of
from dashboards.shared.disk_layer import disk_spans, disk_svg, is_full_disk
from dashboards.shared.map_colors import palette
from dashboards.shared.svg_lines import points_of
from jobs.imaging.figures import color_table, levels, nice_step, png
from stixcore.image_files.read import ImageFile
from stixcore.solar_grid import Line

#: Larger maps are reduced to the maximum of each block: a mean would hide the peaks of a full-disk map.
MOST_PIXELS = 256
#: Number of colours of the bar; between them the browser interpolates.
BAR_COLORS = 33


def map_html(file: ImageFile, name: str, *, colors: str, link: str | None = None, over: str = "") -> str:
    """A map that fills the width it is given.

    Parameters
    ----------
    file : ImageFile
    name : str
        Text for visitors who do not see the picture; plain text.
    colors : str
        One of `jobs.imaging.figures.COLOR_MAPS`.
    link : str, optional
        URL that a click on the map opens.
    over : str
        SVG drawn over the map, in a frame of 1000 units with north up.
    """
    x0, x1, y0, y1 = file.extent
    low, top = lowest(file), float(np.nanmax(file.pixels))
    picture = f'<img class="large" src="{_picture(file, colors)}" alt="{escape(name)}">'
    linked = f'<a href="{escape(link)}" target="_blank">{picture}</a>' if link else picture
    return (
        '<div class="map"><div class="y"><span>Solar Y [arcsec]</span>'
        f"{_ticks(y0, y1, 'bottom')}</div><div class='sky'>{linked}{_lines(file, over)}{disk_spans(file)}"
        f"{_scale(x1 - x0)}</div>"
        f'<div class="bar"><i style="background:linear-gradient(to top,{_gradient(colors)})"></i>'
        f"{_ticks(low, top, 'bottom')}</div><div class='x'>{_ticks(x0, x1, 'left')}<span>Solar X [arcsec]</span></div>"
        f'<div class="unit">{escape(formatting.unit(file.unit))}</div></div>'
    )


def _picture(file: ImageFile, colors: str) -> str:
    """The pixels as a PNG with the palette, as a data URL."""
    image = file.pixels
    step = -(-max(image.shape) // MOST_PIXELS)
    ny, nx = (side // step * step for side in image.shape)
    blocks = np.asarray(image[:ny, :nx].reshape(ny // step, step, nx // step, step).max(axis=(1, 3)))
    picture = Picture.fromarray(levels(np.nan_to_num(blocks), lowest(file)))
    picture.putpalette(color_table(colors).tobytes())
    return f"data:image/png;base64,{b64encode(png(picture)).decode()}"


def _gradient(colors: str) -> str:
    table = palette(colors)
    return ",".join(table[round(i * (len(table) - 1) / (BAR_COLORS - 1))] for i in range(BAR_COLORS))


def _ticks(low: float, high: float, side: str) -> str:
    """Labels at round numbers, placed by their share of the axis."""
    if not high > low:
        return ""
    step = nice_step((high - low) / 4.0)
    values = [i * step for i in range(ceil(low / step), floor(high / step) + 1)]
    return "".join(
        f'<b style="{side}:{(value - low) / (high - low):.2%}">{formatting.number(value, ".4g")}</b>'
        for value in values
    )


def _lines(file: ImageFile, over: str) -> str:
    """Limb, heliographic grid and beam over the map, in a frame of 1000 units with north up."""
    limb, grid = sun_of(file)
    disk = "".join(f'<polygon class="disk" points="{points_of(line, file.extent)}"/>' for line in limb)
    drawn = disk if is_full_disk(file) else ""
    drawn += _paths(file, grid, "grid") + _paths(file, limb, "limb") + disk_svg(file)
    x0, x1, _, _ = file.extent
    if file.beam_fwhm is not None:
        radius = file.beam_fwhm / 2.0 / (x1 - x0) * 1000.0
        drawn += f'<circle class="beam" cx="{25 + radius:.1f}" cy="{975 - radius:.1f}" r="{radius:.1f}"/>'
    return f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{drawn}{over}</svg>'


def _paths(file: ImageFile, lines: Sequence[Line], name: str) -> str:
    return "".join(f'<polyline class="{name}" points="{points_of(line, file.extent)}"/>' for line in lines)


def _scale(width: float) -> str:
    length = nice_step(width / 4.0)
    return f'<span class="scale" style="width:{length / width:.2%}"><em>{length:g}″</em></span>'
