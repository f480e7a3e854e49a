"""Read flare lists: CSV files with a header line.

Supported are the columns of the STIX Data Center's list (as stixdcpy saves it), of the science flare lists with
locations made from it (hayesla/stix_flarelist_science, all versions), and of lists with the same column names. Other
columns are ignored.

Unknown values are empty: "", "nan", "NA", a flux of 0, and a location of exactly (0, 0), which some lists write for
"none". Locations in the instrument frame (``CFL_X_arcsec``, ``loc_x_stix``) are ignored, because without the pointing
they do not give a place on the Sun. The GOES class of a flare that was not visible from the Earth, according to the
list, is that of another flare and is ignored, too.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from archive.ingest.describe import BEYOND, LAUNCH, ORBIT_AU
from jobs.flares.rows import LIST, Layer
from stixcore.errors import SelectionError, StixError
from stixcore.flares import flux_of_class
from stixcore.flares.detect import flare_id_of
from stixcore.printable import printable
from stixcore.times import without_utc

#: Largest file that is read, byte; real lists are smaller.
MAX_BYTES = 1 << 28
#: Largest distance of a flare from the Sun's center, arcsec; the solar radius is 3500 at perihelion.
FARTHEST = 5000.0

_UNKNOWN = {"", "nan", "none", "null", "na", "n/a", "nat"}
_ID = re.compile(r"\d{10}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?", re.ASCII)


class InvalidFlareList(StixError):
    """A file that is not a flare list: not CSV, or without a column for the peak time."""


@dataclass(frozen=True)
class BadLine:
    """A line that was not imported.

    Attributes
    ----------
    line : int
        Number of the line in the file, from 1.
    field : str
        Column name in the file; empty when the whole line is wrong.
    value : str
        Text in that column.
    reason : str
    """

    line: int
    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.field} = {self.value!r}" if self.field else "")
        return f"{where}: {self.reason}"


@dataclass(frozen=True)
class FlareList:
    """Content of a list: its flares, the rejected lines, and the number of ignored GOES classes; see `ImportReport`."""

    source: str
    lines: int
    layers: tuple[Layer, ...]
    bad: tuple[BadLine, ...]
    unseen: int


def read_flare_list(path: Path) -> FlareList:
    """Read a flare list.

    Raises
    ------
    InvalidFlareList
        When the file cannot be read, is not CSV, or has no column for the peak time.
    """
    header, lines = _table(path)
    source = printable(path.name)  # a name that is not UTF-8 is stored as text
    places = _places(header)
    if "t_peak" not in places:
        message = f"{path.name} is not a flare list: it has no column peak_utc (it has {', '.join(header[:8])} …)"
        raise InvalidFlareList(message)
    layers: dict[str, tuple[int, Layer]] = {}
    bad: list[BadLine] = []
    unseen = 0
    for number, cells in lines:
        row = _Row(header, places, cells)
        try:
            values, was_unseen = _flare(row)
            earlier = layers.get(values["flare_id"])
            if earlier and earlier[1].values != values:
                row.refuse("flare_id", f"line {earlier[0]} says something else of this flare")
        except _Refused as refusal:
            bad.append(BadLine(number, refusal.field, refusal.value, refusal.reason))
            continue
        unseen += was_unseen
        layers.setdefault(values["flare_id"], (number, Layer(source, values)))
    return FlareList(source, len(lines), tuple(layer for _, layer in layers.values()), tuple(bad), unseen)


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and the other lines with their numbers."""
    try:
        if path.stat().st_size > MAX_BYTES:
            message = f"{path.name} is not a flare list: it has more than {MAX_BYTES} bytes"
            raise InvalidFlareList(message)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        message = f"{path.name} is not a flare list: it is not text in UTF-8 ({_not_utf8(path)}); save it as UTF-8"
        raise InvalidFlareList(message) from error
    except (OSError, csv.Error) as error:
        message = f"{path.name} is not a flare list: {error}"
        raise InvalidFlareList(message) from error
    if not rows:
        message = f"{path.name} is not a flare list: it is empty"
        raise InvalidFlareList(message)
    header, lines = [cell.strip() for cell in rows[0][1]], rows[1:]
    if lines and all(len(cells) == len(header) + 1 for _, cells in lines):
        header = ["", *header]  # pandas writes row numbers in a column without a name
    return header, lines


