"""Rows of the flare list, combined from five layers of values.

Each row stores its layers unchanged (columns ``detected``, ``imported``, ``located``, ``measured`` and ``fitted``); the
other columns are derived from them. So the order of imports and detections does not matter, and each can be repeated
with another result without losing the others.

A detected and an imported flare are the same when their peaks are less than five minutes apart, nearest first. The row
has the id and the values of the imported list; detection adds what is missing. The attenuator is the exception: it is
taken from detection, because the flag in the public lists is known to be wrong. Every other id of the flare is in
``other_ids`` (docs/decisions/flare_ids.md). A position comes from images, else from a list, else from the coarse
locator (docs/decisions/flare_positions.md); a class measured by GOES replaces that of a list.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from archive import Archive, Flare
from archive.index.schema import FLARES
from archive.index.sql import Conditions, select
from jobs.flares.best_class import best_class
from jobs.flares.geometry import geometry_of
from stixcore.flares.detect import flare_id_of

log = logging.getLogger(__name__)

DETECTED = "detected"
#: Peaks closer than this belong to the same flare.
SAME_FLARE = np.timedelta64(300_000_000, "us")
#: Rows within this time of a changed row are combined again, because their partners may change.
NEIGHBORHOOD = 2 * SAME_FLARE
_MINUTE = np.timedelta64(60_000_000, "us")

_TIMES = ("t_start", "t_peak", "t_end")
#: Times in JSON.
_STAMPS = (*_TIMES, "goes_t_peak")
_LAYERS = ("detected", "imported", "located", "measured", "fitted")
_OWN = ("simulated", "source", "updated_at", "limits_changed_at", *_LAYERS)
#: Values of a position, which come from one layer together.
_POSITION = (
    "hpc_x",
    "hpc_y",
    "hpc_sigma",
    "location_source",
    "location_method",
    "location_verdict",
    "location_doubts",
)
#: Values of ``location_source``.
IMAGING, LOCATOR, LIST = "imaging", "coarse locator", "imported list"
#: Source of the fitted layer.
SPECTRUM = "spectrum"
#: Fields that a layer may have.
LAYER_FIELDS = tuple(entry.name for entry in fields(Flare) if entry.name not in _OWN)


@dataclass(frozen=True)
class Layer:
    """The values of a flare from one source.

    Attributes
    ----------
    source : str
        `DETECTED`, the name of a list, `IMAGING`, the name of a satellite or `SPECTRUM`.
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
    def ids(self) -> set[str]:
        """Every id of the flare in this layer."""
        return {self.flare_id, *ids_in(self.values.get("other_ids"))}

    @property
    def t_peak(self) -> np.datetime64:
        """Time of the peak."""
        peak: np.datetime64 = self.values["t_peak"]
        return peak

    def over(self, older: Layer) -> Layer:
        """Fill missing values from an older layer of the same flare, which keeps its id."""
        others = _together((self.ids | older.ids) - {older.flare_id})
        values = {**older.values, **_over(older.values, self.values), "flare_id": older.flare_id, "other_ids": others}
        return Layer(self.source, {name: value for name, value in values.items() if value is not None})

    def to_json(self) -> str:
        """JSON for the table."""
        plain = {key: str(value) if key in _STAMPS else value for key, value in sorted(self.values.items())}
        return json.dumps({"source": self.source, **plain})

    @classmethod
    def from_json(cls, text: str) -> Layer:
        """Read a layer that `to_json` wrote."""
        plain = json.loads(text)
        source = str(plain.pop("source"))
        return cls(
            source, {key: np.datetime64(value, "us") if key in _STAMPS else value for key, value in plain.items()}
        )


