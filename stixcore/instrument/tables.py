"""The instrument's tables, read on first use and cached.

The design of grids and detectors is part of ``stixpy`` (BSD-3), in text files that are read without importing
``stixpy``, which would load sunpy and Matplotlib. Tables that change with time or are newer (energy tables, science
channels, phase corrections, the transmission of 2026) are in ``data/`` here, with their source.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError
from stixcore.instrument import energy_tables
from stixcore.instrument.calibration_file import shipped_calibration

N_DETECTORS, N_PIXELS = energy_tables.N_DETECTORS, energy_tables.N_PIXELS


def _stixpy_table(*parts: str) -> Path:
    """Path of a table in the installed ``stixpy``, found without importing the package."""
    spec = find_spec("stixpy")
    if spec is None or spec.origin is None:  # pragma: no cover - stixpy is a declared dependency
        message = "the package stixpy, which carries the instrument's tables, is not installed"
        raise CalibrationError(message)
    return Path(spec.origin).parent.joinpath("config", "data", *parts)


def _ecsv_rows(path: Path) -> list[list[str]]:
    """Data rows of a small ECSV file (space separated, quoted header)."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.reader(lines, delimiter=" "))[1:]


@dataclass(frozen=True)
class GridTable:
    """Parameters of the front or the rear grids, one row per detector, averaged over the layers of the finest grids.

    Attributes
    ----------
    pitch, slit, thickness : (32,) float, mm
        NaN where the detector has no grid (flare locator, background monitor).
    orientation : (32,) float, deg
        Seen from the detector side.
    bridge_width, bridge_pitch : (32,) float, mm
        Bridges that hold the slats; 0 for grids without them.
    """

    pitch: NDArray[np.float64]
    slit: NDArray[np.float64]
    thickness: NDArray[np.float64]
    orientation: NDArray[np.float64]
    bridge_width: NDArray[np.float64]
    bridge_pitch: NDArray[np.float64]


@cache
def grid_table(side: str) -> GridTable:
    """Measured grid parameters of ``side`` "front" or "rear" (``grid_param_<side>.txt``)."""
    raw = np.loadtxt(_stixpy_table("grid", f"grid_param_{side}.txt"))
    detector = raw[:, 0].astype(int)

    def mean_by_detector(column: int) -> NDArray[np.float64]:
        values = np.full(N_DETECTORS, np.nan)
        for number in np.unique(detector):  # the finest grids have one row per layer
            values[number - 1] = raw[detector == number, column].mean()
        return values

    return GridTable(
        pitch=mean_by_detector(1),
        orientation=mean_by_detector(2),
        slit=mean_by_detector(4),
        thickness=mean_by_detector(7),
        bridge_width=mean_by_detector(8),
        bridge_pitch=mean_by_detector(9),
    )


@dataclass(frozen=True)
class SubcollimatorTable:
    """Design of the 32 sub-collimators, one row per detector.

    Attributes
    ----------
    label : tuple of 32 str
        "10a" … "1c"; "cfl" (flare locator, detector 9) and "bkg" (background monitor, detector 10).
    phase_sense : (32,) int
        +1 or -1; 0 for the two detectors without a grid.
    front_pitch, rear_pitch : (32,) float, mm
    front_orientation, rear_orientation : (32,) float, deg
        Pitches and orientations are NaN for the two detectors without a grid.
    """

    label: tuple[str, ...]
    phase_sense: NDArray[np.int64]
    front_pitch: NDArray[np.float64]
    rear_pitch: NDArray[np.float64]
    front_orientation: NDArray[np.float64]
    rear_orientation: NDArray[np.float64]


@cache
def subcollimator_table() -> SubcollimatorTable:
    """Sub-collimator design (``stx_subc_params.csv``, the ground software's ``stx_subc_params.txt``)."""
    rows = sorted(_ecsv_rows(_stixpy_table("detector", "stx_subc_params.csv")), key=lambda row: int(row[0]))
    number = np.array([[float(cell) for cell in row[2:]] for row in rows])
    number[number[:, 2] == 0, 3:] = np.nan  # phase sense 0: flare locator and background monitor have no grid
    return SubcollimatorTable(
        label=tuple(row[1].lower() for row in rows),
        phase_sense=number[:, 2].astype(int),
        front_pitch=number[:, 3],
        front_orientation=number[:, 4],
        rear_pitch=number[:, 5],
        rear_orientation=number[:, 6],
    )


@cache
def trigger_accumulator() -> NDArray[np.int64]:
    """Index 0-15 of the trigger accumulator that serves each detector, (32,) int (``stx_det_adc.csv``)."""
    rows = _ecsv_rows(_stixpy_table("detector", "stx_det_adc.csv"))
    index = np.empty(N_DETECTORS, dtype=int)
    for detector, accumulator in rows:
        index[int(detector) - 1] = int(accumulator)
    return index


@cache
def pixel_area() -> NDArray[np.float64]:
    """Effective area of the 12 pixels, (12,) float, cm² (``stx_det_pixels.csv``)."""
    return np.array([float(row[2]) for row in _ecsv_rows(_stixpy_table("detector", "stx_det_pixels.csv"))])


def phase_correction() -> NDArray[np.float64]:
    """Sum of the grid and the ad-hoc phase corrections, (32,) float, deg.

    ``GridCorrection.csv`` (grid measurements, September 2021) and ``PhaseCorrFactors.csv`` (more than 50 compact
    flares, January 2022); Massa et al. 2022, Sol. Phys. 297, 93. Labels 1 and 2 are not calibrated: 0.
    """
    return shipped_calibration().phases.degrees


@dataclass(frozen=True)
class TransmissionTable:
    """Sub-collimator transmission T = intercept + slope·θ at 10-15 keV, (32,) float each; the slope is per degree."""

    intercept: NDArray[np.float64]
    slope: NDArray[np.float64]


@cache
def transmission_table() -> TransmissionTable:
    """Transmission measured in flight (ground software v0.6.2; the file's header names the source)."""
    text = files("stixcore.instrument").joinpath("data", "subcollimator_transmission.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if line and line[0].isdigit()]
    table = np.array([[float(row[2]), float(row[3])] for row in rows])
    return TransmissionTable(intercept=table[:, 0], slope=table[:, 1])
