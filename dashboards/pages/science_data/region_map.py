"""The map of the region form: regions over an image; a box that is dragged, or corners that are clicked, make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.events import DoubleTap, SelectionGeometry, Tap
from bokeh.models import BoxSelectTool, ColumnDataSource

from dashboards.pages.science_data.map_plot import MapPlot
from dashboards.pages.science_data.region_feedback import RegionNote
from dashboards.shared.figure_style import CHOSEN, aria_label
from dashboards.shared.region_entries import CIRCLE, ELLIPSE, POLYGON, RegionEntry
from dashboards.shared.region_looks import look_of
from stixcore.imaging.reconstruction import Reconstruction
from stixcore.spectra.regions import Circle, Ellipse, Polygon

#: Side of the map, pixel; with its axes it fits on a telephone.
MAP_PIXELS = 290
#: A drag or a polygon smaller than this is a slip of the mouse, arcsec.
SMALLEST = 1.0
#: A click this near to the first corner closes a polygon, as a share of the width of the map.
NEAR = 0.02


class RegionMap:
    """A map on which regions are drawn.

    Parameters
    ----------
    size : int
        Width and height without the axes, pixel.
    on_drawn : callable
        Called with a new region, still without a name.
    """

    def __init__(self, size: int, on_drawn: Callable[[RegionEntry], None]) -> None:
        self._on_drawn = on_drawn
        self.mode = CIRCLE
        self._plot = MapPlot(size)
        self.model = self._plot.model
        self.model.html_attributes = aria_label(
            "Image with the regions; every region can also be added and changed as numbers beside it"
        )
        self._lines = ColumnDataSource({"xs": [], "ys": [], "color": [], "dash": []})
        self._names = ColumnDataSource({"x": [], "y": [], "name": []})
        self._corners = ColumnDataSource({"x": [], "y": []})
        self._draw()

    def show(self, image: Reconstruction, *, rsun: float, b0: float) -> None:
        """Show an image."""
        self._plot.show(image.image, image.grid, rsun=rsun, b0=b0)

    def mark(self, notes: Sequence[RegionNote]) -> None:
        """Draw the outlines of regions, with their names."""
        lines: dict[str, list[Any]] = {"xs": [], "ys": [], "color": [], "dash": []}
        names: dict[str, list[Any]] = {"x": [], "y": [], "name": []}
        for number, note in enumerate(notes):
            color, dash, _ = look_of(number)
            for x, y in note.outlines:
                for key, value in (("xs", x), ("ys", y), ("color", color), ("dash", dash)):
                    lines[key].append(value)
            if note.outlines:
                names["x"].append(float(np.mean([np.mean(x) for x, _ in note.outlines])))
                names["y"].append(max(float(y.max()) for _, y in note.outlines))
                names["name"].append(note.name)
        self._lines.data, self._names.data = lines, names

    def draw(self, mode: str) -> None:
        """Choose what is drawn: a circle, an ellipse or a polygon."""
        self.mode = mode
        self._corners.data = {"x": [], "y": []}

    def close_polygon(self) -> None:
        """Make a polygon of the clicked corners; with fewer than three nothing happens."""
        x, y = self._corners.data["x"], self._corners.data["y"]
        if len(x) < 3:
            return
        corners = tuple((round(float(a), 1), round(float(b), 1)) for a, b in zip(x, y, strict=True))
        self._corners.data = {"x": [], "y": []}
        numbers = ", ".join(f"{number:g}" for corner in corners for number in corner)
        self._on_drawn(RegionEntry("", POLYGON, numbers))

    def _draw(self) -> None:
        drawn: Any = self.model
        # a light line below, so that every colour is seen on every image
        drawn.multi_line("xs", "ys", source=self._lines, line_color="white", line_width=4.5, line_alpha=0.55)
        drawn.multi_line("xs", "ys", source=self._lines, line_color="color", line_dash="dash", line_width=2.5)
        drawn.text(
            x="x", y="y", text="name", source=self._names, text_color="white", text_align="center",
            text_baseline="bottom", y_offset=-3, text_font_size="12px", background_fill_color="black",
            background_fill_alpha=0.5,
        )  # fmt: skip
        drawn.line("x", "y", source=self._corners, line_color=CHOSEN, line_width=2)
        drawn.scatter("x", "y", source=self._corners, size=8, color=CHOSEN)
        self._select = BoxSelectTool(
            renderers=[], origin="center", description="Draw a circle or an ellipse from its centre"
        )
        self._select.overlay.update(line_color=CHOSEN, fill_color=CHOSEN, fill_alpha=0.2)
        drawn.add_tools(self._select)
        drawn.toolbar.active_drag = self._select
        drawn.on_event(SelectionGeometry, self._dragged)
        drawn.on_event(Tap, self._clicked)
        drawn.on_event(DoubleTap, lambda _: self.close_polygon())

    def _dragged(self, event: Any) -> None:
        where: Any = event.geometry
        if not event.final or not where or where["type"] != "rect" or self.mode not in (CIRCLE, ELLIPSE):
            return
        x0, x1, y0, y1 = (float(where[key]) for key in ("x0", "x1", "y0", "y1"))
        x, y = round(0.5 * (x0 + x1), 1), round(0.5 * (y0 + y1), 1)
        half = round(0.5 * abs(x1 - x0), 1), round(0.5 * abs(y1 - y0), 1)
        if max(half) < 0.5 * SMALLEST:
            return
        if self.mode == CIRCLE or min(half) < 0.1:
            self._on_drawn(RegionEntry.of(Circle("new", x, y, max(half))))
        else:
            self._on_drawn(RegionEntry.of(Ellipse("new", x, y, *half)))

    def _clicked(self, event: Any) -> None:
        if self.mode != POLYGON:
            return
        x, y = [*self._corners.data["x"]], [*self._corners.data["y"]]
        reach = NEAR * abs(float(self.model.x_range.end) - float(self.model.x_range.start))
        if x and np.hypot(x[-1] - event.x, y[-1] - event.y) < 0.3 * reach:
            return  # the second click of a double click
        if len(x) >= 3 and np.hypot(x[0] - event.x, y[0] - event.y) < reach:
            self.close_polygon()
            return
        self._corners.data = {"x": [*x, float(event.x)], "y": [*y, float(event.y)]}


def default_region(image: Reconstruction, shape: str, side: float) -> RegionEntry:
    """A region of a size at the peak of an image, to be changed by its numbers."""
    x, y = (round(value, 1) for value in image.peak)
    if shape == POLYGON:
        corners = tuple((x + a * side, y + b * side) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)))
        return RegionEntry.of(Polygon("new", corners))
    if shape == ELLIPSE:
        return RegionEntry.of(Ellipse("new", x, y, 1.5 * side, side))
    return RegionEntry.of(Circle("new", x, y, side))
