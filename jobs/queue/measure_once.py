"""Make the spectra of requests once and put them into the index once, even if a worker is killed in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from time import perf_counter

from archive import Archive
from archive.index.recorded import RECORDED, REGION_RECORDS, SPECTRUM_RECORDS, RecordedRow
from jobs.queue.kept import find_row, is_kept
from jobs.regions.task import RegionTask, measure_and_write, recipe_of
from jobs.spectra.task import SpectrumTask, measure_task, write_spectrum


@dataclass(frozen=True)
class MeasurementResult:
    """Result of a task that makes spectra; ``row`` is None when the archive already had them.

    Attributes
    ----------
    run_id : str
        Id of the spectrum, or of the region spectra.
    table : str
        Table of the index.
    hidden : bool
        Whether the task asked for a hidden result.
    row : row of the table, or None
    """

    run_id: str
    table: str
    hidden: bool
    row: RecordedRow | None


def spectrum_once(task: SpectrumTask) -> MeasurementResult:
    """Run a task, and write its files unless the archive already has them.

    Raises
    ------
    StixError
        When the files or the selection allow no spectrum.
    """
    begin, table = perf_counter(), SPECTRUM_RECORDS.table.name
    measured = measure_task(task)
    spectrum_id = measured.recipe.spectrum_id
    row = None if is_kept(_archive(str(task.root)), table, spectrum_id) else write_spectrum(task, measured, begin)
    return MeasurementResult(spectrum_id, table, task.context.hidden, row)


def regions_once(task: RegionTask) -> MeasurementResult:
    """Measure the spectra of regions, unless the archive already has them.

    Raises
    ------
    StixError
        When the files or the selection do not give images and spectra.
    """
    begin, table = perf_counter(), REGION_RECORDS.table.name
    recipe = recipe_of(task)
    kept = is_kept(_archive(str(task.root)), table, recipe.region_id)
    row = None if kept else measure_and_write(task, recipe, begin)
    return MeasurementResult(recipe.region_id, table, task.context.hidden, row)


def index_measurements(archive: Archive, results: Iterable[MeasurementResult]) -> set[str]:
    """Put spectra into the index. Existing rows stay, and become visible if one author wants it.

    Returns
    -------
    set of str
        Results that existed when their task ran and have been removed since.
    """
    gone: set[str] = set()
    found: dict[str, dict[str, RecordedRow]] = defaultdict(dict)
    with archive.write_lock():
        for result in results:
            kind = RECORDED[result.table]
            known = found[result.table].get(result.run_id) or find_row(archive, kind, result.run_id)
            made = result.row or known
            if made is None:
                gone.add(result.run_id)
                continue
            if known is not None:
                made = replace(known, size=made.size, hidden=known.hidden and result.hidden)
            found[result.table][result.run_id] = made
        for table, rows in found.items():
            archive.write_recorded(RECORDED[table], rows.values())
    return gone


@lru_cache(maxsize=4)
def _archive(root: str) -> Archive:
    return Archive(root)
