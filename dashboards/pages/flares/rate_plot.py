"""Flares per time as bars, by class; a brush selects a time range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, DataRange1d, HoverTool, Range1d

from archive.flare_rates import GROUPS
from dashboards.pages.flares.sky import Rate, Sky, rate_of
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
        self._bars = ColumnDataSource({name: [] for name in ("left", "right", "total", *GROUPS)})
        self._parts = ColumnDataSource({name: [] for name in ("left", "right", "bottom", "top", "group", "color")})
        self._x_range = Range1d(start=0.0, end=1.0)
        self._plot = self._figure()
        self.pane = pn.pane.Bokeh(self._plot, sizing_mode="stretch_width", height=HEIGHT, margin=0)

    def show(self, sky: Sky | None) -> None:
        """Show the rate of the flares of a filter."""
        rate = rate_of(sky) if sky is not None else None
        if rate is None:
            for source in (self._bars, self._parts):
                source.data = {name: [] for name in source.data}
            return
        edges = rate.edges.astype("datetime64[ms]").astype(np.float64)
        self._x_range.update(start=edges[0], end=edges[-1])
        self._plot.yaxis.axis_label = f"flares per {LENGTH_NAMES[rate.length_s]}"
        self._bars.data, self._parts.data = _bars(rate, edges), _parts(rate, edges)

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
        bars = plot.quad(left="left", right="right", bottom=0, top="total", source=self._bars, alpha=0.0)
        # one glyph for all groups: each costs time when the page is made
        plot.quad(
            left="left", right="right", bottom="bottom", top="top", source=self._parts, color="color", line_color=None,
            legend_field="group", nonselection_alpha=1.0,
        )  # fmt: skip
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


def _bars(rate: Rate, edges: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Columns of the bars: edges, total, and number by group."""
    return {
        "left": edges[:-1],
        "right": edges[1:],
        "total": rate.counts.sum(axis=1),
        **{name: rate.counts[:, place] for place, name in enumerate(GROUPS)},
    }


def _parts(rate: Rate, edges: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Columns of the stacked parts, group after group; also of empty ones, so that the legend has all groups."""
    tops = rate.counts.cumsum(axis=1)
    n_bars = edges.size - 1
    return {
        "left": np.tile(edges[:-1], len(GROUPS)),
        "right": np.tile(edges[1:], len(GROUPS)),
        "bottom": (tops - rate.counts).T.ravel(),
        "top": tops.T.ravel(),
        "group": np.repeat(GROUPS, n_bars).tolist(),
        "color": np.repeat(GROUP_COLORS, n_bars).tolist(),
    }
