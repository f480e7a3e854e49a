"""Ingest: check files, copy them into the archive, write their rows. Rejected files go into quarantine.

Ingest can be repeated at any time, also after a crash: a file is copied before its row is written, and removed from
``incoming`` after that.

Other users may write to ``incoming`` meanwhile. A file is opened once, and its hash and its copy come from that
descriptor. The copy, in a private folder, is what is described and then moved to its path or into quarantine.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from io import BufferedReader
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np

from archive.atomic import PART, copy_stream, move_file
from archive.calibration import UnknownEnergyTable, register_cal_files, require_usable_cal_file
from archive.errors import ArchiveError, NotInArchive
from archive.index.columns import Table
from archive.index.schema import FILE_TABLES, ProductFile, QuicklookFile, select_files
from archive.index.sql import Conditions, select
from archive.ingest.describe import MAX_BYTES, describe, reason_against
from archive.ingest.quarantine import Refusal, put_aside
from archive.ingest.refile import content_in_place, describe_filed, refile
from archive.ingest.versions import with_successors
from archive.lightcurves.write import update_light_curves
from archive.regular_files import Identity, NotRegularFile, open_folder, open_regular, remove_same
from archive.store import Archive
from stixcore.errors import CalibrationError, InvalidProduct
from stixcore.fits.spec import ProductKind
from stixcore.printable import printable
from stixcore.recipe import sha256_of

#: Files per step. The rows of a step are written together; a killed step is repeated.
BATCH = 100
#: A damaged file in ``incoming`` that was modified within this time may still be arriving, s.
ARRIVING_S = 60.0
#: Longest path that is searched, byte; file systems allow 4096.
PATH_BYTES = 4000

_FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz")
#: Errors that are caused by the machine and not by the file.
_MACHINE_ERRORS = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})


class OutcomeStatus(StrEnum):
    """Outcome of ingest for one file."""

    INGESTED = "ingested"
    KNOWN = "known"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """Outcome of ingest for one file.

    Attributes
    ----------
    path : Path
        Path of the file that was given or found.
    status : OutcomeStatus
    reason : str
        Why the file was rejected or ignored; a remark on an ingested file.
    name : str
        Name of the file in the archive; empty when it is not in the archive.
    """

    path: Path
    status: OutcomeStatus
    reason: str = ""
    name: str = ""

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.reason.removeprefix(f'{self.path.name}: ') or self.status}")


@dataclass(frozen=True)
class _Candidate:
    """A file that may be ingested, and what is known about it so far.

    Attributes
    ----------
    path : Path
    below : Path or None
        Folder that was searched; no path below it may be a link.
    arrived : bool
        The file is in incoming, and is removed from there when it is done.
    identity : Identity or None
        Identity of the opened file; None when there was none.
    stream : file or None
        The open file.
    sha256 : str
    copy : Path or None
        Private copy of ``stream``.
    refusal : Refusal or None
    waits : str
        Why the file is left for the next run.
    row : ProductFile or None
    """

    path: Path
    below: Path | None
    arrived: bool
    identity: Identity | None = None
    stream: BufferedReader | None = None
    sha256: str = ""
    copy: Path | None = None
    refusal: Refusal | None = None
    waits: str = ""
    row: ProductFile | None = None


def ingest(
    archive: Archive,
    paths: Iterable[Path],
    now: np.datetime64,
    *,
    incoming: Path | None = None,
    report: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Ingest STIX files into the archive.

    Parameters
    ----------
    archive : Archive
    paths : iterable of Path
        Files and folders. Files are copied; folders are searched to any depth.
    now : datetime64
        Present time, UTC.
    incoming : Path, optional
        A folder whose files are moved: ingested and rejected files are removed from it.
    report : function, optional
        Called with each outcome as soon as it is final.

    Returns
    -------
    list of Outcome
        One per file. Symbolic links are not followed and special files are not opened: with the name of a FITS file
        they are rejected, otherwise ignored like all files that are not FITS.

    Raises
    ------
    NotInArchive
        When a path does not exist, or ``incoming`` contains files of the archive. Nothing is done.
    OSError
        When the archive cannot be written (disk full, no permission). Outcomes reported before are valid.
    """
    paths = [Path(path) for path in paths]
    for path in (*paths, *([incoming] if incoming else [])):
        if not os.path.lexists(path):
            message = f"no such file or folder: {path}"
            raise NotInArchive(message)
    if incoming:
        _check_incoming(archive.root, incoming)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if report:
            report(outcome)

    for batch in batched(_search(archive.root, paths, incoming), BATCH):
        _ingest_batch(archive, batch, now, tell)
    return outcomes


