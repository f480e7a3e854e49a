"""Details of a science file as HTML: properties, header, files of the same flare."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from archive import Flare
from dashboards.pages.science_data.state import RelatedFile, ScienceDetail
from dashboards.pages.science_data.table import TYPES, subject_of
from dashboards.shared import formatting
from dashboards.shared.links import Links, flare_address

#: FITS headers: name, and cards as (keyword, value, comment).
Cards = Sequence[tuple[str, tuple[tuple[str, str, str], ...]]]


def facts_html(detail: ScienceDetail, links: Links) -> str:
    """Summary of an open file: uid, subject, numbers, download."""
    file = detail.file
    kind = TYPES.get(file.product, file.product)
    low, high = formatting.number(file.bin_min_s, ".4g"), formatting.number(file.bin_max_s, ".4g")
    bins = f"{formatting.plural(file.n_bins, 'bin')} of {low if low == high else f'{low}–{high}'} s"
    facts = [
        ("Time", f"{formatting.day(file.t_start)} {formatting.clock(file.t_start)} – {formatting.clock(file.t_end)}"),
        ("", formatting.CLOCK),
        ("Length", f"{formatting.duration(file.t_start, file.t_end)}, {bins}"),
        ("Energy", f"{formatting.energies(file.e_low, file.e_high)}, {file.n_channels} channels"),
        ("Counts", f"{formatting.counts(file.counts)}, all detectors"),
        *([("Pixels", f"{file.n_pixels} of 12 per detector")] if file.n_pixels is not None else []),
        ("Attenuator", _attenuator(file.rcr_min, file.rcr_max)),
        *([("Distance", f"{file.dsun_au:.3f} au from the Sun")] if file.dsun_au is not None else []),
        *[("Flare", _flare(flare)) for flare in detail.flares],
    ]
    listed = "".join(f"<span>{f'<i>{name}</i> ' if name else ''}{value}</span>" for name, value in facts)
    version = escape(f"{file.level} V{file.version}")
    marks = '<span class="mark quiet">background</span>' if file.is_background else ""
    return (
        f"<h2>{escape(file.uid or file.name)} <small>{escape(kind)} {version}</small>"
        f"{marks}</h2><p>{escape(subject_of(file))}</p><div class='facts'>{listed}</div>"
        f"<p>{_link('science', file.name, file.size, links)}</p>"
    )


def related_html(related: Sequence[RelatedFile], links: Links) -> str:
    """All files for working on the same flare offline."""
    rows = "".join(
        f"<li>{_link(row.kind, row.name, row.size, links)} <i>{escape(row.what)}</i></li>" for row in related
    )
    return f"<h3>Files for the same time</h3><ul>{rows}</ul>" if rows else ""


def header_html(cards: Cards) -> str:
    """FITS headers as in the file."""
    blocks = "".join(
        f"<h4>{escape(name)}</h4><table>"
        + "".join(
            f"<tr><th scope='row'>{escape(key)}</th><td>{escape(value)}</td><td><i>{escape(comment)}</i></td></tr>"
            for key, value, comment in lines
        )
        + "</table>"
        for name, lines in cards
    )
    return blocks or "<p>The header cannot be read.</p>"


def _attenuator(low: int, high: int) -> str:
    if high == 0:
        return "out"
    return "in" if low > 0 else "in part of the time"


def _flare(flare: Flare) -> str:
    known = formatting.goes_class(flare)
    goes = f", GOES {known}" if known else ""
    return f'<a href="{escape(flare_address(flare.flare_id))}">{escape(flare.flare_id)}</a>{escape(goes)}'


def _link(kind: str, name: str, size: int, links: Links) -> str:
    place = links.product(kind, name)
    label = f"{escape(name)} <i>{formatting.size(size)}</i>"
    return label if place is None else f'<a href="{escape(place)}" download="{escape(name)}">{label}</a>'
