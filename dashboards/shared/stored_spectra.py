"""Spectra of a flare or a file in the archive: which there are, which is shown, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from archive import Archive, RegionSpectra, Spectrum, SpectrumFilter, read_spectrum_record
from archive.index.schema import RunKind
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD
from archive.scripts.ogip import OGIP_ZIP
from archive.scripts.spectra import SPECTRUM_SCRIPTS
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.spectrum_curves import SpectrumCurves
from dashboards.shared.spectrum_table import spectrum_html
from stixcore.errors import InvalidProduct

#: Most spectra to choose from on a page.
MOST = 60
#: Shown in place of the values.
DAMAGED = "The record of this spectrum is damaged. An operator can repair it with “stix-jobs check --repair”."
#: Name of a file below ``archive/spectrum/<id>/`` → its label.
FILES = {
    SPECTRUM_FILE: "Spectrum (FITS)",
    RESPONSE_FILE: "Response (FITS)",
    SPECTRUM_RECORD: "Counts and fit (JSON)",
    OGIP_ZIP: "XSPEC, Sherpa (ZIP)",
    "reproduce.py": "Python script (same numbers)",
    "fit.py": "Python script (sunkit-spex)",
    "fit.pro": "IDL script (OSPEX)",
}


@dataclass(frozen=True, eq=False)
class StoredSpectra:
    """Spectra to choose from, in order of time, and the one that is shown.

    Attributes
    ----------
    rows : tuple of Spectrum
        At most `MOST`, and the one that is shown.
    total : int
        Number of all.
    shown : Spectrum or None
        None without spectra.
    document : mapping or None
        Description of the one that is shown; None if its record is damaged.
    """

    rows: tuple[Spectrum, ...] = ()
    total: int = 0
    shown: Spectrum | None = None
    document: Mapping[str, Any] | None = None

    def has(self, spectrum_id: str) -> bool:
        """Whether a spectrum can be chosen."""
        return any(row.spectrum_id == spectrum_id for row in self.rows)


def load_spectra(archive: Archive, which: SpectrumFilter, visitor: Visitor, *wanted: str | None) -> StoredSpectra:
    """Load the spectra of a filter that a visitor may see.

    Parameters
    ----------
    archive : Archive
    which : SpectrumFilter
    visitor : Visitor
    *wanted : str or None
        Ids: the first that is among the spectra is shown; if none is, the first spectrum with a fit.
    """
    visible = replace(which, viewer=visitor.name, all_hidden=visitor.operator)
    # all rows, because that is one query; a page of rows takes five
    found = archive.spectra(visible, sort=("t_start", "t_end", "spectrum_id"))
    if not found:
        return StoredSpectra()
    known = {row.spectrum_id: row for row in found}
    chosen = next((known[name] for name in wanted if name in known), None)
    shown = chosen or next((row for row in found[:MOST] if row.verdict), found[0])
    # the shown one is among the choices, however many there are
    rows = tuple(row for number, row in enumerate(found) if number < MOST or row is shown)
    return StoredSpectra(rows, len(found), shown, _read_document(archive, shown))


def _read_document(archive: Archive, row: Spectrum) -> Mapping[str, Any] | None:
    """Description of a spectrum that pages can show; None if its record is missing or damaged."""
    record = read_spectrum_record(archive.path_of(row.folder))
    if record is None:
        return None
    try:  # whether it can be drawn and described
        SpectrumCurves.of(record.document)
        spectrum_html(record.document)
    except InvalidProduct:
        return None
    return record.document


def spectrum_name(row: Spectrum) -> str:
    """``2022-11-11 11:35:40 – 11:37:40, vth+thick2, trusted``; plain text."""
    fit = f"{row.model}, {row.verdict}" if row.model else "no fit"
    return f"{formatting.time_range(row)}, {fit}{owner_of(row)}"


def distinct_names(rows: Sequence[Spectrum]) -> dict[str, str]:
    """Ids by name, for a list to choose from; spectra of the same name have the start of their id too."""
    names = [spectrum_name(row) for row in rows]
    return {
        f"{name}, {row.spectrum_id[:6]}" if names.count(name) > 1 else name: row.spectrum_id
        for row, name in zip(rows, names, strict=True)
    }


def owner_of(row: Spectrum | RegionSpectra) -> str:
    """``, by alice, hidden``: who requested spectra, and whether they are hidden; empty for previews. Plain text."""
    return ("" if row.author == "auto" else f", by {row.author}") + (", hidden" if row.hidden else "")


def numbers_html(spectra: StoredSpectra) -> str:
    """Values, verdict and assumptions of the spectrum that is shown; a sentence if its record is damaged."""
    row, document = spectra.shown, spectra.document
    if row is None:
        return ""
    if document is None:
        return f'<p class="nothing">{DAMAGED}</p>'
    background = f"science request {row.background_uid}" if row.background_uid else ""
    return spectrum_html(document, background=background, automatic=row.kind == RunKind.AUTO)


def files_html(row: Spectrum) -> str:
    """Downloads: the pair of files for OSPEX and sunkit-spex, record, OGIP files, and scripts that repeat the fit."""
    named = {name: label for name, label in FILES.items() if row.model or name not in SPECTRUM_SCRIPTS}
    links = "".join(
        f'<a class="file" href="archive/spectrum/{escape(row.spectrum_id)}/{name}" download>{label}</a>'
        for name, label in named.items()
    )
    return f'<p class="downloads">{links}</p>'


def choice_html(spectra: StoredSpectra, address: Mapping[str, str]) -> str:
    """Links to the other spectra; ``address`` has their URLs by id. Empty if there is only one spectrum."""
    if len(spectra.rows) < 2:
        return ""
    more = f"<li>The first {len(spectra.rows)} of {spectra.total}.</li>" if spectra.total > len(spectra.rows) else ""
    items = "".join(f"<li>{_link(row, spectra, address)}</li>" for row in spectra.rows)
    summary = f"{formatting.plural(spectra.total, 'spectrum', 'spectra')} to choose from"
    return f'<details class="screen"><summary>{summary}</summary><ul class="spectra">{items}{more}</ul></details>'


def _link(row: Spectrum, spectra: StoredSpectra, address: Mapping[str, str]) -> str:
    name, key = escape(spectrum_name(row)), escape(row.spectrum_id)
    if spectra.shown is not None and row.spectrum_id == spectra.shown.spectrum_id:
        return f"<b>{name}</b>"
    return f'<a href="{escape(address[row.spectrum_id])}" data-spectrum="{key}">{name}</a>'


def addresses(rows: Sequence[Spectrum], page: str) -> dict[str, str]:
    """URLs by spectrum id: ``flare?id=2211110123`` as ``page`` → ``flare?id=2211110123&spectrum=<id>#spectrum``."""
    return {row.spectrum_id: f"{page}&spectrum={row.spectrum_id}#spectrum" for row in rows}
