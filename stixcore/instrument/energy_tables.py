"""On-board energy look-up tables (ELUT), when each was in force, and the science channels: as STIX-CONF publishes them.

Every parser takes the text of a file and its name, and refuses what it does not understand with one sentence.
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError

N_DETECTORS = 32
N_PIXELS = 12
N_EDGES = 31
#: Table names as ``ob_elut_name`` of CAL files has them; published files add ``.csv``.
_TABLE_NAME = re.compile(r"elut_table_\d{8}")
# "ADC Edge 0 - 4 keV", "ADC Edge 1 - 5.50 keV", "ADC Edge #0 - 4 keV"
_EDGE_TITLE = re.compile(r"ADC Edge #?(\d+) - (\d+(?:\.\d+)?) keV")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")


@dataclass(frozen=True, eq=False)
class EnergyLookupTable:
    """On-board energy look-up table (ELUT), or the edges a daily calibration measured while it was in force.

    Attributes
    ----------
    name : str
        For the record, e.g. ``elut_table_20220918``.
    edges : (32, 12, 31) float, keV
        Actual energies of the on-board channel edges, per detector and pixel.
    nominal : (31,) float, keV
        Science-channel edges they stand for (4 … 150 keV).
    sha256 : str
        Of the file in which the table was published.
    adc : (32, 12, 31) int, or None
        The edges as on board.
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
        """From what is on board: E = (ADC - offset)·gain."""
        edges = (adc - offset[:, :, None]) * gain[:, :, None]
        return cls(name, edges, nominal, sha256, adc, offset, gain)

    def agrees_with(self, other: EnergyLookupTable) -> bool:
        """Whether both hold the same numbers."""
        return np.array_equal(self.edges, other.edges) and np.array_equal(self.nominal, other.nominal)


@dataclass(frozen=True)
class Validity:
    """A name and the half-open interval [start, end), UTC, in which it holds; ``end`` None: no end is known."""

    name: str
    start: np.datetime64
    end: np.datetime64 | None


@dataclass(frozen=True)
class ScienceChannels:
    """A set of science channels: name and the finite edges from 0 keV up."""

    name: str
    edges: tuple[float, ...]


def table_name(file_name: str) -> str:
    """Name of a table from that of its file.

    Raises
    ------
    CalibrationError
        When it is not of the form ``elut_table_YYYYMMDD``.
    """
    name = file_name.strip().removesuffix(".csv")
    if not _TABLE_NAME.fullmatch(name):
        message = f"{file_name!r} is not the name of an energy table (example: elut_table_20260529.csv)"
        raise CalibrationError(message)
    return name


def parse_energy_table(text: str, file_name: str, sha256: str) -> EnergyLookupTable:
    """Energy table from the text of ``elut_table_YYYYMMDD.csv``.

    Raises
    ------
    CalibrationError
        When a pixel, an edge or a number is missing or impossible.
    """
    name = table_name(file_name)
    lines = text.lstrip("\ufeff").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("Offset")), None)
    if start is None:
        raise _bad(file_name, "no line of column names that starts with 'Offset'")
    # The energies of the edges stand in the column names only.
    titles = [title.strip() for title in next(csv.reader([lines[start]])) if title.strip()]
    found = [_EDGE_TITLE.fullmatch(title) for title in titles[4:]]
    numbers = [int(match[1]) for match in found if match]
    if len(found) != N_EDGES or numbers != list(range(N_EDGES)):
        raise _bad(file_name, f"column names must be four and then 'ADC Edge 0 - … keV' to {N_EDGES - 1}")
    nominal = np.array([float(match[2]) for match in found if match])
    if not (np.diff(nominal) > 0).all():
        raise _bad(file_name, "energies of the edges do not increase")
    rows = [row[:35] for row in csv.reader(lines[start + 1 :]) if any(cell.strip() for cell in row)]
    try:
        values = np.array([[float(cell) for cell in row] for row in rows]).reshape(-1, 4 + N_EDGES)
    except ValueError as error:
        raise _bad(file_name, f"a row does not consist of {4 + N_EDGES} numbers ({error})") from error
    pixel, detector = values[:, 2].astype(int), values[:, 3].astype(int)
    places = set(zip(detector.tolist(), pixel.tolist(), strict=True))
    if len(values) != N_DETECTORS * N_PIXELS or places != {(d, p) for d in range(N_DETECTORS) for p in range(N_PIXELS)}:
        raise _bad(file_name, f"must have a row for each of {N_DETECTORS} x {N_PIXELS} pixels, has {len(values)} rows")
    ordered = values[np.lexsort((pixel, detector))].reshape(N_DETECTORS, N_PIXELS, 4 + N_EDGES)
    offset, gain, adc = ordered[:, :, 0], ordered[:, :, 1], ordered[:, :, 4:]
    if not (np.isfinite(ordered).all() and (gain > 0).all() and (adc == np.rint(adc)).all() and (adc > 0).all()):
        raise _bad(file_name, "gains must be positive and edges positive whole ADC channels")
    if not (np.diff(adc, axis=2) > 0).all():
        raise _bad(file_name, "the ADC edges of a pixel do not increase")
    return EnergyLookupTable.of(name, sha256, nominal, offset, gain, adc.astype(np.int64))


