"""Filter fields above the flare table, and the choice of columns."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel.ui as pmui

from archive.index.filters import NO_LOCATION
from dashboards.pages.flares.columns import FLARE_COLUMNS, ID, chosen_columns
from dashboards.pages.flares.filter_state import ANY, DOUBTFUL, NO, REAL, SIMULATED, TRUSTED, YES
from dashboards.pages.flares.state import FlaresState
from dashboards.shared.style import LOW, style

VERDICTS = {"any": ANY, "trusted": TRUSTED, "doubtful": DOUBTFUL, "unknown": NO_LOCATION}
EARTH = {"visible or not": ANY, "visible": YES, "hidden": NO}
PICTURES = {"with or without": ANY, "with images": YES, "without images": NO}
SERIES = {"real or simulated": ANY, "real": REAL, "simulated": SIMULATED}
#: Fields of the second row, which is collapsed until one of them is used.
MORE = ("estimated", "pictures", "x", "y", "series")


class FlareFilters:
    """Fields linked to a `FlaresState`. On a telephone they are hidden behind a button.

    Parameters
    ----------
    state : FlaresState
    """

    def __init__(self, state: FlaresState) -> None:
        self._state = state
        self._common: dict[str, Any] = {"size": "small", "margin": (6, 12, 4, 0), "description": "", "sx": LOW}
        button: dict[str, Any] = {"variant": "text", "size": "small", "margin": (6, 4, 4, 0)}
        self._more = self._second_row()
        self._more_button = pmui.Button(label="", on_click=lambda _: self._unfold(), **button)
        self._first = self._first_row(
            self._more_button, pmui.Button(label="Clear", on_click=lambda _: state.clear_filter(), **button)
        )
        self._fold_button = pmui.Button(
            label="Filter", icon="filter_list", on_click=lambda _: self._fold(), css_classes=["fold"], **button
        )
        self.widget = pn.Column(
            self._fold_button,
            self._first,
            self._more,
            sizing_mode="stretch_width",
            margin=0,
            stylesheets=[style("shared/filters")],
        )
        state.param.watch(self._label, [*state.filter_names])
        self._label()

    def _first_row(self, *buttons: pmui.Button) -> pn.FlexBox:
        of, common = self._state.param, self._common
        return pn.FlexBox(
            pmui.TextInput.from_param(of.start, label="From (UTC)", placeholder="2022-11-11", width=150, **common),
            pmui.TextInput.from_param(of.end, label="To (UTC)", placeholder="2022-11-11T18:00", width=165, **common),
            pmui.TextInput.from_param(of.text, label="Flare id or SOL identifier", width=190, **common),
            pmui.TextInput.from_param(of.goes, label="GOES class", placeholder="C1-M5, or ≥ C1", width=140, **common),
            pmui.Select.from_param(of.verdict, label="Position is", options=VERDICTS, width=120, **common),
            pmui.Select.from_param(of.earth, label="From the Earth", options=EARTH, width=140, **common),
            *buttons,
            align_items="center",
            sizing_mode="stretch_width",
            css_classes=["foldable"],
        )

    def _second_row(self) -> pn.FlexBox:
        of, common = self._state.param, self._common
        return pn.FlexBox(
            pmui.TextInput.from_param(
                of.estimated, label="Estimated class", placeholder="B5-M1, or ≥ C1", width=150, **common
            ),
            pmui.TextInput.from_param(of.x, label="Solar X [″]", placeholder="-600..-400", width=130, **common),
            pmui.TextInput.from_param(of.y, label="Solar Y [″]", placeholder="≥ 100", width=130, **common),
            pmui.Select.from_param(of.pictures, label="Images", options=PICTURES, width=150, **common),
            pmui.Select.from_param(of.series, label="Data", options=SERIES, width=165, **common),
            self._columns(),
            align_items="center",
            sizing_mode="stretch_width",
            css_classes=["foldable"],
            visible=self._used(MORE) > 0,
        )

    def _columns(self) -> pmui.MultiChoice:
        titles = {column.title: column.field for column in FLARE_COLUMNS if column is not ID}
        usual = [column.field for column in chosen_columns(()) if column is not ID]
        shown = [column.field for column in chosen_columns(self._state.columns) if column is not ID]
        looks = self._common | {"size": None, "stylesheets": [style("shared/low_choice")]}
        choice = pmui.MultiChoice(label="Columns", options=titles, value=shown, chip=False, width=180, **looks)

        def choose(event: Any) -> None:
            wanted = [field for field in titles.values() if field in event.new]
            self._state.columns = [] if wanted == usual else wanted

        choice.param.watch(choose, "value")
        return choice

    def _used(self, names: tuple[str, ...]) -> int:
        return sum(getattr(self._state, name) != self._state.param[name].default for name in names)

    def _label(self, *_: Any) -> None:
        used = self._used(MORE)
        self._more_button.label = "Less" if self._more.visible else f"More{f' ({used} in use)' if used else ''}"
        every = self._used(self._state.filter_names)
        self._fold_button.label = f"Filter{f' ({every} in use)' if every else ''}"

    def _unfold(self) -> None:
        self._more.visible = not self._more.visible
        self._label()

    def _fold(self) -> None:
        classes = ["foldable"] if "open" in self._first.css_classes else ["foldable", "open"]
        self._first.css_classes = self._more.css_classes = classes
