"""Is the archive sound? Compares files, rows and read model; ``repair`` mends from what is on disk.

Files are looked at while nobody writes, and looked into while everybody may: whatever seems wrong then is looked at
once more under the write lock before it is told or mended. A repair may be killed at any moment and run again.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from archive.atomic import PART
from archive.checks.calibration import check_cal_list, check_energy_tables
from archive.checks.curves import check_light_curves
from archive.checks.files import check_files
from archive.checks.findings import Code, Finding
from archive.checks.images import check_images
from archive.checks.index import check_index
from archive.checks.inspection import AT_WORK_S, Inspection, Remake
from archive.ingest.quarantine import NOTE
from archive.store import Archive

#: Hidden files in incoming belong to downloads, which may be taken up again for this long, s.
_DOWNLOAD_S = 7 * 86_400.0
_WAITING_S = 86_400.0


def check(
    archive: Archive,
    now: np.datetime64,
    *,
    repair: bool = False,
    deep: bool = True,
    remake: Remake | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Finding, ...]:
    """Compare what is on disk with what the index says.

    Parameters
    ----------
    archive : Archive
    now : datetime64
        Present time, UTC: decides what is old enough to be no work in progress.
    repair : bool
        Mend what is found. The files are the evidence: rows follow them, and no file is destroyed that holds data
        (what cannot be kept goes into quarantine).
    deep : bool
        Read every file: SHA-256, FITS check sums, header against row. Otherwise names and sizes have to do.
    remake : function, optional
        Makes the images of a run again (`jobs.cli.repair.Remaker`). Without it incomplete sets are dropped, for the
        next previews to make.
    progress : function, optional
        Called with what is looked at, how many of it were done, and how many there are.

    Returns
    -------
    tuple of Finding
        As they were found; those that were mended say so. An archive that was repaired shows nothing but information
        the next time.

    Raises
    ------
    ArchiveBusy
        When another process keeps the write lock for too long.
    OSError
        When a repair cannot write (disk full, no permission). What was mended before stays.
    """
    inspection = Inspection(archive, now, repair, deep, remake, progress)
    check_index(inspection)
    check_files(inspection)
    check_energy_tables(inspection)
    check_cal_list(inspection)
    check_light_curves(inspection)
    check_images(inspection)
    _check_leftovers(inspection)
    _count_waiting(inspection)
    if repair:
        archive.build_read_model()
    return tuple(inspection.findings)


def _check_leftovers(inspection: Inspection) -> None:
    """Hidden files that nobody works on any more."""
    incoming = str(inspection.root / "incoming")
    for place, folders, names in os.walk(inspection.root):
        in_incoming = place == incoming or place.startswith(incoming + os.sep)
        of_ingest = place == str(inspection.root / "fits")
        hidden = [name for name in folders if of_ingest and name.startswith(PART)]
        folders[:] = [name for name in folders if name not in hidden]
        for name in sorted([*names, *hidden]):
            if not (name.startswith(PART) or (in_incoming and name.startswith("."))):
                continue
            path = Path(place, name)
            try:
                modified = path.lstat().st_mtime
            except FileNotFoundError:
                continue
            if not inspection.older_than(modified, _DOWNLOAD_S if in_incoming else AT_WORK_S):
                continue
            relative = str(path.relative_to(inspection.root))
            text = f"{relative} was left behind by a writer or a download that was killed"
            inspection.found(Code.LEFTOVER, "", relative, text, repaired=inspection.repair)
            if inspection.repair and name in hidden:
                shutil.rmtree(path, ignore_errors=True)
            elif inspection.repair:
                path.unlink(missing_ok=True)


def _count_waiting(inspection: Inspection) -> None:
    """What a person should look at some time: refused files, and files nobody takes in."""
    per_day = Counter(note.parent.name for note in (inspection.root / "quarantine").glob(f"*/*{NOTE}"))
    if per_day:
        days = f"from {min(per_day)} to {max(per_day)}" if len(per_day) > 1 else f"of {min(per_day)}"
        text = f"{per_day.total()} refused files in quarantine, {days}"
        inspection.found(Code.QUARANTINE, "", "quarantine", text)
    waiting = [
        path
        for path in (inspection.root / "incoming").rglob("*")
        if not path.name.startswith(".") and path.is_file() and inspection.older_than(path.stat().st_mtime, _WAITING_S)
    ]
    if waiting:
        text = f"{len(waiting)} files wait in incoming for more than a day"
        inspection.found(Code.INCOMING, "", "incoming", text)
