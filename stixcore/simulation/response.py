"""From photons to counts in narrow bins: the response that spectra are fitted with, before the pixels' channel edges.

    counts(i) = Σ_j matrix(i, j) · F(j) ΔE_j
    matrix    = detector (redistribution) × windows × attenuator × t(E)/t₀

t(E)/t₀ is the transmission of the grids relative to 10-15 keV, for which the effective areas of
`stixcore.simulation.instrument` are. The loss of charge is left out, as in spectral fits
(``docs/decisions/loss_of_charge.md``). The bins are narrow because every pixel has its own channel edges.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.grids import flight_transmission
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR
from stixcore.instrument.tables import N_DETECTORS
from stixcore.spectra.detector import detector_matrix
from stixcore.spectra.tables import response_tables
from stixcore.spectra.transmission import grid_transmission, is_fine, window_transmission

Floats = NDArray[np.float64]

BIN = 0.125  # keV, below `WIDE_FROM`; above, every native channel has 8 bins
WIDE_FROM, WIDE_PARTS = 50.0, 8
#: Lowest edge, keV: that of no pixel's first channel is lower.
LOWEST = 2.0
#: Detectors whose windows and grids represent all.
COARSE = tuple(k for k in range(N_DETECTORS) if k not in (FLARE_LOCATOR, BACKGROUND_MONITOR) and not is_fine(k))


@cache
def count_edges() -> Floats:
    """Edges of the narrow bins, (n + 1,) float, keV, 2-150; all native channel edges are among them."""
    native = response_tables().channel_edges
    below = np.arange(LOWEST, native[0], BIN)
    parts = [
        np.linspace(a, b, (round((b - a) / BIN) if b <= WIDE_FROM else WIDE_PARTS), endpoint=False)
        for a, b in pairwise(native)
    ]
    return np.concatenate([below, *parts, native[-1:]])


@cache
def count_matrix(attenuated: bool) -> Floats:
    """Counts in each narrow bin per photon, (n, 3210) float, read-only; the photon bins are those of the response.

    Notes
    -----
    The detector's table begins at 4 keV. Below, a photon of E has as many counts at a distance d below 4 keV as one of
    E + 2d has at that distance above: the peak moves with the photon.
    """
    tables, edges = response_tables(), count_edges()
    photon = 0.5 * (tables.photon_edges[1:] + tables.photon_edges[:-1])
    first = int(np.searchsorted(edges, tables.channel_edges[0]))
    above = detector_matrix(edges[first:], tailing=False)
    starts = np.searchsorted(edges[first:], tables.channel_edges[:-1])
    divided = np.add.reduceat(above, starts, axis=0)
    whole = np.divide(tables.matrix, divided, out=np.ones_like(divided), where=divided > 0)
    above *= np.repeat(whole, np.diff([*starts, len(above)]), axis=0)  # the bins of a native channel add up to it
    below = [np.interp(photon + (2 * k + 1) * BIN, photon, above[k]) for k in reversed(range(first))]
    relative = grid_transmission(photon, COARSE) / flight_transmission(0.0, 0.0)[list(COARSE)].mean()
    matrix = np.concatenate([below, above]) * (window_transmission(photon, COARSE, attenuator=attenuated) * relative)
    matrix.flags.writeable = False
    return matrix


def narrow_counts(photons: Floats, attenuated: bool = False) -> Floats:
    """Counts s⁻¹ cm⁻² in the narrow bins, (n,) float, of a photon flux (3210,), ph s⁻¹ cm⁻² keV⁻¹."""
    return np.asarray(count_matrix(attenuated) @ (photons * np.diff(response_tables().photon_edges)))