def _ingest_batch(
    archive: Archive,
    batch: tuple[_Candidate | Outcome, ...],
    now: np.datetime64,
    tell: Callable[[Outcome], None],
) -> None:
    with ExitStack() as stack:
        candidates = []
        for entry in batch:
            if isinstance(entry, Outcome):
                tell(entry)
            else:
                candidates.append(_hashed(entry, stack))
        known = _known(archive, [one.sha256 for one in candidates if one.sha256])
        unknown = [one for one in candidates if one.sha256 not in known]
        if unknown:
            folder = stack.enter_context(_private_folder(archive.root))
            unknown = [_examined(one, archive.root, folder, now) for one in unknown]
        done = _take(archive, unknown, now) if any(one.row for one in unknown) else []
        done += [(one, _refuse(archive, one, one.refusal, now)) for one in unknown if one.refusal is not None]
        done += [(one, _left(one, one.waits)) for one in unknown if one.waits]
        done += [(one, _as_known(one, known[one.sha256])) for one in candidates if one.sha256 in known]
        for one, outcome in done:
            if outcome.status is not OutcomeStatus.IGNORED:
                _remove_arrived(one)
            tell(outcome)


def _remove_arrived(one: _Candidate) -> None:
    """Remove a file from incoming, now that its content is in the archive or in quarantine."""
    if one.arrived and one.identity is not None and (one.sha256 or not one.identity.is_regular):
        remove_same(one.path, one.identity, below=one.below)


@contextmanager
def _private_folder(root: Path) -> Iterator[Path]:
    """A hidden folder for copies, which other users can neither read nor change."""
    folder = root / "fits" / f"{PART}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take(archive: Archive, checked: list[_Candidate], now: np.datetime64) -> list[tuple[_Candidate, Outcome]]:
    """Move copies to their paths and write the rows."""
    done: list[tuple[_Candidate, Outcome]] = []
    rows: dict[str, ProductFile] = {}
    with archive.write_lock():
        for one in checked:
            if one.row is None:
                continue
            twin = rows.get(one.sha256)
            if twin is None:
                rows |= _refiled(archive, one.row)
            outcome = _as_known(one, twin.name) if twin else _place(archive, one, one.row, now)
            done.append((one, outcome))
            if outcome.status is OutcomeStatus.INGESTED:
                rows[one.sha256] = one.row
        # before the rows: after a crash in between the files are unknown, and all steps are repeated
        calibration = [row.name for row in rows.values() if row.product == ProductKind.ENERGY_CALIBRATION]
        if calibration:
            register_cal_files(archive.root, calibration)
        update_light_curves(archive, [row for row in rows.values() if isinstance(row, QuicklookFile)])
        _index(archive, list(rows.values()))
    return done


def _left(one: _Candidate, why: str) -> Outcome:
    return Outcome(one.path, OutcomeStatus.IGNORED, f"left for the next run: {why}")


def _as_known(one: _Candidate, name: str) -> Outcome:
    remark = "" if one.path.name == name else f"the archive has it as {name}"
    return Outcome(one.path, OutcomeStatus.KNOWN, remark, name)


# Finding files -------------------------------------------------------------------------------------------------------


