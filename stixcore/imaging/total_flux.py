"""Total flux of the sources from the counts: the visibility at zero frequency.

Every sub-collimator counts A + B + C + D = 4·T·F, whatever the shape of the source. The estimate is unbiased, because
it uses no amplitudes, which noise increases, and its error is that of the counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stixcore.calibration.grids import AmplitudeScheme, scheme_transmission
from stixcore.errors import ReconstructionError
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.visibility.pixels import MetaPixels


def counted_flux(
    pixels: MetaPixels,
    labels: Iterable[str] = IMAGING_LABELS,
    *,
    flare_xy: tuple[float, float] = (0.0, 0.0),
    scheme: AmplitudeScheme = AmplitudeScheme.GSW_2026,
) -> float:
    """Flux of everything in the field of view of the sub-collimators, ct s⁻¹ cm⁻² keV⁻¹.

    It exceeds the flux of a map when there is emission outside the map, or when the background is underestimated.

    Parameters
    ----------
    pixels : MetaPixels
    labels : iterable of str
        Sub-collimators; those switched off in the data are left out.
    flare_xy : (x, y), arcsec
        Flare position in the STIX frame, for the grid transmission.
    scheme : AmplitudeScheme
        Determines the transmission: measured in flight (``gsw-2026``) or from geometry (``gsw-2021``).

    Raises
    ------
    ReconstructionError
        When there are no counts above background, or no sub-collimator was on.
    """
    index = detector_indices(pixels.switched_on(labels))
    transmission = scheme_transmission(scheme, *flare_xy)[index]
    exposure = pixels.exposure[index]
    # F = Σ L·(A + B + C + D) ÷ Σ 4·L·T, the most likely F when the background is faint
    flux = float((exposure * pixels.rate[index].sum(axis=1)).sum() / (4.0 * exposure * transmission).sum())
    if not (np.isfinite(flux) and flux > 0):
        message = f"{pixels.header.name}: there are no counts above background, so no total flux"
        raise ReconstructionError(message)
    return flux
