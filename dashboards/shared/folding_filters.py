"""Filter fields above a list: a row, a second one behind “More”, and on a telephone both behind a button."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import panel as pn
import panel.ui as pmui

from dashboards.shared.filter_state import FilterState
from dashboards.shared.paged_table import TableColumn, choose_columns
from dashboards.shared.style import LOW, style

#: Looks of a field, and of a button.
FIELD: dict[str, Any] = {"size": "small", "margin": (6, 12, 4, 0), "description": "", "sx": LOW}
BUTTON: dict[str, Any] = {"variant": "text", "size": "small", "margin": (6, 4, 4, 0)}


class FoldingFilters[State: FilterState](ABC):
    """Fields linked to a state.

    Parameters
    ----------
    state : FilterState

    Attributes
    ----------
    more : tuple of str
        Parameters of the second row, which is folded until one of them is used; empty for a single row.
    """

    more: ClassVar[tuple[str, ...]] = ()

    def __init__(self, state: State) -> None:
        self._state = state
        self._second = self._row([], visible=False)
        self._more_button = pmui.Button(label="", on_click=lambda _: self._unfold(), visible=bool(self.more), **BUTTON)
        clear = pmui.Button(label="Clear", on_click=lambda _: state.clear_filter(), **BUTTON)
        self._first = self._row([*self._first_fields(), self._more_button, clear])
        self._fold_button = pmui.Button(
            label="Filter", icon="filter_list", on_click=lambda _: self._fold(), css_classes=["fold"], **BUTTON
        )
        self.widget = pn.Column(
            self._fold_button,
            self._first,
            self._second,
            sizing_mode="stretch_width",
            margin=0,
            stylesheets=[style("shared/filters")],
        )
        state.param.watch(self._label, [*state.filter_names])
        if self._used(self.more):
            self._unfold()
        else:
            self._label()

    @abstractmethod
    def _first_fields(self) -> list[Any]:
        """Fields that are always shown."""

    def _second_fields(self) -> list[Any]:
        """Fields behind “More”."""
        return []

    def _text(self, name: str, label: str, width: int, placeholder: str = "") -> pmui.TextInput:
        """Text field of a parameter."""
        return pmui.TextInput.from_param(
            self._state.param[name], label=label, placeholder=placeholder, width=width, **FIELD
        )

    def _times(self) -> list[pmui.TextInput]:
        """Fields of the time range."""
        return [
            self._text("start", "From (UTC)", 150, "2022-11-11"),
            self._text("end", "To (UTC)", 165, "2022-11-11T18:00"),
        ]

    def _classes(self) -> list[pmui.TextInput]:
        """Fields of the measured and the estimated class."""
        return [
            self._text("goes", "GOES class", 140, "C1-M5, or ≥ C1"),
            self._text("estimated", "Estimated class", 150, "B5-M1, or ≥ C1"),
        ]

    def _position(self) -> list[pmui.TextInput]:
        """Fields of the position."""
        return [
            self._text("x", "Solar X [″]", 130, "-600..-400"),
            self._text("y", "Solar Y [″]", 130, "≥ 100"),
        ]

    def _choice(self, name: str, label: str, options: Mapping[str, Any], width: int) -> pmui.Select:
        """Choice of a parameter."""
        return pmui.Select.from_param(self._state.param[name], label=label, options=dict(options), width=width, **FIELD)

    def _several(self, label: str, options: Mapping[str, str], width: int, **more: Any) -> pmui.MultiChoice:
        """Choice of any number of options; ``value`` or, for that of a parameter, ``of`` is given."""
        looks = FIELD | {"size": None, "stylesheets": [style("shared/low_choice")]}
        of = more.pop("of", None)
        looks |= {"label": label, "options": dict(options), "chip": False, "width": width, **more}
        return pmui.MultiChoice(**looks) if of is None else pmui.MultiChoice.from_param(of, **looks)

    def _columns(self, columns: Sequence[TableColumn[...]], always: TableColumn[...]) -> pmui.MultiChoice:
        """Choice of the columns of the table besides the one that is always shown."""

        def fields(names: Sequence[str]) -> list[str]:
            return [column.field for column in choose_columns(columns, always, names) if column is not always]

        titles = {column.title or column.field: column.field for column in columns if column is not always}
        usual = fields(())
        choice = self._several("Columns", titles, 180, value=fields(self._state.param.values()["columns"]))

        def choose(event: Any) -> None:
            wanted = [field for field in titles.values() if field in event.new]
            self._state.param.update(columns=[] if wanted == usual else wanted)

        choice.param.watch(choose, "value")
        return choice

    def _row(self, fields: Sequence[Any], **more: Any) -> pn.FlexBox:
        return pn.FlexBox(*fields, align_items="center", sizing_mode="stretch_width", css_classes=["foldable"], **more)

    def _used(self, names: Sequence[str]) -> int:
        return sum(getattr(self._state, name) != self._state.param[name].default for name in names)

    def _label(self, *_: Any) -> None:
        used = self._used(self.more)
        self._more_button.label = "Less" if self._second.visible else f"More{f' ({used} in use)' if used else ''}"
        every = self._used(self._state.filter_names)
        self._fold_button.label = f"Filter{f' ({every} in use)' if every else ''}"

    def _unfold(self) -> None:
        if not self._second.objects:  # making fields takes time that most visits do not need
            self._second[:] = self._second_fields()
        self._second.visible = not self._second.visible
        self._label()

    def _fold(self) -> None:
        classes = ["foldable"] if "open" in self._first.css_classes else ["foldable", "open"]
        self._first.css_classes = self._second.css_classes = classes
