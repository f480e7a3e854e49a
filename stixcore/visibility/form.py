"""A, B, C, D → calibrated complex visibilities in the STIX frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stixcore.calibration.grids import AmplitudeScheme, amplitude_factor
from stixcore.errors import ReconstructionError
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.instrument.tables import phase_correction
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Frame, Visibilities

#: Relative systematic error of the amplitudes (``syserr_sigamp`` of the ground software).
SYSTEMATIC_ERROR = 0.05


def form_visibilities(
    pixels: MetaPixels,
    labels: Iterable[str] = IMAGING_LABELS,
    *,
    flare_xy: tuple[float, float] = (0.0, 0.0),
    scheme: AmplitudeScheme = AmplitudeScheme.GSW_2026,
    systematic: float = SYSTEMATIC_ERROR,
) -> Visibilities:
    """Form calibrated visibilities with the phase centre at the origin of the STIX frame.

    Parameters
    ----------
    pixels : MetaPixels
    labels : iterable of str
        Sub-collimators; those switched off in the data are left out.
    flare_xy : (x, y), arcsec
        Flare position in the STIX frame, for the grid transmission.
    scheme : AmplitudeScheme
    systematic : float
        Relative systematic error of the amplitude.

    Returns
    -------
    Visibilities
        In the STIX frame.

    Raises
    ------
    ReconstructionError
        When no selected detector was on, or a rate is not finite.

    Notes
    -----
    Massa et al. 2023, Sol. Phys. 298, 114; ground software ``stx_construct_calibrated_visibility``.
    """
    wanted = pixels.switched_on(labels)
    index = detector_indices(wanted)
    a, b, c, d = pixels.rate[index].T
    variance_a, variance_b, variance_c, variance_d = pixels.rate_sigma[index].T ** 2
    # Re = C - A,  Im = D - B
    raw = (c - a) + 1j * (d - b)
    if not np.isfinite(raw).all():
        message = f"{pixels.header.name}: rates of {wanted[int(np.argmin(np.isfinite(raw)))]} are not finite numbers"
        raise ReconstructionError(message)
    # σ_amp² = (Re/amp)²(σ_C² + σ_A²) + (Im/amp)²(σ_D² + σ_B²)
    amplitude = np.abs(raw)
    cosine = np.divide(raw.real, amplitude, out=np.full(amplitude.size, np.sqrt(0.5)), where=amplitude > 0)
    sine = np.divide(raw.imag, amplitude, out=np.full(amplitude.size, np.sqrt(0.5)), where=amplitude > 0)
    sigma = np.sqrt(cosine**2 * (variance_c + variance_a) + sine**2 * (variance_d + variance_b))

    factor = amplitude_factor(scheme, *flare_xy)[index]
    # φ = atan2(Im, Re) + φ0 + grid correction + ad-hoc correction
    phase = np.deg2rad(pixels.pixel_set.phase + phase_correction()[index])
    u, v = uv_points()[index].T
    return Visibilities(
        u=u,
        v=v,
        vis=raw * factor * np.exp(1j * phase),
        # σ = √((Mσ)² + (0.05·M·amp)²)
        sigma=factor * np.sqrt(sigma**2 + (systematic * amplitude) ** 2),
        labels=wanted,
        frame=Frame.STIX,
        meta={
            "t_start": pixels.t_start,
            "t_end": pixels.t_end,
            "e_low": pixels.e_low,
            "e_high": pixels.e_high,
            "scheme": str(scheme),
            "pixel_set": str(pixels.pixel_set),
        },
    )
