"""Positions of flares from their images: the layer ``located`` of the flare list.

A flare is located again when its row, its runs or the science files around it change; months of the index that have not
changed since the last time are not read (`jobs.flares.checkpoint`).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from archive import Archive, Flare, RunStatus
from archive.index.schema import IMAGES, RUNS, SCIENCE_FILES
from archive.index.sql import Conditions, select
from archive.ingest.describe import AU_M
from jobs.flares.checkpoint import FlareCheckpoint
from jobs.flares.consensus import Consensus, ImageSetPosition, consensus
from jobs.flares.fitted import fit_flares
from jobs.flares.relink import relink_runs, relink_spectra
from jobs.flares.rows import IMAGING, LIST, LOCATOR, SAME_FLARE, Layer, replace_layers
from jobs.inputs import flare_named_in
from stixcore.imaging.reconstruction import Method

_DAY = np.timedelta64(86_400_000_000, "us")
_HALF_MINUTE = np.timedelta64(30_000_000, "us")
#: Images whose energies have their middle below this are thermal, keV; but not those that begin at `SUBSTITUTE_FROM`
#: or above: they show the highest energies of a flare that has no image above, and are its non-thermal image.
THERMAL_BELOW = 15.0
SUBSTITUTE_FROM = 10.0
#: Methods of the best image, most wanted first; full-disk maps are never it.
BEST_METHODS = (Method.MEM_GE, Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.VIS_FWDFIT, Method.BP)
_DECONVOLVED = (Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.MEM_GE, Method.VIS_FWDFIT)
#: A position of a list further away than this, arcsec, and than 3 σ, is mentioned.
LIST_APART = 40.0


@dataclass(frozen=True)
class LocateReport:
    """Result of `update_flares`: ids of runs and spectra with another flare, and of rows with another layer."""

    relinked: tuple[str, ...] = ()
    located: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()


def update_flares(archive: Archive, now: np.datetime64, *, everything: bool = False) -> LocateReport:
    """Link runs and spectra to the flares of the list; locate and fit the flares whose images or spectra have changed.

    Parameters
    ----------
    archive : Archive
    now : datetime64
        For ``updated_at`` of changed rows, UTC.
    everything : bool
        All months, not only those that have changed since the last call.

    Returns
    -------
    LocateReport
        A second call changes nothing.
    """
    seen, before = FlareCheckpoint.now(archive), FlareCheckpoint.before(archive)
    months = seen.touched_since(None if everything else before)
    if not months and seen == before:
        return LocateReport()
    relinked = (*relink_runs(archive, months), *relink_spectra(archive, months))
    located: list[str] = []
    fitted: list[str] = []
    for month in sorted(months):
        located += locate_flares(archive, month, now)
        fitted += fit_flares(archive, month, now)
    if relinked or located or fitted:
        archive.build_read_model()
    seen.keep(archive)  # the next call reads what was written here, and finds nothing to do
    return LocateReport(relinked, tuple(sorted(located)), tuple(sorted(fitted)))


def locate_flares(archive: Archive, month: str, now: np.datetime64) -> tuple[str, ...]:
    """Locate the flares with their peak in a month ("2022-11"); returns the ids of changed rows."""
    begin = np.datetime64(month, "M").astype("datetime64[us]")
    end = (np.datetime64(month, "M") + np.timedelta64(1, "M")).astype("datetime64[us]")
    with archive.write_lock():
        flares = archive.flares(begin, end)
        sets, images = _sets(archive, begin, end), _images(archive, begin, end)
        named = _named(archive, begin, end, flares)
        layers = {}
        for flare in flares:
            own = sets.get(flare.flare_id, [])
            layer = _layer(flare, own, images, named.get(flare.flare_id, set()))
            underived = flare.sol_id is None and flare.dsun_au is not None  # a row of older software
            if underived or (layer.to_json() if layer else None) != flare.located:
                layers[flare.flare_id] = layer
        return replace_layers(archive, "located", layers, now).written if layers else ()


@dataclass(frozen=True)
class _Set:
    """A public image set: its row, as far as it is needed, and what it says about the position, if anything."""

    row: dict[str, Any]
    position: ImageSetPosition | None


def _sets(archive: Archive, begin: np.datetime64, end: np.datetime64) -> dict[str, list[_Set]]:
    """Public image sets by flare id."""
    where = Conditions.of(
        ("t_end > ?", begin - _DAY),
        ("t_start < ?", end + _DAY),
        ("status = ?", str(RunStatus.DONE)),
        ("NOT hidden AND flare_id IS NOT NULL AND group_id IS NULL", ()),
    )
    columns = (
        "run_id, flare_id, simulated, band, counts_total, counts_background, hpc_x, hpc_y, hpc_sigma_x, hpc_sigma_y, "
        "location_method, locator_x, locator_y, locator_counts, locator_level, warnings, recipe"
    )
    found = archive.rows(select(columns, RUNS.name, where.where + " ORDER BY run_id"), where.values)
    offsets = _offsets(archive, begin, end)
    sets: dict[str, list[_Set]] = defaultdict(list)
    for row in found:
        sets[row["flare_id"]].append(_Set(row, _position(row, offsets.get(row["run_id"], ()))))
    return sets


def _offsets(archive: Archive, begin: np.datetime64, end: np.datetime64) -> dict[str, list[tuple[float, float]]]:
    """Centroids of the deconvolved images of each set."""
    where = Conditions.of(
        ("t_end > ?", begin - _DAY),
        ("t_start < ?", end + _DAY),
        ("NOT hidden AND centroid_hpc_x IS NOT NULL AND group_id IS NULL", ()),
        ("method IN (SELECT unnest(?))", [str(method) for method in _DECONVOLVED]),
    )
    columns = "recipe_id, centroid_hpc_x, centroid_hpc_y"
    centroids: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for recipe_id, x, y in _records(archive, select(columns, IMAGES.name, where.where), where.values):
        centroids[recipe_id].append((x, y))
    return centroids


def _records(archive: Archive, sql: str, values: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
    found = archive.query(sql, list(values))
    return zip(*(column.to_pylist() for column in found.columns), strict=True)


def _position(row: dict[str, Any], centroids: Collection[tuple[float, float]]) -> ImageSetPosition | None:
    """What a set says about the position; nothing when a user gave the position."""
    x, y = row["hpc_x"], row["hpc_y"]
    if x is None or y is None or row["location_method"] == "given":
        return None
    sigmas = [sigma for sigma in (row["hpc_sigma_x"], row["hpc_sigma_y"]) if sigma is not None]
    offset = None
    if centroids:
        middle = median(cx for cx, _ in centroids), median(cy for _, cy in centroids)
        offset = math.hypot(middle[0] - x, middle[1] - y)
    located = row["locator_x"] is not None and row["locator_y"] is not None
    return ImageSetPosition(
        run_id=row["run_id"],
        band=row["band"],
        method=row["location_method"] or "",
        x=x,
        y=y,
        sigma=math.sqrt(sum(sigma**2 for sigma in sigmas) / 2.0) if len(sigmas) == 2 else None,
        counts=(row["counts_total"] or 0.0) - (row["counts_background"] or 0.0),
        reasons=_reasons(row["warnings"]),
        offset=offset,
        locator=(row["locator_x"], row["locator_y"]) if located else None,
        locator_counts=row["locator_counts"],
        locator_level=row["locator_level"],
    )


def _reasons(warnings: str) -> tuple[str, ...]:
    """Why a whole set, not one of its methods, doubts its position."""
    return tuple(
        found["text"]
        for found in json.loads(warnings)
        if found["severity"] == "doubt" and "method" not in found and "position" in found.get("doubts", ["position"])
    )


def _images(archive: Archive, begin: np.datetime64, end: np.datetime64) -> dict[tuple[str, bool, bool], str]:
    """Best public image by flare id, whether it is simulated, and whether it is thermal."""
    where = Conditions.of(
        ("t_end > ?", begin - _DAY),
        ("t_start < ?", end + _DAY),
        ("NOT hidden AND flare_id IS NOT NULL AND group_id IS NULL", ()),
        ("method IN (SELECT unnest(?))", [str(method) for method in BEST_METHODS]),
    )
    columns = "image_id, recipe_id, flare_id, method, e_low, e_high, trusted, simulated"
    net = select("run_id, counts_total - coalesce(counts_background, 0) AS net", RUNS.name)
    source = f"({select(columns, IMAGES.name, where.where)}) LEFT JOIN ({net}) ON run_id = recipe_id"
    best: dict[tuple[str, bool, bool], tuple[Any, ...]] = {}
    for image_id, _, flare_id, method, low, high, trusted, simulated, counts in _records(
        archive, select(f"{columns}, net", source), where.values
    ):
        below = (low + high) / 2.0 < THERMAL_BELOW
        substitute = below and low >= SUBSTITUTE_FROM
        order = (substitute, not trusted, BEST_METHODS.index(Method(method)), -(counts or 0.0), image_id)
        key = flare_id, simulated, below and not substitute
        best[key] = min(best.get(key, order), order)
    return {key: order[-1] for key, order in best.items()}


def _named(archive: Archive, begin: np.datetime64, end: np.datetime64, flares: list[Flare]) -> dict[str, set[str]]:
    """Other ids of flares, from the purposes of science files.

    An id names the minute of the peak. It means the nearest flare that is less than five minutes away.
    """
    where = Conditions.of(("t_end > ?", begin - _DAY), ("t_start < ?", end + _DAY), ("contains(purpose, ?)", "Flare "))
    others: dict[str, set[str]] = defaultdict(set)
    lists = {kind: _Peaks([flare for flare in flares if flare.simulated == kind]) for kind in (True, False)}
    for purpose, simulated in _records(
        archive, select("DISTINCT purpose, simulated", SCIENCE_FILES.name, where.where), where.values
    ):
        name = flare_named_in(purpose)
        time = _time_of(name)
        flare_id = None if time is None else lists[simulated].nearest(time, SAME_FLARE + _HALF_MINUTE)
        if flare_id is not None:
            others[flare_id].add(name)
    return {flare_id: names - {flare_id} for flare_id, names in others.items()}


class _Peaks:
    """Peaks of flares in order of time, so that the nearest is found without a look at all others."""

    def __init__(self, flares: Iterable[Flare]) -> None:
        self._flares = sorted(flares, key=lambda flare: (flare.t_peak, flare.flare_id))
        self._times = np.array([flare.t_peak for flare in self._flares], dtype="datetime64[us]")

    def nearest(self, time: np.datetime64, within: np.timedelta64) -> str | None:
        """Id of the flare with the nearest peak; of two as near, the lower id. None if all are ``within`` or more."""
        first, last = np.searchsorted(self._times, [time - within, time + within])
        apart = [(abs(flare.t_peak - time), flare.flare_id) for flare in self._flares[first:last]]
        distance, flare_id = min(apart, default=(within, ""))
        return flare_id if distance < within else None


def _time_of(flare_id: str) -> np.datetime64 | None:
    """Middle of the minute that an id names; None when it is no time."""
    if not flare_id:
        return None
    year, *rest = (flare_id[place : place + 2] for place in range(0, 10, 2))
    try:
        return np.datetime64("20{}-{}-{}T{}:{}".format(year, *rest), "us") + _HALF_MINUTE
    except ValueError:
        return None


def _layer(flare: Flare, sets: list[_Set], images: dict[tuple[str, bool, bool], str], named: set[str]) -> Layer | None:
    """The located layer of a flare; None when nothing is known."""
    own = [one for one in sets if one.row["simulated"] == flare.simulated]
    found = consensus([one.position for one in own if one.position is not None])
    values: dict[str, Any] = {
        "best_image_thermal": images.get((flare.flare_id, flare.simulated, True)),
        "best_image_nonthermal": images.get((flare.flare_id, flare.simulated, False)),
        "other_ids": " ".join(sorted(named)) or None,
    }
    values |= _locator(own)
    if found is not None:
        values |= _imaged(found, flare) | _observer(own, found.best.run_id)
    elif values.get("locator_x") is not None:
        place = {"hpc_x": values["locator_x"], "hpc_y": values["locator_y"]}
        values |= (
            place | {"location_source": LOCATOR, "location_method": LOCATOR} | _observer(own, own[0].row["run_id"])
        )
    known = {name: value for name, value in values.items() if value is not None}
    return Layer(IMAGING, {"flare_id": flare.flare_id, "t_peak": flare.t_peak, **known}) if known else None


def _locator(sets: list[_Set]) -> dict[str, Any]:
    """Best position of the coarse locator, from the set in which it has most counts."""
    with_one = [one.row for one in sets if one.row["locator_x"] is not None and one.row["locator_y"] is not None]
    best = max(with_one, key=lambda row: (row["locator_counts"] or 0.0, row["run_id"]), default=None)
    if best is None:
        return {}
    return {"locator_x": round(best["locator_x"], 1), "locator_y": round(best["locator_y"], 1)}


def _imaged(found: Consensus, flare: Flare) -> dict[str, Any]:
    doubts = [*found.doubts, *_list_doubt(found, flare)]
    return {
        "hpc_x": round(found.x, 2),
        "hpc_y": round(found.y, 2),
        "hpc_sigma": None if found.sigma is None else round(found.sigma, 2),
        "location_source": IMAGING,
        "location_method": found.best.method,
        "location_verdict": "doubtful" if doubts else "trusted",
        "location_doubts": json.dumps(doubts, ensure_ascii=False) if doubts else None,
    }


def _list_doubt(found: Consensus, flare: Flare) -> list[str]:
    listed = Layer.from_json(flare.imported) if flare.imported else None
    if listed is None or listed.values.get("hpc_x") is None:
        return []
    x, y = listed.values["hpc_x"], listed.values["hpc_y"]
    distance = math.hypot(x - found.x, y - found.y)
    if distance <= max(LIST_APART, 3.0 * (found.sigma or 0.0)):
        return []
    return [f"the {LIST} {listed.source} puts the flare {distance:.0f}″ away, at ({x:.0f}″, {y:.0f}″)"]


def _observer(sets: list[_Set], run_id: str) -> dict[str, Any]:
    """Place of Solar Orbiter, from the recipe of a set."""
    recipe = next(one.row["recipe"] for one in sets if one.row["run_id"] == run_id)
    pointing = json.loads(recipe)["pointing"] if recipe else {}
    distance, lon, lat = (pointing.get(name) for name in ("dsun_m", "stonyhurst_lon_deg", "b0_deg"))
    return {
        "dsun_au": None if distance is None else round(distance / AU_M, 6),
        "hgln": None if lon is None else round(lon, 5),
        "hglt": None if lat is None else round(lat, 5),
    }
