"""Amplitude and phase of every sub-collimator: measured, with error bars, and predicted by each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.layouts import gridplot
from bokeh.models import ColumnDataSource, CustomJS, FactorRange, HoverTool
from bokeh.models.annotations import Legend, LegendItem
from bokeh.plotting import figure

from dashboards.shared import formatting
from dashboards.shared.figure_style import FONT, INK, LINE, aria_label, error_bars, style_figure
from jobs.shared.palette import BLUE, GREEN, PURPLE, VERMILION, css_color
from stixcore.image_files.read import StoredVisibilities

#: As in the printed report, but multi-scale CLEAN is brown: sky blue is too faint on white.
COLORS = {
    "clean": css_color(BLUE),
    "ms_clean": "#a14e45",
    "mem_ge": css_color(VERMILION),
    "em": css_color(GREEN),
    "vis_fwdfit": css_color(PURPLE),
}

#: A narrow figure has a legend in several rows, and more height for it.
LEGEND_COLUMNS = """
const wide = plot.inner_width > 560
legend.ncols = wide ? legend.items.length : 2
plot.height = wide ? 260 : 350
"""


def visibility_figure(visibilities: Mapping[str, StoredVisibilities]) -> Any | None:
    """Amplitudes and phases over one axis of labels; a click in the legend hides a method. None without visibilities.

    Parameters
    ----------
    visibilities : mapping of method to StoredVisibilities
        Of one recipe, and so with the same measurements.
    """
    if not visibilities:
        return None
    measured = next(iter(visibilities.values()))
    labels = FactorRange(factors=_places(measured.labels))
    amplitude, phase = np.abs(measured.measured), np.rad2deg(np.angle(measured.measured))
    # σ of the phase is σ of the amplitude ÷ the amplitude while that is small; never more than half a turn
    phase_sigma = np.rad2deg(np.minimum(measured.sigma / np.maximum(amplitude, 1e-30), np.pi))
    upper = _plot(labels, "Amplitude [ct s⁻¹ cm⁻² keV⁻¹]", 260)
    lower = _plot(labels, "Phase [°]", 200)
    items = []
    shown = (("measured", amplitude, phase, measured.sigma, phase_sigma), *_predicted(visibilities))
    for method, amplitudes, phases, sigmas, phase_sigmas in shown:
        renderers = [
            _points(upper, measured.labels, amplitudes, sigmas, method),
            _points(lower, measured.labels, phases, phase_sigmas, method),
        ]
        items.append(LegendItem(label=formatting.method_name(method), renderers=renderers))
    legend = Legend(orientation="horizontal", click_policy="hide", spacing=10, label_text_font_size="12px")
    legend.update(padding=0, margin=4, glyph_width=12, label_standoff=3, border_line_alpha=0.0)
    legend.items = items
    upper.add_layout(legend, "above")
    upper.js_on_change("inner_width", CustomJS(args={"plot": upper, "legend": legend}, code=LEGEND_COLUMNS))
    lower.y_range.start, lower.y_range.end = -190.0, 190.0
    lower.yaxis.ticker = [-180, -90, 0, 90, 180]
    lower.xaxis.axis_label = "Sub-collimator, coarse to fine"
    for plot in (upper, lower):
        style_figure(plot)
    return gridplot([[upper], [lower]], sizing_mode="stretch_width", toolbar_location=None)


def _predicted(visibilities: Mapping[str, StoredVisibilities]) -> list[tuple[str, Any, Any, None, None]]:
    return [
        (method, np.abs(vis.predicted), np.rad2deg(np.angle(vis.predicted)), None, None)
        for method in COLORS
        if (vis := visibilities.get(method)) is not None and vis.predicted is not None
    ]


def _plot(labels: FactorRange, label: str, height: int) -> Any:
    plot: Any = figure(
        html_attributes=aria_label(f"{label} of every sub-collimator: measured, and predicted by each method"),
        x_range=labels,
        height=height,
        sizing_mode="stretch_width",
        y_axis_label=label,
        tools="",
        toolbar_location=None,
    )
    plot.xaxis.group_text_color = plot.xaxis.major_label_text_color = INK
    plot.xaxis.group_text_font, plot.xaxis.separator_line_color = FONT, LINE
    return plot


def _places(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Grid and orientation, ("10", "a"), of each label: as groups they have room on a telephone."""
    return [(label[:-1], label[-1]) for label in labels]


def _points(plot: Any, labels: tuple[str, ...], values: Any, sigmas: Any | None, method: str) -> Any:
    names = {"label": _places(labels), "name": list(labels)}
    data = names | {"value": values, "what": [formatting.method_name(method)] * len(labels)}
    if sigmas is None:
        source = ColumnDataSource(data)
        return plot.scatter("label", "value", source=source, marker="dash", size=14, line_width=3, color=COLORS[method])
    source = ColumnDataSource(data | {"lower": values - sigmas, "upper": values + sigmas, "sigma": sigmas})
    plot.add_layout(error_bars("label", source, INK))
    points = plot.scatter("label", "value", source=source, size=6, color=INK)
    plot.add_tools(HoverTool(renderers=[points], tooltips=[("@name", "@value{0.00} ± @sigma{0.00}")]))
    return points
