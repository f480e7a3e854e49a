"""A map with the chosen colours, north up, limb, heliographic grid, scale bar; a click selects a position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, HoverTool, LinearColorMapper, Range1d
from numpy.typing import NDArray

from dashboards.shared.figure_style import CHOSEN, aria_label, quiet_figure
from dashboards.shared.map_colors import palette, session_colors
from jobs.imaging.figures import nice_step
from stixcore.imaging.grid import ImageGrid
from stixcore.solar_grid import heliographic_grid, limb

Floats = NDArray[np.float64]

#: Larger maps are reduced to the maximum of each block, to limit the amount of data.
MOST_PIXELS = 256
#: Space for the axes of a map, pixel.
AXIS_WIDTH = 76


class MapPlot:
    """A single map.

    Parameters
    ----------
    size : int
        Width and height without the axes, pixel, so that circles are round.
    on_tap : callable, optional
        Called with Solar X and Y [arcsec] of a click.
    """

    def __init__(self, size: int, on_tap: Callable[[float, float], None] | None = None) -> None:
        colors = session_colors()
        self._image = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
        self._lines = ColumnDataSource({"xs": [], "ys": [], "alpha": [], "width": []})
        self._marks = ColumnDataSource({"x": [], "y": [], "name": []})
        self._scale = ColumnDataSource({"x0": [], "x1": [], "y": [], "text": []})
        self._colors = LinearColorMapper(palette=palette(colors.chosen), low=0.0, high=1.0)
        colors.param.watch(lambda event: self._colors.update(palette=palette(event.new)), "chosen")
        self._sun: tuple[float, float] | None = None
        self.model = self._draw(size)
        if on_tap is not None:

            def tapped(event: Any) -> None:
                on_tap(float(event.x), float(event.y))

            self.model.on_event(Tap, tapped)

    def show(
        self,
        image: Floats,
        grid: ImageGrid,
        *,
        rsun: float,
        b0: float,
        marks: Sequence[tuple[float, float, str]] = (),
        floor: float = 0.0,
    ) -> None:
        """Show a map.

        Parameters
        ----------
        image : (ny, nx) float
        grid : ImageGrid
        rsun : float, arcsec; b0 : float, deg
            For the observer; NaN if unknown.
        marks : sequence of (x, y, name)
            Positions to mark, arcsec.
        floor : float
            Fraction of the maximum below which the map is black.
        """
        (ny, nx), (x, y), pixel = grid.shape, grid.center, grid.pixel
        width, height = nx * pixel, ny * pixel
        left, bottom = x - width / 2, y - height / 2
        top = float(image.max())
        self._colors.update(low=floor * top, high=top if top > 0 else 1.0)
        self._image.data = {
            "image": [_reduced(image).astype(np.float32)], "x": [left], "y": [bottom], "dw": [width], "dh": [height],
        }  # fmt: skip
        self._marks.data = {
            "x": [mark[0] for mark in marks],
            "y": [mark[1] for mark in marks],
            "name": [mark[2] for mark in marks],
        }
        self.model.x_range.update(start=left, end=left + width)
        self.model.y_range.update(start=bottom, end=bottom + height)
        bar = nice_step(width / 4)
        end = left + 0.95 * width
        self._scale.data = {"x0": [end - bar], "x1": [end], "y": [bottom + 0.05 * height], "text": [f"{bar:g}″"]}
        if self._sun != (rsun, b0) and np.isfinite(rsun) and rsun > 0:
            self._sun = (rsun, b0)
            self._lines.data = sun_lines(rsun, b0 if np.isfinite(b0) else 0.0)

    def _draw(self, size: int) -> Any:
        drawn = quiet_figure(
            html_attributes=aria_label("Back projection of the selected range; the text beside it gives the peak"),
            width=size + AXIS_WIDTH,  # Bokeh's default of 600 would widen the page on a telephone
            frame_width=size,
            frame_height=size,
            sizing_mode=None,
            x_range=Range1d(start=-1, end=1),
            y_range=Range1d(start=-1, end=1),
            x_axis_label="Solar X [arcsec]",
            y_axis_label="Solar Y [arcsec]",
            tools=["pan", "wheel_zoom", "reset"],
            toolbar_location="above",
            background_fill_color="#000000",
            background_fill_alpha=1.0,
        )
        place: Any = {"image": "image", "x": "x", "y": "y", "dw": "dw", "dh": "dh", "color_mapper": self._colors}
        image = drawn.image(source=self._image, **place)
        drawn.multi_line("xs", "ys", source=self._lines, line_color="white", line_alpha="alpha", line_width="width")
        drawn.segment(x0="x0", x1="x1", y0="y", y1="y", source=self._scale, line_color="white", line_width=3)
        drawn.text(
            x="x1", y="y", text="text", source=self._scale, text_color="white", text_align="right",
            text_baseline="bottom", y_offset=-4, text_font_size="12px",
        )  # fmt: skip
        drawn.scatter(
            "x", "y", source=self._marks, marker="circle_cross", size=18, line_color=CHOSEN, fill_color=None,
            line_width=1.5,
        )  # fmt: skip
        drawn.text(
            x="x", y="y", text="name", source=self._marks, text_color=CHOSEN, x_offset=12, y_offset=-4,
            text_font_size="12px",
        )  # fmt: skip
        drawn.add_tools(
            HoverTool(renderers=[image], tooltips=[("Solar X, Y", "$x{0.0}″, $y{0.0}″"), ("value", "@image{0.000}")])
        )
        drawn.grid.visible = False
        return drawn


@lru_cache(maxsize=16)
def sun_lines(rsun: float, b0: float) -> dict[str, Any]:
    """Limb and heliographic grid every ten degrees, as columns of a multi-line."""
    # every eighth point: the lines are made for high-resolution pictures
    lines = [(x[::8], y[::8]) for x, y in (limb(rsun), *heliographic_grid(rsun, b0))]
    seen = [(x, y) for x, y in lines if np.isfinite(x).any()]
    return {
        "xs": [x.astype(np.float32) for x, _ in seen],
        "ys": [y.astype(np.float32) for _, y in seen],
        "alpha": [0.7] + [0.28] * (len(seen) - 1),
        "width": [1.5] + [0.8] * (len(seen) - 1),
    }


def _reduced(image: Floats) -> Floats:
    """The map with at most `MOST_PIXELS` per side: the maximum of each block, because a mean would hide small peaks."""
    step = -(-max(image.shape) // MOST_PIXELS)
    if step == 1:
        return image
    ny, nx = (side // step * step for side in image.shape)
    return np.asarray(image[:ny, :nx].reshape(ny // step, step, nx // step, step).max(axis=(1, 3)))
