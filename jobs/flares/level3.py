"""Read flare lists of level 3: ``solo_L3_stix-flarelist-sdcloc_….fits``.

Times are Julian dates in two parts, UTC. Estimated fluxes are logarithms. Positions are barycentric (ICRS); off the
limb they lie on a sphere around Solar Orbiter, so their direction as seen from there is the measured one. A ratio of
the two highest peaks of the full-disk map of `SIDELOBES` or more makes a position doubtful. The GOES class of a flare
that is hidden from the Earth is that of another flare and is ignored, as in the other lists.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from astropy.io import fits

from archive.ingest.describe import AU_M, BEYOND, LAUNCH
from jobs.flares.csv import BadLine, FlareList, InvalidFlareList
from jobs.flares.rows import LIST, Layer
from stixcore.coordinates import SOLAR_RADIUS
from stixcore.errors import SelectionError
from stixcore.flares.goes import class_of_flux, flux_of_class
from stixcore.heliographic import SunPosition, place_of_icrs, seen_from
from stixcore.printable import printable

#: From this ratio of the second to the highest peak on, a position is doubtful.
SIDELOBES = 0.9
_EPOCH, _EPOCH_JD = np.datetime64("2000-01-01T12:00", "us"), 2_451_545.0
#: Beyond all Julian dates that are times of flares; larger numbers do not fit into a time.
_LATEST_JD = 1e7
_PLACE = tuple(
    f"{what}.{axis}" for what in ("location_icrs", "solo_location_icrs") for axis in ("ra", "dec", "distance")
)
_COLUMNS = (
    "flare_id", "start_UTC", "peak_UTC", "end_UTC", "att_in", "GOES_class", "GOES_flux", "goes_min_flux_est",
    "goes_max_flux_est", "goes_mean_flux_est", "lc_peak", "_position_status", "sidelobes_ratio", "visible_from_earth",
    "location_time_UTC", *_PLACE,
)  # fmt: skip


class _Refused(Exception):
    """A row that cannot be imported: column, value and reason."""


def _refuse(field: str, value: object, reason: str) -> NoReturn:
    raise _Refused(field, value, reason)


def is_fits(path: Path) -> bool:
    """Whether a file begins as a FITS file."""
    try:
        with path.open("rb") as stream:
            return stream.read(9) == b"SIMPLE  ="
    except OSError:
        return False


def read_level3_list(path: Path) -> FlareList:
    """Read a flare list of level 3.

    Raises
    ------
    InvalidFlareList
        When the file cannot be read, or lacks a column.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            table = hdus["DATA"].data
            columns = {name: np.array(table[name]) for name in table.names if name in _COLUMNS}
    except Exception as error:
        # astropy raises many kinds of errors for a damaged table, such as VerifyError and IndexError
        message = f"{path.name} is not a flare list: it has no table DATA that can be read ({error})"
        raise InvalidFlareList(message) from error
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        message = f"{path.name} is not a flare list of level 3: it has no column {missing[0]}"
        raise InvalidFlareList(message)
    for name, column in columns.items():
        _check_column(path, name, column)
    source = printable(path.name)  # a name that is not UTF-8 is stored as text
    layers: dict[str, Layer] = {}
    bad: list[BadLine] = []
    number, unseen = len(columns["flare_id"]), 0
    for place in range(number):
        row = {name: column[place] for name, column in columns.items()}
        try:
            values, was_unseen = _flare(row)
            if values["flare_id"] in layers:
                _refuse("flare_id", values["flare_id"], "an earlier row has the same id")
        except _Refused as refusal:
            bad.append(BadLine(place + 1, *(str(part) for part in refusal.args)))
            continue
        unseen += was_unseen
        layers[values["flare_id"]] = Layer(source, values)
    return FlareList(source, number, tuple(layers.values()), tuple(bad), unseen)


def _check_column(path: Path, name: str, column: np.ndarray[Any, Any]) -> None:
    """Refuse a column whose values have another type or shape: no row could be read."""
    kinds, what = {"flare_id": ("iu", "whole numbers"), "GOES_class": ("SU", "texts")}.get(name, ("biuf", "numbers"))
    each: str | int = "several" if name == "lc_peak" else 2 if name.endswith("_UTC") else 1
    fits_in = column.ndim == (1 if each == 1 else 2) and (each != 2 or column.shape[1] == 2)
    if column.dtype.kind not in kinds or not fits_in:
        message = (
            f"{path.name} is not a flare list of level 3: {name}: expected {each} {what} per flare, "
            f"found {column.dtype} of shape {column.shape}"
        )
        raise InvalidFlareList(message)


