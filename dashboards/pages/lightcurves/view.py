"""The light curves: quick-look count rates of any window, with flares and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from archive.index.series import BANDS
from dashboards.pages.lightcurves import wording
from dashboards.pages.lightcurves.first_content import curves_svg
from dashboards.pages.lightcurves.origin import choices
from dashboards.pages.lightcurves.plot import LightCurvePlot
from dashboards.pages.lightcurves.state import (
    BINS,
    CORRECTED,
    LINEAR,
    LOG,
    REAL,
    RECORDED,
    SIMULATED,
    LightCurvesState,
)
from dashboards.shared.access import Visitor
from dashboards.shared.addressed import AddressedPage
from dashboards.shared.curve_colors import BAND_NAMES
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.frame import frame, is_dark
from dashboards.shared.image_dialog import OpenedImage
from dashboards.shared.image_strip import ImageStrip
from dashboards.shared.light_times import CLOCKS, Clock, why_unknown
from dashboards.shared.links import Links, routes_are_served
from dashboards.shared.navigation import PAGES, SITE
from dashboards.shared.notices import Notice
from dashboards.shared.opening import opening_html
from dashboards.shared.preloaded import PreloadedState
from dashboards.shared.source import Unavailable, archive_source
from dashboards.shared.style import style
from dashboards.shared.time_window import DAY_S, WEEK_S

SPANS = {
    "10 min": 600.0, "1 h": 3600.0, "6 h": 21_600.0, "1 day": DAY_S, "3 days": 3 * DAY_S, "1 week": WEEK_S,
    "30 days": 30 * DAY_S, "1 year": 365 * DAY_S,
}  # fmt: skip
BIN_NAMES = dict(zip(("automatic", "as recorded", "20 s", "1 min", "5 min", "1 h", "1 day"), BINS, strict=True))

#: Copies the URL of the current view, even while the page is still processing a pan.
SHARE = """
const url = new URL(location.href)
url.searchParams.set("start", Math.round(seen.start / 1000))
url.searchParams.set("span", Math.round((seen.end - seen.start) / 1000))
const label = button.data.label
const done = () => { button.data.label = "Copied"; setTimeout(() => { button.data.label = label }, 2000) }
const by_hand = () => prompt("The address of this view:", url.href)
if (navigator.clipboard) { navigator.clipboard.writeText(url.href).then(done, by_hand) } else { by_hand() }
"""

PLAIN = {
    "& .MuiToggleButton-root": {"textTransform": "none", "whiteSpace": "nowrap", "letterSpacing": 0, "width": "auto"},
    "flexWrap": "wrap",
}


#: A switch that is off has the colour of a button: grey looks disabled.
CLEARLY_ON = {"color": "primary.main", "borderColor": "primary.main", "&.Mui-selected": {"borderWidth": "2px"}}

#: On a telephone the display options come after the plot.
PLOT_FIRST = """
@media (max-width: 700px) { .after-plot { order: 1 } .below-options { order: 2 } }
"""


class LightCurvesPage(AddressedPage[LightCurvesState]):
    """Widgets around a `LightCurvesState`.

    Parameters
    ----------
    state : LightCurvesState
    links : Links
        URLs of the pictures.
    """

    title = PAGES["lightcurves"]
    description = "Quick-look X-ray light curves by Solar Orbiter/STIX"

    def __init__(self, state: LightCurvesState, links: Links) -> None:
        super().__init__(state, links)
        self._said = ""
        self._plot = LightCurvePlot(links, state.show, self._open, self._go_to, dark=is_dark())
        self._strip = ImageStrip(links, self._open)
        self._strip.widget.css_classes = [*self._strip.widget.css_classes, "below-options"]
        html: dict[str, Any] = {
            "stylesheets": [style("pages/lightcurves/page")],
            "sizing_mode": "stretch_width",
            "margin": 0,
        }
        self._status = pn.pane.HTML("", **html)
        self._about = pn.pane.HTML("", css_classes=["below-options"], **html)
        self._images_head = pn.pane.HTML("", visible=False, css_classes=["below-options"], **html)
        self._clock: pmui.Select | None = None
        self._image = OpenedImage(links, self._open, state.step, state)
        self._body = pn.Column(
            sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_page"), PLOT_FIRST]
        )
        state.param.watch(self._show_curves, ["curves", "clock"])
        state.param.watch(self._show_images, ["images", "pictures"])
        state.param.watch(lambda event: self._plot.show_bands(event.new), "bands")
        state.param.watch(lambda event: self._plot.set_scale(event.new), "scale")
        state.param.watch(lambda *_: self._image.show(state.detail, state.steps), ["detail", "images"])
        state.param.watch(self._show_notices, ["curves", "images", "clock", "detail_problem"])

    @classmethod
    def new_state(cls, visitor: Callable[[], Visitor]) -> LightCurvesState:
        """New state for a visitor, over the archive of this server."""
        return LightCurvesState(archive_source(), visitor)

    @classmethod
    def opening(cls, state: LightCurvesState, _: Links, *, dark: bool) -> str:
        """The page as plain HTML, shown until the page is live."""
        picture = curves_svg(state.curves, state.bands, log=state.scale == LOG) if not state.opened else ""
        return opening_html(SITE, cls.title, wording.window_text(state.curves.window), picture, dark=dark)

    def follow_address(self, preloaded: PreloadedState[LightCurvesState]) -> None:
        """Show what is loaded, and keep the URL up to date."""
        self._plot.show_bands(self.state.bands)
        self._plot.set_scale(self.state.scale)
        super().follow_address(preloaded)

    def view(self) -> pmui.Page:
        """The whole page."""
        self._body[:] = [
            self._notices.pane,
            self._times(),
            self._choices(),
            self._status,
            self._plot.pane,
            self._about,
            self._images_head,
            self._strip.widget,
            self._image.place,
        ]
        page = frame(self.title, [self._body], description=self.description)
        page.param.watch(lambda event: self._plot.set_dark(event.new), "dark_theme")
        return page

    def _times(self) -> pn.FlexBox:
        """Controls of the time range."""
        state = self.state
        common: dict[str, Any] = {"size": "small", "margin": (6, 8, 4, 0)}
        button: dict[str, Any] = {"variant": "outlined", **common}
        length = pmui.Select(
            label="Length", options=self._lengths(), value=state.span, width=130, description="", **common
        )
        field = pmui.TextInput(
            label="Flare id or time (UTC)", placeholder="2211110123", width=190, description="", **common
        )
        share = pmui.Button(label="Share", icon="share", **button)
        share.js_on_click(args={"seen": self._plot.x_range, "button": share}, code=SHARE)

        def follow(*_: Any) -> None:
            length.param.update(options=self._lengths(), value=state.span)

        def choose(event: Any) -> None:
            if event.new != state.span:
                state.show(state.window.around(event.new))

        def ask(event: Any) -> None:
            if event.new.strip():
                self._go_to(event.new)

        state.param.watch(follow, "span")
        length.param.watch(choose, "value")
        field.param.watch(ask, "value")
        return pn.FlexBox(
            pmui.Button(label="Previous", icon="chevron_left", on_click=lambda _: state.shift(-1), **button),
            length,
            pmui.Button(label="Next", end_icon="chevron_right", on_click=lambda _: state.shift(1), **button),
            pmui.Button(label="Last day of data", on_click=lambda _: state.show_last(DAY_S), **button),
            pmui.Button(label="Last week of data", on_click=lambda _: state.show_last(WEEK_S), **button),
            field,
            share,
            align_items="center",
            sizing_mode="stretch_width",
        )

    def _lengths(self) -> dict[str, float]:
        """Lengths to choose from, including the current one."""
        span = self.state.span
        present = {} if span in SPANS.values() else {wording.length(span): span}
        return {**present, **SPANS}

    def _choices(self) -> pn.FlexBox:
        """Display options of the curves."""
        of = self.state.param
        common: dict[str, Any] = {"size": "small", "margin": (4, 12, 4, 0), "description": ""}
        names = {BAND_NAMES[band]: band for band in BANDS}
        bands = pmui.CheckButtonGroup.from_param(
            of.bands,
            label="Bands",
            options=names,
            description="",
            size="small",
            margin=(4, 12, 4, 0),
            sx=PLAIN,
            styles={"max-width": "100%"},
        )
        self._clock = pmui.Select.from_param(
            of.clock, label="Clock at", options=CLOCKS, width=150, disabled=self._only_one_clock, **common
        )
        images = pmui.Toggle.from_param(
            of.pictures, label="IMG", icon="image", size="small", margin=(4, 0), description="", sx=CLEARLY_ON
        )
        series = {"real": REAL, "simulated": SIMULATED}
        return pn.FlexBox(
            bands,
            pmui.Select.from_param(of.scale, label="Scale", options={"log": LOG, "linear": LINEAR}, width=90, **common),
            pmui.Select.from_param(of.bin_s, label="Bins", options=BIN_NAMES, width=124, **common),
            self._clock,
            self._origin(common),
            self._corrections(),
            *([self._series(series)] if self.state.both_series else []),
            *([self._detector()] if self.state.has_detector or self.state.detector else []),
            images,
            align_items="center",
            sizing_mode="stretch_width",
            css_classes=["after-plot"],
        )

    def _origin(self, common: dict[str, Any]) -> pmui.Select:
        """Choice of T0; the flares are those of the window."""
        state = self.state

        def options() -> dict[str, str]:
            return choices(state.t0, state.curves.window, state.curves.flares)

        choice = pmui.Select(label="T0", options=options(), value=state.t0, width=180, **common)
        choice.param.watch(lambda event: state.param.update(t0=event.new), "value")
        state.param.watch(lambda *_: choice.param.update(options=options(), value=state.t0), ["curves", "t0"])
        return choice

    def _corrections(self) -> pmui.CheckButtonGroup:
        """Switches of the corrections; they show what is applied, also by default."""
        state = self.state

        def applied() -> list[str]:
            done = state.curves.corrections
            return [name for name, on in (("livetime", done.live_time), ("attenuator", done.attenuator)) if on]

        def choose(event: Any) -> None:
            for name in {*event.new} ^ {*applied()}:
                state.param.update(**{name: CORRECTED if name in event.new else RECORDED})

        switches = pmui.CheckButtonGroup(
            label="Corrected for",
            options={"live time": "livetime", "attenuator": "attenuator"},
            value=applied(),
            description="",
            size="small",
            margin=(4, 12, 4, 0),
            sx=PLAIN,
        )
        switches.param.watch(choose, "value")
        state.param.watch(lambda *_: switches.param.update(value=applied()), "curves")
        return switches

    def _detector(self) -> pmui.Toggle:
        return pmui.Toggle.from_param(
            self.state.param.detector,
            label="Background detector",
            size="small",
            margin=(4, 12, 4, 0),
            description="",
            sx=CLEARLY_ON | {"textTransform": "none", "whiteSpace": "nowrap"},
        )

    @property
    def _only_one_clock(self) -> bool:
        """Whether there is no choice: the light times are unknown, and no other clock is selected."""
        return bool(self.state.curves.light is None and self.state.clock == Clock.SOLAR_ORBITER)

    def _series(self, series: dict[str, str]) -> pmui.Select:
        now = SIMULATED if self.state.simulated else REAL
        choice = pmui.Select(label="Data", options=series, value=now, width=120, size="small", margin=(4, 12, 4, 0))
        choice.param.watch(lambda event: self.state.param.update(series=event.new), "value")
        return choice

    def _open(self, image_id: str) -> None:
        self.state.opened = image_id

    def _go_to(self, text: str) -> None:
        self._said = ""
        try:
            self.state.go_to(text)
        except (NotUnderstood, Unavailable) as error:
            self._said = f"{str(error).rstrip('.')}."
        self._show_notices()

    def _show_curves(self, *_: Any) -> None:
        state = self.state
        self._plot.show(state.curves, Clock(state.clock))
        if self._clock is not None:
            self._clock.disabled = self._only_one_clock
        self._status.object = wording.status_html(
            state.curves, simulated=state.simulated, downloads=routes_are_served()
        )
        self._about.object = wording.about_html(state.curves, state.extent, simulated=state.simulated)

    def _show_images(self, *_: Any) -> None:
        state = self.state
        self._plot.show_images(state.images)
        self._strip.show(state.images.images)
        html = wording.images_html(state.images, state) if state.pictures else ""
        self._images_head.param.update(object=html, visible=bool(html))

    def _show_notices(self, *_: Any) -> None:
        said = [Notice("warning", self._said)] if self._said else []
        self._notices.show([*self._address_notices, *said, *notices_for(self.state)])


def notices_for(state: LightCurvesState) -> list[Notice]:
    """Notices about what is shown."""
    curves = state.curves
    if curves.problem:
        return [Notice("error", curves.problem)]
    notices = []
    if state.detail_problem:
        notices.append(Notice("warning", f"{state.detail_problem[0].upper()}{state.detail_problem[1:]}."))
    if state.clock != Clock.SOLAR_ORBITER and curves.light is None:
        unknown = why_unknown(simulated=state.simulated)
        notices.append(Notice("warning", f"{unknown} The axis shows UTC at Solar Orbiter."))
    notices += [Notice("info", remark) for remark in curves.remarks]
    if curves.coarser:
        notices.append(Notice("info", "Bins were widened to fit this window."))
    if curves.science is not None:
        notices.append(Notice("info", wording.science_text(curves.science)))
    if not curves.recorded:
        notices.append(Notice("info", wording.nothing_recorded(state.extent, damaged=state.is_damaged)))
    elif state.simulated:
        notices.append(
            Notice("simulated", "These light curves are made from simulated data and do not show real flares.")
        )
    return notices
