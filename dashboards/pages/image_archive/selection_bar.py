"""Bar above the table with the number of selected images and their actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.image_archive.export_view import ExportActions
from dashboards.pages.image_archive.selection import MOST
from dashboards.pages.image_archive.tracks import MOST_TRACKED
from dashboards.shared.compare import MOST_COMPARED
from dashboards.shared.listing import grouped
from dashboards.shared.style import style


class SelectionBar:
    """Number of selected images, with actions.

    Parameters
    ----------
    on_all, on_none : callable
        Called to select all images that match the filter, and none.
    on_compare, on_tracks : callable
        Called to show the selected images side by side, and their measurements over time.
    export : ExportActions
    """

    def __init__(
        self,
        on_all: Callable[[], None],
        on_none: Callable[[], None],
        on_compare: Callable[[], None],
        on_tracks: Callable[[], None],
        export: ExportActions,
    ) -> None:
        button: dict[str, Any] = {"variant": "text", "size": "small", "margin": (0, 2)}
        self._number = pn.pane.HTML("", margin=(0, 8, 0, 0), stylesheets=[style("pages/image_archive/selection_bar")])
        self._all = pmui.Button(label="Select all", icon="select_all", on_click=lambda _: on_all(), **button)
        self._none = pmui.Button(label="Clear selection", icon="deselect", on_click=lambda _: on_none(), **button)
        self._compare = pmui.Button(label="Compare", icon="grid_view", on_click=lambda _: on_compare(), **button)
        self._tracks = pmui.Button(label="Tracks", icon="show_chart", on_click=lambda _: on_tracks(), **button)
        self._export = export.widget
        self._actions = (self._none, self._compare, self._tracks)
        self.widget = pn.FlexBox(
            self._number,
            self._all,
            *self._actions,
            self._export,
            align_items="center",
            sizing_mode="stretch_width",
            css_classes=["selection-bar"],
        )
        self.show(0, 0)

    def show(self, picked: int, matches: int, *, passing: bool = False) -> None:
        """Show the number of selected images, and of images that match the filter.

        ``passing``: the selection does not fit into the URL, so it is lost when the page is reloaded.
        """
        remarks = [_limit(picked), _PASSING if passing else ""]
        said = "; ".join(remark for remark in remarks if remark)
        self._number.object = (
            f'<p role="status"><b>{grouped(picked)}</b> selected <i>{f"· {said}" if said else ""}</i></p>'
        )
        self._all.param.update(label=f"Select all {grouped(matches)} matches", visible=matches > 0)
        for action in self._actions:
            action.visible = picked > 0
        self._export.visible = 0 < picked <= MOST
        self._compare.disabled = not 2 <= picked <= MOST_COMPARED
        self._tracks.disabled = picked > MOST_TRACKED


_PASSING = "not part of the URL: lost when you leave or reload the page"


def _limit(picked: int) -> str:
    """Which actions are not available for this number of images."""
    if picked == 1:
        return f"select 2 to {MOST_COMPARED} to compare"
    if picked > MOST:
        return f"limit for downloads: {grouped(MOST)}, for tracks: {MOST_TRACKED}"
    if picked > MOST_TRACKED:
        return f"limit for tracks: {MOST_TRACKED}"
    return ""
