"""Calibration of an archive beyond what the software ships: newer energy tables and daily CAL files.

They are in the folder ``calibration`` of the archive: tables and ``elut_index.csv`` as STIX-CONF publishes them, CAL
files in ``calibration/cal``, added or ingested, with their list ``cal_files.json``; their rows are in the table
``other_files``. A table or file is written before the list that names it, so a list never names a missing file.
``SHA256SUMS`` records the hashes of the tables and of their list when they were added.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from archive.atomic import identity, write_text
from archive.errors import NotInArchive
from archive.layout import CAL_FILES
from archive.regular_files import NotRegularFile, open_regular
from stixcore.calibration.catalog import (
    SHIPPED,
    CalFile,
    CalibrationCatalog,
    CatalogFaults,
    edge_difference,
    merged_validity,
)
from stixcore.errors import CalibrationError, SelectionError, StixError
from stixcore.fits.cal_energy import read_cal_energy
from stixcore.instrument.calibration_file import PHASE_TABLE, shipped_calibration
from stixcore.instrument.energy_tables import (
    TABLE_NAME,
    EnergyLookupTable,
    Validity,
    decoded,
    parse_energy_table,
    parse_validity,
)
from stixcore.printable import excerpt
from stixcore.times import parse_time

FOLDER, CAL_FOLDER = CAL_FILES.parts
INDEX = "elut_index.csv"
CAL_LIST = "cal_files.json"
#: Allowed difference between stored edges and those computed from the file's own offset and gain, keV.
EDGE_TOLERANCE = 1e-3
#: Record of what was added, in the format of the program ``sha256sum``.
SUMS = "SHA256SUMS"
#: Largest table or list that is read, bytes; published tables have 70 kB.
MAX_BYTES = 1 << 22
#: The same for the list of CAL files, which has about 400 bytes per file.
MAX_LIST_BYTES = 1 << 26
_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_.-]+)")
_REMEDY = "stix-jobs calibration add with the published files restores it"
_CAL_NAME = re.compile(r"solo_CAL_[A-Za-z0-9_.-]+\.fits")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: Keys of a row of the list of CAL files, and the type of each in JSON.
_CAL_KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "sha256": (str,),
    "energy_table": (str,),
    "t_start": (str,),
    "t_end": (str,),
    "duration_s": (int, float),
    "livetime_s": (int, float),
    "version": (list,),
}


class UnknownEnergyTable(CalibrationError):
    """A CAL file names an unknown on-board energy table; it can be used once that table is added."""


@dataclass(frozen=True)
class CalibrationEntry:
    """One entry of the list: kind, name, validity (UTC; ``end`` is None if open), hash and origin."""

    kind: str
    name: str
    start: np.datetime64 | None
    end: np.datetime64 | None
    sha256: str
    source: str


def calibration_catalog(root: Path) -> CalibrationCatalog:
    """The catalogue of an archive: shipped tables and its own. It is read again when a table or a list changes.

    Its ``faults`` describe damaged lists, and tables that cannot be read or have changed since they were added.
    """
    folder = root / FOLDER
    try:
        entries = sorted(path for path in folder.iterdir() if path.name != CAL_FOLDER and not path.name.startswith("."))
        stamps = tuple((path.name, identity(path)) for path in entries)
    except FileNotFoundError:
        return SHIPPED
    except OSError as error:  # not a folder
        damage = f"the folder {FOLDER} of the archive cannot be read: {error.strerror}"
        return CalibrationCatalog(faults=CatalogFaults((), damage, damage))
    return _read_catalog(folder, stamps)


@lru_cache(maxsize=16)
def _read_catalog(folder: Path, stamps: tuple[tuple[str, object], ...]) -> CalibrationCatalog:
    present = {name for name, _ in stamps}
    if not present & {INDEX, SUMS, CAL_LIST}:
        return SHIPPED
    shipped = shipped_calibration()
    own: tuple[Validity, ...] = ()
    tables: list[EnergyLookupTable] = []
    faults, list_fault, cal_fault = [], "", ""
    try:
        recorded = recorded_sums(folder)
        if INDEX in present or INDEX in recorded:
            validity = parse_validity(decoded(own_content(folder, INDEX, recorded), INDEX), INDEX)
            rows = tuple(row for row in validity if row not in shipped.validity)
            merged_validity(shipped.validity, rows)  # refuses contradictions
            own = rows
    except CalibrationError as error:
        list_fault = f"{error} ({_REMEDY})"
    for name in sorted({row.name for row in own} - set(shipped.tables)):
        file_name = f"{name}.csv"
        try:
            content = own_content(folder, file_name, recorded)
            tables.append(parse_energy_table(decoded(content, file_name), file_name, sha256_of_bytes(content)))
        except CalibrationError as error:
            faults.append((name, f"{error} ({_REMEDY})"))
    cal_files: tuple[CalFile, ...] = ()
    try:
        cal_files = _read_cal_list(folder) if CAL_LIST in present else ()
    except CalibrationError as error:
        cal_fault = f"{error} (stix-jobs check --repair writes it from the files)"
    return CalibrationCatalog(tuple(tables), own, cal_files, faults=CatalogFaults(tuple(faults), list_fault, cal_fault))


def read_regular(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file; links, pipes and devices are not opened.

    Raises
    ------
    CalibrationError
        When it cannot be read, is not a regular file, or is larger than ``limit`` bytes.
    """
    try:
        with open_regular(path) as stream:
            content = stream.read(limit + 1)
    except NotRegularFile as error:
        raise CalibrationError(str(error)) from error
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror}"
        raise CalibrationError(message) from error
    if len(content) > limit:
        message = f"{path.name} has more than the {limit} bytes that such a file may have"
        raise CalibrationError(message)
    return content


