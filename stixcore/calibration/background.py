"""Quiet-Sun background in a flare's exposure, predicted from a background file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.calibration.livetime import detector_livetime
from stixcore.errors import CalibrationError
from stixcore.fits.products import PixelData

Floats = NDArray[np.float64]


def expected_background(
    background: PixelData,
    e_low: Floats,
    e_high: Floats,
    livetime: Floats,
    livetime_sigma: Floats,
    elut: str,
    catalog: CalibrationCatalog = SHIPPED,
) -> tuple[Floats, Floats]:
    """Background counts expected in the exposure of a flare, and their sigma.

    Parameters
    ----------
    background : PixelData
        Background file; all its time bins are used.
    e_low, e_high : (n_channel,) float, keV
        Channels of the flare data; each must exist in the background file.
    livetime, livetime_sigma : (32,) float, s
        Live time of the flare exposure.
    elut : str
        Name of the on-board energy table in force during the flare.
    catalog : CalibrationCatalog
        Determines the table that was in force during the background.

    Returns
    -------
    expected, sigma : (32, 12, n_channel) float, ct

    Raises
    ------
    CalibrationError
        When a channel is missing, or a different energy table was on board.
    """
    name = background.header.name
    own_elut = catalog.energy_table_at(background.t_start[0]).name
    if own_elut != elut:
        message = f"{name}: the energy table on board was {own_elut}, during the flare {elut}; they cannot be combined"
        raise CalibrationError(message)
    position = [_same_channel(background, low, high) for low, high in zip(e_low, e_high, strict=True)]
    quiet = background.read()
    quiet_livetime, quiet_livetime_sigma = detector_livetime(quiet)
    counts = quiet.counts.sum(axis=0)[:, :, position]
    variance = quiet.counts_variance.sum(axis=0)[:, :, position]
    # B = L·C_b/L_b;  σ_B = |B| √((σ_L/L)² + (σ_Cb/C_b)² + (σ_Lb/L_b)²), without terms with a zero denominator
    ratio = _ratio(livetime, quiet_livetime)[:, None, None]
    expected = ratio * counts
    relative = (_ratio(livetime_sigma, livetime) ** 2 + _ratio(quiet_livetime_sigma, quiet_livetime) ** 2)[
        :, None, None
    ]
    return expected, np.sqrt(ratio**2 * variance + expected**2 * relative)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _same_channel(background: PixelData, low: float, high: float) -> int:
    same_low = np.isclose(background.e_low, low, atol=1e-3)
    same_high = np.isclose(background.e_high, high, atol=1e-3)  # inf is close to inf
    match = np.flatnonzero(same_low & same_high)
    if match.size == 0:
        message = (
            f"{background.header.name}: no channel {low:g}-{high:g} keV in this background file, "
            f"which covers {background.e_low[0]:g}-{background.e_high[-1]:g} keV"
        )
        raise CalibrationError(message)
    return int(match[0])
