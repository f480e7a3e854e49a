"""Files of a flare, downloads, and how to cite."""

from __future__ import annotations

from html import escape

from archive import Image, Run
from archive.papers import papers_to_cite
from dashboards.pages.flare.content import FlareContent, UsedFile
from dashboards.shared import formatting
from dashboards.shared.links import Links, locator_links, pointing_link, routes_are_served, send_address

KINDS = {
    "science": "science",
    "background": "background",
    "aux": "position and aspect",
    "calibration": "energy calibration",
}
#: Kinds of URLs of input files.
ROUTES = {"science": "science", "background": "science", "aux": "aux", "calibration": "calibration"}


def files_html(content: FlareContent, links: Links) -> str:
    """Downloads, input files and image files with sizes and checksums."""
    if not content.sets:
        return '<p class="nothing">The archive has no files of images of this flare that you can see.</p>'
    inputs = "".join(_input_row(file, links) for file in content.files)
    images = "".join(_image_row(image, links) for image in content.images)
    total = formatting.size(sum(image.size for image in content.images))
    head = "<thead><tr><th>File</th><th>Content</th><th>Size</th><th>SHA-256</th></tr></thead>"
    downloads = _downloads(content) if routes_are_served() else ""
    return (
        f'{downloads}<div class="scroll" tabindex="0"><table class="files">{head}<tbody>{inputs}</tbody></table></div>'
        f"<details><summary>{formatting.plural(len(content.images), 'image file')}, {total}</summary>"
        f'<div class="scroll" tabindex="0"><table class="files">{head}<tbody>{images}</tbody></table></div></details>'
    )


def citation_text(content: FlareContent) -> str:
    """How to cite the flare and its images, as plain text."""
    flare = content.flare
    name = f"Flare {flare.flare_id}" + (f" ({flare.sol_id})" if flare.sol_id else "")
    uids = sorted({image.uid for image in content.images if image.uid})
    requests = f", science requests (uid) {', '.join(uids)}" if uids else ""
    methods = sorted({image.method for image in content.images})
    return "\n".join(
        [
            f"{name}, observed by Solar Orbiter/STIX.",
            f"Made with stix-flare-archive from STIX level-1 data{requests}.",
            "Solar Orbiter is a mission of ESA and NASA. STIX is an instrument of Solar Orbiter.",
            *(["The data are SIMULATED, not observed."] if flare.simulated else []),
            "",
            *papers_to_cite(methods),
        ]
    )


def citation_html(content: FlareContent) -> str:
    """The citation with a button that copies it."""
    return (
        f'<pre id="citation-text">{escape(citation_text(content))}</pre>'
        '<p class="screen"><button type="button" class="act" data-copy="citation-text">Copy</button></p>'
    )


def _downloads(content: FlareContent) -> str:
    flare_id = escape(content.flare.flare_id)
    links = [f'<a class="file" href="archive/flare/{flare_id}.zip" download>Everything as ZIP</a>']
    if any(not image.hidden for image in content.images):
        address = escape(send_address(flare=content.flare.flare_id))
        links.append(f'<a href="{address}">Send to JHelioviewer, TOPCAT…</a>')
    seen: set[str] = set()
    for one in content.sets:
        image = one.first
        if image.recipe_id in seen or one.run is None or one.run.folder is None:
            continue
        seen.add(image.recipe_id)
        place, band = f"archive/report/{image.recipe_id}", escape(formatting.band(image))
        links.append(
            f'<span>Report {band} {formatting.clock(image.t_start)}: <a class="file" href="{place}.png">PNG</a> '
            f'<a class="file" href="{place}.pdf">PDF</a>{_computed(image.recipe_id, one.run)}</span>'
        )
    return f'<p class="downloads">{"".join(links)}</p>'


def _computed(recipe_id: str, run: Run) -> str:
    """Links to what the server computes of an image set."""
    locator = f" · coarse locator: {locator_links(recipe_id)}" if run.locator_x is not None else ""
    return f"{locator} · pointings: {pointing_link(recipe_id)}"


def _input_row(file: UsedFile, links: Links) -> str:
    place = links.product(ROUTES[file.kind], file.name) if file.size is not None or file.kind == "calibration" else None
    size = "not in the archive" if place is None and file.size is None else _size(file.size)
    return _row(file.name, place, KINDS[file.kind], size, file.sha256)


def _image_row(image: Image, links: Links) -> str:
    what = f"{formatting.method_name(image.method)}, {formatting.band(image)}"
    return _row(image.file.rpartition("/")[2], links.fits(image), what, _size(image.size), image.sha256)


def _size(value: int | None) -> str:
    return formatting.UNKNOWN if value is None else formatting.size(value)


def _row(name: str, place: str | None, what: str, size: str, sha256: str) -> str:
    named = escape(name) if place is None else f'<a href="{escape(place)}" download>{escape(name)}</a>'
    return f"<tr><td>{named}</td><td>{escape(what)}</td><td>{size}</td><td><code>{escape(sha256)}</code></td></tr>"