def sha256_of_bytes(content: bytes) -> str:
    """SHA-256 of some bytes, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def own_content(folder: Path, name: str, recorded: Mapping[str, frozenset[str]]) -> bytes:
    """Read a table of the archive, or the list of tables.

    Raises
    ------
    CalibrationError
        When it cannot be read, or its SHA-256 is not the recorded one.
    """
    content = read_regular(folder / name)
    found = sha256_of_bytes(content)
    if name in recorded and found not in recorded[name]:
        message = (
            f"{FOLDER}/{name} was changed after it was added: SHA-256 {found}, recorded {min(recorded[name])} in {SUMS}"
        )
        raise CalibrationError(message)
    return content


def recorded_sums(folder: Path) -> dict[str, frozenset[str]]:
    """Recorded SHA-256 of the archive's own tables and of their list, by file name.

    While the list is replaced, both the old and the new one are recorded.

    Raises
    ------
    CalibrationError
        When the record is damaged.
    """
    if not (folder / SUMS).exists():
        return {}
    text = decoded(read_regular(folder / SUMS), SUMS)
    found: dict[str, frozenset[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _SUM.fullmatch(line)
        if match is None:
            message = f"{FOLDER}/{SUMS}, line {number}: {excerpt(line)} is not a SHA-256 and a file name"
            raise CalibrationError(message)
        found[match[2]] = found.get(match[2], frozenset()) | {match[1]}
    return found


def record_sums(folder: Path, sums: Mapping[str, Iterable[str]]) -> None:
    """Write the record, in the format of ``sha256sum``."""
    lines = [f"{sha256}  {name}\n" for name in sorted(sums) for sha256 in sorted(sums[name])]
    write_text(folder / SUMS, "".join(lines))


def calibration_place(root: Path, name: str) -> str:
    """Path of an energy table or CAL file that was added to the archive, by file name.

    Raises
    ------
    NotInArchive
        When the archive has no such file.
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
    """List energy tables, science channels, phase corrections and CAL files, each kind in order of time.

    Raises
    ------
    CalibrationError
        When something in the folder is damaged.
    """
    catalog, shipped = calibration_catalog(root), shipped_calibration()
    own = {row.name for row in catalog.added_validity} - set(shipped.tables)
    source = f"software ({shipped.source})"
    entries = [
        CalibrationEntry(
            "energy table",
            row.name,
            row.start,
            row.end,
            catalog.tables[row.name].sha256 if row.name in catalog.tables else "",
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


def _write_cal_list(folder: Path, files: Mapping[str, CalFile]) -> None:
    rows = [_cal_row(files[name]) for name in sorted(files)]
    write_text(folder / CAL_LIST, json.dumps(rows, indent=1) + "\n")


def require_usable_cal_file(root: Path, path: Path) -> None:
    """Check that the catalogue of an archive can use a CAL file.

    Raises
    ------
    UnknownEnergyTable
        When its energy table is unknown.
    CalibrationError
        When it contradicts itself or the list of tables.
    InvalidProduct
        When it is another product or damaged.
    """
    catalog = calibration_catalog(root)
    if catalog.faults.validity:  # without a valid list, the file cannot be judged
        raise UnknownEnergyTable(catalog.faults.validity)
    require_consistent(CalFile.of(path), catalog)


def list_of_cal_files(root: Path) -> tuple[CalFile, ...]:
    """Make the list of CAL files from the files in their folder, ordered by name.

    Raises
    ------
    CalibrationError
        When an energy table of the archive, or their list, is damaged.
    """
    tables, found = calibration_catalog(root), []
    damage = [tables.faults.validity, *(text for _, text in tables.faults.tables)]
    if any(damage):  # files that cannot be checked stay in the list
        raise CalibrationError(next(text for text in damage if text))
    for path in sorted((root / CAL_FILES).glob("[!.]*.fits")):
        try:
            file = CalFile.of(path)
            require_consistent(file, tables)
        except StixError:
            continue  # the check of files reports it
        found.append(file)
    return tuple(found)


def listed_cal_files(root: Path) -> tuple[CalFile, ...] | None:
    """The stored list of CAL files; None when it is damaged."""
    folder = root / FOLDER
    try:
        return _read_cal_list(folder) if (folder / CAL_LIST).is_file() else ()
    except CalibrationError:
        return None


def write_cal_list(root: Path, files: Iterable[CalFile]) -> None:
    """Write the list of CAL files; the caller holds the write lock."""
    _write_cal_list(root / FOLDER, {file.name: file for file in files})


def register_cal_files(root: Path, names: Iterable[str]) -> None:
    """Add CAL files in their folder to the list if they can be used; the caller holds the write lock."""
    present = listed_cal_files(root)
    if present is None:
        write_cal_list(root, list_of_cal_files(root))
    elif new := [CalFile.of(root / CAL_FILES / name) for name in names]:
        write_cal_list(root, (*present, *new))


def require_consistent(file: CalFile, catalog: CalibrationCatalog) -> None:
    """Check that a CAL file does not contradict itself or the list of tables."""
    table = catalog.tables.get(file.energy_table)
    if table is None:
        message = f"{file.name}: recorded with the unknown energy table {file.energy_table}; add that table first"
        raise UnknownEnergyTable(message)
    listed = catalog.energy_table_at(file.t_start).name
    if listed != file.energy_table:
        message = f"{file.name} names energy table {file.energy_table}, but {listed} was in force then"
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
    place = f"{folder.name}/{CAL_LIST}"
    try:
        rows = json.loads(decoded(read_regular(folder / CAL_LIST, MAX_LIST_BYTES), CAL_LIST))
    except (ValueError, RecursionError) as error:
        message = f"{place} must list the CAL files, and is not JSON: {excerpt(str(error))}"
        raise CalibrationError(message) from error
    if not isinstance(rows, list):
        message = f"{place} must list the CAL files, and holds {excerpt(str(rows))}"
        raise CalibrationError(message)
    files = tuple(_cal_file(folder, row, f"{place}, row {number}") for number, row in enumerate(rows, 1))
    if len({file.name for file in files}) != len(files):
        message = f"{place} must list each CAL file once"
        raise CalibrationError(message)
    return files


def _cal_file(folder: Path, row: object, place: str) -> CalFile:
    """Read one row of the list, written by `_cal_row`."""
    if not isinstance(row, dict):
        message = f"{place}: {excerpt(str(row))} is not an object"
        raise CalibrationError(message)
    for key, types in _CAL_KEYS.items():
        if type(row.get(key)) not in types:
            message = f"{place}: {key} must be {types[-1].__name__}, found {excerpt(str(row.get(key)))}"
            raise CalibrationError(message)
    try:
        start, end = parse_time(row["t_start"]), parse_time(row["t_end"])
    except SelectionError as error:
        message = f"{place}: {excerpt(str(error))}"
        raise CalibrationError(message) from error
    version, lengths = row["version"], (row["duration_s"], row["livetime_s"])
    for key, right in (
        ("name", _CAL_NAME.fullmatch(row["name"])),
        ("sha256", _SHA256.fullmatch(row["sha256"])),
        ("energy_table", TABLE_NAME.fullmatch(row["energy_table"])),
        ("t_end", start < end),
        ("duration_s", math.isfinite(lengths[0]) and lengths[0] >= 0),
        ("livetime_s", math.isfinite(lengths[1]) and lengths[1] >= 0),
        ("version", [type(part) for part in version] == [int, bool]),
    ):
        if not right:
            message = f"{place}, {key}: {excerpt(str(row[key]))} is invalid"
            raise CalibrationError(message)
    return CalFile(
        path=folder / CAL_FOLDER / row["name"],
        name=row["name"],
        sha256=row["sha256"],
        energy_table=row["energy_table"],
        t_start=start,
        t_end=end,
        duration=float(lengths[0]),
        livetime=float(lengths[1]),
        version=(version[0], version[1]),
    )
