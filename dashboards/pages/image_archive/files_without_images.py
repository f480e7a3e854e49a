"""Bands without images, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from archive import Run
from dashboards.shared import formatting

HEADS = ("Time (UTC)", "Observation", "Energy", "Status", "Why there is no image")


def runs_without_image_html(runs: Sequence[Run]) -> str:
    """A plain table, without links or buttons."""
    heads = "".join(f"<th scope='col'>{head}</th>" for head in HEADS)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_row, runs))}</tbody></table>"


def _row(run: Run) -> str:
    flare = f"<br><i>flare {escape(run.flare_id)}</i>" if run.flare_id else ""
    simulated = "<br><b>SIMULATED</b>" if run.simulated else ""
    cells = (
        f"{formatting.day(run.t_start)} <br>{formatting.clock(run.t_start)}",
        f"{escape(run.uid)}{flare}{simulated}",
        escape(run.band),
        f"<span class='{escape(run.status)}'>{escape(run.status)}</span>",
        escape(run.reason or formatting.UNKNOWN),
    )
    return (
        "<tr>"
        + "".join(f"<td data-head='{head}'>{cell}</td>" for head, cell in zip(HEADS, cells, strict=True))
        + "</tr>"
    )
