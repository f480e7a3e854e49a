"""A list of requests that is updated in place: rows are kept while their text changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import panel as pn
import panel.ui as pmui

from dashboards.shared.style import style


@dataclass(frozen=True)
class Line:
    """One line: number of the request, its HTML, and whether this visitor may act on it."""

    request_id: int
    html: str
    may_act: bool = False


class RequestList:
    """Lines with a button for visitors who may act on the request.

    Existing lines keep their button and the keyboard focus while their progress is updated.

    Parameters
    ----------
    title, empty : str
        Heading; text for an empty list.
    verb, icon : str
        Label of the button, for example "Cancel", and its icon.
    on_act : callable
        Called with the number of the request.
    """

    def __init__(self, title: str, empty: str, verb: str, icon: str, on_act: Callable[[int], None]) -> None:
        self._verb, self._icon, self._on_act = verb, icon, on_act
        self._empty = f'<p class="empty">{empty}</p>'
        self._title = title
        self._head = pn.pane.HTML(
            "", stylesheets=[style("pages/operations/operations")], sizing_mode="stretch_width", margin=0
        )
        self._rows: dict[tuple[int, bool], tuple[pn.pane.HTML, pn.Row]] = {}
        self.view = pn.Column(self._head, sizing_mode="stretch_width", margin=0)

    def show(self, lines: Sequence[Line], note: str = "") -> None:
        """Show these lines, with ``note`` (HTML) above them."""
        head = f"<h2>{self._title}</h2>{note if lines or note else self._empty}{_HEADS if lines else ''}"
        if self._head.object != head:
            self._head.object = head
        keys = [(line.request_id, line.may_act) for line in lines]
        self._rows = {key: self._rows[key] if key in self._rows else self._row(*key) for key in keys}
        for key, line in zip(keys, lines, strict=True):
            pane = self._rows[key][0]
            if pane.object != line.html:
                pane.object = line.html
        objects = [self._head, *(row for _, row in self._rows.values())]
        if self.view.objects != objects:
            self.view.objects = objects

    def _row(self, request_id: int, may_act: bool) -> tuple[pn.pane.HTML, pn.Row]:
        pane = pn.pane.HTML(
            "", stylesheets=[style("pages/operations/operations")], sizing_mode="stretch_width", margin=0
        )
        row = pn.Row(pane, sizing_mode="stretch_width", margin=0, stylesheets=[_ROW])
        if may_act:
            button = pmui.Button(
                label=self._verb,
                icon=self._icon,
                variant="outlined",
                size="small",
                margin=(8, 0, 8, 12),
                description=f"{self._verb} request {request_id}",
                on_click=lambda _: self._on_act(request_id),
            )
            row.append(button)
        return pane, row


_HEADS = (
    '<div class="request heads"><span>Request</span><span>Observation</span><span>User</span><span>State</span>'
    "<span>Content</span></div>"
)
_ROW = ":host { border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); align-items: center; }"
