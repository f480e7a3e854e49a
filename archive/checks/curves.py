"""Checks of the light curves: that they can be read, and match the quick-look files they are derived from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from archive.checks.findings import Code
from archive.checks.inspection import Inspection
from archive.errors import IndexDamaged
from archive.index.series import DAY_FILES, LIGHT_CURVE_MINUTES, LIGHT_CURVES, read_rows
from archive.layout import PARTITIONS
from archive.lightcurves.minutes import minutes_of
from archive.lightcurves.write import rebuild_light_curves, stale_days


def check_light_curves(inspection: Inspection) -> None:
    """Check the days, then the minutes made from them. A repair remakes all light curves if any is wrong."""
    if inspection.unreadable:
        return  # the list of quick-look files is incomplete
    with inspection.writers_out():
        damaged = _unreadable(inspection)
        stale = [f"index/{LIGHT_CURVES.name}/{day}.parquet" for day in stale_days(inspection.archive)]
        stale = [path for path in stale if path not in damaged]
        stale += _stale_minutes(inspection, damaged)
        for path, reason in damaged.items():
            table = Path(path).parent.name
            inspection.found(Code.LIGHT_CURVE_UNREADABLE, table, path, reason, repaired=inspection.repair)
            if inspection.repair:
                (inspection.root / path).unlink()
        for path in stale:
            text = f"{path} does not match the quick-look files of the archive"
            table = Path(path).parent.name
            inspection.found(Code.LIGHT_CURVE_STALE, table, path, text, repaired=inspection.repair)
        if inspection.repair and (damaged or stale):
            rebuild_light_curves(inspection.archive)


def _unreadable(inspection: Inspection) -> dict[str, str]:
    """Unreadable files, with the reason. Without ``deep`` only their headers are read."""
    found = {}
    for table, pattern in ((LIGHT_CURVES, DAY_FILES), (LIGHT_CURVE_MINUTES, PARTITIONS)):
        for path in sorted((inspection.archive.index / table.name).glob(pattern)):
            try:
                if inspection.deep:
                    read_rows(path, table)
                else:
                    pq.read_schema(path).field(table.time)
            except (IndexDamaged, pa.ArrowException, OSError, ValueError, KeyError) as error:
                relative = str(path.relative_to(inspection.root))
                found[relative] = f"{relative} cannot be read: {error}"
    return found


def _stale_minutes(inspection: Inspection, damaged: dict[str, str]) -> list[str]:
    """Months without minutes; if ``deep``, also months whose minutes do not match their days."""
    index, wrong = inspection.archive.index, []
    days = sorted((index / LIGHT_CURVES.name).glob(DAY_FILES))
    months = {path.stem for path in (index / LIGHT_CURVE_MINUTES.name).glob(PARTITIONS)}
    for month in sorted(months | {day.stem[:7] for day in days}):
        relative = f"index/{LIGHT_CURVE_MINUTES.name}/{month}.parquet"
        own = [day for day in days if day.stem[:7] == month]
        if relative in damaged or any(str(day.relative_to(inspection.root)) in damaged for day in own):
            continue
        if month not in months or not own:
            wrong.append(relative)
        elif inspection.deep:
            minutes = pa.concat_tables([minutes_of(read_rows(day, LIGHT_CURVES)) for day in own])
            order = [("simulated", "ascending"), ("time", "ascending")]
            present = read_rows(inspection.root / relative, LIGHT_CURVE_MINUTES)
            if not present.combine_chunks().equals(minutes.sort_by(order).combine_chunks()):
                wrong.append(relative)
    return wrong
