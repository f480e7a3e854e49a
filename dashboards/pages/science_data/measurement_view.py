"""What the views of spectra and of regions have in common: feedback on a form, and a measurement in the background."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import panel as pn

from dashboards.pages.science_data.file_form import FileForm
from dashboards.pages.science_data.file_state import FileView, TimeEnergySelection
from dashboards.pages.science_data.filing import Filing
from dashboards.pages.science_data.limited_threads import LimitedThreads
from dashboards.pages.science_data.newest_only import NewestOnly
from dashboards.pages.science_data.window_fields import WindowFields
from dashboards.panel_patches.document_lock import locked_updates
from dashboards.shared.notices import Notices
from dashboards.shared.style import style
from dashboards.shared.visitors import session_client
from jobs.shared.errors import ExecutorFault, LimitReached
from stixcore.errors import StixError, public_sentence

log = logging.getLogger(__name__)

#: Buttons in a row.
BUTTON: dict[str, Any] = {"size": "small", "margin": (6, 10, 6, 0)}


class MeasurementView[Form: FileForm, Feedback, Result](ABC):
    """Widgets around a form; everything slow runs in other threads.

    Parameters
    ----------
    view : FileView
    form : FileForm
    clock : callable
        Returns the current time, UTC.
    is_shown : callable
        Whether the visitor sees this view; nothing is computed while it is hidden.
    filing : Filing, optional
        Files the measurement in the archive; None for a file of the visitor's own.

    Attributes
    ----------
    feedback
        On the selection and the form; None before the first.
    result
        Of the last measurement; None if there is none, or it failed.
    """

    #: Whether the energies of the selection can be typed.
    energies: bool
    threads: LimitedThreads

    def __init__(
        self,
        view: FileView,
        form: Form,
        clock: Callable[[], np.datetime64],
        is_shown: Callable[[], bool],
        filing: Filing | None = None,
    ) -> None:
        self._filing = filing
        self._view, self._form, self._clock, self._is_shown = view, form, clock, is_shown
        self._previews, self._is_measuring, self._is_closed = NewestOnly(), False, False
        self._in_turn = locked_updates(pn.state.curdoc)
        self._client = session_client()
        self._window = WindowFields(view, self.refresh, energies=self.energies)
        self._notices = Notices()
        self.feedback: Feedback | None = None
        self.result: Result | None = None
        self._build()
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._close())

    def refresh(self) -> None:
        """Show the selection, and feedback on it."""
        self._window.show()
        self._ask()

    @abstractmethod
    def _build(self) -> None:
        """Make the widgets."""

    @abstractmethod
    def _feedback_on(self, box: TimeEnergySelection) -> Feedback:
        """Feedback on a box, in another thread; errors are part of it."""

    @abstractmethod
    def _show(self, feedback: Feedback) -> None:
        """Show new feedback."""

    @abstractmethod
    def _measured(self, box: TimeEnergySelection) -> Result:
        """Measure a box, in another thread; raises `StixError`, `ExecutorFault` or `OSError`."""

    @abstractmethod
    def _show_begin(self) -> None:
        """Show that a measurement has started."""

    @abstractmethod
    def _end(self, problem: str, result: Result | None) -> None:
        """Show a result, or without one the problem."""

    def _ask(self) -> None:
        """Start to compute feedback; earlier computations are discarded."""
        box = self._view.box
        if box is None or not self._is_shown():
            return

        def compute() -> None:
            feedback = self._feedback_on(box)
            if self._view.box is box:  # no other box was drawn meanwhile
                self._in_turn(partial(self._show, feedback))

        self._previews.ask(compute)

    def measure(self) -> None:
        """Start a measurement of the selection; one at a time."""
        box = self._view.box
        if box is None or self._is_measuring:
            return

        def work() -> None:
            if self._is_closed:
                return
            try:
                result = self._measured(box)
            except (StixError, ExecutorFault, OSError) as error:
                self._in_turn(partial(self._end, public_sentence(error), None))
            except Exception:
                log.exception("a measurement of %s failed", self._form.name_of)
                self._in_turn(partial(self._end, "it failed; operators can find the reason in the log", None))
            else:
                self._in_turn(partial(self._end, "", result))

        self._is_measuring = True
        self._notices.show([])
        self._show_begin()
        try:
            self.threads.run(work, self._client)
        except LimitReached as error:
            self._end(str(error), None)

    def _close(self) -> None:
        """The session has ended: compute nothing more, and keep nothing."""
        self._previews.close()
        self._is_closed = True
        self.feedback = self.result = None


def text_pane() -> pn.pane.HTML:
    """Container for text."""
    sheets = [style("pages/science_data/analysis"), style("pages/science_data/spectrum")]
    return pn.pane.HTML("", stylesheets=sheets, sizing_mode="stretch_width", margin=0)
