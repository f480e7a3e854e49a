"""Keep the flare of runs, images, spectra and region spectra equal to an id of the flare list."""

from __future__ import annotations

import contextlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archive import Archive, NotInArchive, RunKind
from archive.index.columns import Table
from archive.index.recorded import REGION_RECORDS, SPECTRUM_RECORDS, Recorded, RecordedRow
from archive.index.schema import RUNS
from archive.index.sql import select
from jobs.flares.rows import ids_in
from jobs.inputs import flare_named_in
from jobs.shared.links import rewrite_runs

_DAY = np.timedelta64(86_400_000_000, "us")
_PURPOSE = "(SELECT any_value(purpose) FROM science_files WHERE name = science_name) AS purpose"
_COLUMNS = f"flare_id, kind, simulated, t_start, t_end, {_PURPOSE}"


def relink_runs(archive: Archive, months: Collection[str] | None = None) -> tuple[str, ...]:
    """Give runs and their images the id that their flare now has; no image is made again.

    A run whose id is another id of a flare gets the flare's id. A run that a user requested gets the flare that
    overlaps it most, where it has none or its flare is gone. Previews whose flare is gone are compared with their
    windows by `jobs.previews.stale`.

    Parameters
    ----------
    archive : Archive
        Build the read model afterwards, if runs were written.
    months : collection of str, optional
        Runs of these months ("2022-11"); all by default.

    Returns
    -------
    tuple of str
        Ids of the runs that were written.
    """
    with archive.write_lock():
        changed = []
        for run_id, flare_id in _moved(archive, RUNS, months).items():
            with contextlib.suppress(NotInArchive):  # removed meanwhile
                changed.append(replace(archive.run(run_id), flare_id=flare_id))
        rewrite_runs(archive, changed)
    return tuple(run.run_id for run in changed)


def relink_spectra(archive: Archive, months: Collection[str] | None = None) -> tuple[str, ...]:
    """Give spectra and region spectra the id that their flare now has, as `relink_runs`; returns ids as there."""
    with archive.write_lock():
        spectra = _relink(archive, SPECTRUM_RECORDS, archive.spectrum, months)
        regions = _relink(archive, REGION_RECORDS, archive.region_spectrum, months)
    return (*spectra, *regions)


def _relink[Row: RecordedRow](
    archive: Archive, kind: Recorded[Row], find: Callable[[str], Row], months: Collection[str] | None
) -> tuple[str, ...]:
    changed: list[Row] = []
    for key, flare_id in _moved(archive, kind.table, months).items():
        with contextlib.suppress(NotInArchive):  # removed meanwhile
            changed.append(replace(find(key), flare_id=flare_id))
    if changed:
        archive.write_recorded(kind, changed)
    return tuple(kind.key(row) for row in changed)


def _moved(archive: Archive, table: Table[Any], months: Collection[str] | None) -> dict[str, str | None]:
    """New flare by key, for the rows of a table whose flare has changed."""
    flares = _Flares.of(archive)
    where = "" if months is None else " WHERE strftime(t_start, '%Y-%m') IN (SELECT unnest(?))"
    columns = f"{table.key} AS key, {_COLUMNS}"
    found = archive.rows(select(columns, table.name, where), [] if months is None else [sorted(months)])
    wanted = {row["key"]: flares.of_run(row) for row in found}
    return {row["key"]: wanted[row["key"]] for row in found if wanted[row["key"]] != row["flare_id"]}


@dataclass(frozen=True)
class _Flares:
    """Ids and times of all flares, ordered by peak."""

    rows: list[dict[str, Any]]
    peaks: list[np.datetime64]
    listed: dict[str, str]

    @classmethod
    def of(cls, archive: Archive) -> _Flares:
        rows = archive.rows("SELECT flare_id, other_ids, simulated, t_start, t_peak, t_end FROM flares ORDER BY t_peak")
        listed = {name: row["flare_id"] for row in rows for name in ids_in(row["other_ids"])}
        listed |= {row["flare_id"]: row["flare_id"] for row in rows}
        return cls(rows, [np.datetime64(row["t_peak"], "us") for row in rows], listed)

    def of_run(self, run: dict[str, Any]) -> str | None:
        """Id of the flare of a run or spectrum."""
        flare_id: str | None = run["flare_id"]
        if flare_id in self.listed:
            return self.listed[flare_id]
        if run["kind"] == RunKind.AUTO:
            return flare_id
        named = flare_named_in(run["purpose"] or "")
        return self._overlapping(run) or self.listed.get(named, named) or None

    def _overlapping(self, run: dict[str, Any]) -> str | None:
        """The flare that overlaps a run most."""
        start, end = np.datetime64(run["t_start"], "us"), np.datetime64(run["t_end"], "us")
        near = self.rows[bisect_left(self.peaks, start - _DAY) : bisect_right(self.peaks, end + _DAY)]
        shared = {
            row["flare_id"]: min(row["t_end"], run["t_end"]) - max(row["t_start"], run["t_start"])
            for row in near
            if row["t_start"] and row["t_end"] and row["simulated"] == run["simulated"]
        }
        best = max(shared, key=lambda name: shared[name], default=None)
        return best if best is not None and shared[best].total_seconds() > 0 else None
