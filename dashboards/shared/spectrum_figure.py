"""Spectrum with background, model and its components, and residuals below, as Bokeh figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CustomJS, CustomJSTickFormatter, FixedTicker, HoverTool, Range1d
from bokeh.models.annotations import BoxAnnotation, Legend, LegendItem, Span, Whisker
from numpy.typing import NDArray

from dashboards.shared.figure_style import CHOSEN, CURVES, INK, aria_label, quiet_figure, style_figure
from dashboards.shared.spectrum_curves import LIMIT_SIGMAS, Document, SpectrumCurves, component_name

Floats = NDArray[np.float64]

#: Colours of data, sum of the model, background, and components. Lines differ by their dashes as well.
DATA, SUM, BACKGROUND = CURVES[0], CURVES[3], CURVES[5]
COMPONENTS = (CURVES[1], CURVES[2], CURVES[4], INK)
DASHES = ("dashed", "dotdash", "dotted", "dashdot")
ENERGY = "Energy [keV]"
#: Ticks of the energy axis, keV.
TICKS = (4, 6, 10, 15, 25, 50, 84, 150)
#: Smallest and largest end of the axis of residuals, σ; residuals beyond it are triangles at its end.
RESIDUALS = 3.5, 10.0

#: A narrow figure has a legend in several rows, and more height for it. "data without background" needs 175 pixels.
LEGEND_COLUMNS = """
const shown = Math.max(legend.items.filter((item) => item.visible).length, 1)
const columns = Math.min(shown, Math.max(1, Math.floor(plot.inner_width / 175)))
legend.ncols = columns
plot.height = height + 22 * Math.ceil(shown / columns)
"""


class SpectrumFigure:
    """Two figures over one axis of energy; `show` draws another spectrum into them.

    Parameters
    ----------
    height : int, pixel
        Of the upper figure without its legend.

    Attributes
    ----------
    model : bokeh.models.Column
        For a page.
    """

    def __init__(self, height: int = 320) -> None:
        self._x = Range1d(start=4, end=150)
        self._data = ColumnDataSource(_points(None))
        self._limits = ColumnDataSource({"x": [], "rate": [], "channel": []})
        self._curves = {name: ColumnDataSource({"x": [], "rate": []}) for name in self._names()}
        self._bands = [BoxAnnotation(visible=False, fill_color=CHOSEN, fill_alpha=0.1) for _ in range(2)]
        self.rates = self._rate_figure(height)
        self.residuals = self._residual_figure()
        self.model = column([self.rates, self.residuals], sizing_mode="stretch_width", spacing=0)

    def show(self, document: Document | None) -> None:
        """Draw a spectrum, as `jobs.spectra.products.describe_spectrum` describes it; None draws nothing.

        Raises
        ------
        InvalidProduct
            If the document does not describe a spectrum.
        """
        curves = None if document is None else SpectrumCurves.of(document)
        self._data.data = _points(curves)
        self._limits.data = _limits(curves)
        shown = _lines(curves)
        names: Mapping[str, str] = (
            {} if curves is None else dict(zip(self._names()[3:], curves.components, strict=False))
        )
        for name, source in self._curves.items():
            x, rate = shown.get(names.get(name, name), (np.empty(0), np.empty(0)))
            source.data = {"x": x, "rate": rate}
            self._items[name].visible = bool(x.size)
            if name in names:
                self._items[name].label = {"value": component_name(names[name])}
        without = curves is not None and curves.background is not None
        self._items["data"].label = {"value": "data without background" if without else "data"}
        self._items["limits"].visible = bool(len(self._limits.data["x"]))
        self._arrange(curves)

    def _arrange(self, curves: SpectrumCurves | None) -> None:
        """Ranges of the axes, range of the fit, and whether there are residuals."""
        residuals = None if curves is None else curves.residuals
        self.residuals.visible = residuals is not None
        self.rates.xaxis.axis_label = "" if residuals is not None else ENERGY
        fitted = None if curves is None else curves.fitted
        for band in self._bands:
            if fitted is None:
                band.visible = False
            else:
                band.update(left=fitted[0], right=fitted[1], visible=True)
        if curves is None or not curves.low.size:
            return
        self._x.update(start=0.96 * float(curves.low[0]), end=1.04 * float(curves.high[-1]))
        low, high = curves.rates
        self.rates.y_range.update(start=low, end=high)
        end = residual_end(residuals)
        self.residuals.y_range.update(start=-end, end=end)

    @staticmethod
    def _names() -> list[str]:
        """Curves: data, background, sum, and places for components."""
        return ["data", "background", "sum", *(f"component {number}" for number in range(len(COMPONENTS)))]

    def _rate_figure(self, height: int) -> Any:
        drawn = quiet_figure(
            html_attributes=aria_label("Count rate against energy: data, background, model; values are in the table"),
            height=height,
            x_axis_type="log",
            y_axis_type="log",
            x_range=self._x,
            y_range=Range1d(start=0.1, end=10),
            y_axis_label="Rate [ct s⁻¹ keV⁻¹]",
            x_axis_label=ENERGY,
            tools=["pan", "wheel_zoom", "reset"],
        )
        drawn.add_layout(self._bands[0])
        self._items = {name: LegendItem(label=name, visible=False) for name in (*self._curves, "limits")}
        styles: dict[str, tuple[str, str, float]] = {
            "data": (DATA, "solid", 1.8),
            "background": (BACKGROUND, "dotted", 1.6),
            "sum": (SUM, "solid", 1.6),
        }
        styles |= {
            f"component {number}": (color, dash, 1.8)
            for number, (color, dash) in enumerate(zip(COMPONENTS, DASHES, strict=True))
        }
        for name, (color, dash, width) in styles.items():
            line = drawn.line("x", "rate", source=self._curves[name], color=color, line_dash=dash, line_width=width)
            self._items[name].update(renderers=[line])
        self._items["sum"].label = {"value": "model"}
        drawn.add_layout(_bars(self._data, "lower", "upper"))
        limits = drawn.scatter("x", "rate", source=self._limits, marker="inverted_triangle", size=9, color=DATA)
        self._items["limits"].update(renderers=[limits], label={"value": f"upper limit ({LIMIT_SIGMAS:g} σ)"})
        points = drawn.scatter("x", "rate", source=self._data, size=5, color=DATA)
        tips = [("", "@channel"), ("rate", "@rate{0.000a} ± @error{0.000a} ct s⁻¹ keV⁻¹"), ("residual", "@sigmas")]
        drawn.add_tools(HoverTool(renderers=[points], tooltips=tips))
        _energy_axis(drawn)
        self._add_legend(drawn, height)
        return drawn

    def _add_legend(self, drawn: Any, height: int) -> None:
        legend = Legend(orientation="horizontal", click_policy="hide", spacing=6)
        legend.update(padding=0, margin=4, glyph_width=22, label_standoff=4, label_text_font_size="12px", ncols=2)
        legend.items = [*self._items.values()]
        drawn.add_layout(legend, "above")
        fit = CustomJS(args={"plot": drawn, "legend": legend, "height": height}, code=LEGEND_COLUMNS)
        drawn.js_on_change("inner_width", fit)
        self._items["sum"].js_on_change("visible", fit)
        self._items["limits"].js_on_change("visible", fit)
        style_figure(drawn)

    def _residual_figure(self) -> Any:
        drawn = quiet_figure(
            html_attributes=aria_label("Residuals against energy: data without model, in standard deviations"),
            height=170,
            x_axis_type="log",
            x_range=self._x,
            y_range=Range1d(start=-RESIDUALS[0], end=RESIDUALS[0]),
            x_axis_label=ENERGY,
            y_axis_label="Residual [σ]",
            tools=[],
            toolbar_location="right",
            visible=False,
        )
        drawn.add_layout(self._bands[1])
        for value, dash, width in (
            (0, "solid", 1.4),
            (-1, "dashed", 1),
            (1, "dashed", 1),
            (-3, "dotted", 1),
            (3, "dotted", 1),
        ):
            drawn.add_layout(Span(location=value, dimension="width", line_color=INK, line_dash=dash, line_width=width))
        drawn.add_layout(_bars(self._data, "below", "above"))
        drawn.scatter(
            "x",
            "residual",
            source=self._data,
            marker="marker",
            size=7,
            line_color=DATA,
            fill_color=DATA,
            fill_alpha="fill",
        )
        _energy_axis(drawn)
        return drawn


def residual_end(residuals: Floats | None) -> float:
    """End of the axis of residuals, upwards and downwards."""
    known = np.empty(0) if residuals is None else np.abs(residuals[np.isfinite(residuals)])
    least, most = RESIDUALS
    return min(max(1.15 * float(known.max()), least), most) if known.size else least


def _lines(curves: SpectrumCurves | None) -> dict[str, tuple[Floats, Floats]]:
    """Steps of every curve."""
    if curves is None:
        return {}
    known = {"data": curves.rate, "background": curves.background, "sum": curves.model, **curves.components}
    return {name: curves.steps(values) for name, values in known.items() if values is not None}


def _points(curves: SpectrumCurves | None) -> dict[str, Any]:
    """Channels with counts above background, with error bars of rate and residual."""
    keys = ("x", "rate", "error", "lower", "upper", "channel", "residual", "below", "above", "marker", "fill", "sigmas")
    if curves is None:
        return {key: [] for key in keys}
    low, high = curves.rates
    positive, n = curves.positive, curves.low.size
    rate = np.where(positive, curves.rate, np.nan)
    residual = np.full(n, np.nan) if curves.residuals is None else curves.residuals
    end = residual_end(curves.residuals)
    drawn = np.clip(residual, -0.92 * end, 0.92 * end)
    inside = drawn == residual
    return {
        "x": curves.center,
        "rate": rate,
        "error": curves.error,
        # a bar to zero and below ends at the axis
        "lower": np.where(positive, np.maximum(curves.rate - curves.error, 0.5 * low), np.nan),
        "upper": np.where(positive, np.minimum(curves.rate + curves.error, 2.0 * high), np.nan),
        "channel": _channels(curves),
        "residual": drawn,
        "below": np.where(inside, residual - 1.0, np.nan),
        "above": np.where(inside, residual + 1.0, np.nan),
        "marker": np.where(
            inside | np.isnan(residual), "circle", np.where(residual > 0, "triangle", "inverted_triangle")
        ),
        "fill": np.where(curves.used, 1.0, 0.0),  # hollow: not fitted
        "sigmas": [_residual(value) for value in residual],
    }


def _limits(curves: SpectrumCurves | None) -> dict[str, Any]:
    """Upper limits of channels without counts above background."""
    if curves is None:
        return {"x": [], "rate": [], "channel": []}
    without = ~curves.positive & np.isfinite(curves.limit) & (curves.limit > 0.0)
    channels = np.array(_channels(curves), dtype=object)[without]
    return {"x": curves.center[without], "rate": curves.limit[without], "channel": list(channels)}


def _channels(curves: SpectrumCurves) -> list[str]:
    return [f"{low:.4g}–{high:.4g} keV" for low, high in zip(curves.low, curves.high, strict=True)]


def _residual(value: float) -> str:
    return f"{value:+.1f} σ".replace("-", "−") if np.isfinite(value) else "–"


def _bars(source: ColumnDataSource, lower: str, upper: str) -> Whisker:
    return Whisker(base="x", lower=lower, upper=upper, source=source, line_color=DATA, upper_head=None, lower_head=None)


def _energy_axis(drawn: Any) -> None:
    drawn.xaxis.ticker = FixedTicker(ticks=list(TICKS), minor_ticks=[])
    drawn.yaxis.minor_tick_line_color = None
    drawn.xaxis.formatter = CustomJSTickFormatter(code="return String(tick)")
