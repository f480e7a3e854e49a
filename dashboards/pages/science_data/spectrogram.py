"""Spectrogram, light curves and live time of a file over one time axis; a box selects time and energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.events import SelectionGeometry
from bokeh.layouts import column
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    LogColorMapper,
    Model,
    Range1d,
)
from bokeh.models.annotations import BoxAnnotation, ColorBar, Legend, LegendItem
from bokeh.palettes import Inferno256
from numpy.typing import NDArray

from dashboards.pages.science_data.file_state import Curve, TimeEnergySelection
from dashboards.shared.figure_style import CHOSEN, CURVES, INK, aria_label, clock_formatter, quiet_figure
from stixcore.spectra import CountSpectra

Floats = NDArray[np.float64]

#: Drawn lower edge of a channel that begins at 0 keV: the axis is logarithmic.
LOWEST = 3.0
_EDGES = (4, 5, 6, 8, 10, 12, 15, 20, 25, 32, 50, 84, 150)


class SpectrogramPlot:
    """Three figures over one time axis.

    Parameters
    ----------
    on_box : callable
        Called with start, end, lower and upper edge while a box is drawn, and whether it is finished.
    on_zoom : callable
        Called with the visible time range.
    """

    def __init__(
        self,
        on_box: Callable[[np.datetime64, np.datetime64, float, float, bool], None],
        on_zoom: Callable[[np.datetime64, np.datetime64], None],
    ) -> None:
        self._on_box, self._on_zoom = on_box, on_zoom
        self._quiet = False
        self._x = Range1d(start=0, end=1)
        self._cells = ColumnDataSource({"left": [], "right": [], "bottom": [], "top": [], "rate": []})
        self._curves = ColumnDataSource({"x": []})
        self._state = ColumnDataSource({"left": [], "right": [], "live": [], "color": [], "what": []})
        self._box = BoxAnnotation(
            left=0,
            right=1,
            bottom=1,
            top=2,
            visible=False,
            fill_color=CHOSEN,
            fill_alpha=0.15,
            line_color=CHOSEN,
            line_width=2,
        )
        self._bands = [
            BoxAnnotation(left=0, right=1, visible=False, fill_color=CHOSEN, fill_alpha=0.15, line_color=CHOSEN)
            for _ in range(2)
        ]
        self._colors = LogColorMapper(palette=list(Inferno256), low=1, high=10)
        self._pictures = self._spectrogram()
        self._lines = self._light_curves()
        self.model: Model = column(self._pictures, self._lines, self._strip(), sizing_mode="stretch_width", spacing=0)
        self._x.on_change("start", self._zoomed)
        self._x.on_change("end", self._zoomed)

    def show(self, spectra: CountSpectra, curves: Sequence[Curve], *, corrected: bool, whole: bool = True) -> None:
        """Draw spectra and curves; ``whole``: zoom out to all of them."""
        rate = spectra.rate(corrected=corrected)
        left, right = milliseconds(spectra.t_start), milliseconds(spectra.t_end)
        self._cells.data = cells_of(spectra, rate, left, right)
        seen = rate[np.isfinite(rate) & (rate > 0)]
        if seen.size:
            low, high = float(np.quantile(seen, 0.02)), float(seen.max())
            self._colors.update(low=low, high=max(high, low * 1.01))
        bottom = np.maximum(spectra.e_low, LOWEST)
        closed = np.isfinite(spectra.e_high)
        self._pictures.y_range.update(start=float(bottom[0]), end=float(spectra.e_high[closed].max()))
        self._draw_curves(curves, left, right)
        known = np.isfinite(spectra.live_fraction)
        self._state.data = {
            "left": left,
            "right": right,
            "live": np.where(known, 100.0 * spectra.live_fraction, 0.0),
            "color": np.where(spectra.rcr > 0, CURVES[1], INK),
            "what": [f"attenuator {'in' if state > 0 else 'out'} (state {state})" for state in spectra.rcr],
        }
        if whole:
            self._quiet = True
            try:
                self._x.update(start=float(left[0]), end=float(right[-1]), bounds=(float(left[0]), float(right[-1])))
            finally:
                self._quiet = False

    def mark(self, box: TimeEnergySelection | None) -> None:
        """Show the selection."""
        if box is None:
            for shown in (self._box, *self._bands):
                shown.visible = False
            return
        left, right = float(milliseconds(box.start)), float(milliseconds(box.end))
        self._box.update(left=left, right=right, bottom=max(box.low, LOWEST), top=box.high, visible=True)
        for band in self._bands:
            band.update(left=left, right=right, visible=True)

    def _spectrogram(self) -> Any:
        # brushing must not select (and send) thousands of rectangles: only the position of the box is needed
        select = BoxSelectTool(renderers=[], continuous=True, description="Choose time and energy")
        select.overlay.update(line_color=CHOSEN, fill_color=CHOSEN, fill_alpha=0.2)
        drawn = quiet_figure(
            html_attributes=aria_label("Count rate against time and energy; drag a box to select the range to image"),
            height=250,
            x_range=self._x,
            y_range=Range1d(start=4, end=150),
            y_axis_type="log",
            x_axis_type="datetime",
            y_axis_label="Energy [keV]",
            tools=["xpan", "xwheel_zoom", "xzoom_in", "xzoom_out", "reset"],
            background_fill_color="#0b0714",
            background_fill_alpha=1.0,
        )
        drawn.add_tools(select)
        drawn.toolbar.active_drag = select
        cells = drawn.quad(
            left="left",
            right="right",
            bottom="bottom",
            top="top",
            source=self._cells,
            line_color={"field": "rate", "transform": self._colors},  # no seams between neighbours
            fill_color={"field": "rate", "transform": self._colors},
        )
        drawn.add_tools(
            HoverTool(
                renderers=[cells],
                tooltips=[
                    ("from", "@left{%Y-%m-%d %H:%M:%S.%3N}"),
                    ("to", "@right{%H:%M:%S.%3N}"),
                    ("energy", "@bottom–@top keV"),
                    ("rate", "@rate{0.[000]a} ct/s/keV"),
                ],
                formatters={"@left": "datetime", "@right": "datetime"},
                visible=False,
            )
        )
        drawn.add_layout(self._box)
        drawn.grid.visible = False
        drawn.yaxis.ticker = FixedTicker(ticks=list(_EDGES), minor_ticks=[])
        drawn.yaxis.formatter = CustomJSTickFormatter(code="return String(tick)")
        drawn.xaxis.visible = False
        bar = ColorBar(
            color_mapper=self._colors,
            width=10,
            title="ct s⁻¹ keV⁻¹",
            title_text_color=INK,
            title_text_font_style="normal",
            title_text_font_size="12px",
            major_label_text_color=INK,
            background_fill_alpha=0.0,
            padding=4,
        )
        drawn.add_layout(bar, "right")
        drawn.on_event(SelectionGeometry, self._brushed)
        return drawn

    def _light_curves(self) -> Any:
        drawn = quiet_figure(
            html_attributes=aria_label("Count rate against time, by energy band"),
            height=190,
            x_range=self._x,
            y_axis_type="log",
            x_axis_type="datetime",
            y_axis_label="Rate [ct s⁻¹]",
            tools=["xpan", "xwheel_zoom", "reset"],
            toolbar_location=None,
        )
        drawn.add_layout(self._bands[0])
        drawn.xaxis.visible = False
        legend = Legend(
            orientation="horizontal",
            label_text_color=INK,
            label_text_font_size="12px",
            background_fill_alpha=0.0,
            border_line_alpha=0.0,
            click_policy="hide",
            margin=2,
            spacing=10,
            glyph_width=16,
        )
        drawn.add_layout(legend, "above")
        self._legend = legend
        return drawn

    def _draw_curves(self, curves: Sequence[Curve], left: Floats, right: Floats) -> None:
        """Draw steps over the true bins: each bin twice, at its two edges; gaps between bins are gaps in the line."""
        gap = np.concatenate([left[1:] - right[:-1] > 1000.0, [False]])
        x = np.stack([left, right, np.where(gap, right, np.nan)], axis=1)
        keep = np.stack([np.ones_like(gap), np.ones_like(gap), gap], axis=1).astype(bool)

        def steps(values: Floats) -> Floats:
            shown = np.where(values > 0, values, np.nan)
            return np.asarray(np.stack([shown, shown, np.full_like(shown, np.nan)], axis=1)[keep])

        data = {"x": x[keep]} | {f"c{number}": steps(curve.rate) for number, curve in enumerate(curves)}
        new = len(data) - 1 != len(self._curves.data) - 1
        self._curves.data = data
        if not new:
            return
        self._lines.renderers = []
        items = []
        for number, curve in enumerate(curves):
            line = self._lines.line(
                "x", f"c{number}", source=self._curves, color=CURVES[number % len(CURVES)], line_width=1.5
            )
            items.append((f"{curve.low:g}–{curve.high:g} keV", [line]))
        self._legend.items = [LegendItem(label=label, renderers=lines) for label, lines in items]

    def _strip(self) -> Any:
        drawn = quiet_figure(
            html_attributes=aria_label("Live time and attenuator state against time"),
            height=104,
            x_range=self._x,
            y_range=Range1d(start=0, end=100),
            x_axis_type="datetime",
            y_axis_label="Live [%]",
            x_axis_label="UTC at Solar Orbiter",
            tools=["xpan", "xwheel_zoom", "reset"],
            toolbar_location=None,
        )
        bars = drawn.quad(
            left="left", right="right", bottom=0, top="live", source=self._state, color="color", fill_alpha=0.5,
            line_color=None,
        )  # fmt: skip
        drawn.add_tools(
            HoverTool(renderers=[bars], tooltips=[("live time", "@live{0.0} %"), ("", "@what")], visible=False)
        )
        drawn.add_layout(self._bands[1])
        drawn.xaxis.formatter = clock_formatter()
        drawn.yaxis.ticker = FixedTicker(ticks=[0, 50, 100])
        return drawn

    def _brushed(self, event: Any) -> None:
        where: Any = event.geometry
        if not where or where["type"] != "rect":
            return
        x = sorted((float(where["x0"]), float(where["x1"])))
        y = sorted((float(where["y0"]), float(where["y1"])))
        if x[0] < x[1] and y[0] < y[1]:
            self._on_box(moment(x[0]), moment(x[1]), y[0], y[1], bool(event.final))

    def _zoomed(self, attr: str, old: Any, new: Any) -> None:  # noqa: ARG002 - the signature Bokeh asks for
        if not self._quiet:
            start: Any = self._x.start
            end: Any = self._x.end
            self._on_zoom(moment(float(start)), moment(float(end)))


def milliseconds(time: Any) -> Any:
    """Times as ms since 1970 (float), the unit of Bokeh."""
    return np.asarray(time).astype("datetime64[us]").astype(np.int64) / 1e3


def moment(milliseconds_: float) -> np.datetime64:
    """Inverse of `milliseconds`."""
    return np.datetime64(round(milliseconds_ * 1e3), "us")


def cells_of(spectra: CountSpectra, rate: Floats, left: Floats, right: Floats) -> dict[str, Any]:
    """One rectangle per time bin and channel with counts; the others have the background colour."""
    row, channel = np.nonzero(np.isfinite(rate) & (rate > 0))
    bottom = np.maximum(spectra.e_low, LOWEST)
    return {
        "left": left[row],
        "right": right[row],
        "bottom": bottom[channel].astype(np.float32),
        "top": spectra.e_high[channel].astype(np.float32),
        "rate": rate[row, channel].astype(np.float32),
    }
