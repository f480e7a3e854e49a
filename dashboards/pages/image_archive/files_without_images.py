"""Bands without images, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from archive import Run
from dashboards.shared import formatting
from dashboards.shared.image_columns import simulated_mark
from dashboards.shared.links import flare_link, uid_link

HEADS = ("Time (UTC)", "Observation", "Energy", "Status", "Why there is no image")


def runs_without_image_html(runs: Sequence[Run]) -> str:
    """A plain table."""
    mixed = len({run.simulated for run in runs}) > 1
    heads = "".join(f"<th scope='col'>{head}</th>" for head in HEADS)
    body = "".join(_row(run, mixed=mixed) for run in runs)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _row(run: Run, *, mixed: bool) -> str:
    flare = f"<br><i>flare</i> {flare_link(run.flare_id)}" if run.flare_id else ""
    simulated = simulated_mark(run.simulated) if mixed else ""
    cells = (
        f"{formatting.day(run.t_start)} <br>{formatting.clock(run.t_start)}",
        f"{uid_link(run.uid)}{flare}",
        escape(run.band),
        f"<span class='{escape(run.status)}'>{escape(run.status)}</span>{simulated}",
        escape(run.reason or formatting.UNKNOWN),
    )
    return (
        "<tr>"
        + "".join(f"<td data-head='{head}'>{cell}</td>" for head, cell in zip(HEADS, cells, strict=True))
        + "</tr>"
    )
