"""How much the numbers of a flare depend on the method: an error that no method's own error contains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import stdev

from archive import Image
from stixcore.imaging.registry import is_deconvolved

#: Fewer methods show no spread.
FEWEST = 3


@dataclass(frozen=True)
class MethodSpread:
    """Standard deviation of the numbers of the deconvolved images of one set; None where fewer than three have one.

    Attributes
    ----------
    methods : tuple of str
    x, y, fwhm : float or None, arcsec
        Of the brightest source.
    flux : float or None, ct s⁻¹ cm⁻² keV⁻¹
    relative_flux : float or None
        ``flux`` in units of the mean.
    """

    methods: tuple[str, ...]
    x: float | None
    y: float | None
    fwhm: float | None
    flux: float | None
    relative_flux: float | None


def spread_of(images: Iterable[Image]) -> MethodSpread | None:
    """Spread of the images of one set; None with fewer than three deconvolved ones."""
    used = [image for image in images if is_deconvolved(image.method)]  # others have no flux
    if len(used) < FEWEST:
        return None
    fluxes = _known([image.total_flux for image in used])
    flux = _deviation(fluxes)
    mean = sum(fluxes) / len(fluxes) if fluxes else 0.0
    return MethodSpread(
        methods=tuple(image.method for image in used),
        x=_deviation([image.centroid_hpc_x for image in used]),
        y=_deviation([image.centroid_hpc_y for image in used]),
        fwhm=_deviation([image.fwhm for image in used]),
        flux=flux,
        relative_flux=flux / mean if flux is not None and mean > 0 else None,
    )


def _deviation(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return stdev(known) if len(known) >= FEWEST else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
