"""Merging quick-look files into one series: the newest file takes precedence, older ones fill its gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stixcore.fits.products import LightCurve

#: Allowed overlap of neighboring bins, as a fraction of their length: the clock on board is corrected now and then.
MAY_OVERLAP = 0.125
#: Longest bin of a light curve, s.
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
        """Layer from a light curve that was read."""
        start = curve.t_start.astype("datetime64[us]").astype(np.int64)
        end = start + np.rint(curve.duration * 1e6).astype(np.int64)
        return cls(name, version, start, end, curve.duration, curve.counts, curve.triggers, curve.rcr)

    def take(self, bins: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Layer:
        """Layer with some of the bins."""
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
    """Bins that each file contributes to the series, without overlap.

    Parameters
    ----------
    layers : sequence of Layer
        By increasing precedence.

    Returns
    -------
    list of Layer
        Together they cover every time that a file covers, except for gaps shorter than a bin.
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
    """Bins that overlap the kept ones by more than is allowed."""
    if not start.size:
        return np.zeros(layer.start.size, dtype=bool)
    allowed = _allowance(layer)
    # the last kept bin that begins before this one ends; kept bins do not overlap, so their ends increase too
    before = np.searchsorted(start, layer.end - allowed, side="left") - 1
    return np.asarray((before >= 0) & (end[np.maximum(before, 0)] > layer.start + allowed))


def _without_repetition(layer: Layer) -> Layer:
    """Bins of a file without repetitions (packets are sometimes sent twice)."""
    allowed = _allowance(layer)
    if (layer.start[1:] + allowed[1:] >= layer.end[:-1]).all():
        return layer
    kept, until = [], np.iinfo(np.int64).min
    for i in range(layer.start.size):
        if layer.start[i] + allowed[i] >= until:
            kept.append(i)
            until = layer.end[i]
    return layer.take(np.array(kept, dtype=np.int64))
