"""Flares: where on the Sun, how many per time, and a table of them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.flares.columns import chosen_columns
from dashboards.pages.flares.export import export_html
from dashboards.pages.flares.filters import FlareFilters
from dashboards.pages.flares.rate_plot import RatePlot
from dashboards.pages.flares.state import BY_CLASS, BY_TIME, FlaresState
from dashboards.pages.flares.sun_plot import SunPlot
from dashboards.pages.flares.table import FlareTable
from dashboards.pages.flares.views import LOOKS, SunView
from dashboards.shared.access import Visitor
from dashboards.shared.addressed import AddressedPage
from dashboards.shared.frame import frame
from dashboards.shared.image_dialog import OpenedImage
from dashboards.shared.light_times import CLOCKS
from dashboards.shared.links import Links
from dashboards.shared.navigation import PAGES, SITE
from dashboards.shared.notices import Notice, simulated_notices
from dashboards.shared.opening import opening_html, table_html
from dashboards.shared.pager import FIELD, Paging
from dashboards.shared.source import archive_source
from dashboards.shared.style import LOW, style

VIEWS = {LOOKS[view].name: view.value for view in SunView}
COLORS = {"class": BY_CLASS, "time": BY_TIME}
#: Parameters that may cause notices.
NOTICED = ["listing", "complaints", "detail_problem"]


class FlaresPage(AddressedPage[FlaresState]):
    """Widgets around a `FlaresState`.

    Parameters
    ----------
    state : FlaresState
    links : Links
        URLs of the files.
    """

    title = PAGES["flares"]
    description = "Solar flares seen by Solar Orbiter/STIX: position, class, images"

    def __init__(self, state: FlaresState, links: Links) -> None:
        super().__init__(state, links)
        self._table = FlareTable(self._open, self._sort)
        self._sun, self._rate = SunPlot(state.brush_sky), RatePlot(state.brush_time)
        self._sun_text = pn.pane.HTML("", margin=(0, 0, 6, 0), styles={"font-size": "13px"})
        clock = pmui.Select.from_param(state.param.clock, label="Clock at", options=CLOCKS, width=140, **FIELD)
        self._paging = Paging(state.param.page_size, self._turn, clock)
        self._export = pn.pane.HTML(
            "", margin=(8, 0, 2, 0), stylesheets=[style("shared/image_cells"), style("pages/flares/export")]
        )
        self._image = OpenedImage(links, self._open, state.step, state)
        self._body = pn.Column(sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_page")])
        state.param.watch(self._show_flares, ["listing", "columns"])
        state.param.watch(self._show_sky, ["sky", "view", "color"])
        state.param.watch(lambda event: self._image.show(event.new, state.steps), "detail")
        state.param.watch(self._show_notices, NOTICED)

    @classmethod
    def new_state(cls, visitor: Callable[[], Visitor]) -> FlaresState:
        """New state for a visitor, over the archive of this server."""
        return FlaresState(archive_source(), visitor)

    @classmethod
    def opening(cls, state: FlaresState, links: Links, *, dark: bool) -> str:
        """The page as plain HTML, shown until the page is live."""
        listing = state.listing
        rows = () if state.opened else listing.rows
        cells, columns = style("pages/flares/cells"), chosen_columns(state.columns)
        rows_html = table_html(rows, links, columns, sort=state.sort, height=FlareTable.height, boxes=False, css=cells)
        table = f'<div class="maps"></div>{rows_html}' if rows else ""
        return opening_html(
            SITE,
            cls.title,
            listing.range_text("flares") if table else "",
            table,
            dark=dark,
            notices=simulated_notices([row.simulated for row in rows], "flares"),
        )

    def view(self) -> pmui.Page:
        """The whole page."""
        self._body[:] = [
            self._notices.pane,
            FlareFilters(self.state).widget,
            self._figures(),
            self._paging.widget,
            self._table.widget,
            self._export,
            self._image.place,
        ]
        return frame(self.title, [self._body], description=self.description)

    def _figures(self) -> pn.Column:
        """Sun and flare rate side by side; on a telephone they are hidden behind a button."""
        of = self.state.param
        common: dict[str, Any] = {"size": "small", "margin": (6, 12, 4, 0), "description": "", "sx": LOW}
        self._whole = pmui.Button(
            label="Whole Sun", variant="text", size="small", margin=(6, 0), on_click=lambda _: self._forget_area()
        )
        choices = pn.FlexBox(
            pmui.Select.from_param(of.view, label="Sun seen from", options=VIEWS, width=170, **common),
            pmui.Select.from_param(of.color, label="Colour", options=COLORS, width=96, **common),
            self._whole,
            align_items="center",
        )
        self._sun_place = pn.Column(choices, self._sun.pane, margin=(0, 16, 0, 0))
        rate = pn.Column(self._rate.pane, self._sun_text, margin=0, styles={"flex": "1 1 340px"})
        self._figure_row = pn.FlexBox(self._sun_place, rate, sizing_mode="stretch_width", css_classes=["foldable"])
        fold = pmui.Button(
            label="Sun and flare rate", icon="public", variant="text", size="small", margin=(0, 4, 4, 0),
            css_classes=["fold"], on_click=lambda _: self._fold(),
        )  # fmt: skip
        self._show_sky()
        return pn.Column(
            fold, self._figure_row, sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/filters")]
        )

    def _fold(self) -> None:
        is_open = "open" in self._figure_row.css_classes
        self._figure_row.css_classes = ["foldable"] if is_open else ["foldable", "open"]

    def _forget_area(self) -> None:
        self.state.box = ""

    def _open(self, image_id: str) -> None:
        self.state.opened = image_id

    def _sort(self, columns: list[str]) -> None:
        self.state.sort = columns

    def _turn(self, page: int) -> None:
        self.state.page = page

    def _show_flares(self, *_: Any) -> None:
        state = self.state
        self._table.choose(chosen_columns(state.columns))
        self._table.show(state.listing.rows, state.sort, self._links)
        self._paging.show(state.listing, "flares")
        # without routes there is no API
        self._export.object = export_html(state.flare_filter(), state.listing.total) if self._links.cheap else ""

    def _show_sky(self, *_: Any) -> None:
        if not hasattr(self, "_whole"):  # before the view is made
            return
        state = self.state
        self._sun_text.object = escape(self._sun.show(state.sky, SunView(state.view), state.color))
        is_map = state.view == SunView.CARRINGTON
        # the row wraps where there is no space for both: on a telephone
        self._sun_place.styles = {"flex": "1 1 340px" if is_map else "0 0 370px", "min-width": "0", "max-width": "100%"}
        self._rate.show(state.sky)
        self._whole.visible = bool(state.box)

    def _show_notices(self, *_: Any) -> None:
        self._notices.show([*self._address_notices, *notices_for(self.state)])


def notices_for(state: FlaresState) -> list[Notice]:
    """Notices about what is shown."""
    listing = state.listing
    notices = [Notice("warning", f"{complaint}.") for complaint in state.complaints.values()]
    if listing.problem:
        return [*notices, Notice("error", listing.problem)]
    if state.detail_problem:
        notices.append(Notice("warning", f"{state.detail_problem[0].upper()}{state.detail_problem[1:]}."))
    if listing.total == 0:
        notices.append(Notice("info", _nothing(state)))
    return [*notices, *simulated_notices([row.simulated for row in listing.rows], "flares")]


def _nothing(state: FlaresState) -> str:
    if state.filtered:
        return "No flare matches the filter."
    if state.is_damaged:
        return "Cannot show any flare: that part of the index is damaged."
    return "The archive has no flares yet. Run “stix-jobs ingest”, then “stix-jobs flares”."
