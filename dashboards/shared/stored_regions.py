"""Spectra of regions of a flare or a file in the archive: which there are, their values, pictures and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any
from urllib.parse import quote

from archive import Archive, RegionFilter, RegionSpectra
from archive.index.recorded import REGION_RECORDS
from archive.layout import REGIONS_RECORD
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.form_links import filed_regions_address
from dashboards.shared.links import routes_are_served
from dashboards.shared.region_table import regions_html
from dashboards.shared.stored_spectra import owner_of
from jobs.regions.products import PICTURE
from stixcore.errors import InvalidProduct, StixError
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe

#: Most results on a page: the record of each is read.
MOST = 12
#: Shown in place of the values.
DAMAGED = "The record of these spectra is damaged. An operator can repair it with “stix-jobs check --repair”."
#: Kind of a file in the record → its label; the spectrum of a region has its name.
LABELS = {"response": "Response (FITS)", "table": "Table (Parquet)", "picture": "Picture (PNG)"}


@dataclass(frozen=True, eq=False)
class FiledRegions:
    """The spectra of the regions of one image.

    Attributes
    ----------
    row : RegionSpectra
    page : str
        Their table as HTML; empty if their record is damaged.
    files : tuple of (str, str)
        Label and name of each file; empty if their record is damaged.
    form : str
        URL of the form filled in as for them; empty if their recipe cannot be read.
    """

    row: RegionSpectra
    page: str = ""
    files: tuple[tuple[str, str], ...] = ()
    form: str = ""


@dataclass(frozen=True, eq=False)
class StoredRegions:
    """Spectra of regions, filed last first: at most `MOST`, and the number of all."""

    found: tuple[FiledRegions, ...] = ()
    total: int = 0


def load_regions(archive: Archive, which: RegionFilter, visitor: Visitor) -> StoredRegions:
    """Load the region spectra of a filter that a visitor may see."""
    visible = replace(which, viewer=visitor.name, all_hidden=visitor.operator)
    rows = archive.region_spectra(visible, sort=("-created_at", "region_id"), limit=MOST)
    total = len(rows) if len(rows) < MOST else archive.count_region_spectra(visible)
    return StoredRegions(tuple(_read(archive, row) for row in rows), total)


def _read(archive: Archive, row: RegionSpectra) -> FiledRegions:
    try:
        form = filed_regions_address(RegionRecipe.from_json(row.recipe))
    except StixError:
        form = ""
    record = REGION_RECORDS.read_own(archive.path_of(row.folder))
    if record is None:
        return FiledRegions(row, form=form)
    try:
        page, files = regions_html(record.document), _files(record.document, record.sha256)
    except InvalidProduct:
        return FiledRegions(row, form=form)
    return FiledRegions(row, page, files, form)


def _files(document: Mapping[str, Any], sums: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Label and name of the files that can be downloaded."""
    try:
        named = [(str(kind), str(name)) for kind, name in document["files"].items() if name in sums]
    except (LookupError, TypeError, AttributeError) as error:
        raise InvalidProduct(REGIONS_RECORD, "the files of region spectra", repr(error)) from error
    labels = [(LABELS.get(kind, f"{kind.removeprefix('spectrum ')} (FITS)"), name) for kind, name in named]
    return (*labels, ("Counts and fits (JSON)", REGIONS_RECORD))


def stored_regions_html(regions: StoredRegions, of: str) -> str:
    """All region spectra, the first one opened; one sentence if there are none.

    Parameters
    ----------
    regions : StoredRegions
    of : str
        What they are of: "flare" or "file".
    """
    if not regions.found:
        return f'<p class="nothing">No spectra of regions of this {of} have been filed.</p>'
    items = "".join(_item(one, opened=number == 0) for number, one in enumerate(regions.found))
    shown = len(regions.found)
    return items + (f"<p>The last {shown} of {regions.total} that were filed.</p>" if regions.total > shown else "")


def _item(one: FiledRegions, *, opened: bool) -> str:
    row = one.row
    body = one.page or f'<p class="nothing">{DAMAGED}</p>'
    if routes_are_served():
        body += _picture(one) + _downloads(one)
    if one.form:
        body += f'<p class="screen"><a href="{escape(one.form)}">The form filled in as for these spectra</a></p>'
    names = ", ".join(names_of(row))
    kind = "good" if row.verdict == "trusted" else "doubt"
    verdict = f' <span class="mark {kind}">{escape(row.verdict)}</span>' if row.verdict else " <i>no fit</i>"
    summary = (
        f"<b>{formatting.time_range(row)}</b> {escape(formatting.method_name(row.method))}: {escape(names)}{verdict}"
        f"<i>{escape(owner_of(row))}</i>"
    )
    return f'<details class="regions"{" open" if opened else ""}><summary>{summary}</summary>{body}</details>'


def names_of(row: RegionSpectra) -> tuple[str, ...]:
    """Names of the regions of a row; empty if the text in the index is damaged."""
    try:
        names = json.loads(row.names)
    except (ValueError, RecursionError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _address(one: FiledRegions, name: str) -> str:
    return f"archive/regions/{escape(one.row.region_id)}/{quote(name)}"


def _picture(one: FiledRegions) -> str:
    if not any(name == PICTURE for _, name in one.files):
        return ""
    said = "Images at low and at high energies with the regions, and the spectra with their fits"
    picture = f'<img class="regions" loading="lazy" alt="{said}" src="{_address(one, PICTURE)}">'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Picture">{picture}</div>'


def _downloads(one: FiledRegions) -> str:
    links = "".join(
        f'<a class="file" href="{_address(one, name)}" download>{escape(label)}</a>' for label, name in one.files
    )
    return f'<p class="downloads">{links}</p>' if links else ""
