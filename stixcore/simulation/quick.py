"""Simulate A, B, C, D sums without files, for benchmarks and tests with hundreds of flares.

The simulation has the same instrument model with Poisson noise, in one time bin and one energy band, but no dead time,
energy-edge effects or compression. It takes about 0.3 ms for a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stixcore.coordinates import Pointing
from stixcore.errors import SelectionError
from stixcore.instrument.geometry import FLARE_LOCATOR, IMAGING_LABELS, PixelSet, detector_indices, uv_points
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, pixel_area
from stixcore.simulation.instrument import pixel_response
from stixcore.simulation.observation import simulated_header
from stixcore.simulation.sources import Source, visibilities
from stixcore.visibility.miscalibration import miscalibrated
from stixcore.visibility.pixels import MetaPixels, SinglePixels
from stixcore.visibility.visibilities import Frame, Visibilities

Floats = NDArray[np.float64]

_DATE = np.datetime64("2022-11-10T12:00:00", "us")


def meta_response(
    sources: Sequence[Source], pointing: Pointing | None, pixel_set: PixelSet = PixelSet.TOP_BOT
) -> Floats:
    """Effective area of A, B, C, D of every detector, (32, 4) float, cm²."""
    area = pixel_response(sources, pointing)[:, pixel_set.pixels]
    # Sums of the flare locator mean nothing; with the same ones everywhere, its model changes no other random number.
    area[FLARE_LOCATOR] = 0.5 * pixel_area()[pixel_set.pixels]
    return np.asarray(area.reshape(N_DETECTORS, -1, 4).sum(axis=1))


def flux_for_counts(
    sources: Sequence[Source],
    total_counts: float,
    *,
    pointing: Pointing | None = None,
    energy: tuple[float, float] = (6.0, 10.0),
    duration: float = 60.0,
    pixel_set: PixelSet = PixelSet.TOP_BOT,
) -> float:
    """True flux for ``total_counts`` in `simulate_pixel_sums` with the same arguments, ct s⁻¹ cm⁻² keV⁻¹."""
    area = meta_response(sources, pointing, pixel_set)[detector_indices(IMAGING_LABELS)].sum()
    return float(total_counts / (area * duration * (energy[1] - energy[0])))


def simulate_pixel_sums(
    sources: Sequence[Source],
    total_counts: float,
    rng: Generator | None = None,
    *,
    pointing: Pointing | None = None,
    background: float = 0.0,
    energy: tuple[float, float] = (6.0, 10.0),
    duration: float = 60.0,
    pixel_set: PixelSet = PixelSet.TOP_BOT,
    t_start: np.datetime64 = _DATE,
    calibration_error: float = 0.0,
) -> MetaPixels:
    """Simulate random A, B, C, D sums.

    Parameters
    ----------
    sources : sequence of Source
        With helioprojective positions if a pointing is given, else in the STIX frame.
    total_counts : float
        Expected counts of the sources in ``pixel_set``, summed over the 24 default sub-collimators (labels 3-10).
    rng : numpy Generator, optional
        Without it, the result has no noise, but the sigmas of a result with noise.
    pointing : Pointing, optional
    background : float
        Expected background counts in the same pixels, assumed to be known exactly.
    energy : (low, high), keV; duration : float, s
        Used only to convert counts to rates.
    pixel_set : PixelSet
    t_start : datetime64
    calibration_error : float
        Relative error of amplitudes and error of phases [rad], random in every sub-collimator, which the systematic
        error in the sigma of visibilities represents.

    Raises
    ------
    SelectionError
        When counts are negative.
    """
    if not (total_counts >= 0 and background >= 0):
        message = f"counts must not be negative, found {total_counts} of the sources and {background} of background"
        raise SelectionError(message)
    used = detector_indices(IMAGING_LABELS)
    area = meta_response(sources, pointing, pixel_set)
    expected = area * (total_counts / area[used].sum())
    if calibration_error > 0 and rng is not None:
        expected = miscalibrated(expected, calibration_error, rng)
    quiet = np.full((N_DETECTORS, 4), background / (4.0 * used.size))
    counts = expected + quiet if rng is None else rng.poisson(expected + quiet).astype(float)
    exposure = duration * (energy[1] - energy[0]) * pixel_set.area
    end = t_start + np.timedelta64(round(duration * 1e6), "us")
    single = None
    if pixel_set is PixelSet.TOP_BOT:
        scale = total_counts / area[used].sum()
        locator = scale * pixel_response(sources, pointing)[FLARE_LOCATOR]
        single = _single_pixels(counts, quiet, locator, None if rng is None else rng.spawn(1)[0], energy)
    rows = np.repeat((counts - quiet).sum(axis=1)[:, None] / 2.0, 2, axis=1)
    return MetaPixels(
        header=simulated_header("simulated", t_start, end),
        background_name="simulated",
        t_start=t_start,
        t_end=end,
        e_low=energy[0],
        e_high=energy[1],
        pixel_set=pixel_set,
        counts=counts,
        counts_variance=counts.copy(),
        background=quiet,
        background_variance=np.zeros_like(quiet),
        edge_factor=np.ones_like(quiet),
        rate=(counts - quiet) / exposure,
        rate_sigma=np.sqrt(counts) / exposure,
        livetime=np.full(N_DETECTORS, duration),
        livetime_sigma=np.zeros(N_DETECTORS),
        duration=duration,
        rcr=0,
        detector_mask=np.ones(N_DETECTORS, dtype=bool),
        top_bottom=rows,
        single=single,
    )


def _single_pixels(
    counts: Floats, quiet: Floats, locator: Floats, rng: Generator | None, energy: tuple[float, float]
) -> SinglePixels:
    """Counts of large pixels, half of the sums each, and of all pixels of the flare locator.

    Random numbers of the locator come from their own generator, so that they change no others.
    """
    net, variance = np.zeros((N_DETECTORS, N_PIXELS)), np.zeros((N_DETECTORS, N_PIXELS))
    net[:, :8], variance[:, :8] = np.tile((counts - quiet) / 2.0, 2), np.tile(counts / 2.0, 2)
    background = quiet[FLARE_LOCATOR, 0] / 2.0 * pixel_area() / pixel_area()[0]
    found = locator + background if rng is None else rng.poisson(locator + background)
    net[FLARE_LOCATOR], variance[FLARE_LOCATOR] = found - background, found
    return SinglePixels(np.array([energy[0]]), np.array([energy[1]]), net[:, :, None], variance[:, :, None])


def true_visibilities(
    sources: Sequence[Source],
    flux: float,
    labels: Iterable[str] = IMAGING_LABELS,
    *,
    pointing: Pointing | None = None,
    relative_sigma: float = 0.01,
) -> Visibilities:
    """Analytic visibilities of sources of total ``flux`` in the STIX frame, with the phase center at its origin.

    ``relative_sigma`` is their sigma in units of the flux; no noise is added.
    """
    wanted = tuple(labels)
    u, v = uv_points()[detector_indices(wanted)].T
    return Visibilities(
        u=u,
        v=v,
        vis=flux * visibilities(sources, u, v, pointing),
        sigma=np.full(len(wanted), relative_sigma * flux),
        labels=wanted,
        frame=Frame.STIX,
    )
