"""Count spectra for fitting: net counts of a time range or of every bin, with errors, exposure and energy channels.

The sums are those of the ground software (`stixcore.spectra.summed_bins`). Three things differ from common practice:
negative net counts are kept, because setting them to zero adds flux where there is none; systematic errors are applied
once to the sum, because in quadrature over N bins they would shrink by √N; bins in which the attenuator moves are left
out. The background, which was measured at another time, has a systematic error of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import Calibration
from stixcore.calibration.energy import EdgeCorrection
from stixcore.errors import SelectionError
from stixcore.fits.products import PixelData, Spectrogram
from stixcore.instrument.geometry import detector_indices
from stixcore.spectra.selected_bins import SelectedBins, bin_ends, select_bins
from stixcore.spectra.summed_bins import SummedBins
from stixcore.times import format_time

Floats = NDArray[np.float64]

#: Systematic error of the counts below an energy in keV (mean of the channel), as a fraction of the net counts: the
#: ground software's values for XSPEC (``stx_convert_spectrogram2ospex``); the last one holds above.
SYSTEMATIC = ((7.0, 0.07), (10.0, 0.05), (np.inf, 0.03))
#: Systematic error of the background of a channel, as a fraction of it: the scatter of the level of quiet times about
#: that of a background file of another day (``docs/decisions/background_error.md``).
BACKGROUND_ERROR = 0.02
#: The pixel rows differ if their counts do so by this fraction (ground software) and by more than 3 σ.
ROW_DIFFERENCE, ROW_SIGMAS = 0.05, 3.0
#: Sub-collimators with covers, whose calibration at high energies the ground software calls incomplete.
FINE_LABELS = ("1a", "1b", "1c", "2a", "2b", "2c")


@dataclass(frozen=True, eq=False)
class CountSpectrum:
    """Counts of a time range in energy channels, summed over detectors and pixels.

    Attributes
    ----------
    e_low, e_high : (n_channel,) float, keV
        Nominal edges; counts are corrected to them.
    counts : (n_channel,) float, ct
        Background subtracted, corrected for the live time of each detector and multiplied by the mean live fraction, so
        that the scale is that of recorded counts. Negative values are kept.
    sigma : (n_channel,) float, ct
        Statistical error including compression and live time, and the error of the background; without the systematic
        errors of the counts.
    background : (n_channel,) float, ct
        What was subtracted.
    systematic : (n_channel,) float
        Systematic error as a fraction of the counts.
    livetime : float, s
        Exposure: sum over the bins of duration × mean live fraction of the detectors.
    t_start, t_end : datetime64[us]
    detectors, pixels : tuple of int
        Indices.
    rcr : int
        Rate-control state; 0 with the attenuator out.
    energy_table : str
        Energy table on board.
    doubts : tuple of str
        What may be wrong with the spectrum, one sentence each.
    duration : float, s
        Sum of the bins; less than ``t_end − t_start`` if bins are left out. By default that difference.
    background_sigma : (n_channel,) float, ct
        The part of ``sigma`` that is due to the background: counting statistics and `BACKGROUND_ERROR`.
    source, request_id, background_source, cal_file : str
        Name and request of the data, names of the background file and of the daily calibration; empty for none.
    spectrogram : bool
        Whether the detectors were summed on board.
    """

    e_low: Floats
    e_high: Floats
    counts: Floats
    sigma: Floats
    background: Floats
    systematic: Floats
    livetime: float
    t_start: np.datetime64
    t_end: np.datetime64
    detectors: tuple[int, ...]
    pixels: tuple[int, ...]
    rcr: int = 0
    energy_table: str = ""
    doubts: tuple[str, ...] = ()
    duration: float = np.nan
    background_sigma: Floats = field(default_factory=lambda: np.zeros(1))
    source: str = ""
    request_id: str = ""
    background_source: str = ""
    cal_file: str = ""
    spectrogram: bool = False

    def __post_init__(self) -> None:
        if not np.isfinite(self.duration):
            object.__setattr__(self, "duration", float((self.t_end - self.t_start) / np.timedelta64(1, "s")))

    @property
    def edges(self) -> Floats:
        """Edges of the channels, (n_channel + 1,) float, keV.

        Raises
        ------
        SelectionError
            When a channel does not begin where the one before ends.
        """
        apart = np.flatnonzero(np.abs(self.e_low[1:] - self.e_high[:-1]) > 1e-3)
        if apart.size:
            message = (
                f"{self.source}: no channel between {self.e_high[apart[0]]:g} and {self.e_low[apart[0] + 1]:g} keV; "
                "a response needs adjacent channels"
            )
            raise SelectionError(message)
        return np.append(self.e_low, self.e_high[-1])

    @property
    def rate(self) -> Floats:
        """Net counts per second of live time, (n_channel,) float."""
        return self.counts / self.livetime

    def error(self) -> Floats:
        """Statistical and systematic error, (n_channel,) float, ct."""
        # σ² = σ_stat² + (s·C)²
        return np.sqrt(self.sigma**2 + (self.systematic * self.counts) ** 2)


def systematic_errors(e_low: Floats, e_high: Floats) -> Floats:
    """Systematic error of each channel, (n_channel,) float, fraction; see `SYSTEMATIC`."""
    ends, values = np.array(SYSTEMATIC).T
    return np.asarray(values[np.searchsorted(ends, 0.5 * (e_low + e_high), side="right")])


def count_spectrum(
    data: PixelData | Spectrogram,
    background: PixelData | None,
    t_start: np.datetime64,
    t_end: np.datetime64,
    *,
    detectors: Sequence[int] | None = None,
    pixels: Sequence[int] | None = None,
    calibration: Calibration | None = None,
    edge_correction: EdgeCorrection | None = None,
) -> CountSpectrum:
    """Count spectrum of a time range.

    Parameters
    ----------
    data : PixelData or Spectrogram
    background : PixelData, optional
        All its bins are used. It must have been taken with the same energy table.
    t_start, t_end : datetime64
        UTC at Solar Orbiter; the bins whose centres are inside are summed.
    detectors, pixels : sequence of int, optional
        Indices 0-31 and 0-11; by default the 24 coarse detectors that were on and all pixels that were read out, also
        in the background. Spectrograms have those that were summed on board.
    calibration : Calibration, optional
        By default what the shipped tables give for this time.
    edge_correction : EdgeCorrection, optional
        Spectrum inside the channels. By default a power law if there is a daily calibration, and no correction without
        one, as in the ground software. Spectrograms cannot be corrected.

    Raises
    ------
    SelectionError
        When the range is outside the file, or the attenuator, pixels or detectors change within it; when the choice of
        detectors or pixels is not in the file.
    CalibrationError
        When the background cannot be combined with the data, or the trigger rate exceeds what the electronics report.
    """
    selected = select_bins(data, background, (t_start, t_end), detectors, pixels, calibration)
    changes = np.flatnonzero(np.diff(data.rcr[selected.rows]))
    if changes.size:
        first = data.t_start[selected.rows[changes[0] + 1]]
        message = (
            f"{data.header.name}: the attenuator state (rcr) changes at {format_time(first)} inside the time range; "
            "choose a shorter one"
        )
        raise SelectionError(message)
    sums = selected.sum(edge_correction)
    return _spectrum(selected, sums, slice(None), _doubts(selected, sums, edge_correction))


def count_spectra_of_bins(
    data: PixelData | Spectrogram,
    background: PixelData | None = None,
    t_start: np.datetime64 | None = None,
    t_end: np.datetime64 | None = None,
    *,
    detectors: Sequence[int] | None = None,
    pixels: Sequence[int] | None = None,
    calibration: Calibration | None = None,
    edge_correction: EdgeCorrection | None = None,
) -> tuple[CountSpectrum, ...]:
    """Count spectrum of every bin of a file or of a time range, except those in which the attenuator moves.

    Parameters and errors are those of `count_spectrum`, but the attenuator may change within the range.
    """
    window = None if t_start is None or t_end is None else (t_start, t_end)
    selected = select_bins(data, background, window, detectors, pixels, calibration)
    sums = selected.sum(edge_correction)
    doubts = _doubts(selected, sums, edge_correction)
    return tuple(_spectrum(selected, sums, slice(n, n + 1), doubts) for n in range(selected.rows.size))


def _spectrum(selected: SelectedBins, sums: SummedBins, part: slice, doubts: tuple[str, ...]) -> CountSpectrum:
    """The spectrum of consecutive sums."""
    data, rows = selected.data, sums.rows[part]
    e_low, e_high = data.e_low[sums.channels], data.e_high[sums.channels]
    background, counted = (one[part].sum(axis=0) for one in (sums.background, sums.background_sigma))
    # σ_B² = σ_b² + (s_b·B)²
    background_sigma = np.sqrt(counted**2 + (BACKGROUND_ERROR * background) ** 2)
    calibration = selected.calibration
    return CountSpectrum(
        e_low=e_low,
        e_high=e_high,
        counts=sums.counts[part].sum(axis=0) - background,
        # errors of the background are common to all bins, so they add linearly, not in quadrature
        sigma=np.sqrt(sums.variance[part].sum(axis=0) + background_sigma**2),
        background=background,
        systematic=systematic_errors(e_low, e_high),
        livetime=float(sums.livetime[part].sum()),
        t_start=data.t_start[rows[0]],
        t_end=bin_ends(data)[rows[-1]],
        detectors=selected.elements.detectors,
        pixels=selected.elements.pixels,
        rcr=int(data.rcr[rows[0]]),
        energy_table=calibration.energy_table.name,
        doubts=doubts,
        duration=float(data.duration[rows].sum()),
        background_sigma=background_sigma,
        source=data.header.name,
        request_id=data.header.request_id,
        background_source="" if selected.background is None else selected.background.header.name,
        cal_file="" if calibration.cal_file is None else calibration.cal_file.name,
        spectrogram=isinstance(data, Spectrogram),
    )


def _doubts(selected: SelectedBins, sums: SummedBins, wanted: EdgeCorrection | None) -> tuple[str, ...]:
    """Sentences about all spectra of a selection."""
    data, found = selected.data, []
    if selected.background is None:
        found.append("no background was subtracted")
    if selected.left_out:
        found.append(f"{selected.left_out} time bins in which the attenuator moves are left out")
    if selected.edge_correction(wanted) is EdgeCorrection.NONE:
        why = "counts were summed on board" if isinstance(data, Spectrogram) else selected.calibration.reason
        found.append("energy edges are not corrected" + (f": {why}" if wanted is None and why else ""))
    found.append(selected.calibration.catalog.doubt_about(data.t_start[selected.rows[0]]))
    fine = set(detector_indices(FINE_LABELS).tolist()) & set(selected.elements.detectors)
    if fine:
        found.append("sub-collimators 1 and 2 are used, whose calibration at high energies is not complete")
    found.append(_shadow(sums))
    return tuple(sentence for sentence in found if sentence)


def _shadow(sums: SummedBins) -> str:
    """A sentence if one row of pixels sees less of the flare than the other; empty if not, or if it is not known."""
    top, bottom = sums.pixel_rows.tolist()
    sigma = float(np.sqrt(sums.pixel_rows_variance.sum()))
    if not (top > 0 and bottom > 0) or abs(top - bottom) <= max(ROW_DIFFERENCE * min(top, bottom), ROW_SIGMAS * sigma):
        return ""
    row, pixels = ("top", "0-3") if top > bottom else ("bottom", "4-7")
    more = max(top, bottom) / min(top, bottom) - 1
    return f"the {row} row of pixels has {more:.0%} more counts than the other, in shadow: use pixels {pixels} only"
