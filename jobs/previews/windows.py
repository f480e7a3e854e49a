"""Preview windows: which time and energy ranges of a science file become images. Pure functions of file and background.

The rules are the STIX Data Center's (two bands, a minute at the peak, else the whole flaring interval, at least 10,000
counts), without its known slips: the peak is one of rate, not of counts per bin, and a window never crosses an
attenuator change. Small flares, which have fewer counts, get a window from 3,000 counts above background on, counted
as the images are made of them, and a band without them is replaced by one of lower energy
(docs/decisions/preview_windows.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archive.index.schema import Flare
from jobs.imaging.task import band_label
from stixcore.fits.products import PixelData
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices

Floats = NDArray[np.float64]
Band = tuple[float, float]

#: Recorded counts and expected background, ct, of the image set of a window (start, end, band [keV]), in the
#: sub-collimators and pixels that it uses; None where no background file says.
type SetCounts = Callable[[np.datetime64, np.datetime64, Band], tuple[float, float] | None]

#: Counts above background, in units of their standard deviation √N, below which a window has no flare to image.
DETECTED = 5.0
#: Share of a substitute that a file must cover; a narrower band is not what its name says.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class PreviewRules:
    """The numbers in the rules.

    Attributes
    ----------
    bands : (low, high) pairs, keV
        Thermal and non-thermal.
    window : float, s
        Length of the window at the peak; one native bin where that is longer.
    min_counts : float
        Detector-summed counts a window needs, background included; the counts of its image set must be more than the
        background by `DETECTED` standard deviations.
    min_net_counts : float
        Counts above background in the sub-collimators of the image set, with which a window is made, too, although it
        has fewer counts.
    substitutes : (band, bands) pairs
        What is imaged instead of a band that has neither: the first of these bands with ``min_net_counts``.
    flaring_level : float
        Without a flare list the flaring interval is where the rate exceeds the file's lowest rate by this share of the
        peak's excess.
    """

    bands: tuple[Band, ...] = ((4.0, 10.0), (16.0, 28.0))
    window: float = 60.0
    min_counts: float = 10_000.0
    min_net_counts: float = 3_000.0
    substitutes: tuple[tuple[Band, tuple[Band, ...]], ...] = (((16.0, 28.0), ((12.0, 20.0), (10.0, 15.0))),)
    flaring_level: float = 0.1

    def substitutes_of(self, band: Band) -> tuple[Band, ...]:
        """Bands that may be imaged instead of a band, in the order of preference."""
        return next((others for replaced, others in self.substitutes if replaced == band), ())

    def labels_of(self, label: str) -> tuple[str, ...]:
        """Labels of all bands that may be imaged for the same band of the rules as this one; that band's comes first.

        A run has the label of the band that was imaged, "12-20 keV", so that it answers for "16-28 keV".
        """
        named = [(band_label(band), *map(band_label, self.substitutes_of(band))) for band in self.bands]
        of_rules = (labels for labels in named if labels[0] == label)
        return next(of_rules, next((labels for labels in named if label in labels), (label,)))


@dataclass(frozen=True)
class FlareInterval:
    """A flare that overlaps a file: id and times, from a flare list."""

    flare_id: str
    start: np.datetime64
    end: np.datetime64


@dataclass(frozen=True)
class PreviewWindow:
    """A time and energy range to image.

    Attributes
    ----------
    band : (low, high), keV
        The band that is imaged: the rule's, or a substitute; ``energy`` is what the file has of it.
    start, end : datetime64[us]
        Whole bins.
    counts : float
        Detector-summed counts inside.
    why : str
        Which rule gave the window.
    instead_of : (low, high) or None
        The rule's band, where ``band`` is a substitute.
    """

    band: Band
    energy: Band
    start: np.datetime64
    end: np.datetime64
    counts: float
    why: str
    flare_id: str = ""
    instead_of: Band | None = None

    @property
    def rule_band(self) -> Band:
        """The band of the rules for which this window is made."""
        return self.instead_of or self.band


@dataclass(frozen=True)
class SkippedBand:
    """A band that gets no image, and the reason."""

    band: Band
    reason: str
    flare_id: str = ""

    @property
    def rule_band(self) -> Band:
        """As of `PreviewWindow`."""
        return self.band


def preview_windows(
    data: PixelData,
    rules: PreviewRules | None = None,
    flares: Sequence[FlareInterval] = (),
    set_counts: SetCounts | None = None,
) -> list[PreviewWindow | SkippedBand]:
    """Windows of a science file, or the reason why there is none: one entry per band and flare.

    Parameters
    ----------
    data : PixelData
    rules : PreviewRules, optional
    flares : sequence of FlareInterval
        Flares that overlap the file; without any, the file is taken as one flare.
    set_counts : callable, optional
        Counts of the image set of a window. Without it, the lowest rate of the file is taken for background, so that a
        file of one bin has no counts above it.
    """
    rules = rules or PreviewRules()
    whole = FlareInterval("", data.t_start[0], data.t_end[-1])
    return [
        _choose_window(data, rules, band, flare, set_counts or (lambda *_: None))
        for flare in (flares or (whole,))
        for band in rules.bands
    ]


def intervals_of(flares: Iterable[Flare]) -> list[FlareInterval]:
    """Flares of a flare list as `preview_windows` takes them; those without start or end are left out."""
    return [FlareInterval(one.flare_id, one.t_start, one.t_end) for one in flares if one.t_start and one.t_end]


def is_background(total: float, background: float) -> bool:
    """Whether recorded counts are those of the background, as far as counting statistics can tell.

    N - B < 5 √N, with N the recorded and B the background counts.
    """
    return total - background < DETECTED * math.sqrt(max(total, 1.0))


@dataclass(frozen=True, eq=False)
class _Counts:
    """A band of a file with the two possible windows of a flare.

    Attributes
    ----------
    minute, flaring : slice
        Bins of the windows.
    recorded : (n_time,) float, ct
        Summed over detectors and pixels.
    of_set : callable
        Recorded counts and background of the image set of some bins; None where no background file says.
    """

    data: PixelData
    band: Band
    energy: Band
    minute: slice
    flaring: slice
    recorded: Floats
    of_set: Callable[[slice], tuple[float, float] | None]

    def total(self, bins: slice) -> float:
        """Recorded counts of some bins."""
        return float(self.recorded[bins].sum())

    def net(self, bins: slice) -> float:
        """Counts above background of the image set of some bins."""
        found = self.of_set(bins)
        return _above_lowest_rate(self.data, self.energy, bins) if found is None else found[0] - found[1]

    def is_background(self, bins: slice) -> bool:
        """Whether the counts of some bins are those of the background, as far as counting statistics can tell."""
        found = self.of_set(bins)
        return found is not None and is_background(*found)

    @property
    def most_net(self) -> float:
        """Counts above background of the better window."""
        return max(self.net(self.minute), self.net(self.flaring))


def _choose_window(
    data: PixelData, rules: PreviewRules, band: Band, flare: FlareInterval, set_counts: SetCounts
) -> PreviewWindow | SkippedBand:
    inside = np.flatnonzero((data.t_end > flare.start) & (data.t_start < flare.end))
    if inside.size == 0:
        return SkippedBand(band, "no time bin of the file lies in the flare", flare.flare_id)

    def window(counts: _Counts, bins: slice, explained: str, instead_of: Band | None = None) -> PreviewWindow:
        why = f"{_window_reason(data, counts, bins, rules.window)}{explained}"
        return PreviewWindow(
            counts.band, counts.energy, *data.window(bins), counts.total(bins), why, flare.flare_id, instead_of
        )

    reason = _not_covered(data, band)
    if not reason:
        counts = _count(data, rules, band, flare, inside, set_counts)
        for bins in (counts.minute, counts.flaring):
            if counts.total(bins) >= rules.min_counts and not counts.is_background(bins):
                return window(counts, bins, "")
        for bins in (counts.minute, counts.flaring):
            if counts.net(bins) >= rules.min_net_counts:
                return window(counts, bins, f"; small flare: {counts.net(bins):.0f} counts above background")
        reason = _too_few(counts, rules)
    tried = reason
    for other in rules.substitutes_of(band):
        if _covered_share(data, other) < LEAST_SHARE:
            continue
        counts = _count(data, rules, other, flare, inside, set_counts)
        for bins in (counts.minute, counts.flaring):
            if counts.net(bins) >= rules.min_net_counts:
                explained = f", {counts.net(bins):.0f} counts above background; not {band_label(band)}: {reason}"
                return window(counts, bins, explained, band)
        tried += f"; {band_label(other)}: {counts.most_net:.0f} above background"
    return SkippedBand(band, tried, flare.flare_id)


def _count(
    data: PixelData,
    rules: PreviewRules,
    band: Band,
    flare: FlareInterval,
    inside: NDArray[np.int64],
    set_counts: SetCounts,
) -> _Counts:
    """Windows and counts of a band that the file covers at least in part."""
    energy = _covered(data, band)
    recorded = data.summed(*energy)
    rate = recorded / data.duration
    peak = int(inside[np.argmax(rate[inside])])
    same = _same_configuration(data, peak)
    minute = _window(data, peak, rules.window, same)
    flaring = _intersect(inside, same) if flare.flare_id else _flaring(rate, peak, rules.flaring_level, same)
    flaring = slice(min(flaring.start, minute.start), max(flaring.stop, minute.stop))

    def of_set(bins: slice) -> tuple[float, float] | None:
        return set_counts(*data.window(bins), energy)

    return _Counts(data, band, energy, minute, flaring, recorded, of_set)


def _above_lowest_rate(data: PixelData, energy: Band, bins: slice) -> float:
    """Counts of some bins above the lowest rate of the file, in the sub-collimators and pixels that make images."""
    channels = data.energy_channels(*energy)
    used = data.read(channels=channels).counts[:, detector_indices(IMAGING_LABELS)][:, :, PixelSet.TOP_BOT.pixels]
    counts = used.sum(axis=(1, 2, 3))
    lowest = float((counts / data.duration).min())
    return float((counts - lowest * data.duration)[bins].sum())


def _too_few(counts: _Counts, rules: PreviewRules) -> str:
    """Why a band has no window."""
    energy, end = counts.energy, counts.band[1]
    return (
        f"{f'the file ends at {energy[1]:g} keV; ' if energy[1] < end else ''}too few counts in {band_label(energy)}: "
        f"{counts.total(counts.minute):.0f} at the peak and {counts.total(counts.flaring):.0f} in the whole flaring "
        f"interval, {rules.min_counts:.0f} needed; {counts.most_net:.0f} above background in the "
        f"sub-collimators that make images, {rules.min_net_counts:.0f} needed"
    )


def _covered(data: PixelData, band: Band) -> Band:
    """What a file has of a band; the lower edge is not below the upper one where it has nothing of it."""
    return max(band[0], float(data.e_low[0])), min(band[1], _last_closed_edge(data))


def _covered_share(data: PixelData, band: Band) -> float:
    low, high = _covered(data, band)
    return (high - low) / (band[1] - band[0])


def _not_covered(data: PixelData, band: Band) -> str:
    """The reason why a file has nothing of a band; empty when it has some of it."""
    if _covered_share(data, band) > 0:
        return ""
    return f"the file covers {band_label((float(data.e_low[0]), _last_closed_edge(data)))}, not {band_label(band)}"


def _last_closed_edge(data: PixelData) -> float:
    """Upper edge of the last channel that has one."""
    return float(data.e_high[-1] if np.isfinite(data.e_high[-1]) else data.e_low[-1])


def _same_configuration(data: PixelData, peak: int) -> slice:
    """The run of bins around ``peak`` with the same attenuator state, pixels and detectors."""
    same = (
        (data.rcr == data.rcr[peak])
        & (data.pixel_mask == data.pixel_mask[peak]).all(axis=1)
        & (data.detector_mask == data.detector_mask[peak]).all(axis=1)
    )
    return _run_around(same, peak)


def _run_around(condition: NDArray[np.bool_], index: int) -> slice:
    """The unbroken run of true values that contains ``index``."""
    wrong = np.flatnonzero(~condition)
    before, after = wrong[wrong < index], wrong[wrong > index]
    return slice(int(before[-1]) + 1 if before.size else 0, int(after[0]) if after.size else condition.size)


def _window(data: PixelData, peak: int, length: float, allowed: slice) -> slice:
    """Whole bins nearest to ``length`` seconds centred on the peak bin; at least that bin."""
    half = np.timedelta64(round(length * 5e5), "us")
    middle = data.t_start[peak] + (data.t_end[peak] - data.t_start[peak]) // 2
    first = int(np.abs(data.t_start - (middle - half)).argmin())
    last = int(np.abs(data.t_end - (middle + half)).argmin())
    return slice(max(min(first, peak), allowed.start), min(max(last, peak) + 1, allowed.stop))


def _window_reason(data: PixelData, counts: _Counts, bins: slice, length: float) -> str:
    if bins is not counts.minute:
        return "whole flaring interval"
    if bins.stop - bins.start == 1 and data.duration[bins.start] >= length:
        return f"the native bin at the peak, longer than {length:g} s"
    return f"{length:g} s at the peak"


def _flaring(rate: Floats, peak: int, level: float, allowed: slice) -> slice:
    """The run of bins around the peak above the lowest rate plus ``level`` times the peak's excess."""
    floor = float(rate.min())
    if rate.size == 1:
        return slice(0, 1)
    run = _run_around(rate >= floor + level * (rate[peak] - floor), peak)
    return slice(max(run.start, allowed.start), min(run.stop, allowed.stop))


def _intersect(inside: NDArray[np.int64], allowed: slice) -> slice:
    return slice(max(int(inside[0]), allowed.start), min(int(inside[-1]) + 1, allowed.stop))