def _search(root: Path, paths: list[Path], incoming: Path | None) -> Iterator[_Candidate | Outcome]:
    """Candidates in a stable order; ignored files come as outcomes."""
    for path in paths:
        if path.is_dir():
            yield from _below(path, root, arrived=False)
        else:
            # a file given by name may have any name: its header decides
            why = "" if path.is_symlink() or _begins_as_fits(path) else _not_fits(path.name)
            yield Outcome(path, OutcomeStatus.IGNORED, why) if why else _Candidate(path, None, arrived=False)
    if incoming:
        yield from _below(incoming, root, arrived=True)


def _below(folder: Path, root: Path, *, arrived: bool) -> Iterator[_Candidate | Outcome]:
    """Files below a folder. Folders are opened without following links."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            folders, files = _listing(place, folder)
        except OSError as error:
            yield Outcome(place, OutcomeStatus.IGNORED, f"the folder cannot be read: {error.strerror or error}")
            continue
        # skip an archive inside a folder of data, and hidden names, which are files in transfer (rsync, ours)
        inner = [place / name for name in folders if not name.startswith(".")]
        waiting += reversed([path for path in inner if path.resolve() != root])
        for path in (place / name for name in files if not name.startswith(".")):
            why = _not_fits(path.name) or reason_against(path.name)
            yield Outcome(path, OutcomeStatus.IGNORED, why) if why else _Candidate(path, folder, arrived)


def _listing(place: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders in a folder, and of everything else, sorted."""
    if len(os.fsencode(place)) > PATH_BYTES:
        message = f"its path is longer than {PATH_BYTES} bytes"
        raise OSError(message)
    with open_folder(place, below=folder) as descriptor, os.scandir(descriptor) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    return [name for name, is_folder in found if is_folder], [name for name, is_folder in found if not is_folder]


def _not_fits(name: str) -> str:
    """Why a file is ignored because of its suffix; empty when it is not."""
    return "" if name.lower().endswith(_FITS) else "not a FITS file"


def _begins_as_fits(path: Path) -> bool:
    try:
        with open_regular(path) as reader:
            return reader.read(9) == b"SIMPLE  ="
    except OSError:  # unreadable files are handled where they are hashed
        return False


def _check_incoming(root: Path, incoming: Path) -> None:
    """Refuse an ``incoming`` that contains the archive, because its files are removed after ingest."""
    place, own = incoming.resolve(), root / "incoming"
    if (place.is_relative_to(root) and not place.is_relative_to(own)) or root.is_relative_to(place):
        message = f"{incoming} contains files of the archive and cannot be used as incoming folder"
        raise NotInArchive(message)


# Reading files -------------------------------------------------------------------------------------------------------


def _hashed(one: _Candidate, stack: ExitStack) -> _Candidate:
    """Open and hash a file; it stays open until the end of the batch."""
    try:
        with open_folder(one.path.parent, below=one.below) as folder:
            status = os.stat(one.path.name, dir_fd=folder, follow_symlinks=False)
        one = replace(one, identity=Identity.of(status))
        stream = stack.enter_context(open_regular(one.path, below=one.below))
        status = os.fstat(stream.fileno())
        one = replace(one, identity=Identity.of(status), stream=stream)
        if status.st_size > MAX_BYTES:
            return replace(one, refusal=_mismatch(one.path, f"at most {MAX_BYTES} bytes", f"{status.st_size} bytes"))
        return replace(one, sha256=hashlib.file_digest(stream, "sha256").hexdigest())
    except NotRegularFile as error:
        if one.identity is None:
            return replace(one, waits=str(error))
        return replace(one, refusal=_mismatch(one.path, "a regular file", error.found))
    except OSError as error:
        if error.errno in _MACHINE_ERRORS:
            raise
        return replace(one, refusal=_mismatch(one.path, "a file that can be read", error.strerror or str(error)))


