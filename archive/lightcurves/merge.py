"""Many quick-look files, one series: where files overlap the newest counts, where it has nothing the others fill in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stixcore.fits.products import LightCurve

#: A bin may reach this far into its neighbor, as a part of its length: the clock on board is corrected now and then.
MAY_OVERLAP = 0.125
#: Longer bins belong to no light curve, s.
LONGEST_BIN_S = 600.0


@dataclass(frozen=True, eq=False)
class Layer:
    """The bins of one file.

    Attributes
    ----------
    name, version : str
        Of the file.
    start, end : (n,) int64, µs since 1970
    duration : (n,) float, s
    counts : (n, 5) float, ct
    triggers : (n,) float
    rcr : (n,) int
    """

    name: str
    version: str
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    duration: NDArray[np.float64]
    counts: NDArray[np.float64]
    triggers: NDArray[np.float64]
    rcr: NDArray[np.int64]

    @classmethod
    def of(cls, curve: LightCurve, name: str, version: str) -> Layer:
        """Bins of a file that was read."""
        start = curve.t_start.astype("datetime64[us]").astype(np.int64)
        end = start + np.rint(curve.duration * 1e6).astype(np.int64)
        return cls(name, version, start, end, curve.duration, curve.counts, curve.triggers, curve.rcr)

    def take(self, bins: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Layer:
        """Some of its bins."""
        return replace(
            self,
            start=self.start[bins],
            end=self.end[bins],
            duration=self.duration[bins],
            counts=self.counts[bins],
            triggers=self.triggers[bins],
            rcr=self.rcr[bins],
        )


def merged(layers: Sequence[Layer]) -> list[Layer]:
    """What each file contributes to the series, so that no moment is told twice.

    Parameters
    ----------
    layers : sequence of Layer
        From the file that counts least to the one that counts most.

    Returns
    -------
    list of Layer
        Together they cover what any of the files covers, but for pieces shorter than a bin.
    """
    kept: list[Layer] = []
    start = end = np.empty(0, dtype=np.int64)
    for layer in reversed(layers):
        mine = _without_repetition(layer)
        mine = mine.take(~_covered(mine, start, end))
        kept.append(mine)
        start, end = np.concatenate([start, mine.start]), np.concatenate([end, mine.end])
        order = np.argsort(start, kind="stable")
        start, end = start[order], end[order]
    return kept


def _allowance(layer: Layer) -> NDArray[np.int64]:
    return ((layer.end - layer.start) * MAY_OVERLAP).astype(np.int64)


def _covered(layer: Layer, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Bins that share more with the kept ones than they may."""
    if not start.size:
        return np.zeros(layer.start.size, dtype=bool)
    allowed = _allowance(layer)
    # the last kept bin that begins before this one ends; kept bins follow one another, so their ends rise too
    before = np.searchsorted(start, layer.end - allowed, side="left") - 1
    return np.asarray((before >= 0) & (end[np.maximum(before, 0)] > layer.start + allowed))


def _without_repetition(layer: Layer) -> Layer:
    """Bins of one file that do not repeat the ones before them (packets are sent twice now and then)."""
    allowed = _allowance(layer)
    if (layer.start[1:] + allowed[1:] >= layer.end[:-1]).all():
        return layer
    kept, until = [], np.iinfo(np.int64).min
    for i in range(layer.start.size):
        if layer.start[i] + allowed[i] >= until:
            kept.append(i)
            until = layer.end[i]
    return layer.take(np.array(kept, dtype=np.int64))
