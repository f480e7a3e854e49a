"""Spectra of regions: selection, regions on an image, feedback, and the measurement with figure, tables and files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import form_parts as parts
from dashboards.pages.science_data import region_texts as texts
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.filing import Filing
from dashboards.pages.science_data.form_parts import FIELD
from dashboards.pages.science_data.newest_only import NewestOnly
from dashboards.pages.science_data.own_images import running_html
from dashboards.pages.science_data.prefilled_regions import region_address
from dashboards.pages.science_data.region_entries import CIRCLE, ELLIPSE, POLYGON, RegionEntry, new_name
from dashboards.pages.science_data.region_feedback import BandFeedback, RegionNote, band_feedback, region_notes
from dashboards.pages.science_data.region_figure import RegionFigure
from dashboards.pages.science_data.region_form import REGION_MODELS, RegionForm
from dashboards.pages.science_data.region_map import MAP_PIXELS, RegionMap, default_region
from dashboards.pages.science_data.region_result import RegionResult, asked_of, begin, measure_box
from dashboards.pages.science_data.region_rows import RegionRows
from dashboards.pages.science_data.spectrum_texts import model_name
from dashboards.pages.science_data.state import REGIONS_TAB
from dashboards.pages.science_data.window_fields import WindowFields
from dashboards.panel_patches.document_lock import locked_updates
from dashboards.shared import formatting
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.style import style
from jobs.queue.requests import AUTO
from jobs.shared.errors import ExecutorFault
from stixcore.errors import SelectionError, StixError, public_sentence
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.measure_regions import REGION_CANDIDATES
from stixcore.imaging_spectroscopy.region_recipe import REGION_METHODS
from stixcore.spectra.regions import contours_above, source_regions

log = logging.getLogger(__name__)

CHANGED = "<p>The form has changed since the last measurement.</p>"
DRAWN = {"circles": CIRCLE, "ellipses": ELLIPSE, "polygons": POLYGON}
HOW = {
    CIRCLE: "Drag from the centre of a source outwards.",
    ELLIPSE: "Drag from the centre of a source outwards.",
    POLYGON: "Click the corners; click the first one again to close the polygon.",
}
_BUTTON: dict[str, Any] = {"size": "small", "margin": (6, 10, 6, 0)}


class RegionView:
    """Widgets around a `RegionForm`.

    Parameters
    ----------
    view : FileView
    form : RegionForm
    clock : callable
        Returns the current time, UTC.
    is_shown : callable
        Whether the visitor sees this view; nothing is computed while it is hidden.
    filing : Filing, optional
        Files the measurement in the archive; None for a file of the visitor's own.
    """

    def __init__(
        self,
        view: FileView,
        form: RegionForm,
        clock: Callable[[], np.datetime64],
        is_shown: Callable[[], bool],
        filing: Filing | None = None,
    ) -> None:
        self._filing = filing
        self._view, self._form, self._clock, self._is_shown = view, form, clock, is_shown
        self._previews, self._is_measuring, self._is_closed = NewestOnly(), False, False
        self._in_turn = locked_updates(pn.state.curdoc)
        self._window = WindowFields(view, self.refresh, energies=True)
        self._map = RegionMap(MAP_PIXELS, self._add)
        self._rows = RegionRows(form)
        self._figure: RegionFigure | None = None
        self._figure_place = pn.Column(sizing_mode="stretch_width", margin=0)
        self._known, self._link, self._found, self._how = _pane(), _pane(), _pane(), _pane()
        self._notices = Notices()
        self.feedback: BandFeedback | None = None
        self.notes: tuple[RegionNote, ...] = ()
        self.result: RegionResult | None = None
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._close())

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

    def refresh(self) -> None:
        """Show the selection, and feedback on it."""
        self._window.show()
        self._ask()

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
            **_BUTTON,
        )

        def choose(*_: Any) -> None:
            self._map.draw(mode.value)
            close.visible = mode.value == POLYGON
            self._how.object = f"<p>{HOW[mode.value]}</p>"

        mode.param.watch(choose, "value")
        choose()
        add: dict[str, Any] = {"variant": "outlined", "icon": "add", **_BUTTON}
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
        self._run = pmui.Button(label="Measure", icon="play_arrow", on_click=lambda _: self.measure(), **_BUTTON)
        self._download = pmui.FileDownload(
            callback=lambda: BytesIO() if self.result is None else self.result.archive(),
            filename="stx_regions.zip",
            label="Download the spectra (ZIP)",
            icon="download",
            variant="outlined",
            visible=False,
            **_BUTTON,
        )
        filing = [] if self._filing is None else [self._filing.button]
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

    def _ask(self) -> None:
        """Start to compute the image; earlier computations are discarded."""
        box = self._view.box
        if box is None or not self._is_shown():
            return

        def compute() -> None:
            feedback = band_feedback(self._form, box)
            if self._view.box is box:  # no other box was drawn meanwhile
                self._in_turn(partial(self._show, feedback))

        self._previews.ask(compute)

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

    def measure(self) -> None:
        """Start the measurement; one at a time."""
        box = self._view.box
        if box is None or self._is_measuring:
            return

        def progress(step: str, number: int, total: int) -> None:
            self._in_turn(partial(self._show_progress, step, number / max(total, 1)))

        def work() -> None:
            if self._is_closed:
                return
            try:
                result = measure_box(self._form, box, self._clock(), progress, lambda: not self._is_closed)
            except (StixError, ExecutorFault, OSError) as error:
                self._in_turn(partial(self._end, public_sentence(error), None))
            except Exception:
                log.exception("regions of %s failed", self._form.name_of)
                self._in_turn(partial(self._end, "it failed; the operators find the reason in the log", None))
            else:
                self._in_turn(partial(self._end, "", result))

        try:
            begin(work)
        except StixError as error:
            self._show_problem(str(error))
            return
        self._is_measuring = self._run.disabled = True
        self._notices.show([])
        self._figure_place[:] = []
        self._download.visible = False
        self._show_progress("waiting", 0.0)

    def _show_progress(self, step: str, share: float) -> None:
        if self._is_measuring:
            self._found.object = running_html(step[:1].upper() + step[1:], share)

    def _end(self, problem: str, result: RegionResult | None) -> None:
        self._is_measuring, self.result = False, result
        if result is None:
            self._show_problem(problem)
        self._look()

    def _show_problem(self, problem: str) -> None:
        self.result, self._found.object, self._download.visible = None, "", False
        self._notices.show([Notice("warning", f"No spectra. {formatting.sentence(problem)}")])

    def _show_result(self, result: RegionResult) -> None:
        if self._figure is None:
            self._figure = RegionFigure()
        if not self._figure_place.objects:
            self._figure.show(result.document)
            self._figure_place[:] = [pn.pane.Bokeh(self._figure.model, sizing_mode="stretch_width", margin=0)]
        self._found.object = texts.result_html(result.document, result.command)
        self._download.filename = result.file_name
        self._download.visible = True

    def _close(self) -> None:
        """The session has ended: compute nothing more, and keep nothing."""
        self._previews.close()
        self._is_closed = True
        self.feedback = self.result = None


def _pane() -> pn.pane.HTML:
    """Container for text."""
    sheets = [style("pages/science_data/analysis"), style("pages/science_data/spectrum")]
    return pn.pane.HTML("", stylesheets=sheets, sizing_mode="stretch_width", margin=0)
