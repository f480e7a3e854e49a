"""One science file: spectrogram and light curves on top, tabs below, images at the bottom."""

from __future__ import annotations

import logging
from functools import partial
from html import escape
from typing import Any

import numpy as np
import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data.analysis import AnalysisView
from dashboards.pages.science_data.detail import facts_html, header_html, related_html
from dashboards.pages.science_data.detector_drawing import DetectorDrawing
from dashboards.pages.science_data.file_regions import FileRegions
from dashboards.pages.science_data.file_spectra import FileSpectra
from dashboards.pages.science_data.file_state import FileView, Floats, TimeEnergySelection
from dashboards.pages.science_data.filing import Filing
from dashboards.pages.science_data.form_parts import html_pane
from dashboards.pages.science_data.imaging_form import ImagingForm
from dashboards.pages.science_data.newest_only import NewestOnly
from dashboards.pages.science_data.own_file import OwnFiles
from dashboards.pages.science_data.own_images import own_images_html, running_html
from dashboards.pages.science_data.prefilled import choose_window, fill_in
from dashboards.pages.science_data.prefilled_regions import fill_in_regions
from dashboards.pages.science_data.prefilled_spectrum import fill_in_spectrum
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.pages.science_data.region_view import RegionView
from dashboards.pages.science_data.spectrogram import SpectrogramPlot
from dashboards.pages.science_data.spectrum_form import SpectrumForm
from dashboards.pages.science_data.spectrum_plot import SpectrumPlot
from dashboards.pages.science_data.spectrum_view import SpectrumView
from dashboards.pages.science_data.state import (
    ANALYSIS_TAB,
    PREVIEW_TAB,
    REGIONS_TAB,
    SPECTRUM_TAB,
    ScienceDetail,
    ScienceState,
)
from dashboards.pages.science_data.tracking import Tracking
from dashboards.panel_patches.document_lock import locked_updates
from dashboards.shared import formatting
from dashboards.shared.clock import now
from dashboards.shared.image_strip import ImageStrip
from dashboards.shared.links import Links, NoLinks
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.style import style
from dashboards.shared.visitors import session_visitor
from jobs.queue.measurement_requests import QueuedRequest
from jobs.shared.errors import BadRequest
from stixcore.errors import StixError, public_sentence
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY
from stixcore.spectra import WindowSpectrum

log = logging.getLogger(__name__)

TABS = {
    PREVIEW_TAB: "Preview",
    ANALYSIS_TAB: "Interactive analysis",
    SPECTRUM_TAB: "Spectrum",
    REGIONS_TAB: "Regions",
}
PLAIN_TABS = {"& .MuiTab-root": {"textTransform": "none", "fontSize": "15px", "letterSpacing": 0}}
_BUTTON: dict[str, Any] = {"variant": "text", "size": "small", "margin": (0, 4, 0, 0)}


