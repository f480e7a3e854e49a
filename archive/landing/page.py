"""The content of a landing page: HTML without scripts, for the server and for published archives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from archive.index.schema import Image
from archive.landing.bibtex import own_entry
from archive.landing.facts import ImageSetFacts
from archive.landing.links import LandingLinks
from archive.landing.schema_org import schema_org
from stixcore.imaging.registry import display_name
from stixcore.software import CREATOR
from stixcore.times import format_time

#: Suffix of the address of a landing page → what is there.
FORMATS = {
    ".jsonld": "schema.org (JSON-LD)",
    ".datacite.json": "DataCite (JSON)",
    ".bib": "BibTeX",
    ".recipe.json": "recipe (JSON)",
}
#: Suffix of a script → who runs it.
_SCRIPTS = {".py": "Python", ".ipynb": "Notebook", "-stixpy.py": "stixpy", ".pro": "IDL"}


def landing_content(facts: ImageSetFacts, links: LandingLinks) -> str:
    """What stands below the title of the page.

    Parameters
    ----------
    facts : ImageSetFacts
    links : LandingLinks
        Where the page leads.
    """
    return "\n".join(
        (
            f"<p>{escape(facts.description)}</p>",
            _replaced(facts, links),
            _links(facts, links),
            _section("Images", _images(facts, links)),
            _section("How to make them again", _reproduction(facts, links)),
            _section("Software and calibration", _versions(facts)),
            _section("Input files", _inputs(facts)),
            _section("How to cite", _citation(facts)),
        )
    )


def json_ld(facts: ImageSetFacts) -> str:
    """The metadata for a ``script`` element of HTML; nothing in it can end the element."""
    return json.dumps(schema_org(facts), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>"


def _replaced(facts: ImageSetFacts, places: LandingLinks) -> str:
    """What took the place of an image set whose files are gone; empty for others."""
    if facts.replaced is None:
        return ""
    links = ", ".join(f'<a href="{places.image_set(recipe_id)}">{recipe_id}</a>' for recipe_id in facts.successors)
    now = f"The images of the same data are now {links}." if links else "There are no newer images of the same data."
    return f'<p class="problem">This image set was replaced. {now}</p>'


def _links(facts: ImageSetFacts, places: LandingLinks) -> str:
    named = []
    if facts.flare is not None:
        named.append((places.flare(facts.flare.flare_id), f"Flare {escape(facts.flare.flare_id)}"))
    if facts.replaced is None:
        named.append((places.archive_page(facts.images[0]), "In the image archive"))
    named.append((places.science(facts.run), f"Science data {escape(facts.run.uid)}"))
    return f"<p>{' · '.join(f'<a href="{place}">{text}</a>' for place, text in named if place)}</p>"


def _images(facts: ImageSetFacts, places: LandingLinks) -> str:
    gone = facts.replaced is not None
    rows = [
        (
            "" if gone else _picture(image, places),
            f"<b>{escape(display_name(image.method))}</b>",
            "trusted" if image.trusted else "doubtful",
            _position(image),
            _with_error(image.total_flux, image.flux_sigma),
            _number(image.chi2, ".2f"),
            "removed" if gone else _file(places.fits(image)),
        )
        for image in facts.images
    ]
    heads = ("Picture", "Method", "Verdict", "Peak [arcsec]", "Flux [ct s⁻¹ cm⁻² keV⁻¹]", "χ²", "File")
    table = _table(heads, rows)
    warnings = {
        str(warning.get("text", "")): None
        for image in facts.images
        for warning in json.loads(image.warnings)
        if isinstance(warning, dict)
    }
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings if text)
    return table + (f"\n<p>Warnings:</p>\n<ul>{items}</ul>" if items else "\n<p>There are no warnings.</p>")


def _file(place: str) -> str:
    return f'<a href="{place}" download>FITS</a>' if place else "–"


def _picture(image: Image, places: LandingLinks) -> str:
    small = places.thumbnail(image)
    if not small:
        return ""
    words = escape(f"{display_name(image.method)} image")
    return f'<a href="{places.picture(image)}"><img src="{small}" alt="{words}"></a>'


def _position(image: Image) -> str:
    if image.peak_hpc_x is None or image.peak_hpc_y is None:
        return "–"
    error = "" if image.centroid_sigma is None else f" ± {image.centroid_sigma:.1f}"
    return f"({image.peak_hpc_x:.1f}, {image.peak_hpc_y:.1f}){error}".replace("-", "−")


def _with_error(value: float | None, sigma: float | None) -> str:
    return _number(value, ".3g") + ("" if value is None or sigma is None else f" ± {_number(sigma, '.1g')}")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}".replace("-", "−")


def _reproduction(facts: ImageSetFacts, places: LandingLinks) -> str:
    rows = [
        (
            f"<b>{escape(display_name(source.image.method))}</b>",
            " ".join(
                f'<a href="{places.script(source.image, suffix)}" download>{name}</a>'
                for suffix, name in _SCRIPTS.items()
            ),
        )
        for source in facts.sources
        if places.script(source.image, "")
    ]
    scripts = (
        "<p>Each script downloads the input files, checks their SHA-256 and makes the image. Python and the notebook "
        f"need {CREATOR} and give the same pixels; stixpy and IDL are independent.</p>\n"
        f"{_table(('Method', 'Scripts'), rows)}\n"
    )
    command = f"<p>With {CREATOR}, <code>stix-jobs reproduce FILE.fits</code> makes an image again.</p>\n"
    return (
        f"{scripts if rows else command}"
        f"<p>The recipe <code>{escape(facts.run.run_id)}</code> is the identity of everything that determines the "
        f"pixels; it is in the header of every file (<code>RECIPEID</code>) and "
        f'<a href="{escape(facts.run.run_id)}.recipe.json">as JSON</a>.</p>'
    )


def _versions(facts: ImageSetFacts) -> str:
    rows = [
        ("Software", f"{CREATOR} {escape(facts.run.version)}"),
        ("Made", f"<time>{format_time(facts.created)[:19]}</time> UTC"),
        *((escape(name), f"<code>{escape(value)}</code>") for name, value in facts.calibration),
    ]
    return _table(("What", "Version"), rows)


def _inputs(facts: ImageSetFacts) -> str:
    rows = [
        (
            f'<a href="{escape(file.addresses[0])}">{escape(file.name)}</a>' if file.addresses else escape(file.name),
            f'<code class="hash">{escape(file.sha256)}</code>',
        )
        for file in facts.inputs
    ]
    return _table(("File", "SHA-256"), rows)


def _citation(facts: ImageSetFacts) -> str:
    papers = "".join(f"<li>{_paper(paper.text, paper.doi)}</li>" for paper in facts.papers)
    links = " · ".join(f'<a href="{escape(facts.run.run_id)}{suffix}">{what}</a>' for suffix, what in FORMATS.items())
    license_ = facts.about.license
    terms = f'<p>License: <a href="{escape(license_)}">{escape(license_)}</a></p>' if license_ else ""
    return (
        f"<p>{escape(facts.publisher)}: {escape(facts.title)}. <code>{escape(facts.address)}</code></p>\n"
        f"<p>Please cite the papers as well:</p>\n<ul>{papers}</ul>\n<pre>{escape(own_entry(facts))}</pre>\n"
        f"<p>Metadata: {links}</p>\n{terms}"
    )


def _paper(text: str, doi: str) -> str:
    words = escape(text.removesuffix(f", doi:{doi}")) if doi else escape(text)
    return f'{words}, <a href="https://doi.org/{escape(doi)}">doi:{escape(doi)}</a>' if doi else words


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML that is escaped already."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
