"""Taking existing flare lists into the archive: ``stix-jobs import-flares``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive import Archive
from jobs.flares.csv import BadLine, read_flare_list
from jobs.flares.rows import NEIGHBORHOOD, Changes, combined, layers_of, replace_rows, rows_between


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    source : str
        Name of the list, as rows carry it.
    lines : int
        Flares in the file, good or bad.
    written, unchanged : tuple of str
        Ids of rows of the flare list that are new or differ, and of those of the list that stood there already.
    removed : tuple of str
        Ids of detected flares that go by the id of the list now.
    confirmed : tuple of str
        Ids of flares of the list that detection has seen too.
    bad : tuple of BadLine
    unseen : int
        Flares whose GOES class was not taken: they could not be seen from the Earth.
    """

    source: str
    lines: int
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    confirmed: tuple[str, ...]
    bad: tuple[BadLine, ...]
    unseen: int


def import_flares(archive: Archive, csv_path: Path, now: np.datetime64) -> ImportReport:
    """Take a flare list into the archive.

    Parameters
    ----------
    archive : Archive
    csv_path : Path
    now : datetime64
        Present time, UTC.

    Returns
    -------
    ImportReport
        The same list again changes nothing. A list that knows less than an earlier one of the same flare leaves the
        rest as it is.

    Raises
    ------
    InvalidFlareList
        When the file is not a flare list. Nothing is done.
    IndexDamaged, ArchiveBusy
        A file of the index that cannot be read; another writer that does not end.
    """
    flares = read_flare_list(Path(csv_path))
    changes = Changes()
    if flares.layers:
        layers = {layer.flare_id: layer for layer in flares.layers}
        peaks = np.array([layer.t_peak for layer in flares.layers])
        with archive.write_lock():
            around = peaks.min() - NEIGHBORHOOD, peaks.max() + NEIGHBORHOOD
            before = rows_between(archive, *around, simulated=False)
            imported, detected = layers_of(before)
            older = {layer.flare_id: layer for layer in imported}
            newer = {name: layer.over(older[name]) if name in older else layer for name, layer in layers.items()}
            after = combined((older | newer).values(), detected, now, simulated=False)
            changes = replace_rows(archive, before, after)
        if changes.written or changes.removed:
            archive.build_read_model()
    own = {layer.flare_id for layer in flares.layers}
    return ImportReport(
        source=flares.source,
        lines=flares.lines,
        written=changes.written,
        unchanged=tuple(name for name in changes.unchanged if name in own),
        removed=changes.removed,
        confirmed=tuple(name for name in changes.together if name in own),
        bad=flares.bad,
        unseen=flares.unseen,
    )
