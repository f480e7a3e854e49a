"""The attenuator in light curves of a few wide bands: where rates can be corrected for it, and how.

The attenuator, 0.6 mm of an aluminium alloy, stops photons from the Sun. It does not stop what makes counts inside the
instrument, above all the calibration source. So only the part above the quiet level is divided by the transmission:

    corrected = quiet + (recorded − quiet) / T

The transmission T of a band depends on the spectrum within it. It is weighted here with photon spectra E^−γ, γ = 2 to
8, and the window in front of the detectors. In 25-50 and 50-84 keV that changes T by a few percent. Below, no number is
honest: T falls from 0.58 at 25 keV to 0.11 at 15 keV and 0.0009 at 10 keV, and under about 12 keV more than a third of
the counts are of photons of higher energies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BandTransmission:
    """Transmission of the attenuator in a band.

    Attributes
    ----------
    low, high : float, keV
    middle : float
        Middle of the range of power laws.
    spread : float
        Half of that range.
    """

    low: float
    high: float
    middle: float
    spread: float


#: Bands of quick-look light curves that can be corrected. From column ``attenuator`` of
#: ``stix_transmission_highres_20251110.csv`` of the ground software (STIX-GSW, Apache-2.0);
#: tests/stixcore/calibration/test_attenuator.py derives them again.
TRANSMISSIONS = (BandTransmission(25.0, 50.0, 0.726, 0.045), BandTransmission(50.0, 84.0, 0.934, 0.006))
#: The quiet level is this quantile of the rates with the attenuator out.
QUIET_QUANTILE = 0.1


def without_attenuator(rate: Floats, quiet: float | Floats, transmission: float) -> Floats:
    """Rates with the attenuator in, corrected for it.

    Parameters
    ----------
    rate : (…) float, ct s⁻¹
    quiet : float or (…) float, ct s⁻¹
        Rate without the Sun, which the attenuator does not change.
    transmission : float

    Returns
    -------
    (…) float, ct s⁻¹
        A rate below the quiet level is not changed: it has no part from the Sun.
    """
    # quiet + (recorded − quiet) / T
    return np.asarray(rate + np.maximum(rate - quiet, 0.0) * (1.0 / transmission - 1.0))
