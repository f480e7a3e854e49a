"""Checks of files against their rows: missing, changed, damaged, not indexed, duplicated, wrongly superseded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np

from archive.checks.findings import Code
from archive.checks.inspection import Inspection, month_of_path
from archive.checks.rebuild import same_content
from archive.errors import InvalidName
from archive.index.columns import Table
from archive.index.schema import FILE_TABLES, ProductFile
from archive.ingest.describe import check_sums, has_sums
from archive.ingest.refile import content_in_place, describe_filed, is_machine_error, refile
from archive.ingest.versions import with_successors
from archive.layout import CAL_FILES, parse_file_name
from archive.regular_files import NotRegularFile, open_regular
from stixcore.errors import InvalidProduct
from stixcore.fits.read import open_product

#: Columns that are not in the file.
_NOT_IN_FILE = frozenset({"ingested_at", "superseded_by"})
#: Findings that a repair does not change.
_LEFT_ALONE = frozenset({Code.FILE_REFUSED, Code.FILE_INACCESSIBLE})
#: Files per step of a repair; a killed repair resumes at its last step.
_BATCH = 200

type _Row = tuple[Table[Any], ProductFile]


@dataclass(frozen=True)
class _Entry:
    """A file on disk: size [byte] and time of last modification [Unix time, ns]."""

    size: int
    modified_ns: int

    @property
    def time(self) -> np.datetime64:
        return np.datetime64(self.modified_ns // 1000, "us")


@dataclass(frozen=True)
class _FileState:
    """Result of reading a file: its row, or the reason why it is rejected.

    The path in ``row`` is where the file belongs, which may differ from ``path``. ``stays`` is the code of a rejection
    that leaves the file in place.
    """

    path: str
    entry: _Entry
    known: _Row | None
    sha256: str = ""
    row: _Row | None = None
    refusal: str = ""
    stays: Code | None = None
    proven: bool = False  # has valid checksums


def check_files(inspection: Inspection) -> None:
    """Compare the files under ``fits/`` with the tables of files."""
    with inspection.writers_out():
        disk, rows = _listing(inspection.root), _rows(inspection)
        _check_versions(inspection, rows)
        _drop_missing(inspection, disk, rows)
        _check_duplicates(inspection, disk, rows)
    todo = list(_to_look_into(inspection, disk, rows))
    blocked: list[_FileState] = []
    for done, batch in enumerate(batched(todo, _BATCH)):
        verdicts = []
        for number, path in enumerate(batch):
            inspection.step("files", done * _BATCH + number, len(todo))
            verdicts.append(_look_into(inspection, path, disk[path], rows.get(path)))
        blocked += _judge(inspection, [verdict for verdict in verdicts if verdict is not None])
    _unblock(inspection, blocked)
    inspection.step("files", len(todo), len(todo))
    if inspection.repair:
        with inspection.writers_out():
            _mark_versions(inspection, _rows(inspection))


def _listing(root: Path) -> dict[str, _Entry]:
    """Every file under ``fits`` and every daily CAL file, without hidden files."""
    found: dict[str, _Entry] = {}
    for place, folders, names in os.walk(root / "fits"):
        folders[:] = [name for name in folders if not name.startswith(".")]  # copies that ingest is looking at
        relative = Path(place).relative_to(root).as_posix()
        for name in names:
            if not name.startswith("."):
                status = os.lstat(f"{place}/{name}")
                found[f"{relative}/{name}"] = _Entry(status.st_size, status.st_mtime_ns)
    for path in (root / CAL_FILES).glob("[!.]*.fits"):
        status = path.lstat()
        found[str(CAL_FILES / path.name)] = _Entry(status.st_size, status.st_mtime_ns)
    return dict(sorted(found.items()))


def _month(path: str) -> str:
    """Month of the row of a file, from its folder or its name; empty when neither has one."""
    try:
        return month_of_path(path) or str(parse_file_name(path.rpartition("/")[2]).start)[:7]
    except InvalidName:
        return ""


def _rows(inspection: Inspection) -> dict[str, _Row]:
    """Rows of all tables of files, by path."""
    found: dict[str, _Row] = {}
    for table in FILE_TABLES:
        for month in inspection.months(table):
            found |= {row.path: (table, row) for row in inspection.rows(table, month)}
    return found


def _drop_missing(inspection: Inspection, disk: dict[str, _Entry], rows: dict[str, _Row]) -> None:
    gone = [(path, table, row) for path, (table, row) in rows.items() if path not in disk]
    for path, table, row in gone:
        text = f"{path} is in the index but not on disk"
        inspection.found(Code.FILE_MISSING, table.name, path, text, repaired=inspection.repair)
        if inspection.repair:
            inspection.archive.delete(table.name, [row.name])
        del rows[path]


def _check_duplicates(inspection: Inspection, disk: dict[str, _Entry], rows: dict[str, _Row]) -> None:
    """Report rows with the same SHA-256."""
    by_content: dict[str, list[_Row]] = {}
    for table, row in rows.values():
        by_content.setdefault(row.sha256, []).append((table, row))
    for same in by_content.values():
        if len(same) == 1:
            continue
        table, stays = min(same, key=lambda one: (one[1].superseded_by is not None, one[1].name))
        for other_table, other in same:
            if other is stays:
                continue
            text = f"{other.path} has the same content as {stays.path}"
            inspection.found(Code.FILE_DUPLICATE, other_table.name, other.path, text, repaired=inspection.repair)
            if inspection.repair:
                inspection.archive.delete(other_table.name, [other.name])
                inspection.set_aside(inspection.root / other.path, text)
                del rows[other.path], disk[other.path]


def _to_look_into(inspection: Inspection, disk: dict[str, _Entry], rows: dict[str, _Row]) -> Iterator[str]:
    """Files that must be opened; problems visible without opening a file are reported here."""
    unreadable = {month for table, month in inspection.unreadable if table in {one.name for one in FILE_TABLES}}
    for path, entry in disk.items():
        known = rows.get(path)
        if known is None and _month(path) in unreadable:
            continue
        if inspection.deep or (inspection.repair and (known is None or known[1].size != entry.size)):
            yield path
        elif known is None:
            inspection.found(Code.FILE_UNINDEXED, "", path, f"{path} is on disk but not in the index")
        elif known[1].size != entry.size:
            text = f"{path} has {entry.size} bytes, but {known[1].size} in the index"
            inspection.found(Code.FILE_CHANGED, known[0].name, path, text)


def _look_into(inspection: Inspection, path: str, entry: _Entry, known: _Row | None) -> _FileState | None:
    place = inspection.root / path
    came = known[1].ingested_at if known else entry.time  # a copy has the time when it was written
    verdict = _FileState(path, entry, known)
    try:
        with open_regular(place) as stream:
            verdict = replace(verdict, sha256=hashlib.file_digest(stream, "sha256").hexdigest())
        described = describe_filed(place, verdict.sha256, came)
        return replace(verdict, row=(described.table, described.row), proven=described.has_sums)
    except FileNotFoundError:
        return None  # removed meanwhile
    except NotRegularFile:
        return replace(verdict, refusal=f"{path} is not a regular file")
    except InvalidProduct as error:
        stays = Code.FILE_INACCESSIBLE if is_machine_error(error) else None
        return replace(verdict, refusal=str(error), stays=stays or (Code.FILE_REFUSED if _is_whole(place) else None))
    except (ArithmeticError, LookupError, MemoryError, OSError, TypeError, ValueError) as error:
        stays = Code.FILE_INACCESSIBLE if is_machine_error(error) else None
        return replace(verdict, refusal=f"{path} cannot be read: {type(error).__name__}: {error}", stays=stays)


def _is_whole(path: Path) -> bool:
    """Whether a file is an undamaged STIX product: every extension has valid checksums."""
    try:
        with open_product(path) as product:
            product.header()
            check_sums(path, product.hdus)
            return has_sums(product.hdus)
    except (InvalidProduct, OSError):
        return False


def _judge(inspection: Inspection, verdicts: Iterable[_FileState]) -> list[_FileState]:
    """Report and repair problems, except of files that changed, or whose row changed, since they were read.

    Returns the files whose target path is taken by another file at present.
    """
    wrong = [verdict for verdict in verdicts if _fault(verdict) is not None]
    blocked: list[_FileState] = []
    if not wrong:
        return blocked
    with inspection.writers_out():
        disk, rows = _listing_of(inspection.root, wrong), _rows(inspection)
        arriving: dict[str, list[ProductFile]] = {}
        for verdict in wrong:
            if disk.get(verdict.path) != verdict.entry or rows.get(verdict.path) != verdict.known:
                continue
            fault = _fault(verdict)
            if fault is None:
                continue
            code, text = fault
            repair = inspection.repair and code not in _LEFT_ALONE
            if repair and code is Code.FILE_MISPLACED and verdict.row is not None:
                there = content_in_place(inspection.archive, verdict.row[1])
                if there == verdict.sha256:
                    code, text = Code.FILE_DUPLICATE, f"{verdict.path} has the same content as {verdict.row[1].path}"
                elif there:
                    blocked.append(verdict)
                    continue
            table = verdict.known or verdict.row
            inspection.found(code, table[0].name if table else "", verdict.path, text, repaired=repair)
            if repair:
                _repair(inspection, verdict, code, text, arriving)
        for name, new in arriving.items():
            inspection.archive.upsert(name, new)
    return blocked


def _unblock(inspection: Inspection, blocked: list[_FileState]) -> None:
    """Move files that wait for others to move: older software filed whole years a day early."""
    while blocked:
        left = _judge(inspection, blocked[::-1])[::-1]
        if len(left) == len(blocked):
            for path, (table, row) in ((verdict.path, verdict.row) for verdict in left if verdict.row is not None):
                text = f"{path} belongs at {row.path}, which is taken by another file; neither is changed"
                inspection.found(Code.FILE_MISPLACED, table.name, path, text)
            return
        blocked = left


def _fault(verdict: _FileState) -> tuple[Code, str] | None:
    """Code and message of the problem of a file; None when there is none."""
    known = None if verdict.known is None else verdict.known[1]
    unchanged = known is None or verdict.sha256 == known.sha256
    if verdict.row is None:
        if verdict.stays is Code.FILE_INACCESSIBLE or (known is None and verdict.stays):
            return verdict.stays, verdict.refusal
        return (Code.FILE_REFUSED if known and unchanged else Code.FILE_UNREADABLE), verdict.refusal
    if unchanged and verdict.row[1].path != verdict.path:
        return Code.FILE_MISPLACED, f"{verdict.path} belongs at {verdict.row[1].path}"
    if known is None:
        return Code.FILE_UNINDEXED, f"{verdict.path} is on disk but not in the index"
    if not unchanged:
        return Code.FILE_CHANGED, f"{verdict.path} has changed since it was ingested: its SHA-256 is {verdict.sha256}"
    return _contradiction(verdict.path, known, verdict.row)


def _contradiction(path: str, row: ProductFile, found: _Row) -> tuple[Code, str] | None:
    """The first column in which a row differs from its file."""
    table, truth = found
    wrong = (
        [column.name for column in table.columns if not same_content(row, truth, [column.name], apart=_NOT_IN_FILE)]
        if isinstance(row, table.row)
        else ["product"]
    )
    if wrong:
        value = wrong[0]
        text = f"{path}: {value} is {getattr(row, value)} in the index but {getattr(truth, value)} in the file"
        return Code.ROW_CONTRADICTS, text
    return None


def _repair(
    inspection: Inspection, verdict: _FileState, code: Code, reason: str, arriving: dict[str, list[ProductFile]]
) -> None:
    """Write the row of a file and move it to its path; move rejected files into quarantine."""
    row, known, path = verdict.row, verdict.known, inspection.root / verdict.path
    whole = verdict.proven or known is None or verdict.sha256 == known[1].sha256
    keeps = row is not None and whole and code is not Code.FILE_DUPLICATE
    if row is not None and keeps and row[1].path != verdict.path:
        keeps = not content_in_place(inspection.archive, row[1])  # the path is taken by a file that changed as well
        if keeps:
            refile(inspection.archive, path, row[1])
    if known is not None and not (row is not None and keeps and row[0] is known[0] and row[1].name == known[1].name):
        inspection.archive.delete(known[0].name, [known[1].name])
    if row is not None and keeps:
        arriving.setdefault(row[0].name, []).append(row[1])
    else:
        inspection.set_aside(path, reason)


def _listing_of(root: Path, verdicts: Iterable[_FileState]) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for verdict in verdicts:
        try:
            status = (root / verdict.path).lstat()
        except FileNotFoundError:
            continue
        found[verdict.path] = _Entry(status.st_size, status.st_mtime_ns)
    return found


# Versions ------------------------------------------------------------------------------------------------------------


def _check_versions(inspection: Inspection, rows: dict[str, _Row]) -> None:
    if inspection.unreadable & {(table.name, month) for table in FILE_TABLES for _, month in inspection.unreadable}:
        return
    for table, row, right in _wrongly_marked(rows):
        newer = f"superseded by {right}" if right else "the current version"
        text = f"{row.path} is {newer}, but its row says {row.superseded_by or 'that it is the current version'}"
        inspection.found(Code.VERSION_UNMARKED, table.name, row.path, text, repaired=inspection.repair)


def _mark_versions(inspection: Inspection, rows: dict[str, _Row]) -> None:
    """Correct ``superseded_by`` for the files that are present now."""
    changed: dict[str, list[ProductFile]] = {}
    for table, row, right in _wrongly_marked(rows):
        changed.setdefault(table.name, []).append(replace(row, superseded_by=right))
    for name, new in changed.items():
        inspection.archive.upsert(name, new)


def _wrongly_marked(rows: dict[str, _Row]) -> Iterator[tuple[Table[Any], ProductFile, str | None]]:
    for table in FILE_TABLES:
        own = [row for one, row in rows.values() if one is table]
        for row, near in _with_neighbors(own):
            right = with_successors([row, *near])[0].superseded_by
            if right != row.superseded_by:
                yield table, row, right


def _with_neighbors(rows: Iterable[ProductFile]) -> Iterator[tuple[ProductFile, list[ProductFile]]]:
    """Each row with the rows that overlap it in time; only these can be versions of it."""
    near: dict[str, list[ProductFile]] = {}
    ordered = sorted(rows, key=lambda row: (row.t_start, row.name))
    running: list[ProductFile] = []
    for row in ordered:
        running = [other for other in running if other.t_end >= row.t_start]
        near[row.name] = list(running)
        for other in running:
            near[other.name].append(row)
        running.append(row)
    for row in ordered:
        yield row, near[row.name]
