"""Rows of the flare list, combined from detected flares and imported lists.

Each row stores both sources unchanged (columns ``detected`` and ``imported``); the other columns are derived from them.
So the order of imports and detections does not matter, and each can be repeated with another result without losing
the other.

A detected and an imported flare are the same when their peaks are less than five minutes apart, nearest first. The row
has the id and the values of the imported list; detection adds what is missing. The attenuator is the exception: it is
taken from detection, because the flag in the public lists is known to be wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from archive import Archive, Flare
from archive.index.schema import FLARES
from archive.index.sql import Conditions, select

DETECTED = "detected"
#: Peaks closer than this belong to the same flare.
SAME_FLARE = np.timedelta64(300_000_000, "us")
#: Rows within this time of a changed row are combined again, because their partners may change.
NEIGHBORHOOD = 2 * SAME_FLARE

_TIMES = ("t_start", "t_peak", "t_end")
_OWN = ("simulated", "source", "updated_at", "detected", "imported", "located", "measured")
#: Fields that a layer may have.
LAYER_FIELDS = tuple(entry.name for entry in fields(Flare) if entry.name not in _OWN)


@dataclass(frozen=True)
class Layer:
    """The values of a flare from one source.

    Attributes
    ----------
    source : str
        `DETECTED`, or the name of a list.
    values : mapping of str to value
        Some of `LAYER_FIELDS`, with ``flare_id`` and ``t_peak``; unknown values are omitted.
    """

    source: str
    values: Mapping[str, Any]

    @property
    def flare_id(self) -> str:
        """Id of the flare."""
        return str(self.values["flare_id"])

    @property
    def t_peak(self) -> np.datetime64:
        """Time of the peak."""
        peak: np.datetime64 = self.values["t_peak"]
        return peak

    def over(self, older: Layer) -> Layer:
        """Fill missing values from an older layer."""
        return Layer(self.source, {**older.values, **self.values})

    def to_json(self) -> str:
        """JSON for the table."""
        plain = {key: str(value) if key in _TIMES else value for key, value in sorted(self.values.items())}
        return json.dumps({"source": self.source, **plain})

    @classmethod
    def from_json(cls, text: str) -> Layer:
        """Read a layer that `to_json` wrote."""
        plain = json.loads(text)
        source = str(plain.pop("source"))
        return cls(
            source, {key: np.datetime64(value, "us") if key in _TIMES else value for key, value in plain.items()}
        )


@dataclass(frozen=True)
class Changes:
    """Changes of the flare list.

    Attributes
    ----------
    written, removed : tuple of str
        Ids of rows that were added or changed, and of those that were removed.
    unchanged : tuple of str
        Ids of rows that were compared and have not changed.
    together : tuple of str
        Ids of rows that are both detected and imported.
    clashes : tuple of str
        Ids of simulated flares that were omitted because a real flare has the same id.
    """

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()


def combined(
    imported: Iterable[Layer], detected: Iterable[Layer], now: np.datetime64, *, simulated: bool
) -> list[Flare]:
    """Combine imported and detected flares into rows.

    Parameters
    ----------
    imported, detected : iterable of Layer
    now : datetime64
        For ``updated_at``, UTC.
    simulated : bool
    """
    imported, detected = list(imported), list(detected)
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(_pairs(imported, detected)):
        if i not in partner and j not in taken:
            partner[i] = j
            taken.add(j)
    rows = [_row(one, detected[partner[i]] if i in partner else None, now, simulated) for i, one in enumerate(imported)]
    return rows + [_row(None, one, now, simulated) for j, one in enumerate(detected) if j not in taken]


def _pairs(imported: list[Layer], detected: list[Layer]) -> Iterator[tuple[int, int, int]]:
    """Candidate pairs: distance of the peaks [µs] (zero for the same id) and the indices in both lists."""
    by_id = {one.flare_id: j for j, one in enumerate(detected)}
    order = sorted(range(len(detected)), key=lambda j: detected[j].t_peak)
    peaks = np.array([detected[j].t_peak for j in order], dtype="datetime64[us]")
    for i, one in enumerate(imported):
        if one.flare_id in by_id:
            yield 0, i, by_id[one.flare_id]
        first, last = np.searchsorted(peaks, [one.t_peak - SAME_FLARE, one.t_peak + SAME_FLARE])
        for j in order[first:last]:
            distance = abs(one.t_peak - detected[j].t_peak)
            if distance < SAME_FLARE:
                yield int(distance.astype(np.int64)), i, j


def near_any(layers: Iterable[Layer], others: Iterable[Layer]) -> set[str]:
    """Ids of layers with a peak less than five minutes from one of the others."""
    peaks = np.sort(np.array([one.t_peak for one in others], dtype="datetime64[us]"))
    near = set()
    for layer in layers:
        first, last = np.searchsorted(peaks, [layer.t_peak - SAME_FLARE, layer.t_peak + SAME_FLARE])
        if (abs(peaks[first:last] - layer.t_peak) < SAME_FLARE).any():
            near.add(layer.flare_id)
    return near


def _row(imported: Layer | None, detected: Layer | None, now: np.datetime64, simulated: bool) -> Flare:
    values: dict[str, Any] = {}
    for layer in (detected, imported):
        values |= layer.values if layer else {}
    if detected is not None and "attenuator_in" in detected.values:
        values["attenuator_in"] = detected.values["attenuator_in"]
    return Flare(
        **values,
        simulated=simulated,
        source=imported.source if imported else DETECTED,
        updated_at=now,
        detected=detected.to_json() if detected else None,
        imported=imported.to_json() if imported else None,
    )


def rows_between(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> list[Flare]:
    """Real or simulated rows with their peak in a time range."""
    where = Conditions.of(("t_peak >= ?", start), ("t_peak < ?", end), ("simulated = ?", simulated)).where
    return FLARES.to_rows(archive.query(select("*", FLARES.name, where), [start, end, simulated]))


def layers_of(rows: Iterable[Flare]) -> tuple[list[Layer], list[Layer]]:
    """Imported and detected layers of some rows."""
    rows = list(rows)
    return (
        [Layer.from_json(row.imported) for row in rows if row.imported],
        [Layer.from_json(row.detected) for row in rows if row.detected],
    )


def replace_rows(archive: Archive, before: list[Flare], after: list[Flare]) -> Changes:
    """Write changed rows and remove missing ones; the caller holds the write lock.

    Unchanged rows keep their ``updated_at``.
    """
    known = {row.flare_id: row for row in before}
    clashes = _ids_of_real_flares(archive, [row for row in after if row.flare_id not in known])
    after = [row for row in after if row.flare_id not in clashes]
    written = [row for row in after if not _same(known.get(row.flare_id), row)]
    removed = sorted(known.keys() - {row.flare_id for row in after})
    archive.upsert(FLARES.name, written)
    archive.delete(FLARES.name, removed)
    return Changes(
        written=tuple(sorted(row.flare_id for row in written)),
        removed=tuple(removed),
        unchanged=tuple(sorted({row.flare_id for row in after} - {row.flare_id for row in written})),
        together=tuple(sorted(row.flare_id for row in after if row.detected and row.imported)),
        clashes=tuple(sorted(clashes)),
    )


def _ids_of_real_flares(archive: Archive, rows: list[Flare]) -> set[str]:
    """Ids of new simulated rows that are already ids of real flares."""
    ids = [row.flare_id for row in rows if row.simulated]
    if not ids:
        return set()
    where = " WHERE flare_id IN (SELECT unnest(?)) AND NOT simulated"
    return {row["flare_id"] for row in archive.rows(select("flare_id", FLARES.name, where), [ids])}


def _same(known: Flare | None, row: Flare) -> bool:
    return known is not None and asdict(replace(row, updated_at=known.updated_at)) == asdict(known)
