"""Taking files in: check, copy into place, index; refused ones go into quarantine with the reason.

Repeating it changes nothing, and so does repeating it after a crash: a file is copied before its row is written, and a
file in ``incoming`` is removed after that, so at every moment the work left to do can be seen from what is there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np

from archive.atomic import copy_file
from archive.columns import Table
from archive.describe import MAX_BYTES, describe
from archive.errors import ArchiveError, InvalidName, NotInArchive
from archive.layout import parse_file_name
from archive.lightcurves.write import update_light_curves
from archive.quarantine import Refusal, put_aside
from archive.schema import AUX_FILES, QUICKLOOK_FILES, SCIENCE_FILES, ProductFile, QuicklookFile
from archive.sql import Conditions, select
from archive.store import Archive
from archive.versions import with_successors
from stixcore.errors import InvalidProduct
from stixcore.recipe import sha256_of

#: Files per step. Their rows are written together, once; a step that is killed is done again.
BATCH = 100
#: A broken file in ``incoming`` that was written to within this time may still be on its way, s.
ARRIVING_S = 60.0

_FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz")
_FILE_TABLES: tuple[Table[Any], ...] = (SCIENCE_FILES, QUICKLOOK_FILES, AUX_FILES)


class OutcomeStatus(StrEnum):
    """What became of a file."""

    INGESTED = "ingested"
    KNOWN = "known"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    path : Path
        The file, as it was found.
    status : OutcomeStatus
    reason : str
        Why it was refused or left alone; a remark on one that was taken.
    name : str
        File name in the archive, of a file that is in it now.
    """

    path: Path
    status: OutcomeStatus
    reason: str = ""
    name: str = ""


@dataclass(frozen=True)
class _Candidate:
    path: Path
    arrived: bool  # lies in incoming, and leaves it when it is dealt with
    sha256: str = ""
    refusal: Refusal | None = None
    row: ProductFile | None = None


