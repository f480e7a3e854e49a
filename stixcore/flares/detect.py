"""Detect the flares of a quick-look series and measure them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stixcore.flares.attenuator import without_attenuator
from stixcore.flares.envelope import ENVELOPE_REACH, QUIET_REACH, background, deviation, deviation_at, envelope
from stixcore.flares.peaks import BEND_SCALES, PROMINENCE_REACH, DetectionRules, Peak, find_peaks_of
from stixcore.flares.series import BANDS, EPOCH, N_BANDS, STEP, Floats, QuicklookSeries, grid, moving_mean

#: No data farther from a flare than this affect it: two series that agree within this distance give the same flare.
REACH = np.timedelta64(
    round((ENVELOPE_REACH + QUIET_REACH + PROMINENCE_REACH + max(BEND_SCALES)) / 60.0) + 1, "m"
).astype("timedelta64[us]")

#: A band has signal where its one-minute mean exceeds the background by this many standard deviations of the mean.
SIGNAL_SIGMAS = 5.0
#: Shorter pieces of a series are skipped: their background cannot be determined, s.
SHORTEST_PIECE = 600.0


@dataclass(frozen=True)
class DetectedFlare:
    """One flare.

    Attributes
    ----------
    flare_id : str
        ``yymmddhhmm`` of the peak.
    t_start, t_peak, t_end : datetime64[us]
        UTC at Solar Orbiter: start of the first bin, middle of the bin at the peak of the one-minute mean, end of the
        last bin. A flare that overlaps the next one ends where that one begins.
    peak_counts : (5,) tuple of float, ct per 4 s
        Largest counts of one bin in each band, background included. For a flare on the decay of another one, the
        4-10 keV value is taken within half a minute of its peak. A lower limit if the attenuator was in at any time.
    open_counts : float, ct per 4 s
        The same for 4-10 keV while the attenuator was out; NaN if it was in throughout.
    background : float, ct per 4 s
        Background of 4-10 keV at the peak.
    total_counts, background_counts : float, ct
        Counts in 4-10 keV from start to end, and the background among them. The decay of another flare counts as
        signal.
    significance : float
        Height of the one-minute mean at the peak above the level below the flare, in standard deviations of one 4 s bin
        at that level (counting statistics and on-board compression). With the attenuator in, of the corrected curve.
    highest_band : str
        Highest band with signal, one of `BANDS`.
    attenuator_in : bool
        The attenuator was in at some time during the flare.
    """

    flare_id: str
    t_start: np.datetime64
    t_peak: np.datetime64
    t_end: np.datetime64
    peak_counts: tuple[float, ...]
    open_counts: float
    background: float
    total_counts: float
    background_counts: float
    significance: float
    highest_band: str
    attenuator_in: bool

    @property
    def net_counts(self) -> float:
        """`open_counts` without background, ct per 4 s."""
        return self.open_counts - self.background


@dataclass(frozen=True, eq=False)
class _Curves:
    """A piece of the series without long gaps, on the grid: all bands (5, m); ``soft`` without the attenuator."""

    time: Floats
    soft: Floats
    bands: Floats
    backgrounds: Floats
    soft_envelope: Floats


def find_flares(series: QuicklookSeries, rules: DetectionRules | None = None) -> list[DetectedFlare]:
    """Detect the flares of a series, sorted by peak time.

    Parameters
    ----------
    series : QuicklookSeries
        Of any length. A flare is final once `REACH` before and after it are included.
    rules : DetectionRules, optional

    Returns
    -------
    list of DetectedFlare

    Notes
    -----
    A flare that is cut off by the end of the series or by a gap is reported up to there.
    """
    rules = rules or DetectionRules()
    flares: list[DetectedFlare] = []
    for piece in _pieces(series.recorded(), rules):
        curves = _curves(piece, rules)
        peaks = find_peaks_of(curves.soft, curves.soft_envelope, curves.backgrounds[0], rules)
        flares += [_measured(piece, curves, peak) for peak in peaks]
    return flares


def _pieces(series: QuicklookSeries, rules: DetectionRules) -> Iterator[QuicklookSeries]:
    """Split a series at its long gaps."""
    middle = series.middle
    gap = np.diff(middle) - 0.5 * (series.duration[1:] + series.duration[:-1])
    bounds = [0, *(np.flatnonzero(gap > rules.longest_gap) + 1).tolist(), middle.size]
    for first, last in pairwise(bounds):
        if last > first and middle[last - 1] - middle[first] >= SHORTEST_PIECE:
            cut = slice(first, last)
            yield QuicklookSeries(series.t_start[cut], series.duration[cut], series.counts[cut], series.rcr[cut])


def _curves(piece: QuicklookSeries, rules: DetectionRules) -> _Curves:
    middle = piece.middle
    time = grid(middle)
    touching = np.diff(middle) <= 0.75 * (piece.duration[1:] + piece.duration[:-1])
    rate = piece.counts[:, 0] / piece.duration
    open_counts = without_attenuator(rate, piece.rcr, touching) * piece.duration
    columns = [open_counts if (piece.rcr > 0).any() else piece.counts[:, 0], *piece.counts[:, 1:].T]
    means = [moving_mean(time, middle, piece.duration, column, rules.window) for column in columns]
    known = np.isfinite(means[0])
    bands = np.array([np.interp(time, time[known], mean[known]) for mean in means])
    envelopes = [envelope(time, band) for band in bands]
    soft = bands[0]
    quiet = known & (soft < envelopes[0] + rules.height * np.sqrt(envelopes[0]))
    backgrounds = np.array([background(band, under, quiet) for band, under in zip(bands, envelopes, strict=True)])
    return _Curves(time, soft, bands, backgrounds, envelopes[0])


def _measured(piece: QuicklookSeries, curves: _Curves, peak: Peak) -> DetectedFlare:
    middle = piece.middle
    begin, end = curves.time[peak.start], curves.time[min(peak.stop, curves.time.size - 1)]
    first, last = int(np.searchsorted(middle, begin)), int(np.searchsorted(middle, end))
    nearest = int(np.argmin(np.abs(middle - curves.time[peak.index])))
    bins = slice(min(first, nearest), max(last, nearest + 1))
    counts, duration, rcr = piece.counts[bins], piece.duration[bins], piece.rcr[bins]
    per_step = counts * (STEP / duration[:, None])
    under = np.interp(middle[bins], curves.time, curves.backgrounds[0])
    is_open = rcr == 0
    attenuated = not is_open.all()
    t_peak = _time(middle[nearest])
    isolated = peak.level <= curves.backgrounds[0, peak.index]
    near = (np.abs(middle[bins] - middle[nearest]) <= 30.0) | isolated | attenuated
    return DetectedFlare(
        flare_id=flare_id_of(t_peak),
        t_start=piece.t_start[bins][0],
        t_peak=t_peak,
        t_end=piece.t_start[bins][-1] + np.timedelta64(round(duration[-1] * 1e6), "us"),
        peak_counts=(float(per_step[near, 0].max()), *(float(value) for value in per_step[:, 1:].max(axis=0))),
        open_counts=float(per_step[near & is_open, 0].max()) if is_open.any() else float("nan"),
        background=float(curves.backgrounds[0, peak.index]),
        total_counts=float(counts[:, 0].sum()),
        background_counts=float((under * duration / STEP).sum()),
        significance=peak.height / deviation_at(peak.level),
        highest_band=BANDS[_highest_band(curves, slice(peak.start, peak.stop))],
        attenuator_in=attenuated,
    )


def _highest_band(curves: _Curves, span: slice) -> int:
    means, levels = curves.bands[:, span], curves.backgrounds[:, span]
    # σ of a mean of 15 bins of 4 s
    sigma = deviation(levels) / np.sqrt(60.0 / STEP)
    signal = ((means - levels) > SIGNAL_SIGMAS * sigma).any(axis=1)
    return max((band for band in range(N_BANDS) if signal[band]), default=0)


def _time(seconds: float) -> np.datetime64:
    return EPOCH + np.timedelta64(round(seconds * 1e6), "us")


def flare_id_of(t_peak: np.datetime64) -> str:
    """Flare id, ``yymmddhhmm`` of the peak."""
    minute = str(np.datetime_as_string(t_peak, unit="m"))
    return minute[2:].translate(str.maketrans("", "", "-T:"))
