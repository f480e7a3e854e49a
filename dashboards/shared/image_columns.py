"""Rows and columns of the image table: cell content, sort key, and which are hidden on narrow screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from archive import Image
from archive.index.order import NET_COUNTS
from dashboards.shared import formatting
from dashboards.shared.detail import read_cautions
from dashboards.shared.links import Links, flare_link, uid_link
from dashboards.shared.paged_table import TableColumn, choose_columns

MEASURED = "Class of the flare, measured by GOES"
#: What estimates are, for columns that are sorted by them (docs/science/goes_class.md).
OF_ESTIMATES = (
    "Estimates from the background detector are of the flare alone, those from counts include the Sun's background; "
    "sorted as they are."
)
ESTIMATED = f"GOES class of the flare, estimated from STIX data. {OF_ESTIMATES}"
SOURCE = (
    "Brightest source, helioprojective, seen from Solar Orbiter: centroid of its area above half of the maximum; "
    "of a forward fit, the source with the largest flux"
)
SIDELOBE = "Second-highest ÷ highest peak of the full-disk map; 0.9 or more on the disk is doubtful"


@dataclass(frozen=True)
class Counts:
    """Counts and background counts in the selection of a recipe, ct; None if unknown."""

    total: float | None
    background: float | None

    @property
    def net(self) -> float | None:
        """Counts above background, ct."""
        if self.total is None:
            return None
        return self.total - (self.background or 0.0)


@dataclass(frozen=True)
class ImageRow:
    """A row of the table: an image and its counts."""

    image: Image
    counts: Counts | None = None

    @property
    def simulated(self) -> bool:
        """Whether it is made from simulated data."""
        return self.image.simulated


Cell = Callable[[ImageRow, Links], str]


Column = TableColumn[[ImageRow, Links]]


def thumbnail(image: Image, links: Links) -> str:
    """Button with the thumbnail of an image."""
    place = links.thumbnail(image)
    label = f"Show {formatting.method_name(image.method)}, {formatting.time_range(image)}, {formatting.band(image)}"
    inner = (
        f'<img src="{escape(place)}" alt="" width="60" height="60" loading="lazy">'
        if place
        else '<span class="nothing">no picture</span>'
    )
    return f'<button type="button" class="thumb" aria-label="{escape(label)}">{inner}</button>'


def _thumbnail(row: ImageRow, links: Links) -> str:
    return thumbnail(row.image, links)


def _time(row: ImageRow, _: Links) -> str:
    image = row.image
    length = formatting.duration(image.t_start, image.t_end)
    return (
        f'<span class="when"><span title="{escape(formatting.time_range(image))} {formatting.CLOCK}">'
        f"{formatting.day(image.t_start)} "
        f'<br class="wide">{formatting.clock(image.t_start)} <i class="wide">{length}</i></span>'
        # a telephone has no space for other columns
        f'<span class="narrow">{escape(formatting.method_name(image.method))}, '
        f'<span class="whole">{escape(formatting.band(image))}</span></span>'
        f'<span class="narrow">{_doubts(image)}</span></span>'
    )


def _uid(row: ImageRow, _: Links) -> str:
    which = row.image.flare_id
    return uid_link(row.image.uid) + (f"<br>{flare_link(which)}" if which else "")


def _band(row: ImageRow, _: Links) -> str:
    return escape(formatting.band(row.image))


def _method(row: ImageRow, _: Links) -> str:
    return escape(formatting.method_name(row.image.method))


def _x(row: ImageRow, _: Links) -> str:
    return formatting.arcsec(row.image.peak_hpc_x)


def _y(row: ImageRow, _: Links) -> str:
    return formatting.arcsec(row.image.peak_hpc_y)


def _goes(row: ImageRow, _: Links) -> str:
    return escape(row.image.goes_class or formatting.UNKNOWN)


def _estimated(row: ImageRow, _: Links) -> str:
    return escape(formatting.estimated_class(row.image) or formatting.UNKNOWN)


def _counts(row: ImageRow, _: Links) -> str:
    if row.counts is None or row.counts.net is None:
        return formatting.UNKNOWN
    whole, background = formatting.counts(row.counts.total), formatting.counts(row.counts.background)
    return f'<span title="{whole} counts, including {background} background">{formatting.counts(row.counts.net)}</span>'


def _chi2(row: ImageRow, _: Links) -> str:
    return formatting.number(row.image.chi2, ".2f")


def _trust(row: ImageRow, _: Links) -> str:
    return trust_mark(row.image)


def trust_mark(image: Image) -> str:
    """The verdict on an image, with a small mark for simulated data."""
    return (_doubt(image) or mark("good", "trusted", cautions_text(image))) + simulated_mark(image.simulated)


def _doubts(image: Image) -> str:
    """Mark for doubts about an image."""
    return _doubt(image) + simulated_mark(image.simulated)


def simulated_mark(simulated: bool) -> str:
    """A small mark, which tables show only among real rows."""
    return f" {mark('simulated', 'sim', 'Simulated, not real')}" if simulated else ""


def _doubt(image: Image) -> str:
    return "" if image.trusted else mark("doubt", "doubtful", cautions_text(image))


def mark(kind: str, label: str, tooltip: str) -> str:
    """A colored word; ``kind`` is "good", "doubt" or "simulated"."""
    return f'<span class="mark {kind}" title="{escape(tooltip)}">{label}</span>'


def cautions_text(image: Image) -> str:
    """Cautions of an image, one per line."""
    lines = [f"{caution.severity}: {caution.text}" for caution in read_cautions(image.warnings)]
    return "\n".join(lines) or "No quality warnings."


def file_links(row: ImageRow, links: Links) -> str:
    """Links to the FITS file of an image and to the scripts that reproduce it."""
    place = links.fits(row.image) if links.cheap else None
    if place is None:
        return '<span title="Click the row to download">FITS</span>'
    name = row.image.file.rpartition("/")[2]
    title = f"{name}, {formatting.size(row.image.size)}"
    fits = f'<a class="file" href="{escape(place)}" download="{escape(name)}" title="{escape(title)}">FITS</a>'
    return f"{fits} {script_links(row.image, links, most=3)}"  # no space for more


def script_links(image: Image, links: Links, most: int | None = None) -> str:
    """Links to the scripts that reproduce an image."""
    what = f"{formatting.method_name(image.method)}, {formatting.time_range(image)}, {formatting.band(image)}"
    return " ".join(
        f'<a class="script" href="{escape(place)}" download title="{escape(f"{name} script that reproduces {what}")}">'
        f"{escape(name)}</a>"
        for name, place in links.scripts(image)[:most]
    )


def _field(name: str, form: str = ".3g") -> Cell:
    """Cell with a number of the image."""
    return lambda row, _: formatting.number(getattr(row.image, name), form)


def _flare(row: ImageRow, _: Links) -> str:
    return flare_link(row.image.flare_id) if row.image.flare_id else formatting.UNKNOWN


def _author(row: ImageRow, _: Links) -> str:
    return escape("automatic" if row.image.author == "auto" else row.image.author)


def _made(row: ImageRow, _: Links) -> str:
    return f"{formatting.day(row.image.created_at)} <br>{formatting.clock(row.image.created_at)}"


def _pixels(row: ImageRow, _: Links) -> str:
    image = row.image
    return f"{image.nx} × {image.ny}<br><i>{image.pixel_arcsec:.3g}″ each</i>"


def _brightest(row: ImageRow, _: Links) -> str:
    return f"{formatting.number(row.image.max)}<br><i>{escape(formatting.unit(row.image.unit))}</i>"


def _stopped(row: ImageRow, _: Links) -> str:
    return escape((row.image.stopped_by or formatting.UNKNOWN).replace("_", " "))


def _recipe(row: ImageRow, _: Links) -> str:
    return f"<code>{escape(row.image.recipe_id)}</code>"


def _optional(field: str, title: str, cell: Cell, tooltip: str, sort: str, width: int, align: str = "left") -> Column:
    """An optional column, kept on narrow screens. ``sort`` with "-": largest first."""
    downwards = sort.startswith("-")
    return Column(field, title, cell, tooltip, sort.removeprefix("-"), downwards, width, 1, align, usual=False)


IMAGE_COLUMNS = (
    Column("picture", "", _thumbnail, width=76, align="center"),
    Column("time", "Time (UTC)", _time, f"Start and duration, {formatting.CLOCK}", "t_start", True, 144),
    Column("uid", "Uid, flare", _uid, "Unique id of the science request, and flare id", "uid", False, 118, 4),
    Column("band", "Energy", _band, "Energy range", "e_low", False, 84, 2),
    Column("method", "Method", _method, "Reconstruction method", "method", False, 112, 1),
    Column(
        "x",
        "Solar X [″]",
        _x,
        "Peak, helioprojective, seen from Solar Orbiter",
        "peak_hpc_x",
        False,
        84,
        5,
        "right",
    ),
    Column(
        "y",
        "Solar Y [″]",
        _y,
        "Peak, helioprojective, seen from Solar Orbiter",
        "peak_hpc_y",
        False,
        84,
        5,
        "right",
    ),
    Column("goes", "GOES", _goes, MEASURED, "goes_flux", True, 60, 6, "center"),
    Column("estimated", "Estimate", _estimated, ESTIMATED, "goes_estimated_flux", True, 78, 6, "center"),
    Column("counts", "Counts", _counts, "Counts above background", NET_COUNTS, True, 80, 8, "right"),
    Column(
        "chi2",
        "χ²",
        _chi2,
        "χ² per degree of freedom; 1 is a perfect fit",
        "chi2",
        False,
        64,
        7,
        "right",
    ),
    Column("trust", "Trust", _trust, "Whether the image has quality warnings", "trusted", False, 104, 3, "center"),
    _optional("flare", "Flare", _flare, "Flare id", "-flare_id", 100),
    _optional("cx", "Source X [″]", _field("centroid_hpc_x", ".1f"), SOURCE, "centroid_hpc_x", 84, "right"),
    _optional("cy", "Source Y [″]", _field("centroid_hpc_y", ".1f"), SOURCE, "centroid_hpc_y", 84, "right"),
    _optional(
        "flux", "Flux", _field("total_flux"), "Total flux of the sources, ct s⁻¹ cm⁻² keV⁻¹", "-total_flux", 72, "right"
    ),
    _optional("max", "Brightest pixel", _brightest, "Maximum, in the unit of the image", "-max", 120, "right"),
    _optional("sidelobe", "Side lobe", _field("sidelobe_ratio", ".2f"), SIDELOBE, "-sidelobe_ratio", 76, "right"),
    _optional("iterations", "Iterations", _field("n_iter", "d"), "Number of iterations", "-n_iter", 84, "right"),
    _optional("stopped", "Stopped by", _stopped, "Why the iteration stopped", "stopped_by", 110),
    _optional("pixels", "Pixels", _pixels, "Size of the map", "-nx", 92),
    _optional("author", "Made by", _author, "User who requested it", "author", 88),
    _optional("made", "Made", _made, "Time of creation, UTC", "-created_at", 96),
    _optional("recipe", "Recipe", _recipe, "Hash of everything that determines the image", "recipe_id", 146),
    Column("file", "File", file_links, "FITS file, and scripts that reproduce it", width=100, align="center"),
)

#: Always shown: a picture to click.
PICTURE = IMAGE_COLUMNS[0]


def chosen_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """The columns with these names in table order, the picture first; the default columns if no name is known."""
    return choose_columns(IMAGE_COLUMNS, PICTURE, names)
