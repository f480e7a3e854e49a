"""Import flare lists into the archive: ``stix-jobs import-flares``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from archive import Archive
from jobs.flares.csv import BadLine, read_flare_list
from jobs.flares.level3 import is_fits, read_level3_list
from jobs.flares.rows import (
    NEIGHBORHOOD,
    Changes,
    LayerSet,
    combined,
    over_earlier,
    replace_rows,
    rows_between,
    without_duplicates,
)


@dataclass(frozen=True)
class ImportReport:
    """Result of `import_flares`.

    Attributes
    ----------
    source : str
        Name of the list in the rows.
    lines : int
        Number of flares in the file, valid or not.
    written, unchanged : tuple of str
        Ids of rows that were added or changed, and of those that were the same already.
    removed : tuple of str
        Former ids of detected flares that now have the id of the imported list.
    confirmed : tuple of str
        Ids of flares that have also been detected.
    bad : tuple of BadLine
    unseen : int
        Number of flares whose GOES class was ignored because they were not visible from the Earth.
    merged : tuple of str
        Ids in the list that are now other ids of a flare: it has another id already, or the list has it twice.
    """

    source: str
    lines: int
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    confirmed: tuple[str, ...]
    bad: tuple[BadLine, ...]
    unseen: int
    merged: tuple[str, ...] = ()


def import_flares(archive: Archive, csv_path: Path, now: np.datetime64) -> ImportReport:
    """Import a flare list into the archive.

    Parameters
    ----------
    archive : Archive
    csv_path : Path
        A CSV file, or a FITS file of level 3.
    now : datetime64
        Current time, UTC.

    Returns
    -------
    ImportReport
        Importing the same list again changes nothing. Values that a later list lacks are kept from an earlier one.

    Raises
    ------
    InvalidFlareList
        When the file is not a flare list. Nothing is imported.
    IndexDamaged, ArchiveBusy
        When a file of the index cannot be read; when another process holds the write lock for too long.
    """
    path = Path(csv_path)
    flares = read_level3_list(path) if is_fits(path) else read_flare_list(path)
    changes, own = Changes(), set[str]()
    if flares.layers:
        listed = without_duplicates(flares.layers)
        peaks = np.array([layer.t_peak for layer in listed])
        with archive.write_lock():
            around = peaks.min() - NEIGHBORHOOD, peaks.max() + NEIGHBORHOOD
            before = rows_between(archive, *around, simulated=False)
            layers = LayerSet.of(before)
            imported = over_earlier(listed, layers.imported)
            ids = {name for layer in listed for name in layer.ids}
            own = {layer.flare_id for layer in imported if layer.ids & ids}
            after = combined(replace(layers, imported=imported), now, simulated=False, known=before)
            changes = replace_rows(archive, before, after)
        if changes.written or changes.removed:
            archive.build_read_model()
    return ImportReport(
        source=flares.source,
        lines=flares.lines,
        written=changes.written,
        unchanged=tuple(name for name in changes.unchanged if name in own),
        removed=changes.removed,
        confirmed=tuple(name for name in changes.together if name in own),
        bad=flares.bad,
        unseen=flares.unseen,
        merged=tuple(sorted({layer.flare_id for layer in flares.layers} - own)),
    )
