"""The plot of the light-curve page: count rates with flares and pictures above, attenuator and triggers below.

Plain Bokeh models, with one update of each source per view. The x axis is in UTC at Solar Orbiter; the visible axis
belongs to a second range, shifted by the light time, which the browser keeps in step. So a change of clock moves no
data and the URL keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import panel as pn
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.layouts import column
from bokeh.models import (
    BasicTickFormatter,
    BoxZoomTool,
    ColumnDataSource,
    CustomJS,
    DatetimeAxis,
    DatetimeTickFormatter,
    Grid,
    HoverTool,
    LinearAxis,
    LinearScale,
    PanTool,
    Range1d,
    SaveTool,
    TapTool,
    WheelZoomTool,
)
from bokeh.models.annotations import Legend, LegendItem
from bokeh.plotting import figure

from archive import Image
from archive.index.series import BANDS
from dashboards.pages.lightcurves.flares import FlareSpan, labelled
from dashboards.pages.lightcurves.images import WindowImages
from dashboards.pages.lightcurves.origin import origin_label, unit_of
from dashboards.pages.lightcurves.state import LOG, Curves
from dashboards.shared import formatting
from dashboards.shared.curve_colors import BAND_NAMES, DARK, LIGHT, Colors
from dashboards.shared.curve_series import attenuator_spans, columns_of, rate_limits
from dashboards.shared.figure_style import aria_label
from dashboards.shared.light_times import Clock, LightTimes
from dashboards.shared.links import Links
from dashboards.shared.time_window import LONGEST_S, SHORTEST_S, Window, unix_seconds

#: Pan and zoom have ended if nothing has moved for this time, ms.
REST_MS = 120
#: Side of a picture on the curves, and width of a flare label, screen pixel.
PICTURE_PX, NAME_PX = 48, 100
#: Fraction of the plot above the curves for flare labels, and for labels and pictures.
ROOM, ROOM_WITH_PICTURES = 0.22, 0.55
#: A narrower plot has a legend in several rows, screen pixel.
NARROW_PX = 560
#: Width of the plot until the browser reports it, screen pixel.
GUESSED_WIDTH = 1000
#: Heights of pictures, as a fraction of the plot, all above the curves; the first free one is used.
ROWS = (0.745, 0.555)
#: Heights of rates and of triggers: with the controls, the time axis is in a window of 1280 × 800. Screen pixel.
MAIN_PX, STRIP_PX = 320, 134
#: Height of the background detector, and of the rates above it.
DETECTOR_PX, MAIN_WITH_DETECTOR_PX = 110, 220
#: Band that is shown of the background detector.
DETECTOR_BAND = BANDS[0]


@dataclass
class _Sources:
    """Data sources of the plot."""

    rates: ColumnDataSource = field(default_factory=lambda: ColumnDataSource(columns_empty()))
    detector: ColumnDataSource = field(default_factory=lambda: ColumnDataSource(columns_empty()))
    attenuator: ColumnDataSource = field(default_factory=lambda: ColumnDataSource({"left": [], "right": []}))
    flares: ColumnDataSource = field(default_factory=lambda: ColumnDataSource(flare_columns(())))
    names: ColumnDataSource = field(default_factory=lambda: ColumnDataSource({"x": [], "text": []}))
    #: Frames have a separate source: Bokeh cannot draw pictures of a source with a selection.
    frames: ColumnDataSource = field(default_factory=lambda: ColumnDataSource(dict(_NO_PICTURES)))
    pictures: ColumnDataSource = field(default_factory=lambda: ColumnDataSource(dict(_NO_PICTURES)))


class LightCurvePlot:
    """Shows curves; reports where the visitor moved to and what was clicked.

    Parameters
    ----------
    links : Links
        URLs of thumbnails.
    on_window : callable
        Called with the window after panning or zooming.
    on_image : callable
        Called with the id of the image whose picture was clicked.
    on_flare : callable
        Called with the id of the flare whose bar was clicked.
    dark : bool
    """

    def __init__(
        self,
        links: Links,
        on_window: Callable[[Window], None],
        on_image: Callable[[str], None],
        on_flare: Callable[[str], None],
        *,
        dark: bool,
    ) -> None:
        self._links, self._on_window = links, on_window
        self._dark, self._scale = dark, LOG
        self._curves, self._clock = Curves(Window(0.0, 1.0)), Clock.SOLAR_ORBITER
        self._bands: Sequence[str] = BANDS
        self._images = WindowImages()
        self._waiting: Any = None
        self._sources = _Sources()
        self.x_range: Any = Range1d(
            start=0.0, end=1.0, min_interval=SHORTEST_S * 1e3, max_interval=LONGEST_S * 1e3, name="window"
        )
        self._clock_range: Any = Range1d(start=0.0, end=1.0, tags=[0.0, 1.0])
        self._relative, self._with_detector = False, False
        self._join_ranges()
        self._on_tap(self._sources.flares, "flare_id", on_flare)
        self._on_tap(self._sources.frames, "image_id", on_image)
        self._column = column(sizing_mode="stretch_width", spacing=0)
        self.pane = pn.pane.Bokeh(self._column, sizing_mode="stretch_width", margin=(4, 0))
        self._build()

    # Display --------------------------------------------------------------------------------------------------------

    def show(self, curves: Curves, clock: Clock) -> None:
        """Show a window of the curves."""
        self._curves, self._clock = curves, clock
        layout = curves.origin is not None, curves.detector is not None
        if layout != (self._relative, self._with_detector):
            self._relative, self._with_detector = layout
            self._build()
            self._fill_pictures()
        self._fill()

    def show_images(self, images: WindowImages) -> None:
        """Show pictures of these images, with their time ranges shaded."""
        self._images = images
        self._fill_pictures()
        self._fill_limits()

    def show_bands(self, bands: Sequence[str]) -> None:
        """Show these bands, and no others."""
        self._bands = bands
        for band, renderers in self._lines.items():
            for renderer in renderers:
                renderer.visible = band in bands
        self._fill_limits()

    def set_scale(self, scale: str) -> None:
        """Set a logarithmic or linear rate axis."""
        if scale != self._scale:
            self._scale = scale
            self._build()
            self._fill()
            self._fill_pictures()

    def set_dark(self, dark: bool) -> None:
        """Set the light or dark theme."""
        if dark != self._dark:
            self._dark = dark
            self._build()
            self._fill()
            self._fill_pictures()

    @property
    def window(self) -> Window:
        """Window that the browser shows now."""
        return Window(self.x_range.start / 1e3, (self.x_range.end - self.x_range.start) / 1e3)

    # Models ---------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """Rebuild the figures: scale and colours cannot change in place."""
        colors = DARK if self._dark else LIGHT
        self._main, below = self._main_figure(colors), self._strip_figure(colors)
        between = [self._detector_figure(colors)] if self._with_detector else []
        self._column.children = [self._main, *between, below]

    def _join_ranges(self) -> None:
        """Let the browser keep the visible clock in step and report changes of the range."""
        step = CustomJS(
            args={"seen": self.x_range, "clock": self._clock_range},
            code="const [s, f] = clock.tags; clock.setv({start: (seen.start + s) * f, end: (seen.end + s) * f})",
        )
        for name in ("start", "end"):
            self.x_range.js_on_change(name, step)
            self.x_range.on_change(name, self._range_moved)
        self._clock_range.js_on_change("tags", step)

    def _figure(self, colors: Colors, height: int, **options: Any) -> Any:
        plot: Any = figure(
            height=height,
            sizing_mode="stretch_width",
            x_range=self.x_range,
            x_axis_type=None,  # the visible axis is that of the clock
            tools=[],
            min_border_left=74,
            min_border_right=16,
            background_fill_color=colors.paper,
            border_fill_color=None,
            outline_line_color=colors.line,
            output_backend="canvas",
            **options,
        )
        plot.extra_x_ranges = {"clock": self._clock_range}
        # by position: `plot.yaxis` and similar search all models, which adds up to a tenth of the session's creation
        plot.center[0].grid_line_color = colors.line
        _paint(plot.left[0], colors)
        pan, wheel = PanTool(dimensions="width"), WheelZoomTool(dimensions="width")
        plot.add_tools(pan, wheel, BoxZoomTool(dimensions="width"), SaveTool(filename="stix-light-curves"))
        plot.toolbar.active_drag, plot.toolbar.active_scroll = pan, wheel
        plot.toolbar.logo = None
        return plot

    def _main_figure(self, colors: Colors) -> Any:
        plot = self._figure(
            colors,
            MAIN_WITH_DETECTOR_PX if self._with_detector else MAIN_PX,
            y_axis_type=self._scale,
            y_range=Range1d(start=1.0, end=1000.0),
            toolbar_location="right",
            name="rates",
        )
        self._y_range = plot.y_range
        plot.on_change("inner_width", self._resized)
        plot.html_attributes = aria_label(
            "Count rates against time by energy band, with flares and images; values are in the CSV download"
        )
        plot.left[0].axis_label = "Count rate [ct s⁻¹]"
        plot.extra_y_ranges = {"part": Range1d(start=0.0, end=1.0)}
        plot.extra_y_scales = {"part": LinearScale()}  # otherwise it would be logarithmic like the rates
        self._add_clock(plot, colors, shown=False)
        bars = self._draw_flares(plot, colors)
        self._draw_curves(plot, colors)
        frames = self._draw_pictures(plot, colors)
        plot.add_tools(TapTool(renderers=[bars, frames], visible=False))  # with several tools only one would be active
        return plot

    def _draw_flares(self, plot: Any, colors: Colors) -> Any:
        """Draw shades, labels, and the clickable bars on top."""
        common: dict[str, Any] = {"source": self._sources.flares, "y_range_name": "part", "line_color": None}
        plot.quad("left", "right", 1.0, 0.0, fill_color=colors.flare, fill_alpha=0.13, **common)
        # the line keeps the bar of a short flare visible in a long window
        line: dict[str, Any] = {"line_color": colors.flare, "line_alpha": 0.8, "nonselection_line_alpha": 0.8}
        fill: dict[str, Any] = {"fill_color": colors.flare, "fill_alpha": 0.8, "nonselection_fill_alpha": 0.8}
        bars = plot.quad("left", "right", 1.0, 0.968, **(common | line | fill))
        plot.text(
            "x", 0.955, "text", source=self._sources.names, y_range_name="part", text_align="center",
            text_baseline="top", text_font_size="11px", text_color=colors.ink, text_line_height=1.15,
        )  # fmt: skip
        tooltips = [
            ("flare", "@flare_id"),
            ("GOES class", "@class_text"),
            ("peak", "@peak{%F %T} UTC at Solar Orbiter"),
        ]
        plot.add_tools(
            HoverTool(
                renderers=[bars],
                tooltips=tooltips,
                formatters={"@peak": "datetime"},
                attachment="above",
                visible=False,
            ),
        )
        return bars

    def _draw_curves(self, plot: Any, colors: Colors) -> None:
        self._lines: dict[str, list[Any]] = {}
        items = []
        for band, color in zip(BANDS, colors.bands, strict=True):
            step: dict[str, Any] = {"source": self._sources.rates, "mode": "after", "color": color}
            high = plot.step("time", f"high_{band}", line_width=0.7, line_alpha=0.55, **step)
            mean = plot.step("time", f"mean_{band}", line_width=1.6, **step)
            self._lines[band] = [high, mean]
            items.append(LegendItem(label=BAND_NAMES[band], renderers=[mean]))
            for renderer in (high, mean):
                renderer.visible = band in self._bands
        self._legend = _legend(items, colors)
        plot.add_layout(self._legend, "above")
        # an invisible line finds the bucket under the pointer; steps do not
        guide = plot.line("time", f"mean_{BANDS[0]}", source=self._sources.rates, line_alpha=0)
        rates = [(BAND_NAMES[band], f"@mean_{band}{{0,0.0}} ct s⁻¹") for band in BANDS]
        plot.add_tools(
            HoverTool(
                renderers=[guide],
                mode="vline",
                line_policy="prev",
                tooltips=[
                    ("UTC at Solar Orbiter", "@time{%F %T}"),
                    *([("T − T0", "@since{0,0.0} s")] if self._relative else []),
                    *rates,
                ],
                formatters={"@time": "datetime"},
                # on the curve; what is above the curves has its tooltip above the pointer, so that two never overlap
                point_policy="snap_to_data",
                attachment="horizontal",
                name="values",
            )
        )

    def _draw_pictures(self, plot: Any, colors: Colors) -> Any:
        """Draw shaded time ranges, pictures, and their clickable frames."""
        common: dict[str, Any] = {"source": self._sources.pictures, "y_range_name": "part"}
        side = {"w_units": "screen", "h_units": "screen"}
        shades = plot.quad(
            "left", "right", 1.0, 0.0, fill_color=colors.attenuator, fill_alpha=0.16, line_color=None, **common
        )
        stems = plot.segment("x", 0.0, "x", "y", line_color=colors.ink, line_alpha=0.35, line_dash="dotted", **common)
        plot.image_url("url", "x", "y", w=PICTURE_PX, h=PICTURE_PX, anchor="center", **side, **common)
        frames = plot.scatter(
            "x", "y", marker="square", size=PICTURE_PX + 2, fill_alpha=0.0, line_color="frame", line_width=2,
            nonselection_line_alpha=1.0, nonselection_fill_alpha=0.0, **(common | {"source": self._sources.frames}),
        )  # fmt: skip
        for renderer in (shades, stems):
            renderer.level = "underlay"
        plot.add_tools(
            HoverTool(
                renderers=[frames],
                tooltips=[("image", "@label"), ("click", "to open it")],
                attachment="above",
                visible=False,
            ),
        )
        return frames

    def _detector_figure(self, colors: Colors) -> Any:
        """The background detector, on its own axis: its holes are small, so its rates are far below the others."""
        plot = self._figure(
            colors,
            DETECTOR_PX,
            y_axis_type=self._scale,
            y_range=Range1d(start=1.0, end=1000.0),
            toolbar_location=None,
            name="detector",
        )
        plot.html_attributes = aria_label("Count rate of the background detector in 4-10 keV against time")
        self._detector_range = plot.y_range
        plot.left[0].axis_label = "Rate [ct s⁻¹]"
        plot.left[0].ticker.desired_num_ticks = 3
        self._add_clock(plot, colors, shown=False)
        rate = f"mean_{DETECTOR_BAND}"
        line = plot.step(
            "time", rate, source=self._sources.detector, mode="after", color=colors.detector, line_width=1.4
        )
        guide = plot.line("time", rate, source=self._sources.detector, line_alpha=0)
        plot.add_tools(
            HoverTool(
                renderers=[guide],
                mode="vline",
                line_policy="prev",
                tooltips=[
                    ("UTC at Solar Orbiter", "@time{%F %T}"),
                    ("background detector", f"@{rate}{{0,0.00}} ct s⁻¹"),
                ],
                formatters={"@time": "datetime"},
                attachment="horizontal",
                visible=False,
            )
        )
        text = f"background detector, {BAND_NAMES[DETECTOR_BAND]}"
        plot.add_layout(_legend([LegendItem(label=text, renderers=[line])], colors), "above")
        return plot

    def _strip_figure(self, colors: Colors) -> Any:
        plot = self._figure(colors, STRIP_PX, y_range=Range1d(start=0.0, end=1.0), toolbar_location=None, name="strip")
        plot.html_attributes = aria_label("Triggers and attenuator state against time")
        self._trigger_range = plot.y_range
        plot.left[0].axis_label = "Triggers [s⁻¹]"
        plot.left[0].ticker.desired_num_ticks = 3
        self._add_clock(plot, colors, shown=True)
        plot.extra_y_ranges = {"part": Range1d(start=0.0, end=1.0)}
        shade = plot.quad(
            "left", "right", 1.0, 0.0, source=self._sources.attenuator, y_range_name="part",
            fill_color=colors.attenuator, fill_alpha=0.3, line_color=colors.attenuator,
        )  # fmt: skip
        line = plot.step("time", "triggers", source=self._sources.rates, mode="after", color=colors.ink, line_width=1.2)
        self._attenuator_item = LegendItem(label="attenuator in", renderers=[shade])
        items = [LegendItem(label="triggers", renderers=[line]), self._attenuator_item]
        plot.add_layout(_legend(items, colors), "above")
        return plot

    def _add_clock(self, plot: Any, colors: Colors, *, shown: bool) -> None:
        """Add axis and grid of the visible clock; the upper figure has only the grid."""
        common: dict[str, Any] = {"x_range_name": "clock", "visible": shown}
        axis = (
            LinearAxis(formatter=BasicTickFormatter(use_scientific=False), **common)
            if self._relative
            else DatetimeAxis(formatter=_time_format(), **common)
        )
        _paint(axis, colors)
        plot.add_layout(axis, "below")
        plot.add_layout(Grid(axis=axis, x_range_name="clock", grid_line_color=colors.line))
        if shown:
            self._axis = axis

    # Content --------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        curves = self._curves
        if curves.view is not None:
            log = self._scale == LOG
            columns = columns_of(curves.view, log=log)
            if curves.origin is not None:
                columns["since"] = (columns["time"] - _ms(curves.origin.time)) / 1e3
            self._sources.rates.data = columns
            left, right = attenuator_spans(curves.view)
            self._sources.attenuator.data = {"left": left, "right": right}
            self._attenuator_item.visible = bool(left.size)  # the legend would have a label without colour
        else:
            self._sources.rates.data = columns_empty()
        if curves.detector is not None:
            self._sources.detector.data = columns_of(curves.detector.view, log=self._scale == LOG)
        self._sources.flares.data = flare_columns(curves.flares)
        self._fill_names()
        begin, end = curves.window.start * 1e3, (curves.window.start + curves.window.span) * 1e3
        if (self.x_range.start, self.x_range.end) != (begin, end):
            self.x_range.update(start=begin, end=end)
        self._fill_clock()
        self._fill_limits()

    def _fill_names(self) -> None:
        named = labelled(self._curves.flares, self._curves.window, max(self._width // NAME_PX, 1))
        self._sources.names.data = {"x": [_ms(flare.peak) for flare in named], "text": [flare.label for flare in named]}

    def _fill_clock(self) -> None:
        curves, clock = self._curves, self._clock
        light = curves.light
        shift, scale = light.shift(clock) * 1e3 if light is not None else 0.0, 1.0
        label = axis_label(clock, light, curves.light_ends)
        if curves.origin is not None:  # T and T0 are on the same clock, so the difference is on any
            shift, scale = -_ms(curves.origin.time), 1e-3 / unit_of(curves.window.span)[1]
            label = origin_label(curves.origin, curves.window.span, clock, light)
        self._axis.axis_label = label
        start, end = ((edge + shift) * scale for edge in (self.x_range.start, self.x_range.end))
        self._clock_range.update(start=start, end=end, tags=[shift, scale])

    def _fill_limits(self) -> None:
        view = self._curves.view
        if view is None:
            return
        begin, end = self.x_range.start, self.x_range.end
        room = ROOM_WITH_PICTURES if self._images.images else ROOM
        low, high = rate_limits(view, [*self._bands], begin, end, log=self._scale == LOG, room=room)
        self._y_range.update(start=low, end=high)
        if self._curves.detector is not None:
            low, high = rate_limits(
                self._curves.detector.view, [DETECTOR_BAND], begin, end, log=self._scale == LOG, room=0.1
            )
            self._detector_range.update(start=low, end=high)
        triggers = view.triggers_mean[np.isfinite(view.triggers_mean)]
        self._trigger_range.update(start=0.0, end=1.15 * float(triggers.max()) if triggers.size else 1.0)

    def _fill_pictures(self) -> None:
        colors = DARK if self._dark else LIGHT
        shown = [(image, url) for image in self._images.on_curves if (url := self._links.thumbnail(image)) is not None]
        images = [image for image, _ in shown]
        middles = [(_ms(image.t_start) + _ms(image.t_end)) / 2 for image in images]
        columns: dict[str, list[Any]] = {
            "x": middles,
            "y": picture_rows(middles, self._curves.window.span * 1e3 * PICTURE_PX / max(self._width, PICTURE_PX)),
            "left": [_ms(image.t_start) for image in images],
            "right": [_ms(image.t_end) for image in images],
            "url": [url for _, url in shown],
            "image_id": [image.image_id for image in images],
            "label": [_picture_label(image) for image in images],
            "frame": [colors.trusted if image.trusted else colors.doubtful for image in images],
        }
        self._sources.frames.selected.indices = []
        self._sources.pictures.data = columns
        self._sources.frames.data = dict(columns)

    def _resized(self, _attribute: str, _old: Any, _new: Any) -> None:
        """Update labels and pictures to the width reported by the browser."""
        self._legend.ncols = len(BANDS) if self._width > NARROW_PX else 2
        self._fill_names()
        self._fill_pictures()

    @property
    def _width(self) -> int:
        """Width of the plot in the browser, screen pixel; an estimate until the browser reports it."""
        try:
            return int(self._main.inner_width) or GUESSED_WIDTH
        except UnsetValueError:
            return GUESSED_WIDTH

    # User actions ---------------------------------------------------------------------------------------------------

    def _range_moved(self, _attribute: str, _old: Any, _new: Any) -> None:
        """The range has moved, by the visitor or the program; wait until it rests."""
        document = self.x_range.document
        if document is None:
            return
        if self._waiting is not None:
            document.remove_timeout_callback(self._waiting)
        self._waiting = document.add_timeout_callback(self._range_settled, REST_MS)

    def _range_settled(self) -> None:
        self._waiting = None
        now, shown = self.window, self._curves.window
        # less than a pixel is a rounding error
        if max(abs(now.start - shown.start), abs(now.span - shown.span)) > max(0.5, shown.span / 5000):
            self._on_window(now)

    def _on_tap(self, source: ColumnDataSource, key: str, tell: Callable[[str], None]) -> None:
        def tapped(_attribute: str, _old: Any, indices: list[int]) -> None:
            if indices:
                source.selected.indices = []  # the same one may be clicked again
                tell(str(source.data[key][indices[0]]))

        source.selected.on_change("indices", tapped)


_NO_PICTURES: Mapping[str, list[Any]] = {
    name: [] for name in ("x", "y", "left", "right", "url", "image_id", "label", "frame")
}


def columns_empty() -> dict[str, Any]:
    """Columns of the rates without rows."""
    names = ("time", "triggers", *(f"{kind}_{band}" for band in BANDS for kind in ("mean", "high")))
    return {name: np.zeros(0) for name in names}


def flare_columns(flares: Sequence[FlareSpan]) -> dict[str, list[Any]]:
    """Columns of flare spans, with tooltips."""
    return {
        "left": [_ms(flare.start) for flare in flares],
        "right": [_ms(flare.end) for flare in flares],
        "peak": [_ms(flare.peak) for flare in flares],
        "flare_id": [flare.flare_id for flare in flares],
        "class_text": [flare.class_text or "unknown" for flare in flares],
    }


def picture_rows(middles: Sequence[float], width: float) -> list[float]:
    """Heights of pictures, so that neighbours do not overlap while there is space.

    Parameters
    ----------
    middles : sequence of float
        Positions along x, in ascending order.
    width : float
        Width of a picture, in the same unit.
    """
    ends = [-np.inf] * len(ROWS)
    heights = []
    for middle in middles:
        free = [row for row, end in enumerate(ends) if middle - width / 2 >= end]
        row = free[0] if free else int(np.argmin(ends))
        ends[row] = middle + width / 2
        heights.append(ROWS[row])
    return heights


def axis_label(clock: Clock, light: LightTimes | None, at_ends: Sequence[LightTimes | None] = ()) -> str:
    """Axis label: the clock, and its offset from Solar Orbiter's in seconds.

    The axis has one offset for the whole window. In a long window the light time changes by up to 10 s a day: then the
    label also contains the offsets ``at_ends``.
    """
    if clock == Clock.SOLAR_ORBITER or light is None:
        return f"Time [{formatting.CLOCK}]"
    where = "at Earth" if clock == Clock.EARTH else "at the Sun"
    long = ""
    if at_ends:
        first, last = (_shift_text(clock, one) if one is not None else "unknown" for one in at_ends)
        long = f" in the middle; at the ends {first} and {last}"
    return f"Time [UTC {where} = Solar Orbiter {_shift_text(clock, light)}{long}]"


def _shift_text(clock: Clock, light: LightTimes) -> str:
    """``+ 290.1 s``; with the uncertainty if it is visible."""
    shift = light.shift(clock)
    amount = f"{abs(shift):.1f}" if light.uncertainty < 0.5 else f"{abs(shift):.0f} ± {np.ceil(light.uncertainty):.0f}"
    return f"{'−' if shift < 0 else '+'} {amount} s"


def _picture_label(image: Image) -> str:
    doubt = "" if image.trusted else ", doubtful"
    return f"{formatting.time_range(image)}, {formatting.band(image)}, {formatting.method_name(image.method)}{doubt}"


def _paint(axis: Any, colors: Colors) -> None:
    axis.axis_label_text_color = axis.major_label_text_color = colors.ink
    axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = colors.ink
    axis.axis_label_text_font_style, axis.axis_label_text_font_size = "normal", "13px"
    axis.major_label_text_font_size = "12px"


def _legend(items: list[Any], colors: Colors) -> Legend:
    look: dict[str, Any] = {"border_line_color": None, "background_fill_color": None, "padding": 0, "margin": 0}
    text: dict[str, Any] = {"label_text_color": colors.ink, "label_text_font_size": "12px", "spacing": 14}
    return Legend(items=items, orientation="horizontal", **look, **text)  # type: ignore[call-arg]


def _time_format() -> DatetimeTickFormatter:
    """Time labels with as much of the date as necessary."""
    return DatetimeTickFormatter(
        milliseconds="%H:%M:%S.%3N",
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%d %b",
        months="%b %Y",
        years="%Y",
        context=DatetimeTickFormatter(
            milliseconds="%d %b %Y", seconds="%d %b %Y", minsec="%d %b %Y", minutes="%d %b %Y", hourmin="%d %b %Y",
            hours="%d %b %Y", days="%Y", months="", years="",
        ),
        context_which="start",
        hide_repeats=True,
    )  # fmt: skip


def _ms(time: np.datetime64) -> float:
    return unix_seconds(time) * 1e3
