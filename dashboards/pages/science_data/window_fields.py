"""Fields of the selection as numbers: its times and, where they can be chosen, its energies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.form_parts import FIELD
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.ranges import earliest
from stixcore.times import format_time


class WindowFields:
    """Fields that show the selection and change it.

    Parameters
    ----------
    view : FileView
    changed : callable
        Called after a selection was typed, also if it has the same bins as before.
    energies : bool
        Whether there are fields for the energies.
    """

    def __init__(self, view: FileView, changed: Callable[[], None], *, energies: bool) -> None:
        self._view, self._changed = view, changed
        self._is_showing = False
        self._from = pmui.TextInput(label="From (UTC)", width=240, **FIELD)
        self._to = pmui.TextInput(label="To (UTC)", width=240, **FIELD)
        self._low = pmui.FloatInput(label="From [keV]", width=124, **FIELD)
        self._high = pmui.FloatInput(label="To [keV]", width=124, **FIELD)
        fields = [self._from, self._to, *([self._low, self._high] if energies else [])]
        for field in fields:
            field.param.watch(self._typed, "value")
        self.view = pn.FlexBox(*fields, sizing_mode="stretch_width")

    def show(self) -> None:
        """Show the whole bins that will be used."""
        box = self._view.box
        if box is None:
            return
        self._is_showing = True
        try:
            self._from.value, self._to.value = format_time(box.start), format_time(box.end)
            self._low.value, self._high.value = box.low, box.high
        finally:
            self._is_showing = False

    def _typed(self, *_: Any) -> None:
        if self._is_showing:
            return
        box = self._view.box
        try:
            start, end = earliest(self._from.value or ""), earliest(self._to.value or "")
        except NotUnderstood as error:
            self._view.problem = str(error)
            return
        if start is None or end is None or box is None or not start < end:
            self._view.problem = "the time range is empty"
            return
        low = box.low if self._low.value is None else float(self._low.value)
        high = box.high if self._high.value is None else float(self._high.value)
        self._view.choose(start, end, low, high, typed=True)
        self._changed()