def _examined(one: _Candidate, root: Path, folder: Path, now: np.datetime64) -> _Candidate:
    """Copy a file into the private folder and describe the copy."""
    if one.refusal or one.waits:
        return one
    try:
        one = replace(one, copy=_copied(one, folder))
    except ArchiveError as error:
        return replace(one, waits=str(error))
    try:
        return replace(one, row=_row_of(root, _copy_of(one), one.sha256, now))
    except InvalidProduct as error:
        return replace(one, refusal=Refusal(str(error), error.expected, error.found))
    except UnknownEnergyTable as error:
        return replace(one, waits=str(error))
    except (ArithmeticError, LookupError, MemoryError, OSError, TypeError, ValueError) as error:
        # an unexpected error in one file must not stop the others
        return replace(one, refusal=_mismatch(one.path, "a readable STIX product", f"{type(error).__name__}: {error}"))


def _row_of(root: Path, copy: Path, sha256: str, now: np.datetime64) -> ProductFile:
    """Row of a file; a CAL file must fit the energy tables of the archive.

    Raises
    ------
    InvalidProduct
        When the file is not a STIX product, or contradicts the tables.
    UnknownEnergyTable
        When the archive does not have its table yet.
    """
    row = describe(copy, sha256, now).row
    if row.product == ProductKind.ENERGY_CALIBRATION:
        try:
            require_usable_cal_file(root, copy)
        except UnknownEnergyTable:
            raise
        except CalibrationError as error:
            raise InvalidProduct(copy, "a calibration that fits the energy tables", str(error)) from error
    return row


def _copied(one: _Candidate, folder: Path) -> Path:
    """Copy of the hashed content, with the original name, which messages quote and which may identify the file.

    Raises
    ------
    ArchiveError
        When the file changed meanwhile, or is no longer readable.
    """
    if one.stream is None:  # only open files come here
        message = f"{one.path.name} is not open"
        raise ArchiveError(message)
    place = folder / secrets.token_hex(8) / one.path.name
    place.parent.mkdir()
    one.stream.seek(0)
    with place.open("xb") as writer:
        copy_stream(one.stream, writer, one.path.name, one.sha256)
    return place


def _copy_of(one: _Candidate) -> Path:
    if one.copy is None:
        message = f"{one.path.name} was not copied"
        raise ArchiveError(message)
    return one.copy


def _mismatch(path: Path, expected: str, found: str) -> Refusal:
    return Refusal(str(InvalidProduct(path, expected, found)), expected, found)


# Taking them ---------------------------------------------------------------------------------------------------------


def _known(archive: Archive, hashes: list[str]) -> dict[str, str]:
    """Names, by hash, of files in the archive that have a row."""
    if not hashes:
        return {}
    found = archive.rows(select_files("sha256, name, path, size", " WHERE sha256 IN (SELECT unnest($1))"), [hashes])
    return {row["sha256"]: row["name"] for row in found if _has_size(archive.path_of(row["path"]), row["size"])}


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _place(archive: Archive, one: _Candidate, row: ProductFile, now: np.datetime64) -> Outcome:
    """Move a checked file to its path, under the write lock.

    If a file of the same name and different content is there, the one with the later DATE in its header is kept and the
    other goes into quarantine, whichever was ingested first.
    """
    place = archive.path_of(row.path)
    present = sha256_of(place) if place.is_file() else ""
    remark = ""
    if present not in ("", row.sha256):
        refusal = _older(place, present, row, now)
        if refusal is not None:
            return _refuse(archive, one, refusal, now)
        reason = f"{row.name}: replaced by a later file of the same name."
        put_aside(archive.root / "quarantine", place, Refusal(reason), now, present)
        remark = "replaced an earlier file of the same name, which is now in quarantine"
    if present != row.sha256:
        move_file(_copy_of(one), place)
    return Outcome(one.path, OutcomeStatus.INGESTED, remark, row.name)


