"""The operations page: workers, queue, failures, findings of the last check, throughput."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.operations import board
from dashboards.pages.operations.request_list import Line, RequestList
from dashboards.pages.operations.state import OperationsState
from dashboards.panel_patches.document_lock import in_a_thread
from dashboards.shared.access import Visitor
from dashboards.shared.clock import now
from dashboards.shared.frame import frame, is_dark, open_with
from dashboards.shared.navigation import PAGES, SITE
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.opening import opening_html
from dashboards.shared.preloaded import loaded_or
from dashboards.shared.source import archive_source
from dashboards.shared.style import style
from dashboards.shared.visitors import session_visitor

#: Refresh intervals of the journal, and of archive and disk, ms.
WORK_MS, CONDITION_MS = 2_000, 30_000


class OperationsPage:
    """Components around an `OperationsState`; refreshed while the page is open.

    Parameters
    ----------
    state : OperationsState
    visitor : callable
        Returns the current visitor; called at every refresh.
    """

    def __init__(self, state: OperationsState, visitor: Callable[[], Visitor] = session_visitor) -> None:
        self.state, self._visitor = state, visitor
        self._notices = Notices()
        self._tiles, self._failed, self._findings, self._made = (_html() for _ in range(4))
        self._running = RequestList("Running", "No request is running.", "Cancel", "cancel", self._cancel)
        self._waiting = RequestList("Waiting", "No request is waiting.", "Cancel", "cancel", self._cancel)
        self._failures = RequestList(
            "Failed requests, last seven days", "No request has failed.", "Retry", "replay", self._retry
        )
        state.param.watch(self._show_work, "work")
        state.param.watch(self._show_condition, "condition")
        state.param.watch(self._show_notices, ["problem", "answer", "refused"])

    @classmethod
    def from_session(cls) -> OperationsPage:
        """The page for the session being created."""
        page = cls(loaded_or(lambda: cls.load(session_visitor)))
        page._show_work()
        page._show_condition()
        page._show_notices()
        return page

    @classmethod
    def load(cls, visitor: Callable[[], Visitor]) -> OperationsState:
        """Load the state for a visitor from journal, archive and disk."""
        state = OperationsState(archive_source(), now)
        state.load(visitor())
        return state

    def servable(self) -> None:
        """Add the page to the document of this session, and keep it up to date."""
        title = PAGES["operations"]
        self.view().servable(title=f"{title} · {SITE}")
        content = f'<style>{style("pages/operations/operations")}</style><div class="board">{self._tiles.object}</div>'
        open_with(lambda: opening_html(SITE, title, "", content, dark=is_dark()))
        state = self.state
        pn.state.add_periodic_callback(in_a_thread(lambda: state.refresh_work(self._visitor())), WORK_MS)
        pn.state.add_periodic_callback(in_a_thread(lambda: state.refresh_condition(self._visitor())), CONDITION_MS)

    def view(self) -> pmui.Page:
        """The whole page."""
        body = pn.Column(
            self._notices.pane,
            self._tiles,
            self._running.view,
            self._waiting.view,
            self._failures.view,
            self._failed,
            self._made,
            self._findings,
            sizing_mode="stretch_width",
            margin=0,
            stylesheets=[style("shared/image_page")],
        )
        page = frame(
            PAGES["operations"], [body], description="Status of the STIX image archive: queue, workers, failures, disk"
        )
        page.busy_indicator = None  # a page that refreshes every two seconds would always be busy
        return page

    def _cancel(self, request_id: int) -> None:
        self.state.cancel(request_id, self._visitor())

    def _retry(self, request_id: int) -> None:
        self.state.retry(request_id, self._visitor())

    def _show_work(self, *_: Any) -> None:
        work, visitor = self.state.work, self._visitor()
        if work is None:
            return
        may = visitor.may_change_request
        self._running.show(
            [Line(r.request_id, board.running_html(r, visitor, work.now), may(r)) for r in work.running],
            board.unlisted_html(work),
        )
        self._waiting.show(
            [Line(r.request_id, board.waiting_html(n, r, visitor, work.now), may(r)) for n, r in work.waiting]
        )
        self._failures.show(
            [Line(r.request_id, board.failure_html(r, visitor, work.now), may(r)) for r in work.failures]
        )
        self._show_tiles()

    def _show_condition(self, *_: Any) -> None:
        condition = self.state.condition
        if condition is None:
            return
        failed = board.failed_runs_html(condition.failed_runs) if condition.failed_runs else _NO_FAILED
        again = "<small>to retry: stix-jobs previews --uid UID --force</small>" if condition.failed_runs else ""
        self._failed.object = f"<h2>Failed previews{again}</h2>{failed}"
        self._made.object = f"<h2>Throughput</h2>{board.throughput_html(condition)}"
        found = board.findings_html(condition) if condition.found else _NO_FINDINGS
        self._findings.object = (
            f"<h2>Findings of the last check</h2>{found if condition.checked is not None else _NO_CHECK}"
            f"<h2>On disk</h2>{board.disk_usage_html(condition)}"
        )
        self._show_tiles()

    def _show_tiles(self) -> None:
        self._tiles.object = board.tiles_html(self.state.work, self.state.condition)

    def _show_notices(self, *_: Any) -> None:
        notices = []
        if self.state.problem:
            notices.append(Notice("error", self.state.problem))
        if self.state.answer:
            notices.append(Notice("warning" if self.state.refused else "info", self.state.answer))
        self._notices.show(notices)


_NO_FAILED = '<p class="empty">No preview has failed.</p>'
_NO_FINDINGS = '<p class="empty">No findings.</p>'
_NO_CHECK = '<p class="empty">No check has been run yet. Run “stix-jobs check” to compare files and index.</p>'


def _html() -> pn.pane.HTML:
    return pn.pane.HTML("", stylesheets=[style("pages/operations/operations")], sizing_mode="stretch_width", margin=0)