class ScienceFileView:
    """Widgets around a `FileView`.

    Parameters
    ----------
    state : ScienceState
    detail : ScienceDetail
    links : Links
    strip : ImageStrip
        Component for the images of the file.
    own : OwnFiles, optional
        For a file of the visitor's own.
    """

    def __init__(
        self,
        state: ScienceState,
        detail: ScienceDetail,
        links: Links,
        strip: ImageStrip,
        own: OwnFiles | None = None,
    ) -> None:
        self.state, self.detail, self._strip, self._own = state, detail, strip, own
        self._links: Links = NoLinks() if own is not None else links
        self._notices = Notices()
        self._no_images = pn.pane.HTML("", margin=(4, 0), styles={"font-size": "14px"})
        self._latest, self._in_turn = NewestOnly(), locked_updates(pn.state.curdoc)
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._latest.close())
        self._forms: dict[str, SpectrumView | RegionView] = {}
        self.file: FileView | None = None
        self._problem = ""
        try:
            self.file = FileView(detail.path)
        except (StixError, OSError) as error:
            log.warning("%s cannot be shown: %s", detail.file.name, error)
            self._problem = f"{detail.file.name} can no longer be read: {public_sentence(error)}"

    def view(self) -> pn.Column:
        """All components of this file."""
        html: dict[str, Any] = {
            "stylesheets": [style("pages/science_data/detail")],
            "margin": 0,
            "sizing_mode": "stretch_width",
        }
        parts: list[Any] = [
            self._navigation(),
            pn.pane.HTML(facts_html(self.detail, self._links), **html),
            self._notices.pane,
        ]
        if self.file is not None:
            parts += [self._switches(), self._plots(), self._tabs()]
        parts += (
            self._own_images(self._own)
            if self._own is not None
            else [
                pn.pane.HTML(related_html(self.detail.related, self._links), **html),
                FileSpectra(self.state).view(),
                *([FileRegions(self.state).view] if self.detail.has_pixels else []),
                pn.pane.HTML("<h3>Images of this file</h3>", **html),
                self._no_images,
                self._strip.widget,
            ]
        )
        if self._problem:
            self._notices.show([Notice("error", self._problem)])
        return pn.Column(*parts, sizing_mode="stretch_width", margin=0)

    def show_images(self, detail: ScienceDetail) -> None:
        """Show the images made from this file."""
        self.detail = detail
        self._strip.show(detail.images)
        why = (
            "It is a background file."
            if detail.file.is_background
            else "See “Bands without image” in the image archive."
        )
        why = why if detail.has_pixels else "A spectrogram has no pixel data to make images from."
        self._no_images.object = "" if detail.images else f"No images of this file. {why}"

    def _navigation(self) -> pn.FlexBox:
        state = self.state
        return pn.FlexBox(
            pmui.Button(label="All files", icon="arrow_back", on_click=lambda _: state.close_file(), **_BUTTON),
            *(() if self._own is not None else self._steps()),
            margin=(0, 0, 6, -8),
        )

    def _steps(self) -> list[pmui.Button]:
        state = self.state
        return [
            pmui.Button(
                label="Previous", icon="chevron_left", disabled=not state.steps.before,
                on_click=lambda _: state.step(-1), **_BUTTON,
            ),
            pmui.Button(
                label="Next", icon="chevron_right", disabled=not state.steps.after,
                on_click=lambda _: state.step(1), **_BUTTON,
            ),
        ]  # fmt: skip

    @property
    def _readable(self) -> FileView:
        """The file, for components that require a readable one."""
        if self.file is None:
            message = "the file could not be read"
            raise RuntimeError(message)
        return self.file

    def _switches(self) -> pn.FlexBox:
        self._said = pn.pane.HTML("", margin=(2, 0, 0, 8), styles={"font-size": "13px", "flex": "1 1 auto"})
        corrected = pmui.Switch.from_param(
            self._readable.param.corrected,
            label="Corrected for dead time",
            size="small",
            margin=(0, 12, 0, 0),
            description="",
        )
        clear = pmui.Button(label="Whole file", on_click=lambda _: self._clear(), **_BUTTON)
        return pn.FlexBox(corrected, clear, self._said, align_items="center", sizing_mode="stretch_width")

    def _plots(self) -> pn.pane.Bokeh:
        file = self._readable
        self._plot = SpectrogramPlot(self._brushed, self._zoomed)
        self._draw(whole=True)
        file.param.watch(lambda _: self._draw(whole=False), ["corrected", "span"])
        file.param.watch(self._chosen, ["box", "problem"])
        return pn.pane.Bokeh(self._plot.model, sizing_mode="stretch_width", margin=0)

    def _draw(self, *, whole: bool) -> None:
        drawn = self._readable.drawn
        self._plot.show(drawn, self._readable.curves, corrected=self._readable.corrected, whole=whole)
        self._show_summary()

    def _brushed(self, start: np.datetime64, end: np.datetime64, low: float, high: float, final: bool) -> None:  # noqa: ARG002 - all count
        self._readable.choose(start, end, low, high)

    def _zoomed(self, start: np.datetime64, end: np.datetime64) -> None:
        if self._readable.drawn.merged > 1 or self._readable.span is not None:
            self._readable.span = (start, end)

    def _clear(self) -> None:
        self._readable.param.update(box=None, problem="", span=None)
        self._draw(whole=True)

    def _chosen(self, *_: Any) -> None:
        self._plot.mark(self._readable.box)
        self._show_summary()

    def _show_summary(self) -> None:
        """One line below the plots: the selection, and how it differs from the input."""
        file = self._readable
        summary = []
        if file.box is not None:
            box = file.box
            summary.append(
                f"<b>Selected</b> {formatting.clock(box.start)} – {formatting.clock(box.end)} "
                f"({box.seconds:.4g} s), {formatting.energies(box.low, box.high)}"
            )
        else:
            summary.append("Drag a box over the spectrogram to select a time and energy range.")
        merged = file.drawn.merged
        if merged > 1:
            summary.append(f"Up to {merged} time bins are merged for display; zoom in for detail.")
        if file.spectra.caution:
            summary.append(escape(file.spectra.caution))
        if file.problem:
            summary.append(escape(f"{file.problem[0].upper()}{file.problem[1:]}."))
        self._said.object = " ".join(summary)

    def _tabs(self) -> Any:
        """Preview, analysis of pixel data, and spectrum; each is created when first shown."""
        state, made = self.state, {}
        makers = {
            PREVIEW_TAB: self._preview,
            ANALYSIS_TAB: self._analysis,
            SPECTRUM_TAB: self._spectrum_form,
            REGIONS_TAB: self._region_form,
        }
        if not self._readable.has_pixels:
            del makers[ANALYSIS_TAB], makers[REGIONS_TAB]
        if state.tab not in makers:
            state.tab = PREVIEW_TAB
        names, energies = list(makers), {ANALYSIS_TAB: self._readable.first_band, REGIONS_TAB: ENERGY}
        room = pn.Column(sizing_mode="stretch_width", margin=0)
        tabs = pmui.Tabs(*((TABS[name], pn.Spacer(height=0)) for name in names), active=0, sx=PLAIN_TABS)

        def show(*_: Any) -> None:
            opened = state.own or state.detail
            if opened is not None and opened.file != self.detail.file:
                return  # another file has been opened
            if state.tab in energies:
                self._readable.offer_energies(*energies[state.tab])
            if state.tab not in made:
                made[state.tab] = makers[state.tab]()
            elif state.tab in self._forms:
                self._forms[state.tab].refresh()  # nothing was computed while it was hidden
            room[:] = [made[state.tab]]
            tabs.active = names.index(state.tab)

        tabs.param.watch(lambda event: state.param.update(tab=names[event.new]), "active")
        state.param.watch(show, "tab")
        show()
        return pn.Column(tabs, room, sizing_mode="stretch_width", margin=0)

    def _spectrum_form(self) -> pn.Column:
        state, detail, file = self.state, self.detail, self._readable
        own = self._own is not None
        form = SpectrumForm(file, state.source, None if own else detail.file, detail.flares)
        if not own:
            choose_window(state, file)
            fill_in_spectrum(state, form)
        shown = self._forms[SPECTRUM_TAB] = SpectrumView(
            file, form, now, lambda: state.tab == SPECTRUM_TAB, None if own else self._filing(form)
        )
        return shown.view()

    def _region_form(self) -> pn.Column:
        state, detail, file = self.state, self.detail, self._readable
        own = self._own is not None
        form = RegionForm(file, state.source, None if own else detail.file)
        if not own:
            fill_in(state, file, form)
            fill_in_regions(state, form)
        shown = self._forms[REGIONS_TAB] = RegionView(
            file, form, now, lambda: state.tab == REGIONS_TAB, None if own else self._filing(form)
        )
        return shown.view()

    def _filing(self, form: SpectrumForm | RegionForm) -> Filing:
        """Files what a form measures, for users."""
        file, source, uid = self._readable, self.state.source, self.detail.file.uid

        def build() -> QueuedRequest:
            if file.box is None:
                message = "select a time range"
                raise BadRequest(message)
            return form.filed_request(file.box)

        tracking = Tracking(source, session_visitor, now, uid)
        return Filing(tracking, session_visitor, form, build, self.state.reload_spectra)

    def _own_images(self, own: OwnFiles) -> list[Any]:
        """Container for the images of a file that is not in the archive."""
        pane = html_pane()

        def show(*_: Any) -> None:
            pane.object = running_html(own.step, own.share) + own_images_html(own.images)

        own.param.watch(show, ["step", "share", "images"])
        show()
        return [pane]

    def _analysis(self) -> pn.Column:
        state, file, own = self.state, self.detail.file, self._own
        if own is not None:
            form = ImagingForm(self._readable, state.source, None)

            def pass_on(values: dict[str, Any]) -> None:
                self._in_turn(lambda: own.param.update(**values))

            return AnalysisView(
                self._readable,
                form,
                None,
                session_visitor,
                lambda: None,
                lambda box: own.make_images(form, box, pass_on),
            ).view()
        form = ImagingForm(self._readable, state.source, file)
        fill_in(state, self._readable, form)
        tracking = Tracking(state.source, session_visitor, now, file.uid)
        tracking.param.watch(lambda event: state.param.update(request=event.new), "request_id")
        analysis = AnalysisView(self._readable, form, tracking, session_visitor, state.reload_images)
        view = analysis.view()
        tracking.follow(state.request)
        analysis.watch()
        return view

    def _preview(self) -> pn.Column:
        file = self._readable
        self._spectrum = SpectrumPlot()
        figures: list[Any] = [pn.pane.Bokeh(self._spectrum.model, sizing_mode="stretch_width", margin=0)]
        self._detectors = DetectorDrawing() if file.has_pixels else None
        if self._detectors is not None:
            figures.append(pn.pane.Bokeh(self._detectors.model, sizing_mode="stretch_width", margin=0))
        self._selection()
        file.param.watch(self._selection, "box")
        header = pn.pane.HTML(
            "", stylesheets=[style("pages/science_data/detail")], sizing_mode="stretch_width", visible=False
        )

        def toggle_header(_: Any) -> None:
            if not header.object:  # about thirty kilobytes that few visitors look at
                header.object = f"<div class='scroll'>{header_html(file.cards())}</div>"
            header.visible = not header.visible

        button = pmui.Button(label="FITS header", icon="description", on_click=toggle_header, **_BUTTON)
        return pn.Column(
            pn.Column(
                *figures, sizing_mode="stretch_width", stylesheets=[style("pages/science_data/side_by_side")], margin=0
            ),
            button,
            header,
            sizing_mode="stretch_width",
            margin=(8, 0),
        )

    def _selection(self, *_: Any) -> None:
        """Spectrum and pixels of the selection, computed in a thread so that dragging stays smooth."""
        file = self._readable
        box = file.box

        def compute() -> None:
            try:
                found = file.spectrum(box), file.pixels(box)
            except (StixError, OSError) as error:
                self._in_turn(partial(file.param.update, problem=public_sentence(error)))
                return
            self._in_turn(partial(self._show_selection, box, *found))

        self._latest.ask(compute)

    def _show_selection(self, box: TimeEnergySelection | None, spectrum: WindowSpectrum, pixels: Floats | None) -> None:
        self._spectrum.show(spectrum, None if box is None else (box.low, box.high))
        if self._detectors is not None and pixels is not None:
            self._detectors.show(pixels)
