"""The list of regions as fields: name, numbers and model of each, its share of the flux, and a button to delete it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data.form_parts import FIELD
from dashboards.pages.science_data.region_feedback import RegionNote
from dashboards.pages.science_data.region_form import REGION_MODELS, RegionForm
from dashboards.pages.science_data.region_texts import note_html
from dashboards.shared.region_entries import NUMBERS, RegionEntry
from dashboards.shared.style import style

NONE_YET = (
    "<p>No regions yet. Draw one on the image, or add one with a button and change its numbers. Everything outside the "
    "regions is measured as well.</p>"
)


class RegionRows:
    """Widgets of the regions of a form.

    Parameters
    ----------
    form : RegionForm
    """

    def __init__(self, form: RegionForm) -> None:
        self._form = form
        self._rows: list[_Row] = []
        self._none = _pane()
        self._none.object = NONE_YET
        self.view = pn.Column(self._none, sizing_mode="stretch_width", margin=0)
        form.param.watch(self._follow, "entries")
        self._follow()

    def show(self, notes: Sequence[RegionNote]) -> None:
        """Show share or refusal of each region; notes of an earlier list are ignored."""
        if len(notes) == len(self._rows):
            for number, (row, note) in enumerate(zip(self._rows, notes, strict=True)):
                row.note.object = note_html(number, note)

    def _follow(self, *_: Any) -> None:
        """Fields for the present regions."""
        entries: Sequence[RegionEntry] = self._form.entries
        if [row.shape for row in self._rows] != [entry.shape for entry in entries]:
            self._rows = [_Row(self._form, number, entry.shape) for number, entry in enumerate(entries)]
            shown: list[Any] = [row.view for row in self._rows]
            self.view[:] = shown or [self._none]
        for row, entry in zip(self._rows, entries, strict=True):
            row.show(entry)


class _Row:
    """Fields of one region."""

    def __init__(self, form: RegionForm, number: int, shape: str) -> None:
        self.shape = shape
        self._quiet = False
        self._fields = {
            "name": pmui.TextInput(label=f"Name of region {number + 1}", width=150, **FIELD),
            "numbers": pmui.TextInput(label=f"{shape.capitalize()}: {NUMBERS[shape]}", width=300, **FIELD),
            "model": pmui.Select(
                label=f"Model of region {number + 1}",
                options={"as for all": ""} | {model: model for model in REGION_MODELS},
                width=150,
                **FIELD,
            ),
        }
        for key, field in self._fields.items():
            field.param.watch(lambda event, key=key: self._typed(form, number, key, event.new or ""), "value")
        delete = pmui.Button(
            label=f"Delete region {number + 1}",
            icon="delete",
            variant="text",
            size="small",
            margin=(6, 0),
            on_click=lambda _: form.remove(number),
        )
        self.note = _pane()
        fields = pn.FlexBox(*self._fields.values(), delete, sizing_mode="stretch_width", align_items="center")
        self.view = pn.Column(fields, self.note, sizing_mode="stretch_width", margin=0)

    def show(self, entry: RegionEntry) -> None:
        """Show the values of a region."""
        self._quiet = True
        try:
            for key, field in self._fields.items():
                if field.value != getattr(entry, key):
                    field.value = getattr(entry, key)
        finally:
            self._quiet = False

    def _typed(self, form: RegionForm, number: int, key: str, value: str) -> None:
        if not self._quiet:
            form.change(number, **{key: value.strip()})


def _pane() -> pn.pane.HTML:
    sheets = [style("pages/science_data/analysis"), style("pages/science_data/spectrum")]
    return pn.pane.HTML("", stylesheets=sheets, sizing_mode="stretch_width", margin=0)
