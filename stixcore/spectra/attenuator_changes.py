"""Time bins during which the attenuator moves: no response describes them, so spectra leave them out.

Files give the attenuator state (rcr) of each bin, but the time of a change is several seconds off in some of them. The
ground software (v0.6.2, ``stx_convert_spectrogram2ospex``) moves it to the nearest jump of the count rate; here all
bins from the recorded to the true change are left out, with one bin on each side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stixcore.fits.products import PixelData, Spectrogram
from stixcore.spectra.count_spectra import recorded_counts

#: Change of the counts in 24 detectors from one bin to the next that only the attenuator makes (ground software).
JUMP_COUNTS = 1e4
JUMP_DETECTORS = 24
#: A jump further than this from a recorded change does not belong to it, s.
JUMP_REACH = 20.0


def bins_with_changes(data: PixelData | Spectrogram) -> NDArray[np.bool_]:
    """Whether the attenuator moves during or next to each time bin, (n_time,) bool."""
    moving = np.zeros(data.rcr.size, dtype=bool)
    changes = np.flatnonzero(np.diff(data.rcr)) + 1
    for change in changes.tolist():
        jump = _true_change(data, change, changes)
        # a change at n is between the bins n - 1 and n
        moving[max(min(change, jump) - 1, 0) : max(change, jump) + 1] = True
    return moving


def _true_change(data: PixelData | Spectrogram, change: int, changes: NDArray[np.int64]) -> int:
    """The first bin after the jump of the counts nearest to a recorded change; that change where there is no jump.

    A jump that is nearer to another recorded change belongs to that one.
    """
    reach = np.timedelta64(round(1e6 * JUMP_REACH), "us")
    near = np.flatnonzero(np.abs(data.t_start - data.t_start[change]) <= reach)
    rows = slice(int(near[0]), int(near[-1]) + 1)
    if isinstance(data, PixelData):
        counts, detectors = recorded_counts(data, rows), int(data.detector_mask[change].sum())
    else:
        counts, detectors = data.counts[rows].sum(axis=1), len(data.detectors)
    # |ΔC|·24/n_det > 10⁴
    jumps = np.flatnonzero(np.abs(np.diff(counts)) * JUMP_DETECTORS / max(detectors, 1) > JUMP_COUNTS) + rows.start + 1
    nearest = changes[np.argmin(np.abs(jumps[:, None] - changes), axis=1)] if jumps.size else jumps
    jumps = jumps[nearest == change]
    return int(jumps[np.argmin(np.abs(jumps - change))]) if jumps.size else change
