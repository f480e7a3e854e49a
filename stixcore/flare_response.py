"""What a spectrum needs to know about its flare: the response at its location, its heliocentric angle and distance."""

from __future__ import annotations

import numpy as np

from stixcore.coordinates import ASTRONOMICAL_UNIT, SOLAR_RADIUS, Pointing, hpc_to_stix
from stixcore.fits.products import ProductHeader
from stixcore.heliographic import Observer, on_sun
from stixcore.prepare import ARCSEC_PER_RADIAN, apparent_radius
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.response import Response, make_response
from stixcore.spectra.transmission import ResponseScheme

#: Heliocentric angle of a flare at the limb, degree; those above the limb count as at it.
LARGEST_ANGLE = 90.0


def flare_response(
    spectrum: CountSpectrum,
    place: tuple[float, float],
    pointing: Pointing,
    *,
    scheme: str = ResponseScheme.GSW_2026,
    tailing: bool = False,
) -> Response:
    """Response of the detectors and pixels of a spectrum for a flare at a location.

    Parameters
    ----------
    spectrum : CountSpectrum
    place : (float, float), arcsec
        Helioprojective.
    pointing : Pointing
    scheme, tailing
        As in `SpectrumRequest`.

    Raises
    ------
    SelectionError
        When the channels are not adjacent.
    """
    x_stix, y_stix = hpc_to_stix(*place, pointing)
    return make_response(
        spectrum.edges,
        detectors=spectrum.detectors,
        pixels=spectrum.pixels,
        place=(float(x_stix), float(y_stix)),
        # the pixels are those that were read out, so the area is not scaled once more
        rcr=min(spectrum.rcr, 1),
        scheme=scheme,
        tailing=tailing,
    )


def heliocentric_angle(place: tuple[float, float], distance: float) -> float:
    """Angle of a flare from the centre of the disk, degree, 0-90.

    Parameters
    ----------
    place : (float, float), arcsec
        Helioprojective.
    distance : float, AU
        From the spacecraft to the Sun.
    """
    observer = Observer(0.0, 0.0, distance * ASTRONOMICAL_UNIT)
    return min(on_sun(*place, observer).angle, LARGEST_ANGLE)


def distance_to_sun(pointing: Pointing, header: ProductHeader) -> float:
    """Distance from the spacecraft to the Sun, AU, from the auxiliary files or the header.

    Raises
    ------
    CalibrationError
        When neither gives it.
    """
    metres = pointing.dsun
    if not np.isfinite(metres):
        # D = R☉ / sin ρ
        metres = SOLAR_RADIUS / np.sin(apparent_radius(pointing, header) / ARCSEC_PER_RADIAN)
    return float(metres / ASTRONOMICAL_UNIT)
