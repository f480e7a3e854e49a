"""Grid transmission and its effect on amplitudes.

The ground software changed its amplitude calibration in February-April 2026. Both schemes are available by name, and
every header contains the name:

``gsw-2026``
    Counts are not divided by the transmission; amplitudes are multiplied by π³/(8√2)/sin²(π√T), with T measured in
    flight.
``gsw-2021``
    Counts are divided by 4T, with T from the grids' geometry and internal shadowing, and amplitudes multiplied by
    π³/(8√2). Papers of 2021-25 and ``stixpy`` use it.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stixcore.instrument.geometry import mean_orientation
from stixcore.instrument.tables import GridTable, grid_table, subcollimator_table, transmission_table

Floats = NDArray[np.float64]

#: π³/(8√2): amplitude of an ideal sub-collimator's moiré pattern seen by four pixels (Massa et al. 2023, eq. 26).
IDEAL_AMPLITUDE_FACTOR = np.pi**3 / (8.0 * np.sqrt(2.0))


class AmplitudeScheme(StrEnum):
    """How grid transmission enters visibility amplitudes."""

    GSW_2026 = "gsw-2026"
    GSW_2021 = "gsw-2021"


def flight_transmission(x: float, y: float) -> Floats:
    """Transmission T = a + bθ of every detector, (32,) float; 0 for flare locator and background monitor.

    Parameters
    ----------
    x, y : float, arcsec
        Flare position in the STIX frame.

    Notes
    -----
    θ = (x cos ō + y sin ō), signed, in degrees; ō is the mean grid orientation seen from the detector side.
    Source: ground software v0.6.2, ``stx_subc_transmission, /simple_transm``.
    """
    table = transmission_table()
    orientation = np.deg2rad(np.nan_to_num(mean_orientation()))
    theta = (x * np.cos(orientation) + y * np.sin(orientation)) / 3600.0
    return table.intercept + table.slope * theta


def _geometric(grid: GridTable, x: float, y: float) -> Floats:
    # (slit - H tan|x cos o + y sin o|) / pitch: internal shadowing narrows the slit off axis
    orientation = np.deg2rad(grid.orientation)
    angle = np.deg2rad(np.abs(x * np.cos(orientation) + y * np.sin(orientation)) / 3600.0)
    return (grid.slit - grid.thickness * np.tan(angle)) / grid.pitch


def geometric_transmission(x: float, y: float) -> Floats:
    """Transmission of front and rear grid from their geometry, with internal shadowing, (32,) float.

    It is 1 for the finest grids (labels 1 and 2), which have several layers, as in the ground software before 2026, and
    for detectors without a grid. ``x`` and ``y`` are those of `flight_transmission`.
    """
    transmission = _geometric(grid_table("front"), x, y) * _geometric(grid_table("rear"), x, y)
    fine = np.array([label[:-1] in ("1", "2") for label in subcollimator_table().label])
    return np.where(fine | np.isnan(transmission), 1.0, transmission)


def scheme_transmission(scheme: AmplitudeScheme, x: float, y: float) -> Floats:
    """Transmission of every detector, (32,) float: measured in flight (``gsw-2026``) or from geometry (``gsw-2021``).

    ``x`` and ``y`` are those of `flight_transmission`.
    """
    return flight_transmission(x, y) if scheme is AmplitudeScheme.GSW_2026 else geometric_transmission(x, y)


def modulation_factor(transmission: Floats) -> Floats:
    """M = π³/(8√2) / sin²(π√T), which converts the differences C-A, D-B to visibility amplitudes (``gsw-2026``)."""
    return np.asarray(IDEAL_AMPLITUDE_FACTOR / np.sin(np.pi * np.sqrt(transmission)) ** 2)


def amplitude_factor(scheme: AmplitudeScheme, x: float, y: float) -> Floats:
    """Factor that converts C-A and D-B rates to visibilities, (32,) float; NaN for detectors without a grid.

    ``x``, ``y`` [arcsec] are the flare position in the STIX frame.
    """
    if scheme is AmplitudeScheme.GSW_2026:
        transmission = flight_transmission(x, y)
        return modulation_factor(np.where(transmission > 0, transmission, np.nan))
    factor = IDEAL_AMPLITUDE_FACTOR / (4.0 * geometric_transmission(x, y))
    return np.where(np.isnan(mean_orientation()), np.nan, factor)
