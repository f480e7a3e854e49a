"""Texts of the region form as HTML: channels and refusals before the measurement, the result after it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from dashboards.pages.science_data.region_feedback import BandFeedback, RegionNote
from dashboards.shared import formatting
from dashboards.shared.region_looks import sign_html
from dashboards.shared.region_table import percent, regions_html

Document = Mapping[str, Any]


def band_html(feedback: BandFeedback, least: float, method: str) -> str:
    """Window, channels with enough counts, background, and why there is no image."""
    lines = []
    if feedback.asked:
        lines.append(f"<p class='advice'>{escape(formatting.sentence(feedback.asked))}</p>")
    if feedback.instant is not None:
        pixels = feedback.instant.pixels
        lines.append(
            f"<p class='box'><b>{formatting.day(pixels.t_start)} "
            f"{formatting.clock(pixels.t_start)} – {formatting.clock(pixels.t_end)}</b> "
            f"{pixels.duration:.4g} s, <b>{formatting.energies(pixels.e_low, pixels.e_high)}</b></p>"
        )
    if feedback.channels:
        lines.append(_channels(feedback, least))
    if feedback.background:
        lines.append(f"<p>{escape(feedback.background)}</p>")
    if feedback.problem:
        lines.append(f"<p class='advice'>{escape(formatting.sentence(feedback.problem))}</p>")
    elif feedback.instant is not None:
        said = f"Shown: {formatting.method_name(method)} of the whole band, {1e3 * feedback.instant.elapsed:.0f} ms."
        lines.append(f"<p>{escape(said)}</p>")
    return "".join(lines)


def _channels(feedback: BandFeedback, least: float) -> str:
    """How many channels are imaged, and the counts of each."""
    rows = "".join(
        f"<tr><th scope='row'>{formatting.energies(one.low, one.high)}</th><td>{formatting.counts(one.counts)}</td>"
        f"<td>{'imaged' if one.enough else 'too few'}</td></tr>"
        for one in feedback.channels
    )
    rule = f"A channel is imaged if it has at least {formatting.counts(least)} counts above background"
    head = f"{rule}: {feedback.imaged} of {len(feedback.channels)} channels."
    table = (
        "<table><thead><tr><th scope='col'>Channel</th><th scope='col'>Counts</th><th scope='col'></th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    kind = "" if feedback.imaged else " class='advice'"
    return f"<p{kind}>{head}</p><details><summary>Counts of the channels</summary>{table}</details>"


def note_html(number: int, note: RegionNote) -> str:
    """Area and share of a region, or why it is refused."""
    sign = f"{sign_html(number)} "
    if note.refusal:
        return f"<p class='advice'>{sign}{escape(formatting.sentence(note.refusal))}</p>"
    if note.area is None:
        return f"<p>{sign}Waits for the image.</p>"
    share = "" if note.fraction is None else f", {percent(note.fraction)} of the flux in the image"
    return f"<p>{sign}{formatting.number(note.area, '.0f')} arcsec²{share}.</p>"


def result_html(document: Document, command: str) -> str:
    """The regions as `region_table.regions_html`, and the command that repeats it; errors as there."""
    same = (
        "<h4>The same on the command line</h4><p>In a folder with the files that it names:</p>"
        f"<pre tabindex='0' aria-label='Command' role='region'><code>{escape(command)}</code></pre>"
    )
    return regions_html(document) + (same if command else "")


def link_html(address: str) -> str:
    """A link to the form as it is filled in."""
    return f"<p><a href='{escape(address, quote=True)}'>Link to this form</a></p>" if address else ""
