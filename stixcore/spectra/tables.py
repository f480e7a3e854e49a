"""The shipped tables of the response, ``data/response.npz.xz``: windows, tungsten, nominal grids, detector matrix.

``stixcore.spectra.makers.response`` makes the file and names the sources. Spectra are stored as 32-bit numbers.
"""

from __future__ import annotations

import io
import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError

Floats = NDArray[np.float64]

SCHEMA = 1
FILE_NAME = "response.npz.xz"
#: Energies are stored as integers in this unit, keV.
ENERGY_UNIT = 1e-4


@dataclass(frozen=True, eq=False)
class WindowTable:
    """Transmission of windows and attenuator, with its logarithm tabulated.

    Attributes
    ----------
    energy : (n,) float, keV
    log_coarse, log_fine, log_attenuator : (n,) float
        Natural logarithms of the transmission in front of coarse and fine detectors, and of the attenuator alone.
    """

    energy: Floats
    log_coarse: Floats
    log_fine: Floats
    log_attenuator: Floats


@dataclass(frozen=True, eq=False)
class ResponseTables:
    """Contents of the file.

    Attributes
    ----------
    photon_edges : (3211,) float, keV
    channel_edges : (31,) float, keV
        The native science channels, 4-150 keV.
    matrix, tailed : (30, 3210) float
        Counts per photon on the detector in each channel, without and with the loss of charge ("tailing").
    windows : dict of WindowTable
        By date of the published table, "2025-11-10" and "2022-06-21".
    tungsten_energy, tungsten : (n,) float, keV and cm² g⁻¹
        Total attenuation of tungsten, with coherent scattering.
    cadmium_telluride_energy, cadmium_telluride : (m,) float, keV and cm² g⁻¹
        Photoelectric absorption and incoherent scattering of cadmium telluride.
    nominal_grids : (32,) float
        Nominal transmission of the grids on axis; 0 for flare locator and background monitor.
    monitor_apertures, nominal_monitor_apertures : (12,) float
        Open fraction of the pixels of the background monitor, as measured and nominal.
    """

    photon_edges: Floats
    channel_edges: Floats
    matrix: Floats
    tailed: Floats
    windows: dict[str, WindowTable]
    tungsten_energy: Floats
    tungsten: Floats
    cadmium_telluride_energy: Floats
    cadmium_telluride: Floats
    nominal_grids: Floats
    monitor_apertures: Floats
    nominal_monitor_apertures: Floats


def packed_spectra(values: Floats) -> NDArray[np.uint8]:
    """Positive spectra (n, m) as the bytes of the differences of 32-bit numbers, (4, n·m), which compress well."""
    bits = np.ascontiguousarray(values, dtype="<f4").view("<i4")
    steps = np.diff(bits, axis=1, prepend=np.int32(0)).astype("<i4")
    return steps.reshape(-1).view(np.uint8).reshape(-1, 4).T.copy()


def unpacked_spectra(planes: NDArray[np.uint8], length: int) -> Floats:
    """Inverse of `packed_spectra` for spectra of ``length`` values, (n, length) float."""
    steps = np.ascontiguousarray(planes.T).view("<i4").reshape(-1, length)
    return np.cumsum(steps, axis=1, dtype="<i4").view("<f4").astype(np.float64)


@cache
def response_tables() -> ResponseTables:
    """Read the shipped tables; the result is cached and its arrays are read-only.

    Raises
    ------
    CalibrationError
        When the file has an unsupported schema version.
    """
    packed = files("stixcore.spectra").joinpath("data", FILE_NAME).read_bytes()
    with np.load(io.BytesIO(lzma.decompress(packed))) as data:
        if int(data["schema"]) != SCHEMA:
            message = f"{FILE_NAME}: schema {int(data['schema'])}, this software reads {SCHEMA}"
            raise CalibrationError(message)
        arrays = {name: data[name] for name in data.files}
    photon_edges = arrays["photon_edges"] * ENERGY_UNIT
    n_photon = photon_edges.size - 1
    values = {
        "photon_edges": photon_edges,
        "channel_edges": arrays["channel_edges"] * ENERGY_UNIT,
        "matrix": unpacked_spectra(arrays["matrix"], n_photon),
        "tailed": unpacked_spectra(arrays["tailed"], n_photon),
        **{
            name: arrays[name].astype(np.float64)
            for name in (
                "tungsten_energy",
                "tungsten",
                "cadmium_telluride_energy",
                "cadmium_telluride",
                "nominal_grids",
                "monitor_apertures",
                "nominal_monitor_apertures",
            )
        },
    }
    for array in values.values():
        array.flags.writeable = False
    windows = {date: _window(arrays, date) for date in ("2025-11-10", "2022-06-21")}
    return ResponseTables(windows=windows, **values)


def _window(arrays: dict[str, NDArray[Any]], date: str) -> WindowTable:
    energy = arrays[f"window_energy_{date}"] * ENERGY_UNIT
    logs = unpacked_spectra(arrays[f"window_depth_{date}"].astype(np.uint8), energy.size)
    return WindowTable(energy, *(-row for row in logs))
