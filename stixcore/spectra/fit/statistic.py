"""What a fit minimises: χ² with errors of the model, or the statistic of Cash for low counts.

χ²: the error of a channel belongs to the counts that the model expects. Errors of the data favour channels that
fluctuate downwards, which makes the fit too low (Mighell 1999, ApJ 518, 380). They are computed from the model of the
previous fit and kept during the next, until the model no longer changes: this is the maximum of the likelihood for
Poisson counts and adds no term in the derivatives of the errors.

Cash (1979, ApJ 228, 939): −2 ln L of Poisson counts in source and background together, relative to a perfect model. If
the error of the background is known, the background of each channel is fitted as well (Wachter, Leach & Kellogg 1979,
ApJ 230, 274; "W statistic" of XSPEC). It has no systematic errors: it is for spectra in which they do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FLOOR = 1e-10  # ct: a model with no counts at all has no likelihood


class Statistic(StrEnum):
    """Name of a statistic."""

    CHI2 = "chi2"
    CASH = "cash"


@dataclass(frozen=True, eq=False)
class ChannelData:
    """Data of the channels that are fitted, each (n,) float: counts, 1 sigma, background, its 1 sigma, systematic."""

    counts: Floats
    sigma: Floats
    background: Floats
    background_sigma: Floats
    systematic: Floats


class Objective(Protocol):
    """A statistic as a function of the model's counts."""

    def __call__(self, model: Floats) -> tuple[float, Floats, Floats]:
        """Value, its derivative by the counts (n,), and the expected second derivative (n,)."""
        ...


class ChiSquare:
    """χ² = Σ (C − M)²/σ² with errors σ that do not change during a fit."""

    def __init__(self, counts: Floats, sigma: Floats) -> None:
        self.counts, self.weight = counts, sigma**-2.0

    def __call__(self, model: Floats) -> tuple[float, Floats, Floats]:
        """Value, derivative and second derivative."""
        off = model - self.counts
        return float((self.weight * off**2).sum()), 2.0 * self.weight * off, 2.0 * self.weight


class Cash:
    """−2 ln L of Poisson counts in source and background, minus that of a perfect model."""

    def __init__(self, data: ChannelData) -> None:
        self.background = np.maximum(data.background, 0.0)
        self.on = np.maximum(data.counts + self.background, 0.0)
        known = (data.background_sigma > 0) & (self.background > 0)
        spread = np.where(known, data.background_sigma, 1.0)
        # a background b ± s was counted as (b/s)² events in an exposure (b/s²) times as long
        self.off = np.where(known, (self.background / spread) ** 2, 0.0)
        self.ratio = np.where(known, self.background / spread**2, np.inf)

    def __call__(self, model: Floats) -> tuple[float, Floats, Floats]:
        """Value, derivative and second derivative."""
        source = np.maximum(model, FLOOR)
        background = self._background(source)
        total = np.maximum(source + background, FLOOR)
        value = _deviance(self.on, total)
        known = np.isfinite(self.ratio)
        value[known] += _deviance(self.off[known], self.ratio[known] * background[known])
        variance = total + np.where(known, background / np.where(known, self.ratio, 1.0), 0.0)
        # d/dM at the fitted background: 2 (1 − n/(M + b))
        return float(value.sum()), 2.0 * (1.0 - self.on / total), 2.0 / variance

    def _background(self, source: Floats) -> Floats:
        """The background that fits best to both counts, given the source (Wachter et al. 1979)."""
        known = np.isfinite(self.ratio)
        t = np.where(known, self.ratio, 1.0)
        # (1 + τ) b² + [(1 + τ) M − n_on − n_off] b − n_off M = 0
        half = 0.5 * (self.on + self.off - (1.0 + t) * source)
        root = np.sqrt(half**2 + (1.0 + t) * self.off * source)
        return np.where(known, np.maximum((half + root) / (1.0 + t), FLOOR), self.background)


def _deviance(counts: Floats, expected: Floats) -> Floats:
    """2 [m − n + n ln(n/m)], 2 m where nothing was counted."""
    positive = counts > 0
    ratio = np.where(positive, counts, 1.0) / np.where(positive, expected, 1.0)
    return np.asarray(2.0 * (expected - counts + np.where(positive, counts * np.log(ratio), 0.0)))


def data_errors(data: ChannelData) -> Floats:
    """Errors of the data with the systematic part, (n,) float, ct; good enough to find a start."""
    # σ² = σ_stat² + (s C)²; an empty channel has the error of one count
    return np.asarray(np.sqrt(np.maximum(data.sigma, 1.0) ** 2 + (data.systematic * data.counts) ** 2))


def model_errors(data: ChannelData, model: Floats) -> Floats:
    """Errors of the counts that ``model`` (n,) expects, with the systematic part, (n,) float, ct.

    The Poisson part of the data's variance, C + B, gives way to M + B; what remains of the variance (compression, live
    time, error of the background) is kept.
    """
    background = np.maximum(data.background, 0.0)
    other = np.maximum(data.sigma**2 - np.maximum(data.counts + background, 0.0), 0.0)
    expected = np.maximum(model, 0.0)
    # σ² = M + B + rest + (s M)²; never below one count's error, where the model has none
    return np.asarray(np.sqrt(np.maximum(expected + background + other, 1.0) + (data.systematic * expected) ** 2))
