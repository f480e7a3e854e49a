"""The image archive: all images, newest first, actions on selected ones, and bands without images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.image_archive import files_without_images
from dashboards.pages.image_archive.compare_view import CompareView
from dashboards.pages.image_archive.export_view import ExportActions
from dashboards.pages.image_archive.filters import ImageFilters
from dashboards.pages.image_archive.selection import MOST
from dashboards.pages.image_archive.selection_bar import SelectionBar
from dashboards.pages.image_archive.set_columns import shown_columns
from dashboards.pages.image_archive.state import (
    COMPARE_TAB,
    IMAGES_TAB,
    NO_IMAGE_TAB,
    SETS_TAB,
    TABS,
    TRACKS_TAB,
    ImageArchiveState,
)
from dashboards.pages.image_archive.table import ImageTable, SetTable
from dashboards.pages.image_archive.tracks_view import TracksView
from dashboards.shared.access import Visitor
from dashboards.shared.addressed import AddressedPage
from dashboards.shared.frame import frame
from dashboards.shared.image_columns import chosen_columns
from dashboards.shared.image_dialog import OpenedImage
from dashboards.shared.links import Links
from dashboards.shared.listing import Listing
from dashboards.shared.navigation import PAGES, SITE
from dashboards.shared.notices import Notice, simulated_notices
from dashboards.shared.opening import opening_html, table_html
from dashboards.shared.pager import Paging
from dashboards.shared.source import archive_source
from dashboards.shared.style import style
from dashboards.shared.visitors import session_visitor

#: Parameters that may cause notices.
NOTICED = ["listing", "sets", "runs", "complaints", "detail_problem", "selection_problem", "tab"]
#: Tab → its list and page in the state, and what it lists.
LISTS = {
    SETS_TAB: ("sets", "sets_page", "image sets"),
    NO_IMAGE_TAB: ("runs", "runs_page", "bands without image"),
    **dict.fromkeys((IMAGES_TAB, COMPARE_TAB, TRACKS_TAB), ("listing", "page", "images")),
}
TABLE_TABS = (SETS_TAB, IMAGES_TAB, NO_IMAGE_TAB)
PLAIN_TABS = {"& .MuiTab-root": {"textTransform": "none", "fontSize": "15px", "letterSpacing": 0}}


class ImageArchivePage(AddressedPage[ImageArchiveState]):
    """Widgets around an `ImageArchiveState`.

    Parameters
    ----------
    state : ImageArchiveState
    links : Links
        URLs of the files.
    """

    title = PAGES["image_archive"]
    description = "Images of solar flares by Solar Orbiter/STIX"

    def __init__(self, state: ImageArchiveState, links: Links) -> None:
        super().__init__(state, links)
        self._table = ImageTable(self._open, self._sort, state.select)
        self._set_table = SetTable(self._open, state.show_rows, self._sort, state.select)
        self._bar = SelectionBar(
            state.select_all,
            state.select_none,
            lambda: self._go_to(COMPARE_TAB),
            lambda: self._go_to(TRACKS_TAB),
            ExportActions(lambda: state.selected_images(MOST), links, session_visitor),
        )
        self._runs_pane = pn.pane.HTML(
            "", stylesheets=[style("pages/image_archive/files_without_images")], sizing_mode="stretch_width", margin=0
        )
        self._paging = Paging(state.param.page_size, self._turn)
        self._views = {tab: pn.Column(sizing_mode="stretch_width", margin=0) for tab in (COMPARE_TAB, TRACKS_TAB)}
        self._image = OpenedImage(links, self._open, state.step, state)
        self._body = pn.Column(sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_page")])
        state.param.watch(self._show_images, ["listing", "columns"])
        state.param.watch(self._show_sets, "set_rows")
        state.param.watch(self._show_selection, ["selected_rows", "n_selected", "listing", "tab"])
        state.param.watch(self._show_tab, "tab")
        state.param.watch(self._show_runs, "runs")
        state.param.watch(self._show_paging, ["listing", "sets", "runs", "tab"])
        state.param.watch(lambda event: self._image.show(event.new, state.steps), "detail")
        state.param.watch(self._show_notices, NOTICED)

    @classmethod
    def new_state(cls, visitor: Callable[[], Visitor]) -> ImageArchiveState:
        """New state for a visitor, over the archive of this server."""
        return ImageArchiveState(archive_source(), visitor)

    @classmethod
    def opening(cls, state: ImageArchiveState, links: Links, *, dark: bool) -> str:
        """The page as plain HTML, shown until the page is live."""
        text = table = ""
        rows: tuple[Any, ...] = ()
        if state.set_rows and not state.opened and state.tab == SETS_TAB:
            rows, text = state.set_rows, state.sets.range_text("image sets")
            table = table_html(rows, links, shown_columns(rows), sort=state.sort)
        elif state.listing.rows and not state.opened and state.tab == IMAGES_TAB:
            rows, text = state.listing.rows, state.listing.range_text("images")
            table = table_html(rows, links, chosen_columns(state.columns), sort=state.sort)
        return opening_html(
            SITE,
            cls.title,
            text,
            table,
            dark=dark,
            notices=simulated_notices([row.simulated for row in rows], "images"),
        )

    def view(self) -> pmui.Page:
        """The whole page."""
        state = self.state
        self._tabs = pmui.Tabs(
            ("Image sets", self._set_table.widget),
            ("Images", self._table.widget),
            ("Bands without image", self._runs_pane),
            ("Compare", self._views[COMPARE_TAB]),
            ("Tracks", self._views[TRACKS_TAB]),
            active=TABS.index(state.tab),
            dynamic=True,
            sx=PLAIN_TABS,
        )
        self._tabs.param.watch(lambda event: state.param.update(tab=TABS[event.new]), "active")
        self._body[:] = [
            self._notices.pane,
            ImageFilters(state).widget,
            self._bar.widget,
            self._paging.widget,
            self._tabs,
            self._image.place,
        ]
        self._show_tab()
        return frame(self.title, [self._body], description=self.description)

    def _go_to(self, tab: str) -> None:
        self.state.tab = tab

    def _open(self, image_id: str) -> None:
        self.state.opened = image_id

    def _sort(self, columns: list[str]) -> None:
        self.state.sort = columns

    def _turn(self, page: int) -> None:
        self.state.param.update(**{LISTS[self.state.tab][1]: page})

    @property
    def _listing(self) -> Listing[Any]:
        listing: Listing[Any] = getattr(self.state, LISTS[self.state.tab][0])
        return listing

    def _show_sets(self, *_: Any) -> None:
        state = self.state
        self._set_table.show(state.set_rows, state.sort, self._links, state.selected_rows)

    def _show_images(self, *_: Any) -> None:
        state = self.state
        self._table.choose(chosen_columns(state.columns))
        self._table.show(state.listing.rows, state.sort, self._links, state.selected_rows)

    def _show_selection(self, *_: Any) -> None:
        self._table.tick(self.state.selected_rows)
        self._set_table.tick(self.state.selected_rows)
        state = self.state
        matches = 0 if state.tab == NO_IMAGE_TAB else state.listing.total  # a band without image cannot be selected
        self._bar.show(state.n_selected, matches, passing=state.n_selected > 0 and not state.selected)

    def _show_tab(self, *_: Any) -> None:
        """Show the tab of the state; pictures and plots are created when first shown."""
        tab = self.state.tab
        place = self._views.get(tab)
        if place is not None and not place.objects:
            made = CompareView(self.state) if tab == COMPARE_TAB else TracksView(self.state, self._open)
            place.append(made.widget)
        self._tabs.active = TABS.index(tab)
        self._paging.widget.visible = tab in TABLE_TABS

    def _show_runs(self, *_: Any) -> None:
        listing = self.state.runs
        self._runs_pane.object = files_without_images.runs_without_image_html(listing.rows) if listing.rows else ""

    def _show_paging(self, *_: Any) -> None:
        self._paging.show(self._listing, LISTS[self.state.tab][2])

    def _show_notices(self, *_: Any) -> None:
        self._notices.show([*self._address_notices, *notices_for(self.state)])


def notices_for(state: ImageArchiveState) -> list[Notice]:
    """Notices about what is shown."""
    listing: Listing[Any] = getattr(state, LISTS[state.tab][0])
    notices = [Notice("warning", f"{complaint}.") for complaint in state.complaints.values()]
    if state.selection_problem:
        notices.append(Notice("warning", f"{state.selection_problem}."))
    if listing.problem:
        return [*notices, Notice("error", listing.problem)]
    if state.detail_problem:
        notices.append(Notice("warning", f"{state.detail_problem[0].upper()}{state.detail_problem[1:]}."))
    if state.tab not in TABLE_TABS:  # pictures and plots have their own
        return notices
    if listing.total == 0:
        notices.append(Notice("info", _nothing(state)))
    return [*notices, *simulated_notices([row.simulated for row in listing.rows], "images")]


def _nothing(state: ImageArchiveState) -> str:
    what = LISTS[state.tab][2].replace("sets", "set").removesuffix("s").replace("bands", "band")
    if state.filtered:
        return f"No {what} matches the filter."
    if state.is_damaged:
        return f"Cannot show any {what}: that part of the index is damaged."
    if state.tab == NO_IMAGE_TAB:
        return "Every band of every file has images."
    return "The archive has no images yet. Run “stix-jobs ingest”, then “stix-jobs previews”."
