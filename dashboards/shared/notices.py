"""Sentences for the visitor: what is wrong, what is missing, what must be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import panel as pn

from dashboards.shared.style import style


@dataclass(frozen=True)
class Notice:
    """A sentence and how loud it is: "info", "warning", "error" or "simulated"."""

    kind: str
    text: str


class Notices:
    """A strip of notices; takes no room while there are none."""

    def __init__(self) -> None:
        self.pane = pn.pane.HTML(
            "", stylesheets=[style("shared/notices")], sizing_mode="stretch_width", margin=(0, 0), visible=False
        )

    def show(self, notices: Sequence[Notice]) -> None:
        """Show these, and no others."""
        html = "".join(_box(notice) for notice in notices)
        self.pane.param.update(object=html, visible=bool(html))


def _box(notice: Notice) -> str:
    role = "status" if notice.kind == "info" else "alert"
    lead = "<b>SIMULATED</b> " if notice.kind == "simulated" else ""
    return f'<p class="{notice.kind}" role="{role}">{lead}{escape(notice.text)}</p>'
