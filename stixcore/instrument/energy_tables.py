"""On-board energy look-up tables (ELUT), their validity, and the science channels, as published in STIX-CONF.

Every parser takes the text and the name of a file. A text that it cannot parse raises an error of one sentence.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError
from stixcore.printable import excerpt

N_DETECTORS = 32
N_PIXELS = 12
N_EDGES = 31
#: Number of energy channels of the on-board converter (ADC), which has 12 bits.
N_ADC = 4096
#: Range of plausible gains, keV/ADC; published ones are 0.104 to 0.113.
PLAUSIBLE_GAIN = (0.05, 0.2)
#: Edges further than this from their nominal energy are errors, keV: they are set to the nearest ADC value, which is
#: 0.06 keV away at most.
EDGE_REACH = 2.0
#: Table names, as in ``ob_elut_name`` of CAL files; published files add ``.csv``.
TABLE_NAME = re.compile(r"elut_table_[0-9]{8}")
CHANNELS_NAME = re.compile(r"ScienceEnergyChannels_[0-9]+")
_FIRST_TITLES = ("Offset", "Gain", "Pixel", "Detector")
# "ADC Edge 0 - 4 keV", "ADC Edge 1 - 5.50 keV", "ADC Edge #0 - 4 keV"
_EDGE_TITLE = re.compile(r"ADC Edge #?([0-9]{1,2}) - ([0-9]{1,3}(?:\.[0-9]{1,6})?) keV")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, eq=False)
class EnergyLookupTable:
    """On-board energy look-up table (ELUT), or the edges that a daily calibration measured while it was in force.

    Attributes
    ----------
    name : str
        For example ``elut_table_20220918``.
    edges : (32, 12, 31) float, keV
        Actual energies of the on-board channel edges, per detector and pixel.
    nominal : (31,) float, keV
        Corresponding edges of the science channels (4 … 150 keV).
    sha256 : str
        SHA-256 of the published file.
    adc : (32, 12, 31) int, or None
        On-board edges in ADC units.
    offset, gain : (32, 12) float in ADC and keV/ADC, or None
    """

    name: str
    edges: NDArray[np.float64]
    nominal: NDArray[np.float64]
    sha256: str = ""
    adc: NDArray[np.int64] | None = None
    offset: NDArray[np.float64] | None = None
    gain: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        sha256: str,
        nominal: NDArray[np.float64],
        offset: NDArray[np.float64],
        gain: NDArray[np.float64],
        adc: NDArray[np.int64],
    ) -> EnergyLookupTable:
        """Make a table from on-board values: E = (ADC - offset)·gain."""
        edges = (adc - offset[:, :, None]) * gain[:, :, None]
        return cls(name, edges, nominal, sha256, adc, offset, gain)

    def agrees_with(self, other: EnergyLookupTable) -> bool:
        """Whether both tables have the same edges."""
        return np.array_equal(self.edges, other.edges) and np.array_equal(self.nominal, other.nominal)


@dataclass(frozen=True)
class Validity:
    """Interval [start, end), UTC, in which a named table is in force; ``end`` is None when no end is known."""

    name: str
    start: np.datetime64
    end: np.datetime64 | None


@dataclass(frozen=True)
class ScienceChannels:
    """A set of science channels: its name, and the finite edges from 0 keV upward."""

    name: str
    edges: tuple[float, ...]


def table_name(file_name: str) -> str:
    """Name of a table from the name of its file.

    Raises
    ------
    CalibrationError
        When the name is not of the form ``elut_table_YYYYMMDD``.
    """
    name = file_name.strip().removesuffix(".csv")
    if not TABLE_NAME.fullmatch(name):
        message = f"{excerpt(file_name)} is not the name of an energy table (example: elut_table_20260529.csv)"
        raise CalibrationError(message)
    return name


def parse_energy_table(text: str, file_name: str, sha256: str) -> EnergyLookupTable:
    """Parse an energy table from the text of ``elut_table_YYYYMMDD.csv``.

    Raises
    ------
    CalibrationError
        When a pixel, an edge or a number is missing or impossible.
    """
    name = table_name(file_name)
    lines = text.lstrip("\ufeff").splitlines()
    heading = next((i for i, line in enumerate(lines) if line.startswith(_FIRST_TITLES[0])), None)
    if heading is None:
        raise _bad(file_name, "no line of column names that starts with 'Offset'")
    ((_, titles),) = _csv_rows(lines[heading : heading + 1], heading, file_name)
    nominal = _nominal_energies(titles, f"{file_name}, line {heading + 1}")
    rows = list(_csv_rows(lines[heading + 1 :], heading + 1, file_name))
    values = np.array([_numbers(row, titles, f"{file_name}, line {line}") for line, row in rows]).reshape(
        -1, len(titles)
    )

    def require(right: NDArray[np.bool_], expected: str, first: int) -> None:
        """Raise an error for the first value that is not ``right``, whose first column is column ``first``."""
        if not right.all():
            row, column = np.argwhere(~right)[0]
            found = f"column {excerpt(titles[first + column])}: {values[row, first + column]:.9g} is not {expected}"
            line = f"{file_name}, line {rows[row][0]}"
            raise _bad(line, found)

    gain, place, adc = values[:, 1:2], values[:, 2:4], values[:, 4:]
    low, high = PLAUSIBLE_GAIN
    require((gain >= low) & (gain <= high), f"a gain of {low} to {high} keV/ADC", 1)
    within = (place >= 0) & (place < (N_PIXELS, N_DETECTORS)) & (place == np.rint(place))
    require(within, f"a whole number below {N_PIXELS} (pixel) or {N_DETECTORS} (detector)", 2)
    require((adc >= 0) & (adc < N_ADC) & (adc == np.rint(adc)), f"a whole number from 0 to {N_ADC - 1}", 4)
    require(np.diff(adc, axis=1) > 0, "above the edge before it", 5)
    energy = (adc - values[:, :1]) * gain
    near = f"an edge within {EDGE_REACH:g} keV of the energy in its title, with the offset and gain of its row"
    require(np.abs(energy - nominal) <= EDGE_REACH, near, 4)
    order = np.lexsort((place[:, 0], place[:, 1]))
    if place[order].tolist() != [[p, d] for d in range(N_DETECTORS) for p in range(N_PIXELS)]:
        raise _bad(file_name, f"must have one row for each of {N_DETECTORS} x {N_PIXELS} pixels, has {len(rows)} rows")
    ordered = values[order].reshape(N_DETECTORS, N_PIXELS, len(titles))
    return EnergyLookupTable.of(
        name, sha256, nominal, ordered[:, :, 0], ordered[:, :, 1], ordered[:, :, 4:].astype(np.int64)
    )


def _nominal_energies(titles: list[str], place: str) -> NDArray[np.float64]:
    """Energies of the edges from the column names, (31,) float, keV."""
    for title, first in zip(titles, _FIRST_TITLES, strict=False):
        if title.partition(" ")[0] != first:
            raise _bad(place, f"column name {excerpt(title)} stands where {first!r} was expected")
    found = [_EDGE_TITLE.fullmatch(title) for title in titles[len(_FIRST_TITLES) :]]
    numbers = [int(match[1]) for match in found if match]
    if len(found) != N_EDGES or numbers != list(range(N_EDGES)):
        raise _bad(place, f"column names must be four and then 'ADC Edge 0 - … keV' to {N_EDGES - 1}")
    nominal = np.array([float(match[2]) for match in found if match])
    if not (np.diff(nominal) > 0).all():
        raise _bad(place, "energies of the edges do not increase")
    return nominal


def _csv_rows(lines: list[str], before: int, file_name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with their line numbers; cells are stripped, and empty cells at the end removed."""
    reader = csv.reader(lines)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield before + reader.line_num, cells
    except csv.Error as error:
        raise _bad(file_name, f"line {before + reader.line_num} cannot be read: {error}") from error


