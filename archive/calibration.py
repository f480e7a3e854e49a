"""Calibration that an archive adds to what the software ships: newer energy tables, and daily CAL files.

They are in the folder ``calibration`` of the archive: tables and ``elut_index.csv`` as STIX-CONF publishes them, CAL
files in ``calibration/cal`` with ``cal_files.json`` as their list, whether they were added or taken in; their rows are
in the table ``other_files``. A table or file is written before the list that names it, so a list never names what is
not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np

from archive.atomic import copy_file, identity, make_folder, write_bytes, write_text
from archive.errors import NotInArchive
from archive.identity import identify
from archive.layout import CAL_FILES
from stixcore.calibration.catalog import SHIPPED, CalFile, CalibrationCatalog, edge_difference, merged_validity
from stixcore.errors import CalibrationError, StixError
from stixcore.fits.cal_energy import read_cal_energy
from stixcore.instrument.calibration_file import PHASE_FILES, PHASE_TABLE, shipped_calibration
from stixcore.instrument.energy_tables import (
    CHANNELS_NAME,
    EnergyLookupTable,
    Validity,
    decoded,
    parse_science_channels,
    parse_validity,
    read_energy_table,
)

FOLDER, CAL_FOLDER = CAL_FILES.parts
INDEX = "elut_index.csv"
CAL_LIST = "cal_files.json"
#: Stored edges may differ by so much from those of the file's own offset and gain, keV.
EDGE_TOLERANCE = 1e-3


class UnknownEnergyTable(CalibrationError):
    """A CAL file names an on-board energy table that is not known: it can be used once that table is added."""


class AddStatus(StrEnum):
    """Outcome for one file passed to ``calibration add``."""

    ADDED = "added"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True)
class AddedFile:
    """One file of `add_calibration`: name, status, and a sentence where it was refused."""

    name: str
    status: AddStatus
    reason: str = ""


@dataclass(frozen=True)
class CalibrationEntry:
    """One line of the list: what it is, when it holds (UTC; ``end`` None: open), its hash and where it is from."""

    kind: str
    name: str
    start: np.datetime64 | None
    end: np.datetime64 | None
    sha256: str
    source: str


def calibration_catalog(root: Path) -> CalibrationCatalog:
    """The catalogue of an archive: shipped tables and its own. Read again when its lists change.

    Raises
    ------
    CalibrationError
        When something in the folder is damaged.
    """
    folder = root / FOLDER
    return _read_catalog(folder, identity(folder / INDEX), identity(folder / CAL_LIST))


@lru_cache(maxsize=16)
def _read_catalog(folder: Path, index: object, cal_list: object) -> CalibrationCatalog:
    if index is None and cal_list is None:
        return SHIPPED
    try:
        validity = _parsed_index(folder / INDEX) if index is not None else ()
        shipped = shipped_calibration()
        names = {row.name for row in validity} - set(shipped.tables)
        added = tuple(read_energy_table(folder / f"{name}.csv") for name in sorted(names))
        own = tuple(row for row in validity if row not in shipped.validity)
        merged_validity(shipped.validity, own)  # refuses contradictions
        cal_files = _read_cal_list(folder) if cal_list is not None else ()
    except OSError as error:
        message = f"{folder.name}/{Path(str(error.filename)).name} cannot be read: {error.strerror}"
        raise CalibrationError(message) from error
    return CalibrationCatalog(added, own, cal_files)


def add_calibration(
    root: Path, paths: Iterable[Path], write_lock: AbstractContextManager[None]
) -> tuple[AddedFile, ...]:
    """Add energy tables with their list, and CAL files. Folders are searched. What is damaged is refused, by name.

    New tables come with ``elut_index.csv`` that says when they are in force. They are added together or not at all;
    each CAL file stands for itself.
    """
    files = sorted({file for path in paths for file in _files_of(path)})
    with write_lock:
        catalog = calibration_catalog(root)
        cal_paths = [path for path in files if path.name.endswith(".fits")]
        others = [path for path in files if path not in cal_paths]
        tables = [path for path in others if path.name.startswith("elut_table_") or path.name == INDEX]
        outcome = _add_tables(root / FOLDER, tables, catalog)
        outcome += [_compared(path) for path in others if path not in tables]
        outcome += _add_cal_files(root, cal_paths)
    return tuple(outcome)


def calibration_place(root: Path, name: str) -> str:
    """Where in the archive an energy table or a CAL file is that it added to the shipped ones, by the file's name.

    Raises
    ------
    NotInArchive
        When it has no such file.
    CalibrationError
        When something in the folder is damaged.
    """
    catalog = calibration_catalog(root)
    if name in {f"{table.name}.csv" for table in catalog.added}:
        return f"{FOLDER}/{name}"
    if name in {file.name for file in catalog.cal_files}:
        return f"{FOLDER}/{CAL_FOLDER}/{name}"
    message = f"there is no file {name!r}"
    raise NotInArchive(message)


def list_calibration(root: Path) -> tuple[CalibrationEntry, ...]:
    """Energy tables, science channels, phase corrections and CAL files, in order of time within each kind.

    Raises
    ------
    CalibrationError
        When something in the folder is damaged.
    """
    catalog, shipped = calibration_catalog(root), shipped_calibration()
    own = {table.name for table in catalog.added}
    source = f"software ({shipped.source})"
    entries = [
        CalibrationEntry(
            "energy table",
            row.name,
            row.start,
            row.end,
            catalog.tables[row.name].sha256,
            "archive" if row.name in own else source,
        )
        for row in catalog.validity
    ]
    entries += [
        CalibrationEntry("science channels", row.name, row.start, row.end, "", source)
        for row in shipped.channel_validity
    ]
    entries.append(CalibrationEntry("phase corrections", PHASE_TABLE, None, None, shipped.phases.sha256, source))
    entries += [
        CalibrationEntry("CAL file", file.name, file.t_start, file.t_end, file.sha256, "archive")
        for file in sorted(catalog.cal_files, key=lambda file: (file.t_start, file.name))
    ]
    return tuple(entries)


def _files_of(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return [file for file in path.iterdir() if file.suffix in (".csv", ".fits") and file.is_file()]


def _parsed_index(path: Path) -> tuple[Validity, ...]:
    return parse_validity(decoded(path.read_bytes(), path.name), path.name)


def _add_tables(folder: Path, paths: Sequence[Path], catalog: CalibrationCatalog) -> list[AddedFile]:
    """Tables and their list: all or none, for a list is wrong without its tables."""
    if not paths:
        return []
    refused: dict[Path, str] = {}
    tables: dict[str, tuple[Path, EnergyLookupTable]] = {}
    index: tuple[Validity, ...] | None = None
    for path in paths:
        try:
            if path.name == INDEX:
                index = _parsed_index(path)
            else:
                table = read_energy_table(path)
                _require_same(table, catalog)
                tables[table.name] = (path, table)
        except CalibrationError as error:
            refused[path] = str(error)
        except OSError as error:
            refused[path] = f"{path.name}: cannot be read: {error.strerror}"
    new = {name: pair for name, pair in tables.items() if name not in catalog.tables}
    objection = "" if refused else _objection(index, new, catalog)
    if refused or objection:
        others = objection or "not added, because another file was refused"
        return [AddedFile(path.name, AddStatus.REFUSED, refused.get(path, f"{path.name}: {others}")) for path in paths]
    changed = index is not None and index != catalog.validity
    if new or changed:
        make_folder(folder)
        for path, table in new.values():
            copy_file(path, folder / path.name, table.sha256)
        (index_path,) = [path for path in paths if path.name == INDEX]
        write_bytes(folder / INDEX, index_path.read_bytes())
    added = {path.name for path, _ in new.values()} | ({INDEX} if changed else set())
    return [AddedFile(path.name, AddStatus.ADDED if path.name in added else AddStatus.KNOWN) for path in paths]


def _require_same(table: EnergyLookupTable, catalog: CalibrationCatalog) -> None:
    known = catalog.tables.get(table.name)
    if known is not None and not known.agrees_with(table):
        message = f"{table.name}.csv: other numbers than in the table of that name that is known here"
        raise CalibrationError(message)


def _objection(
    index: tuple[Validity, ...] | None,
    new: dict[str, tuple[Path, EnergyLookupTable]],
    catalog: CalibrationCatalog,
) -> str:
    """Why tables and list do not go together, or not with what is known; empty when they do."""
    if index is None:
        return f"{INDEX} must be added with it: it says when a table is in force" if new else ""
    listed = {row.name for row in index}
    missing = sorted(listed - set(catalog.tables) - set(new))
    unlisted = sorted(set(new) - listed)
    if missing:
        return f"{INDEX} names {missing[0]}, whose table is neither here nor given"
    if unlisted:
        return f"{INDEX} does not say when {unlisted[0]} is in force"
    starts = {(row.name, row.start) for row in index}
    for row in catalog.validity:
        if (row.name, row.start) not in starts:
            return f"{INDEX} contradicts the known list: {row.name} is in force from {str(row.start)[:19]}"
    return ""


def _compared(path: Path) -> AddedFile:
    """Science channels and phase corrections come with the software: the same ones are known, others are refused."""
    shipped = shipped_calibration()
    try:
        content = path.read_bytes()
        if path.name.startswith("ScienceEnergyChannels_"):
            channels = parse_science_channels(decoded(content, path.name), path.name)
            known = shipped.channels.get(channels.name) == channels
        elif path.name == "science_echan_index.csv":
            known = parse_validity(decoded(content, path.name), path.name, CHANNELS_NAME) == shipped.channel_validity
        elif path.name in PHASE_FILES:
            both = b"".join((path.parent / name).read_bytes() for name in PHASE_FILES)
            known = hashlib.sha256(both).hexdigest() == shipped.phases.sha256
        else:
            return AddedFile(path.name, AddStatus.REFUSED, f"{path.name}: is not a calibration file")
    except CalibrationError as error:
        return AddedFile(path.name, AddStatus.REFUSED, str(error))
    except OSError as error:
        return AddedFile(path.name, AddStatus.REFUSED, f"{path.name}: cannot be read: {error.strerror}")
    if known:
        return AddedFile(path.name, AddStatus.KNOWN)
    reason = f"{path.name}: differs from what this software ships; other channels or phases need a new version of it"
    return AddedFile(path.name, AddStatus.REFUSED, reason)


def _add_cal_files(root: Path, paths: Sequence[Path]) -> list[AddedFile]:
    if not paths:
        return []
    folder, outcome = root / FOLDER, []
    catalog = calibration_catalog(root)
    known = {file.name: file for file in catalog.cal_files}
    for path in paths:
        try:
            file = replace(CalFile.of(path), name=identify(path).name.name)
            _require_consistent(file, catalog)
        except StixError as error:
            outcome.append(AddedFile(path.name, AddStatus.REFUSED, str(error)))
            continue
        except OSError as error:
            outcome.append(AddedFile(path.name, AddStatus.REFUSED, f"{path.name}: cannot be read: {error.strerror}"))
            continue
        other = known.get(file.name)
        if other is not None and other.sha256 != file.sha256:
            reason = f"{file.name}: another file of that name is in the archive (SHA-256 {other.sha256})"
            outcome.append(AddedFile(file.name, AddStatus.REFUSED, reason))
        elif other is not None:
            outcome.append(AddedFile(file.name, AddStatus.KNOWN))
        else:
            make_folder(folder / CAL_FOLDER)
            copy_file(path, folder / CAL_FOLDER / file.name, file.sha256)
            known[file.name] = CalFile.of(folder / CAL_FOLDER / file.name)
            outcome.append(AddedFile(file.name, AddStatus.ADDED))
    if any(one.status is AddStatus.ADDED for one in outcome):
        _write_cal_list(folder, known)
    return outcome


def _write_cal_list(folder: Path, files: Mapping[str, CalFile]) -> None:
    rows = [_cal_row(files[name]) for name in sorted(files)]
    write_text(folder / CAL_LIST, json.dumps(rows, indent=1) + "\n")


def require_usable_cal_file(root: Path, path: Path) -> None:
    """Refuse a CAL file that the catalogue of an archive cannot use.

    Raises
    ------
    UnknownEnergyTable
        When its energy table is not known yet.
    CalibrationError
        When it contradicts itself or the list of tables.
    InvalidProduct
        When it is another product, or damaged.
    """
    _require_consistent(CalFile.of(path), calibration_catalog(root))


def list_of_cal_files(root: Path) -> tuple[CalFile, ...]:
    """The list of CAL files as it must be by the files that are in their folder, in the order of their names.

    Raises
    ------
    CalibrationError
        When an energy table of the archive, or their list, is damaged.
    """
    tables = _read_catalog(root / FOLDER, identity(root / FOLDER / INDEX), None)
    found = []
    for path in sorted((root / CAL_FILES).glob("[!.]*.fits")):
        try:
            file = CalFile.of(path)
            _require_consistent(file, tables)
        except StixError:
            continue  # the check of the files says what is wrong with it
        found.append(file)
    return tuple(found)


def listed_cal_files(root: Path) -> tuple[CalFile, ...] | None:
    """The list of CAL files as it is; None where it cannot be understood."""
    folder = root / FOLDER
    try:
        return _read_cal_list(folder) if (folder / CAL_LIST).is_file() else ()
    except CalibrationError:
        return None


def write_cal_list(root: Path, files: Iterable[CalFile]) -> None:
    """Write the list of CAL files, under the write lock."""
    _write_cal_list(root / FOLDER, {file.name: file for file in files})


def register_cal_files(root: Path, names: Iterable[str]) -> None:
    """Add CAL files that are in their folder, and can be used, to the list, under the write lock."""
    present = listed_cal_files(root)
    if present is None:
        write_cal_list(root, list_of_cal_files(root))
    elif new := [CalFile.of(root / CAL_FILES / name) for name in names]:
        write_cal_list(root, (*present, *new))


def _require_consistent(file: CalFile, catalog: CalibrationCatalog) -> None:
    """Refuse a CAL file that contradicts itself or the list of tables."""
    table = catalog.tables.get(file.energy_table)
    if table is None:
        message = f"{file.name}: taken with the energy table {file.energy_table}, which is not known; add it first"
        raise UnknownEnergyTable(message)
    listed = catalog.energy_table_at(file.t_start).name
    if listed != file.energy_table:
        message = f"{file.name}: says that {file.energy_table} was on board; the list of tables says {listed}"
        raise CalibrationError(message)
    difference = float(np.abs(edge_difference(table, read_cal_energy(file.path))).max())
    if difference > EDGE_TOLERANCE:
        message = f"{file.name}: its edges differ by {difference:.3g} keV from those of its offset and gain"
        raise CalibrationError(message)


def _cal_row(file: CalFile) -> dict[str, object]:
    return {
        "name": file.name,
        "sha256": file.sha256,
        "energy_table": file.energy_table,
        "t_start": str(file.t_start),
        "t_end": str(file.t_end),
        "duration_s": file.duration,
        "livetime_s": file.livetime,
        "version": list(file.version),
    }


def _read_cal_list(folder: Path) -> tuple[CalFile, ...]:
    path = folder / CAL_LIST
    try:
        return tuple(
            CalFile(
                path=folder / CAL_FOLDER / Path(row["name"]).name,
                name=row["name"],
                sha256=row["sha256"],
                energy_table=row["energy_table"],
                t_start=np.datetime64(row["t_start"], "us"),
                t_end=np.datetime64(row["t_end"], "us"),
                duration=float(row["duration_s"]),
                livetime=float(row["livetime_s"]),
                version=(int(row["version"][0]), bool(row["version"][1])),
            )
            for row in json.loads(path.read_text(encoding="utf-8"))
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        message = f"{folder.name}/{CAL_LIST} must list the CAL files, and cannot be understood: {error}"
        raise CalibrationError(message) from error
