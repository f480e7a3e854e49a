"""Immutable values that the readers return.

The axis order of counts is always (time, detector, pixel, channel). Times are ``datetime64[us]``, UTC at Solar Orbiter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.fits.spec import ProductKind
from stixcore.fits.windows import AskedWindow, WindowRule, asked_window, bins_of_window, window_of_bins

Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]

#: A file whose shortest bin is below this is considered to have full time resolution, s.
FULL_RESOLUTION_S = 4.0


@dataclass(frozen=True)
class ProductHeader:
    """Identity and observer of one file.

    Attributes
    ----------
    name : str
        File name, without folder.
    kind : ProductKind
    level, version : str
        "L1", "L1A" …; "01", "02U" …
    request_id : str
        Unique id of the science request ("uid"); empty where the product has none.
    date_beg, date_end : datetime64[us]
        Start and end, UTC at Solar Orbiter.
    ephemeris : mapping
        Header keywords of the observer, as in the file (see ``EPHEMERIS_KEYWORDS``).
    simulated : bool
        Whether the file is marked as simulated.
    bins_late : bool
        Whether counts may be one time bin late: the flight software before 2021-12-09 14:00 UTC assigned them to the
        next bin, and the file is not marked as corrected.
    bins_kept_late : bool
        Whether the file is marked as not corrected because its counts may be summed on board.
    original_name : str
        Name under which the file was written (FILENAME); empty when it is unknown.
    planning : mapping of str to str
        What the file says of the plan of the observation (see ``PLANNING_KEYWORDS``); unknown values are left out.
    """

    name: str
    kind: ProductKind
    level: str
    version: str
    request_id: str
    date_beg: np.datetime64
    date_end: np.datetime64
    ephemeris: Mapping[str, float | str]
    purpose: str = ""
    simulated: bool = False
    bins_late: bool = False
    bins_kept_late: bool = False
    original_name: str = ""
    planning: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """Counts of chosen time bins and channels, all 32 detectors and 12 pixels.

    Attributes
    ----------
    counts, counts_variance : (n_time, 32, 12, n_channel) float, ct and ct²
        Decompressed counts; variance = compression error² + counts (Poisson). Pixels that were not read out are 0.
    triggers, triggers_variance : (n_time, 16) float
        Triggers of each accumulator, with the same variance.
    t_start, t_end : (n_time,) datetime64[us]
    duration : (n_time,) float, s
    e_low, e_high : (n_channel,) float, keV
        The last upper edge may be inf.
    rcr : (n_time,) int
        Rate-control state; 0 with the attenuator out, 1 or more with the attenuator in.
    pixel_mask : (n_time, 12) bool, detector_mask : (n_time, 32) bool
    """

    header: ProductHeader
    counts: Floats
    counts_variance: Floats
    triggers: Floats
    triggers_variance: Floats
    t_start: Times
    t_end: Times
    duration: Floats
    e_low: Floats
    e_high: Floats
    rcr: NDArray[np.int64]
    pixel_mask: NDArray[np.bool_]
    detector_mask: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PixelData:
    """An L1 pixel-data file whose counts are read on request.

    Everything except the counts is in memory; ``read`` reads only the selected time bins and channels.

    Attributes
    ----------
    header : ProductHeader
    t_start, t_end : (n_time,) datetime64[us]
    duration : (n_time,) float, s
    e_low, e_high : (n_channel,) float, keV
    rcr : (n_time,) int
    pixel_mask : (n_time, 12) bool, detector_mask : (n_time, 32) bool
    pixels_summed : bool
        Whether pixels were summed to A, B, C, D on board, so that only sums over the pixels of ``pixel_mask`` are
        known.
    """

    path: Path
    header: ProductHeader
    t_start: Times
    t_end: Times
    duration: Floats
    e_low: Floats
    e_high: Floats
    rcr: NDArray[np.int64]
    pixel_mask: NDArray[np.bool_]
    detector_mask: NDArray[np.bool_]
    loader: Callable[[slice, slice], tuple[Floats, Floats, Floats, Floats]] = field(repr=False)
    pixels_summed: bool = False

    def read(self, times: slice | None = None, channels: slice | None = None) -> PixelCounts:
        """Read the counts of consecutive time bins and channels, by default all."""
        times = slice(None) if times is None else times
        channels = slice(None) if channels is None else channels
        counts, counts_variance, triggers, triggers_variance = self.loader(times, channels)
        return PixelCounts(
            header=self.header,
            counts=counts,
            counts_variance=counts_variance,
            triggers=triggers,
            triggers_variance=triggers_variance,
            t_start=self.t_start[times],
            t_end=self.t_end[times],
            duration=self.duration[times],
            e_low=self.e_low[channels],
            e_high=self.e_high[channels],
            rcr=self.rcr[times],
            pixel_mask=self.pixel_mask[times],
            detector_mask=self.detector_mask[times],
        )

    def in_memory(self) -> PixelData:
        """The same data with all counts in memory, for many selections from one file."""
        counts, variance, triggers, triggers_variance = self.loader(slice(None), slice(None))

        def load(times: slice, channels: slice) -> tuple[Floats, Floats, Floats, Floats]:
            chosen = counts[times][..., channels], variance[times][..., channels]
            return *chosen, triggers[times], triggers_variance[times]

        return replace(self, loader=load)

    def summed(self, low: float, high: float) -> Floats:
        """Counts per time bin in a band [keV], summed over detectors and pixels, (n_time,) float, ct.

        Raises
        ------
        SelectionError
            When the band is outside the file.
        """
        return self.read(channels=self.energy_channels(low, high)).counts.sum(axis=(1, 2, 3))

    def time_bins(self, start: np.datetime64, end: np.datetime64, rule: WindowRule = WindowRule.CENTRES) -> slice:
        """Whole bins of a window; see `stixcore.fits.windows.bins_of_window`.

        Raises
        ------
        SelectionError
            When the window is empty, outside the file, or in a gap between two bins.
        """
        return bins_of_window(self.t_start, self.t_end, start, end, name=self.header.name, rule=rule)

    @property
    def can_shift_bins(self) -> bool:
        """Whether counts are one bin late and can be moved, which requires full time resolution.

        The documentation of the ground software's ``shift_duration`` allows it for data in full time resolution only;
        here these are files whose shortest bin is below 4 s.
        """
        return (
            self.header.bins_late and not self.header.bins_kept_late and float(self.duration.min()) < FULL_RESOLUTION_S
        )

    def with_shifted_bins(self) -> PixelData:
        """The data with the counts of each row moved to the time bin of the previous row.

        There is one bin less: the counts of the first row have no bin, and the last bin has no counts.
        """

        def load(times: slice, channels: slice) -> tuple[Floats, Floats, Floats, Floats]:
            start, stop, step = times.indices(self.t_start.size - 1)
            return self.loader(slice(start + 1, stop + 1, step), channels)

        return replace(
            self,
            t_start=self.t_start[:-1],
            t_end=self.t_end[:-1],
            duration=self.duration[:-1],
            rcr=self.rcr[1:],
            pixel_mask=self.pixel_mask[1:],
            detector_mask=self.detector_mask[1:],
            loader=load,
        )

    def part(self, bins: slice) -> PixelData:
        """Consecutive time bins as separate pixel data."""
        first, last, _ = bins.indices(self.t_start.size)

        def load(times: slice, channels: slice) -> tuple[Floats, Floats, Floats, Floats]:
            start, stop, step = times.indices(last - first)
            return self.loader(slice(first + start, first + stop, step), channels)

        return replace(
            self,
            t_start=self.t_start[bins],
            t_end=self.t_end[bins],
            duration=self.duration[bins],
            rcr=self.rcr[bins],
            pixel_mask=self.pixel_mask[bins],
            detector_mask=self.detector_mask[bins],
            loader=load,
        )

    def window(self, bins: slice) -> tuple[np.datetime64, np.datetime64]:
        """The window that contains exactly these bins."""
        return window_of_bins(self.t_start, self.t_end, bins)

    def asked(self, start: np.datetime64, end: np.datetime64, rule: WindowRule = WindowRule.CENTRES) -> AskedWindow:
        """A requested window and the bins that it contains; raises the errors of `time_bins`."""
        return asked_window(self.t_start, self.t_end, self.duration, self.time_bins(start, end, rule), start, end)

    def energy_channels(self, low: float, high: float) -> slice:
        """Whole channels that cover ``low`` … ``high`` keV; the range grows outward to channel edges.

        Raises
        ------
        SelectionError
            When the range is empty or outside the file.
        """
        if not low < high:
            message = f"{self.header.name}: the energy range {low:g}-{high:g} keV is empty"
            raise SelectionError(message)
        # from the last e_low ≤ E0 to the first e_high ≥ E1
        last = int(np.searchsorted(self.e_high, high, side="left"))
        first = min(int(np.searchsorted(self.e_low, low, side="right")) - 1, last)
        if first < 0 or last >= self.e_high.size:
            message = (
                f"{self.header.name}: the energy range {low:g}-{high:g} keV is not inside the file, "
                f"which covers {self.e_low[0]:g}-{self.e_high[-1]:g} keV"
            )
            raise SelectionError(message)
        return slice(first, last + 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class CountSeries:
    """Counts over time and energy, summed over detectors.

    Attributes
    ----------
    counts : (n_time, n_energy) float, ct
    triggers : (n_time,) float
    rcr : (n_time,) int
    t_start : (n_time,) datetime64[us]; duration : (n_time,) float, s
    e_low, e_high : (n_energy,) float, keV
    """

    header: ProductHeader
    counts: Floats
    triggers: Floats
    rcr: NDArray[np.int64]
    t_start: Times
    duration: Floats
    e_low: Floats
    e_high: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class LightCurve(CountSeries):
    """Quick-look light curve in five bands; ``counts_variance`` is (n_time, n_band) float, ct²."""

    counts_variance: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrogram(CountSeries):
    """Science spectrogram in the transmitted channels.

    Attributes
    ----------
    counts_variance : (n_time, n_energy) float, ct²; triggers_variance : (n_time,) float
        Compression error² + Poisson variance.
    detectors, pixels : tuple of int
        Indices of the detectors and pixels that were summed on board in every bin; empty where the file has no masks.
    """

    counts_variance: Floats
    triggers_variance: Floats
    detectors: tuple[int, ...] = ()
    pixels: tuple[int, ...] = ()


@dataclass(frozen=True)
class TableSummary:
    """Summary of any table of rows: quick-look products, housekeeping, calibration, lists.

    Attributes
    ----------
    t_start, t_end : datetime64[us]
        Of all rows; DATE-BEG and DATE-END for lists, whose rows have no time bins. Equal for a single moment.
    n_rows : int
    cadence : float or None
        Median length of the rows, or median distance of rows without length, s; None for a single moment or a list.
    counts : float or None
        Sum of all counts; None for a product without counts, or when some are negative or not finite.
    """

    header: ProductHeader
    t_start: np.datetime64
    t_end: np.datetime64
    n_rows: int
    cadence: float | None
    counts: float | None


@dataclass(frozen=True, eq=False)
class AspectTable:
    """Spacecraft position, roll and aspect solution, with one row per 64 s.

    Attributes
    ----------
    time : (n,) datetime64[us]
        Middle of each 64 s record: the time stamp minus 32 s, as in the ground software.
    roll, pitch, yaw : (n,) float, deg
    y_srf, z_srf : (n,) float, arcsec
        Aspect solution in the spacecraft reference frame.
    sas_ok : (n,) bool
        Whether the aspect solution is valid: finite, within 1.1 radii of Sun centre, and flagged as valid in files that
        have a flag.
    rsun : (n,) float, arcsec
        Apparent solar radius.
    stonyhurst_lon, heliographic_lat : (n,) float, deg
        Of Solar Orbiter. The column is named ``solo_loc_carrington_lonlat``, but its longitude is Stonyhurst.
    dsun : (n,) float, m
    heeq : (n, 3) float, m
        Cartesian heliocentric Earth equatorial position.
    """

    header: ProductHeader
    time: Times
    roll: Floats
    pitch: Floats
    yaw: Floats
    y_srf: Floats
    z_srf: Floats
    sas_ok: NDArray[np.bool_]
    rsun: Floats
    stonyhurst_lon: Floats
    heliographic_lat: Floats
    dsun: Floats
    heeq: Floats
