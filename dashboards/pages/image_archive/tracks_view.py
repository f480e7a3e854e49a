"""Position, size and flux of the selected images over time; a click on a point opens its image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import numpy as np
import panel as pn
import panel.ui as pmui
from bokeh.layouts import gridplot
from bokeh.models import ColumnDataSource, CustomJS, HoverTool, Range1d, TapTool
from bokeh.models.annotations import Legend, LegendItem
from bokeh.plotting import figure

from archive import Image
from dashboards.pages.image_archive.state import ImageArchiveState
from dashboards.pages.image_archive.tracks import MOST_TRACKED, Measured, Series, TrackPoint, lines, tracks_csv
from dashboards.shared import formatting
from dashboards.shared.figure_style import CURVES, aria_label, error_bars, style_figure
from dashboards.shared.notices import Notice, Notices, simulated_notices

MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex")
QUANTITIES = {
    "x": "Solar X [arcsec]",
    "y": "Solar Y [arcsec]",
    "fwhm": "FWHM [arcsec]",
    "flux": "Flux [ct s⁻¹ cm⁻² keV⁻¹]",
}
#: As many columns as have space; the plot grows by the rows, so that the curves keep their height.
LEGEND_COLUMNS = """
const columns = Math.max(1, Math.min(legend.items.length, Math.floor(plot.inner_width / 165)))
legend.ncols = columns
plot.height = 275 + 25 * Math.ceil(legend.items.length / columns)
"""
#: A label of time is up to 60 pixels wide.
FEWER_LABELS = "ticker.desired_num_ticks = Math.max(2, Math.min(6, Math.floor(plot.inner_width / 100)))"


class TracksView:
    """Plots of `ImageArchiveState.tracks`.

    Parameters
    ----------
    state : ImageArchiveState
    on_open : callable
        Called with the id of the image whose point was clicked.
    """

    def __init__(self, state: ImageArchiveState, on_open: Callable[[str], None]) -> None:
        self._state, self._on_open = state, on_open
        self._notices = Notices()
        self._download = pmui.FileDownload(
            callback=lambda: StringIO(tracks_csv(state.tracks)),
            filename="stix_tracks.csv",
            label="Download table (CSV)",
            size="small",
            variant="text",
            margin=(4, 0),
        )
        self._plots = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0)
        self.widget = pn.Column(
            self._notices.pane, self._plots, self._download, sizing_mode="stretch_width", margin=(8, 0)
        )
        state.param.watch(self._show, ["tracks", "views_problem"])
        self._show()

    def _show(self, *_: Any) -> None:
        points: tuple[TrackPoint, ...] = self._state.tracks
        notices = [Notice("warning", self._state.views_problem)] if self._state.views_problem else []
        if not points and not notices:
            text = f"Select up to {MOST_TRACKED} images in the table to plot position, size and flux against time."
            notices.append(Notice("info", text))
        notices += simulated_notices([point.image.simulated for point in points], "images")
        if points:
            notices.append(Notice("info", MEANING))
        self._notices.show(notices)
        self._download.visible = self._plots.visible = bool(points)
        self._plots.object = tracks_figure(points, self._on_open) if points else None


MEANING = (
    "A line joins images of one flare, band and method; dashed lines are images of a user, dotted lines are of cubes. "
    "Position and size are those of the brightest source: of its area above half of the maximum, or, in a forward fit, "
    "of the source with the largest flux. Hollow marks are doubtful. "
    "Error bars are shown for forward fits and for images with an ensemble. Click a point to open its image."
)


def tracks_figure(points: Sequence[TrackPoint], on_open: Callable[[str], None]) -> Any:
    """Four plots over a shared time axis, a colour per method and a marker per band; lines join images of one flare."""
    series: dict[Series, list[TrackPoint]] = {}
    for point in points:
        series.setdefault(point.series, []).append(point)
    methods = list(dict.fromkeys(one.method for one in series))
    bands = list(dict.fromkeys((one.e_low, one.e_high) for one in series))
    time = _time_range(points)
    plots: list[list[Any]] = []
    for name, label in QUANTITIES.items():
        plot: Any = figure(
            html_attributes=aria_label(f"{label} of the selected images against time"),
            x_axis_type="datetime",
            x_range=time,
            y_range=_value_range([getattr(point, name) for point in points]),
            height=300 if name == "x" else 220,  # the legend is above the first plot
            sizing_mode="stretch_width",
            y_axis_label=label,
            tools="pan,wheel_zoom,box_zoom,reset",
            toolbar_location="right",
        )
        plot.xaxis.axis_label = formatting.CLOCK if name == "flux" else None
        plot.toolbar.logo = None
        items = []
        for one, members in series.items():
            color = CURVES[methods.index(one.method) % len(CURVES)]
            marker = MARKERS[bands.index((one.e_low, one.e_high)) % len(MARKERS)]
            source = _source(members, name)
            dots = plot.scatter("time", "value", source=source, color=color, fill_alpha="fill", marker=marker, size=9)
            plot.add_layout(error_bars("time", source, color, 1.5))
            items.append(LegendItem(label=one.text, renderers=[dots, *_join(plot, members, name, one, color)]))
            _link(source, members, on_open)
        plot.add_tools(
            TapTool(),
            HoverTool(tooltips=[("", "@what"), (label, "@value{0.00} ± @sigma{0.00}")], renderers=_dots(plot)),
        )
        if name == "x":
            legend = Legend(orientation="horizontal", ncols=4, click_policy="hide")
            legend.items = items
            plot.add_layout(legend, "above")
            plot.js_on_change("inner_width", CustomJS(args={"plot": plot, "legend": legend}, code=LEGEND_COLUMNS))
        ticker = plot.xaxis[0].ticker
        plot.js_on_change("inner_width", CustomJS(args={"plot": plot, "ticker": ticker}, code=FEWER_LABELS))
        style_figure(plot)
        plots.append([plot])
    return gridplot(plots, sizing_mode="stretch_width", toolbar_location="right", merge_tools=True)


def _join(plot: Any, points: Sequence[TrackPoint], name: str, one: Series, color: str) -> list[Any]:
    """A line through the points of each flare; none where no flare has two points."""
    joined = [members for members in lines(points) if len(members) > 1]
    if not joined:
        return []
    time, value = [], []
    for members in joined:
        time += [*(_milliseconds(point) for point in members), np.nan]  # NaN ends the line of a flare
        value += [*(getattr(point, name).value for point in members), np.nan]
    source = ColumnDataSource({"time": time, "value": value})
    dash = "solid" if not one.whose else "dotted" if one.whose == "cube" else "dashed"
    return [plot.line("time", "value", source=source, color=color, line_alpha=0.6, line_dash=dash)]


def _milliseconds(point: TrackPoint) -> float:
    return float(point.t_mid.astype("datetime64[ms]").astype(float))


def _dots(plot: Any) -> list[Any]:
    return [renderer for renderer in plot.renderers if type(renderer.glyph).__name__ == "Scatter"]


def _time_range(points: Sequence[TrackPoint]) -> Range1d:
    times = np.array([point.t_mid for point in points]).astype("datetime64[ms]").astype(float)
    margin = max((times.max() - times.min()) * 0.05, 60_000.0)
    return Range1d(start=times.min() - margin, end=times.max() + margin)


def _value_range(measured: Sequence[Measured]) -> Range1d:
    """Range that includes all values with their error bars."""
    ends = np.array([(one.value - sigma, one.value + sigma) for one in measured for sigma in (_known(one.sigma),)])
    low, high = (float(np.nanmin(ends)), float(np.nanmax(ends))) if np.isfinite(ends).any() else (0.0, 1.0)
    margin = 0.08 * (high - low) or 1.0
    return Range1d(start=low - margin, end=high + margin)


def _known(sigma: float) -> float:
    return sigma if np.isfinite(sigma) else 0.0


def _source(points: Sequence[TrackPoint], name: str) -> ColumnDataSource:
    measured = [getattr(point, name) for point in points]
    values, sigmas = (np.array([getattr(one, part) for one in measured]) for part in ("value", "sigma"))
    return ColumnDataSource(
        {
            "time": [_milliseconds(point) for point in points],
            "value": values,
            "sigma": sigmas,
            "lower": values - sigmas,
            "upper": values + sigmas,
            "fill": [0.0 if is_doubtful(point.image, name) else 1.0 for point in points],
            "what": [f"{_subject(p)}{p.series.text}, {formatting.time_range(p.image)}" for p in points],
        }
    )


def is_doubtful(image: Image, name: str) -> bool:
    """Whether a quantity of an image is doubted: its position for ``x`` and ``y``, its shape for ``fwhm``, its flux."""
    words = {"fwhm": image.verdict_shape, "flux": image.verdict_flux}
    return words.get(name, image.verdict_position) == "doubtful"


def _subject(point: TrackPoint) -> str:
    """``Flare 2211111136, ``; empty without a flare."""
    return f"Flare {point.image.flare_id}, " if point.image.flare_id else ""


def _link(source: ColumnDataSource, points: Sequence[TrackPoint], on_open: Callable[[str], None]) -> None:
    def opened(_attribute: str, _old: list[int], new: list[int]) -> None:
        if new:
            on_open(points[new[0]].image.image_id)
            source.selected.indices = []

    source.selected.on_change("indices", opened)
