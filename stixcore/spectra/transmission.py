"""Transmission of what is in front of a detector: windows, attenuator, and the grids at the flare's place.

Two schemes, by name:

``gsw-2026``
    Ground software since May 2026: windows of 2025-11-10; grids with the transmission measured in flight at 10-15 keV,
    tungsten that lets hard X-rays through, and wedge-shaped slit edges.
``gsw-2022``
    Ground software of 2022-25, and papers with it: windows of 2022-06-21; grids from their measured geometry with
    bridges and internal shadowing. Labels 1 and 2 have their nominal transmission, at every energy.

Sources: STIX ground software v0.6.2 and v0.5.3, ``stx_transmission``, ``stx_subc_transmission``,
``stx_grid_transmission``; nominal grids and background monitor: ``stx_convert_spectrogram2ospex``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.grids import flight_transmission
from stixcore.errors import SelectionError
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR
from stixcore.instrument.tables import N_DETECTORS, GridTable, grid_table, subcollimator_table
from stixcore.spectra.tables import response_tables

Floats = NDArray[np.float64]

TUNGSTEN_DENSITY = 19.30  # g cm⁻³
WEDGE_WIDTH, WEDGE_HEIGHT = 5e-3, 5e-2  # mm, edge of a slat, fitted to observations by the ground software
#: Layers of the finest grids, by the number in their label, and the thickness of one, mm.
LAYERS = {"1": (3, 0.133), "2": (2, 0.2)}
MM_PER_CM = 10.0


class ResponseScheme(StrEnum):
    """How windows, grids and detector enter a response."""

    GSW_2026 = "gsw-2026"
    GSW_2022 = "gsw-2022"


WINDOW_DATES = {ResponseScheme.GSW_2026: "2025-11-10", ResponseScheme.GSW_2022: "2022-06-21"}


def is_fine(detector: int) -> bool:
    """Whether a detector is behind grids of label 1 or 2, which have several layers and covers."""
    return subcollimator_table().label[detector][:-1] in LAYERS


def window_transmission(
    energy: Floats, detectors: Sequence[int], *, attenuator: bool, scheme: ResponseScheme = ResponseScheme.GSW_2026
) -> Floats:
    """Transmission of windows, blankets and grid covers, mean over the detectors, (J,) float.

    Parameters
    ----------
    energy : (J,) float, keV
        Within 3-600 keV (`ResponseScheme.GSW_2022`: 3-150 keV); beyond, the value of the nearest end.
    detectors : sequence of int
        Indices.
    attenuator : bool
        Whether the attenuator is in.
    scheme : ResponseScheme

    Notes
    -----
    ln T is interpolated linearly in ln E. The attenuator's K edges of copper and zinc need the table's 0.01 keV.
    """
    table = response_tables().windows[WINDOW_DATES[ResponseScheme(scheme)]]
    x, log_energy = np.log(energy), np.log(table.energy)
    fine = sum(is_fine(detector) for detector in detectors) / len(detectors)
    coarse = np.exp(np.interp(x, log_energy, table.log_coarse))
    transmission = (1.0 - fine) * coarse
    if fine:
        transmission = transmission + fine * np.exp(np.interp(x, log_energy, table.log_fine))
    if attenuator:
        transmission = transmission * np.exp(np.interp(x, log_energy, table.log_attenuator))
    return np.asarray(transmission)


def tungsten_length(energy: Floats) -> Floats:
    """Path in tungsten after which 1/e of the photons is left, (J,) float, mm; ``energy`` in keV, 1-20 000."""
    table = response_tables()
    attenuation = np.exp(np.interp(np.log(energy), np.log(table.tungsten_energy), np.log(table.tungsten)))
    # L = 1/(μ ρ), in mm
    return np.asarray(MM_PER_CM / (attenuation * TUNGSTEN_DENSITY))


def wedge_transmission(length: Floats, pitch: Floats, thickness: Floats, open_part: Floats, wedge: Floats) -> Floats:
    """Transmission of n grids, (n, J) float.

    Parameters
    ----------
    length : (J,) float, mm
        `tungsten_length`.
    pitch, thickness : (n,) float, mm
    open_part : (n,) float
        Slit ÷ pitch.
    wedge : (n,) float, mm
        Width of the wedge at the edges of slats, `WEDGE_WIDTH` or 0.
    """
    pitch, thickness, s, ds = (np.asarray(values)[:, None] for values in (pitch, thickness, open_part, wedge))
    opaque = np.exp(-thickness / length)
    edge = length / WEDGE_HEIGHT * -np.expm1(-WEDGE_HEIGHT / length)
    # s + (1 − s) e^{−H/L} + 2 (ds/P) [(L/dh)(1 − e^{−dh/L}) − e^{−H/L}]
    return np.asarray(s + (1.0 - s) * opaque + 2.0 * ds / pitch * (edge - opaque))


def _flight_grids(energy: Floats, detectors: Sequence[int], place: tuple[float, float]) -> Floats:
    """Scheme ``gsw-2026``, (n, J) float: transmission in flight t₀ = slits ÷ pitches of both grids, s = √t₀."""
    chosen = list(detectors)
    low = flight_transmission(*place)[chosen]
    if (low <= 0).any():
        closed = [detector + 1 for detector, value in zip(chosen, low, strict=True) if value <= 0]
        message = f"place must be near the Sun; at {place} arcsec the grids of detectors {closed} transmit nothing"
        raise SelectionError(message)
    length, open_part = tungsten_length(energy), np.sqrt(low)
    fine = np.array([is_fine(detector) for detector in chosen])
    layers = np.array([LAYERS.get(subcollimator_table().label[detector][:-1], (1, 0.0)) for detector in chosen])
    out = np.ones((len(chosen), energy.size))
    for grid in (grid_table("front"), grid_table("rear")):
        thickness = np.where(fine, layers[:, 1], grid.thickness[chosen])
        pitch = grid.pitch[chosen] / layers[:, 0]
        out *= wedge_transmission(length, pitch, thickness, open_part, np.where(fine, 0.0, WEDGE_WIDTH))
    return out


def _shadowed(grid: GridTable, detector: int, absorption: Floats, place: tuple[float, float]) -> Floats:
    """Transmission of one grid of the scheme ``gsw-2022``, (J,) float; ``absorption`` in mm⁻¹."""
    orientation = np.deg2rad(grid.orientation[detector])
    angle = np.deg2rad(abs(place[0] * np.cos(orientation) + place[1] * np.sin(orientation)) / 3600.0)
    shadow = grid.thickness[detector] * np.tan(angle)
    bridges = 0.0
    if grid.bridge_pitch[detector] > 0:
        bridges = grid.bridge_width[detector] / grid.bridge_pitch[detector]
    depth = grid.thickness[detector] * absorption
    slat = np.exp(-depth)
    # edge of a slat seen at an angle: (1 − e^{−τ})/τ; slit' = slit + shadow [1 − 2 (1 − edge)/(1 − slat)]
    edge = -np.expm1(-depth) / depth
    slit = grid.slit[detector] + shadow * (1.0 - 2.0 * (1.0 - edge) / -np.expm1(-depth))
    # slat + (1 − slat) · slit' (1 − bridges) / pitch
    return np.asarray(slat + (1.0 - slat) * slit * (1.0 - bridges) / grid.pitch[detector])


def _geometric_grids(energy: Floats, detectors: Sequence[int], place: tuple[float, float]) -> Floats:
    """Scheme ``gsw-2022``, (n, J) float."""
    absorption = 1.0 / tungsten_length(energy)
    front, rear, nominal = grid_table("front"), grid_table("rear"), response_tables().nominal_grids

    def both(detector: int) -> Floats:
        if is_fine(detector):
            return np.full(energy.size, nominal[detector])
        return _shadowed(front, detector, absorption, place) * _shadowed(rear, detector, absorption, place)

    return np.stack([both(detector) for detector in detectors])


def grid_transmission(
    energy: Floats,
    detectors: Sequence[int],
    place: tuple[float, float] = (0.0, 0.0),
    *,
    scheme: ResponseScheme = ResponseScheme.GSW_2026,
) -> Floats:
    """Transmission of front and rear grids, mean over the detectors, (J,) float.

    Parameters
    ----------
    energy : (J,) float, keV
    detectors : sequence of int
        Indices of detectors with grids.
    place : (float, float), arcsec
        The flare in the STIX frame.
    scheme : ResponseScheme

    Raises
    ------
    SelectionError
        When a detector has no grid, or the place is so far from the axis that nothing would be transmitted.
    """
    without = [d for d in detectors if not 0 <= d < N_DETECTORS or d in (FLARE_LOCATOR, BACKGROUND_MONITOR)]
    if without or not len(detectors):
        message = f"detectors must be some of 1-32 with a grid, found {[d + 1 for d in without] or 'none'}"
        raise SelectionError(message)
    energy = np.asarray(energy, dtype=np.float64)
    grids = _flight_grids if ResponseScheme(scheme) is ResponseScheme.GSW_2026 else _geometric_grids
    return np.asarray(grids(energy, detectors, place).mean(axis=0))


def monitor_transmission(pixels: Sequence[int], *, scheme: ResponseScheme = ResponseScheme.GSW_2026) -> float:
    """Open part of the background monitor in front of the ``pixels`` (indices), mean over them.

    ``gsw-2026``: apertures measured in June 2024; ``gsw-2022``: nominal ones.
    """
    tables = response_tables()
    new = ResponseScheme(scheme) is ResponseScheme.GSW_2026
    apertures = tables.monitor_apertures if new else tables.nominal_monitor_apertures
    return float(apertures[list(pixels)].mean())
