"""The Sun with all flares of the filter: seen from Solar Orbiter, from the Earth, or as a Carrington map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, HoverTool, LinearColorMapper
from bokeh.palettes import Plasma256

from archive.flare_rates import GROUPS
from archive.index.filters import Box
from dashboards.pages.flares.sky import Sky, marks_of
from dashboards.pages.flares.state import BY_TIME
from dashboards.pages.flares.views import LOOKS, RADIUS_AT_EARTH, SunView, ViewLook
from dashboards.shared.figure_style import INK, LINE, aria_label, quiet_figure
from dashboards.shared.listing import grouped
from stixcore.solar_grid import heliographic_grid, limb

#: One colour for each of `GROUPS`: grey, then from cold to hot; distinguishable on light and dark pages.
GROUP_COLORS = ("#8c96a0", "#3f7fbf", "#25a06a", "#d9a400", "#e0622a", "#c2185b")
#: Plasma without its darkest and brightest ends, which are hard to see on dark or light pages.
TIME_COLORS = Plasma256[60:225]
#: Height of the figure, side of a disk, and width of a disk with axis and tools, pixel.
HEIGHT, DISK, DISK_WIDTH = 336, 270, 362
#: Diameter of a mark of one flare; of one of several flares it is half, and grows with their number, pixel.
MARK = 7.0


class SunPlot:
    """One figure at a time, for one view.

    Parameters
    ----------
    on_brush : callable
        Called with the view and the edges of an area that was selected.
    """

    def __init__(self, on_brush: Callable[[SunView, Box], None]) -> None:
        self._on_brush = on_brush
        self._source = ColumnDataSource(_empty())
        self._view: SunView | None = None
        self._mapper = LinearColorMapper()
        self.pane = pn.pane.Bokeh(None, margin=0)

    def show(self, sky: Sky | None, view: SunView, color: str) -> str:
        """Show the flares in a view; returns a sentence about what is shown, as plain text."""
        if view != self._view:
            self._view, self._mapper = view, LinearColorMapper()
            self._source = ColumnDataSource(_empty())
            figure = self._figure(view)
            self.pane.param.update(object=figure, **_pane_size(view))
        if sky is None:
            self._source.data = _empty()
            return ""
        marks = marks_of(sky, view)
        if color == BY_TIME:
            tone = _age(sky.time[marks.flare])
            self._mapper.update(palette=TIME_COLORS, low=0.0, high=1.0)
        else:
            tone = sky.group[marks.flare].astype(np.float32)
            self._mapper.update(palette=GROUP_COLORS, low=-0.5, high=len(GROUPS) - 0.5)
        joined = MARK if marks.number.max(initial=1) == 1 else MARK / 2
        self._source.data = {
            "x": marks.x.astype(np.float32),
            "y": marks.y.astype(np.float32),
            "tone": tone,
            "size": np.where(marks.number > 1, MARK / 2 + 2 * np.log10(marks.number), joined).astype(np.float32),
            "fill": np.where(marks.hollow, 0.0, 0.75).astype(np.float32),
            "number": marks.number.astype(np.int32),
            "id": sky.ids[marks.flare],
            "time": sky.time[marks.flare].astype("datetime64[ms]").astype(np.float64),
        }
        return _sentence(sky, view, int(marks.number.sum()), marks.number.size)

    def _figure(self, view: SunView) -> Any:
        look = LOOKS[view]
        x0, x1, y0, y1 = look.ranges
        # a frame of fixed sides keeps the disk round
        shape: dict[str, Any] = (
            {"height": HEIGHT}
            if view is SunView.CARRINGTON
            else {"sizing_mode": None, "frame_width": DISK, "frame_height": DISK}
        )
        plot: Any = quiet_figure(
            html_attributes=aria_label(f"Flares on the Sun, {_whence(view, look)}; the table lists them"),
            x_range=(x0, x1),
            y_range=(y0, y1),
            x_axis_label=look.x_label,
            y_axis_label=look.y_label,
            tools="pan,wheel_zoom,reset",
            min_border_left=56,
            **shape,
        )
        brush = BoxSelectTool(renderers=[])
        plot.add_tools(brush)
        plot.toolbar.active_drag = brush
        plot.toolbar.active_scroll = None
        _draw_lines(plot, view)
        marks = plot.scatter(
            "x",
            "y",
            source=self._source,
            size="size",
            marker="circle",
            fill_color={"field": "tone", "transform": self._mapper},
            line_color={"field": "tone", "transform": self._mapper},
            fill_alpha="fill",
            line_width=1.2,
            nonselection_alpha=1.0,
        )
        plot.add_tools(
            HoverTool(
                renderers=[marks],
                tooltips=[("flares", "@number"), ("strongest", "@id"), ("peak", "@time{%F %T}")],
                formatters={"@time": "datetime"},
            )
        )

        def brushed(event: Any) -> None:
            box = event.geometry
            if event.final and box.get("type") == "rect":
                edges = (box["x0"], box["x1"], box["y0"], box["y1"])
                xs, ys = sorted(map(float, edges[:2])), sorted(map(float, edges[2:]))
                self._on_brush(view, (xs[0], xs[1], ys[0], ys[1]))

        plot.on_event(SelectionGeometry, brushed)
        return plot


def _pane_size(view: SunView) -> dict[str, Any]:
    """Size of the pane: a map takes the width that there is."""
    if view is SunView.CARRINGTON:
        return {"sizing_mode": "stretch_width", "height": HEIGHT, "width": None, "min_width": DISK_WIDTH - 20}
    return {"sizing_mode": None, "height": None, "width": None, "min_width": None}


def _draw_lines(plot: Any, view: SunView) -> None:
    """Limb and grid of a disk; the grid of the map is that of its axes."""
    if view is SunView.CARRINGTON:
        plot.xaxis.ticker = list(range(0, 361, 60))
        plot.yaxis.ticker = list(range(-90, 91, 30))
        return
    plot.grid.visible = False
    radius = RADIUS_AT_EARTH if view is SunView.EARTH else 1.0
    lines = [(x[::4], y[::4]) for x, y in heliographic_grid(radius, 0.0, 30.0)]
    plot.multi_line([x for x, _ in lines], [y for _, y in lines], line_color=LINE, line_width=1)
    x, y = limb(radius)
    plot.line(x[::10], y[::10], line_color=INK, line_width=1.5)


def _age(time: np.ndarray[Any, np.dtype[np.datetime64]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Place of times between the first (0) and the last (1)."""
    number = time.astype(np.int64).astype(np.float64)
    span = np.ptp(number) if number.size else 0.0
    return ((number - number.min()) / span if span else np.zeros(number.size)).astype(np.float32)


def _whence(view: SunView, look: ViewLook) -> str:
    return look.name if view is SunView.CARRINGTON else f"seen from {'the ' * (view is SunView.EARTH)}{look.name}"


def _sentence(sky: Sky, view: SunView, placed: int, marks: int) -> str:
    total, hollow = sky.time.size, LOOKS[view].hollow
    shown = f"{grouped(placed)} of {grouped(total)} flares have a position"
    joined = f"; near ones are joined in {grouped(marks)} marks" if marks < placed else ""
    return f"{shown}{joined}. Hollow: {hollow}. Drag over an area to select it."


def _empty() -> dict[str, list[float]]:
    return {name: [] for name in ("x", "y", "tone", "size", "fill", "number", "id", "time")}
