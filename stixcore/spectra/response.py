"""Response of the instrument: counts in each channel per photon that reaches it.

    counts(i) = Σ_j matrix(i, j) · F(j) ΔE_j · area · livetime
    matrix    = detector (redistribution, loss of charge) × windows × attenuator × grids

F is the photon flux at the spacecraft, photons s⁻¹ cm⁻² keV⁻¹. Models give it at 1 AU: multiply by 1/D², D in AU, once;
neither matrix nor area contain the distance.

The schemes differ in all factors (`stixcore.spectra.transmission`), and in the loss of charge, which the ground
software includes since March 2026: a scheme decides it unless ``tailing`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stixcore.errors import SelectionError
from stixcore.instrument.geometry import BACKGROUND_MONITOR
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, pixel_area
from stixcore.spectra.apertures import require_same_apertures
from stixcore.spectra.detector import detector_matrix
from stixcore.spectra.tables import response_tables
from stixcore.spectra.transmission import (
    ResponseScheme,
    grid_transmission,
    monitor_transmission,
    window_transmission,
)

Floats = NDArray[np.float64]

#: Area of a detector that is read out, cm², by the state of rate control 0-7 (ground software ``stx_rcr_area``).
RCR_AREA = np.array([0.8096, 0.80961, 0.4048, 0.2024, 0.1012, 0.0396, 0.0198, 0.0099])
#: The photon axis of ``gsw-2022`` ends here, keV.
OLD_LIMIT = 150.0
CACHED = 32  # responses; each has up to 0.8 MB


@dataclass(frozen=True, eq=False)
class Response:
    """Response of a set of detectors and pixels.

    Attributes
    ----------
    photon_edges : (J + 1,) float, keV
    channel_edges : (I + 1,) float, keV
    matrix : (I, J) float, read-only
        Counts per photon that reaches the instrument on 1 cm² of pixel.
    area : float, cm²
        Of the pixels in use, times the factor of the rate control, without 1/D².
    scheme : str
        "gsw-2026" or "gsw-2022".
    attenuator : bool
        Whether it is in.
    detectors, pixels : tuple of int
        Indices.
    place : (float, float), arcsec
        The flare in the STIX frame.
    tailing : bool
        Whether the loss of charge is included.
    """

    photon_edges: Floats
    channel_edges: Floats
    matrix: Floats
    area: float
    scheme: str
    attenuator: bool
    detectors: tuple[int, ...]
    pixels: tuple[int, ...]
    place: tuple[float, float]
    tailing: bool = False

    def fold(self, flux: ArrayLike) -> Floats:
        """Counts per second of live time in each channel, (I,) or (n, I) float.

        Parameters
        ----------
        flux : (J,) or (n, J) float, photons s⁻¹ cm⁻² keV⁻¹
            Mean flux in each photon bin, at the spacecraft.

        Raises
        ------
        SelectionError
            When the last axis of ``flux`` is not that of the photon bins.
        """
        values = np.asarray(flux, dtype=np.float64)
        if values.ndim not in (1, 2) or values.shape[-1] != self.matrix.shape[1]:
            message = f"flux must have {self.matrix.shape[1]} photon bins in its last axis, found shape {values.shape}"
            raise SelectionError(message)
        # C_i = A Σ_j R_ij F_j ΔE_j
        return np.asarray((values * np.diff(self.photon_edges)) @ self.matrix.T * self.area)


def make_response(
    channel_edges: ArrayLike,
    *,
    detectors: Sequence[int],
    pixels: Sequence[int],
    place: tuple[float, float] = (0.0, 0.0),
    attenuator: bool = False,
    rcr: int = 0,
    scheme: str = ResponseScheme.GSW_2026,
    tailing: bool | None = None,
) -> Response:
    """Make the response of a set of detectors and pixels. The latest ones are cached.

    Parameters
    ----------
    channel_edges : (I + 1,) float, keV
        Within 4-150 keV. The native science channels and sums of them are exact, other edges are interpolated
        (`stixcore.spectra.detector.detector_matrix`).
    detectors, pixels : sequence of int
        Indices. The background monitor alone is allowed, the coarse flare locator is not.
    place : (float, float), arcsec
        The flare in the STIX frame; it changes the transmission of the grids.
    attenuator : bool
        Whether the attenuator is in. It is in for every ``rcr`` from 1, and never in front of the background monitor.
    rcr : int
        State of the rate control, 0-7. From 2 the electronics read fewer pixels: give ``rcr`` with the pixels before
        that, or 1 with the pixels that were read, not both.
    scheme : str
        "gsw-2026" or "gsw-2022"; the photon axis of the latter ends at 150 keV, as it did.
    tailing : bool or None
        Whether charge is lost in the detector. None: as the scheme has it, yes in "gsw-2026", no in "gsw-2022".

    Raises
    ------
    SelectionError
        When a value is not possible.

    Notes
    -----
    The area is Σ pixel areas × RCR_AREA[rcr]/RCR_AREA[0] (ground software ``stx_build_pixel_drm``). The photon axis is
    the ground software's, 3210 bins of 3.005-495 keV; it does not depend on the channels.
    """
    if scheme not in set(ResponseScheme):
        message = f"scheme must be one of {', '.join(ResponseScheme)}, found {scheme!r}"
        raise SelectionError(message)
    if int(rcr) != rcr or not 0 <= rcr < RCR_AREA.size:
        message = f"rcr must be 0-{RCR_AREA.size - 1}, found {rcr}"
        raise SelectionError(message)
    if np.shape(place) != (2,) or not np.isfinite(place).all():
        message = f"place must be two finite numbers in arcsec, found {place}"
        raise SelectionError(message)
    chosen = _detectors(detectors)
    edges = tuple(float(edge) for edge in np.atleast_1d(np.asarray(channel_edges, dtype=np.float64)))
    return _make_response(
        edges,
        chosen,
        _indices(pixels, N_PIXELS, "pixels"),
        (float(place[0]), float(place[1])),
        (bool(attenuator) or rcr >= 1) and chosen != (BACKGROUND_MONITOR,),
        int(rcr),
        ResponseScheme(scheme),
        scheme == ResponseScheme.GSW_2026 if tailing is None else bool(tailing),
    )


def _indices(values: Sequence[int], limit: int, name: str) -> tuple[int, ...]:
    chosen = tuple(sorted(int(value) for value in values))
    if not chosen or len(set(chosen)) != len(chosen) or chosen[0] < 0 or chosen[-1] >= limit:
        message = f"{name} must be different indices from 0 to {limit - 1}, found {list(values) or 'none'}"
        raise SelectionError(message)
    return chosen


def _detectors(detectors: Sequence[int]) -> tuple[int, ...]:
    chosen = _indices(detectors, N_DETECTORS, "detectors")
    require_same_apertures(chosen)
    return chosen


@lru_cache(maxsize=CACHED)
def _make_response(
    edges: tuple[float, ...],
    detectors: tuple[int, ...],
    pixels: tuple[int, ...],
    place: tuple[float, float],
    attenuator: bool,
    rcr: int,
    scheme: ResponseScheme,
    tailing: bool,
) -> Response:
    photon_edges = response_tables().photon_edges
    if scheme is ResponseScheme.GSW_2022:
        photon_edges = photon_edges[photon_edges < OLD_LIMIT + 1e-6]
    n_photon = photon_edges.size - 1
    energy = 0.5 * (photon_edges[1:] + photon_edges[:-1])
    channel_edges = np.array(edges)
    transmission = window_transmission(energy, detectors, attenuator=attenuator, scheme=scheme)
    if detectors == (BACKGROUND_MONITOR,):
        transmission *= monitor_transmission(pixels, scheme=scheme)
    else:
        transmission *= grid_transmission(energy, detectors, place, scheme=scheme)
    matrix = detector_matrix(channel_edges, tailing=tailing)[:, :n_photon] * transmission
    for array in (matrix, channel_edges):
        array.flags.writeable = False
    area = len(detectors) * pixel_area()[list(pixels)].sum() * RCR_AREA[rcr] / RCR_AREA[0]
    return Response(
        photon_edges=photon_edges,
        channel_edges=channel_edges,
        matrix=matrix,
        area=float(area),
        scheme=str(scheme),
        attenuator=attenuator,
        detectors=detectors,
        pixels=pixels,
        place=place,
        tailing=tailing,
    )
