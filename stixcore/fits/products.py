"""What the readers return: frozen values that know their axes and units.

Axis order of counts is always (time, detector, pixel, channel). Times are ``datetime64[us]``, UTC at Solar Orbiter.
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

#: A file whose shortest bin is below this is taken to be in full time resolution, s.
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
        Unique id of the science request ("uid"), empty where the product has none.
    date_beg, date_end : datetime64[us]
        First and last moment, UTC at Solar Orbiter.
    ephemeris : mapping
        Header keywords of the observer as they stand in the file (see ``EPHEMERIS_KEYWORDS``).
    simulated : bool
        The file says that it was simulated.
    bins_late : bool
        Counts may stand one time bin too late: the flight software before 2021-12-09 14:00 UTC paired them so, and
        nothing in the file says that it was mended.
    bins_kept_late : bool
        The file says that they were left so because they may be summed on board.
    original_name : str
        Name under which the file was written (FILENAME); empty where it is not told.
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


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """Counts of chosen time bins and channels, all 32 detectors and 12 pixels.

    Attributes
    ----------
    counts, counts_variance : (n_time, 32, 12, n_channel) float, ct and ct²
        Decompressed counts; variance = compression error² + counts (Poisson). Pixels that were not read out are 0.
    triggers, triggers_variance : (n_time, 16) float
        Same rule, per trigger accumulator.
    t_start, t_end : (n_time,) datetime64[us]
    duration : (n_time,) float, s
    e_low, e_high : (n_channel,) float, keV
        The last upper edge may be inf.
    rcr : (n_time,) int
        Rate-control state: 0 attenuator out, 1 and more attenuator in.
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
    """An L1 pixel-data file whose counts are read only where they are asked for.

    Everything but the counts is in memory; ``read`` touches the chosen time bins and channels and nothing else.

    Attributes
    ----------
    header : ProductHeader
    t_start, t_end : (n_time,) datetime64[us]
    duration : (n_time,) float, s
    e_low, e_high : (n_channel,) float, keV
    rcr : (n_time,) int
    pixel_mask : (n_time, 12) bool, detector_mask : (n_time, 32) bool
    pixels_summed : bool
        Pixels were summed to A, B, C, D on board: only the sums over all pixels of ``pixel_mask`` were measured.
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
        """Counts of a run of time bins and channels (all by default)."""
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

    def summed(self, low: float, high: float) -> Floats:
        """Counts of all detectors and pixels in a band [keV], per time bin, (n_time,) float, ct.

        Raises
        ------
        SelectionError
            When the band leaves the file.
        """
        return self.read(channels=self.energy_channels(low, high)).counts.sum(axis=(1, 2, 3))

    def time_bins(self, start: np.datetime64, end: np.datetime64, rule: WindowRule = WindowRule.CENTRES) -> slice:
        """Whole bins of a window; see `stixcore.fits.windows.bins_of_window`.

        Raises
        ------
        SelectionError
            When the window is empty, outside the file or inside a gap between two bins.
        """
        return bins_of_window(self.t_start, self.t_end, start, end, name=self.header.name, rule=rule)

    @property
    def can_shift_bins(self) -> bool:
        """Whether counts belong to the bin before and can be moved there: late, and in full time resolution.

        The ground software's ``shift_duration``, whose documentation allows it for data in full resolution only; a file
        counts as such where its shortest bin is below 4 s.
        """
        return (
            self.header.bins_late and not self.header.bins_kept_late and float(self.duration.min()) < FULL_RESOLUTION_S
        )

    def with_shifted_bins(self) -> PixelData:
        """The same file with all that a row recorded in the time bin of the row before.

        What the first row recorded has no bin, and the last bin has no counts: there is one bin less.
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
        """A run of time bins as a file of its own."""
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
        """A window beside the bins that it contains; raises as `time_bins`."""
        return asked_window(self.t_start, self.t_end, self.duration, self.time_bins(start, end, rule), start, end)

    def energy_channels(self, low: float, high: float) -> slice:
        """Whole channels that cover ``low`` … ``high`` keV; the range grows outward to channel edges.

        Raises
        ------
        SelectionError
            When the range is empty or leaves the file.
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
    """Quick-look light curve, in five bands; ``counts_variance`` (n_time, n_band) in ct²."""

    counts_variance: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrogram(CountSeries):
    """Science spectrogram, in the channels that were transmitted."""


@dataclass(frozen=True)
class TableSummary:
    """What every table of rows has, whatever its columns: quick-look products, housekeeping, calibration, lists.

    Attributes
    ----------
    t_start, t_end : datetime64[us]
        Of all rows; DATE-BEG and DATE-END of a list, whose rows have no bins. Equal for one moment.
    n_rows : int
    cadence : float or None
        Median length of a row, or median distance of rows that are moments, s; None for one moment and for a list.
    counts : float or None
        Sum of all counts; None for a product without counts, and where some are negative or not finite.
    """

    header: ProductHeader
    t_start: np.datetime64
    t_end: np.datetime64
    n_rows: int
    cadence: float | None
    counts: float | None


@dataclass(frozen=True, eq=False)
class AspectTable:
    """Spacecraft position, roll and aspect solution, one row per 64 s.

    Attributes
    ----------
    time : (n,) datetime64[us]
        Stamp minus 32 s: the middle of the record's 64 s (as the ground software does).
    roll, pitch, yaw : (n,) float, deg
    y_srf, z_srf : (n,) float, arcsec
        Aspect solution in the spacecraft reference frame.
    sas_ok : (n,) bool
        Rows with a valid aspect solution: finite, within 1.1 radii of Sun centre, and flagged so in files with a flag.
    rsun : (n,) float, arcsec
        Apparent solar radius.
    stonyhurst_lon, heliographic_lat : (n,) float, deg
        Of Solar Orbiter; the column is called ``solo_loc_carrington_lonlat``, and its longitude is Stonyhurst.
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
