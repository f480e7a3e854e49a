"""Counts per pixel on a drawing of the 32 detectors with twelve pixels each."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, LinearColorMapper, NumeralTickFormatter, Range1d
from bokeh.models.annotations import ColorBar
from bokeh.palettes import Viridis256
from numpy.typing import NDArray

from dashboards.shared.figure_style import INK, aria_label, quiet_figure
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR, detector_centers, pixel_boxes
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, pixel_area, subcollimator_table

Floats = NDArray[np.float64]

_SPECIAL = {FLARE_LOCATOR: "flare locator", BACKGROUND_MONITOR: "background monitor"}
#: Detectors are enlarged by this factor; their distances are not.
LARGER = 1.9
_PIXEL_NAMES = [f"{row} {column}" for row in ("top", "bottom", "small") for column in "ABCD"]


class DetectorDrawing:
    """The detector plane; colours are counts per area, so that small and large pixels are comparable."""

    def __init__(self) -> None:
        centers, boxes, names = detector_centers(), pixel_boxes(), subcollimator_table().label
        place = centers[:, None, [0, 0, 1, 1]] + LARGER * boxes[None]
        columns = {name: place[..., number].ravel() for number, name in enumerate(("left", "right", "bottom", "top"))}
        titles = [
            f"{detector + 1} ({_SPECIAL.get(detector, names[detector])})"
            for detector in range(N_DETECTORS)
            for _ in range(N_PIXELS)
        ]
        self._source = ColumnDataSource(
            columns
            | {
                "detector": titles,
                "pixel": _PIXEL_NAMES * N_DETECTORS,
                "counts": np.zeros(N_DETECTORS * N_PIXELS),
                "density": np.zeros(N_DETECTORS * N_PIXELS),
            }
        )
        self._colors = LinearColorMapper(palette=list(Viridis256), low=0, high=1)
        self.model = self._draw(centers, [_SPECIAL.get(i, names[i]) for i in range(N_DETECTORS)])

    def show(self, counts: Floats) -> None:
        """Show counts per detector and pixel, (32, 12) ct."""
        density = counts / pixel_area()
        self._source.patch({"counts": [(slice(None), counts.ravel())], "density": [(slice(None), density.ravel())]})
        imaging = np.delete(density, list(_SPECIAL), axis=0)
        self._colors.update(low=0.0, high=max(float(imaging.max()), 1.0))

    def _draw(self, centers: Floats, labels: list[str]) -> Any:
        drawn = quiet_figure(
            html_attributes=aria_label("Counts of every pixel, laid out like the 32 detectors"),
            height=380,
            sizing_mode="stretch_width",
            max_width=460,
            match_aspect=True,
            x_range=Range1d(start=-76, end=76),
            y_range=Range1d(start=-88, end=88),
            tools=[],
            toolbar_location=None,
            min_border_left=8,
        )
        pixels = drawn.quad(
            left="left",
            right="right",
            bottom="bottom",
            top="top",
            source=self._source,
            fill_color={"field": "density", "transform": self._colors},
            line_color="#20303c",
            line_width=0.5,
        )
        drawn.text(
            x=centers[:, 0],
            y=centers[:, 1] + LARGER * 4.6,
            text=[f"{number + 1} {label[:3]}" for number, label in enumerate(labels)],
            text_align="center",
            text_font_size="9px",
            text_color=INK,
        )
        drawn.add_tools(
            HoverTool(
                renderers=[pixels],
                tooltips=[("detector", "@detector"), ("pixel", "@pixel"), ("counts", "@counts{0,0}")],
            )
        )
        drawn.axis.visible = False
        drawn.grid.visible = False
        bar = ColorBar(
            color_mapper=self._colors,
            width=10,
            title="ct cm⁻²",
            title_text_color=INK,
            title_text_font_style="normal",
            title_text_font_size="12px",
            major_label_text_color=INK,
            formatter=NumeralTickFormatter(format="0.[0]a"),
            background_fill_alpha=0.0,
        )
        drawn.add_layout(bar, "right")
        return drawn
