"""Updating the light curves when quick-look files arrive, and rebuilding them from all files.

A day is always made from every file that overlaps it, the newest version first. The result depends on the set of files
and not on the order of ingest. Where a newer file covers only part of an older one, the rest of the older one is used.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from archive.errors import IndexDamaged
from archive.index.schema import QUICKLOOK_FILES, QuicklookFile
from archive.index.series import (
    BAND_EDGES,
    COUNTS,
    DAY_FILES,
    LIGHT_CURVE_MINUTES,
    LIGHT_CURVES,
    day_file,
    inputs_of,
    month_file,
    read_rows,
    write_rows,
)
from archive.index.sql import select
from archive.layout import PARTITIONS
from archive.lightcurves.merge import LONGEST_BIN_S, Layer, merged
from archive.lightcurves.minutes import minutes_of
from stixcore.errors import InvalidProduct
from stixcore.fits.read import read_light_curve

if TYPE_CHECKING:
    from archive.store import Archive

log = logging.getLogger(__name__)

_DAY = np.timedelta64(1, "D")
#: A bin that begins on the day before can reach into a day.
_MARGIN = np.timedelta64(round(LONGEST_BIN_S * 1e6), "us")
#: Band edges may differ by this much from the nominal ones, keV.
_EDGE_TOLERANCE = 0.6


@dataclass(frozen=True)
class LightCurveUpdate:
    """Result of an update.

    Attributes
    ----------
    days, months : tuple of str
        Files that changed: "2022-11-11", "2022-11".
    unusable : tuple of (str, str)
        Quick-look files that could not be used, and why.
    """

    days: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()


def update_light_curves(archive: Archive, new: Iterable[QuicklookFile]) -> LightCurveUpdate:
    """Remake the days that some files overlap.

    Ingest calls this before it writes the rows of the files, so that all work is repeated after a crash in between. The
    files must be in the archive already.

    Parameters
    ----------
    archive : Archive
    new : iterable of QuicklookFile
        New rows, or rows that replace others of the same name.

    Returns
    -------
    LightCurveUpdate
        Empty when nothing changed: the same files give the same bytes.

    Raises
    ------
    IndexDamaged
        When a file of the index cannot be read.
    ArchiveBusy
        When another process holds the write lock for too long.
    """
    arriving = {row.name: row for row in new}
    if not arriving:
        return LightCurveUpdate()
    with archive.write_lock():
        known = {row.name: row for row in _known_files(archive)}
        replaced = [known[name] for name in arriving if name in known]
        days = sorted({day for row in (*arriving.values(), *replaced) for day in _days_of(row)})
        return _make(archive, list((known | arriving).values()), days)


def rebuild_light_curves(archive: Archive) -> LightCurveUpdate:
    """Rebuild all light curves from the quick-look files of the archive, and remove days without files.

    Raises
    ------
    ArchiveBusy
        When another process holds the write lock for too long.
    """
    with archive.write_lock():
        files = _known_files(archive)
        days = {day for row in files for day in _days_of(row)}
        strangers = {np.datetime64(path.stem) for path in (archive.index / LIGHT_CURVES.name).glob(DAY_FILES)}
        months = {path.stem for path in (archive.index / LIGHT_CURVE_MINUTES.name).glob(PARTITIONS)}
        # a month without days is remade from its first day, and so becomes empty
        lost = {np.datetime64(month, "D") for month in months - {str(day)[:7] for day in days | strangers}}
        return _make(archive, files, sorted(days | strangers | lost), whole_months=True)


def stale_days(archive: Archive) -> tuple[str, ...]:
    """Days whose light curve does not match the quick-look files of the index. Only headers are read."""
    files = _known_files(archive)
    days = {day for row in files for day in _days_of(row)}
    present = {np.datetime64(path.stem) for path in (archive.index / LIGHT_CURVES.name).glob(DAY_FILES)}
    begun = {row.t_start.astype("datetime64[D]") for row in files if row.n_bands == BAND_EDGES.size}
    stale = []
    for day in sorted(days | present):
        made_of = inputs_of(day_file(archive.index, day)) if day in present else {}
        expected = {row.name: row.sha256 for row in _reaching_into(files, day)}
        # a day on which no file begins can be empty
        if made_of != expected and (day in present or day in begun):
            stale.append(str(day))
    return tuple(stale)


def _known_files(archive: Archive) -> list[QuicklookFile]:
    return QUICKLOOK_FILES.to_rows(archive.query(select("*", QUICKLOOK_FILES.name)))


def _days_of(row: QuicklookFile) -> list[np.datetime64]:
    first, last = (row.t_start - _MARGIN).astype("datetime64[D]"), (row.t_end + _MARGIN).astype("datetime64[D]")
    return list(np.arange(first, last + _DAY))


def _reaching_into(files: list[QuicklookFile], day: np.datetime64) -> list[QuicklookFile]:
    """Files that overlap a day, by increasing precedence."""
    begin = day.astype("datetime64[us]")
    near = [row for row in files if row.t_start < begin + _DAY + _MARGIN and row.t_end > begin - _MARGIN]
    return sorted(near, key=lambda row: row.version_order)


def _make(
    archive: Archive, files: list[QuicklookFile], days: list[np.datetime64], *, whole_months: bool = False
) -> LightCurveUpdate:
    """Remake some days, in increasing order. With ``whole_months`` their months have no other days."""
    source = _Source(archive)
    changed_days, changed_months = [], []
    for month, days_of_month in _by_month(days):
        minutes = []
        for day in days_of_month:
            near = _reaching_into(files, day)
            rows = _rows_of(day, near, source)
            minutes.append(minutes_of(rows))
            if write_rows(day_file(archive.index, day), rows, {row.name: row.sha256 for row in near}):
                changed_days.append(str(day))
        others = [] if whole_months else [_other_minutes(archive, month, days_of_month)]
        together = pa.concat_tables([*others, *minutes])
        ordered = together.sort_by([("simulated", "ascending"), ("time", "ascending")]).combine_chunks()
        if write_rows(month_file(archive.index, month), ordered):
            changed_months.append(str(month))
    return LightCurveUpdate(tuple(changed_days), tuple(changed_months), tuple(sorted(source.unusable.items())))


def _by_month(days: list[np.datetime64]) -> Iterator[tuple[np.datetime64, list[np.datetime64]]]:
    for month in sorted(Counter(day.astype("datetime64[M]") for day in days)):
        yield month, [day for day in days if day.astype("datetime64[M]") == month]


@dataclass
class _Source:
    """Files, each read once and kept while needed. Days must be requested in increasing order."""

    archive: Archive
    unusable: dict[str, str] = field(default_factory=dict)
    _layers: dict[str, Layer | None] = field(default_factory=dict)

    def layers(self, rows: list[QuicklookFile]) -> list[Layer]:
        """Layers of files, in the same order. Unusable files are left out and recorded."""
        self._layers = {name: layer for name, layer in self._layers.items() if name in {row.name for row in rows}}
        for row in rows:
            if row.name not in self._layers:
                self._layers[row.name] = self._read(row)
        found = (self._layers[row.name] for row in rows)
        return [layer for layer in found if layer is not None]

    def _read(self, row: QuicklookFile) -> Layer | None:
        try:
            curve = read_light_curve(self.archive.path_of(row.path))
        except (InvalidProduct, OSError) as error:
            self._refuse(row, str(error))
            return None
        why = ""
        if curve.e_low.size != BAND_EDGES.size or (np.abs(curve.e_low - BAND_EDGES) > _EDGE_TOLERANCE).any():
            why = f"its bands begin at {', '.join(f'{low:g}' for low in curve.e_low)} keV"
        elif curve.duration.max() > LONGEST_BIN_S:
            why = f"it has a bin of {curve.duration.max():g} s"
        if why:
            self._refuse(row, why)
            return None
        return Layer.of(curve, row.name, row.version)

    def _refuse(self, row: QuicklookFile, why: str) -> None:
        if row.name not in self.unusable:
            log.warning("no light curve from %s: %s", row.name, why)
        self.unusable[row.name] = why


def _rows_of(day: np.datetime64, files: list[QuicklookFile], source: _Source) -> pa.Table:
    """Rows of one day: real ones by time, then simulated ones by time."""
    source.layers(files)  # keeps what both halves need
    begin = day.astype("datetime64[us]").astype(np.int64)
    end = begin + _DAY.astype("timedelta64[us]").astype(np.int64)
    margin = _MARGIN.astype(np.int64)
    parts = []
    for simulated in (False, True):
        mine = {row.name for row in files if row.simulated == simulated}
        layers = [layer for layer in source.layers(files) if layer.name in mine]
        near = [layer.take((layer.start >= begin - margin) & (layer.start < end + margin)) for layer in layers]
        together = [layer.take((layer.start >= begin) & (layer.start < end)) for layer in merged(near)]
        parts += [_table(layer, simulated=simulated) for layer in together]
    rows = pa.concat_tables([LIGHT_CURVES.arrow.empty_table(), *parts])
    return rows.sort_by([("simulated", "ascending"), ("time", "ascending")]).combine_chunks()


def _table(layer: Layer, *, simulated: bool) -> pa.Table:
    n = layer.start.size
    columns = {
        "time": layer.start.astype("datetime64[us]"),
        "duration_s": layer.duration,
        **dict(zip(COUNTS, layer.counts.T, strict=True)),
        "triggers": layer.triggers,
        "rcr": layer.rcr,
        "simulated": np.full(n, simulated),
        "file": [layer.name] * n,
        "version": [layer.version] * n,
    }
    schema = LIGHT_CURVES.arrow
    return pa.Table.from_arrays([pa.array(columns[f.name], type=f.type) for f in schema], schema=schema)


def _other_minutes(archive: Archive, month: np.datetime64, days: list[np.datetime64]) -> pa.Table:
    """Minutes of a month without those of some days."""
    try:
        present = read_rows(month_file(archive.index, month), LIGHT_CURVE_MINUTES)
    except IndexDamaged as error:
        log.warning("remade from the bins of the month: %s", error)
        files = sorted((archive.index / LIGHT_CURVES.name).glob(f"{month}-[0-9][0-9].parquet"))
        present = pa.concat_tables([minutes_of(read_rows(file, LIGHT_CURVES)) for file in files])
    made_anew = pa.array(np.array(days, dtype="datetime64[D]"), type=pa.date32())
    return present.filter(pc.invert(pc.is_in(present["time"].cast(pa.date32(), safe=False), value_set=made_anew)))
