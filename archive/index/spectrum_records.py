"""The record of a spectrum beside its files, ``spectrum.json``: its row of the index, counts, components and fit.

The record is written after the files: a folder with a record is complete. Pages and scripts read counts and residuals
from it, and a lost index is rebuilt from it. Hashes of the files in it show later whether one was damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archive.atomic import write_text
from archive.errors import BadRow
from archive.index.records import row_from_json, row_to_json
from archive.index.schema import SPECTRA, Spectrum
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD
from archive.regular_files import open_regular
from stixcore.references import sha256_of

_FORMAT = 1


@dataclass(frozen=True)
class SpectrumRecord:
    """What is known about one spectrum.

    Attributes
    ----------
    row : Spectrum
        Its row of the index.
    document : mapping
        Counts, response and fit as JSON values (`jobs.spectra.products.describe_spectrum`); the names of ``files`` are
        relative to the folder.
    sha256 : mapping of str to str
        SHA-256 by name of file, hexadecimal.
    """

    row: Spectrum
    document: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)


def write_spectrum_record(folder: Path, row: Spectrum, document: Mapping[str, Any]) -> None:
    """Write the record of a spectrum into the folder of its files, whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder with the files of the spectrum.
    row : Spectrum
    document : mapping
        As `SpectrumRecord.document`.

    Raises
    ------
    ValueError
        When the document has a value that JSON does not have, such as NaN.
    """
    files = [folder / name for name in (SPECTRUM_FILE, RESPONSE_FILE)]
    _write(folder, SpectrumRecord(row, document, {path.name: sha256_of(path) for path in files if path.is_file()}))


def read_spectrum_record(folder: Path) -> SpectrumRecord | None:
    """Record in the folder of a spectrum; None if it is missing or not valid."""
    try:
        with open_regular(folder / SPECTRUM_RECORD) as stream:
            content = json.loads(stream.read().decode(), parse_constant=_refuse)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()  # "1e999" and half a character are refused
        document, sha256 = content["spectrum"], content["sha256"]
        if content["format"] != _FORMAT or not isinstance(document, dict) or not isinstance(sha256, dict):
            return None
        return SpectrumRecord(row_from_json(SPECTRA, content["row"]), document, sha256)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, BadRow):
        return None


def replace_recorded_row(folder: Path, row: Spectrum) -> bool:
    """Replace the row in the record of a folder; returns whether there is a valid record of this spectrum."""
    record = read_spectrum_record(folder)
    if record is None or record.row.spectrum_id != row.spectrum_id:
        return False
    if record.row != row:
        _write(folder, SpectrumRecord(row, record.document, record.sha256))
    return True


def keep_spectrum_records(root: Path, rows: Iterable[Spectrum]) -> None:
    """Write rows into the records beside their files, where there are records, before they go into the index.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    rows : iterable of Spectrum
    """
    for row in rows:
        replace_recorded_row(root / row.folder, row)


def _refuse(constant: str) -> None:
    """Refuse NaN and infinite numbers, which are not JSON and which no record contains."""
    raise ValueError(constant)


def _write(folder: Path, record: SpectrumRecord) -> None:
    content = {
        "format": _FORMAT,
        "row": row_to_json(SPECTRA, record.row),
        "spectrum": dict(record.document),
        "sha256": dict(record.sha256),
    }
    write_text(folder / SPECTRUM_RECORD, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
