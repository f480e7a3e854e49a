"""Style of live figures: readable on light and dark pages, because the visitor may switch between them."""

from __future__ import annotations

from typing import Any

#: Contrast of at least 4:1 on both backgrounds.
TEXT = "#6f7c89"
LINES = "rgba(128, 140, 152, 0.35)"
FONT = "Roboto, Helvetica, Arial, sans-serif"


def style_plot(plot: Any) -> None:
    """Apply the style of the pages to a Bokeh figure."""
    plot.border_fill_alpha = 0.0
    plot.outline_line_color = LINES
    plot.title.text_color, plot.title.text_font = TEXT, FONT
    plot.title.text_font_size, plot.title.text_font_style = "13px", "normal"
    plot.grid.grid_line_color = LINES
    for axis in plot.axis:
        axis.axis_label_text_color = axis.major_label_text_color = TEXT
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = LINES
    for legend in plot.legend:
        legend.background_fill_alpha = legend.border_line_alpha = 0.0
        legend.label_text_color, legend.label_text_font = TEXT, FONT
