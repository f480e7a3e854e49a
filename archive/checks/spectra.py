"""Checks of spectra and region spectra: missing files, missing rows, stale records, damaged files.

A record is written after the files of its spectrum, so a folder with a record is complete. Its row is then known even
if the index is lost. Rows and folders are compared month by month.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from archive.checks.findings import Code
from archive.checks.inspection import Inspection, files_of
from archive.index.recorded import RECORDED, Recorded, RecordedRow, ResultRecord
from archive.regular_files import open_regular

#: Findings that only measuring the spectrum again can repair.
_BROKEN = frozenset({Code.SPECTRUM_INCOMPLETE, Code.SPECTRUM_DAMAGED})


@dataclass
class _Place:
    """One spectrum, or the spectra of the regions of an image: row in the index and folder.

    Attributes
    ----------
    kind : Recorded
    key : str
        Its id.
    row : row of the index, or None
    folder : str
        Path inside the archive; empty where there is none.
    files : dict
        Names in the folder, with size [byte] and time of the last writing [Unix time, s].
    faults : list of (Code, str, str)
        What is wrong: code, file or key, and a sentence.
    record : ResultRecord or None
        The valid record in the folder.
    """

    kind: Recorded[Any]
    key: str
    row: RecordedRow | None = None
    folder: str = ""
    files: dict[str, tuple[int, float]] = field(default_factory=dict)
    faults: list[tuple[Code, str, str]] = field(default_factory=list)
    record: ResultRecord[Any] | None = None

    @property
    def state(self) -> tuple[object, ...]:
        """Everything that changes when another process writes to it."""
        return self.row, self.folder, self.files

    @property
    def named(self) -> str:
        """What it is, with its id, for people."""
        return f"{self.kind.noun} {self.key}"

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the files that it must have, without the record."""
        return tuple(dict.fromkeys((*self.kind.files, *(self.record.sha256 if self.record else ()))))

    @property
    def codes(self) -> set[Code]:
        """Codes of its faults."""
        return {code for code, _, _ in self.faults}

    def fault(self, code: Code, file: str, message: str) -> None:
        """Add a problem."""
        self.faults.append((code, file, message))


def check_spectra(inspection: Inspection) -> None:
    """Compare ``spectra/`` and ``regions/`` with their tables, month by month."""
    for kind in RECORDED.values():
        with inspection.writers_out():
            months = inspection.all_months(kind.folder, kind.table)
        for number, month in enumerate(months):
            inspection.step(kind.folder, number, len(months))
            _check_month(inspection, kind, month)
        inspection.step(kind.folder, len(months), len(months))


def _check_month(inspection: Inspection, kind: Recorded[Any], month: str) -> None:
    if (kind.table.name, month) in inspection.unreadable:
        return  # which spectra have rows is not known
    with inspection.writers_out():
        places = _places(inspection, kind, month)
    for one in places.values():
        _look_at(inspection, one)
        _ignore_unfinished(inspection, one)
    faulty = [one for one in places.values() if one.faults]
    if not inspection.repair:
        for one in faulty:
            _report(inspection, one, repaired=False)
    elif faulty:
        _repair(inspection, kind, month, faulty)


def _places(inspection: Inspection, kind: Recorded[Any], month: str) -> dict[str, _Place]:
    places = {kind.key(row): _Place(kind, kind.key(row), row) for row in inspection.rows(kind.table, month)}
    for folder in inspection.folders_of_month(kind.folder, month):
        one = places.setdefault(folder.name, _Place(kind, folder.name))
        one.folder = folder.relative_to(inspection.root).as_posix()
        one.files = files_of(folder)
    return places


# Finding problems ----------------------------------------------------------------------------------------------------


def _look_at(inspection: Inspection, one: _Place) -> None:
    """Compare row, record and files."""
    if not one.folder and one.row is not None:
        text = f"{one.row.folder}, the folder of {one.named}, is in the index but not on disk"
        one.fault(Code.SPECTRUM_INCOMPLETE, one.row.folder, text)
    if not one.folder or (one.row is None and not one.files):
        return  # an empty folder: a writer has just begun
    if one.kind.record in one.files:
        _look_at_record(inspection, one)
    else:
        _missing(one, one.kind.record)
    missing = [name for name in one.needed if name not in one.files]
    for name in missing:
        _missing(one, name)
    if one.record is not None and not missing:
        _look_at_files(inspection, one, one.record)


def _missing(one: _Place, name: str) -> None:
    path = f"{one.folder}/{name}"
    one.fault(Code.SPECTRUM_INCOMPLETE, path, f"{path}, of {one.named}, is missing")