def _refiled(archive: Archive, row: ProductFile) -> dict[str, ProductFile]:
    """Move a file that older software put at the path of this row to its own path, and any file there likewise.

    Returns the new rows of moved files by hash. The caller writes the row that replaces the old name.
    """
    moves: list[tuple[Path, ProductFile]] = []
    wanted = row
    while (present := content_in_place(archive, wanted)) not in ("", wanted.sha256):
        place = archive.path_of(wanted.path)
        try:
            came = np.datetime64(place.stat().st_mtime_ns // 1000, "us")
            own = describe_filed(place, present, came).row
        except InvalidProduct:
            break
        if own.path == wanted.path or place in [earlier for earlier, _ in moves]:
            break
        moves.append((place, own))
        wanted = own
    moved = {}
    for place, own in reversed(moves):
        if content_in_place(archive, own):  # this path is correctly taken by another file, or by a duplicate
            continue
        refile(archive, place, own)
        moved[own.sha256] = own
    return moved


def _older(place: Path, present: str, row: ProductFile, now: np.datetime64) -> Refusal | None:
    """Why the file in the archive is kept; None when the new one is newer."""
    try:
        created = describe(place, present, now).row.created
    except InvalidProduct:
        return None  # the file in the archive is damaged: any checked file is better
    if row.created is not None and (created is None or row.created > created):
        return None
    return Refusal(
        f"{row.name}: expected a newer DATE than {created} of the file with this name in the archive, "
        f"which has other content, found {row.created}.",
        f"DATE after {created}",
        f"DATE {row.created}",
    )


def _refuse(archive: Archive, one: _Candidate, refusal: Refusal, now: np.datetime64) -> Outcome:
    if one.arrived and not os.path.lexists(one.path):
        return Outcome(one.path, OutcomeStatus.IGNORED, "no longer there: another run has ingested it")
    if one.arrived and _still_arriving(one, now):
        reason = f"left for the next run, it may still be arriving: {refusal.reason}"
        return Outcome(one.path, OutcomeStatus.IGNORED, reason)
    put_aside(archive.root / "quarantine", one.path, refusal, now, one.sha256 or None, copy=one.copy)
    return Outcome(one.path, OutcomeStatus.QUARANTINED, refusal.reason)


def _still_arriving(one: _Candidate, now: np.datetime64) -> bool:
    if one.identity is None:
        return False
    age = float((now - np.datetime64(one.identity.modified_ns // 1000, "us")) / np.timedelta64(1, "s"))
    return 0 <= age < ARRIVING_S


def index_placed(archive: Archive, paths: Iterable[Path], now: np.datetime64) -> None:
    """Write the rows of files that are in their places already and have none.

    Raises
    ------
    InvalidProduct
        When one of them is no product.
    """
    rows = [describe(path, sha256_of(path), now).row for path in paths]
    with archive.write_lock():
        _index(archive, rows)


def _index(archive: Archive, rows: list[ProductFile]) -> None:
    """Write the rows, and whatever they change in the rows of other versions, under the write lock."""
    for table in FILE_TABLES:
        new = {row.name: row for row in rows if isinstance(row, table.row)}
        if new:
            before = {row.name: row for row in _relatives(archive, table, list(new.values()))}
            after = with_successors((before | new).values())
            archive.upsert(table.name, [row for row in after if before.get(row.name) != row])


def _relatives(archive: Archive, table: Table[Any], rows: list[ProductFile]) -> list[ProductFile]:
    """Rows that could be versions of these: of the same requests, or where there are none of the same time."""
    uids = sorted({getattr(row, "uid", "") for row in rows})
    if "" not in uids:
        conditions = Conditions.of(("uid IN (SELECT unnest(?))", (uids,)))
    else:
        near = "t_start <= ? AND t_end >= ?"
        times = max(row.t_end for row in rows), min(row.t_start for row in rows)
        if "uid" in table.names:
            conditions = Conditions.of((f"uid IN (SELECT unnest(?)) AND (uid != '' OR ({near}))", (uids, *times)))
        else:
            conditions = Conditions.of((near, times))
    found = archive.query(select("*", table.name, conditions.where), conditions.values)
    relatives: list[ProductFile] = table.to_rows(found)
    return relatives