def _not_utf8(path: Path) -> str:
    """The first byte of a file that is not UTF-8, with its line."""
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"byte {content[error.start]:#04x} on line {line}"
    return "the file has changed"


def _places(header: list[str]) -> dict[str, int]:
    """Index of each column of `_COLUMNS`, by the first of its names in the header."""
    lower = [name.lower() for name in header]
    named = {what: next((name for name in names if name in lower), None) for what, names in _COLUMNS.items()}
    return {what: lower.index(name) for what, name in named.items() if name is not None}


#: Column names of known lists, in lower case, in order of preference.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "flare_id": ("flare_id", "flare id"),
    "t_start": ("start_utc",),
    "t_peak": ("peak_utc",),
    "t_end": ("end_utc",),
    "peak_counts": ("ql_peak_counts_4_10", "lc0_peak_counts_4s", "4-10 kev"),
    "peak_counts_10_15": ("ql_peak_counts_10_15", "lc1_peak_counts_4s", "10-15 kev"),
    "peak_counts_15_25": ("ql_peak_counts_15_25", "lc2_peak_counts_4s", "15-25 kev"),
    "attenuator_in": ("attenuator_in", "att_in"),
    "goes_class": ("goes_class", "goes_class_time_of_flare"),
    "goes_flux": ("goes_flux", "goes_flux_time_of_flare"),
    "goes_estimated_low": ("goes_estimated_min_class",),
    "goes_estimated": ("goes_estimated_mean_class",),
    "goes_estimated_high": ("goes_estimated_max_class",),
    "dsun_au": ("solo_distance_au", "solo_position_au_distance", "solo_au_distance"),
    "hgln": ("solo_hgs_lon", "solo_position_lon"),
    "hglt": ("solo_hgs_lat", "solo_position_lat"),
    "visible": ("visible_from_earth",),
    "fit_x": ("fwdfit_hpc_x", "x flare loc"),
    "fit_y": ("fwdfit_hpc_y", "y flare loc"),
    "listed_x": ("hpc_x_solo",),
    "listed_y": ("hpc_y_solo",),
    "map_x": ("bp_peak_hpc_x", "max x coord bp"),
    "map_y": ("bp_peak_hpc_y", "max y coord bp"),
}
#: Columns of locations, in order of preference, and the method of each.
_LOCATIONS = (
    ("fit_x", "fit_y", "forward fit"),
    ("listed_x", "listed_y", "as listed"),
    ("map_x", "map_y", "peak of the full-disk map"),
)


class _Refused(Exception):
    """A line that cannot be imported."""

    def __init__(self, reason: str, field: str = "", value: str = "") -> None:
        super().__init__(reason)
        self.field, self.value, self.reason = field, value, reason


@dataclass(frozen=True)
class _Row:
    """One line; every method raises `_Refused` when its cell is invalid."""

    header: list[str]
    places: dict[str, int]
    cells: list[str]

    def refuse(self, what: str, reason: str) -> NoReturn:
        """Reject the line because of a cell."""
        place = self.places.get(what)
        if place is None:
            raise _Refused(reason)
        raise _Refused(reason, self.header[place], self.text(what))

    def text(self, what: str) -> str:
        place = self.places.get(what)
        return "" if place is None else self.cells[place].strip()

    def known(self, what: str) -> bool:
        return self.text(what).lower() not in _UNKNOWN

    def time(self, what: str) -> np.datetime64 | None:
        if not self.known(what):
            return None
        try:
            text = without_utc(self.text(what))
        except SelectionError:
            self.refuse(what, "expected a time in UTC, without another offset than +00:00")
        if not _TIME.fullmatch(text):
            self.refuse(what, "expected a time like 2022-11-09T00:50:20.013, UTC")
        try:
            time = np.datetime64(text.replace(" ", "T"), "us")
        except ValueError:
            self.refuse(what, "no such date")
        if not LAUNCH <= time < BEYOND:
            self.refuse(what, f"expected a time between {LAUNCH} and {BEYOND}")
        return time

    def number(self, what: str, low: float, high: float, unit: str) -> float | None:
        if not self.known(what):
            return None
        try:
            number = float(self.text(what))
        except ValueError:
            self.refuse(what, "expected a number")
        if not low <= number <= high:
            self.refuse(what, f"expected {low:g} to {high:g} {unit}".rstrip())
        return number

    def truth(self, what: str) -> bool | None:
        if not self.known(what):
            return None
        text = self.text(what).lower()
        if text not in _TRUTHS:
            self.refuse(what, "expected True or False")
        return _TRUTHS[text]

    def goes_class(self, what: str) -> str | None:
        if not self.known(what):
            return None
        try:
            flux_of_class(self.text(what))
        except SelectionError as error:
            self.refuse(what, str(error))
        return self.text(what)