@dataclass(frozen=True)
class LayerSet:
    """Layers of some flares, by kind. All but the first two kinds belong to a row by id or else by time."""

    detected: tuple[Layer, ...] = ()
    imported: tuple[Layer, ...] = ()
    located: tuple[Layer, ...] = ()
    measured: tuple[Layer, ...] = ()
    fitted: tuple[Layer, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Flare]) -> LayerSet:
        """The layers of some rows."""
        rows = list(rows)
        return cls(*(tuple(Layer.from_json(text) for row in rows if (text := getattr(row, kind))) for kind in _LAYERS))


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


def combined(layers: LayerSet, now: np.datetime64, *, simulated: bool, known: Iterable[Flare] = ()) -> list[Flare]:
    """Combine layers into rows.

    Parameters
    ----------
    layers : LayerSet
        Layers of ``located``, ``measured`` and ``fitted`` whose flare no longer exists are left out.
    now : datetime64
        For ``updated_at``, UTC.
    simulated : bool
    known : iterable of Flare
        Rows so far: geometry that has not changed is taken from them.
    """
    imported, detected = list(layers.imported), list(layers.detected)
    partner = matches(imported, detected)
    taken = set(partner.values())
    kinds = [
        {"imported": one} | ({"detected": detected[partner[i]]} if i in partner else {})
        for i, one in enumerate(imported)
    ]
    kinds += [{"detected": one} for j, one in enumerate(detected) if j not in taken]
    _attach(kinds, "located", layers.located)
    _attach(kinds, "measured", layers.measured)
    _attach(kinds, "fitted", layers.fitted)
    earlier = {row.flare_id: row for row in known}
    rows = [_row(of_flare, now, simulated, earlier) for of_flare in kinds]
    listed = {row.flare_id for row in rows}
    return [_without_ids(row, listed) for row in rows]


def matches(layers: Sequence[Layer], others: Sequence[Layer], *, by_id: bool = True) -> dict[int, int]:
    """Which of the other layers is the same flare: index of a layer → index of the other.

    Layers with a common id match first, if asked for, then those with peaks less than five minutes apart, nearest
    first.
    """
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(_pairs(layers, others, by_id=by_id)):
        if i not in partner and j not in taken:
            partner[i] = j
            taken.add(j)
    return partner


def without_duplicates(layers: Iterable[Layer]) -> list[Layer]:
    """Entries of one list, with two of the same flare made one.

    They are the same when their peaks are less than five minutes apart and their times overlap. The one with the
    higher peak counts; the other adds what it lacks, and its id.
    """
    chosen: list[Layer] = []
    for layer in sorted(layers, key=lambda one: (one.t_peak, one.flare_id)):
        last = chosen[-1] if chosen else None
        if last is None or layer.t_peak - last.t_peak >= SAME_FLARE or not _overlap(last, layer):
            chosen.append(layer)
        elif layer.values.get("peak_counts", 0.0) > last.values.get("peak_counts", 0.0):
            chosen[-1] = _above(layer, last)
        else:
            chosen[-1] = _above(last, layer)
    return chosen


def _overlap(one: Layer, later: Layer) -> bool:
    start, end = later.values.get("t_start"), one.values.get("t_end")
    return start is not None and end is not None and bool(start < end)


def _above(one: Layer, other: Layer) -> Layer:
    merged = one.over(other)
    values = {**merged.values, "flare_id": one.flare_id, "other_ids": _together((one.ids | other.ids) - {one.flare_id})}
    return Layer(one.source, values)


def over_earlier(layers: Sequence[Layer], earlier: Sequence[Layer]) -> tuple[Layer, ...]:
    """Layers of lists after another list was read: the first id of a flare stays, the newer values count."""
    partner = matches(layers, earlier)
    kept = [one for j, one in enumerate(earlier) if j not in set(partner.values())]
    return (*kept, *(one.over(earlier[partner[i]]) if i in partner else one for i, one in enumerate(layers)))