def ingest(
    archive: Archive,
    paths: Iterable[Path],
    now: np.datetime64,
    *,
    incoming: Path | None = None,
    report: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Take STIX files into the archive.

    Parameters
    ----------
    archive : Archive
    paths : iterable of Path
        Files and folders. They stay as they are: files are copied, folders searched to any depth.
    now : datetime64
        Present time, UTC.
    incoming : Path, optional
        A folder whose files are moved: whatever was dealt with is removed from it.
    report : function, optional
        Called with every outcome as soon as it is certain.

    Returns
    -------
    list of Outcome
        One per file. Symbolic links are not followed and special files not opened: those with the name of a FITS file
        are refused, others ignored like everything that is no FITS file.

    Raises
    ------
    NotInArchive
        When one of the paths does not exist, or ``incoming`` holds files of the archive. Nothing is done.
    OSError
        When the archive cannot be written (disk full, no permission). What was reported before stays.
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
    candidates = []
    for entry in batch:
        if isinstance(entry, Outcome):
            tell(entry)
        else:
            candidates.append(_hashed(entry))
    known = _known(archive, [one.sha256 for one in candidates if one.sha256])
    unknown = [_examined(one, now) for one in candidates if one.sha256 not in known]
    done = _take(archive, unknown, now) if any(one.row for one in unknown) else []
    done += [(one, _refuse(archive, one, one.refusal, now)) for one in unknown if one.refusal is not None]
    done += [(one, _as_known(one, known[one.sha256])) for one in candidates if one.sha256 in known]
    for one, outcome in done:
        if one.arrived and outcome.status is not OutcomeStatus.IGNORED:
            one.path.unlink(missing_ok=True)
        tell(outcome)


def _take(archive: Archive, checked: list[_Candidate], now: np.datetime64) -> list[tuple[_Candidate, Outcome]]:
    """Copy files to their places and write their rows."""
    done: list[tuple[_Candidate, Outcome]] = []
    rows: dict[str, ProductFile] = {}
    with archive.write_lock():
        for one in checked:
            if one.row is None:
                continue
            twin = rows.get(one.sha256)
            outcome = _as_known(one, twin.name) if twin else _place(archive, one, one.row, now)
            done.append((one, outcome))
            if outcome.status is OutcomeStatus.INGESTED:
                rows[one.sha256] = one.row
        # before the rows: a process killed in between finds the files unknown, and does it all again
        update_light_curves(archive, [row for row in rows.values() if isinstance(row, QuicklookFile)])
        _index(archive, list(rows.values()))
    return done


def _as_known(one: _Candidate, name: str) -> Outcome:
    remark = "" if one.path.name == name else f"the archive has it as {name}"
    return Outcome(one.path, OutcomeStatus.KNOWN, remark, name)


# Finding files -------------------------------------------------------------------------------------------------------


def _search(root: Path, paths: list[Path], incoming: Path | None) -> Iterator[_Candidate | Outcome]:
    """Everything that may be a file of ours, in a stable order; what is left alone comes as an outcome."""
    for path in paths:
        if path.is_dir():
            yield from _below(path, root, arrived=False)
        else:
            # the name of a file that was named by hand does not matter, unless it says that we do not keep it
            why = "" if _begins_as_fits(path) else _not_fits(path.name)
            why = why or _not_kept(path.name)
            yield Outcome(path, OutcomeStatus.IGNORED, why) if why else _Candidate(path, arrived=False)
    if incoming:
        yield from _below(incoming, root, arrived=True)


def _below(folder: Path, root: Path, *, arrived: bool) -> Iterator[_Candidate | Outcome]:
    errors: list[OSError] = []
    for place, folders, files in folder.walk(on_error=errors.append):
        # an archive that lies inside a folder of data is no data; hidden names are files on their way (rsync, our own)
        folders[:] = sorted(n for n in folders if not n.startswith(".") and (place / n).resolve() != root)
        for name in sorted(files):
            path = place / name
            if name.startswith("."):
                continue
            why = _not_fits(name) or _not_kept(name)
            yield Outcome(path, OutcomeStatus.IGNORED, why) if why else _Candidate(path, arrived)
    for error in errors:
        yield Outcome(Path(error.filename), OutcomeStatus.IGNORED, f"the folder cannot be read: {error.strerror}")


def _not_fits(name: str) -> str:
    """Why a file is left alone, by the ending of its name; empty when it is not."""
    return "" if name.lower().endswith(_FITS) else "no FITS file"


def _not_kept(name: str) -> str:
    """Why a STIX product is left alone, by its name; empty when it is not.

    Looks alone would deceive: the background monitor has the columns of a light curve.
    """
    try:
        product = parse_file_name(name)
    except InvalidName:
        return ""
    return "" if product.kind else f"product {product.product} is not kept here"


def _begins_as_fits(path: Path) -> bool:
    if not path.is_file():  # to open a pipe would be to wait
        return False
    try:
        with path.open("rb") as reader:
            return reader.read(9) == b"SIMPLE  ="
    except OSError:  # what becomes of a file that cannot be read is decided where it is hashed
        return False


def _check_incoming(root: Path, incoming: Path) -> None:
    """Files in ``incoming`` are removed once the archive has them: it must not be the archive."""
    place, own = incoming.resolve(), root / "incoming"
    if (place.is_relative_to(root) and not place.is_relative_to(own)) or root.is_relative_to(place):
        message = f"{incoming} holds files of the archive itself and cannot be emptied into it"
        raise NotInArchive(message)


# Looking at files ----------------------------------------------------------------------------------------------------


def _hashed(one: _Candidate) -> _Candidate:
    try:
        entry = one.path.lstat()
        if not stat.S_ISREG(entry.st_mode):
            return replace(one, refusal=_mismatch(one.path, "a regular file", _kind_of_entry(entry.st_mode)))
        if entry.st_size > MAX_BYTES:
            return replace(one, refusal=_mismatch(one.path, f"at most {MAX_BYTES} bytes", f"{entry.st_size} bytes"))
        return replace(one, sha256=sha256_of(one.path))
    except OSError as error:
        return replace(one, refusal=_mismatch(one.path, "a file that can be read", error.strerror or str(error)))


def _examined(one: _Candidate, now: np.datetime64) -> _Candidate:
    if one.refusal:
        return one
    try:
        return replace(one, row=describe(one.path, one.sha256, now).row)
    except InvalidProduct as error:
        return replace(one, refusal=Refusal(str(error), error.expected, error.found))
    except (ArithmeticError, LookupError, MemoryError, OSError, TypeError, ValueError) as error:
        # a reader that stumbles over a file it should have refused must not stop the others
        return replace(one, refusal=_mismatch(one.path, "a readable STIX product", f"{type(error).__name__}: {error}"))


def _mismatch(path: Path, expected: str, found: str) -> Refusal:
    return Refusal(str(InvalidProduct(path, expected, found)), expected, found)


def _kind_of_entry(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link, which is not followed"
    return "a pipe" if stat.S_ISFIFO(mode) else "a folder or special file"


# Taking them ---------------------------------------------------------------------------------------------------------


def _known(archive: Archive, hashes: list[str]) -> dict[str, str]:
    """Names, by hash, of the files that are in the archive with their row."""
    if not hashes:
        return {}
    per_table = (
        select("sha256, name, path, size", table.name, " WHERE sha256 IN (SELECT unnest($1))") for table in _FILE_TABLES
    )
    found = archive.rows(" UNION ALL ".join(per_table), [hashes])
    return {row["sha256"]: row["name"] for row in found if _has_size(archive.path_of(row["path"]), row["size"])}


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _place(archive: Archive, one: _Candidate, row: ProductFile, now: np.datetime64) -> Outcome:
    """Copy a checked file to its place, under the write lock.

    Where a file of that name and other content stands already, the one that was written later (DATE in its header)
    stays or comes in its place; the other goes into quarantine. Which of two came first never matters.
    """
    place = archive.path_of(row.path)
    present = sha256_of(place) if place.is_file() else ""
    remark = ""
    if present not in ("", row.sha256):
        refusal = _older(place, present, row, now)
        if refusal is not None:
            return _refuse(archive, one, refusal, now)
        reason = f"{row.name}: a file of this name that was written later took its place."
        put_aside(archive.root / "quarantine", place, Refusal(reason), now, present)
        remark = "took the place of a file of this name that was written earlier and is in quarantine now"
    if present != row.sha256:
        try:
            copy_file(one.path, place, row.sha256)
        except ArchiveError as error:
            return Outcome(one.path, OutcomeStatus.IGNORED, f"left for the next run: {error}")
    return Outcome(one.path, OutcomeStatus.INGESTED, remark, row.name)


def _older(place: Path, present: str, row: ProductFile, now: np.datetime64) -> Refusal | None:
    """Why the file in the archive stays, or None when the new one is newer."""
    try:
        created = describe(place, present, now).row.created
    except InvalidProduct:
        return None  # what stands there is broken: anything that was checked is better
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
        return Outcome(one.path, OutcomeStatus.IGNORED, "it is gone: another run has taken it")
    if one.arrived and _still_arriving(one.path, now):
        reason = f"left for the next run, it may still be arriving: {refusal.reason}"
        return Outcome(one.path, OutcomeStatus.IGNORED, reason)
    try:
        put_aside(archive.root / "quarantine", one.path, refusal, now, one.sha256 or None)
    except (ArchiveError, FileNotFoundError) as error:
        return Outcome(one.path, OutcomeStatus.IGNORED, f"left for the next run: {error}")
    return Outcome(one.path, OutcomeStatus.QUARANTINED, refusal.reason)


def _still_arriving(path: Path, now: np.datetime64) -> bool:
    try:
        modified = np.datetime64(path.lstat().st_mtime_ns // 1000, "us")
    except FileNotFoundError:
        return False
    age = float((now - modified) / np.timedelta64(1, "s"))
    return 0 <= age < ARRIVING_S


def _index(archive: Archive, rows: list[ProductFile]) -> None:
    """Write the rows, and whatever they change in the rows of other versions, under the write lock."""
    for table in _FILE_TABLES:
        new = {row.name: row for row in rows if isinstance(row, table.row)}
        if new:
            before = {row.name: row for row in _relatives(archive, table, list(new.values()))}
            after = with_successors((before | new).values())
            archive.upsert(table.name, [row for row in after if before.get(row.name) != row])


def _relatives(archive: Archive, table: Table[Any], rows: list[ProductFile]) -> list[ProductFile]:
    """Rows that could be versions of these: of the same requests, or where there are none of the same time."""
    if "uid" in table.names:
        uids = sorted({getattr(row, "uid", "") for row in rows})
        conditions = Conditions.of(("uid IN (SELECT unnest(?))", ([*uids],)))
    else:
        conditions = Conditions.of(
            ("t_start < ?", max(row.t_end for row in rows)), ("t_end > ?", min(row.t_start for row in rows))
        )
    found = archive.query(select("*", table.name, conditions.where), conditions.values)
    relatives: list[ProductFile] = table.to_rows(found)
    return relatives
