"""The images of a flare: all methods per time and band, and their numbers."""

from __future__ import annotations

from html import escape

from archive import Image, Run
from dashboards.pages.flare.content import FlareContent, ImageSet, MeasuredImage
from dashboards.pages.flare.picture_drawing import caption_html, picture_svg
from dashboards.shared import formatting
from dashboards.shared.image_columns import cautions_text
from dashboards.shared.links import Links

NO_PICTURE = '<p class="nothing">The archive has no best image of this flare that you can see.</p>'


def picture_html(content: FlareContent) -> str:
    """The thermal image with non-thermal contours, and numbers with errors beside it."""
    drawing = picture_svg(content)
    if not drawing:
        return NO_PICTURE
    shown = [("Thermal", content.thermal), ("Non-thermal", content.nonthermal)]
    numbers = "".join(best_numbers(name, one) for name, one in shown if one is not None)
    missing = "".join(
        f'<p class="nothing">No {name.lower()} image that you can see.</p>' for name, one in shown if one is None
    )
    return f'<div class="two"><figure>{drawing}{caption_html(content)}</figure><div>{numbers}{missing}</div></div>'


def best_numbers(name: str, shown: MeasuredImage) -> str:
    """Position, flux, size and χ² of an image with the errors in its file."""
    image, errors = shown.image, shown.file.errors
    centroid = formatting.position(image.centroid_hpc_x, image.centroid_hpc_y)
    centroid += _errors(errors.get("x"), errors.get("y"))
    rows = [
        ("Peak", formatting.position(image.peak_hpc_x, image.peak_hpc_y)),
        ("Centroid", centroid),
        ("Flux", f"{formatting.number(image.total_flux)}{_error(errors.get('flux'), '.2g')} <i>{FLUX_UNIT}</i>"),
        ("FWHM", f"{formatting.arcsec(shown.size.fwhm)}{_error(errors.get('fwhm'))}″" if shown.size else "–"),
        ("χ²", f"{formatting.number(image.chi2, '.2f')} <i>per degree of freedom</i>"),
    ]
    listed = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in rows)
    method = escape(formatting.method_name(image.method))
    return f"<h3>{name}, {escape(formatting.band(image))}, {method}</h3><dl>{listed}</dl>"


FLUX_UNIT = "ct s⁻¹ cm⁻² keV⁻¹"


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
        f"{formatting.counts(run.counts_total)} counts, {formatting.counts(run.counts_background)} of them background",
        f"location {formatting.position(run.hpc_x, run.hpc_y)}{_errors(run.hpc_sigma_x, run.hpc_sigma_y)}",
        f"background uid {escape(run.background_uid)}" if run.background_uid else "no background subtracted",
    ]
    if run.background_uid and run.background_reason:
        facts[-1] += f" ({escape(run.background_reason)})"
    return f'<p class="facts">{"; ".join(facts)}.</p>'


def _numbers(one: ImageSet) -> str:
    heads = ("Method", "Peak X [″]", "Peak Y [″]", "Centroid X [″]", "Centroid Y [″]", f"Flux [{FLUX_UNIT}]", "χ²")
    body = "".join(
        f"<tr><th scope='row'>{escape(formatting.method_name(image.method))}</th>"
        + "".join(
            f"<td>{value}</td>"
            for value in (
                formatting.arcsec(image.peak_hpc_x),
                formatting.arcsec(image.peak_hpc_y),
                formatting.arcsec(image.centroid_hpc_x),
                formatting.arcsec(image.centroid_hpc_y),
                formatting.number(image.total_flux),
                formatting.number(image.chi2, ".2f"),
            )
        )
        + "</tr>"
        for image in one.images
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    return f"<div class='scroll' tabindex='0'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _error(sigma: float | None, form: str = ".1f") -> str:
    return "" if sigma is None else f" ± {formatting.number(sigma, form)}"


def _errors(x: float | None, y: float | None) -> str:
    if x is None or y is None:
        return ""
    return f" ± {formatting.arcsec(x)}″, {formatting.arcsec(y)}″"
