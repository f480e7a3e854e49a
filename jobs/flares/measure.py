"""Measure the class of flares: from GOES files of the archive, and estimated from the background detector.

The results are the layer ``measured`` of the rows. Simulated flares are not compared with GOES, which is real.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive import Archive, Flare
from archive.goes import goes_curve, goes_months
from archive.index.schema import FLARES
from archive.index.sql import Conditions, select
from archive.ingest.describe import AU_M
from jobs.flares.rows import Changes, Layer, replace_layers
from jobs.inputs import InputCatalog
from stixcore.errors import StixError
from stixcore.fits.read import read_background_monitor, read_pixel_data
from stixcore.flares.background_detector import (
    ENERGY,
    DetectorCurve,
    DetectorPeak,
    curve_of_monitor,
    curve_of_pixels,
    peak_of,
)
from stixcore.flares.goes import class_of_flux, estimate_from_detector
from stixcore.flares.measured import GoesCurve, GoesPeak, goes_peak
from stixcore.heliographic import LIGHT, earth_at

#: Source of a layer without an estimate.
GOES = "GOES"
#: Number of the estimate's rules: another one makes all estimates again.
LAW = 1
#: Files that may cover one time: a day's file, or several requests of the same flare.
_SEVERAL = 16
HIDDEN = "hidden from the Earth"
NO_DISTANCE = "the light time to the Earth is not known"
#: GOES and the estimate of a flare at an unknown place may differ by this factor.
LARGEST_RATIO = 10.0
#: Start and end of a flare whose list does not give them, before and after the peak.
_BEFORE, _AFTER = np.timedelta64(300_000_000, "us"), np.timedelta64(600_000_000, "us")
_DAY = np.timedelta64(86_400_000_000, "us")
_DETECTOR = (
    "background_detector_flux",
    "goes_estimated_low",
    "goes_estimated",
    "goes_estimated_high",
    "goes_estimated_flux",
    "goes_estimated_from",
)


def measure_flares(
    archive: Archive,
    now: np.datetime64,
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    changed_since: np.datetime64 | None = None,
) -> Changes:
    """Measure the class of flares, and estimate it from the background detector.

    Parameters
    ----------
    archive : Archive
    now : datetime64
        Current time, UTC.
    start, end : datetime64, optional
        Time range of the peaks, UTC at Solar Orbiter; by default all.
    changed_since : datetime64, optional
        Only flares whose row was written since then.

    Returns
    -------
    Changes
        A second call writes nothing. Files of the background detector are read again only for flares that changed.

    Raises
    ------
    IndexDamaged, ArchiveBusy
        When a file of the index or a month of GOES data cannot be read; when another process holds the write lock.
    """
    chosen = Conditions.of(("t_peak >= ?", start), ("t_peak < ?", end), ("updated_at >= ?", changed_since))
    rows = FLARES.to_rows(archive.query(select("*", FLARES.name, f"{chosen.where} ORDER BY t_peak"), chosen.values))
    if not rows:
        return Changes()
    detectors = {simulated: _Detector(archive, simulated) for simulated in (False, True)}
    estimates = {row.flare_id: detectors[row.simulated].estimate(row) for row in rows}
    measured = _measured([row for row in rows if not row.simulated], archive, estimates)
    layers: dict[str, Layer | None] = {}
    for row in rows:
        source, values = estimates[row.flare_id]
        values = {**values, **measured.get(row.flare_id, {})}
        own = {"flare_id": row.flare_id, "t_peak": row.t_peak}
        layer = Layer(source, values | own) if values else None
        if (layer.to_json() if layer else None) != row.measured:
            layers[row.flare_id] = layer
    if not layers:
        return Changes()
    changes = replace_layers(archive, "measured", layers, now)
    if changes.written:
        archive.build_read_model()
    return changes


def _limits(row: Flare) -> _Limits:
    start = row.t_start if row.t_start is not None else row.t_peak - _BEFORE
    end = row.t_end if row.t_end is not None else row.t_peak + _AFTER
    return start, row.t_peak, end


def _delay(row: Flare) -> np.timedelta64 | None:
    """Light time to the Earth less that to Solar Orbiter; from Sun center where the flare's place is not known."""
    seconds = row.earth_delay_s
    if seconds is None and row.dsun_au is not None:
        # t_Earth = t + (D_Earth − D) / c
        seconds = (earth_at(row.t_peak).distance - row.dsun_au * AU_M) / LIGHT
    return None if seconds is None else np.timedelta64(round(seconds * 1e6), "us")


