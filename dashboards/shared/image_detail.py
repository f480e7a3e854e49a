"""One image in full size with its numbers, and a comparison of all methods of the same recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from archive import Image, Run
from dashboards.shared import formatting
from dashboards.shared.detail import Caution, ImageDetail, read_backgrounds, read_cautions
from dashboards.shared.disk_layer import disk_legend
from dashboards.shared.form_links import region_form_address
from dashboards.shared.image_columns import script_links
from dashboards.shared.image_map import map_html
from dashboards.shared.links import Links, flare_address, landing_address, locator_links, send_address
from dashboards.shared.navigation import PAGES
from jobs.imaging.figures import DEFAULT_COLORS
from stixcore.image_files.significance import SIGMA_UNIT
from stixcore.imaging.reconstruction import Method


def _pair(x: float | None, y: float | None) -> str:
    """Solar X and Y, one above the other: side by side they make the table wider than the dialog."""
    return formatting.UNKNOWN if x is None or y is None else f"{formatting.arcsec(x)}<br>{formatting.arcsec(y)}"


def _stop(image: Image) -> str:
    if image.n_iter is None:
        return formatting.UNKNOWN
    reason = escape((image.stopped_by or formatting.UNKNOWN).replace("_", " "))
    return f"{formatting.number(image.n_iter, 'd')}<br><i>{reason}</i>"


#: A background further from its flare than this gets a warning, h.
FAR_BACKGROUND_H = 48.0

#: Columns of the comparison: name, unit, and formatter.
COMPARED: Sequence[tuple[str, str, Callable[[Image], str]]] = (
    ("Peak", "arcsec", lambda image: _pair(image.peak_hpc_x, image.peak_hpc_y)),
    ("Brightest source", "arcsec", lambda image: _pair(image.centroid_hpc_x, image.centroid_hpc_y)),
    ("Total flux", "ct s⁻¹ cm⁻² keV⁻¹", lambda image: formatting.number(image.total_flux)),
    ("Brightest pixel", "", lambda image: f"{formatting.number(image.max)}{_unit(image)}"),
    ("χ² per degree of freedom", "", lambda image: formatting.number(image.chi2, ".2f")),
    ("Iterations, stopped by", "", _stop),
    ("Energy", "", formatting.band),
    ("Pixels", "", lambda image: f"{image.nx} × {image.ny}<br><i>{image.pixel_arcsec:.3g}″ each</i>"),
    ("Computed in", "s", lambda image: formatting.number(image.elapsed_s, ".2g")),
)


def title_of(detail: ImageDetail) -> str:
    """Title of the detail, one line on a telephone: start and band."""
    start = detail.image.t_start
    return f"{formatting.day(start)} {formatting.clock(start)} UTC · {formatting.band(detail.image)}"


def picture_html(
    detail: ImageDetail, links: Links, *, colors: str = DEFAULT_COLORS, large: bool = True, over: str = ""
) -> str:
    """The picture in some colours (large, or none if it is drawn elsewhere) with its files.

    It is drawn from the FITS file (``over`` as in `map_html`); the stored picture is shown when that cannot be read.
    """
    image = detail.image
    place = links.picture(image)
    kind = "significance" if detail.file is not None and detail.file.unit == SIGMA_UNIT else "image"
    what = (
        f"{formatting.method_name(image.method)} {kind}, {formatting.time_range(image)} UTC, {formatting.band(image)}"
    )
    if detail.file is not None:
        picture = map_html(detail.file, what, colors=colors, link=place, over=over)
    elif place:
        stored = f'<img class="large" src="{escape(place)}" alt="{escape(what)}">'
        picture = f'<a href="{escape(place)}" target="_blank">{stored}</a>'
    else:
        picture = '<p class="nothing">No picture of this image. The FITS file can be downloaded.</p>'
    legend = "" if detail.file is None else disk_legend(detail.file)
    shown = f"<figure>{picture}</figure>" if large else ""
    leads = f"{_locator(detail)}{_regions(detail)}{_landing(detail)}"
    return f"{_simulated(image)}{shown}{legend}{_download(image, links)}{leads}"


def _landing(detail: ImageDetail) -> str:
    """Links to the lasting page of the image set and to programs; none for files that are not in the archive."""
    address = "" if detail.run is None else landing_address(detail.image.recipe_id)
    if not address:
        return ""
    sent = "" if detail.image.hidden else send_address(image=detail.image.image_id)
    send = f' · <a href="{escape(sent)}">Send to…</a>' if sent else ""
    return f' · <a href="{escape(address)}">Cite</a>{send}'


def _regions(detail: ImageDetail) -> str:
    """Link to the spectra of regions in the same window, on the same map."""
    address = region_form_address(detail.recipe, detail.image.method)
    return f' · <a href="{escape(address)}">Spectra of regions</a>' if address else ""


def _locator(detail: ImageDetail) -> str:
    """Links to the files of the coarse flare locator, with the full-disk map that shows its regions."""
    run = detail.run
    if detail.image.method != Method.FULL_DISK_BP or run is None or run.locator_x is None:
        return ""
    found = locator_links(detail.image.recipe_id)
    return f" · coarse locator: {found}" if found else ""


def switch_html(detail: ImageDetail, links: Links) -> str:
    """Thumbnails of all methods of the recipe; a click shows that image."""
    buttons = []
    for image in detail.siblings:
        place = links.thumbnail(image)
        picture = f'<img src="{escape(place)}" alt="" width="72" height="72">' if place else ""
        pressed = str(image.image_id == detail.image.image_id).lower()
        buttons.append(
            f'<button type="button" data-image="{escape(image.image_id)}" aria-pressed="{pressed}">'
            f"{picture}<span>{escape(formatting.method_name(image.method))}</span></button>"
        )
    return f'<div class="switch" role="group" aria-label="Methods">{"".join(buttons)}</div>'


def numbers_html(detail: ImageDetail) -> str:
    """Properties of the observation and of this image, with units."""
    image, run = detail.image, detail.run
    rows = [
        ("Time", _times(detail)),
        ("Length", formatting.duration(image.t_start, image.t_end)),
        ("Energy", formatting.band(image)),
        ("Method", escape(formatting.method_name(image.method))),
        (
            "Peak",
            f"{formatting.position(image.peak_hpc_x, image.peak_hpc_y)}<br><i>helioprojective, from Solar Orbiter</i>",
        ),
        *_measured_rows(detail),
        ("Observation", _observation(image)),
        ("Flare", _flare(detail)),
        ("GOES class", escape(formatting.goes_class(image) or formatting.UNKNOWN)),
        *(_run_rows(image, run) if run is not None else ()),
        *_candidate_rows(detail),
        ("Side-lobe ratio", formatting.number(image.sidelobe_ratio, ".2f")),
        *_header_rows(detail),
        (
            "Made",
            f"{_author(image)}, {formatting.day(image.created_at)} {formatting.clock(image.created_at)} UTC",
        ),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f"{_cautions(image)}{_sources(detail)}<dl>{listed}</dl>"


def _author(image: Image) -> str:
    return "automatically" if image.author == "auto" else f"by {escape(image.author)}"


def _times(detail: ImageDetail) -> str:
    others = "".join(
        f"<br>{formatting.clock(time)} <i>start {whose}, {formatting.number(shift, '+.1f')} s</i>"
        for whose, time, shift in detail.clocks
    )
    return f"{formatting.time_range(detail.image)}<br><i>{formatting.CLOCK}</i>{others}"


def _observation(image: Image) -> str:
    return _uid(image.uid)


def _uid(uid: str) -> str:
    """A uid that links to its file."""
    text = f"uid {escape(uid)}"
    return f'<a href="science_data?uid={escape(uid)}">{text}</a>' if "science_data" in PAGES else text


def _far_background(run: Run) -> str:
    """A warning if the background was recorded far from the flare: the instrument's background changes within days."""
    candidates = read_backgrounds(run.background_candidates)
    distances = [abs(one.distance_h) for one in candidates if one.uid == run.background_uid]
    if not distances or distances[0] <= FAR_BACKGROUND_H:
        return ""
    return f' <b class="far">{distances[0]:.0f} h from the flare: check the flux</b>'