def read_energy_table(path: Path) -> EnergyLookupTable:
    """Energy table from a published file, with its SHA-256.

    Raises
    ------
    CalibrationError
        When it is not such a table.
    OSError
        When it cannot be read.
    """
    content = path.read_bytes()
    return parse_energy_table(decoded(content, path.name), path.name, hashlib.sha256(content).hexdigest())


def decoded(content: bytes, file_name: str) -> str:
    """Text of a published file.

    Raises
    ------
    CalibrationError
        When it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(file_name, f"is not text ({error.reason} at byte {error.start})") from error


def parse_validity(text: str, file_name: str) -> tuple[Validity, ...]:
    """Rows of ``elut_index.csv`` or ``science_echan_index.csv``, in order of time.

    The running number is not looked at: the published list has 17 twice. Names lose their ``.csv``.

    Raises
    ------
    CalibrationError
        When a date cannot be read or intervals overlap.
    """
    rows = []
    for line in text.lstrip("\ufeff").splitlines()[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        if not any(cells):
            continue
        if len(cells) != 4 or not _DATE.fullmatch(cells[1]) or not (cells[2] == "none" or _DATE.fullmatch(cells[2])):
            raise _bad(file_name, f"{line.strip()!r} is not 'number, start, end or none, file name'")
        try:
            start = np.datetime64(cells[1], "us")
            end = None if cells[2] == "none" else np.datetime64(cells[2], "us")
        except ValueError as error:
            raise _bad(file_name, f"{line.strip()!r} has an impossible date") from error
        rows.append(Validity(cells[3].removesuffix(".csv"), start, end))
    if not rows:
        raise _bad(file_name, "no rows")
    rows.sort(key=lambda row: row.start)
    for row, following in pairwise(rows):
        if row.end is None or row.end > following.start or row.start == following.start:
            raise _bad(file_name, f"{row.name} and {following.name} are both in force at {following.start}")
    if rows[-1].end is not None and rows[-1].end <= rows[-1].start:
        raise _bad(file_name, f"{rows[-1].name} ends before it starts")
    return tuple(rows)


def parse_science_channels(text: str, file_name: str) -> ScienceChannels:
    """Science channels from ``ScienceEnergyChannels_….csv``.

    Raises
    ------
    CalibrationError
        When it does not list 32 channels that join.
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.lstrip("\ufeff").splitlines())]
    channels = [row for row in rows if len(row) > 4 and row[0].isdigit()]
    try:
        lower = [float(row[3]) for row in channels]
        upper = [float(row[4]) for row in channels[:-1]]  # the last one is open
    except ValueError as error:
        raise _bad(file_name, f"an edge is not a number ({error})") from error
    if [int(row[0]) for row in channels] != list(range(32)) or lower[1:] != upper or sorted(set(lower)) != lower:
        raise _bad(file_name, "must list channels 0 to 31, each beginning where the one before ends")
    return ScienceChannels(file_name.removesuffix(".csv"), tuple(lower))


def parse_phases(text: str, file_name: str) -> NDArray[np.float64]:
    """Phase corrections from ``GridCorrection.csv`` or ``PhaseCorrFactors.csv``, (32,) float, deg; 0 where none.

    Raises
    ------
    CalibrationError
        When a line does not hold a sub-collimator number and an angle.
    """
    phase = np.zeros(N_DETECTORS)
    for line in text.lstrip("\ufeff").splitlines():
        first, _, rest = line.partition(",")
        if not first.strip().isdigit():  # comments and column names
            continue
        try:
            phase[int(first) - 1] = float(rest)
        except (ValueError, IndexError) as error:
            raise _bad(file_name, f"{line!r} is not a sub-collimator number and an angle") from error
    return phase


def _bad(file_name: str, reason: str) -> CalibrationError:
    return CalibrationError(f"{file_name}: {reason}")