def _numbers(row: list[str], titles: list[str], place: str) -> list[float]:
    if len(row) != len(titles):
        raise _bad(place, f"a row of {len(row)} numbers, {len(titles)} needed")
    numbers = []
    for cell, title in zip(row, titles, strict=True):
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise _bad(place, f"column {excerpt(title)}: {excerpt(cell)} is not a finite number")
        numbers.append(number)
    return numbers


def read_energy_table(path: Path) -> EnergyLookupTable:
    """Read an energy table from a published file, with its SHA-256.

    Raises
    ------
    CalibrationError
        When the file is not an energy table.
    OSError
        When the file cannot be read.
    """
    content = path.read_bytes()
    return parse_energy_table(decoded(content, path.name), path.name, hashlib.sha256(content).hexdigest())


def decoded(content: bytes, file_name: str) -> str:
    """Decode the content of a published file.

    Raises
    ------
    CalibrationError
        When it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(file_name, f"is not text ({error.reason} at byte {error.start})") from error


def parse_validity(text: str, file_name: str, names: re.Pattern[str] = TABLE_NAME) -> tuple[Validity, ...]:
    """Parse the rows of ``elut_index.csv`` or ``science_echan_index.csv``, in order of time.

    The running number is ignored, as the published list has 17 twice. ``.csv`` is removed from the names.

    Parameters
    ----------
    text, file_name : str
    names : compiled pattern
        Pattern of valid names, without ``.csv``.

    Raises
    ------
    CalibrationError
        When a date or a name is invalid, intervals are empty or overlap, or two consecutive rows have the same name.
    """
    rows: list[tuple[Validity, int]] = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines()[1:], 2):
        cells = [cell.strip() for cell in line.split(",")]
        if not any(cells):
            continue
        place = f"{file_name}, line {number}"
        if len(cells) != 4 or not _DATE.fullmatch(cells[1]) or not (cells[2] == "none" or _DATE.fullmatch(cells[2])):
            raise _bad(place, f"{excerpt(line.strip())} is not 'number, start, end or none, file name'")
        try:
            start = np.datetime64(cells[1], "us")
            end = None if cells[2] == "none" else np.datetime64(cells[2], "us")
        except ValueError as error:
            raise _bad(place, f"{excerpt(line.strip())} has an impossible date") from error
        name = cells[3].removesuffix(".csv")
        if not names.fullmatch(name):
            raise _bad(place, f"{excerpt(cells[3])} is not a name of the form {names.pattern}")
        if end is not None and end <= start:
            raise _bad(place, f"{name} ends at {cells[2]}, before it starts at {cells[1]}")
        rows.append((Validity(name, start, end), number))
    if not rows:
        raise _bad(file_name, "no rows")
    rows.sort(key=lambda pair: pair[0].start)
    for (row, line_a), (following, line_b) in pairwise(rows):
        place = f"{file_name}, lines {line_a} and {line_b}"
        if row.end is None or row.end > following.start or row.start == following.start:
            raise _bad(place, f"{row.name} and {following.name} are both in force at {following.start}")
        if row.name == following.name:
            raise _bad(place, f"{row.name} is said to start both at {row.start} and at {following.start}")
    return tuple(row for row, _ in rows)


def parse_science_channels(text: str, file_name: str) -> ScienceChannels:
    """Parse science channels from the text of ``ScienceEnergyChannels_….csv``.

    Raises
    ------
    CalibrationError
        When the text does not list 32 adjacent channels.
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.lstrip("\ufeff").splitlines())]
    channels = [row for row in rows if len(row) > 4 and row[0].isdigit()]
    try:
        lower = [float(row[3]) for row in channels]
        upper = [float(row[4]) for row in channels[:-1]]  # the last one is open
    except ValueError as error:
        raise _bad(file_name, f"an edge is not a number ({excerpt(str(error))})") from error
    if [int(row[0]) for row in channels] != list(range(32)) or lower[1:] != upper or sorted(set(lower)) != lower:
        raise _bad(file_name, "must list channels 0 to 31, each beginning where the one before ends")
    return ScienceChannels(file_name.removesuffix(".csv"), tuple(lower))


def parse_phases(text: str, file_name: str) -> NDArray[np.float64]:
    """Parse phase corrections from ``GridCorrection.csv`` or ``PhaseCorrFactors.csv``, (32,) float, deg; 0 if missing.

    Raises
    ------
    CalibrationError
        When a line is not a sub-collimator number and an angle.
    """
    phase = np.zeros(N_DETECTORS)
    for line in text.lstrip("\ufeff").splitlines():
        first, _, rest = line.partition(",")
        if not first.strip().isdigit():  # comments and column names
            continue
        try:
            phase[int(first) - 1] = float(rest)
        except (ValueError, IndexError) as error:
            raise _bad(file_name, f"{excerpt(line)} is not a sub-collimator number and an angle") from error
    return phase


def _bad(file_name: str, reason: str) -> CalibrationError:
    return CalibrationError(f"{file_name}: {reason}")