def _flare(detail: ImageDetail) -> str:
    image = detail.image
    if not image.flare_id:
        return formatting.UNKNOWN
    which = escape(image.flare_id)
    links = (
        [f'<a href="image_archive?flare={which}&amp;author=anyone">all {detail.n_of_flare} images</a>']
        if detail.n_of_flare
        else []
    )
    if "lightcurves" in PAGES:
        start, span = curve_window(image)
        links.append(f'<a href="lightcurves?start={start}&amp;span={span}">light curves</a>')
    named = f'<a href="{escape(flare_address(image.flare_id))}">{which}</a>'
    return f"{named}<br>{' · '.join(links)}" if links else named


def curve_window(image: Image) -> tuple[int, int]:
    """Start [Unix time, s] and length [s] of a window of light curves around an image."""
    start = int(image.t_start.astype("datetime64[s]").astype(int))
    end = int(image.t_end.astype("datetime64[s]").astype(int))
    margin = max(600, 2 * (end - start))
    return start - margin, end - start + 2 * margin


def _measured_rows(detail: ImageDetail) -> list[tuple[str, str]]:
    image, errors = detail.image, {} if detail.file is None else detail.file.errors
    unit = image.unit or ("" if detail.file is None else detail.file.unit)
    size = "" if detail.size is None else f"{formatting.arcsec(detail.size.fwhm)}{_plus_minus(errors.get('fwhm'))}″"
    meaning = "" if image.chi2 is None else "<br><i>per degree of freedom; 1 is a perfect fit</i>"
    flux = f"{formatting.number(image.total_flux)}{_plus_minus(errors.get('flux'), '.2g')} <i>ct s⁻¹ cm⁻² keV⁻¹</i>"
    return [
        ("Brightest pixel", f"{formatting.number(image.max)} <i>{escape(formatting.unit(unit))}</i>"),
        *([("FWHM", f"{size}<br><i>of the area above half maximum</i>")] if size else []),
        *([("Flux", flux)] if image.total_flux is not None else []),
        ("χ²", formatting.number(image.chi2, ".2f") + meaning),
    ]


