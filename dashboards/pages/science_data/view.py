"""Science data: a table of level-1 files, or one open file with its content and images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from archive.index.schema import SCIENCE_FILES
from dashboards.pages.science_data.file_view import ScienceFileView
from dashboards.pages.science_data.filters import ScienceFilters
from dashboards.pages.science_data.own_file import OwnFiles
from dashboards.pages.science_data.state import ScienceState
from dashboards.pages.science_data.table import FILE_COLUMNS, ScienceTable
from dashboards.shared.access import Visitor
from dashboards.shared.addressed import AddressedPage
from dashboards.shared.clock import now
from dashboards.shared.file_field import FileField
from dashboards.shared.frame import frame
from dashboards.shared.image_dialog import OpenedImage
from dashboards.shared.image_strip import ImageStrip
from dashboards.shared.links import Links
from dashboards.shared.navigation import PAGES, SITE
from dashboards.shared.notices import Notice, simulated_notices
from dashboards.shared.opening import opening_html, table_html
from dashboards.shared.pager import Paging
from dashboards.shared.source import archive_source
from dashboards.shared.style import style
from jobs.imaging.uploads import UploadLimits

#: Cells of the first content.
CELLS = "td { height: 42px; } " + style("pages/science_data/cells")

log = logging.getLogger(__name__)


class ScienceDataPage(AddressedPage[ScienceState]):
    """Widgets around a `ScienceState`.

    Parameters
    ----------
    state : ScienceState
    links : Links
        URLs of files.
    """

    title = PAGES["science_data"]
    description = "Level-1 files of Solar Orbiter/STIX: spectrograms, light curves, images"

    def __init__(self, state: ScienceState, links: Links) -> None:
        super().__init__(state, links)
        self._table: ScienceTable | None = None
        self._opened: ScienceFileView | None = None
        self._image = OpenedImage(links, self._open_image, state.step_image, state)
        self._strip = ImageStrip(links, self._open_image)
        self._paging = Paging(state.param.page_size, self._turn)
        self._content = pn.Column(sizing_mode="stretch_width", margin=0)
        self._body = pn.Column(sizing_mode="stretch_width", margin=0, stylesheets=[style("shared/image_page")])
        state.param.watch(self._show_list, ["listing"])
        state.param.watch(self._show_file, ["detail", "own"])
        self._own = OwnFiles(state.source, now)
        self._own.param.watch(self._show_notices, "problem")
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._own.forget())
        state.param.watch(lambda *_: self._image.show(state.image, state.image_steps), ["image", "detail"])
        state.param.watch(self._show_notices, ["listing", "detail", "own", "complaints", "detail_problem"])

    @classmethod
    def new_state(cls, visitor: Callable[[], Visitor]) -> ScienceState:
        """New state for a visitor, over the archive of this server."""
        return ScienceState(archive_source(), visitor())

    @classmethod
    def document_title(cls, state: ScienceState) -> str:
        """Title of the browser's tab."""
        return f"{state.uid + ' · ' if state.uid else ''}{cls.title} · {SITE}"

    @classmethod
    def opening(cls, state: ScienceState, links: Links, *, dark: bool) -> str:
        """The page as plain HTML, shown until the page is live."""
        rows = () if state.detail else state.listing.rows
        total = state.listing.range_text("files") if rows else (state.uid if state.detail else "")
        notices = simulated_notices([file.simulated for file in rows], "files")
        table = (
            table_html(rows, links, FILE_COLUMNS, sort=state.sort, height=ScienceTable.height, boxes=False, css=CELLS)
            if rows
            else ""
        )
        return opening_html(SITE, cls.title, total, table, dark=dark, notices=notices)

    def view(self) -> pmui.Page:
        """The whole page."""
        self._body[:] = [self._notices.pane, self._content, self._image.place]
        return frame(self.title, [self._body], description=self.description)

    # List of files ---------------------------------------------------------------------------------------------------

    def _show_list(self, *_: Any) -> None:
        if self._table is None:
            return
        listing = self.state.listing
        self._table.show(listing.rows, self.state.sort, self._links)
        self._paging.show(listing, "files")

    def _list(self) -> list[Any]:
        if self._table is None:
            self._table = ScienceTable(self.state.open_file, self._sort)
        self._show_list()
        return [ScienceFilters(self.state).widget, self._paging.widget, self._table.widget, self._upload()]

    def _upload(self) -> pn.Column:
        """Upload field for a file of the visitor's own."""
        field = FileField(
            label="Open your own file",
            accept=".fits",
            max_file_size=UploadLimits().size,
            variant="outlined",
            size="small",
            margin=(14, 0, 4, 0),
            description="",
            stylesheets=[style("shared/file_input")],
        )

        def received(event: Any) -> None:
            if event.new:
                detail = self._own.receive(field.filename or "unnamed.fits", event.new)
                if detail is not None:
                    self.state.own = detail

        field.param.watch(received, "value")
        said = pn.pane.HTML(
            f"Level-1 pixel data or a spectrogram, at most {UploadLimits().size >> 20} MiB. The file stays in this "
            "session, is not added to the archive, and is deleted when you leave.",
            styles={"font-size": "13px"},
            margin=(0, 0, 12, 0),
        )
        return pn.Column(field, said, sizing_mode="stretch_width", margin=0)

    def _sort(self, columns: list[str]) -> None:
        self.state.sort = columns

    def _turn(self, page: int) -> None:
        self.state.page = page

    # Open file -------------------------------------------------------------------------------------------------------

    def _show_file(self, *_: Any) -> None:
        detail = self.state.own or self.state.detail
        if detail is None:
            self._opened = None
            self._strip.show(())
            self._content[:] = self._list()
            return
        if self._opened is None or self._opened.detail.file != detail.file:
            own = self._own if self.state.own is not None else None
            self._opened = ScienceFileView(self.state, detail, self._links, self._strip, own)
            self._content[:] = [self._opened.view()]
        self._opened.show_images(detail)

    def _open_image(self, image_id: str) -> None:
        self.state.opened_image = image_id

    def _show_notices(self, *_: Any) -> None:
        own = [Notice("warning", f"{self._own.problem.rstrip('.')}.")] if self._own.problem else []
        self._notices.show([*self._address_notices, *own, *notices_for(self.state)])


def notices_for(state: ScienceState) -> list[Notice]:
    """Notices about what is shown."""
    notices = [Notice("warning", f"{complaint}.") for complaint in state.complaints.values()]
    if state.detail_problem:
        notices.append(Notice("warning", f"{state.detail_problem[0].upper()}{state.detail_problem[1:]}."))
    if state.own is not None:
        notices.append(
            Notice("info", "This is your own file. It is kept for this session only and deleted when you leave.")
        )
    shown = state.own or state.detail
    if shown is not None:
        if shown.file.simulated:
            notices.append(Notice("simulated", "This file contains simulated data, not a real flare."))
        return notices
    if state.listing.problem:
        return [*notices, Notice("error", state.listing.problem)]
    if state.listing.total == 0:
        notices.append(Notice("info", _nothing(state)))
    return [*notices, *simulated_notices([file.simulated for file in state.listing.rows], "files")]


def _nothing(state: ScienceState) -> str:
    if state.filtered:
        return "No file matches the filter."
    if state.source.lacks(SCIENCE_FILES.name):
        return "Cannot show any file: that part of the index is damaged."
    return "The archive has no science files yet. Run “stix-jobs ingest FOLDER --archive DIR”."
