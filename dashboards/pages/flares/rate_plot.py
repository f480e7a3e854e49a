"""Flares per time as bars, by class; a brush selects a time range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, DataRange1d, HoverTool, Range1d

from dashboards.pages.flares.sky import GROUPS, Rate, Sky, rate_of
from dashboards.pages.flares.sun_plot import GROUP_COLORS, HEIGHT
from dashboards.shared.figure_style import aria_label, clock_formatter, quiet_figure, style_figure

#: Length of a bar, s → its name.
LENGTH_NAMES = {
    600.0: "10 minutes", 3600.0: "hour", 21_600.0: "6 hours", 86_400.0: "day", 604_800.0: "week",
    28 * 86_400.0: "4 weeks", 91 * 86_400.0: "13 weeks", 364 * 86_400.0: "52 weeks",
}  # fmt: skip


class RatePlot:
    """Bars of the flare rate.

    Parameters
    ----------
    on_brush : callable
        Called with the first and last time of a range that was selected, UTC at Solar Orbiter.
    """

    def __init__(self, on_brush: Callable[[np.datetime64, np.datetime64], None]) -> None:
        self._on_brush = on_brush
        self._source = ColumnDataSource({"left": [], "right": [], "total": [], **{name: [] for name in GROUPS}})
        self._x_range = Range1d(start=0.0, end=1.0)
        self._plot = self._figure()
        self.pane = pn.pane.Bokeh(self._plot, sizing_mode="stretch_width", height=HEIGHT, margin=0)

    def show(self, sky: Sky | None) -> None:
        """Show the rate of the flares of a filter."""
        rate = rate_of(sky) if sky is not None else None
        if rate is None:
            self._source.data = {name: [] for name in self._source.data}
            return
        edges = rate.edges.astype("datetime64[ms]").astype(np.float64)
        self._x_range.update(start=edges[0], end=edges[-1])
        self._plot.yaxis.axis_label = f"flares per {LENGTH_NAMES[rate.length_s]}"
        self._source.data = _columns(rate, edges)

    def _figure(self) -> Any:
        plot: Any = quiet_figure(
            html_attributes=aria_label("Number of flares per time, by class; the table lists them"),
            height=HEIGHT,
            x_axis_type="datetime",
            x_range=self._x_range,
            y_range=DataRange1d(start=0.0),
            x_axis_label="peak, UTC at Solar Orbiter",
            y_axis_label="flares",
            tools="reset",
            min_border_left=56,
        )
        plot.xaxis.formatter = clock_formatter()
        bars = plot.quad(left="left", right="right", bottom=0, top="total", source=self._source, alpha=0.0)
        bottom = "zero"
        self._source.data["zero"] = []
        for name, color in zip(GROUPS, GROUP_COLORS, strict=True):
            plot.quad(
                left="left", right="right", bottom=bottom, top=f"top {name}", source=self._source, color=color,
                line_color=None, legend_label=name, nonselection_alpha=1.0,
            )  # fmt: skip
            self._source.data[f"top {name}"] = []
            bottom = f"top {name}"
        plot.legend.orientation, plot.legend.location = "horizontal", "top_left"
        plot.legend.spacing, plot.legend.padding, plot.legend.glyph_width = 6, 2, 12
        plot.legend.label_text_font_size = "12px"
        plot.add_layout(plot.legend[0], "above")
        brush = BoxSelectTool(dimensions="width", renderers=[])
        hover = HoverTool(
            renderers=[bars],
            tooltips=[("from", "@left{%F %H:%M}"), ("flares", "@total"), *((name, f"@{{{name}}}") for name in GROUPS)],
            formatters={"@left": "datetime"},
        )
        plot.add_tools(brush, hover)
        plot.toolbar.active_drag = brush
        style_figure(plot)
        plot.xgrid.visible = False
        plot.on_event(SelectionGeometry, self._brushed)
        return plot

    def _brushed(self, event: Any) -> None:
        box = event.geometry
        if event.final and box.get("type") == "rect":
            first, last = sorted((float(box["x0"]), float(box["x1"])))
            begin, end = (np.datetime64(round(time), "ms").astype("datetime64[us]") for time in (first, last))
            self._on_brush(begin, end)


def _columns(rate: Rate, edges: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Columns of the bars: edges, number by group, and the tops of the stacked parts."""
    tops = rate.counts.cumsum(axis=1)
    return {
        "left": edges[:-1],
        "right": edges[1:],
        "zero": np.zeros(edges.size - 1),
        "total": tops[:, -1],
        **{name: rate.counts[:, place] for place, name in enumerate(GROUPS)},
        **{f"top {name}": tops[:, place] for place, name in enumerate(GROUPS)},
    }
