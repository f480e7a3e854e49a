"""The detector: resolution, loss of charge ("tailing"), and the matrix from photons on the detector to counts.

A detector is 1 mm of cadmium telluride behind 34 nm of platinum. Its matrix has photoelectric absorption with escape of
K and L lines, Compton scattering and the resolution, and is shipped as a table for 3210 photon bins and the 30 native
channels of 4-150 keV (`stixcore.spectra.tables`). Other channel edges are interpolated in it, see `detector_matrix`.

Sources: STIX ground software v0.6.2, ``stx_fwhm``, ``stx_fwhm_fano``, ``stx_tailing_matrix``, ``stx_build_drm``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.spectra.tables import response_tables

Floats = NDArray[np.float64]

THICKNESS = 1000.0  # µm
DENSITY = 5.85  # g cm⁻³, cadmium telluride
HOLE_LENGTH, ELECTRON_LENGTH = 3600.0, 240_000.0  # µm, mean paths of charges before they are trapped
DAMAGE_DEPTH, DAMAGE_LOSS = 0.44, 0.8  # µm; lost part of the charge at the surface
MICROMETRES_PER_CM = 1e4
ELECTRONIC_FWHM = 1.0  # keV
FANO_FACTOR, PAIR_ENERGY = 0.1, 0.0044  # -, keV
#: Edges closer than this, keV, are equal.
SAME_EDGE = 1e-4


def fano_fwhm(energy: Floats) -> Floats:
    """Resolution due to the statistics of charges, FWHM in keV, as the ground software has it (``stx_fwhm_fano``).

    ``energy`` is in keV. The textbook's 2.355·√(0.1·0.0044·E) is 4 % wider.
    """
    return np.asarray(np.sqrt(energy / FANO_FACTOR / PAIR_ENERGY) / 1000.0)


def fwhm(energy: Floats) -> Floats:
    """Energy resolution, FWHM in keV (``stx_fwhm``): 1 keV of the electronics and the Fano term in quadrature.

    ``energy`` is in keV.
    """
    # FWHM = √(1.0² + f²)
    return np.hypot(ELECTRONIC_FWHM, fano_fwhm(energy))


def attenuation(energy: Floats, table_energy: Floats, cross_section: Floats) -> Floats:
    """Attenuation of cadmium telluride, µm⁻¹, at energies (n,), keV, from a table of cross-sections, cm² g⁻¹."""
    logs = np.interp(np.log(energy), np.log(table_energy), np.log(cross_section))
    return np.asarray(np.exp(logs) * DENSITY / MICROMETRES_PER_CM)


def charge_collection(depth: Floats) -> Floats:
    """Collected part of the charge of an interaction at ``depth`` [µm] below the surface: 0.20 there, at most 0.98.

    Hecht's equation for holes and electrons, times the loss in a damaged layer of 0.44 µm (``stx_tailing_matrix``).
    """
    # h = [λ_h (1 − e^{−x/λ_h}) + λ_e (1 − e^{−(d−x)/λ_e})]/d · (1 − 0.8 e^{−x/0.44})
    holes = HOLE_LENGTH * -np.expm1(-depth / HOLE_LENGTH)
    electrons = ELECTRON_LENGTH * -np.expm1(-(THICKNESS - depth) / ELECTRON_LENGTH)
    return np.asarray((holes + electrons) / THICKNESS * (1.0 - DAMAGE_LOSS * np.exp(-depth / DAMAGE_DEPTH)))


def layer_edges() -> Floats:
    """Depths at which the loss of charge is computed, (2995,) float, µm: 2.2 nm apart near the surface, then 1 µm."""
    damaged = 10.0 * DAMAGE_DEPTH
    fine = damaged * np.arange(2000) / 2000.0
    coarse = THICKNESS * np.arange(1000) / 1000.0
    return np.concatenate([fine, coarse[coarse >= damaged]])


def tailing_matrix(energy: Floats, attenuation: Floats) -> Floats:
    """Probability that a photon of energy bin j makes the charge of energy bin k, (n, n) float.

    Parameters
    ----------
    energy : (n,) float, keV
        Increasing; bin j is from ``energy[j]`` to ``energy[j + 1]``.
    attenuation : (n − 1,) float, µm⁻¹
        Of cadmium telluride in the bins.

    Returns
    -------
    (n, n) float
        Rows sum to less than 1: what falls below the first energy is lost. The last row is 0.

    Notes
    -----
    For every layer of the detector, charges f = h·E are shared between the bins of h·E_j and h·E_{j+1} in proportion,
    with the probability e^{−s x̄}(1 − e^{−s dx})/(1 − e^{−s d}) of an interaction in the layer (``stx_tailing_matrix``).
    """
    edges = layer_edges()
    width, middle, collected = np.diff(edges), 0.5 * (edges[1:] + edges[:-1]), charge_collection(edges[:-1])
    n = energy.size
    matrix = np.zeros((n, n))
    for j in range(n - 1):
        s = attenuation[j]
        p = np.exp(-s * middle) * np.expm1(-s * width) / np.expm1(-s * THICKNESS)
        low, high = collected * energy[j], collected * energy[j + 1]
        first = np.searchsorted(energy, low, side="right") - 1
        last = np.searchsorted(energy, high, side="right") - 1
        # the part of f_j … f_{j+1} on either side of the lower edge of the last bin
        border = energy[np.maximum(last, 0)]
        below = np.where(first == last, 0.0, (border - low) / (high - low))
        above = np.where(first == last, 1.0, (high - border) / (high - low))
        for bins, part in ((first, below), (last, above)):
            inside = bins >= 0
            matrix[j] += np.bincount(bins[inside], (part * p)[inside], minlength=n)
    return matrix


def detector_matrix(channel_edges: Floats, *, tailing: bool) -> Floats:
    """Counts in each channel per photon that reaches the detector, (I, 3210) float.

    Parameters
    ----------
    channel_edges : (I + 1,) float, keV
        Increasing, within 4-150 keV. Native channels and sums of them are exact (edges 4, 5, … 16, 18, 20, 22, 25, 28,
        32, 36, 40, 45, 50, 56, 63, 70, 76, 84, 100, 120, 150 keV). Other edges divide native channels, see Notes.
        Counts that are corrected to nominal energies, as the ground software does, need native edges.
    tailing : bool
        Whether charge is lost near the surface and on the way to the electrodes (`tailing_matrix`).

    Raises
    ------
    SelectionError
        When the edges do not increase, or leave 4-150 keV.

    Notes
    -----
    The counts between an edge and the photon's energy depend on the distance of the two, and little on the energy: peak
    and escape peaks move with the photon. So an edge e between the native edges a and b divides the channel as

        F(E, e) = (b − e)/(b − a) · F(E − (e − a), a) + (e − a)/(b − a) · F(E + (b − e), b),

    F being the counts below an edge, or for photons below the edge those above it. Terms linear in E cancel. A test
    takes each native edge away and interpolates it again. For a power law of 4 without attenuator the counts on either
    side are right to 1.5 % at 7-18 keV, 5.5 % above (K edges at 27-32 keV) and 16 % at 5 keV. Channels are twice as
    wide there as any that is divided in use, and the error falls with the square of the width. With the attenuator in,
    do not use divided channels below 11 keV, where escape peaks of hard X-rays dominate.
    """
    tables = response_tables()
    native, matrix = tables.channel_edges, tables.tailed if tailing else tables.matrix
    edges = _checked(channel_edges, native)
    nearest = np.abs(edges[:, None] - native).argmin(axis=1)
    same = np.abs(edges - native[nearest]) < SAME_EDGE
    if same.all():
        # sums of few numbers, not differences of large ones
        return np.asarray(np.add.reduceat(matrix[: nearest[-1]], nearest[:-1], axis=0))
    below, above = _cumulative(tailing)
    photon = 0.5 * (tables.photon_edges[1:] + tables.photon_edges[:-1])
    rows = [
        below[k] if native_edge else _below(edge, native, photon, below, above)
        for edge, k, native_edge in zip(edges, nearest, same, strict=True)
    ]
    return np.asarray(np.maximum(np.diff(rows, axis=0), 0.0))


def _checked(channel_edges: Floats, native: Floats) -> Floats:
    edges = np.asarray(channel_edges, dtype=np.float64)
    if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > SAME_EDGE).all():
        message = f"channel edges must be two or more increasing energies, found {edges}"
        raise SelectionError(message)
    if edges[0] < native[0] - SAME_EDGE or edges[-1] > native[-1] + SAME_EDGE:
        message = f"channel edges must be within {native[0]:g}-{native[-1]:g} keV, found {edges[0]:g}-{edges[-1]:g} keV"
        raise SelectionError(message)
    return edges


@cache
def _cumulative(tailing: bool) -> tuple[Floats, Floats]:
    """Counts of a photon in all native channels below and above each native edge, (31, 3210) float each."""
    tables = response_tables()
    matrix = tables.tailed if tailing else tables.matrix
    photon = 0.5 * (tables.photon_edges[1:] + tables.photon_edges[:-1])
    # 1-4 keV are not in the table: as many counts as a photon of 1, 2, 3 keV more has in 4-5 keV. They matter for
    # photons below 10 keV; near the K edges at 27-32 keV the rule fails.
    lost = np.sum([np.interp(photon + step, photon, matrix[0]) for step in (1.0, 2.0, 3.0)], axis=0)
    lost *= np.clip((20.0 - photon) / 12.0, 0.0, 1.0)
    below = np.cumsum(np.concatenate([lost[None], matrix]), axis=0)
    above = np.concatenate([np.cumsum(matrix[::-1], axis=0)[::-1], np.zeros((1, photon.size))])
    return below, above


def _below(edge: float, native: Floats, photon: Floats, below: Floats, above: Floats) -> Floats:
    """Counts of a photon between the lowest native edge and an ``edge`` that is not native, (J,) float."""
    k = int(np.searchsorted(native, edge, side="right")) - 1
    a, b = native[k], native[k + 1]
    w = (edge - a) / (b - a)
    channel = below[k + 1] - below[k]

    def divided(cumulative: Floats) -> Floats:
        # F(E, e) = (1 − w) F(E − (e − a), a) + w F(E + (b − e), b)
        left = np.interp(photon - (edge - a), photon, cumulative[k])
        right = np.interp(photon + (b - edge), photon, cumulative[k + 1])
        return np.asarray((1.0 - w) * left + w * right)

    part = np.where(photon > edge, divided(below) - below[k], above[k] - divided(above))
    return np.asarray(below[k] + np.clip(part, 0.0, channel))
