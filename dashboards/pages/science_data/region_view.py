"""Spectra of regions: selection, regions on an image, feedback, and the measurement with figure, tables and files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import form_parts as parts
from dashboards.pages.science_data import region_texts as texts
from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.form_parts import FIELD
from dashboards.pages.science_data.measurement_view import BUTTON, MeasurementView, text_pane
from dashboards.pages.science_data.own_images import running_html
from dashboards.pages.science_data.prefilled_regions import region_address
from dashboards.pages.science_data.region_feedback import BandFeedback, RegionNote, band_feedback, region_notes
from dashboards.pages.science_data.region_figure import RegionFigure
from dashboards.pages.science_data.region_form import REGION_MODELS, RegionForm
from dashboards.pages.science_data.region_map import MAP_PIXELS, RegionMap, default_region
from dashboards.pages.science_data.region_result import THREADS, RegionResult, asked_of, measure_box
from dashboards.pages.science_data.region_rows import RegionRows
from dashboards.pages.science_data.spectrum_texts import model_name
from dashboards.pages.science_data.state import REGIONS_TAB
from dashboards.shared import formatting
from dashboards.shared.notices import Notice
from dashboards.shared.region_entries import CIRCLE, ELLIPSE, POLYGON, RegionEntry, new_name
from dashboards.shared.style import style
from jobs.queue.requests import AUTO
from stixcore.errors import SelectionError, public_sentence
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.measure_regions import REGION_CANDIDATES
from stixcore.imaging_spectroscopy.region_recipe import REGION_METHODS
from stixcore.spectra.regions import contours_above, source_regions

CHANGED = "<p>The form has changed since the last measurement.</p>"
DRAWN = {"circles": CIRCLE, "ellipses": ELLIPSE, "polygons": POLYGON}
HOW = {
    CIRCLE: "Drag from the centre of a source outwards.",
    ELLIPSE: "Drag from the centre of a source outwards.",
    POLYGON: "Click the corners; click the first one again to close the polygon.",
}


class RegionView(MeasurementView[RegionForm, BandFeedback, RegionResult]):
    """Widgets around a `RegionForm`; parameters as `MeasurementView`."""

    energies = True
    threads = THREADS

    def _build(self) -> None:
        self._map = RegionMap(MAP_PIXELS, self._add)
        self._rows = RegionRows(self._form)
        self._figure: RegionFigure | None = None
        self._figure_place = pn.Column(sizing_mode="stretch_width", margin=0)
        self._known, self._link, self._found, self._how = text_pane(), text_pane(), text_pane(), text_pane()
        self.notes: tuple[RegionNote, ...] = ()

    def view(self) -> pn.Column:
        """All components."""
        self._view.param.watch(lambda *_: self.refresh(), "box")
        self._form.param.watch(lambda *_: self._ask(), [*self._form.image_options])
        self._form.param.watch(lambda *_: self._look(), [*self._form.measured])
        side: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        left = pn.Column(self._window.view, *self._options(), self._known, **side)
        right = pn.Column(*self._drawing(), pn.pane.Bokeh(self._map.model, margin=0), **side)
        both = pn.Column(left, right, stylesheets=[style("pages/science_data/side_by_side")], **side)
        if self._view.box is None:
            self._view.box = self._form.first_box()  # calls `refresh`
        else:
            self.refresh()
        return pn.Column(
            both,
            self._rows.view,
            self._actions(),
            self._notices.pane,
            *([] if self._filing is None else [self._filing.view()]),
            self._link,
            self._figure_place,
            self._found,
            sizing_mode="stretch_width",
            margin=(8, 0),
        )

    # Fields ----------------------------------------------------------------------------------------------------------

    def _options(self) -> list[Any]:
        of, number = self._form.param, {"width": 124, **FIELD}
        options = {"automatic": AUTO} | (
            {} if self._form.background == AUTO else {self._form.background: self._form.background}
        )
        self._background = pmui.Select.from_param(
            of.background, label="Background", options=options, width=340, **FIELD
        )
        methods = {formatting.method_name(str(method)): method for method in REGION_METHODS}
        models = {model_name(model, REGION_CANDIDATES): model for model in REGION_MODELS}
        return [
            pn.FlexBox(
                pmui.Select.from_param(of.method, label="Method", options=methods, width=190, **FIELD),
                pmui.Select.from_param(of.model, label="Model of all regions", options=models, width=300, **FIELD),
                pmui.FloatInput.from_param(of.least, label="Least counts", width=150, **FIELD),
                pmui.IntInput.from_param(of.ensemble, label="Copies for errors", width=140, **FIELD),
                pmui.IntInput.from_param(of.side, label="Map size [pixels]", width=140, **FIELD),
                pmui.FloatInput.from_param(of.pixel, label="Pixel size [″]", **number),
                sizing_mode="stretch_width",
            ),
            self._background,
        ]

    def _drawing(self) -> list[Any]:
        """How regions are drawn, and buttons that add some."""
        form = self._form
        mode = pmui.Select(label="Draw", options=DRAWN, value=CIRCLE, width=130, **FIELD)
        close = pmui.Button(
            label="Close polygon",
            variant="outlined",
            visible=False,
            on_click=lambda _: self._map.close_polygon(),
            **BUTTON,
        )

        def choose(*_: Any) -> None:
            self._map.draw(mode.value)
            close.visible = mode.value == POLYGON
            self._how.object = f"<p>{HOW[mode.value]}</p>"

        mode.param.watch(choose, "value")
        choose()
        add: dict[str, Any] = {"variant": "outlined", "icon": "add", **BUTTON}
        self._sources = pmui.Button(
            label="Sources of the fit", on_click=lambda _: self._add_many(self._fitted_sources), **add
        )
        return [
            pn.FlexBox(mode, close, self._how, sizing_mode="stretch_width", align_items="center"),
            pn.FlexBox(
                *(
                    pmui.Button(label=f"Add {shape}", on_click=partial(self._add_default, shape), **add)
                    for shape in (CIRCLE, ELLIPSE, POLYGON)
                ),
                pmui.FloatInput.from_param(form.param.level, label="Level [%]", width=124, **FIELD),
                pmui.Button(label="Add contours", on_click=lambda _: self._add_many(self._contours), **add),
                self._sources,
                sizing_mode="stretch_width",
                align_items="center",
            ),
        ]

    def _actions(self) -> pn.FlexBox:
        self._run = pmui.Button(label="Measure", icon="play_arrow", on_click=lambda _: self.measure(), **BUTTON)
        self._download = pmui.FileDownload(
            callback=lambda: BytesIO() if self.result is None else self.result.archive(),
            filename="stx_regions.zip",
            label="Download the spectra (ZIP)",
            icon="download",
            variant="outlined",
            visible=False,
            **BUTTON,
        )
        filing = [] if self._filing is None else [self._filing.button, self._filing.hidden]
        return pn.FlexBox(self._run, *filing, self._download, sizing_mode="stretch_width", align_items="center")

    # Regions ---------------------------------------------------------------------------------------------------------

    def _add(self, entry: RegionEntry) -> None:
        """Add a region that was drawn."""
        self._add_many(lambda: [entry])

    def _add_default(self, shape: str, _: Any) -> None:
        instant = None if self.feedback is None else self.feedback.instant
        if instant is not None:
            side = max(4.0 * instant.image.grid.pixel, 10.0)
            self._add(default_region(instant.image, shape, side))

    def _add_many(self, make: Callable[[], list[RegionEntry]]) -> None:
        try:
            for entry in make():
                name = new_name(self._form.entries)
                self._form.add(RegionEntry(name, entry.shape, entry.numbers))
            self._notices.show([])
        except SelectionError as error:
            self._notices.show([Notice("warning", formatting.sentence(public_sentence(error)))])

    def _contours(self) -> list[RegionEntry]:
        instant = None if self.feedback is None else self.feedback.instant
        if instant is None:
            return []
        found = contours_above(instant.image.image, instant.image.grid, float(self._form.level) / 100.0)
        return [RegionEntry.of(region) for region in found]

    def _fitted_sources(self) -> list[RegionEntry]:
        instant = None if self.feedback is None else self.feedback.instant
        return [] if instant is None else [RegionEntry.of(region) for region in source_regions(instant.image.sources)]

    # Feedback --------------------------------------------------------------------------------------------------------

    def _feedback_on(self, box: TimeEnergySelection) -> BandFeedback:
        return band_feedback(self._form, box)

    def _show(self, feedback: BandFeedback) -> None:
        self.feedback = feedback
        self._known.object = texts.band_html(feedback, float(self._form.least), str(self._form.method))
        if feedback.instant is not None:
            pointing = feedback.instant.pointing
            self._map.show(feedback.instant.image, rsun=pointing.rsun, b0=pointing.b0)
        self._sources.visible = self._form.method is Method.VIS_FWDFIT
        if feedback.choice is not None:
            options = parts.background_options(feedback.choice)
            if self._form.background not in options.values():
                options[self._form.background] = self._form.background
            if options != self._background.options:
                self._background.options = options
                self._background.param.trigger("value")  # the same value has a new label
        self._look()

    def _look(self) -> None:
        """Feedback on the regions, which takes milliseconds."""
        feedback, box = self.feedback, self._view.box
        if feedback is None or box is None:
            return
        instant = feedback.instant
        self.notes = region_notes(self._form.entries, None if instant is None else instant.image)
        self._map.mark(self.notes)
        self._rows.show(self.notes)
        self._link.object = texts.link_html(region_address(self._form, box, REGIONS_TAB))
        self._run.disabled = self._is_measuring or not self._is_ready
        if self._filing is not None:
            self._filing.button.disabled = not self._is_ready
        result = self.result
        if result is None or self._is_measuring:
            return
        if result.asked == asked_of(self._form, box):
            self._show_result(result)
        else:
            self._found.object, self._download.visible, self._figure_place[:] = CHANGED, False, []

    @property
    def _is_ready(self) -> bool:
        feedback = self.feedback
        known = feedback is not None and feedback.instant is not None and feedback.imaged > 0
        return known and bool(self.notes) and not any(note.refusal for note in self.notes)

    # Measurement -----------------------------------------------------------------------------------------------------

    def _measured(self, box: TimeEnergySelection) -> RegionResult:
        def progress(step: str, number: int, total: int) -> None:
            self._in_turn(partial(self._show_progress, step, number / max(total, 1)))

        return measure_box(self._form, box, self._clock(), progress, lambda: not self._is_closed)

    def _show_begin(self) -> None:
        self._run.disabled = True
        self._figure_place[:] = []
        self._download.visible = False
        self._show_progress("waiting", 0.0)

    def _show_progress(self, step: str, share: float) -> None:
        if self._is_measuring:
            self._found.object = running_html(step[:1].upper() + step[1:], share)

    def _end(self, problem: str, result: RegionResult | None) -> None:
        self._is_measuring, self.result = False, result
        if result is None:
            self._found.object, self._download.visible = "", False
            self._notices.show([Notice("warning", f"No spectra. {formatting.sentence(problem)}")])
        self._look()

    def _show_result(self, result: RegionResult) -> None:
        if self._figure is None:
            self._figure = RegionFigure()
        if not self._figure_place.objects:
            self._figure.show(result.document)
            self._figure_place[:] = [pn.pane.Bokeh(self._figure.model, sizing_mode="stretch_width", margin=0)]
        self._found.object = texts.result_html(result.document, result.command)
        self._download.filename = result.file_name
        self._download.visible = True
