"""The spectrum of a selection: form, feedback before the fit, and the fit with its figure, table and files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import spectrum_texts as texts
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.filing import Filing
from dashboards.pages.science_data.newest_only import NewestOnly
from dashboards.pages.science_data.prefilled_spectrum import spectrum_address
from dashboards.pages.science_data.spectrum_feedback import SpectrumFeedback, spectrum_feedback
from dashboards.pages.science_data.spectrum_fields import SpectrumFields
from dashboards.pages.science_data.spectrum_form import SpectrumForm
from dashboards.pages.science_data.spectrum_result import SpectrumResult, fit_box, run_later
from dashboards.pages.science_data.state import SPECTRUM_TAB
from dashboards.pages.science_data.window_fields import WindowFields
from dashboards.panel_patches.document_lock import locked_updates
from dashboards.shared import formatting
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.spectrum_figure import SpectrumFigure
from dashboards.shared.spectrum_table import spectrum_html
from dashboards.shared.style import style
from jobs.spectra.products import describe_spectrum
from stixcore.errors import StixError, public_sentence

log = logging.getLogger(__name__)

CHANGED = "<p>The form has changed since the last fit.</p>"
FITTING = "<p>Fitting…</p><progress aria-label='fitting'></progress>"


class SpectrumView:
    """Widgets around a `SpectrumForm`.

    Parameters
    ----------
    view : FileView
    form : SpectrumForm
    clock : callable
        Returns the current time, UTC.
    is_shown : callable
        Whether the visitor sees this view; nothing is computed while it is hidden.
    filing : Filing, optional
        Files the spectrum in the archive; None for a file of the visitor's own.
    """

    def __init__(
        self,
        view: FileView,
        form: SpectrumForm,
        clock: Callable[[], np.datetime64],
        is_shown: Callable[[], bool],
        filing: Filing | None = None,
    ) -> None:
        self._filing = filing
        self._view, self._form, self._clock, self._is_shown = view, form, clock, is_shown
        self._previews, self._is_fitting, self._is_closed = NewestOnly(), False, False
        self._in_turn = locked_updates(pn.state.curdoc)
        self._window = WindowFields(view, self.refresh, energies=False)
        self._fields = SpectrumFields(form)
        self._figure = SpectrumFigure(260)
        self._known, self._link, self._found = _pane(), _pane(), _pane()
        self._notices = Notices()
        self.feedback: SpectrumFeedback | None = None
        self.result: SpectrumResult | None = None
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._close())

    def view(self) -> pn.Column:
        """All components."""
        self._view.param.watch(lambda *_: self.refresh(), "box")
        self._form.param.watch(lambda *_: self._ask(), list(self._form.options))
        self._advanced = pn.Column(
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
            stylesheets=[style("pages/science_data/advanced_form")],
        )
        left = pn.Column(
            *self._times(),
            *self._fields.usual(),
            self._advanced,
            self._actions(),
            self._notices.pane,
            *([] if self._filing is None else [self._filing.view()]),
            self._known,
            self._link,
            sizing_mode="stretch_width",
            margin=0,
        )
        right = pn.Column(
            pn.pane.Bokeh(self._figure.model, sizing_mode="stretch_width", margin=0),
            self._found,
            sizing_mode="stretch_width",
            margin=0,
        )
        both = pn.Column(
            left, right, sizing_mode="stretch_width", stylesheets=[style("pages/science_data/side_by_side")], margin=0
        )
        if self._form.differs_in_advanced:  # filled in from the URL: say so
            self._open_advanced(None)
        if self._view.box is None:
            self._view.box = self._view.peak_minute()  # calls `refresh`
        else:
            self.refresh()
        return pn.Column(both, sizing_mode="stretch_width", margin=(8, 0))

    def refresh(self) -> None:
        """Show the selection, and feedback on it."""
        self._window.show()
        self._ask()

    # Fields ----------------------------------------------------------------------------------------------------------

    def _times(self) -> list[Any]:
        said = "Drag a box over the spectrogram: its time range is measured, at all energies of the file."
        return [self._window.view, pn.pane.HTML(said, styles={"font-size": "13px"}, margin=0)]

    def _actions(self) -> pn.FlexBox:
        button: dict[str, Any] = {"size": "small", "margin": (6, 10, 6, 0)}
        self._fit = pmui.Button(label="Fit", icon="play_arrow", on_click=lambda _: self.fit(), **button)
        self._download = pmui.FileDownload(
            callback=self._files,
            filename="stx_spectrum.zip",
            label="Download this fit (ZIP)",
            icon="download",
            variant="outlined",
            visible=False,
            **button,
        )
        more = pmui.Button(label="Advanced", icon="tune", variant="text", on_click=self._open_advanced, **button)
        filing = [] if self._filing is None else [self._filing.button]
        parts = (self._fit, more, *filing, self._download)
        return pn.FlexBox(*parts, sizing_mode="stretch_width", align_items="center")

    def _open_advanced(self, _: Any) -> None:
        if not self._advanced.objects:  # most visits never open it
            self._advanced[:] = self._fields.advanced()
        self._advanced.visible = not self._advanced.visible

    # Before the fit --------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Start to compute feedback; earlier computations are discarded."""
        box = self._view.box
        if box is None or not self._is_shown():
            return

        def compute() -> None:
            feedback = spectrum_feedback(self._form, box)
            if self._view.box is box:  # no other box was drawn meanwhile
                self._in_turn(partial(self._show, feedback))

        self._previews.ask(compute)

    def _show(self, feedback: SpectrumFeedback) -> None:
        self.feedback = feedback
        self._known.object = texts.feedback_html(feedback)
        self._link.object = texts.link_html(spectrum_address(self._form, feedback.box, SPECTRUM_TAB))
        if feedback.choice is not None:
            self._fields.show_backgrounds(feedback.choice)
        self._fit.disabled = bool(feedback.refusals) or self._is_fitting
        if self._filing is not None:
            self._filing.button.disabled = bool(feedback.refusals)
        result = self.result
        if result is not None and not feedback.refusals and result.answers(feedback.request, feedback.background_file):
            self._show_result(result)
            return
        measured = feedback.measured
        self._figure.show(None if measured is None else describe_spectrum(measured, {}))
        self._download.visible = False
        if result is not None and self._found.object != FITTING:
            self._found.object = CHANGED

    # Fit -------------------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Start the fit of the selection; one at a time."""
        box = self._view.box
        if box is None or self._is_fitting:
            return

        def compute() -> None:
            if self._is_closed:
                return
            try:
                result = fit_box(self._form, box)
            except (StixError, OSError) as error:
                self._in_turn(partial(self._end, public_sentence(error), None))
            except Exception:
                log.exception("a fit of %s failed", self._form.name_of)
                self._in_turn(partial(self._end, "it failed; the operators find the reason in the log", None))
            else:
                self._in_turn(partial(self._end, "", result))

        try:
            run_later(compute)
        except StixError as error:
            self._show_problem(str(error))
            return
        self._is_fitting = self._fit.disabled = True
        self._notices.show([])
        self._found.object = FITTING

    def _end(self, problem: str, result: SpectrumResult | None) -> None:
        known = self.feedback
        self._is_fitting, self._fit.disabled = False, known is not None and bool(known.refusals)
        self.result = result
        if result is None:
            self._show_problem(problem)
        elif known is None or (not known.refusals and result.answers(known.request, known.background_file)):
            self._show_result(result)
        else:  # feedback on the same selection may follow, and then the fit is shown
            self._found.object = CHANGED

    def _show_problem(self, problem: str) -> None:
        self.result, self._found.object, self._download.visible = None, "", False
        self._notices.show([Notice("warning", f"No fit. {formatting.sentence(problem)}")])

    def _show_result(self, result: SpectrumResult) -> None:
        self.result = result
        self._figure.show(result.document)
        self._found.object = texts.result_html(result, spectrum_html(result.document, background=result.background))
        self._download.filename = result.file_name
        self._download.visible = True

    def _files(self) -> BytesIO:
        """Files of the fit that is shown."""
        return BytesIO() if self.result is None else self.result.archive(self._clock())

    def _close(self) -> None:
        """The session has ended: compute nothing more, and keep nothing."""
        self._previews.close()
        self._is_closed = True
        self.feedback = self.result = None


def _pane() -> pn.pane.HTML:
    """Container for text."""
    sheets = [style("pages/science_data/analysis"), style("pages/science_data/spectrum")]
    return pn.pane.HTML("", stylesheets=sheets, sizing_mode="stretch_width", margin=0)
