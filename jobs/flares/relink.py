"""Keep the flare of runs and images equal to an id of the flare list."""

from __future__ import annotations

import contextlib
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archive import Archive, NotInArchive, RunKind
from archive.index.schema import RUNS
from archive.index.sql import select
from jobs.flares.rows import ids_in
from jobs.inputs import flare_named_in
from jobs.shared.links import rewrite_runs

_DAY = np.timedelta64(86_400_000_000, "us")
_PURPOSE = "(SELECT any_value(purpose) FROM science_files WHERE name = science_name) AS purpose"
_COLUMNS = f"run_id, flare_id, kind, simulated, t_start, t_end, {_PURPOSE}"


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
    flares = _Flares.of(archive)
    where = "" if months is None else " WHERE strftime(t_start, '%Y-%m') IN (SELECT unnest(?))"
    found = archive.rows(select(_COLUMNS, RUNS.name, where), [] if months is None else [sorted(months)])
    wanted = {row["run_id"]: flares.of_run(row) for row in found}
    with archive.write_lock():
        changed = []
        for row in found:
            if wanted[row["run_id"]] != row["flare_id"]:
                with contextlib.suppress(NotInArchive):  # removed meanwhile
                    changed.append(replace(archive.run(row["run_id"]), flare_id=wanted[row["run_id"]]))
        rewrite_runs(archive, changed)
    return tuple(run.run_id for run in changed)


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
        """Id of the flare of a run."""
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
