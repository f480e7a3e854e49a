"""One image large, with its numbers, and what every method made of the same recipe, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from archive import Image, Run
from dashboards.components import words
from dashboards.components.image_columns import script_links
from dashboards.state.detail import ImageDetail, read_cautions
from dashboards.web.links import Links

#: Rows of the comparison: what, its unit, and the text of its value.
COMPARED: Sequence[tuple[str, str, Callable[[Image], str]]] = (
    ("Peak, Solar X", "arcsec", lambda image: words.arcsec(image.peak_hpc_x)),
    ("Peak, Solar Y", "arcsec", lambda image: words.arcsec(image.peak_hpc_y)),
    ("Centroid above half maximum, Solar X", "arcsec", lambda image: words.arcsec(image.centroid_hpc_x)),
    ("Centroid above half maximum, Solar Y", "arcsec", lambda image: words.arcsec(image.centroid_hpc_y)),
    ("Total flux", "ct s⁻¹ cm⁻² keV⁻¹", lambda image: words.number(image.total_flux)),
    ("Brightest pixel", "", lambda image: f"{words.number(image.max)}{_unit(image)}"),
    ("Reduced χ²", "", lambda image: words.number(image.chi2, ".2f")),
    ("Iterations", "", lambda image: words.number(image.n_iter, "d") if image.n_iter is not None else words.UNKNOWN),
    ("Stopped by", "", lambda image: escape((image.stopped_by or words.UNKNOWN).replace("_", " "))),
    ("Energy", "", words.band),
    ("Pixels", "", lambda image: f"{image.nx} × {image.ny}, {image.pixel_arcsec:.3g}″ each"),
    ("Computed in", "s", lambda image: words.number(image.elapsed_s, ".2g")),
)


def title_of(detail: ImageDetail) -> str:
    """Head of the detail: time and band."""
    return f"{words.time_range(detail.image)} · {words.band(detail.image)}"


def picture_html(detail: ImageDetail, links: Links) -> str:
    """The picture, large, with what must be said about it."""
    image = detail.image
    place = links.picture(image)
    what = f"{words.method_name(image.method)} image, {words.time_range(image)} UTC, {words.band(image)}"
    picture = (
        f'<a href="{escape(place)}" target="_blank"><img class="large" src="{escape(place)}" alt="{escape(what)}"></a>'
        if place
        else '<p class="nothing">This image has no picture; its FITS file can be downloaded.</p>'
    )
    return f"{_simulated(image)}<figure>{picture}</figure>{_download(image, links)}"


def numbers_html(detail: ImageDetail) -> str:
    """What is known of the observation and of this image, with units."""
    image, run = detail.image, detail.run
    rows = [
        ("Time", f"{words.time_range(image)}<br><i>{words.CLOCK}</i>"),
        ("Length", words.duration(image.t_start, image.t_end)),
        ("Energy", words.band(image)),
        ("Method", escape(words.method_name(image.method))),
        ("Peak", f"{words.position(image.peak_hpc_x, image.peak_hpc_y)}<br><i>helioprojective, from Solar Orbiter</i>"),
        ("Observation", f"uid {escape(image.uid)}"),
        ("Flare", escape(image.flare_id or words.UNKNOWN)),
        ("GOES class", escape(image.goes_class or words.UNKNOWN)),
        *(_run_rows(run) if run is not None else ()),
        ("Side-lobe ratio", words.number(image.sidelobe_ratio, ".2f")),
        ("Made", f"{words.day(image.created_at)} {words.clock(image.created_at)} UTC by {escape(image.author)}"),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f"{_cautions(image)}<dl>{listed}</dl>"


def comparison_html(detail: ImageDetail, links: Links) -> str:
    """A table with a column per method."""
    heads = "".join(_head(image, links, current=image.image_id == detail.image.image_id) for image in detail.siblings)
    body = "".join(
        f"<tr><th scope='row'>{name}{f' <i>[{unit}]</i>' if unit else ''}</th>"
        + "".join(f"<td>{value(image)}</td>" for image in detail.siblings)
        + "</tr>"
        for name, unit, value in COMPARED
    )
    files = "".join(f"<td>{_download(image, links)}</td>" for image in detail.siblings)
    return (
        "<h3>All methods on the same data</h3><div class='scroll'><table><thead><tr><th></th>"
        f"{heads}</tr></thead><tbody>{body}<tr><th scope='row'>File</th>{files}</tr></tbody></table></div>"
    )


def _run_rows(run: Run) -> list[tuple[str, str]]:
    background = f"uid {escape(run.background_uid)}" if run.background_uid else "none subtracted"
    if run.background_reason:
        background += f"<br><i>{escape(run.background_reason)}</i>"
    roll = f", roll {words.number(run.roll_deg, '.2f')}°" if run.roll_deg is not None else ""
    return [
        ("Counts", f"{words.counts(run.counts_total)}, of them background {words.counts(run.counts_background)}"),
        ("Background", background),
        (
            "Location",
            f"{words.position(run.hpc_x, run.hpc_y)}<br><i>{escape(words.method_name(run.location_method or ''))}</i>",
        ),
        (
            "Pointing",
            f"{words.position(run.pointing_x, run.pointing_y)}{roll}<br><i>{escape(run.pointing_source or '')}</i>",
        ),
    ]


def _head(image: Image, links: Links, *, current: bool) -> str:
    place = links.thumbnail(image)
    picture = f'<img src="{escape(place)}" alt="" width="128" height="128">' if place else ""
    name = escape(words.method_name(image.method))
    return f"<th scope='col' {'class=current' if current else ''}>{picture}<br>{name}</th>"


def _download(image: Image, links: Links) -> str:
    place = links.fits(image)
    if place is None:
        return ""
    name = image.file.rpartition("/")[2]
    return (
        f'<a class="file" href="{escape(place)}" download="{escape(name)}" title="{escape(name)}">'
        f"FITS <i>{words.size(image.size)}</i></a> {script_links(image, links)}"
    )


def _cautions(image: Image) -> str:
    cautions = read_cautions(image.warnings)
    if not cautions:
        return '<p class="good">Nothing speaks against this image.</p>'
    items = "".join(f"<li>{escape(caution.text)}</li>" for caution in cautions)
    lead = "Worth knowing" if image.trusted else "Doubtful: do not use this image without looking into it"
    return f'<div class="{"note" if image.trusted else "doubt"}"><b>{lead}</b><ul>{items}</ul></div>'


def _simulated(image: Image) -> str:
    return '<p class="simulated">SIMULATED DATA, no real flare</p>' if image.simulated else ""


def _unit(image: Image) -> str:
    return f"<br><i>{escape(words.unit(image.unit))}</i>" if image.unit else ""
