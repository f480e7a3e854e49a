"""Preview windows: which time and energy ranges of a science file become images. Pure functions of the file.

The rules are the STIX Data Center's (two bands, a minute at the peak, else the whole flaring interval, at least 10,000
counts), without its known slips: the peak is one of rate, not of counts per bin, and a window never crosses an
attenuator change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archive.index.schema import Flare
from stixcore.fits.products import PixelData

Floats = NDArray[np.float64]


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
        Detector-summed counts a window needs.
    flaring_level : float
        Without a flare list the flaring interval is where the rate exceeds the file's lowest rate by this share of the
        peak's excess.
    """

    bands: tuple[tuple[float, float], ...] = ((4.0, 10.0), (16.0, 28.0))
    window: float = 60.0
    min_counts: float = 10_000.0
    flaring_level: float = 0.1


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
        The rule's band; ``energy`` is what the file has of it.
    start, end : datetime64[us]
        Whole bins.
    counts : float
        Detector-summed counts inside.
    why : str
        Which rule gave the window.
    """

    band: tuple[float, float]
    energy: tuple[float, float]
    start: np.datetime64
    end: np.datetime64
    counts: float
    why: str
    flare_id: str = ""


@dataclass(frozen=True)
class SkippedBand:
    """A band that gets no image, and the reason."""

    band: tuple[float, float]
    reason: str
    flare_id: str = ""


def preview_windows(
    data: PixelData, rules: PreviewRules | None = None, flares: Sequence[FlareInterval] = ()
) -> list[PreviewWindow | SkippedBand]:
    """Windows of a science file, or the reason why there is none: one entry per band and flare.

    Parameters
    ----------
    data : PixelData
    rules : PreviewRules, optional
    flares : sequence of FlareInterval
        Flares that overlap the file; without any, the file is taken as one flare.
    """
    rules = rules or PreviewRules()
    whole = FlareInterval("", data.t_start[0], data.t_end[-1])
    return [_choose_window(data, rules, band, flare) for flare in (flares or (whole,)) for band in rules.bands]


def intervals_of(flares: Iterable[Flare]) -> list[FlareInterval]:
    """Flares of a flare list as `preview_windows` takes them; those without start or end are left out."""
    return [FlareInterval(one.flare_id, one.t_start, one.t_end) for one in flares if one.t_start and one.t_end]


def _choose_window(
    data: PixelData, rules: PreviewRules, band: tuple[float, float], flare: FlareInterval
) -> PreviewWindow | SkippedBand:
    energy = (max(band[0], float(data.e_low[0])), min(band[1], _last_closed_edge(data)))
    if energy[1] <= energy[0]:
        covered = f"{data.e_low[0]:g}-{_last_closed_edge(data):g} keV"
        return SkippedBand(band, f"the file covers {covered}, not {band[0]:g}-{band[1]:g} keV", flare.flare_id)
    counts = data.summed(*energy)
    rate = counts / data.duration
    inside = np.flatnonzero((data.t_end > flare.start) & (data.t_start < flare.end))
    if inside.size == 0:
        return SkippedBand(band, "no time bin of the file lies in the flare", flare.flare_id)
    peak = int(inside[np.argmax(rate[inside])])
    same = _same_configuration(data, peak)
    minute = _window(data, peak, rules.window, same)
    total = float(counts[minute].sum())
    if total >= rules.min_counts:
        return _window_of(data, band, energy, minute, total, _window_reason(data, minute, rules.window), flare)
    flaring = _intersect(inside, same) if flare.flare_id else _flaring(rate, peak, rules.flaring_level, same)
    flaring = slice(min(flaring.start, minute.start), max(flaring.stop, minute.stop))
    whole = float(counts[flaring].sum())
    if whole >= rules.min_counts:
        return _window_of(data, band, energy, flaring, whole, "whole flaring interval", flare)
    short = f"the file ends at {energy[1]:g} keV; " if energy[1] < band[1] else ""
    reason = (
        f"{short}too few counts in {energy[0]:g}-{energy[1]:g} keV: {total:.0f} at the peak and {whole:.0f} in the "
        f"whole flaring interval, {rules.min_counts:.0f} needed"
    )
    return SkippedBand(band, reason, flare.flare_id)


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


def _window_reason(data: PixelData, bins: slice, length: float) -> str:
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


def _window_of(
    data: PixelData,
    band: tuple[float, float],
    energy: tuple[float, float],
    bins: slice,
    counts: float,
    why: str,
    flare: FlareInterval,
) -> PreviewWindow:
    return PreviewWindow(band, energy, *data.window(bins), counts, why, flare.flare_id)