def _plus_minus(sigma: float | None, form: str = ".1f") -> str:
    return "" if sigma is None else f" ± {formatting.number(sigma, form)}"


#: Source parameters of a forward fit: name, key, unit, format.
SOURCE_NUMBERS: Sequence[tuple[str, str, str, str]] = (
    ("flux", "Flux", "ct s⁻¹ cm⁻² keV⁻¹", ".3g"),
    ("x", "Solar X", "″", ".1f"),
    ("y", "Solar Y", "″", ".1f"),
    ("fwhm", "FWHM", "″", ".1f"),
    ("fwhm_max", "longest", "″", ".1f"),
    ("fwhm_min", "shortest", "″", ".1f"),
    ("position_angle", "Position angle", "°", ".0f"),
    ("loop_angle", "Loop angle", "°", ".0f"),
)


def _sources(detail: ImageDetail) -> str:
    """One column per source of a forward fit."""
    sources = () if detail.file is None else detail.file.sources
    if not sources:
        return ""
    heads = "".join(f"<th scope='col'>{escape(str(source['shape']))}</th>" for source in sources)
    body = "".join(
        f"<tr><th scope='row'>{name} <i>[{unit}]</i></th>"
        + "".join(f"<td>{_with_sigma(source, key, form)}</td>" for source in sources)
        + "</tr>"
        for key, name, unit, form in SOURCE_NUMBERS
        if any(key in source for source in sources)
    )
    return (
        "<h3>Fitted sources <i>(± from the fit only)</i></h3><div class='scroll sources'><table><thead><tr><td></td>"
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _with_sigma(source: Mapping[str, Any], key: str, form: str) -> str:
    if key not in source:
        return formatting.UNKNOWN
    sigma = _plus_minus(source.get(f"{key}_sigma"), form.replace("3", "2"))  # errors have two digits
    return f"{formatting.number(source[key], form)}{sigma}"


def _candidate_rows(detail: ImageDetail) -> list[tuple[str, str]]:
    candidates = () if detail.file is None else detail.file.candidates
    if not candidates:
        return []
    lines = "<br>".join(f"{formatting.position(one.x, one.y)} <i>{one.relative_height:.2f}</i>" for one in candidates)
    return [("Candidates", f"{lines}<br><i>peaks of the full-disk map and their relative heights</i>")]


def _header_rows(detail: ImageDetail) -> list[tuple[str, str]]:
    if detail.file is None:
        return [("File", "unreadable; values stored only in it are missing here")]
    header = detail.file.header
    rows = []
    if "SUBCOLLS" in header:
        rows.append(("Sub-collimators", escape(str(header["SUBCOLLS"]).replace(",", ", "))))
    if "RCR" in header:
        state = "out" if header["RCR"] == 0 else f"in (state {header['RCR']})"
        rows.append(("Attenuator", escape(state)))
    if "LIVETIME" in header and "XPOSURE" in header:
        live, exposure = float(header["LIVETIME"]), float(header["XPOSURE"])
        rows.append(("Live time", f"{formatting.number(live, '.1f')} s of {formatting.number(exposure, '.1f')} s"))
    return rows


def comparison_html(detail: ImageDetail, links: Links) -> str:
    """A table with one row per method."""
    names = "".join(
        f"<th scope='col'>{name}{f'<br><i>[{unit}]</i>' if unit else ''}</th>" for name, unit, _ in COMPARED
    )
    rows = "".join(
        _method_row(image, links, current=image.image_id == detail.image.image_id) for image in detail.siblings
    )
    return (
        "<h3>All methods on the same data <i>(positions: Solar X above Solar Y)</i></h3><div class='scroll'>"
        f"<table class='methods'><thead><tr><th scope='col'>Method</th>{names}<th scope='col'>File</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _method_row(image: Image, links: Links, *, current: bool) -> str:
    head = f"<th scope='row'>{escape(formatting.method_name(image.method))}</th>"
    cells = "".join(
        f"<td data-name='{name}{f' [{unit}]' if unit else ''}'><div>{value(image)}</div></td>"
        for name, unit, value in COMPARED
    )
    mark = " class='current'" if current else ""
    return f"<tr{mark}>{head}{cells}<td class='files'><div>{_download(image, links)}</div></td></tr>"


def _run_rows(image: Image, run: Run) -> list[tuple[str, str]]:
    background = _uid(run.background_uid) if run.background_uid else "none subtracted"
    background += _far_background(run)
    if run.background_reason:
        background += f"<br><i>{escape(run.background_reason)}</i>"
    for other in read_backgrounds(run.background_candidates):
        if other.uid != run.background_uid:
            why = f", {escape(other.reason)}" if other.reason else ""
            background += (
                f"<br><i>not used: {_uid(other.uid)}, {formatting.number(other.distance_h, '+.1f')} h{why}</i>"
            )
    counts = f"{formatting.counts(run.counts_total)}, including {formatting.counts(run.counts_background)} background"
    if image.method == Method.FULL_DISK_BP:  # its band differs from that of the image set
        counts = f"{formatting.UNKNOWN}<br><i>other images, {escape(run.band)}: {counts}</i>"
    location = f"{formatting.position(run.hpc_x, run.hpc_y)}{_location_error(run)}"
    roll = f", roll {formatting.number(run.roll_deg, '.2f')}°" if run.roll_deg is not None else ""
    pointing = formatting.position(run.pointing_x, run.pointing_y)
    return [
        ("Counts", counts),
        ("Background", background),
        (
            "Location",
            f"{location}<br><i>{escape(formatting.location_name(run.location_method or ''))}</i>",
        ),
        (
            "Pointing",
            f"{pointing}{roll}<br><i>{escape(run.pointing_source or '')}</i>",
        ),
    ]


def _location_error(run: Run) -> str:
    """Standard deviation of the location, if known."""
    if run.hpc_sigma_x is None or run.hpc_sigma_y is None:
        return ""
    return f" <i>± {formatting.number(run.hpc_sigma_x, '.1f')}″, {formatting.number(run.hpc_sigma_y, '.1f')}″</i>"


def _download(image: Image, links: Links) -> str:
    place = links.fits(image)
    if place is None:
        return ""
    name = image.file.rpartition("/")[2]
    return (
        f'<a class="file" href="{escape(place)}" download="{escape(name)}" title="{escape(name)}">'
        f"FITS <i>{formatting.size(image.size)}</i></a> {script_links(image, links)}"
    )


def _cautions(image: Image) -> str:
    cautions = read_cautions(image.warnings)
    if not cautions:
        return '<p class="good">No quality warnings.</p>'
    doubts = [caution for caution in cautions if caution.severity == "doubt"]
    notes = [caution for caution in cautions if caution.severity != "doubt"]
    lead = "" if image.trusted else f"{_doubted(image)}: check this image before you use it"
    doubted = _caution_list("doubt", "Doubts", doubts, lead) if doubts or lead else ""
    return doubted + (_caution_list("note", "Notes", notes) if notes else "")


def _caution_list(kind: str, head: str, cautions: Sequence[Caution], lead: str = "") -> str:
    """A list with a heading; a doubt starts with its aspects, "Position, shape: …"."""
    about = (f"{', '.join(one.aspects).capitalize()}: " if one.aspects else "" for one in cautions)
    items = "".join(f"<li>{escape(said + one.text)}</li>" for said, one in zip(about, cautions, strict=True))
    said = f"<p>{lead}</p>" if lead else ""
    return f'<div class="{kind}"><b>{head}</b>{said}<ul>{items}</ul></div>'


def _doubted(image: Image) -> str:
    """Doubtful aspects of an image, "Position, flux doubtful"; "Doubtful" for rows without verdicts."""
    words_of = {"position": image.verdict_position, "flux": image.verdict_flux, "shape": image.verdict_shape}
    doubted = ", ".join(name for name, word in words_of.items() if word == "doubtful")
    return f"{doubted} doubtful".capitalize() if doubted else "Doubtful"


def _simulated(image: Image) -> str:
    return '<p class="simulated">SIMULATED DATA, not a real flare</p>' if image.simulated else ""


def _unit(image: Image) -> str:
    return f"<br><i>{escape(formatting.unit(image.unit))}</i>" if image.unit else ""
