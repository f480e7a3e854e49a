"""Spectra of regions in one figure: points with errors and models, with their own colour, marker and dashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, CustomJSTickFormatter, FixedTicker, HoverTool, Range1d
from bokeh.models.annotations import Legend, LegendItem, Whisker
from numpy.typing import NDArray

from dashboards.shared.figure_style import INK, aria_label, quiet_figure, style_figure
from dashboards.shared.region_looks import look_of
from dashboards.shared.spectrum_curves import LOWEST
from dashboards.shared.spectrum_figure import ENERGY, LEGEND_COLUMNS, TICKS

Document = Mapping[str, Any]
Floats = NDArray[np.float64]


class RegionFigure:
    """Rates of all regions and of the whole against energy; `show` draws another result.

    Parameters
    ----------
    height : int, pixel
        Without the legend.
    """

    def __init__(self, height: int = 340) -> None:
        self.model = quiet_figure(
            html_attributes=aria_label("Count rate against energy for each region; values are in the table"),
            height=height,
            x_axis_type="log",
            y_axis_type="log",
            x_range=Range1d(start=4, end=28),
            y_range=Range1d(start=0.1, end=10),
            y_axis_label="Rate [ct s⁻¹ keV⁻¹]",
            x_axis_label=ENERGY,
            tools=["pan", "wheel_zoom", "reset"],
        )
        self.model.xaxis.ticker = FixedTicker(ticks=list(TICKS), minor_ticks=[])
        self.model.xaxis.formatter = CustomJSTickFormatter(code="return String(tick)")
        self.model.yaxis.minor_tick_line_color = None
        self._legend = Legend(orientation="horizontal", click_policy="hide", spacing=6)
        self._legend.update(padding=0, margin=4, glyph_width=22, label_standoff=4, label_text_font_size="12px", ncols=2)
        self.model.add_layout(self._legend, "above")
        fit = CustomJS(args={"plot": self.model, "legend": self._legend, "height": height}, code=LEGEND_COLUMNS)
        self.model.js_on_change("inner_width", fit)
        self._legend.js_on_change("items", fit)
        style_figure(self.model)

    def show(self, document: Document) -> None:
        """Draw the spectra of a document of `jobs.regions.products.describe_regions`."""
        self.model.renderers, self.model.center = [], [*self.model.xgrid, *self.model.ygrid]
        self.model.tools = [tool for tool in self.model.tools if not isinstance(tool, HoverTool)]
        edges = np.asarray(document["energy_kev"], dtype=float)
        width = (edges[:, 1] - edges[:, 0]) * float(document["livetime_s"])
        imaged = np.array(document["imaged"], dtype=bool)
        items, seen = [], []
        parts = [*document["regions"], {"name": "whole flare", **document["whole"]}]
        for number, one in enumerate(parts):
            whole = number == len(parts) - 1
            look = (INK, "solid", "dash") if whole else look_of(number)
            rate, error = _numbers(one["counts"]) / width, _numbers(one["sigma"]) / width
            if whole:  # only where regions are
                rate = np.where(imaged, rate, np.nan)
            items.append(self._draw(one, edges, rate, error, width, imaged, look))
            seen.append(rate[np.isfinite(rate) & (rate > 0)])
        self._legend.items = items
        rates = np.concatenate(seen) if seen else np.empty(0)
        if imaged.any() and rates.size:
            low = max(float(edges[imaged, 0].min()), LOWEST)
            self.model.x_range.update(start=0.96 * low, end=1.04 * float(edges[imaged, 1].max()))
            top = float(rates.max())
            self.model.y_range.update(start=max(0.3 * float(rates.min()), 1e-5 * top), end=3.0 * top)

    def _draw(
        self,
        one: Mapping[str, Any],
        edges: Floats,
        rate: Floats,
        error: Floats,
        width: Floats,
        imaged: NDArray[np.bool_],
        look: tuple[str, str, str],
    ) -> LegendItem:
        color, dash, marker = look
        shown = np.isfinite(rate) & (rate > 0)
        low = np.maximum(edges[:, 0], LOWEST)
        x = np.sqrt(low * edges[:, 1])
        source = ColumnDataSource(
            {
                "x": x[shown],
                "rate": rate[shown],
                "error": error[shown],
                # a bar to zero and below ends far below the axis
                "lower": np.maximum(rate - error, 1e-6 * rate)[shown],
                "upper": (rate + error)[shown],
                "channel": [f"{a:.4g}–{b:.4g} keV" for a, b in edges[shown]],
                "name": [one["name"]] * int(shown.sum()),
            }
        )
        bars = Whisker(
            base="x", lower="lower", upper="upper", source=source, line_color=color, upper_head=None, lower_head=None
        )
        self.model.add_layout(bars)
        points = self.model.scatter(
            "x", "rate", source=source, marker=marker, size=9, line_color=color, fill_color=color, fill_alpha=0.6
        )
        tips = [("", "@name, @channel"), ("rate", "@rate{0.000a} ± @error{0.000a} ct s⁻¹ keV⁻¹")]
        self.model.add_tools(HoverTool(renderers=[points], tooltips=tips, visible=False))
        renderers: list[Any] = [points]
        if fit := one.get("fit"):
            # of the whole flare too only where regions are
            drawn = np.array(fit["used"], dtype=bool) & imaged
            model = np.where(drawn, _numbers(fit["counts"]) / width, np.nan)
            line = ColumnDataSource({"x": np.stack([low, edges[:, 1]], axis=1).ravel(), "rate": np.repeat(model, 2)})
            renderers.append(
                self.model.line("x", "rate", source=line, line_color=color, line_dash=dash, line_width=1.8)
            )
        return LegendItem(label=str(one["name"]), renderers=renderers)


def _numbers(values: Any) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