def with_given_ids(found: Sequence[Layer], earlier: Sequence[Layer]) -> list[Layer]:
    """Detected flares with the ids that they got in earlier detections.

    A flare less than five minutes from an earlier one keeps its id and other ids. A flare that contains the peak of
    an earlier one that nothing else continues gets its ids as other ids. An id that is taken is moved by minutes.
    """
    partner = matches(found, earlier, by_id=False)
    given = {i: earlier[j] for i, j in partner.items()}
    ended = [one for j, one in enumerate(earlier) if j not in set(partner.values())]
    taken = {one.flare_id for one in given.values()}
    layers = []
    for i, one in enumerate(found):
        flare_id = given[i].flare_id if i in given else _free_id(one, taken)
        taken.add(flare_id)
        others = set(ids_in(given[i].values.get("other_ids"))) if i in given else set()
        inside = (old for old in ended if one.values["t_start"] <= old.t_peak < one.values["t_end"])
        others |= {name for old in inside for name in old.ids}
        values = {**one.values, "flare_id": flare_id, "other_ids": _together(others - {flare_id})}
        layers.append(Layer(one.source, {name: value for name, value in values.items() if value is not None}))
    return layers


def _free_id(layer: Layer, taken: Container[str]) -> str:
    flare_id, time = layer.flare_id, layer.t_peak
    while flare_id in taken:
        time = time + _MINUTE
        flare_id = flare_id_of(time)
    return flare_id


def _attach(kinds: list[dict[str, Layer]], kind: str, layers: Sequence[Layer]) -> None:
    """Add the layers of a kind to the flares that they belong to."""
    flares = [_identity(of_flare) for of_flare in kinds]
    for i, j in matches(layers, flares).items():
        kinds[j][kind] = layers[i]


def _identity(of_flare: Mapping[str, Layer]) -> Layer:
    """Id, other ids and peak of the row that some layers give."""
    first = of_flare.get("imported") or of_flare["detected"]
    others = {name for layer in of_flare.values() for name in layer.ids} - {first.flare_id}
    return Layer(first.source, {"flare_id": first.flare_id, "t_peak": first.t_peak, "other_ids": " ".join(others)})


def _pairs(layers: Sequence[Layer], others: Sequence[Layer], *, by_id: bool) -> Iterator[tuple[int, int, int]]:
    """Candidate pairs: distance of the peaks [µs] (negative for a common id) and the indices in both lists."""
    order = sorted(range(len(others)), key=lambda j: others[j].t_peak)
    peaks = np.array([others[j].t_peak for j in order], dtype="datetime64[us]")
    of_id = {name: j for j, one in enumerate(others) for name in one.ids} if by_id else {}
    of_id |= {one.flare_id: j for j, one in enumerate(others)} if by_id else {}
    for i, one in enumerate(layers):
        if one.flare_id in of_id:
            yield -2, i, of_id[one.flare_id]
        for name in sorted(one.ids & of_id.keys()):
            yield -1, i, of_id[name]
        first, last = np.searchsorted(peaks, [one.t_peak - SAME_FLARE, one.t_peak + SAME_FLARE])
        for j in order[first:last]:
            distance = abs(one.t_peak - others[j].t_peak)
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


def _row(
    layers: Mapping[str, Layer], now: np.datetime64, simulated: bool, earlier: Mapping[str, Flare] | None = None
) -> Flare:
    imported, detected = layers.get("imported"), layers.get("detected")
    own = _identity(layers)
    values: dict[str, Any] = {}
    for kind in ("detected", "imported", "measured", "located", "fitted"):
        if kind in layers:
            values |= _over(values, layers[kind].values)
    values |= {"flare_id": own.flare_id, "t_peak": own.t_peak, "other_ids": _together(ids_in(own.values["other_ids"]))}
    if detected is not None and "attenuator_in" in detected.values:
        values["attenuator_in"] = detected.values["attenuator_in"]
    values |= geometry_of(values, (earlier or {}).get(own.flare_id))
    values |= best_class(values, *_sources_of_class(layers))
    values |= {kind: layer.to_json() for kind, layer in layers.items()}
    return Flare(
        **values,
        simulated=simulated,
        source=imported.source if imported else DETECTED,
        updated_at=now,
        limits_changed_at=now,
    )


