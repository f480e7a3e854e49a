"""The spectrum of a selection: form, feedback before the fit, and the fit with its figure, table and files."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import spectrum_texts as texts
from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.measurement_view import BUTTON, MeasurementView, text_pane
from dashboards.pages.science_data.prefilled_spectrum import spectrum_address
from dashboards.pages.science_data.spectrum_feedback import SpectrumFeedback, spectrum_feedback
from dashboards.pages.science_data.spectrum_fields import SpectrumFields
from dashboards.pages.science_data.spectrum_form import SpectrumForm
from dashboards.pages.science_data.spectrum_result import THREADS, SpectrumResult, fit_box
from dashboards.pages.science_data.state import SPECTRUM_TAB
from dashboards.shared import formatting
from dashboards.shared.notices import Notice
from dashboards.shared.spectrum_figure import SpectrumFigure
from dashboards.shared.spectrum_table import spectrum_html
from dashboards.shared.style import style
from jobs.spectra.products import describe_spectrum

CHANGED = "<p>The form has changed since the last fit.</p>"
FITTING = "<p>Fitting…</p><progress aria-label='fitting'></progress>"


class SpectrumView(MeasurementView[SpectrumForm, SpectrumFeedback, SpectrumResult]):
    """Widgets around a `SpectrumForm`; parameters as `MeasurementView`."""

    energies = False
    threads = THREADS

    def _build(self) -> None:
        self._fields = SpectrumFields(self._form)
        self._figure = SpectrumFigure(260)
        self._known, self._link, self._found = text_pane(), text_pane(), text_pane()

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

    # Fields ----------------------------------------------------------------------------------------------------------

    def _times(self) -> list[Any]:
        said = "Drag a box over the spectrogram: its time range is measured, at all energies of the file."
        return [self._window.view, pn.pane.HTML(said, styles={"font-size": "13px"}, margin=0)]

    def _actions(self) -> pn.FlexBox:
        self._fit = pmui.Button(label="Fit", icon="play_arrow", on_click=lambda _: self.measure(), **BUTTON)
        self._download = pmui.FileDownload(
            callback=self._files,
            filename="stx_spectrum.zip",
            label="Download this fit (ZIP)",
            icon="download",
            variant="outlined",
            visible=False,
            **BUTTON,
        )
        more = pmui.Button(label="Advanced", icon="tune", variant="text", on_click=self._open_advanced, **BUTTON)
        filing = [] if self._filing is None else [self._filing.button, self._filing.hidden]
        parts = (self._fit, more, *filing, self._download)
        return pn.FlexBox(*parts, sizing_mode="stretch_width", align_items="center")

    def _open_advanced(self, _: Any) -> None:
        if not self._advanced.objects:  # most visits never open it
            self._advanced[:] = self._fields.advanced()
        self._advanced.visible = not self._advanced.visible

    # Before the fit --------------------------------------------------------------------------------------------------

    def _feedback_on(self, box: TimeEnergySelection) -> SpectrumFeedback:
        return spectrum_feedback(self._form, box)

    def _show(self, feedback: SpectrumFeedback) -> None:
        self.feedback = feedback
        self._known.object = texts.feedback_html(feedback)
        self._link.object = texts.link_html(spectrum_address(self._form, feedback.box, SPECTRUM_TAB))
        if feedback.choice is not None:
            self._fields.show_backgrounds(feedback.choice)
        self._fit.disabled = bool(feedback.refusals) or self._is_measuring
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

    def _measured(self, box: TimeEnergySelection) -> SpectrumResult:
        return fit_box(self._form, box)

    def _show_begin(self) -> None:
        self._fit.disabled = True
        self._found.object = FITTING

    def _end(self, problem: str, result: SpectrumResult | None) -> None:
        known = self.feedback
        self._is_measuring, self._fit.disabled = False, known is not None and bool(known.refusals)
        self.result = result
        if result is None:
            self._found.object, self._download.visible = "", False
            self._notices.show([Notice("warning", f"No fit. {formatting.sentence(problem)}")])
        elif known is None or (not known.refusals and result.answers(known.request, known.background_file)):
            self._show_result(result)
        else:  # feedback on the same selection may follow, and then the fit is shown
            self._found.object = CHANGED

    def _show_result(self, result: SpectrumResult) -> None:
        self.result = result
        self._figure.show(result.document)
        self._found.object = texts.result_html(result, spectrum_html(result.document, background=result.background))
        self._download.filename = result.file_name
        self._download.visible = True

    def _files(self) -> BytesIO:
        """Files of the fit that is shown."""
        return BytesIO() if self.result is None else self.result.archive(self._clock())
