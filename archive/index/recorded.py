"""Results with a folder of files and a record: spectra, and spectra of regions.

The record is written after the files: a folder with a record is complete. It holds the row of the index, the whole
result as JSON values for pages and scripts, and the hash of every file, which shows later whether one was damaged. A
lost index is rebuilt from the records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archive.atomic import write_text
from archive.errors import BadRow
from archive.index.columns import Table
from archive.index.records import row_from_json, row_to_json
from archive.index.schema import REGION_SPECTRA, SPECTRA, RegionSpectra, Spectrum
from archive.layout import REGIONS_RECORD, RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD
from archive.regular_files import open_regular
from stixcore.references import sha256_of

_FORMAT = 1
#: Largest record that is read, byte. Those of twelve regions have less than a tenth of it.
LARGEST_RECORD = 16 << 20

type RecordedRow = Spectrum | RegionSpectra


@dataclass(frozen=True)
class ResultRecord[Row: RecordedRow]:
    """What is known about one result.

    Attributes
    ----------
    row : row of the index
    document : mapping
        The result as JSON values; the names of ``files`` are relative to the folder.
    sha256 : mapping of str to str
        SHA-256 by name of file, hexadecimal.
    """

    row: Row
    document: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded[Row: RecordedRow]:
    """A kind of result, and its records.

    Attributes
    ----------
    table : Table
    folder : str
        In the archive, with folders ``<year>/<month>/<day>/<key>``.
    record : str
        Name of the record.
    content : str
        Key of the result in the record.
    files : tuple of str
        Files that every result has, beside the record; those in its hashes are needed too.
    noun : str
        For people.
    """

    table: Table[Row]
    folder: str
    record: str
    content: str
    files: tuple[str, ...]
    noun: str

    def key(self, row: Row) -> str:
        """Id of a row."""
        return str(getattr(row, self.table.key))

    def write(self, folder: Path, row: Row, document: Mapping[str, Any], names: Iterable[str] = ()) -> None:
        """Write the record of a result into the folder of its files, whole or not at all.

        Parameters
        ----------
        folder : Path
            Folder with the files.
        row : row of the index
        document : mapping
            As `ResultRecord.document`.
        names : iterable of str
            Names of its files beside those of every result.

        Raises
        ------
        ValueError
            When the document has a value that JSON does not have, such as NaN.
        """
        files = [folder / name for name in dict.fromkeys((*self.files, *names))]
        sums = {path.name: sha256_of(path) for path in files if path.is_file()}
        self._write(folder, ResultRecord(row, document, sums))

    def read(self, folder: Path) -> ResultRecord[Row] | None:
        """Record in a folder; None if it is missing or not valid."""
        try:
            with open_regular(folder / self.record) as stream:
                text = stream.read(LARGEST_RECORD + 1)
            if len(text) > LARGEST_RECORD:
                return None
            content = json.loads(text.decode(), parse_constant=_refuse)
            json.dumps(content, ensure_ascii=False, allow_nan=False).encode()  # "1e999" and half a character: refused
            document, sha256 = content[self.content], content["sha256"]
            if content["format"] != _FORMAT or not isinstance(document, dict) or not isinstance(sha256, dict):
                return None
            return ResultRecord(row_from_json(self.table, content["row"]), document, sha256)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, BadRow):
            return None

    def read_own(self, folder: Path) -> ResultRecord[Row] | None:
        """Record of the result that a folder is named after; None if it is missing, not valid, or that of another."""
        record = self.read(folder)
        return None if record is None or self.key(record.row) != folder.name else record

    def replace_row(self, folder: Path, row: Row) -> bool:
        """Replace the row in the record of a folder; returns whether there is a valid record of this result."""
        record = self.read(folder)
        if record is None or self.key(record.row) != self.key(row):
            return False
        if record.row != row:
            self._write(folder, ResultRecord(row, record.document, record.sha256))
        return True

    def keep(self, root: Path, rows: Iterable[Row]) -> None:
        """Write rows into the records beside their files, where there are records, before they go into the index.

        Parameters
        ----------
        root : Path
            Folder of the archive.
        rows : iterable of rows
        """
        for row in rows:
            self.replace_row(root / row.folder, row)

    def _write(self, folder: Path, record: ResultRecord[Row]) -> None:
        content = {
            "format": _FORMAT,
            "row": row_to_json(self.table, record.row),
            self.content: dict(record.document),
            "sha256": dict(record.sha256),
        }
        write_text(folder / self.record, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _refuse(constant: str) -> None:
    """Refuse NaN and infinite numbers, which are not JSON and which no record contains."""
    raise ValueError(constant)


#: `ResultRecord.document` is that of `jobs.spectra.products.describe_spectrum`.
SPECTRUM_RECORDS = Recorded(
    SPECTRA, "spectra", SPECTRUM_RECORD, "spectrum", (SPECTRUM_FILE, RESPONSE_FILE), noun="spectrum"
)
#: `ResultRecord.document` is that of `jobs.regions.products.describe_regions`.
REGION_RECORDS = Recorded(REGION_SPECTRA, "regions", REGIONS_RECORD, "regions", (), noun="region spectra")
#: Kinds of results with records, by table.
RECORDED: Mapping[str, Recorded[Any]] = {kind.table.name: kind for kind in (SPECTRUM_RECORDS, REGION_RECORDS)}