def _sources_of_class(layers: Mapping[str, Layer]) -> tuple[str | None, str | None]:
    """Satellite and list that give a class."""
    measured, imported = layers.get("measured"), layers.get("imported")
    satellite = (
        measured.values.get("goes_source", measured.source) if measured and "goes_class" in measured.values else None
    )
    return satellite, imported.source if imported and "goes_class" in imported.values else None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a layer that replace those below it: all of a position, or nothing of it."""
    if "hpc_x" not in above:
        return dict(above)
    if above.get("location_source") == LOCATOR and "hpc_x" in below:
        return {name: value for name, value in above.items() if name not in _POSITION}
    return dict.fromkeys(_POSITION) | {"location_source": LIST} | dict(above)


def _without_ids(row: Flare, listed: Container[str]) -> Flare:
    """The row without other ids that are the id of another row."""
    others = _together(name for name in ids_in(row.other_ids) if name not in listed)
    return row if others == row.other_ids else replace(row, other_ids=others)


def ids_in(other_ids: str | None) -> tuple[str, ...]:
    """The ids of a column ``other_ids``."""
    return tuple((other_ids or "").split())


def _together(ids: Iterable[str]) -> str | None:
    return " ".join(sorted(set(ids))) or None


def rows_between(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> list[Flare]:
    """Real or simulated rows with their peak in a time range."""
    where = Conditions.of(("t_peak >= ?", start), ("t_peak < ?", end), ("simulated = ?", simulated)).where
    return FLARES.to_rows(archive.query(select("*", FLARES.name, where), [start, end, simulated]))


def replace_layers(
    archive: Archive,
    kind: Literal["located", "measured", "fitted"],
    layers: Mapping[str, Layer | None],
    now: np.datetime64,
) -> Changes:
    """Replace one kind of layer in some rows and derive their other columns again.

    Parameters
    ----------
    archive : Archive
        Build the read model afterwards, if something was written.
    kind : "located", "measured" or "fitted"
    layers : mapping of str to Layer or None
        By the id of the row, None for no layer; ids without a row are ignored. A row that is neither detected nor
        imported stays as it is, with a warning: nothing can be derived from it.
    now : datetime64
        For ``updated_at``, UTC.
    """
    with archive.write_lock():
        where = " WHERE flare_id IN (SELECT unnest(?))"
        before = FLARES.to_rows(archive.query(select("*", FLARES.name, where), [list(layers)]))
        after = []
        for row in before:
            kinds = {name: Layer.from_json(text) for name in _LAYERS if (text := getattr(row, name))}
            if not kinds.keys() & {"detected", "imported"}:
                log.warning("flare %s keeps its row, which has no values from detection or a list", row.flare_id)
                after.append(row)
                continue
            kinds.pop(kind, None)
            layer = layers[row.flare_id]
            after.append(_row(kinds | ({kind: layer} if layer else {}), now, row.simulated))
        return replace_rows(archive, before, after)


def replace_rows(archive: Archive, before: list[Flare], after: list[Flare]) -> Changes:
    """Write changed rows and remove missing ones; the caller holds the write lock.

    Unchanged rows keep their ``updated_at``.
    """
    known = {row.flare_id: row for row in before}
    clashes = _ids_of_real_flares(archive, [row for row in after if row.flare_id not in known])
    after = [row for row in after if row.flare_id not in clashes]
    after = [_with_limits_of(known.get(row.flare_id), row) for row in after]
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


def _with_limits_of(known: Flare | None, row: Flare) -> Flare:
    """The row with the time at which its limits changed."""
    if known is None or any(getattr(known, name) != getattr(row, name) for name in _TIMES):
        return row
    return replace(row, limits_changed_at=known.limits_changed_at or known.updated_at)


def _same(known: Flare | None, row: Flare) -> bool:
    return known is not None and replace(row, updated_at=known.updated_at) == known
