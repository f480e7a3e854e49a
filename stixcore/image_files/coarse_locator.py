"""The coarse locator's map and regions for download: a FITS image of Δχ², and JSON with the outlines."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.io import fits

from stixcore.imaging.coarse_locator import LEVELS, STEP, CoarseLocation
from stixcore.software import CREATOR, software_version

#: Outlines are given to a tenth of an arcsecond, a hundredth of the map's step.
DECIMALS = 1


def locator_document(found: CoarseLocation) -> dict[str, Any]:
    """Best position, numbers and outlines of the regions as JSON values.

    Returns
    -------
    dict
        The values of `CoarseLocation.summary`, and ``regions``: for each confidence level, its area [arcsec²] and
        polygons of helioprojective (x, y) [arcsec], the first point of which is also the last.
    """
    return found.summary() | {
        "regions": [
            {
                "level": level,
                "area_arcsec2": float(found.region(level).sum() * STEP**2),
                "polygons": [np.round(line, DECIMALS).tolist() for line in found.contours(level)],
            }
            for level in LEVELS
        ],
        "units": {"hpc_x": "arcsec", "hpc_y": "arcsec", "radius": "arcsec", "counts": "ct", "polygons": "arcsec"},
    }


def locator_map(found: CoarseLocation) -> fits.HDUList:
    """Δχ² over the solar disk as a FITS image; NaN beyond 1.1 solar radii.

    Nothing is resampled: columns run along the rolled helioprojective x', rows along y', and PCi_j rotates them by the
    roll angle.
    """
    # x' = P_x - y_stx,  y' = P_y + x_stx
    x = found.pointing.x - found.axis_y[::-1]
    y = found.pointing.y + found.axis_x
    delta = found.delta_chi2[::-1].T
    image = fits.ImageHDU(np.where(np.isfinite(delta), delta, np.nan).astype(np.float32), name="DELTA_CHI2")
    cos, sin = np.cos(np.deg2rad(found.pointing.roll)), np.sin(np.deg2rad(found.pointing.roll))
    cards: list[tuple[str, Any, str]] = [
        ("WCSAXES", 2, "helioprojective, seen from Solar Orbiter"),
        ("CTYPE1", "HPLN-TAN", "solar west"),
        ("CTYPE2", "HPLT-TAN", "solar north"),
        ("CUNIT1", "arcsec", ""),
        ("CUNIT2", "arcsec", ""),
        ("CDELT1", STEP, "[arcsec]"),
        ("CDELT2", STEP, "[arcsec]"),
        # a value of zero lies at CRPIX = 1 - x'₀/Δ
        ("CRPIX1", 1.0 - float(x[0]) / STEP, "pixel of Sun centre"),
        ("CRPIX2", 1.0 - float(y[0]) / STEP, "pixel of Sun centre"),
        ("CRVAL1", 0.0, "[arcsec]"),
        ("CRVAL2", 0.0, "[arcsec]"),
        # x = x' cos r - y' sin r,  y = x' sin r + y' cos r
        ("PC1_1", float(cos), ""),
        ("PC1_2", float(-sin), ""),
        ("PC2_1", float(sin), ""),
        ("PC2_2", float(cos), ""),
        ("RSUN_ARC", found.rsun, "[arcsec] apparent solar radius"),
        ("ENERGY_L", float(found.observed.energy[0]), "[keV]"),
        ("ENERGY_H", float(found.observed.energy[1]), "[keV]"),
        ("CFL_HPX", found.x, "[arcsec] coarse locator, solar west"),
        ("CFL_HPY", found.y, "[arcsec] coarse locator, solar north"),
        ("CFL_RAD", found.radius, "[arcsec] radius of its 68 % region"),
        ("CFL_CNTS", found.observed.total, "[ct] net counts of the locator"),
        ("CFL_CHI2", found.chi2, "chi^2 per degree of freedom there"),
        *((f"LEVEL{n}", found.threshold(level), f"contour of {100 * level:g} %") for n, level in enumerate(LEVELS, 1)),
        ("CREATOR", CREATOR, "software"),
        ("VERS_SW", software_version(), "version of the software"),
    ]
    for key, value, comment in cards:
        image.header[key] = (value, comment)
    hdus = fits.HDUList([fits.PrimaryHDU(), image])
    for hdu in hdus:
        hdu.add_checksum()
    return hdus
