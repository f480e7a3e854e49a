"""Which time bins, detectors, pixels and channels of a file make a count spectrum, and their sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import SHIPPED, Calibration
from stixcore.calibration.energy import EdgeCorrection
from stixcore.errors import CalibrationError, SelectionError
from stixcore.fits.products import PixelData, Spectrogram, Times
from stixcore.fits.windows import bins_of_window
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS
from stixcore.spectra.apertures import require_same_apertures
from stixcore.spectra.attenuator_changes import bins_with_changes
from stixcore.spectra.summed_bins import Elements, SummedBins, common_channels, sum_pixel_bins, sum_spectrogram_bins

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SelectedBins:
    """The part of a file that makes one or more count spectra.

    Attributes
    ----------
    rows, channels : (n,) int
        Time bins without those in which the attenuator moves, and energy channels.
    elements : Elements
    calibration : Calibration
    left_out : int
        Number of bins of the time range in which the attenuator moves.
    """

    data: PixelData | Spectrogram
    background: PixelData | None
    rows: Ints
    channels: Ints
    elements: Elements
    calibration: Calibration
    left_out: int

    def edge_correction(self, wanted: EdgeCorrection | None) -> EdgeCorrection:
        """The correction that is applied; see `stixcore.spectra.counts.count_spectrum`."""
        if isinstance(self.data, Spectrogram):
            return EdgeCorrection.NONE
        if wanted is not None:
            return wanted
        return EdgeCorrection.NONE if self.calibration.cal_file is None else EdgeCorrection.POWER_LAW

    def sum(self, edge_correction: EdgeCorrection | None) -> SummedBins:
        """Sums of each bin; raises the errors of `stixcore.spectra.summed_bins.sum_pixel_bins`."""
        chosen = self.rows, self.channels, self.elements, self.background, self.calibration
        if isinstance(self.data, Spectrogram):
            return sum_spectrogram_bins(self.data, *chosen)
        return sum_pixel_bins(self.data, *chosen, self.edge_correction(edge_correction))


def bin_ends(data: PixelData | Spectrogram) -> Times:
    """Ends of the time bins, (n_time,) datetime64[us]."""
    if isinstance(data, PixelData):
        return data.t_end
    return np.asarray(data.t_start + np.rint(data.duration * 1e6).astype("timedelta64[us]"))


def select_bins(
    data: PixelData | Spectrogram,
    background: PixelData | None,
    window: tuple[np.datetime64, np.datetime64] | None,
    detectors: Sequence[int] | None,
    pixels: Sequence[int] | None,
    calibration: Calibration | None,
) -> SelectedBins:
    """Choose time bins, channels, detectors and pixels; without a window, all bins.

    Raises
    ------
    SelectionError, CalibrationError
        As `stixcore.spectra.counts.count_spectrum`.
    """
    name, ends = data.header.name, bin_ends(data)
    times = slice(0, ends.size) if window is None else bins_of_window(data.t_start, ends, *window, name=name)
    asked = np.arange(ends.size)[times]
    rows = asked[~bins_with_changes(data)[asked]]
    if not rows.size:
        message = f"{name}: the attenuator moves during the whole time range; choose another one"
        raise SelectionError(message)
    if calibration is None:
        calibration = SHIPPED.choose(data.t_start[rows[0]], ends[rows[-1]])
    return SelectedBins(
        data,
        background,
        rows,
        common_channels(data, background, calibration.energy_table),
        Elements(_chosen_detectors(data, background, rows, detectors), _chosen_pixels(data, background, rows, pixels)),
        calibration,
        asked.size - rows.size,
    )


def _chosen_detectors(
    data: PixelData | Spectrogram, background: PixelData | None, rows: Ints, wanted: Sequence[int] | None
) -> tuple[int, ...]:
    """Detectors to sum, by default the coarse ones that are on; refuse those that cannot be summed."""
    quiet = None if background is None else background.detector_mask.all(axis=0)
    if isinstance(data, Spectrogram):
        return _summed_on_board("detectors", data.header.name, data.detectors, wanted, quiet)
    on = data.detector_mask[rows].all(axis=0)
    if wanted is None:
        coarse = detector_indices(IMAGING_LABELS)
        wanted = [int(d) for d in sorted(coarse) if on[d] and (quiet is None or quiet[d])]
    chosen = _checked("detectors", data.header.name, wanted, on, "off in some time bins")
    require_same_apertures(chosen, data.header.name)
    if background is not None and quiet is not None:
        _require_background("detectors", background.header.name, chosen, quiet, "off")
    return chosen


def _chosen_pixels(
    data: PixelData | Spectrogram, background: PixelData | None, rows: Ints, wanted: Sequence[int] | None
) -> tuple[int, ...]:
    """Pixels to sum, by default all that were read out; refuse others, and parts of on-board sums."""
    quiet = None if background is None else background.pixel_mask.all(axis=0)
    if isinstance(data, Spectrogram):
        return _summed_on_board("pixels", data.header.name, data.pixels, wanted, quiet)
    read_out = data.pixel_mask[rows].all(axis=0)
    if data.pixels_summed:
        return _summed_on_board("pixels", data.header.name, np.flatnonzero(read_out).tolist(), wanted, quiet)
    if wanted is None:
        wanted = np.flatnonzero(read_out if quiet is None else read_out & quiet).tolist()
    chosen = _checked("pixels", data.header.name, wanted, read_out, "not read out in some time bins")
    if background is not None and quiet is not None:
        _require_background("pixels", background.header.name, chosen, quiet, "not read out")
    return chosen


def _checked(what: str, name: str, wanted: Iterable[int], on: NDArray[np.bool_], why: str) -> tuple[int, ...]:
    """Sorted indices, each once and on."""
    chosen = tuple(sorted(int(one) for one in wanted))
    outside = [one for one in chosen if not 0 <= one < on.size]
    if outside or len(set(chosen)) != len(chosen) or not chosen:
        limit = N_DETECTORS if what == "detectors" else N_PIXELS
        message = f"{name}: {what} must be different indices from 0 to {limit - 1}, found {list(chosen) or 'none'}"
        raise SelectionError(message)
    missing = [one for one in chosen if not on[one]]
    if missing:
        message = f"{name}: {what} {missing} are {why}"
        raise SelectionError(message)
    return chosen


def _require_background(what: str, name: str, chosen: tuple[int, ...], on: NDArray[np.bool_], why: str) -> None:
    missing = [one for one in chosen if not on[one]]
    if missing:
        message = f"{name}: {what} {missing} were {why} in this background file"
        raise CalibrationError(message)


def _summed_on_board(
    what: str, name: str, summed: Sequence[int], wanted: Sequence[int] | None, quiet: NDArray[np.bool_] | None
) -> tuple[int, ...]:
    """The detectors or pixels that were summed on board; another choice is refused."""
    if not summed and wanted is None:
        message = f"{name}: the file does not say which {what} were summed on board; name them"
        raise SelectionError(message)
    chosen = tuple(summed) if wanted is None else tuple(sorted(int(one) for one in wanted))
    if summed and chosen != tuple(summed):
        message = f"{name}: {what} {list(summed)} were summed on board; {list(chosen)} cannot be separated from them"
        raise SelectionError(message)
    if quiet is not None:
        missing = [one for one in chosen if not quiet[one]]
        if missing:
            message = f"{name}: the background file lacks {what} {missing}, which were summed on board"
            raise CalibrationError(message)
    return chosen
