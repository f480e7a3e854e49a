"""Interactive analysis of a file: selection, form, instant image, and the submitted request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import form_parts as parts
from dashboards.pages.science_data.advanced_form import MAP_PIXELS, AdvancedForm
from dashboards.pages.science_data.file_state import FileView, TimeEnergySelection
from dashboards.pages.science_data.form_parts import FIELD
from dashboards.pages.science_data.imaging_form import (
    BINS,
    COUNTS,
    GIVEN,
    ONE,
    SEARCHED,
    STEPS,
    Feedback,
    ImagingForm,
)
from dashboards.pages.science_data.map_plot import MapPlot
from dashboards.pages.science_data.newest_only import NewestOnly
from dashboards.pages.science_data.spectrum_plot import SpectrumPlot
from dashboards.pages.science_data.tracking import Tracking
from dashboards.panel_patches.document_lock import in_a_thread, locked_updates
from dashboards.shared.access import Visitor
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.ranges import earliest
from dashboards.shared.style import style
from jobs.queue.requests import AUTO
from stixcore.times import format_time

#: Interval for checking the journal while a request is open, ms.
LOOK_MS = 400
CUTS = {"one interval": ONE, "steps": STEPS, "native bins": BINS, "equal counts": COUNTS}


class AnalysisView:
    """Widgets around an `ImagingForm` and a `Tracking`.

    Parameters
    ----------
    view : FileView
    form : ImagingForm
    tracking : Tracking or None
        None for a file of the visitor's own, whose images are made by ``on_own``.
    visitor : callable
        Returns the current visitor.
    on_images : callable
        Called when there may be new images.
    on_own : callable, optional
        Makes the images of a file that is not in the archive.
    """

    def __init__(
        self,
        view: FileView,
        form: ImagingForm,
        tracking: Tracking | None,
        visitor: Callable[[], Visitor],
        on_images: Callable[[], None],
        on_own: Callable[[TimeEnergySelection], None] | None = None,
    ) -> None:
        self._view, self._form, self._tracking, self._visitor = view, form, tracking, visitor
        self._on_images, self._on_own = on_images, on_own
        self._latest = NewestOnly()
        self._document = pn.state.curdoc
        self._in_turn = locked_updates(self._document)
        self._timer: Any = None
        self._seen = (0, 0)
        self._typing = False
        self._range: tuple[np.datetime64, np.datetime64] | None = None  # as typed; None after a box was drawn
        self._map = MapPlot(MAP_PIXELS)
        self._disk: MapPlot | None = None
        self._spectrum = SpectrumPlot(220)
        self._known, self._stands, self._mine = parts.html_pane(), parts.html_pane(), parts.html_pane()
        self._notices = Notices()
        self.feedback: Feedback | None = None
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._latest.close())

    def view(self) -> pn.Column:
        """All components."""
        form, view = self._form, self._view
        view.param.watch(self._box_changed, "box")
        form.param.watch(lambda *_: self._ask(), [*form.seen_at_once, *form.counted])
        form.param.watch(self._rule_changed, ["window_rule", "exact"])
        if self._tracking is not None:
            self._tracking.param.watch(self._show_status, ["status", "problem", "mine", "answered"])
        self._advanced = pn.Column(
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
            stylesheets=[style("pages/science_data/advanced_form")],
        )
        more = pmui.Button(label="Advanced", icon="tune", variant="text", size="small", on_click=self._open_advanced)
        left = pn.Column(*self._fields(), self._known, self._submission(), sizing_mode="stretch_width", margin=0)
        right = pn.Column(
            pn.pane.Bokeh(self._map.model, margin=0),
            pn.pane.Bokeh(self._spectrum.model, sizing_mode="stretch_width", margin=0),
            sizing_mode="stretch_width",
            margin=0,
        )
        self._show_status()
        if form.pointing != AUTO or form.place != SEARCHED:  # filled in from the URL: say so
            self._open_advanced(None)
        if view.box is None:
            view.box = view.peak_minute()
        else:
            self._box_changed()
        return pn.Column(
            pn.Column(
                left,
                right,
                sizing_mode="stretch_width",
                stylesheets=[style("pages/science_data/side_by_side")],
                margin=0,
            ),
            more,
            self._advanced,
            sizing_mode="stretch_width",
            margin=(8, 0),
        )

    def watch(self) -> None:
        """Poll while the request is open."""
        tracking = self._tracking
        if tracking is None or self._document is None:
            return
        if tracking.is_open and self._timer is None:
            self._timer = pn.state.add_periodic_callback(in_a_thread(self._tick), LOOK_MS)
        elif not tracking.is_open and self._timer is not None:
            self._timer.stop()
            self._timer = None

    # Fields ----------------------------------------------------------------------------------------------------------

    def _fields(self) -> list[Any]:
        of = self._form.param
        self._from = pmui.TextInput(label="From (UTC)", width=240, **FIELD)
        self._to = pmui.TextInput(label="To (UTC)", width=240, **FIELD)
        self._low = pmui.FloatInput(label="From [keV]", width=124, **FIELD)
        self._high = pmui.FloatInput(label="To [keV]", width=124, **FIELD)
        for widget in (self._from, self._to, self._low, self._high):
            widget.param.watch(self._typed, "value")
        step = pmui.FloatInput.from_param(of.step, label="Step [s]", width=120, **FIELD)
        counts = pmui.FloatInput.from_param(of.counts, label="Counts per image", width=140, **FIELD)

        def show_number(*_: Any) -> None:
            step.visible, counts.visible = self._form.cut == STEPS, self._form.cut == COUNTS

        show_number()
        self._form.param.watch(show_number, "cut")
        self._background = pmui.Select.from_param(
            of.background, label="Background", options={"automatic": AUTO}, width=340, **FIELD
        )
        return [
            pn.FlexBox(self._from, self._to, self._low, self._high, sizing_mode="stretch_width"),
            pn.FlexBox(
                pmui.Select.from_param(of.cut, label="Images of", options=CUTS, width=150, **FIELD),
                step,
                counts,
                pmui.TextInput.from_param(
                    of.energies, label="More energy ranges [keV]", placeholder="10-15, 15-25", width=190, **FIELD
                ),
                sizing_mode="stretch_width",
            ),
            self._background,
        ]

    def _open_advanced(self, _: Any) -> None:
        if not self._advanced.objects:  # most visits never open it
            more = AdvancedForm(self._form, self._tapped)
            self._advanced[:], self._disk = more.columns(), more.disk
            if self.feedback is not None:
                self._show_disk(self.feedback)
        self._advanced.visible = not self._advanced.visible

    def _submission(self) -> pn.Column:
        button: dict[str, Any] = {"size": "small", "margin": (6, 10, 6, 0)}
        own = self._tracking is None
        self._submit = pmui.Button(
            label="Make the images" if own else "Submit", icon="play_arrow", on_click=self._submitted, **button
        )
        items: list[Any] = [self._submit]
        if not own:
            self._check = pmui.Button(
                label="Check status", icon="refresh", variant="outlined", on_click=lambda _: self._look(), **button
            )
            self._cancel = pmui.Button(
                label="Cancel", variant="outlined", on_click=lambda _: self._act("cancel"), **button
            )
            self._retry = pmui.Button(
                label="Retry", variant="outlined", on_click=lambda _: self._act("retry"), **button
            )
            hidden = pmui.Checkbox.from_param(
                self._form.param.hidden, label="Hidden from others", size="small", margin=(6, 10, 6, 0), description=""
            )
            items += [hidden, self._check, self._cancel, self._retry]
        return pn.Column(
            pn.FlexBox(*items, sizing_mode="stretch_width", align_items="center"),
            self._notices.pane,
            self._stands,
            self._mine,
            sizing_mode="stretch_width",
            margin=0,
        )

    # Selection -------------------------------------------------------------------------------------------------------

    def _typed(self, *_: Any) -> None:
        if self._typing:
            return
        try:
            start, end = earliest(self._from.value or ""), earliest(self._to.value or "")
        except NotUnderstood as error:
            self._view.problem = str(error)
            return
        box = self._view.box
        if start is None or end is None or box is None or not start < end:
            self._view.problem = "the time range is empty"
            return
        low = box.low if self._low.value is None else float(self._low.value)
        high = box.high if self._high.value is None else float(self._high.value)
        self._choose_typed(start, end, low, high)

    def _choose_typed(self, start: np.datetime64, end: np.datetime64, low: float, high: float) -> None:
        form = self._form
        self._view.choose(start, end, low, high, typed=True, rule=form.window_rule, exact=form.exact)
        self._range = start, end
        self._show_fields()
        self._ask()  # the same bins may have been selected before

    def _rule_changed(self, *_: Any) -> None:
        """Apply the new rule to the times that were typed last."""
        box = self._view.box
        if self._range is not None and box is not None:
            self._choose_typed(*self._range, box.low, box.high)

    def _box_changed(self, *_: Any) -> None:
        self._range = None
        self._show_fields()
        self._ask()

    def _show_fields(self) -> None:
        """Show the snapped values that will be used."""
        box = self._view.box
        if box is None:
            return
        self._typing = True
        try:
            self._from.value, self._to.value = format_time(box.start), format_time(box.end)
            self._low.value, self._high.value = box.low, box.high
        finally:
            self._typing = False

    def _ask(self) -> None:
        """Start the computation of image and numbers for the box; earlier computations are discarded."""
        box = self._view.box
        if box is None:
            return

        def compute() -> None:
            feedback = self._form.feedback(box)
            if self._view.box is not box:  # another box was drawn meanwhile
                return
            self._in_turn(partial(self._show, feedback))

        self._latest.ask(compute)

    def _show(self, feedback: Feedback) -> None:
        self.feedback = feedback
        self._known.object = parts.feedback_html(feedback)
        if feedback.instant is not None:
            instant, pointing = feedback.instant, feedback.instant.pointing
            self._map.show(
                instant.image.image, instant.image.grid, rsun=pointing.rsun, b0=pointing.b0,
                marks=[(*instant.image.peak, "")],
            )  # fmt: skip
        if feedback.spectrum is not None:
            self._spectrum.show(feedback.spectrum, (feedback.box.low, feedback.box.high))
        if feedback.choice is not None:
            options = parts.background_options(feedback.choice)
            if options != self._background.options:
                self._background.options = options
                self._background.param.trigger("value")  # the same value has a new label
        self._show_disk(feedback)

    def _show_disk(self, feedback: Feedback) -> None:
        if self._disk is None or feedback.instant is None or feedback.instant.search is None:
            return
        search, pointing = feedback.instant.search, feedback.instant.pointing
        marks = [(place.x, place.y, str(number)) for number, place in enumerate(search.candidates, 1)]
        disk = search.full_disk
        self._disk.show(disk.image, disk.grid, rsun=pointing.rsun, b0=pointing.b0, marks=marks, floor=0.4)

    def _tapped(self, x: float, y: float) -> None:
        """Centre the map at a click, or at a nearby candidate."""
        search = None if self.feedback is None or self.feedback.instant is None else self.feedback.instant.search
        places = [(place.x, place.y) for place in search.candidates] if search is not None else []
        near = min(places, key=lambda place: np.hypot(place[0] - x, place[1] - y), default=None)
        if near is not None and np.hypot(near[0] - x, near[1] - y) < 120.0:
            x, y = near
        self._form.param.update(x=round(x, 1), y=round(y, 1), place=GIVEN)

    # Request ---------------------------------------------------------------------------------------------------------

    def _submitted(self, _: Any) -> None:
        box = self._view.box
        if box is None:
            return
        if self._tracking is None:
            if self._on_own is not None:
                self._on_own(box)
            return
        self._tracking.submit(lambda: self._form.request(box))
        self._on_images()
        self.watch()

    @property
    def _followed(self) -> Tracking:
        """The tracked request, for components that exist only with one."""
        if self._tracking is None:
            message = "requests are not tracked for a visitor's own file"
            raise RuntimeError(message)
        return self._tracking

    def _act(self, what: str) -> None:
        getattr(self._followed, what)()
        self.watch()

    def _look(self) -> None:
        self._followed.refresh()
        self._on_images()
        self.watch()

    def _tick(self) -> None:
        self._followed.refresh()
        self.watch()

    def _show_status(self, *_: Any) -> None:
        tracking = self._tracking
        if tracking is None:
            return
        status, visitor = tracking.status, self._visitor()
        self._stands.object = parts.status_html(status, answered=tracking.answered)
        self._mine.object = parts.requests_html(tracking.mine, tracking.request_id)
        may = status is not None and visitor.may_change_request(status.request)
        is_open = tracking.is_open
        self._cancel.visible = bool(may and is_open)
        self._retry.visible = bool(
            may and status is not None and not is_open and (status.request.reason or status.request.state != "done")
        )
        self._check.visible = tracking.request_id > 0
        notices = []
        if visitor.name is None:
            notices.append(Notice("info", "You are browsing as a guest. Sign in (top right) to submit requests."))
        if tracking.problem:
            notices.append(Notice("warning", f"{tracking.problem[0].upper()}{tracking.problem[1:]}."))
        self._notices.show(notices)
        if status is not None:
            seen = (status.request.request_id, len(status.parts))
            ended = not is_open
            if seen != self._seen or ended:
                self._seen = seen
                self._on_images()
