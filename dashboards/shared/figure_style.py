"""Style of Bokeh figures: one grey that is readable on light and dark pages, no white backgrounds."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, DatetimeTickFormatter
from bokeh.models.annotations import TeeHead, Whisker
from bokeh.plotting import figure

#: Contrast of at least 4:1 on both pages, so that switching the theme needs no new figure.
INK = "#75818e"
LINE = "rgba(117, 129, 142, 0.25)"
FONT = "Roboto, Helvetica, Arial, sans-serif"
#: Marks the selection.
CHOSEN = "#00a0bc"
#: Blue, orange, green, red, purple (the order of the quick-look bands) and brown; distinguishable with colour
#: blindness, with a contrast of 3:1 on both pages.
CURVES = ("#2a6f9f", "#d27700", "#25a06a", "#d01c30", "#ab6fe0", "#7a6a5a")


def clock_formatter() -> DatetimeTickFormatter:
    """Times on an axis, with as few digits as possible."""
    return DatetimeTickFormatter(
        microseconds="%H:%M:%S.%3N",
        milliseconds="%H:%M:%S.%3N",
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%m-%d",
        months="%Y-%m",
        years="%Y",
    )


def error_bars(base: str, source: ColumnDataSource, color: str, width: float = 1.0) -> Whisker:
    """Error bars from the columns "lower" and "upper", with caps in the same colour: Bokeh's default is black."""
    heads = [TeeHead(size=10, line_color=color, line_width=width) for _ in range(2)]
    return Whisker(
        base=base,
        lower="lower",
        upper="upper",
        source=source,
        line_color=color,
        line_width=width,
        lower_head=heads[0],
        upper_head=heads[1],
    )


def aria_label(what: str) -> dict[str, str]:
    """Label of a canvas for screen readers, as ``html_attributes`` of a figure."""
    return {"role": "figure", "aria-label": what}


def quiet_figure(**settings: Any) -> figure:
    """A figure in the style of the pages; ``settings`` are arguments of `bokeh.plotting.figure`."""
    common: dict[str, Any] = {
        "toolbar_location": "right",
        "sizing_mode": "stretch_width",
        "background_fill_alpha": 0.0,
        "min_border_left": 64,
        "min_border_right": 12,
    }
    drawn = figure(**(common | settings))
    drawn.toolbar.logo = None
    drawn.toolbar.autohide = False
    style_figure(drawn)
    return drawn


def style_figure(plot: Any) -> None:
    """Apply the style of the pages to a Bokeh figure, its title, axes, grid and legends."""
    plot.border_fill_alpha = 0.0
    plot.outline_line_color = LINE
    plot.title.text_color, plot.title.text_font = INK, FONT
    plot.title.text_font_size, plot.title.text_font_style = "13px", "normal"
    plot.grid.grid_line_color = LINE
    for axis in plot.axis:
        axis.axis_label_text_color = axis.major_label_text_color = INK
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = INK
    for legend in plot.legend:
        legend.background_fill_alpha = legend.border_line_alpha = 0.0
        legend.label_text_color, legend.label_text_font = INK, FONT
