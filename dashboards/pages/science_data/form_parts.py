"""Parts of the imaging form: fields linked to a parameter, groups with a heading, and feedback on a selection."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import panel as pn

from dashboards.pages.science_data.imaging_form import ENOUGH_COUNTS, Feedback
from dashboards.pages.science_data.tracking import RequestStatus
from dashboards.shared import formatting
from dashboards.shared.style import LOW, style
from jobs.inputs import BackgroundChoice
from jobs.queue.journal import Request, RequestState
from jobs.queue.requests import AUTO, NONE
from stixcore.imaging.location import DOUBTFUL_SIDELOBE_RATIO
from stixcore.instrument.geometry import ALL_LABELS, IMAGING_LABELS

#: Processor time of a copy, s: mean of the methods, previews of November 2022 (docs/decisions/ensembles.md).
SECONDS_PER_COPY = 0.05
FIELD: dict[str, Any] = {"size": "small", "margin": (6, 10, 4, 0), "description": "", "sx": LOW}


def group(title: str, *parts: Any) -> pn.Column:
    """Fields under a heading."""
    head = pn.pane.HTML(f"<h3>{escape(title)}</h3>", stylesheets=[style("pages/science_data/detail")], margin=0)
    return pn.Column(
        head,
        pn.FlexBox(*parts, sizing_mode="stretch_width", align_items="center"),
        sizing_mode="stretch_width",
        margin=0,
    )


def html_pane() -> pn.pane.HTML:
    """Container for text."""
    return pn.pane.HTML("", stylesheets=[style("pages/science_data/analysis")], sizing_mode="stretch_width", margin=0)


def background_options(choice: BackgroundChoice) -> dict[str, str]:
    """Background options, best first; unsuitable ones with the reason."""
    auto = f"automatic: {choice.chosen.uid}" if choice.chosen is not None else "automatic: none qualifies"
    options = {auto: AUTO, "none": NONE}
    for candidate in choice.candidates:
        side = "after" if candidate.distance_h > 0 else "before"
        distance = f"{abs(candidate.distance_h):.1f} h {side}"
        label = f"{candidate.uid}, {distance}" + ("" if candidate.qualifies else f": {candidate.reason}")
        options[label] = candidate.name
    return options


def subcollimator_options() -> dict[str, str]:
    """Sub-collimators with the state of their calibration."""
    return {label if label in IMAGING_LABELS else f"{label} (phase not calibrated)": label for label in ALL_LABELS}


def feedback_html(feedback: Feedback, *, enough: float = ENOUGH_COUNTS) -> str:
    """Counts, background, advice and number of images; or why there is no image."""
    lines = []
    instant = feedback.instant
    if feedback.asked:
        lines.append(f"<p class='advice'>{escape(feedback.asked[:1].upper() + feedback.asked[1:])}.</p>")
    if instant is not None:
        pixels = instant.pixels
        lines.append(
            f"<p class='box'><b>{formatting.day(pixels.t_start)} "
            f"{formatting.clock(pixels.t_start)} – {formatting.clock(pixels.t_end)}</b> "
            f"{pixels.duration:.4g} s, <b>{formatting.energies(pixels.e_low, pixels.e_high)}</b></p>"
        )
        share = 100.0 * instant.background / instant.counts if instant.counts else np.nan
        lines.append(
            f"<p>{formatting.counts(instant.recorded)} counts recorded; "
            f"{formatting.counts(instant.counts)} in the imaged pixels, "
            f"including {formatting.counts(instant.background)} background "
            f"({formatting.number(share, '.1f')}\N{NO-BREAK SPACE}%).</p>"
        )
        if instant.recorded < enough:
            lines.append(
                f"<p class='advice'>Fewer than {formatting.counts(enough)} counts: expect mostly noise. Choose a "
                "longer time or a wider energy range.</p>"
            )
        rival = 0.0 if instant.search is None else instant.search.rival(instant.pointing.rsun)
        if rival >= DOUBTFUL_SIDELOBE_RATIO and instant.location.found_by != "given":
            lines.append(
                f"<p class='advice'>A second peak on the disk reaches {rival:.2f} of the maximum: the "
                "location is doubtful. See the candidates under “Location”.</p>"
            )
        lines.append(
            f"<p>Peak at {formatting.position(*instant.image.peak)}, "
            f"pointing from {escape(str(instant.pointing.source))}; "
            f"computed in {1e3 * instant.elapsed:.0f} ms.</p>"
        )
    if feedback.background:
        lines.append(f"<p>{escape(feedback.background)}</p>")
    if feedback.n_images and not feedback.problem:
        lines.append(f"<p><b>{formatting.counts(feedback.n_images)} images</b> will be made{_copies(feedback)}.</p>")
    if feedback.problem:
        lines.append(f"<p class='advice'>{escape(feedback.problem[0].upper() + feedback.problem[1:])}.</p>")
    return "".join(lines)


def _copies(feedback: Feedback) -> str:
    """What error bars cost, for the sentence about the number of images."""
    if not feedback.copies:
        return ""
    seconds = SECONDS_PER_COPY * feedback.copies * feedback.n_images
    return f", with error bars from {feedback.copies} copies each: about {formatting.number(seconds, '.2g')} s more"


def status_html(status: RequestStatus | None, *, answered: bool) -> str:
    """State of a request in one sentence, with a progress bar while it runs."""
    if status is None:
        return ""
    request = status.request
    head = f"<b>Request {request.request_id}</b>"
    match request.state:
        case RequestState.QUEUED:
            before = status.position or 0
            place = "is next" if before == 0 else f"waits for {before} other{'s' if before > 1 else ''}"
            nobody = "" if status.workers else " No worker is running; it waits until one starts."
            return f"<p>{head} {place}.{nobody}</p><progress aria-label='waiting'></progress>"
        case RequestState.RUNNING:
            steps = max(request.step_count, 1)
            done = (len(status.parts) + request.step_number / steps) / max(request.task_count, 1)
            current, of_all = len(status.parts) + 1, request.set_count  # a cube is drawn after its last set
            sets = f", set {current} of {of_all}" if of_all > 1 and current <= of_all else ""
            stop = " It is being cancelled." if request.cancelling else ""
            return (
                f"<p>{head} is running: {escape(request.step or 'starting')}{sets}.{stop}</p>"
                f"<progress max='1' value='{min(done, 1.0):.3f}' aria-label='progress'></progress>"
            )
        case RequestState.DONE:
            how = "needed no computation; the images already exist" if answered else "is done"
            some = f" {escape(request.reason)}" if request.reason else ""
            return f"<p class='done'>{head} {how}. Its images are below.{some}</p>"
        case RequestState.CANCELLED:
            return f"<p>{head} was cancelled.</p>"
        case _:
            return f"<p class='advice'>{head} failed: {escape(request.reason or 'no reason recorded')}</p>"


def requests_html(requests: Sequence[Request], current: int) -> str:
    """The visitor's requests for this file, as links."""
    rows = "".join(
        f"<li><a href='?uid={escape(request.uid)}&amp;tab=analysis&amp;request={request.request_id}'"
        f"{' aria-current=true' if request.request_id == current else ''}>{request.request_id}</a> "
        f"{escape(str(request.state))}, {escape(request.contents)}, "
        f"{formatting.day(request.submitted_at)} {formatting.clock(request.submitted_at)} UTC</li>"
        for request in requests
    )
    every = "<p><a href='account'>All my requests</a></p>"
    return f"<h3>My requests for this file</h3><ul>{rows}</ul>{every}" if rows else ""
