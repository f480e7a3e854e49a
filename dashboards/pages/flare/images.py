"""The images of a flare: all methods per time and band, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from archive import Image, Run
from dashboards.pages.flare.content import FlareContent, ImageSet, MeasuredImage
from dashboards.pages.flare.picture_drawing import caption_html, picture_svg
from dashboards.pages.flare.separation import fact_html
from dashboards.pages.flare.spread import spread_of
from dashboards.shared import formatting
from dashboards.shared.image_columns import cautions_text
from dashboards.shared.links import Links, uid_link
from jobs.imaging.figures import DEFAULT_COLORS

NO_PICTURE = '<p class="nothing">The archive has no best image of this flare that you can see.</p>'


def picture_html(content: FlareContent, colors: str = DEFAULT_COLORS) -> str:
    """The thermal image with non-thermal contours, and numbers with errors beside it; ``colors``: see `picture_svg`."""
    drawing = picture_svg(content, colors)
    if not drawing:
        return NO_PICTURE
    shown = [("Thermal", content.thermal), ("Non-thermal", content.nonthermal)]
    numbers = "".join(best_numbers(name, one, content.sets) for name, one in shown if one is not None)
    missing = "".join(
        f'<p class="nothing">No {name.lower()} image that you can see.</p>' for name, one in shown if one is None
    )
    facts = f"{numbers}{fact_html(content)}{missing}"
    return f'<div class="two"><figure>{drawing}{caption_html(content)}</figure><div>{facts}</div></div>'


def best_numbers(name: str, shown: MeasuredImage, sets: Sequence[ImageSet] = ()) -> str:
    """Position, flux, size and χ² of an image with the errors in its file, and the spread of the methods of its set."""
    image, errors = shown.image, shown.file.errors
    source = formatting.position(image.centroid_hpc_x, image.centroid_hpc_y)
    source += _errors(errors.get("x"), errors.get("y"))
    rows = [
        ("Peak", formatting.position(image.peak_hpc_x, image.peak_hpc_y)),
        (_source_label(shown), source),
        ("Flux", f"{formatting.number(image.total_flux)}{_error(errors.get('flux'), '.2g')} <i>{FLUX_UNIT}</i>"),
        ("FWHM", f"{formatting.arcsec(shown.size.fwhm)}{_error(errors.get('fwhm'))}″" if shown.size else "–"),
        ("χ²", f"{formatting.number(image.chi2, '.2f')} <i>per degree of freedom</i>"),
    ]
    rows += _spread_of_set(image, sets)
    listed = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in rows)
    method = escape(formatting.method_name(image.method))
    return f"<h3>{name}, {escape(formatting.band(image))}, {method}</h3><dl>{listed}</dl>"


def _spread_of_set(image: Image, sets: Sequence[ImageSet]) -> list[tuple[str, str]]:
    """Spread of the methods in position, flux and width, as a row of `best_numbers`; none with too few methods."""
    own = next((one for one in sets if image in one.images), None)
    found = spread_of(own.images) if own is not None else None
    if found is None:
        return []
    said = [
        "" if found.x is None or found.y is None else f"position ± {_pair(found.x, found.y)}″",
        "" if found.relative_flux is None else f"flux ± {100.0 * found.relative_flux:.0f} %",
        "" if found.fwhm is None else f"FWHM ± {formatting.arcsec(found.fwhm)}″",
    ]
    return [("Spread of methods", ", ".join(filter(None, said)))] if any(said) else []


def _source_label(shown: MeasuredImage) -> str:
    """What the position is that of: a fit may have more sources than the one with the largest flux."""
    n = len(shown.file.sources)
    return f"Brightest of {n} sources" if n > 1 else "Brightest source"


FLUX_UNIT = "ct s⁻¹ cm⁻² keV⁻¹"
#: Where the errors of an image are from: `Image.sigma_source`, in words.
ERROR_SOURCES = {"ensemble": "from simulated copies of the data", "fit": "from the fit"}


def methods_html(content: FlareContent, links: Links) -> str:
    """One row of thumbnails and one table of numbers per time and energy range."""
    if not content.sets:
        return '<p class="nothing">The archive has no images of this flare that you can see.</p>'
    more = ""
    if len(content.sets) < content.n_sets:
        address = f"image_archive?flare={escape(content.flare.flare_id)}&amp;author=anyone"
        more = (
            f'<p>The first {len(content.sets)} of {content.n_sets} image sets; <a href="{address}">all images</a>.</p>'
        )
    return "".join(_set(one, links) for one in content.sets) + more


def _set(one: ImageSet, links: Links) -> str:
    first = one.first
    time, band = escape(formatting.time_range(first)), escape(formatting.band(first))
    whose = "" if first.author == "auto" else f" <i>by {escape(first.author)}</i>"
    hidden = ' <span class="mark">hidden</span>' if first.hidden else ""
    cards = "".join(_card(image, links) for image in one.images)
    return (
        f'<section class="set" aria-label="{time}, {band}"><h3>{band} <i>{time}</i>{whose}{hidden}</h3>'
        f'<div class="cards">{cards}</div>{_run(one.run)}{_numbers(one)}</section>'
    )


def _card(image: Image, links: Links) -> str:
    place, method = links.thumbnail(image), escape(formatting.method_name(image.method))
    picture = (
        f'<img src="{escape(place)}" alt="" width="96" height="96">'
        if place
        else '<span class="nothing">no picture</span>'
    )
    kind, verdict = ("good", "trusted") if image.trusted else ("doubt", "doubtful")
    return (
        f'<button type="button" data-image="{escape(image.image_id)}" title="{escape(cautions_text(image))}">{picture}'
        f'<b>{method}</b><span class="mark {kind}">{verdict}</span></button>'
    )


def _run(run: Run | None) -> str:
    """Counts, position with error, and background of a set."""
    if run is None:
        return ""
    facts = [
        _counts(run),
        f"location {formatting.position(run.hpc_x, run.hpc_y)}{_errors(run.hpc_sigma_x, run.hpc_sigma_y)}",
        f"background uid {uid_link(run.background_uid)}" if run.background_uid else "no background subtracted",
    ]
    if run.background_uid and run.background_reason:
        facts[-1] += f" ({escape(run.background_reason)})"
    return f'<p class="facts">{"; ".join(facts)}.</p>'


def _counts(run: Run) -> str:
    """``45 210 counts: 40 000 ± 224 above a background of 5 210``."""
    total, background = run.counts_total, run.counts_background
    if total is None or background is None:
        return f"{formatting.counts(total)} counts"
    # σ² = N: the error of the background, which is recorded for longer, is left out
    net, sigma = formatting.counts(total - background), formatting.counts(math.sqrt(max(total, 0.0)))
    return f"{formatting.counts(total)} counts: {net} ± {sigma} above a background of {formatting.counts(background)}"


def _numbers(one: ImageSet) -> str:
    """A table of positions, sizes and fluxes with errors by method, and where the errors are from."""
    heads = ("Method", "Peak [″]", "Brightest source [″]", "FWHM [″]", f"Flux [{FLUX_UNIT}]", "χ²")
    body = "".join(
        f"<tr><th scope='row'>{escape(formatting.method_name(image.method))}</th>"
        f"{''.join(f'<td>{value}</td>' for value in _measures(image))}</tr>"
        for image in one.images
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{_spread_row(one)}</table>"
    return f"<div class='scroll' tabindex='0'>{table}</div>{_sources_of_errors(one)}{_spread_note(one)}"


def _spread_row(one: ImageSet) -> str:
    """The last line of the table of a set: what its numbers depend on the method; empty with too few methods."""
    found = spread_of(one.images)
    if found is None:
        return ""
    values = (
        "",
        formatting.UNKNOWN if found.x is None or found.y is None else f"± {_pair(found.x, found.y)}",
        _plus_minus(found.fwhm, ".1f"),
        _plus_minus(found.flux, ".2g")
        + ("" if found.relative_flux is None else f" ({100.0 * found.relative_flux:.0f} %)"),
        "",
    )
    cells = "".join(f"<td>{value}</td>" for value in values)
    return f"<tfoot><tr><th scope='row'>Spread of methods</th>{cells}</tr></tfoot>"


def _spread_note(one: ImageSet) -> str:
    found = spread_of(one.images)
    if found is None:
        return ""
    names = ", ".join(map(formatting.method_name, found.methods))
    return (
        f'<p class="facts">Spread of methods: standard deviation of {escape(names)}. '
        "The errors of a method do not contain it.</p>"
    )


def _plus_minus(sigma: float | None, form: str) -> str:
    return formatting.UNKNOWN if sigma is None else f"± {formatting.number(sigma, form)}"


def _measures(image: Image) -> tuple[str, ...]:
    """Numbers of an image, each with its error of one standard deviation where it is known."""
    centroid = _pair(image.centroid_hpc_x, image.centroid_hpc_y)
    return (
        _pair(image.peak_hpc_x, image.peak_hpc_y),
        centroid + (_error(image.centroid_sigma) if centroid != formatting.UNKNOWN else ""),
        _with_error(image.fwhm, image.fwhm_sigma, ".1f"),
        _with_error(image.total_flux, image.flux_sigma, ".3g"),
        formatting.number(image.chi2, ".2f"),
    )


def _pair(x: float | None, y: float | None) -> str:
    """``823.3, 147.9``."""
    return formatting.UNKNOWN if x is None or y is None else f"{formatting.arcsec(x)}, {formatting.arcsec(y)}"


def _with_error(value: float | None, sigma: float | None, form: str) -> str:
    return formatting.number(value, form) + (_error(sigma, form if "f" in form else ".2g") if value is not None else "")


def _sources_of_errors(one: ImageSet) -> str:
    """Where the errors of a set are from; empty without errors."""
    of_source: dict[str, list[str]] = {}
    for image in one.images:
        if image.sigma_source:
            of_source.setdefault(image.sigma_source, []).append(formatting.method_name(image.method))
    if not of_source:
        return ""
    said = "; ".join(f"{', '.join(methods)}: {ERROR_SOURCES.get(key, key)}" for key, methods in of_source.items())
    return f'<p class="facts">Errors of one standard deviation, without that of the pointing. {escape(said)}.</p>'


def _error(sigma: float | None, form: str = ".1f") -> str:
    return "" if sigma is None else f" ± {formatting.number(sigma, form)}"


def _errors(x: float | None, y: float | None) -> str:
    if x is None or y is None:
        return ""
    return f" ± {formatting.arcsec(x)}″, {formatting.arcsec(y)}″"
