"""``stix-jobs check``: compares files, rows and read model, and repairs them from the files on disk.

Names and sizes are compared under the write lock. Contents are read without it, so that others can write meanwhile; a
problem found that way is confirmed under the lock before it is reported or repaired. A repair can be killed at any
moment and run again.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from archive.atomic import PART
from archive.checks.calibration import check_cal_list, check_chianti, check_energy_tables
from archive.checks.curves import check_light_curves
from archive.checks.files import check_files
from archive.checks.findings import Code, Finding
from archive.checks.images import check_images
from archive.checks.index import check_index
from archive.checks.inspection import IN_PROGRESS_S, Inspection, Remake, Remeasure
from archive.checks.products import check_products
from archive.checks.spectra import check_spectra
from archive.ingest.quarantine import NOTE
from archive.store import Archive

#: Hidden files in incoming belong to downloads, which can be resumed for this long, s.
_DOWNLOAD_S = 7 * 86_400.0
_WAITING_S = 86_400.0


def check(
    archive: Archive,
    now: np.datetime64,
    *,
    repair: bool = False,
    deep: bool = True,
    remake: Remake | None = None,
    remeasure: Remeasure | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Finding, ...]:
    """Compare the files on disk with the index.

    Parameters
    ----------
    archive : Archive
    now : datetime64
        Present time, UTC. Recent files may still be in use by a writer.
    repair : bool
        Repair what is found. Rows are corrected to match the files. No file with data is deleted; files that cannot
        be kept go into quarantine.
    deep : bool
        Read every file and compare SHA-256, FITS checksums and header. Otherwise compare names and sizes only.
    remake : function, optional
        Remakes the images of a run (`jobs.cli.repair.Remaker`). Without it, incomplete sets are removed, and the next
        run of the previews makes them.
    remeasure : function, optional
        Makes a spectrum, or region spectra, again from its recipe (`jobs.cli.repair.SpectrumRemaker`). Without it,
        damaged spectra are removed, and the next run of the previews makes those of flares.
    progress : function, optional
        Called with the kind of item ("files", "images", "spectra", "regions"), the number done and the total.

    Returns
    -------
    tuple of Finding
        In the order of the checks; ``repaired`` marks those that were repaired. A check after a repair finds only
        information.

    Raises
    ------
    ArchiveBusy
        When another process holds the write lock for too long.
    OSError
        When a repair cannot write (disk full, no permission). Earlier repairs stay.
    """
    inspection = Inspection(archive, now, repair, deep, remake, remeasure, progress)
    check_index(inspection)
    check_files(inspection)
    check_energy_tables(inspection)
    check_chianti(inspection)
    check_cal_list(inspection)
    check_light_curves(inspection)
    check_images(inspection)
    check_spectra(inspection)
    check_products(inspection)
    _check_leftovers(inspection)
    _count_waiting(inspection)
    if repair:
        archive.build_read_model()
    return tuple(inspection.findings)


def _check_leftovers(inspection: Inspection) -> None:
    """Hidden files that are no longer in use."""
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
            if not inspection.older_than(modified, _DOWNLOAD_S if in_incoming else IN_PROGRESS_S):
                continue
            relative = str(path.relative_to(inspection.root))
            text = f"{relative} was left by a writer or a download that was killed"
            inspection.found(Code.LEFTOVER, "", relative, text, repaired=inspection.repair)
            if inspection.repair and name in hidden:
                shutil.rmtree(path, ignore_errors=True)
            elif inspection.repair:
                path.unlink(missing_ok=True)


def _count_waiting(inspection: Inspection) -> None:
    """Count rejected files, and files that were not ingested, for an operator to look at."""
    per_day = Counter(note.parent.name for note in (inspection.root / "quarantine").glob(f"*/*{NOTE}"))
    if per_day:
        days = f"from {min(per_day)} to {max(per_day)}" if len(per_day) > 1 else f"of {min(per_day)}"
        text = f"{per_day.total()} rejected files in quarantine, {days}"
        inspection.found(Code.QUARANTINE, "", "quarantine", text)
    waiting = [
        path
        for path in (inspection.root / "incoming").rglob("*")
        if not path.name.startswith(".") and path.is_file() and inspection.older_than(path.stat().st_mtime, _WAITING_S)
    ]
    if waiting:
        text = f"{len(waiting)} files have been in incoming for more than a day"
        inspection.found(Code.INCOMING, "", "incoming", text)
