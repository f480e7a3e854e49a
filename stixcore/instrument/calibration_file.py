"""The shipped calibration data file, ``data/calibration.json.xz``: energy tables, science channels, phase corrections.

The tables come from i4Ds/STIX-CONF; ``stixcore.instrument.makers.calibration`` makes the file from a folder of them.
The file names its source, and contains the SHA-256 of the published file of each table.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError
from stixcore.instrument.energy_tables import (
    N_DETECTORS,
    N_PIXELS,
    EnergyLookupTable,
    ScienceChannels,
    Validity,
)

SCHEMA = 1
FILE_NAME = "calibration.json.xz"
#: The two published files whose sum is the phase correction; the hash is that of both files, concatenated.
PHASE_FILES = ("GridCorrection.csv", "PhaseCorrFactors.csv")
PHASE_TABLE = "GridCorrection+PhaseCorrFactors"


@dataclass(frozen=True, eq=False)
class PhaseTable:
    """Phase corrections of the sub-collimators.

    Attributes
    ----------
    name, sha256 : str
    degrees : (32,) float, deg
        Sum of the grid and the ad-hoc corrections.
    """

    name: str
    sha256: str
    degrees: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ShippedCalibration:
    """Contents of the shipped calibration file.

    Attributes
    ----------
    source : str
        Origin of the tables.
    tables : dict
        Energy tables by name.
    validity : tuple of Validity
        Validity of the energy tables, in order of time.
    channels : dict
        Science channels by name.
    channel_validity : tuple of Validity
    phases : PhaseTable
    """

    source: str
    tables: dict[str, EnergyLookupTable]
    validity: tuple[Validity, ...]
    channels: dict[str, ScienceChannels]
    channel_validity: tuple[Validity, ...]
    phases: PhaseTable


@cache
def shipped_calibration() -> ShippedCalibration:
    """Read the shipped calibration file; the result is cached.

    Raises
    ------
    CalibrationError
        When the file has an unsupported schema version.
    """
    packed = files("stixcore.instrument").joinpath("data", FILE_NAME).read_bytes()
    data = json.loads(lzma.decompress(packed))
    if data["schema"] != SCHEMA:
        message = f"{FILE_NAME}: schema {data['schema']}, this software reads {SCHEMA}"
        raise CalibrationError(message)
    phases = data["phases"]
    return ShippedCalibration(
        source=data["source"],
        tables={name: _table(name, values) for name, values in data["energy_tables"].items()},
        validity=_validity(data["energy_table_index"]),
        channels={name: ScienceChannels(name, tuple(edges)) for name, edges in data["science_channels"].items()},
        channel_validity=_validity(data["science_channel_index"]),
        phases=PhaseTable(
            phases["name"],
            phases["sha256"],
            np.array(phases["grid_deg"]) + np.array(phases["ad_hoc_deg"]),
        ),
    )


def _table(name: str, values: dict[str, Any]) -> EnergyLookupTable:
    pixels = (N_DETECTORS, N_PIXELS)
    return EnergyLookupTable.of(
        name,
        values["sha256"],
        np.array(values["nominal_kev"], dtype=float),
        np.array(values["offset_adc"], dtype=float).reshape(pixels),
        np.array(values["gain_kev_per_adc"], dtype=float).reshape(pixels),
        np.array(values["edges_adc"], dtype=np.int64).reshape(*pixels, -1),
    )


def _validity(rows: list[list[str | None]]) -> tuple[Validity, ...]:
    return tuple(
        Validity(str(name), np.datetime64(start, "us"), None if end is None else np.datetime64(end, "us"))
        for name, start, end in rows
    )
