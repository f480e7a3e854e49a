"""Rows and columns of the table of image sets: one row per flare and band, and below an opened one a row per image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from archive import Image, Run
from archive.index.order import NET_COUNTS
from dashboards.shared import formatting
from dashboards.shared.image_columns import (
    ESTIMATED,
    MEASURED,
    Counts,
    ImageRow,
    cautions_text,
    file_links,
    mark,
    simulated_mark,
    thumbnail,
    trust_mark,
)
from dashboards.shared.links import Links, flare_link, uid_link
from dashboards.shared.paged_table import TableColumn
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import built_in, known_names, place_in_order

#: Methods in the order in which one of them stands for the whole set.
PREFERRED = (Method.MEM_GE, Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.VIS_FWDFIT, Method.BP)
#: On a telephone only one picture has space: that of this method, or of the first of `PREFERRED` that a set has.
ON_PHONES = Method.MEM_GE


@dataclass(frozen=True)
class SetRow:
    """A row: an image set, or one image of an opened set.

    Attributes
    ----------
    run : Run
    images : mapping of str to Image
        Images of the set that the visitor may see, by method.
    goes, estimated : str
        GOES class of the flare, measured and estimated; empty if unknown.
    method : str
        Method of the row of a single image; empty for the row of the set.
    opened : bool
        The rows of the single images follow.
    """

    run: Run
    images: Mapping[str, Image] = field(default_factory=dict)
    goes: str = ""
    estimated: str = ""
    method: str = ""
    opened: bool = False

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that the row stands for."""
        shown = (self.images[self.method],) if self.method else self.images.values()
        return tuple(image.image_id for image in shown)

    @property
    def main(self) -> Image | None:
        """The image that a click on the row opens; None for a set without images."""
        if self.method:
            return self.images[self.method]
        return next(
            (
                self.images[method]
                for method in (*PREFERRED, *sorted(self.images, key=place_in_order))
                if method in self.images
            ),
            None,
        )

    @property
    def one(self) -> ImageRow | None:
        """The image of a row of a single image."""
        return ImageRow(self.images[self.method], self.counts) if self.method else None

    @property
    def simulated(self) -> bool:
        """Whether it is made from simulated data."""
        return self.run.simulated or any(image.simulated for image in self.images.values())

    @property
    def counts(self) -> Counts:
        """Counts of the set."""
        return Counts(self.run.counts_total, self.run.counts_background)


@dataclass(frozen=True)
class SetColumn(TableColumn[[SetRow, Links]]):
    """One column; ``method`` is that of the pictures in it."""

    method: str = ""


def _toggle(row: SetRow, _: Links) -> str:
    if row.method:
        return ""
    what = f"images of {formatting.time_range(row.run)}, {formatting.band(row.run)}"
    verb, sign = ("Hide the rows of the", "▾") if row.opened else ("Show rows of the", "▸")
    return (
        f'<button type="button" class="toggle" aria-expanded="{str(row.opened).lower()}" '
        f'aria-label="{escape(f"{verb} {len(row.images)} {what}")}">{sign} {len(row.images)}</button>'
    )


def _time(row: SetRow, _: Links) -> str:
    if row.method:
        return f"<b>{escape(formatting.method_name(row.method))}</b>"
    run = row.run
    length = formatting.duration(run.t_start, run.t_end)
    return (
        f'<span class="when"><span title="{escape(formatting.time_range(run))} {formatting.CLOCK}">'
        f"{formatting.day(run.t_start)} "
        f'<br class="wide">{formatting.clock(run.t_start)} <i class="wide">{length}</i></span>'
        f'<span class="narrow whole">{escape(formatting.band(run))}{_stand_in(row)}</span>'
        f'<span class="narrow">{_doubts(row)}{simulated_mark(row.simulated)}</span></span>'
    )


def _stand_in(row: SetRow) -> str:
    """Method of the picture on a telephone, if it is not that of the heading."""
    if row.main is None or ON_PHONES in row.images:
        return ""
    return f", {escape(formatting.method_name(row.main.method))}"


def _flare(row: SetRow, _: Links) -> str:
    if row.method:
        chi2 = formatting.number(row.images[row.method].chi2, ".2f")
        return f'<span title="χ² per degree of freedom; 1 is a perfect fit">χ² {chi2}</span>'
    uid = uid_link(row.run.uid)
    return f"{flare_link(row.run.flare_id)}<br>{uid}" if row.run.flare_id else uid