type _Limits = tuple[np.datetime64, np.datetime64, np.datetime64]

# GOES ----------------------------------------------------------------------------------------------------------------


def _measured(
    rows: list[Flare], archive: Archive, estimates: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """Values from GOES files by flare id; no entry where the archive has no files of that month."""
    months = set(goes_months(archive.root))
    found: dict[str, GoesPeak | str] = {}
    curve, until = GoesCurve(np.array([], "datetime64[us]"), np.array([]), np.array([], int)), None
    for row in rows:
        if str(row.t_peak.astype("datetime64[M]")) not in months:
            continue
        if until is None or row.t_peak >= until:  # a few days at a time
            until = row.t_peak + 10 * _DAY
            curve = goes_curve(archive.root, row.t_peak - _DAY, until + _DAY)
        found[row.flare_id] = _peak(row, curve, estimates[row.flare_id][1])
    for flare_id, other in _outshone(rows, found, estimates).items():
        found[flare_id] = f"flare {other}, which is stronger, has the same GOES peak"
    return {flare_id: _goes_values(peak) for flare_id, peak in found.items()}


def _peak(row: Flare, curve: GoesCurve, estimate: Mapping[str, Any]) -> GoesPeak | str:
    delay = _delay(row)
    if row.earth_visible is False:
        return HIDDEN
    if delay is None:
        return NO_DISTANCE
    start, peak, end = _limits(row)
    found = goes_peak(curve, start + delay, peak + delay, end + delay)
    expected = estimate.get("goes_estimated_flux") or row.goes_estimated_flux
    if isinstance(found, GoesPeak) and row.earth_visible is None and expected:
        ratio = found.excess / expected
        if not 1 / LARGEST_RATIO <= ratio <= LARGEST_RATIO:
            times = ratio if ratio > 1 else 1 / ratio
            return f"GOES saw another flare: its rise is {times:.0f} times {'above' if ratio > 1 else 'below'} STIX's"
    return found


def _outshone(
    rows: Iterable[Flare],
    found: Mapping[str, GoesPeak | str],
    estimates: Mapping[str, tuple[str, Mapping[str, Any]]],
) -> dict[str, str]:
    """Flares whose GOES peak is that of a stronger flare, and that flare."""

    def strength(row: Flare) -> float:
        # the same detector where both have it; the counts otherwise
        return float(row.peak_counts or 0.0)

    def detector(row: Flare) -> float:
        return float(estimates[row.flare_id][1].get("background_detector_flux") or 0.0)

    of_peak: dict[np.datetime64, list[Flare]] = {}
    for row in rows:
        peak = found.get(row.flare_id)
        if isinstance(peak, GoesPeak):
            of_peak.setdefault(peak.time, []).append(row)
    outshone: dict[str, str] = {}
    for flares in of_peak.values():
        use = detector if all(detector(row) > 0 for row in flares) else strength
        strongest = max(flares, key=use)
        outshone |= {row.flare_id: strongest.flare_id for row in flares if row is not strongest}
    return outshone


def _goes_values(peak: GoesPeak | str) -> dict[str, Any]:
    if isinstance(peak, str):
        return {"goes_note": peak}
    return {
        "goes_class": class_of_flux(peak.flux),
        "goes_flux": float(f"{peak.flux:.4g}"),
        "goes_source": peak.satellite,
        "goes_t_peak": peak.time,
        "goes_background": float(f"{peak.background:.4g}"),
    }


# Background detector -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    """A file with counts of the background detector."""

    name: str
    path: str
    sha256: str
    t_start: np.datetime64
    t_end: np.datetime64


class _Files:
    """Files in order of their start."""

    def __init__(self, archive: Archive, table: str, product: str, rest: str, simulated: bool) -> None:
        where = f" WHERE simulated = ? AND superseded_by IS NULL AND product = ?{rest} ORDER BY t_start, name"
        rows = archive.rows(select("name, path, sha256, t_start, t_end", table, where), [simulated, product])
        self._files = [
            _File(
                row["name"],
                row["path"],
                row["sha256"],
                np.datetime64(row["t_start"], "us"),
                np.datetime64(row["t_end"], "us"),
            )
            for row in rows
        ]
        self._starts = np.array([file.t_start for file in self._files], dtype="datetime64[us]")

    def at(self, time: np.datetime64) -> list[_File]:
        """Files that cover a time, the latest start first."""
        last = int(np.searchsorted(self._starts, time, side="right"))
        return [file for file in reversed(self._files[max(last - _SEVERAL, 0) : last]) if file.t_end > time]


class _Detector:
    """Estimates from the background detector, of real or of simulated flares. Flares come in order of time."""

    def __init__(self, archive: Archive, simulated: bool) -> None:
        self._archive, self._simulated = archive, simulated
        self._monitors = _Files(archive, "other_files", "ql-background", "", simulated)
        wanted = " AND NOT is_background AND e_low <= 4 AND e_high >= 10"
        self._pixels = _Files(archive, "science_files", "sci-xray-cpd", wanted, simulated)
        self._curves: dict[str, DetectorCurve] = {}
        self._quiet: dict[str, tuple[float, float] | None] = {}
        self._inputs: InputCatalog | None = None

    def estimate(self, row: Flare) -> tuple[str, dict[str, Any]]:
        """Source of an estimate, and its values; without values where there is none."""
        if row.dsun_au is None:
            return GOES, {}
        limits = _limits(row)
        for files, is_monitor in ((self._monitors, True), (self._pixels, False)):
            for file in files.at(row.t_peak):
                source = _source(file, limits, row.dsun_au)
                values = _known(row, source)
                if values is None:
                    values = _values(self._peak(file, is_monitor, limits), row.dsun_au)
                if values:
                    return source, values
        return GOES, {}

    def _peak(self, file: _File, is_monitor: bool, limits: _Limits) -> DetectorPeak | None:
        with suppress(StixError, OSError):  # files that cannot be used are reported by `stix-jobs check`
            curve = self._curve(file, is_monitor)
            found = peak_of(curve, *limits)
            if found is None and not is_monitor:
                found = peak_of(curve, *limits, self._background(file, limits))
            return found
        return None

    def _curve(self, file: _File, is_monitor: bool) -> DetectorCurve:
        if file.name not in self._curves:
            path = self._archive.path_of(file.path)
            read = (
                curve_of_monitor(read_background_monitor(path))
                if is_monitor
                else curve_of_pixels(read_pixel_data(path))
            )
            self._curves = {file.name: read}
        return self._curves[file.name]

    def _background(self, file: _File, limits: _Limits) -> tuple[float, float] | None:
        """Rate in the background file of a science file."""
        if self._inputs is None:
            self._inputs = InputCatalog.of(self._archive)
        science = self._inputs.science.get(file.name)
        choice = self._inputs.background_for(science, limits[0], limits[2], ENERGY) if science else None
        if choice is None or choice.chosen is None:
            return None
        chosen = choice.chosen
        if chosen.name not in self._quiet:
            self._quiet[chosen.name] = None
            with suppress(StixError, OSError):
                curve = curve_of_pixels(read_pixel_data(self._archive.path_of(chosen.path)))
                self._quiet[chosen.name] = curve.rate(np.ones(curve.counts.size, bool))
        return self._quiet[chosen.name]


def _source(file: _File, limits: _Limits, dsun_au: float) -> str:
    """Name of a file, and a hash of everything that an estimate follows from."""
    text = f"{LAW} {file.sha256} {limits[0]} {limits[1]} {limits[2]} {dsun_au:.6f}"
    return f"{file.name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _known(row: Flare, source: str) -> dict[str, Any] | None:
    """Values of an earlier estimate from the same file for the same flare."""
    layer = Layer.from_json(row.measured) if row.measured else None
    if layer is None or layer.source != source:
        return None
    return {name: layer.values[name] for name in _DETECTOR if name in layer.values}


def _values(peak: DetectorPeak | None, dsun_au: float) -> dict[str, Any]:
    if peak is None or not peak.detected:
        return {}
    known = estimate_from_detector(peak.flux, peak.sigma, dsun_au)
    values = (float(f"{peak.flux:.4g}"), known.low, known.center, known.high, known.flux, known.source)
    if known.low is None:
        return {}
    # a lower limit replaces the class and the flux of the counts, too
    return dict(zip(_DETECTOR, values, strict=True))
