"""The image archive: every image, newest first, and the bands that have none."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel.ui as pmui

from archive.layout import METHODS
from dashboards.components import imageless, words
from dashboards.components.frame import PAGES, SITE, follow_address, frame, is_dark, open_with
from dashboards.components.image_dialog import ImageDialog
from dashboards.components.image_table import ImageTable
from dashboards.components.notices import Notice, Notices
from dashboards.components.opening import opening_html, table_html
from dashboards.components.style import style
from dashboards.state.images import IMAGELESS_TAB, IMAGES_TAB, ImageArchiveState
from dashboards.state.listing import Listing
from dashboards.state.selection import ANY, DOUBTFUL, TRUSTED
from dashboards.state.source import Unavailable, archive_source
from dashboards.web.links import InlineLinks, Links, RouteLinks, routes_are_served
from dashboards.web.visitors import session_visitor

#: Bands people look for: those of the previews and those of the quick-look light curves.
BANDS = {"any energy": ""} | {
    f"{low}–{high} keV": f"{low}-{high}" for low, high in ((4, 10), (10, 15), (15, 25), (16, 28), (25, 50), (50, 84))
}
TRUST = {"trusted or not": ANY, "trusted": TRUSTED, "doubtful": DOUBTFUL}
TABS = (IMAGES_TAB, IMAGELESS_TAB)

#: A choice of several, as low as the fields beside it.
LOW = {"& .MuiSelect-select": {"paddingTop": "8.5px", "paddingBottom": "8.5px"}}
PLAIN_TABS = {"& .MuiTab-root": {"textTransform": "none", "fontSize": "15px", "letterSpacing": 0}}


class ImageArchivePage:
    """Widgets around an `ImageArchiveState`.

    Parameters
    ----------
    state : ImageArchiveState
    links : Links
        Where the browser finds the files.
    """

    def __init__(self, state: ImageArchiveState, links: Links) -> None:
        self.state, self._links = state, links
        self._address_notices: list[Notice] = []
        self._notices = Notices()
        self._table = ImageTable(self._open, self._sort)
        self._imageless = pn.pane.HTML("", stylesheets=[style("imageless")], sizing_mode="stretch_width", margin=0)
        self._total = pn.pane.HTML("", margin=(8, 0), styles={"font-size": "14px", "flex": "1 1 auto"})
        self._pager = pmui.Pagination(count=1, value=0, size="small", margin=(2, 0), shape="rounded")
        self._dialog: ImageDialog | None = None
        self._body = pn.Column(sizing_mode="stretch_width", margin=0, stylesheets=[style("image_page")])
        state.param.watch(self._show_images, "listing")
        state.param.watch(self._show_imageless, "imageless")
        state.param.watch(self._show_paging, ["listing", "imageless", "tab"])
        state.param.watch(self._show_detail, "detail")
        state.param.watch(self._show_notices, ["listing", "imageless", "complaints", "detail_problem", "tab"])
        self._pager.param.watch(self._turn, "value")

    @classmethod
    def from_session(cls) -> ImageArchivePage:
        """The page for the session that is being made: archive of this server, state from the address."""
        source = archive_source()
        try:
            links: Links = RouteLinks() if routes_are_served() else InlineLinks(source.archive())
        except Unavailable:
            links = RouteLinks()  # there will be nothing to link to
        page = cls(ImageArchiveState(source, session_visitor()), links)
        page.follow_address()
        return page

    def follow_address(self) -> None:
        """Take the state from the address, keep the address up to date, and load."""
        self._address_notices = [Notice("warning", complaint) for complaint in follow_address(self.state)]
        self.state.load()
        self._show_notices()

    def servable(self) -> None:
        """Put the page into the document of this session."""
        title = PAGES["image_archive"]
        self.view().servable(title=f"{title} · {SITE}")
        listing = self.state.listing
        table = table_html(listing.rows, self._links) if listing.rows and not self.state.opened else ""
        open_with(opening_html(SITE, title, listing.range_text("images") if table else "", table, dark=is_dark()))

    def view(self) -> pmui.Page:
        """The whole page."""
        state = self.state
        tabs = pmui.Tabs(
            ("Images", self._table.widget),
            ("Bands without image", self._imageless),
            active=TABS.index(state.tab),
            dynamic=True,
            sx=PLAIN_TABS,
        )
        tabs.param.watch(lambda event: state.param.update(tab=TABS[event.new]), "active")
        self._body[:] = [
            self._notices.pane,
            self._filters(),
            pn.FlexBox(self._total, self._page_size(), self._pager, sizing_mode="stretch_width", align_items="center"),
            tabs,
            *([self._dialog.widget] if self._dialog else []),
        ]
        return frame(PAGES["image_archive"], [self._body], description="Images of solar flares by Solar Orbiter/STIX")

    # -----------------------------------------------------------------------------------------------------------------

    def _filters(self) -> pn.FlexBox:
        of = self.state.param
        common: dict[str, Any] = {"size": "small", "margin": (6, 12, 4, 0), "description": ""}
        bands = {**BANDS, **({} if self.state.band in BANDS.values() else {self.state.band: self.state.band})}
        methods = {words.method_name(method): method for method in METHODS}
        of_images = [
            pmui.Select.from_param(of.band, label="Energy", options=bands, width=140, **common),
            pmui.MultiChoice.from_param(
                of.methods,
                label="Method",
                options=methods,
                chip=False,
                width=220,
                sx=LOW,
                stylesheets=[style("low_choice")],
                **(common | {"size": None}),
            ),
            pmui.Select.from_param(of.trust, label="Trust", options=TRUST, width=150, **common),
        ]

        def enable(*_: Any) -> None:
            for widget in of_images:
                widget.disabled = self.state.tab != IMAGES_TAB

        enable()
        self.state.param.watch(enable, "tab")
        return pn.FlexBox(
            pmui.TextInput.from_param(of.start, label="From (UTC)", placeholder="2022-11-11", width=150, **common),
            pmui.TextInput.from_param(of.end, label="To (UTC)", placeholder="2022-11-11T18:00", width=165, **common),
            pmui.TextInput.from_param(of.text, label="Uid, flare or image id", width=180, **common),
            *of_images,
            pmui.Button(
                label="Clear", variant="text", size="small", margin=(8, 0), on_click=lambda _: self.state.clear_filter()
            ),
            align_items="center",
            sizing_mode="stretch_width",
        )

    def _page_size(self) -> pmui.Select:
        return pmui.Select.from_param(
            self.state.param.page_size, label="Rows", width=84, size="small", margin=(6, 12, 0, 0), description=""
        )

    def _open(self, image_id: str) -> None:
        self.state.opened = image_id

    def _sort(self, columns: list[str]) -> None:
        self.state.sort = columns

    def _turn(self, event: Any) -> None:
        listing = self._listing
        if event.new is not None and event.new + 1 != listing.page:
            self.state.param.update(**{self._page_name: event.new + 1})

    @property
    def _listing(self) -> Listing[Any]:
        listing: Listing[Any] = self.state.listing if self.state.tab == IMAGES_TAB else self.state.imageless
        return listing

    @property
    def _page_name(self) -> str:
        return "page" if self.state.tab == IMAGES_TAB else "imageless_page"

    def _show_images(self, *_: Any) -> None:
        self._table.show(self.state.listing.rows, self.state.sort, self._links)

    def _show_imageless(self, *_: Any) -> None:
        listing = self.state.imageless
        self._imageless.object = imageless.imageless_html(listing.rows) if listing.rows else ""

    def _show_paging(self, *_: Any) -> None:
        listing = self._listing
        self._total.object = listing.range_text("images" if self.state.tab == IMAGES_TAB else "bands without image")
        steps = {"count": listing.pages, "value": listing.page - 1}
        # the pager's value must lie below its count at every moment
        for name in steps if listing.pages > self._pager.count else reversed(steps):
            setattr(self._pager, name, steps[name])

    def _show_detail(self, *_: Any) -> None:
        detail = self.state.detail
        if detail is None:
            if self._dialog is not None:
                self._dialog.close()
            return
        if self._dialog is None:  # most visits never open it
            self._dialog = ImageDialog(self._links, self._open, self.state.step)
            self._dialog.show(detail)
            self._body.append(self._dialog.widget)
        else:
            self._dialog.show(detail)

    def _show_notices(self, *_: Any) -> None:
        self._notices.show([*self._address_notices, *notices_for(self.state)])


def notices_for(state: ImageArchiveState) -> list[Notice]:
    """What a visitor must be told about what is shown."""
    listing = state.listing if state.tab == IMAGES_TAB else state.imageless
    notices = [Notice("warning", f"{complaint}.") for complaint in state.complaints.values()]
    if listing.problem:
        return [*notices, Notice("error", listing.problem)]
    if state.detail_problem:
        notices.append(Notice("warning", f"{state.detail_problem[0].upper()}{state.detail_problem[1:]}."))
    simulated = sum(row.image.simulated for row in state.listing.rows) if state.tab == IMAGES_TAB else 0
    if listing.total == 0:
        notices.append(Notice("info", _nothing(state)))
    elif simulated:
        which = "These images are" if simulated == len(listing.rows) else "Some of these images are"
        notices.append(Notice("simulated", f"{which} made from simulated data and show no real flares."))
    return notices


def _nothing(state: ImageArchiveState) -> str:
    what = "image" if state.tab == IMAGES_TAB else "band without image"
    if state.filtered:
        return f"No {what} is in this selection."
    if state.tab == IMAGELESS_TAB:
        return "Every band of every file has its images."
    return "The archive holds no images yet. They appear after “stix-jobs ingest” and “stix-jobs previews”."