def _band(row: SetRow, _: Links) -> str:
    return escape(formatting.band(row.images[row.method] if row.method else row.run))


def _picture(method: str) -> SetColumn:
    def cell(row: SetRow, links: Links) -> str:
        image = row.images.get(method) if row.method in ("", method) else None
        if image is not None:
            return thumbnail(image, links)
        other = row.main if method == ON_PHONES else None
        return "" if other is None else f'<span class="narrow">{thumbnail(other, links)}</span>'

    priority = 0 if method == ON_PHONES else 2 + place_in_order(method)[0]
    name = formatting.method_name(method)
    head = name.replace("VIS_", "VIS_\u200b")  # too long for one line
    return SetColumn(method, head, cell, f"{name}: click to open", "", False, 66, priority, "center", method=method)


def _position(row: SetRow, _: Links) -> str:
    if row.method:
        image = row.images[row.method]
        return formatting.position(image.peak_hpc_x, image.peak_hpc_y).strip("()")
    run = row.run
    sigmas = [sigma for sigma in (run.hpc_sigma_x, run.hpc_sigma_y) if sigma is not None]
    error = f"<br><i>± {max(sigmas):.1f}″</i>" if sigmas else ""
    return f"{formatting.position(run.hpc_x, run.hpc_y).strip('()')}{error}"


def _goes(row: SetRow, _: Links) -> str:
    return "" if row.method else escape(row.goes or formatting.UNKNOWN)


def _estimated(row: SetRow, _: Links) -> str:
    return "" if row.method else escape(row.estimated or formatting.UNKNOWN)


def _counts(row: SetRow, _: Links) -> str:
    return "" if row.method else formatting.counts(row.counts.net)


def _trust(row: SetRow, _: Links) -> str:
    if row.one is not None:
        return trust_mark(row.one.image)
    verdict = _doubts(row) or (mark("good", "trusted", "No image is doubtful.") if row.images else "")
    return verdict + simulated_mark(row.simulated)


def _doubts(row: SetRow) -> str:
    """How many images are doubtful, and why."""
    doubtful = [image for image in row.images.values() if not image.trusted]
    if not doubtful:
        return ""
    why = "\n".join(dict.fromkeys(line for image in doubtful for line in cautions_text(image).splitlines()))
    number = "doubtful" if len(doubtful) == len(row.images) else f"{len(doubtful)} of {len(row.images)} doubtful"
    return mark("doubt", number, why)


def _file(row: SetRow, links: Links) -> str:
    return "" if row.one is None else file_links(row.one, links)


POSITION = (
    "Location of the flare and its standard deviation; of an image, its peak; helioprojective, from Solar Orbiter"
)

SET_COLUMNS = (
    SetColumn("rows", "", _toggle, "Rows of the single images", width=52, align="center"),
    SetColumn("time", "Time (UTC)", _time, f"Start and duration, {formatting.CLOCK}", "t_start", True, 114),
    SetColumn("flare", "Flare, uid", _flare, "Flare id, and unique id of the science request", "flare_id", True, 98, 1),
    SetColumn("band", "Energy", _band, "Energy range", "e_low", False, 84, 1),
    *(_picture(method) for method in known_names()),
    SetColumn("position", "Position", _position, POSITION, width=124, priority=12, align="right"),
    SetColumn("goes", "GOES", _goes, MEASURED, "goes_flux", True, 60, 13, "center"),
    SetColumn("estimated", "Estimate", _estimated, ESTIMATED, "goes_estimated_flux", True, 78, 13, "center"),
    SetColumn("counts", "Counts", _counts, "Counts above background", NET_COUNTS, True, 76, 14, "right"),
    SetColumn("trust", "Trust", _trust, "Whether images have quality warnings", "", False, 114, 1, "center"),
    SetColumn("file", "File", _file, "FITS file and scripts of an image", "", False, 100, 15, "center"),
)


def shown_columns(rows: Sequence[SetRow]) -> tuple[SetColumn, ...]:
    """Columns for some rows: of methods that many sets lack, only where a row has it.

    These are multi-scale CLEAN, which older sets lack, and methods of packages.
    """
    have = {method for row in rows for method in row.images}
    rare = {Method.MS_CLEAN, *known_names()} - (set(built_in()) - {Method.MS_CLEAN})
    return tuple(column for column in SET_COLUMNS if column.method not in rare - have)
