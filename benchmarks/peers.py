"""The packages ``xrayvisim`` and ``stixpy`` on an observation of `benchmarks.scenes`."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from types import SimpleNamespace

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes import PIXEL, SHAPE, Observation
from stixcore.calibration.grids import flight_transmission
from stixcore.imaging.mem import snr_percent_lambda, visibility_snr
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.simulation.instrument import modulation

Floats = NDArray[np.float64]

_SIZES = {"shape": SHAPE * u.pix, "pixel_size": [PIXEL, PIXEL] * u.arcsec / u.pix}
#: Modulation amplitude of a pixel with an ideal sub-collimator, as in stixpy's matrix.
_IDEAL_MODULATION = 4.0 / np.pi**3 * np.sin(np.pi / 4.0)


@dataclass(frozen=True, eq=False)
class PeerImage:
    """North-up image, per arcsec² except for dirty maps, and the total flux of the method."""

    image: Floats
    total_flux: float


def peer_images(given: Observation) -> dict[str, PeerImage]:
    """All methods of the other packages, called as their users would, under our names."""
    logging.disable(logging.INFO)  # they print their iterations
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation warnings inside the packages
        return {"BP": _bp(given), "CLEAN": _clean(given), "EM": _em(given), "MEM_GE": _mem(given)}


def _bp(given: Observation) -> PeerImage:
    from xrayvision.imaging import vis_to_image

    return PeerImage(np.asarray(vis_to_image(_visibilities(given), **_SIZES).value), float("nan"))


def _clean(given: Observation) -> PeerImage:
    from xrayvision.clean import vis_clean

    image, model, _ = vis_clean(
        _visibilities(given), **_SIZES, niter=200, gain=0.1, clean_beam_width=20 * u.arcsec, map=False
    )
    return PeerImage(np.asarray(getattr(image, "value", image)), float(np.sum(getattr(model, "value", model))))


def _mem(given: Observation) -> PeerImage:
    """With λ of the ground software; the default of the package is a fixed fraction."""
    from xrayvision.mem import mem

    percent = snr_percent_lambda(visibility_snr(given.vis)) * u.dimensionless_unscaled
    image = mem(_visibilities(given), **_SIZES, percent_lambda=percent, map=False)
    values = np.asarray(getattr(image, "value", image))
    return PeerImage(values, float(values.sum() * PIXEL**2))


def _visibilities(given: Observation) -> object:
    # the package images around the origin, independent of the phase center
    return replace(given.vis, phase_center=(0.0, 0.0)).to_xrayvision()


def _em(given: Observation) -> PeerImage:
    """In the instrument frame, from counts scaled to match its model of the instrument.

    Its matrix models only ideal sub-collimators, with transmission 1/4 and full modulation, so the mean and the
    modulation of the four rates of every detector are scaled to those of an ideal one.
    """
    from astropy.time import Time
    from stixpy.coordinates.frames import STIXImaging
    from stixpy.imaging.em import em
    from xrayvision.visibility import VisMeta

    order = detector_indices(reversed(IMAGING_LABELS))
    u_points, v_points = uv_points()[order].T
    container = SimpleNamespace(  # all that its ``em`` uses
        u=u_points / u.arcsec,
        v=v_points / u.arcsec,
        meta=VisMeta({"isc": order + 1, "time_range": Time(["2022-11-10T12:00:00", "2022-11-10T12:01:00"])}),
    )
    transmission = flight_transmission(*given.flare_xy)[order]
    mean = given.pixels.rate[order].mean(axis=1, keepdims=True)
    swing = given.pixels.rate[order] - mean
    rates = np.zeros_like(given.pixels.rate)
    rates[order] = (
        mean * (0.25 / transmission)[:, None] + swing * (_IDEAL_MODULATION / modulation(transmission))[:, None]
    )
    image = em(
        np.clip(rates, 0.0, None) * u.ct / (u.s * u.keV * u.cm**2),
        container,
        flare_location=STIXImaging(*np.array(given.flare_xy) * u.arcsec),
        idx=[0],  # its own list overrides the argument, and None fails
        **_SIZES,
    )
    # x = -y_stix, y = x_stix
    values = np.asarray(image.value).T[:, ::-1]
    return PeerImage(values, float(values.sum() * PIXEL**2))
