"""Filter fields above the image table, and the choice of columns."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel.ui as pmui

from archive.layout import METHODS
from dashboards.pages.image_archive.filter_state import (
    ANY,
    ANYONE,
    ASPECT_TRUST,
    AUTOMATIC,
    DOUBTFUL,
    MINE,
    TRUSTED,
    USERS,
)
from dashboards.pages.image_archive.state import NO_IMAGE_TAB, ImageArchiveState
from dashboards.shared import formatting
from dashboards.shared.image_columns import IMAGE_COLUMNS, PICTURE, chosen_columns
from dashboards.shared.style import LOW, style

#: Common bands: those of the previews and of the quick-look light curves.
BANDS = {"any energy": ""} | {
    f"{low}–{high} keV": f"{low}-{high}" for low, high in ((4, 10), (10, 15), (15, 25), (16, 28), (25, 50), (50, 84))
}
TRUST = {"trusted or not": ANY, "trusted": TRUSTED, "doubtful": DOUBTFUL} | {
    f"{aspect} {word}": choice for choice, (aspect, word) in ASPECT_TRUST.items()
}
AUTHORS = {"automatic": AUTOMATIC, "anyone": ANYONE, "users": USERS, "me": MINE}
#: Fields of the second row, which is collapsed until one of them is used.
MORE = ("flare", "uid", "goes", "estimated", "x", "y", "counts", "author")


class ImageFilters:
    """Fields linked to an `ImageArchiveState`. On a telephone they are hidden behind a button.

    Parameters
    ----------
    state : ImageArchiveState
    """

    def __init__(self, state: ImageArchiveState) -> None:
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
        bands = {**BANDS, **({} if self._state.band in BANDS.values() else {self._state.band: self._state.band})}
        of_images = [
            pmui.Select.from_param(of.band, label="Energy", options=bands, width=140, **common),
            self._several(
                "Method", {formatting.method_name(method): method for method in METHODS}, width=220, of=of.methods
            ),
            pmui.Select.from_param(of.trust, label="Trust", options=TRUST, width=150, **common),
        ]
        self._only_images(of_images)
        return pn.FlexBox(
            pmui.TextInput.from_param(of.start, label="From (UTC)", placeholder="2022-11-11", width=150, **common),
            pmui.TextInput.from_param(of.end, label="To (UTC)", placeholder="2022-11-11T18:00", width=165, **common),
            pmui.TextInput.from_param(of.text, label="Uid, flare or image id", width=180, **common),
            *of_images,
            *buttons,
            align_items="center",
            sizing_mode="stretch_width",
            css_classes=["foldable"],
        )

    def _second_row(self) -> pn.FlexBox:
        of, common = self._state.param, self._common
        author = self._state.author
        authors = {**AUTHORS, **({} if author in AUTHORS.values() else {author: author})}
        of_images = [
            pmui.TextInput.from_param(of.goes, label="GOES class", placeholder="C1-M5, or ≥ C1", width=140, **common),
            pmui.TextInput.from_param(
                of.estimated, label="Estimated class", placeholder="B5-M1, or ≥ C1", width=150, **common
            ),
            pmui.TextInput.from_param(of.x, label="Solar X [″]", placeholder="-600..-400", width=130, **common),
            pmui.TextInput.from_param(of.y, label="Solar Y [″]", placeholder="≥ 100", width=130, **common),
            pmui.TextInput.from_param(of.counts, label="Min. counts", placeholder="10000", width=150, **common),
            pmui.Select.from_param(of.author, label="Made by", options=authors, width=130, **common),
        ]
        self._only_images(of_images)
        return pn.FlexBox(
            pmui.TextInput.from_param(of.flare, label="Flare id", placeholder="2211111137", width=130, **common),
            pmui.TextInput.from_param(of.uid, label="Unique id", placeholder="2211116471", width=130, **common),
            *of_images,
            self._columns(),
            align_items="center",
            sizing_mode="stretch_width",
            css_classes=["foldable"],
            visible=self._used(MORE) > 0,
        )

    def _columns(self) -> pmui.MultiChoice:
        titles = {column.title or column.field: column.field for column in IMAGE_COLUMNS if column is not PICTURE}
        usual = [column.field for column in chosen_columns(()) if column is not PICTURE]
        shown = [column.field for column in chosen_columns(self._state.columns) if column is not PICTURE]
        choice = self._several("Columns", titles, width=180, value=shown)

        def choose(event: Any) -> None:
            wanted = [field for field in titles.values() if field in event.new]
            self._state.columns = [] if wanted == usual else wanted

        choice.param.watch(choose, "value")
        return choice

    def _several(
        self, label: str, options: dict[str, str], *, width: int, of: Any = None, **more: Any
    ) -> pmui.MultiChoice:
        looks = {"label": label, "options": options, "chip": False, "width": width}
        looks |= self._common | {"size": None, "stylesheets": [style("shared/low_choice")]} | more
        return pmui.MultiChoice(**looks) if of is None else pmui.MultiChoice.from_param(of, **looks)

    def _only_images(self, widgets: list[Any]) -> None:
        """Disable fields that do not apply to bands without images."""

        def enable(*_: Any) -> None:
            for widget in widgets:
                widget.disabled = self._state.tab == NO_IMAGE_TAB

        enable()
        self._state.param.watch(enable, "tab")

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
