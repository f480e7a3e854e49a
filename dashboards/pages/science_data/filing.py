"""Controls that file what a form measures in the archive, and the state of that request."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn
import panel.ui as pmui

from archive.layout import REGIONS_RECORD, SPECTRUM_RECORD
from dashboards.pages.science_data import form_parts as parts
from dashboards.pages.science_data.file_form import FileForm
from dashboards.pages.science_data.tracking import RequestStatus, Tracking
from dashboards.panel_patches.document_lock import in_a_thread
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.notices import Notice, Notices
from jobs.queue.journal import RequestState
from jobs.queue.journal_file import REGIONS, SPECTRUM
from jobs.queue.measurement_requests import QueuedRequest

#: Interval for checking the journal while a request is open, ms.
LOOK_MS = 1000
#: Kind of a request → folder of its files in URLs, and the record among them.
_FILED = {SPECTRUM: ("archive/spectrum", SPECTRUM_RECORD), REGIONS: ("archive/regions", REGIONS_RECORD)}


class Filing:
    """Widgets around a `Tracking`.

    Parameters
    ----------
    tracking : Tracking
    visitor : callable
        Returns the current visitor.
    form : FileForm
        Its ``hidden`` is chosen here.
    build : callable
        The request of the form.
    on_filed : callable
        Called when the result is in the archive.
    """

    def __init__(
        self,
        tracking: Tracking,
        visitor: Callable[[], Visitor],
        form: FileForm,
        build: Callable[[], QueuedRequest],
        on_filed: Callable[[], None],
    ) -> None:
        self._tracking, self._visitor, self._build, self._on_filed = tracking, visitor, build, on_filed
        self._filed = 0
        self._timer: Any = None
        self._document = pn.state.curdoc
        self._state, self._notices = parts.html_pane(), Notices()
        self.button = pmui.Button(
            label="File in the archive",
            icon="archive",
            variant="outlined",
            size="small",
            margin=(6, 10, 6, 0),
            on_click=lambda _: self._submit(),
        )
        self.hidden = pmui.Checkbox.from_param(
            form.param.hidden, label="Hidden from others", size="small", margin=(6, 10, 6, 0), description=""
        )
        tracking.param.watch(self._show, ["status", "problem", "answered"])

    def view(self) -> pn.Column:
        """State of the request, and why it was refused."""
        return pn.Column(self._notices.pane, self._state, sizing_mode="stretch_width", margin=0)

    def _submit(self) -> None:
        if self._visitor().name is None:
            self._notices.show([Notice("info", "Sign in (top right) to file spectra in the archive.")])
            return
        self._tracking.submit(self._build)
        self._watch()

    def _watch(self) -> None:
        """Poll while the request is open."""
        if self._document is None:
            return
        if self._tracking.is_open and self._timer is None:
            self._timer = pn.state.add_periodic_callback(in_a_thread(self._tick), LOOK_MS)
        elif not self._tracking.is_open and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _tick(self) -> None:
        self._tracking.refresh()
        self._watch()

    def _show(self, *_: Any) -> None:
        tracking = self._tracking
        self._state.object = filed_html(tracking.status, answered=tracking.answered)
        said = formatting.sentence(tracking.problem) if tracking.problem else ""
        self._notices.show([Notice("warning", said)] if said else [])
        request = None if tracking.status is None else tracking.status.request
        if request is not None and request.state is RequestState.DONE and request.request_id != self._filed:
            self._filed = request.request_id
            self._on_filed()


def filed_html(status: RequestStatus | None, *, answered: bool) -> str:
    """State of a request for spectra; when it is done, a link to what was filed."""
    if status is None or status.request.state is not RequestState.DONE:
        return parts.status_html(status, answered=answered)
    request = status.request
    how = "is in the archive already" if answered else "is done and filed"
    folder, record = _FILED[request.kind]
    links = "".join(
        f" <a href='{folder}/{escape(part.run_id)}/{record}'>{record}</a>" for part in status.parts if part.run_id
    )
    return f"<p class='done'><b>Request {request.request_id}</b> {how}.{links} {escape(request.reason or '')}</p>"
