"""How well a background file predicts the background of other times, for ``docs/accuracy.md``.

Quiet times of the science files of 9-11 November 2022 against the background file of 9 November. What the Sun adds is
estimated from the channels in which it is brightest compared with the background (5-7 keV), and from 9-14 keV for hot
plasma; what remains is the scatter of the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_page import write_table
from benchmarks.november_2022 import BACKGROUND_UID, FOLDER, background
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_pixel_data
from stixcore.spectra.selected_bins import select_bins
from stixcore.spectra.summed_bins import SummedBins, groups_of_rows

Floats = NDArray[np.float64]
Band = tuple[float, float]

#: Least length of a quiet time [s], and most counts of the Sun in 5-7 keV as a fraction of the background there.
SECONDS, QUIET = 100.0, 0.6
#: Bands that show the Sun: cool plasma, its iron line, hot plasma.
SOLAR: tuple[Band, ...] = ((5.0, 6.0), (6.0, 7.0), (9.0, 14.0))
#: Channels with lines of the background, which decide the fits of faint flares, and those above them.
LINES: tuple[Band, ...] = ((4.0, 5.0), (7.0, 8.0), (8.0, 9.0))
ABOVE: tuple[Band, ...] = tuple(pairwise((14.0, 15.0, 16.0, 18.0, 20.0, 22.0, 25.0, 28.0)))
#: Scatters that are tried.
GRID = np.linspace(0.0, 0.08, 161)


@dataclass(frozen=True, eq=False)
class QuietTime:
    """Counts of the quiet times of a file and those of the background, (n_channel,) ct; ``variance`` of the former."""

    e_low: Floats
    e_high: Floats
    counts: Floats
    variance: Floats
    background: Floats

    def excess(self, band: Band) -> tuple[float, float]:
        """(C − B)/B in a band and its statistical error; NaN where the file does not have the band."""
        inside = (self.e_low > band[0] - 0.01) & (self.e_high < band[1] + 0.01)
        if not inside.any() or self.e_high[inside][-1] < band[1] - 0.01:
            return np.nan, np.nan
        expected = self.background[inside].sum()
        return self.counts[inside].sum() / expected - 1.0, float(np.sqrt(self.variance[inside].sum())) / expected


def quiet_times() -> list[QuietTime]:
    """Quiet times of all files, one for each file that has any."""
    quiet = read_pixel_data(background())
    paths = [path for path in sorted((FOLDER / "l1").glob("*-cpd_*.fits")) if BACKGROUND_UID not in path.name]
    found = [_quiet_time(read_pixel_data(path), quiet) for path in paths]
    return [one for one in found if one is not None]


def _quiet_time(data: PixelData, quiet: PixelData) -> QuietTime | None:
    selected = select_bins(data, quiet, None, None, None, None)
    sums = selected.sum(None)
    e_low, e_high = data.e_low[sums.channels], data.e_high[sums.channels]
    rows = np.flatnonzero(data.rcr[sums.rows] == 0)
    kept: list[int] = []
    for group in groups_of_rows(rows, data.duration[sums.rows], data.rcr[sums.rows], SECONDS):
        one = _sum(e_low, e_high, sums, group)
        long = data.duration[sums.rows[group]].sum() >= SECONDS
        if long and one.excess((SOLAR[0][0], SOLAR[1][1]))[0] < QUIET:
            kept += group.tolist()
    return _sum(e_low, e_high, sums, np.array(kept)) if kept else None


def _sum(e_low: Floats, e_high: Floats, sums: SummedBins, rows: NDArray[np.int64]) -> QuietTime:
    counts, variance, expected = (one[rows].sum(axis=0) for one in (sums.counts, sums.variance, sums.background))
    return QuietTime(e_low, e_high, counts, variance, expected)


def _likelihood(times: Sequence[QuietTime], bands: Sequence[Band], scatter: float) -> float:
    """−ln L of a scatter that all bands have, less what the regression on the Sun uses up (restricted likelihood)."""
    total = 0.0
    for band in bands:
        values, sun = _of_band(times, band)
        variance = values[:, 1] ** 2 + scatter**2
        weight = 1.0 / np.sqrt(variance)
        weighted = sun * weight[:, None]
        solution = np.linalg.lstsq(weighted, values[:, 0] * weight, rcond=None)[0]
        off = values[:, 0] - sun @ solution
        total += 0.5 * float(np.sum(np.log(variance) + off**2 / variance))
        total += 0.5 * float(np.linalg.slogdet(weighted.T @ weighted)[1])
    return total


def _of_band(times: Sequence[QuietTime], band: Band) -> tuple[Floats, Floats]:
    """Excess and error of a band (n, 2), and the Sun (n, 4) with a constant for the error of the background file."""
    values = np.array([one.excess(band) for one in times])
    known = np.isfinite(values[:, 0])
    sun = np.array([[1.0, *(one.excess(each)[0] for each in SOLAR)] for one in times])
    return values[known], sun[known]


def scatter(times: Sequence[QuietTime], bands: Sequence[Band]) -> tuple[float, float, float]:
    """Most likely scatter of the background, and the ends of its 1 σ interval."""
    values = np.array([_likelihood(times, bands, one) for one in GRID])
    inside = GRID[values - values.min() < 0.5]
    return float(GRID[values.argmin()]), float(inside[0]), float(inside[-1])


def run() -> None:
    """Write the section of the page."""
    times = quiet_times()
    bands: list[tuple[str, Sequence[Band]]] = [(f"{low:g}-{high:g} keV", [(low, high)]) for low, high in LINES]
    bands += [("channels of 14-28 keV", ABOVE), ("all of these", (*LINES, *ABOVE))]
    rows: list[list[object]] = []
    for name, channels in bands:
        best, low, high = scatter(times, channels)
        used = min(int(_of_band(times, band)[0].shape[0]) for band in channels)
        statistical = np.median([_of_band(times, band)[0][:, 1] for band in channels[:1]])
        rows.append([name, used, f"{statistical:.1%}", f"{best:.1%}", f"{low:.1%}-{high:.1%}"])
    columns = ["channels", "files", "counting statistics of the first channel", "scatter of the background", "1 σ"]
    write_table("Background of spectra", INTRODUCTION, columns, rows, before="## By scene")


INTRODUCTION = f"""Background files are taken on other days. Quiet times of the science files of 9-11 November 2022 (at
least {SECONDS:g} s in which the Sun adds less than {QUIET:.0%} of the background in 5-7 keV) against the one background
file of 9 November, beyond counting statistics and what the Sun adds. The last row, rounded, is the systematic error of
the background in spectra ([why](decisions/background_error.md)). `python -m benchmarks background_levels` writes this
section.
"""