def _flare(row: _Row) -> tuple[dict[str, Any], bool]:
    """Known values of one line, and whether its GOES class was ignored.

    Raises
    ------
    _Refused
        When a value is invalid.
    """
    if len(row.cells) != len(row.header):
        reason = f"expected {len(row.header)} fields as in the header, found {len(row.cells)}"
        raise _Refused(reason)
    t_start, t_peak, t_end = (row.time(name) for name in ("t_start", "t_peak", "t_end"))
    if t_peak is None:
        row.refuse("t_peak", "a flare needs the time of its peak")
    if t_start is not None and t_start > t_peak:
        row.refuse("t_start", f"the flare begins after its peak at {t_peak}")
    if t_end is not None and t_end < t_peak:
        row.refuse("t_end", f"the flare ends before its peak at {t_peak}")
    flare_id = row.text("flare_id") if row.known("flare_id") else flare_id_of(t_peak)
    if not _ID.fullmatch(flare_id):
        row.refuse("flare_id", "expected ten digits, yymmddhhmm of the peak")
    hpc_x, hpc_y, method = _location(row)
    goes_class, goes_flux = row.goes_class("goes_class"), row.number("goes_flux", 0.0, 1.0, "W m⁻²")
    unseen = bool(row.truth("visible") is False and hpc_x is not None and (goes_class or goes_flux))
    values = {
        "flare_id": flare_id,
        "t_start": t_start,
        "t_peak": t_peak,
        "t_end": t_end,
        **{name: row.number(name, 0.0, 1e12, "ct") for name in _COUNTS},
        "attenuator_in": row.truth("attenuator_in"),
        "goes_class": None if unseen else goes_class,
        # without a flux column, the class gives two digits
        "goes_flux": None if unseen else (goes_flux or (flux_of_class(goes_class) if goes_class else None)),
        **{name: row.goes_class(name) for name in _ESTIMATES},
        "hpc_x": hpc_x,
        "hpc_y": hpc_y,
        "location_source": None if hpc_x is None else LIST,
        "location_method": method,
        "dsun_au": row.number("dsun_au", *ORBIT_AU, "au"),
        "hgln": row.number("hgln", -180.0, 360.0, "deg"),
        "hglt": row.number("hglt", -90.0, 90.0, "deg"),
    }
    return {name: value for name, value in values.items() if value is not None}, unseen


def _location(row: _Row) -> tuple[float | None, float | None, str | None]:
    for name_x, name_y, method in _LOCATIONS:
        x, y = (row.number(name, -FARTHEST, FARTHEST, "arcsec") for name in (name_x, name_y))
        if (x is None) != (y is None):
            row.refuse(name_y if y is None else name_x, "one coordinate without the other")
        if x is not None and (x, y) != (0.0, 0.0):
            return x, y, method
    return None, None, None


_COUNTS = ("peak_counts", "peak_counts_10_15", "peak_counts_15_25")
_ESTIMATES = ("goes_estimated_low", "goes_estimated", "goes_estimated_high")
_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False, "yes": True, "no": False}
