"""Made-up quick-look series: a background, flares of known time and size, noise and compression as on board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from stixcore.fits.compression import compress, decompress
from stixcore.flares import QuicklookSeries

START = np.datetime64("2024-05-06", "us")
SECOND = np.timedelta64(1_000_000, "us")
#: Quiet counts per 4 s in the five bands, as in 2021 and 2022.
QUIET = np.array([247.0, 49.0, 67.0, 863.0, 463.0])


@dataclass(frozen=True)
class Bump:
    """A flare: Gaussian rise, exponential decay; counts per 4 s at the peak."""

    peak: float
    counts: float
    rise: float = 40.0
    decay: float = 150.0
    #: Counts in the other bands, as a share of those in 4-10 keV.
    hard: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def level(self, t: np.ndarray) -> np.ndarray:
        """Share of the peak, t in s from the start of the series."""
        after = t - self.peak
        return np.where(after < 0, np.exp(-0.5 * (after / self.rise) ** 2), np.exp(-np.maximum(after, 0) / self.decay))


def make_series(
    hours: float, *bumps: Bump, seed: int | None = 1, start: np.datetime64 = START, rcr: np.ndarray | None = None
) -> QuicklookSeries:
    """Build a series of 4 s bins; ``seed`` None: no noise and no compression."""
    n = round(hours * 900)
    t = 4.0 * np.arange(n) + 2.0
    rates = np.tile(QUIET, (n, 1))
    for bump in bumps:
        rates += bump.counts * np.multiply.outer(bump.level(t), np.array([1.0, *bump.hard]))
    counts = rates
    if seed is not None:
        noisy = np.random.default_rng(seed).poisson(rates)
        counts = decompress(compress(noisy, (0, 5, 3)), (0, 5, 3)).astype(float)
    states = np.zeros(n, dtype=np.int64) if rcr is None else rcr
    return QuicklookSeries(start + 4 * np.arange(n) * SECOND, np.full(n, 4.0), counts, states)


@pytest.fixture
def made():
    """Hand out the builders, for tests are no package to import from."""

    class Made:
        start, second, quiet = START, SECOND, QUIET
        bump = staticmethod(Bump)
        series = staticmethod(make_series)

        @staticmethod
        def seconds(time):
            """Seconds after the start of a series."""
            return (time - START) / SECOND

    return Made
