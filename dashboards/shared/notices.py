"""Messages for the visitor: errors, warnings, and information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import panel as pn

from dashboards.shared.style import style


@dataclass(frozen=True)
class Notice:
    """A message and its level: "info", "warning", "error" or "simulated"."""

    kind: str
    text: str


class Notices:
    """A list of notices; takes no space while empty."""

    def __init__(self) -> None:
        self.pane = pn.pane.HTML(
            "", stylesheets=[style("shared/notices")], sizing_mode="stretch_width", margin=(0, 0), visible=False
        )

    def show(self, notices: Sequence[Notice]) -> None:
        """Replace the notices."""
        html = "".join(_box(notice) for notice in notices)
        self.pane.param.update(object=html, visible=bool(html))


def _box(notice: Notice) -> str:
    role = "status" if notice.kind == "info" else "alert"
    lead = "<b>SIMULATED</b> " if notice.kind == "simulated" else ""
    return f'<p class="{notice.kind}" role="{role}">{lead}{escape(notice.text)}</p>'