def _look_at_record(inspection: Inspection, one: _Place) -> None:
    path = f"{one.folder}/{one.kind.record}"
    record = one.kind.read(inspection.root / one.folder)
    if record is None:
        one.fault(Code.SPECTRUM_DAMAGED, path, f"{path} is not a valid record of {one.kind.noun}")
        return
    said = record.row
    if (one.kind.key(said), said.folder) != (one.key, one.folder):
        text = f"{path} is the record of {one.kind.noun} {one.kind.key(said)} in {said.folder}"
        one.fault(Code.SPECTRUM_DAMAGED, path, text)
        return
    one.record = record
    if one.row is None:
        one.fault(Code.SPECTRUM_UNINDEXED, one.folder, f"{one.named} is on disk but not in the index")
    elif _is_outdated(one.row, said):
        one.fault(Code.ROW_CONTRADICTS, one.folder, f"{one.named}: its record is newer than its row")
    elif one.row != said:
        one.fault(Code.RECORD_STALE, path, f"{path} differs from the index")


def _is_outdated(row: RecordedRow, said: RecordedRow) -> bool:
    """Whether a record is newer than the row in the index: a writer was killed between the two."""
    return row.folder != said.folder or said.created_at > row.created_at


def _look_at_files(inspection: Inspection, one: _Place, record: ResultRecord[Any]) -> None:
    """Compare the files with the record: hashes if the check is deep or a size is wrong."""
    size, said = _size(one), one.row or record.row
    if not inspection.deep and size == said.size:
        return
    for name in one.needed:
        path = inspection.root / one.folder / name
        try:
            with open_regular(path, below=inspection.root) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            return  # removed meanwhile
        if found != record.sha256.get(name):
            file = f"{one.folder}/{name}"
            one.fault(Code.SPECTRUM_DAMAGED, file, f"{file} differs from its record: its SHA-256 is {found}")
    if not one.codes & _BROKEN and size != said.size:
        text = f"{one.named}: its files have {size} bytes, its row says {said.size}"
        one.fault(Code.ROW_CONTRADICTS, one.folder, text)


def _size(one: _Place) -> int:
    return sum(one.files[name][0] for name in one.needed)


def _ignore_unfinished(inspection: Inspection, one: _Place) -> None:
    """Drop findings that a writer in progress explains. A folder with a record is finished: a repair may index it."""
    if not (one.files and inspection.in_progress(max(modified for _, modified in one.files.values()))):
        return
    if one.row is not None:  # files are replaced before the record, and the record before the row
        spared = {Code.ROW_CONTRADICTS, Code.RECORD_STALE, Code.SPECTRUM_DAMAGED}
    elif inspection.repair and one.record is not None:
        return
    else:
        spared = {*_BROKEN, Code.SPECTRUM_UNINDEXED}
    one.faults = [fault for fault in one.faults if fault[0] not in spared]


def _report(inspection: Inspection, one: _Place, *, repaired: bool) -> None:
    for code, file, message in one.faults:
        inspection.found(code, one.kind.table.name, file, message, repaired=repaired)


# Repair --------------------------------------------------------------------------------------------------------------


def _repair(inspection: Inspection, kind: Recorded[Any], month: str, faulty: list[_Place]) -> None:
    """Repair the spectra of a month: from row and record where the files are whole, otherwise by measuring again."""
    rows: list[RecordedRow] = []
    with inspection.writers_out():
        present = _places(inspection, kind, month)
        for one in faulty:
            row = _settled(one)
            if row is None:
                continue
            unchanged = present.get(one.key, _Place(kind, one.key)).state == one.state
            _report(inspection, one, repaired=unchanged)
            if unchanged:
                kind.replace_row(inspection.root / one.folder, row)
                rows.append(row)
        inspection.archive.upsert(kind.table.name, rows)
    for one in faulty:
        if one.codes & _BROKEN:
            _measure_again(inspection, month, one)


def _settled(one: _Place) -> RecordedRow | None:
    """The row of a spectrum whose files are whole: that of the record if it is newer or the only one."""
    if one.codes & _BROKEN or one.record is None:
        return None
    said = one.record.row
    return replace(said if one.row is None or _is_outdated(one.row, said) else one.row, size=_size(one))


def _measure_again(inspection: Inspection, month: str, one: _Place) -> None:
    """Make a spectrum again; if that fails, move its files into quarantine and delete its row."""
    # Without row and record a writer was killed before the spectrum was complete: nobody has seen it.
    row = one.row or (one.record.row if one.record else None)
    if row is not None and inspection.remeasure is not None and inspection.remeasure(row):
        _report(inspection, one, repaired=True)
        return
    with inspection.writers_out():
        unchanged = _places(inspection, one.kind, month).get(one.key, _Place(one.kind, one.key)).state == one.state
        _report(inspection, one, repaired=unchanged)
        if not unchanged:
            return
        inspection.archive.delete(one.kind.table.name, [one.key])
        folder = inspection.root / one.folder
        for name in one.files if one.folder else ():
            inspection.set_aside(folder / name, f"{one.folder}/{name}: {one.named} was incomplete or damaged")
        if one.folder and not any(folder.iterdir()):
            folder.rmdir()
