"""Add calibration files to an archive. All files are read and checked before any is written.

Energy tables and their list are added together or not at all; CAL files are added one by one. Damaged files in the
archive are replaced by intact copies.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from archive.atomic import copy_file, make_folder, write_bytes
from archive.calibration import (
    CAL_FOLDER,
    FOLDER,
    INDEX,
    calibration_catalog,
    list_of_cal_files,
    listed_cal_files,
    read_regular,
    record_sums,
    recorded_sums,
    require_consistent,
    sha256_of_bytes,
    write_cal_list,
)
from archive.chianti import kind_of
from archive.ingest.added_files import AddedFile, AddStatus
from archive.ingest.chianti import add_chianti, read_chianti
from archive.ingest.describe import check_sums
from archive.ingest.names import identify
from stixcore.calibration.catalog import CalFile, CalibrationCatalog, merged_validity
from stixcore.errors import CalibrationError, InvalidProduct, StixError
from stixcore.fits.cal_energy import read_cal_energy
from stixcore.instrument.calibration_file import PHASE_FILES, shipped_calibration
from stixcore.instrument.energy_tables import (
    CHANNELS_NAME,
    EnergyLookupTable,
    Validity,
    decoded,
    parse_energy_table,
    parse_science_channels,
    parse_validity,
)

#: Largest CAL file that is accepted, bytes; they have 160 kB.
MAX_CAL_BYTES = 1 << 24


def add_calibration(
    root: Path, paths: Iterable[Path], write_lock: AbstractContextManager[None]
) -> tuple[AddedFile, ...]:
    """Add energy tables with their list, CAL files and CHIANTI tables. Folders are searched, bad files are refused.

    New tables must come with ``elut_index.csv``, which gives their validity, and are added together or not at all. CAL
    files are added one by one, and the three files of CHIANTI together. The write lock is taken after all files have
    been read.
    """
    texts: dict[Path, bytes] = {}
    cal_files: list[tuple[CalFile, str]] = []
    outcome: list[AddedFile] = []
    unread: dict[Path, str] = {}
    named = sorted({file for place in paths for file in _files_of(place)})
    chianti = [path for path in named if kind_of(path.name)]
    for path in [path for path in named if path not in chianti]:
        try:
            if path.name.endswith(".fits"):
                cal_files.append(_read_cal_file(path))
            else:
                texts[path] = read_regular(path)
        except StixError as error:
            if _is_table(path):
                unread[path] = str(error)
            else:
                outcome.append(AddedFile(path.name, AddStatus.REFUSED, str(error)))
    outcome += [_compared(path, content) for path, content in texts.items() if not _is_table(path)]
    tables = {path: content for path, content in texts.items() if _is_table(path)}
    spectra = None
    if chianti:
        try:
            spectra = read_chianti(chianti)
        except (StixError, OSError) as error:
            outcome += [AddedFile(path.name, AddStatus.REFUSED, str(error)) for path in chianti]
    with write_lock:
        outcome += [] if spectra is None else add_chianti(root, spectra)
        outcome += _add_tables(root / FOLDER, tables, unread, calibration_catalog(root))
        outcome += _add_cal_files(root, cal_files)
    return tuple(outcome)


def _files_of(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return [
        file
        for file in path.iterdir()
        if (file.suffix in (".csv", ".fits") or kind_of(file.name)) and not file.name.startswith(".")
    ]


def _is_table(path: Path) -> bool:
    return path.name.startswith("elut_table_") or path.name == INDEX


# Energy tables --------------------------------------------------------------------------------------------------------


def _add_tables(
    folder: Path, texts: Mapping[Path, bytes], unread: Mapping[Path, str], catalog: CalibrationCatalog
) -> list[AddedFile]:
    """Add tables and their list, all or none, because a list is invalid without its tables."""
    try:
        recorded = recorded_sums(folder)
    except CalibrationError:  # a damaged list is written again with the tables
        recorded = {}
    refused = dict(unread)
    tables: dict[str, EnergyLookupTable] = {}
    index: tuple[Validity, ...] | None = None
    contents: dict[str, bytes] = {}
    for path, content in texts.items():
        try:
            if contents.setdefault(path.name, content) != content:
                refused[path] = f"{path.name}: is given twice, with different content"
            elif path.name == INDEX:
                index = parse_validity(decoded(content, INDEX), INDEX)
            else:
                table = parse_energy_table(decoded(content, path.name), path.name, sha256_of_bytes(content))
                _require_same(table, catalog, recorded)
                tables[table.name] = table
        except CalibrationError as error:
            refused[path] = str(error)
    new = {name: table for name, table in tables.items() if name not in catalog.tables}
    objection = "" if refused else _contradiction(index, new, catalog)
    if not (refused or objection):
        damaged = {f"{name}.csv" for name, _ in catalog.faults.tables} | ({INDEX} if catalog.faults.validity else set())
        changed = {f"{name}.csv" for name in new}
        unrecorded = (folder / INDEX).exists() and INDEX not in recorded
        if index is not None and (changed or INDEX in damaged or unrecorded or index != catalog.validity):
            changed.add(INDEX)
        try:
            if changed:
                _write_tables(folder, changed, contents, catalog, recorded)
        except OSError as error:
            objection = f"the folder {FOLDER} of the archive cannot be written: {error.strerror}"
        else:
            status = {name: AddStatus.RESTORED if name in damaged else AddStatus.ADDED for name in changed}
            return [AddedFile(name, status.get(name, AddStatus.KNOWN)) for name in contents]
    others = objection or "not added, because another file was refused"
    return [
        AddedFile(path.name, AddStatus.REFUSED, refused.get(path, f"{path.name}: {others}"))
        for path in (*texts, *unread)
    ]


def _write_tables(
    folder: Path,
    changed: Iterable[str],
    contents: Mapping[str, bytes],
    catalog: CalibrationCatalog,
    recorded: Mapping[str, frozenset[str]],
) -> None:
    """Write tables before their list; a kill in between leaves the old list, which is still recorded."""
    make_folder(folder)
    sums = {f"{table.name}.csv": {table.sha256} for table in catalog.added}
    for name in sorted(set(changed) - {INDEX}):
        write_bytes(folder / name, contents[name])
        sums[name] = {sha256_of_bytes(contents[name])}
    sums[INDEX] = {sha256_of_bytes(contents[INDEX])}
    old = recorded.get(INDEX, frozenset())
    if (folder / INDEX).is_file() and not old:
        old = frozenset({sha256_of_bytes(read_regular(folder / INDEX))})
    record_sums(folder, {**sums, INDEX: sums[INDEX] | old})
    write_bytes(folder / INDEX, contents[INDEX])
    record_sums(folder, sums)


def _require_same(
    table: EnergyLookupTable, catalog: CalibrationCatalog, recorded: Mapping[str, frozenset[str]]
) -> None:
    """Check that a table with a known name has the same numbers."""
    file_name, known = f"{table.name}.csv", catalog.tables.get(table.name)
    if known is None and file_name in recorded and table.sha256 not in recorded[file_name]:
        message = f"{file_name}: was added with SHA-256 {min(recorded[file_name])}, and this one has {table.sha256}"
        raise CalibrationError(message)
    if known is not None and not known.agrees_with(table):
        message = f"{file_name}: other numbers than in the table of that name that is known here"
        raise CalibrationError(message)


def _contradiction(
    index: tuple[Validity, ...] | None, new: Mapping[str, EnergyLookupTable], catalog: CalibrationCatalog
) -> str:
    """Why tables and list contradict each other or known tables; empty when they do not."""
    if index is None:
        return f"{INDEX} must be added together with the table: it contains the period of validity" if new else ""
    shipped = shipped_calibration().validity
    listed = {row.name for row in index}
    missing = sorted(listed - set(catalog.tables) - set(new))
    unlisted = sorted(set(new) - listed)
    if missing:
        return f"{INDEX} lists {missing[0]}, but this table is neither in the archive nor among the files"
    if unlisted:
        return f"{INDEX} has no period of validity for {unlisted[0]}"
    starts = {(row.name, row.start) for row in index}
    for row in catalog.validity:
        if (row.name, row.start) not in starts:
            return f"{INDEX} contradicts the known list: {row.name} is in force from {str(row.start)[:19]}"
    try:
        merged_validity(shipped, [row for row in index if row not in shipped])
    except CalibrationError as error:
        return f"{INDEX} contradicts the known list: {error}"
    return ""


def _compared(path: Path, content: bytes) -> AddedFile:
    """Compare science channels or phase corrections with the shipped ones; others are refused."""
    shipped = shipped_calibration()
    try:
        if path.name.startswith("ScienceEnergyChannels_"):
            channels = parse_science_channels(decoded(content, path.name), path.name)
            known = shipped.channels.get(channels.name) == channels
        elif path.name == "science_echan_index.csv":
            known = parse_validity(decoded(content, path.name), path.name, CHANNELS_NAME) == shipped.channel_validity
        elif path.name in PHASE_FILES:
            both = b"".join(read_regular(path.parent / name) for name in PHASE_FILES)
            known = sha256_of_bytes(both) == shipped.phases.sha256
        else:
            return AddedFile(path.name, AddStatus.REFUSED, f"{path.name}: is not a calibration file")
    except CalibrationError as error:
        return AddedFile(path.name, AddStatus.REFUSED, str(error))
    if known:
        return AddedFile(path.name, AddStatus.KNOWN)
    reason = f"{path.name}: differs from what this software ships; other channels or phases need a new version of it"
    return AddedFile(path.name, AddStatus.REFUSED, reason)


# CAL files ------------------------------------------------------------------------------------------------------------


def _read_cal_file(path: Path) -> tuple[CalFile, str]:
    """Read a CAL file under its name in the archive; returns it with a note, which may be empty."""
    read_regular(path, MAX_CAL_BYTES)  # refuses a pipe, for which FITS readers would wait
    file = replace(CalFile.of(path), name=identify(path).name.name)
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(stream, memmap=False) as hdus:
                check_sums(path, hdus)
    except (OSError, ValueError, KeyError, TypeError, fits.VerifyError) as error:
        raise InvalidProduct(path, "readable headers", f"{type(error).__name__}: {error}") from error
    run = read_cal_energy(path)
    note = "" if run.gain_range_ok else f"{file.name}: note: the ground software marks its gains as out of range"
    return file, note


def _add_cal_files(root: Path, files: Sequence[tuple[CalFile, str]]) -> list[AddedFile]:
    """Add CAL files one by one; the list is written even if one of them fails."""
    if not files:
        return []
    outcome: list[AddedFile] = []
    catalog, present = calibration_catalog(root), listed_cal_files(root)
    try:
        known = {file.name: file for file in (list_of_cal_files(root) if present is None else present)}
    except CalibrationError as error:
        return [AddedFile(file.name, AddStatus.REFUSED, f"{file.name}: not added: {error}") for file, _ in files]
    for file, note in files:
        try:
            require_consistent(file, catalog)
            status = _store_cal_file(root / FOLDER / CAL_FOLDER, file, known.get(file.name))
        except StixError as error:
            outcome.append(AddedFile(file.name, AddStatus.REFUSED, str(error)))
        except OSError as error:
            reason = f"{file.name}: cannot be stored: {error.strerror or error}"
            outcome.append(AddedFile(file.name, AddStatus.REFUSED, reason))
        else:
            known[file.name] = replace(file, path=root / FOLDER / CAL_FOLDER / file.name)
            outcome.append(AddedFile(file.name, status, note))
    if present is None or {file.name for file in present} != set(known):
        write_cal_list(root, known.values())
    return outcome


def _store_cal_file(folder: Path, file: CalFile, other: CalFile | None) -> AddStatus:
    """Copy a CAL file into the archive, unless an intact copy is there.

    Raises
    ------
    CalibrationError
        When the archive has another file of that name.
    """
    if other is not None and other.sha256 != file.sha256:
        message = f"{file.name}: another file of that name is in the archive (SHA-256 {other.sha256})"
        raise CalibrationError(message)
    target = folder / file.name
    if other is not None and _has_sha256(target, file.sha256):
        return AddStatus.KNOWN
    make_folder(folder)
    copy_file(file.path, target, file.sha256)
    return AddStatus.ADDED if other is None else AddStatus.RESTORED


def _has_sha256(path: Path, sha256: str) -> bool:
    try:
        return sha256_of_bytes(read_regular(path, MAX_CAL_BYTES)) == sha256
    except CalibrationError:
        return False
