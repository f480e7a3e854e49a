"""A map as a live figure: zoom with the wheel, values under the pointer; limb, grid, scale bar and beam."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from bokeh.models import BasicTickFormatter, ColorMapper, CustomJS, HoverTool, LinearColorMapper, Range1d, ResetTool
from bokeh.models.annotations import ColorBar, ScaleBar
from bokeh.models.annotations.dimensional import Angular
from bokeh.plotting import figure

from dashboards.shared import formatting
from dashboards.shared.compare import Panel
from dashboards.shared.figure_style import FONT, INK, aria_label, style_figure
from dashboards.shared.map_colors import hexadecimal, palette
from jobs.imaging.figures import DEFAULT_COLORS
from stixcore.solar_grid import Line

#: Contours, from the outermost inwards: light enough for the dark map, and distinguishable.
CONTOUR_COLORS = ("#3f9dff", "#52cf7a", "#ffd84a", "#ffffff")
#: Space for axes, toolbar and colour bar, pixel: a first guess of the height until the browser reports the width.
BESIDE, ABOVE_AND_BELOW = 140, 110
#: Keeps the map square at every width. Widths may be reported before heights, and titles grow when their font arrives.
SQUARE = """
const beside = plot.outer_height - plot.inner_height, height = Math.round(plot.inner_width + beside)
if (plot.inner_width > 0 && plot.inner_height > 0 && beside > 0 && plot.height !== height) { plot.height = height }
"""
LIMB, GRID = "rgba(255,255,255,0.6)", "rgba(255,255,255,0.25)"


def sky_ranges(view: tuple[float, float, float, float]) -> tuple[Range1d, Range1d]:
    """Ranges of x and y, shared by figures that pan and zoom together."""
    x0, x1, y0, y1 = view
    return Range1d(start=x0, end=x1), Range1d(start=y0, end=y1)


def sky_figure(
    panel: Panel,
    ranges: tuple[Range1d, Range1d],
    *,
    title: str,
    size: int,
    about_centre: bool = False,
    beam_fwhm: float | None = None,
    colors: str = DEFAULT_COLORS,
    bar: bool = True,
) -> Any:
    """Figure of one map.

    Parameters
    ----------
    panel : Panel
    ranges : (Range1d, Range1d)
        Of x and y; figures that share them pan and zoom together.
    title : str
    size : int, pixel
        Largest side of the map; it is smaller where the page is narrower.
    about_centre : bool
        Positions are offsets from the centre of the map.
    beam_fwhm : float, arcsec, optional
    colors : str
        One of `jobs.imaging.figures.COLOR_MAPS`; differences have their own.
    bar : bool
        Whether to add a colour bar.
    """
    x0, x1, y0, y1 = panel.extent
    plot: Any = figure(
        html_attributes=aria_label(
            f"Map: {title.replace(chr(10), ' ')}" if title else "Map of the image; its values are listed beside it"
        ),
        x_range=ranges[0],
        y_range=ranges[1],
        title=title,
        sizing_mode="stretch_width",
        max_width=size + BESIDE,
        height=size + ABOVE_AND_BELOW,
        tools="pan,wheel_zoom,box_zoom",
        active_scroll="wheel_zoom",
        toolbar_location="above",
        match_aspect=True,
        x_axis_label="from the map's centre, west [arcsec]" if about_centre else "Solar X [arcsec]",
        y_axis_label="north [arcsec]" if about_centre else "Solar Y [arcsec]",
        background_fill_color="black",
    )
    square = CustomJS(args={"plot": plot}, code=SQUARE)
    for name in ("inner_width", "inner_height", "outer_height"):
        plot.js_on_change(name, square)
    plot.add_tools(ResetTool())
    plot.toolbar.logo = None
    style_figure(plot)
    plot.grid.visible = False
    mapper = LinearColorMapper(
        palette=_diverging() if panel.is_difference else palette(colors),
        low=panel.low,
        high=panel.high,
        nan_color="#555555",
    )
    picture = plot.image(
        image=[panel.values.astype(np.float32)], x=x0, y=y0, dw=x1 - x0, dh=y1 - y0, color_mapper=mapper
    )
    unit = formatting.unit(panel.unit)
    plot.add_tools(
        HoverTool(
            renderers=[picture],
            tooltips=[("X, Y", "$x{0.0}″, $y{0.0}″"), ("value", f"@image{{0.000e+0}} {unit}")],
            point_policy="follow_mouse",
        )
    )
    _draw(plot, panel.sun, GRID, 1)
    _draw(plot, panel.limb, LIMB, 2)
    for (_, lines), color in zip(panel.contours, CONTOUR_COLORS, strict=False):
        _draw(plot, lines, color, 2)
    _scale(plot, ranges[0])
    if beam_fwhm is not None:
        plot.circle(
            x=[x0 + 0.08 * (x1 - x0)],
            y=[y0 + 0.08 * (y1 - y0)],
            radius=beam_fwhm / 2.0,
            fill_alpha=0.0,
            line_color="white",
            line_width=2,
        )
    if bar:
        plot.add_layout(_color_bar(mapper, unit), "right")
    return plot


def _draw(plot: Any, lines: Sequence[Line], color: str, width: int) -> None:
    if lines:
        plot.multi_line([x for x, _ in lines], [y for _, y in lines], line_color=color, line_width=width)


def _scale(plot: Any, x_range: Range1d) -> None:
    plot.add_layout(
        ScaleBar(
            range=x_range,
            unit="''",
            dimensional=Angular(exclude=["°", "'"]),
            location="bottom_right",
            background_fill_color="black",  # the label may overlap a bright source
            background_fill_alpha=0.5,
            border_line_alpha=0.0,
            label="@{value}″",
            label_text_color="white",
            bar_line_color="white",
            bar_line_width=3,
        )
    )


def _color_bar(mapper: ColorMapper, unit: str) -> ColorBar:
    return ColorBar(
        color_mapper=mapper,
        formatter=BasicTickFormatter(power_limit_low=-5),  # 0.0004, not 4.000e-4
        width=10,
        padding=4,
        title=unit,
        title_text_font_size="11px",
        title_text_font=FONT,
        title_text_font_style="normal",
        title_text_color=INK,
        major_label_text_color=INK,
        major_label_text_font=FONT,
        background_fill_alpha=0.0,
    )


@cache
def _diverging() -> tuple[str, ...]:
    """Blue below, orange above, black at zero: distinguishable with colour blindness, and subdued on a dark page."""
    up = np.linspace(0.0, 1.0, 128)[:, None] ** 0.8
    more, less = up * np.array([[255.0, 166.0, 77.0]]), up * np.array([[92.0, 173.0, 255.0]])
    return hexadecimal(np.concatenate([less[::-1], more]).astype(np.uint8))
