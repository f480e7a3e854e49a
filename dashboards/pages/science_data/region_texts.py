"""Texts of the region form as HTML: channels and refusals before the measurement, the table of the regions after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from archive.layout import REGIONS_RECORD
from dashboards.pages.science_data.region_feedback import BandFeedback, RegionNote
from dashboards.pages.science_data.region_map import look_of
from dashboards.pages.science_data.table import energy_text
from dashboards.shared import formatting
from dashboards.shared.spectrum_table import SYMBOLS, with_errors, with_unit
from stixcore.errors import InvalidProduct
from stixcore.spectra.models.thermal import KEV_PER_MK

Document = Mapping[str, Any]

#: Signs of the markers of `region_map.MARKERS`, in their order.
SIGNS = {"circle": "●", "square": "■", "triangle": "▲", "diamond": "◆", "inverted_triangle": "▼", "star": "★"}
#: Title of a column → names of the parameter, in the order of preference.
VALUES: Mapping[str, tuple[str, ...]] = {
    "T [MK]": ("T_keV",),
    "EM [10⁴⁹ cm⁻³]": ("EM_1e49_cm3",),
    "δ": ("delta",),
    "F₀ [10³⁵ s⁻¹]": ("norm_1e35_per_s",),
}


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
            f"{pixels.duration:.4g} s, <b>{energy_text(pixels.e_low, pixels.e_high)}</b></p>"
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
        f"<tr><th scope='row'>{energy_text(one.low, one.high)}</th><td>{formatting.counts(one.counts)}</td>"
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
    color, _, marker = look_of(number)
    sign = f"<span style='color:{color}' aria-hidden='true'>{SIGNS[marker]}</span> "
    if note.refusal:
        return f"<p class='advice'>{sign}{escape(formatting.sentence(note.refusal))}</p>"
    if note.area is None:
        return f"<p>{sign}Waits for the image.</p>"
    share = "" if note.fraction is None else f", {_percent(note.fraction)} of the flux in the image"
    return f"<p>{sign}{formatting.number(note.area, '.0f')} arcsec²{share}.</p>"


def result_html(document: Document, command: str) -> str:
    """Table of the regions, sums and scale by channel, doubts, and the command that repeats it.

    Raises
    ------
    InvalidProduct
        If the document does not describe regions.
    """
    try:
        parts = [_summary(document), _table(document), _doubts(document), _sums(document)]
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InvalidProduct(REGIONS_RECORD, "the description of regions", repr(error)) from error
    if command:
        parts.append(
            "<h4>The same on the command line</h4><p>In a folder with the files that it names:</p>"
            f"<pre tabindex='0' aria-label='Command' role='region'><code>{escape(command)}</code></pre>"
        )
    return "".join(parts)


def link_html(address: str) -> str:
    """A link to the form as it is filled in."""
    return f"<p><a href='{escape(address, quote=True)}'>Link to this form</a></p>" if address else ""


def _summary(document: Document) -> str:
    imaged, edges = document["imaged"], document["energy_kev"]
    used = [edge for edge, done in zip(edges, imaged, strict=True) if done]
    if not used:
        return "<p class='advice'>No channel could be imaged.</p>"
    return (
        f"<p class='box'><b>{formatting.plural(len(used), 'channel')} imaged</b>, "
        f"{energy_text(used[0][0], used[-1][1])}, {escape(formatting.method_name(document['method']))}, "
        f"errors from {document['copies']} copies of the data.</p>"
    )


def _table(document: Document) -> str:
    """One row for each region, what is outside them, and the whole."""
    heads = ("Region", "Share of counts", "Counts", "Model", *VALUES, "χ² ÷ freedom", "Fit")
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    rows = [_row(_named(number, one["name"]), one, document) for number, one in enumerate(document["regions"])]
    if document["outside"]:
        rows.append(_row("Outside the regions", document["outside"], document))
    rows.append(_row("Whole flare", document["whole"], document))
    table = f'<table class="parameters"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Regions">{table}</div>'


def _named(number: int, name: str) -> str:
    color, _, marker = look_of(number)
    return f"<span style='color:{color}' aria-hidden='true'>{SIGNS[marker]}</span> {escape(name)}"


def _row(name: str, one: Mapping[str, Any], document: Document) -> str:
    fit = one.get("fit")
    counts = _numbers(one["counts"])[np.array(document["imaged"], dtype=bool)]
    cells = [_share(one, document), formatting.counts(float(np.nansum(counts)))]
    if fit:
        cells += [escape(fit["model"]), *(_value(fit, names) for names in VALUES.values())]
        quality = fit["chi2"] / fit["ndof"] if fit["ndof"] > 0 else None
        kind = "good" if fit["verdict"] == "trusted" else "doubt"
        cells += [formatting.number(quality, ".2f"), f'<span class="mark {kind}">{escape(fit["verdict"])}</span>']
    else:
        reason = one.get("no_fit")  # what is outside the regions is never fitted
        cells += [formatting.UNKNOWN] * (len(VALUES) + 2) + [f"none: {escape(reason)}" if reason else "none"]
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _share(one: Mapping[str, Any], document: Document) -> str:
    """Share of the counts of the imaged channels."""
    imaged = np.array(document["imaged"], dtype=bool)
    whole = _numbers(document["whole"]["counts"])[imaged]
    total = float(np.nansum(whole))
    return _percent(float(np.nansum(_numbers(one["counts"])[imaged])) / total) if total > 0 else formatting.UNKNOWN


def _value(fit: Mapping[str, Any], names: Sequence[str]) -> str:
    parameters = fit["parameters"]
    for name in names:
        if name not in parameters:
            continue
        one = parameters[name]
        scale = KEV_PER_MK if name == "T_keV" else 1.0
        errors = [None if error is None else error / scale for error in (one["sigma_minus"], one["sigma_plus"])]
        return escape(with_unit(with_errors(one["value"] / scale, *errors), ""))
    return formatting.UNKNOWN


def _doubts(document: Document) -> str:
    """Doubts about the images, and those of each region."""
    texts = [str(text) for text in document["doubts"]]
    for one in _parts(document):
        found = [str(text) for text in one["doubts"]]
        if one["fit"]:
            found += [str(doubt["text"]) for doubt in one["fit"]["doubts"]]
        texts += [f"{one['name']}: {_readable(text)}" for text in dict.fromkeys(found)]
    items = "".join(f"<li>{escape(formatting.sentence(text))}</li>" for text in texts)
    return f'<div class="notes"><ul>{items}</ul></div>' if items else ""


def _sums(document: Document) -> str:
    """Flux of the regions and outside them against the whole, by channel."""
    parts = _parts(document)
    names = [one["name"] for one in document["regions"]] + (["Outside"] if document["outside"] else [])
    heads = ("Channel", *names, "Sum", "Scale")
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in heads)
    rows = []
    for channel, (low, high) in enumerate(document["energy_kev"]):
        name = f'<th scope="row">{energy_text(low, high)}</th>'
        if not document["imaged"][channel]:
            reason = document["not_imaged"][channel] or "not imaged"
            rows.append(f'<tr>{name}<td colspan="{len(heads) - 1}">{escape(reason)}</td></tr>')
            continue
        shares = [_with_error(one, channel) for one in parts]
        total = sum(one["fraction"][channel] or 0.0 for one in parts)
        cells = "".join(f"<td>{cell}</td>" for cell in (*shares, _percent(total), _scale(document, channel)))
        rows.append(f"<tr>{name}{cells}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    said = (
        "Share of the flux of the image in each region, with 1 σ. The scale is the flux of the whole spectrum divided "
        "by that of the image; shares are not changed by it."
    )
    room = f"<div class='scroll shares' tabindex='0' role='region' aria-label='Channels'>{table}</div>"
    return f"<details><summary>Shares and scale of every channel</summary><p>{said}</p>{room}</details>"


def _parts(document: Document) -> list[Mapping[str, Any]]:
    """Regions, and what is outside them; a forward fit has nothing there."""
    return [*document["regions"], *([document["outside"]] if document["outside"] else [])]


def _with_error(one: Mapping[str, Any], channel: int) -> str:
    fraction, sigma = one["fraction"][channel], one["fraction_sigma"][channel]
    if fraction is None:
        return formatting.UNKNOWN
    return _percent(fraction) if sigma is None else f"{100.0 * fraction:.1f} ± {100.0 * sigma:.1f}\N{NO-BREAK SPACE}%"


def _scale(document: Document, channel: int) -> str:
    return formatting.number(document["scale"][channel], ".2f")


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f}\N{NO-BREAK SPACE}%"


def _readable(text: str) -> str:
    for name, symbol in SYMBOLS.items():
        text = text.replace(name, symbol)
    return text


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
