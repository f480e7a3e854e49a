"""Rows and columns of the flare table: cell content, sort key, and which are hidden on narrow screens."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

import numpy as np

from archive import Flare, Image
from archive.index.order import DURATION
from dashboards.shared import formatting
from dashboards.shared.formatting import UNKNOWN
from dashboards.shared.image_columns import OF_ESTIMATES, simulated_mark
from dashboards.shared.light_times import Clock
from dashboards.shared.links import Links, flare_address
from dashboards.shared.paged_table import TableColumn, choose_columns
from dashboards.shared.spectrum_table import AUTOMATIC, is_open, with_errors
from dashboards.shared.time_window import AROUND_FLARE, LEAST_AROUND_FLARE_S, Window


@dataclass(frozen=True)
class FlareRow:
    """A row of the table: a flare, its best images, and the clock of its times."""

    flare: Flare
    thermal: Image | None = None
    nonthermal: Image | None = None
    clock: Clock = Clock.SOLAR_ORBITER

    @property
    def simulated(self) -> bool:
        """Whether the flare is simulated."""
        return self.flare.simulated


Cell = Callable[[FlareRow, Links], str]


FlareColumn = TableColumn[[FlareRow, Links]]


# Pictures and links --------------------------------------------------------------------------------------------------


def images_address(flare: Flare) -> str:
    """URL of the images of a flare."""
    return "image_archive?" + urlencode({"flare": flare.flare_id})


def light_curve_address(flare: Flare) -> str:
    """URL of the light curves around a flare."""
    whole = Window.between(flare.t_start or flare.t_peak, flare.t_end or flare.t_peak)
    window = whole.around(max(whole.span * (1 + 2 * AROUND_FLARE), LEAST_AROUND_FLARE_S)).limited()
    series = {"series": "simulated"} if flare.simulated else {}
    return "lightcurves?" + urlencode({"start": f"{window.start:.0f}", "span": f"{window.span:.0f}", **series})


def science_address(flare: Flare) -> str:
    """URL of the science files that overlap a flare."""
    begin, end = (
        str(time.astype("datetime64[s]")) for time in (flare.t_start or flare.t_peak, flare.t_end or flare.t_peak)
    )
    return "science_data?" + urlencode({"start": begin, "end": end}, safe=":")


def _thumbnail(image: Image | None, flare: Flare, kind: str, links: Links) -> str:
    if image is None:
        return f'<span class="nothing" title="No {kind} image">{UNKNOWN}</span>'
    place = links.thumbnail(image)
    method = formatting.method_name(image.method)
    label = f"Show the {kind} image of flare {flare.flare_id}: {method}, {formatting.band(image)}"
    inner = (
        f'<img src="{escape(place)}" alt="" width="60" height="60" loading="lazy">'
        if place
        else '<span class="nothing">no picture</span>'
    )
    return f'<button type="button" class="thumb" aria-label="{escape(label)}" title="{escape(label)}">{inner}</button>'


def _thermal(row: FlareRow, links: Links) -> str:
    return _thumbnail(row.thermal, row.flare, "thermal", links)


def _nonthermal(row: FlareRow, links: Links) -> str:
    return _thumbnail(row.nonthermal, row.flare, "non-thermal", links)


def _links(row: FlareRow, _: Links) -> str:
    flare = row.flare
    places = (
        ("light curve", light_curve_address(flare)),
        ("images", images_address(flare)),
        ("files", science_address(flare)),
    )
    return "<br>".join(
        f'<a class="script" href="{escape(place)}" aria-label="{label} of flare {escape(flare.flare_id)}">{label}</a>'
        for label, place in places
    )


# Names and times -----------------------------------------------------------------------------------------------------


def _id(row: FlareRow, _: Links) -> str:
    flare = row.flare
    sol = f"<br><i>{escape(flare.sol_id).replace('L', '<wbr>L', 2)}</i>" if flare.sol_id else ""
    others = f' title="Other ids: {escape(flare.other_ids)}"' if flare.other_ids else ""
    link = f'<a class="id" href="{escape(flare_address(flare.flare_id))}"{others}>{escape(flare.flare_id)}</a>'
    # a telephone has no space for other columns
    known = escape(formatting.goes_class(flare) or UNKNOWN)
    narrow = f'<span class="narrow">{known}</span><span class="narrow">{_verdict(row, _)}</span>'
    return f'{link}<span class="wide">{sol}</span>{narrow}'


def shifted(time: np.datetime64, flare: Flare, clock: Clock) -> np.datetime64 | None:
    """A time on a clock; None if the light time of the flare is unknown.

    At the Earth it is later by `Flare.earth_delay_s`, at the Sun earlier by `Flare.sun_delay_s`.
    """
    if clock is Clock.SOLAR_ORBITER:
        return time
    delay = flare.earth_delay_s if clock is Clock.EARTH else flare.sun_delay_s
    if delay is None:
        return None
    return time + np.timedelta64(round((delay if clock is Clock.EARTH else -delay) * 1e6), "us")


def _time(row: FlareRow, _: Links) -> str:
    time = shifted(row.flare.t_peak, row.flare, row.clock)
    if time is None:
        return f'<span title="The light time of this flare is unknown">{UNKNOWN}</span>'
    return f'<span class="whole">{formatting.day(time)}<br>{formatting.clock(time)}</span>'


def _duration(row: FlareRow, _: Links) -> str:
    flare = row.flare
    if flare.t_start is None or flare.t_end is None:
        return UNKNOWN
    return formatting.duration(flare.t_start, flare.t_end)


# Class ---------------------------------------------------------------------------------------------------------------


def _goes(row: FlareRow, _: Links) -> str:
    source = f' title="{escape(flare_source)}"' if (flare_source := row.flare.goes_source or "") else ""
    return f"<span{source}>{escape(row.flare.goes_class or UNKNOWN)}</span>"


def _estimated(row: FlareRow, _: Links) -> str:
    source = formatting.estimate_source(row.flare.goes_estimated_from)
    origin = f' title="Estimated {escape(source)}"' if source else ""
    known, *span = escape(formatting.estimated_class(row.flare) or UNKNOWN).split(" ", 1)
    return f"<span{origin}>{' '.join([known, *(f'<span class=whole>{part}</span>' for part in span)])}</span>"


# Position ------------------------------------------------------------------------------------------------------------


def heliographic_text(flare: Flare) -> str:
    """``N12 W034 ± 2.1°``, Stonyhurst; a dash if unknown."""
    lon, lat = flare.stonyhurst_lon, flare.stonyhurst_lat
    if lon is None or lat is None:
        return UNKNOWN
    error = f" ± {formatting.number(flare.heliographic_sigma, '.1f')}°" if flare.heliographic_sigma is not None else ""
    return f"{'N' if lat >= 0 else 'S'}{abs(lat):02.0f} {'W' if lon >= 0 else 'E'}{abs(lon):03.0f}{error}"


def earth_text(flare: Flare) -> str:
    """How the Earth sees a flare: on disk, limb, behind; a dash if unknown."""
    if flare.earth_view:
        return flare.earth_view
    return UNKNOWN if flare.earth_visible is None else ("visible" if flare.earth_visible else "behind")


def _position(row: FlareRow, _: Links) -> str:
    flare = row.flare
    if flare.hpc_x is None or flare.hpc_y is None:
        return UNKNOWN
    place = f"{formatting.number(flare.hpc_x, '.0f')}″, {formatting.number(flare.hpc_y, '.0f')}″"
    error = f"± {formatting.number(flare.hpc_sigma, '.0f')}″" if flare.hpc_sigma is not None else ""
    source = " ".join(filter(None, (error, escape(flare.location_source or ""))))
    method = escape(formatting.location_name(flare.location_method or ""))
    return f"<span title='{method}'>{place}</span><br><i>{source}</i>"


def _heliographic(row: FlareRow, _: Links) -> str:
    flare = row.flare
    place = heliographic_text(flare)
    height = f", {formatting.number(flare.limb_height, '.0f')} Mm high" if flare.limb_height is not None else ""
    limb = f"<br><i>off the limb{height}</i>" if flare.off_limb else ""
    return f"{place}{limb}"


def _earth(row: FlareRow, _: Links) -> str:
    flare = row.flare
    place = (
        f"{formatting.number(flare.earth_x, '.0f')}″, {formatting.number(flare.earth_y, '.0f')}″"
        if flare.earth_x is not None and flare.earth_y is not None
        else ""
    )
    return f'<span title="{place}">{escape(earth_text(flare))}</span>'


# Numbers and verdict -------------------------------------------------------------------------------------------------


def _counts(row: FlareRow, _: Links) -> str:
    flare = row.flare
    bands = (("4–10", flare.peak_counts), ("10–15", flare.peak_counts_10_15), ("15–25", flare.peak_counts_15_25))
    at_least = (
        '<span title="A lower limit: the attenuator was in">≥ </span>'
        if flare.attenuator_in and flare.peak_counts is not None
        else ""
    )
    return "<br>".join(
        f"<i>{band}</i> {at_least if place == 0 else ''}{formatting.counts(counts)}"
        for place, (band, counts) in enumerate(bands)
    )


def reasons(text: str | None) -> list[str]:
    """Sentences of a JSON list; empty if there are none, or the text is invalid."""
    try:
        sentences = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(sentence) for sentence in sentences] if isinstance(sentences, list) else []


def _verdict(row: FlareRow, _: Links) -> str:
    """The verdict; the reasons are shown on hover and on focus."""
    flare = row.flare
    simulated = simulated_mark(flare.simulated)
    if not flare.location_verdict:
        return f'<span title="This flare has no position">{UNKNOWN}</span>{simulated}'
    good = flare.location_verdict == "trusted"
    why = reasons(flare.location_doubts) or (["No doubts about the position."] if good else ["No reason is given."])
    lines = "".join(f"<span>{escape(sentence)}</span>" for sentence in why)
    return (
        f'<button type="button" class="mark {"good" if good else "doubt"} why">{escape(flare.location_verdict)}'
        f'<span class="reasons" role="tooltip">{lines}</span></button>{simulated}'
    )


def _fitted(name: str) -> Cell:
    """Cell with a value from the fit of the spectrum, its error, and a mark if the fit is doubtful."""

    def cell(row: FlareRow, _: Links) -> str:
        flare = row.flare
        value, sigma = getattr(flare, name), getattr(flare, f"{name}_sigma")
        if value is None:
            why = (
                "This component is not in the fit" if flare.spectrum_verdict else "No spectrum of this flare is fitted"
            )
            return f'<span title="{why}">{UNKNOWN}</span>'
        unlimited = is_open(value, sigma)
        shown = f"{formatting.number(value)} <i>error open</i>" if unlimited else with_errors(value, sigma, sigma)
        doubtful = flare.spectrum_verdict == "doubtful"
        mark = '<br><span class="mark doubt" title="The flare page says why">doubtful</span>' if doubtful else ""
        return f'<span class="whole">{shown}</span>{mark}'

    return cell


def _number(name: str, form: str = ".3g") -> Cell:
    """Cell with a number of the flare."""
    return lambda row, _: formatting.number(getattr(row.flare, name), form)


def _text(name: str) -> Cell:
    """Cell with a text of the flare."""
    return lambda row, _: escape(getattr(row.flare, name) or UNKNOWN)


def _optional(
    field: str, title: str, cell: Cell, tooltip: str, sort: str, width: int = 96, align: str = "right"
) -> FlareColumn:
    """An optional column, kept on narrow screens. ``sort`` with "-": largest first."""
    falls = sort.startswith("-")
    return FlareColumn(field, title, cell, tooltip, sort.removeprefix("-"), falls, width, 1, align, usual=False)


_PEAK = "Maximum counts in 4 s by energy [keV], with background"
_SEEN = "Seen from Solar Orbiter, with 1 σ and the source of the position"
_VIEW = "Seen from the Earth: on disk, at the limb, or behind"

FLARE_COLUMNS = (
    FlareColumn("thermal", "Thermal", _thermal, "Best thermal image", width=74, align="center"),
    FlareColumn(
        "nonthermal", "Non-thermal", _nonthermal, "Best non-thermal image", "", False, 74, 2, align="center"
    ),
    FlareColumn("id", "Flare", _id, "Flare id and SOL identifier", "flare_id", True, 150),
    FlareColumn("time", "Peak (UTC)", _time, "Peak of 4-10 keV, on the clock chosen above", "t_peak", True, 96, 1),
    FlareColumn("goes", "GOES", _goes, "Class measured by GOES", "goes_flux", True, 62, 3, "center"),
    FlareColumn(
        "estimated", "Estimate", _estimated, f"GOES class estimated from STIX data, with 1 σ. {OF_ESTIMATES}",
        "goes_estimated_flux", True, 92, 6, "center",
    ),
    FlareColumn("position", "Solar X, Y", _position, _SEEN, "hpc_x", False, 104, 5),
    FlareColumn(
        "heliographic", "Heliographic", _heliographic, "Stonyhurst latitude and longitude, with 1 σ",
        "stonyhurst_lon", False, 128, 7,
    ),
    FlareColumn("earth", "From Earth", _earth, _VIEW, "earth_angle", False, 74, 4),
    FlareColumn("counts", "Peak counts", _counts, _PEAK, "peak_counts", True, 104, 9, "right"),
    FlareColumn("duration", "Duration", _duration, "From start to end", DURATION, True, 80, 10, "right"),
    FlareColumn(
        "verdict", "Position is", _verdict, "Whether the position is trusted", "location_verdict", True, 92, 8,
        "center",
    ),
    _optional("temperature", "T [MK]", _fitted("temperature"), f"Temperature, with 1 σ. {AUTOMATIC}",
              "-temperature", 104),
    _optional("emission", "EM [10⁴⁹ cm⁻³]", _fitted("emission_measure"), f"Emission measure, with 1 σ. {AUTOMATIC}",
              "-emission_measure", 124),
    _optional("delta", "δ", _fitted("delta"), f"Spectral index of the electrons, with 1 σ. {AUTOMATIC}", "delta", 96),
    _optional("carrington", "Carrington", _number("carrington_lon", ".1f"), "Carrington longitude, deg",
              "carrington_lon"),
    _optional("earth_x", "Earth X [″]", _number("earth_x", ".0f"), "Solar X seen from the Earth", "earth_x", 84),
    _optional("earth_y", "Earth Y [″]", _number("earth_y", ".0f"), "Solar Y seen from the Earth", "earth_y", 84),
    _optional("earth_angle", "Earth angle [°]", _number("earth_angle", ".1f"),
              "Angle between local vertical and Earth", "earth_angle"),
    _optional("solo_angle", "Orbiter angle [°]", _number("solo_angle", ".1f"),
              "Angle between local vertical and Solar Orbiter", "solo_angle"),
    _optional("dsun", "Distance [au]", _number("dsun_au", ".3f"), "Solar Orbiter from the Sun", "dsun_au", 84),
    _optional("total", "Total counts", _number("total_counts"), "4-10 keV from start to end, with background",
              "-total_counts"),
    _optional("significance", "Significance", _number("significance"), "Peak above the background, σ",
              "-significance"),
    _optional("highest", "Highest band", _text("highest_band"), "Highest quick-look band with signal, keV",
              "-highest_band", 88, "center"),
    _optional("others", "Other ids", _text("other_ids"), "In other lists and science requests", "other_ids", 120,
              "left"),
    _optional("source", "Origin", _text("source"), "Detected, or the name of an imported list", "source", 96, "left"),
    FlareColumn("links", "Data", _links, "Light curve, images and science files", "", False, 86, 11),
)  # fmt: skip

#: Always shown: what identifies a flare.
ID = next(column for column in FLARE_COLUMNS if column.field == "id")
#: Field of a picture → attribute of `FlareRow`.
PICTURES = ("thermal", "nonthermal")


def chosen_columns(names: Sequence[str]) -> tuple[FlareColumn, ...]:
    """The columns with these names in table order, with the id; the default columns if no name is known."""
    return choose_columns(FLARE_COLUMNS, ID, names)
