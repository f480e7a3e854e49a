"""Spectra of regions as HTML: a table of the regions with their fits, doubts, and shares of every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from archive.layout import REGIONS_RECORD
from dashboards.shared import formatting
from dashboards.shared.region_looks import sign_html
from dashboards.shared.spectrum_table import readable, with_errors
from stixcore.errors import InvalidProduct
from stixcore.spectra.models.thermal import KEV_PER_MK

Document = Mapping[str, Any]

#: Title of a column → name of the parameter.
VALUES: Mapping[str, str] = {
    "T [MK]": "T_keV",
    "EM [10⁴⁹ cm⁻³]": "EM_1e49_cm3",
    "T₂ [MK]": "T_keV_2",
    "EM₂ [10⁴⁹ cm⁻³]": "EM_1e49_cm3_2",
    "δ": "delta",
    "F₀ [10³⁵ s⁻¹]": "norm_1e35_per_s",
}
#: Parameters with a column only where a fit has them.
SECOND = ("T_keV_2", "EM_1e49_cm3_2")


def regions_html(document: Document) -> str:
    """Table of the regions, doubts, and sums and scale by channel.

    Parameters
    ----------
    document : mapping
        As `jobs.regions.products.describe_regions` describes region spectra.

    Raises
    ------
    InvalidProduct
        If the document does not describe regions.
    """
    try:
        return "".join((_summary(document), _table(document), _doubts(document), _sums(document)))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InvalidProduct(REGIONS_RECORD, "the description of regions", repr(error)) from error


def _summary(document: Document) -> str:
    imaged, edges = document["imaged"], document["energy_kev"]
    used = [edge for edge, done in zip(edges, imaged, strict=True) if done]
    if not used:
        return "<p class='advice'>No channel could be imaged.</p>"
    return (
        f"<p class='measured'><b>{formatting.plural(len(used), 'channel')} imaged</b>, "
        f"{formatting.energies(used[0][0], used[-1][1])}, {escape(formatting.method_name(document['method']))}, "
        f"errors from {int(document['copies'])} copies of the data.</p>"
    )


def _table(document: Document) -> str:
    """One row for each region, what is outside them, and the whole."""
    values = _values(document)
    heads = ("Region", "Share of counts", "Counts", "Model", *values, "χ² ÷ freedom", "Fit")
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    named = [(f"{sign_html(k)} {escape(one['name'])}", one) for k, one in enumerate(document["regions"])]
    if document["outside"]:
        named.append(("Outside the regions", document["outside"]))
    named.append(("Whole flare", document["whole"]))
    rows = [_row(name, one, document, [*values.values()]) for name, one in named]
    table = f'<table class="parameters"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Regions">{table}</div>'


def _values(document: Document) -> dict[str, str]:
    """Titles of the columns of values, and their parameters; a second temperature only where a fit has one."""
    fits = [one.get("fit") for one in (*_parts(document), document["whole"])]
    known = {name for fit in fits if fit for name in fit["parameters"]}
    return {title: name for title, name in VALUES.items() if name in known or name not in SECOND}


def _row(name: str, one: Mapping[str, Any], document: Document, values: Sequence[str]) -> str:
    fit = one.get("fit")
    counts = _numbers(one["counts"])[np.array(document["imaged"], dtype=bool)]
    cells = [_share(one, document), formatting.counts(float(np.nansum(counts)))]
    if fit:
        cells += [escape(fit["model"]), *(_value(fit, name) for name in values)]
        quality = fit["chi2"] / fit["ndof"] if fit["ndof"] > 0 else None
        kind = "good" if fit["verdict"] == "trusted" else "doubt"
        cells += [formatting.number(quality, ".2f"), f'<span class="mark {kind}">{escape(fit["verdict"])}</span>']
    else:
        reason = one.get("no_fit")  # what is outside the regions is never fitted
        cells += [formatting.UNKNOWN] * (len(values) + 2) + [f"none: {escape(reason)}" if reason else "none"]
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _share(one: Mapping[str, Any], document: Document) -> str:
    """Share of the counts of the imaged channels."""
    imaged = np.array(document["imaged"], dtype=bool)
    whole = _numbers(document["whole"]["counts"])[imaged]
    total = float(np.nansum(whole))
    return percent(float(np.nansum(_numbers(one["counts"])[imaged])) / total) if total > 0 else formatting.UNKNOWN


def _value(fit: Mapping[str, Any], name: str) -> str:
    one = fit["parameters"].get(name)
    if one is None:
        return formatting.UNKNOWN
    scale = KEV_PER_MK if name.startswith("T_keV") else 1.0
    errors = [None if error is None else error / scale for error in (one["sigma_minus"], one["sigma_plus"])]
    return escape(with_errors(one["value"] / scale, *errors))


def _doubts(document: Document) -> str:
    """Doubts about the images, and those of each region."""
    items = [escape(formatting.sentence(str(text))) for text in document["doubts"]]
    for one in _parts(document):
        found = [str(text) for text in one["doubts"]]
        if one["fit"]:
            found += [str(doubt["text"]) for doubt in one["fit"]["doubts"]]
        said = (formatting.sentence(readable(text)) for text in dict.fromkeys(found))
        items += [escape(f"{one['name']}: {text}") for text in said]
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<div class="notes"><ul>{listed}</ul></div>' if items else ""


def _sums(document: Document) -> str:
    """Flux of the regions and outside them against the whole, by channel."""
    parts = _parts(document)
    names = [one["name"] for one in document["regions"]] + (["Outside"] if document["outside"] else [])
    heads = ("Channel", *names, "Sum", "Scale")
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in heads)
    rows = []
    for channel, (low, high) in enumerate(document["energy_kev"]):
        name = f'<th scope="row">{formatting.energies(low, high)}</th>'
        if not document["imaged"][channel]:
            reason = document["not_imaged"][channel] or "not imaged"
            rows.append(f'<tr>{name}<td colspan="{len(heads) - 1}">{escape(reason)}</td></tr>')
            continue
        shares = [_with_error(one, channel) for one in parts]
        total = sum(one["fraction"][channel] or 0.0 for one in parts)
        cells = "".join(f"<td>{cell}</td>" for cell in (*shares, percent(total), _scale(document, channel)))
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
    return percent(fraction) if sigma is None else f"{100.0 * fraction:.1f} ± {100.0 * sigma:.1f}\N{NO-BREAK SPACE}%"


def _scale(document: Document, channel: int) -> str:
    return formatting.number(document["scale"][channel], ".2f")


def percent(share: float) -> str:
    """``12.3 %``."""
    return f"{100.0 * share:.1f}\N{NO-BREAK SPACE}%"


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
