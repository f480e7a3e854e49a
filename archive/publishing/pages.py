"""Static pages: months, flares, and the landing page of each image set with its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape

from archive.about import About
from archive.index.schema import Flare, Image, Run
from archive.landing.facts import ImageSetFacts
from archive.landing.metadata import WRITERS
from archive.landing.page import json_ld, landing_content
from archive.publishing.html import link, page, table
from archive.scripts.sources import ImageSource, InputFile, public_addresses, source_of
from stixcore.imaging.registry import display_name, place_in_order
from stixcore.times import format_time


@dataclass(frozen=True)
class StaticLinks:
    """Links of a landing page in the folder ``image`` to other files of the published archive.

    Attributes
    ----------
    fits_there : bool
        Whether FITS files are published.
    flares : mapping
        Published flares.
    """

    fits_there: bool
    flares: Mapping[str, Flare]

    def flare(self, flare_id: str) -> str:
        """See `archive.landing.links.LandingLinks`."""
        return f"../flare/{escape(flare_id)}.html" if flare_id in self.flares else ""

    def archive_page(self, image: Image) -> str:
        """The page of the month."""
        return f"../month/{str(image.t_start)[:7]}.html"

    def science(self, run: Run) -> str:  # noqa: ARG002 (of the protocol)
        """There is none."""
        return ""

    def image_set(self, recipe_id: str) -> str:
        """See `archive.landing.links.LandingLinks`."""
        return f"{escape(recipe_id)}.html"

    def fits(self, image: Image) -> str:
        """See `archive.landing.links.LandingLinks`."""
        return f"../{escape(image.file)}" if self.fits_there else ""

    def picture(self, image: Image) -> str:
        """See `archive.landing.links.LandingLinks`."""
        return f"../{escape(image.png or image.thumbnail or '')}"

    def thumbnail(self, image: Image) -> str:
        """See `archive.landing.links.LandingLinks`."""
        return f"../{escape(image.thumbnail)}" if image.thumbnail else ""

    def script(self, image: Image, suffix: str) -> str:  # noqa: ARG002 (of the protocol)
        """There is none: a recipe and ``stix-jobs reproduce`` make the image."""
        return ""


@dataclass(frozen=True)
class Site:
    """What all pages share.

    Attributes
    ----------
    about : About
    url : str
        Address of the published archive, without a trailing slash; may be empty.
    links : StaticLinks
    input_paths : mapping of str to str
        Paths of published input files by name.
    """

    about: About
    url: str
    links: StaticLinks
    input_paths: Mapping[str, str]

    def facts(self, run: Run, images: Iterable[Image], flare: Flare | None) -> ImageSetFacts:
        """Facts about an image set; its address is here, or on the server that the configuration names."""
        recipe = json.loads(run.recipe or "{}")
        base = self.url or self.about.url or ".."
        static = bool(self.url) or not self.about.url
        sources = [source_of(image, recipe, base) for image in sorted(images, key=lambda i: place_in_order(i.method))]
        if static:
            sources = [self._static(source, base) for source in sources]
        shown = tuple(source.image for source in sources)
        return ImageSetFacts(self.about, base, run, recipe, shown, tuple(sources), flare, static=static)

    def _static(self, source: ImageSource, base: str) -> ImageSource:
        def file(one: InputFile) -> InputFile:
            path = self.input_paths.get(one.name)
            own = () if path is None else (f"{base}/{path}",)
            public = () if source.image.simulated else public_addresses(one.name)
            return replace(one, addresses=(*own, *public))

        return replace(
            source,
            science=file(source.science),
            background=None if source.background is None else file(source.background),
            aspect=tuple(file(one) for one in source.aspect),
            energy_table=None if source.energy_table is None else file(source.energy_table),
            cal_file=None if source.cal_file is None else file(source.cal_file),
            fits=replace(source.fits, addresses=(f"{base}/{source.image.file}",)),
        )


@dataclass(frozen=True)
class ShownSet:
    """An image set in a list."""

    recipe_id: str
    time: str
    band: str
    flare_id: str | None
    simulated: bool
    images: tuple[tuple[str, str | None, bool], ...]  #: method, thumbnail, trusted

    @classmethod
    def of(cls, run: Run, images: Iterable[Image]) -> ShownSet:
        """From its rows."""
        shown = sorted(images, key=lambda image: place_in_order(image.method))
        return cls(
            run.run_id,
            _clock(run.t_start),
            f"{run.e_low:g}-{run.e_high:g} keV",
            run.flare_id,
            run.simulated,
            tuple((image.method, image.thumbnail, image.trusted) for image in shown),
        )


def landing_files(site: Site, run: Run, images: Iterable[Image], flare: Flare | None) -> Iterator[tuple[str, str]]:
    """Paths and texts of the landing page of an image set and of its metadata."""
    facts = site.facts(run, images, flare)
    head = (
        f'<link rel="canonical" href="{escape(facts.address)}">\n'
        if site.url or site.about.url
        else ""  # a relative address is none
    )
    head += (
        f'<link rel="describedby" type="application/ld+json" href="{run.run_id}.jsonld">\n'
        f'<meta name="description" content="{escape(facts.description)}">\n'
        f'<script type="application/ld+json">{json_ld(facts)}</script>\n'
    )
    content = landing_content(facts, site.links)
    yield (
        f"image/{run.run_id}.html",
        page(facts.title, content, site.about, "../", head=head, simulated=run.simulated),
    )
    for suffix, (_, write) in WRITERS.items():
        yield f"image/{run.run_id}.{suffix}", write(facts)


def flare_page(about: About, flare: Flare, sets: Iterable[ShownSet]) -> str:
    """The page of a flare with its images."""
    values = [
        ("Peak", f"{_clock(flare.t_peak)} UTC"),
        ("GOES class", _goes(flare)),
        ("Location seen from Solar Orbiter", _pair(flare.hpc_x, flare.hpc_y, "arcsec")),
        ("Stonyhurst longitude, latitude", _pair(flare.stonyhurst_lon, flare.stonyhurst_lat, "°")),
        ("SOL identifier", flare.sol_id or ""),
    ]
    facts = table(("What", "Value"), [(escape(name), escape(value)) for name, value in values if value])
    parts = [f"<h2>{link(f'../image/{one.recipe_id}.html', f'{one.band}, {one.time}')}</h2>{_row(one)}" for one in sets]
    content = facts + ("\n".join(parts) or "<p>There are no images.</p>")
    return page(f"Flare {flare.flare_id}", content, about, "../", simulated=flare.simulated)


def month_page(about: About, month: str, flares: Iterable[Flare], sets: Iterable[ShownSet]) -> str:
    """The page of a month: its flares and image sets."""
    flares, sets = list(flares), list(sets)
    flare_rows = [
        (
            link(f"../flare/{flare.flare_id}.html", flare.flare_id),
            _clock(flare.t_peak),
            escape(_goes(flare) or "–"),
            "simulated" if flare.simulated else "",
        )
        for flare in flares
    ]
    set_rows = [
        (
            link(f"../image/{one.recipe_id}.html", one.time),
            one.band,
            escape(", ".join(display_name(method) for method, _, _ in one.images)),
            escape(one.flare_id or "–"),
            "simulated" if one.simulated else "",
        )
        for one in sets
    ]
    content = (
        f"<h2>Flares</h2>\n{table(('Flare', 'Peak', 'GOES class', ''), flare_rows)}\n"
        f"<h2>Images</h2>\n{table(('Start', 'Energies', 'Methods', 'Flare', ''), set_rows)}"
    )
    simulated = all([*(flare.simulated for flare in flares), *(one.simulated for one in sets)])
    return page(f"STIX images of {month}", content, about, "../", simulated=simulated)


def first_page(about: About, months: Mapping[str, tuple[int, int]], *, simulated: bool) -> str:
    """The first page: months with their numbers of flares and image sets."""
    rows = [
        (link(f"month/{month}.html", month), str(flares), str(sets))
        for month, (flares, sets) in sorted(months.items(), reverse=True)
    ]
    license_ = f"<p>License: {link(about.license, about.license)}</p>\n" if about.license else ""
    content = (
        "<p>Images of solar flares in X-rays, reconstructed from data of the Spectrometer/Telescope for Imaging X-rays "
        f"(STIX) on Solar Orbiter.</p>\n{license_}{table(('Month', 'Flares', 'Image sets'), rows)}\n"
        '<p class="soft">The tables behind these pages are Parquet files; <a href="archive.json">archive.json</a> '
        "names them. <code>Archive(address)</code> and DuckDB read them over HTTP.</p>"
    )
    return page(about.name, content, about, "", simulated=simulated)


def _row(one: ShownSet) -> str:
    items = []
    for method, thumbnail, trusted in one.images:
        name = escape(display_name(method))
        small = f'<img src="../{escape(thumbnail)}" alt="{name} image">' if thumbnail else ""
        doubt = "" if trusted else '<br><span class="soft">doubtful</span>'
        items.append(f'<li><a href="../image/{one.recipe_id}.html">{small}{name}</a>{doubt}</li>')
    return f'<ul class="images">{"".join(items)}</ul>'


def _goes(flare: Flare) -> str:
    return flare.goes_class or (f"{flare.goes_estimated}, estimated" if flare.goes_estimated else "")


def _clock(time: object) -> str:
    return format_time(time)[:19].replace("T", " ")  # type: ignore[arg-type]


def _pair(x: float | None, y: float | None, unit: str) -> str:
    return "" if x is None or y is None else f"({x:.1f}, {y:.1f}) {unit}".replace("-", "−")
