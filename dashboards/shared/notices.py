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
        html = notices_html(notices)
        self.pane.param.update(object=html, visible=bool(html))


def notices_html(notices: Sequence[Notice]) -> str:
    """Notices as HTML."""
    return "".join(_box(notice) for notice in notices)


def simulated_notices(simulated: Sequence[bool], rows: str) -> list[Notice]:
    """The banner above rows of which some are simulated; empty if none is.

    Parameters
    ----------
    simulated : sequence of bool
        Whether each row is simulated.
    rows : str
        What they are; a plural.
    """
    if not any(simulated):
        return []
    if all(simulated):
        return [Notice("simulated", f"These {rows} are simulated, not real.")]
    return [Notice("simulated", f"Some of these {rows} are simulated, not real.")]


def _box(notice: Notice) -> str:
    role = "status" if notice.kind == "info" else "alert"
    lead = "<b>SIMULATED</b> " if notice.kind == "simulated" else ""
    return f'<p class="{notice.kind}" role="{role}">{lead}{escape(notice.text)}</p>'
