"""The spectra of a flare: one as a drawing and as numbers, its files, and links to the others."""

from __future__ import annotations

from html import escape

from dashboards.pages.flare.content import FlareContent
from dashboards.pages.flare.spectrum_drawing import legend_html, spectrum_svg
from dashboards.shared import formatting
from dashboards.shared.links import flare_address, routes_are_served
from dashboards.shared.spectrum_curves import SpectrumCurves
from dashboards.shared.stored_spectra import (
    addresses,
    choice_html,
    files_html,
    numbers_html,
    owner_of,
    spectrum_name,
)


def spectra_html(content: FlareContent) -> str:
    """Drawing, numbers, downloads, and links to the other spectra; or why there are none."""
    spectra = content.spectra
    if spectra.shown is None:
        return f'<p class="nothing">The archive has no spectrum of this flare: {_reason(content)}.</p>'
    drawing = ""
    if spectra.document is not None:
        curves = SpectrumCurves.of(spectra.document)
        name = f"Count rate against energy, {spectrum_name(spectra.shown)}; values are in the JSON file"
        drawing = f"<figure>{spectrum_svg(curves, name)}{legend_html(curves)}</figure>"
    files = files_html(spectra.shown) if routes_are_served() else ""
    others = choice_html(spectra, addresses(spectra.rows, flare_address(content.flare.flare_id)))
    time = formatting.time_range(spectra.shown)
    return (
        f"<h3>{time} <i>{formatting.CLOCK}{escape(owner_of(spectra.shown))}</i></h3>"
        f'<div class="spectra">{drawing}<div class="numbers">{numbers_html(spectra)}</div></div>{files}{others}'
    )


def _reason(content: FlareContent) -> str:
    """Why a flare has no spectrum."""
    if not content.sets:
        return "it has no images, and spectra are made for the time ranges of images"
    return (
        "none has been made for the time ranges of its images yet, or it could not be made; the worker’s log says why"
    )