def _flare(row: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Known values of a row, and whether its GOES class was ignored."""
    flare_id = f"{int(row['flare_id']):010d}"
    if not 0 <= int(row["flare_id"]) < 10**10:
        _refuse("flare_id", flare_id, "expected ten digits, yymmddhhmm of the peak")
    start, peak, end = (_time(row, name) for name in ("start_UTC", "peak_UTC", "end_UTC"))
    if not start <= peak <= end:
        _refuse("peak_UTC", peak, f"the peak is not between start and end, {start} and {end}")
    position = _position(row)
    unseen = bool(position) and not bool(row["visible_from_earth"])
    low, center, high = (_logarithm(row[f"goes_{name}_flux_est"]) for name in ("min", "mean", "max"))
    values: dict[str, Any] = {
        "flare_id": flare_id,
        "t_start": start,
        "t_peak": peak,
        "t_end": end,
        **_counts(row["lc_peak"]),
        "attenuator_in": bool(row["att_in"]),
        **({} if unseen else _measured(row)),
        "goes_estimated_low": None if low is None else class_of_flux(low),
        "goes_estimated": None if center is None else class_of_flux(center),
        "goes_estimated_high": None if high is None else class_of_flux(high),
        "goes_estimated_flux": center,
        **position,
    }
    known = {name: value for name, value in values.items() if value is not None}
    return known, unseen and bool(_measured(row))


def _time(row: dict[str, Any], name: str) -> np.datetime64:
    days, fraction = (float(part) for part in row[name])
    if not (abs(days) < _LATEST_JD and abs(fraction) < _LATEST_JD):
        _refuse(name, f"{days}, {fraction}", "expected a Julian date in two parts, UTC")
    milliseconds = round((days - _EPOCH_JD) * 86_400e3) + round(fraction * 86_400e3)
    time: np.datetime64 = _EPOCH + np.timedelta64(milliseconds * 1000, "us")
    if not LAUNCH <= time < BEYOND:
        _refuse(name, time, f"expected a time between {LAUNCH} and {BEYOND}")
    return time


def _counts(peaks: Any) -> dict[str, float | None]:
    names = ("peak_counts", "peak_counts_10_15", "peak_counts_15_25")
    known = (float(value) if math.isfinite(value) and value >= 0.0 else None for value in peaks)
    return dict(zip(names, known, strict=False))


def _logarithm(value: Any) -> float | None:
    """Flux, W m⁻², of its decimal logarithm; None when it is unknown or beyond every flare."""
    return 10.0 ** float(value) if math.isfinite(value) and -10.0 < value < 0.0 else None


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    """GOES class and flux; a flux of zero is unknown."""
    flux = float(row["GOES_flux"])
    if not (math.isfinite(flux) and 0.0 < flux < 1.0):
        return {}
    text = str(row["GOES_class"]).strip()
    try:
        known = flux_of_class(text) is not None
    except SelectionError:
        known = False
    return {"goes_class": text if known else class_of_flux(flux), "goes_flux": flux}


def _position(row: dict[str, Any]) -> dict[str, Any]:
    """Position as seen from Solar Orbiter, and its place; empty without one."""
    numbers = [float(row[name]) for name in _PLACE]
    if not bool(row["_position_status"]) or not all(math.isfinite(number) for number in numbers):
        return {}
    for name in ("location_icrs.distance", "solo_location_icrs.distance"):
        if row[name] <= 0.0:
            _refuse(name, row[name], "expected a distance above 0")
    time = _time(row, "location_time_UTC")
    flare, solo = (
        place_of_icrs(numbers[first], numbers[first + 1], numbers[first + 2] * 1e3, time) for first in (0, 3)
    )
    height = max(flare.distance - SOLAR_RADIUS, 0.0)  # on the disk lists have another radius, 40 km less
    view = seen_from(SunPosition(flare.lon, flare.lat, off_limb=False, height=height, angle=0.0), solo)
    ratio = float(row["sidelobes_ratio"])
    doubt = f"in the list, the second highest peak of the full-disk map is {ratio:.2f} times the highest"
    doubtful = ratio >= SIDELOBES
    return {
        "hpc_x": round(view.x, 2),
        "hpc_y": round(view.y, 2),
        "location_source": LIST,
        "location_method": "as listed",
        "location_verdict": "doubtful" if doubtful else None,
        "location_doubts": json.dumps([doubt], ensure_ascii=False) if doubtful else None,
        "dsun_au": round(solo.distance / AU_M, 6),
        "hgln": round(solo.lon, 5),
        "hglt": round(solo.lat, 5),
    }
