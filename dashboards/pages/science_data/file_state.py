"""Plots of one science file: spectrogram in as many bins as fit, light curves, spectrum, pixels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import param
from numpy.typing import NDArray

from dashboards.pages.science_data.opened_files import opened, spectra_of
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import SelectionError, StixError
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_cards
from stixcore.fits.windows import WindowRule, bins_of_window, window_of_bins
from stixcore.instant import snapped
from stixcore.spectra import CountSpectra, WindowSpectrum, merge_bins, pixel_counts, window_spectrum

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

#: Maximum number of time bins in a drawing.
DRAWN_BINS = 400
#: Bands of the light curves, keV: those of the quick-look data.
BANDS: tuple[tuple[float, float], ...] = ((4, 10), (10, 15), (15, 25), (25, 50), (50, 84))


@dataclass(frozen=True)
class TimeEnergySelection:
    """A time and energy range: start and end (UTC at Solar Orbiter), lower and upper edge (keV)."""

    start: np.datetime64
    end: np.datetime64
    low: float
    high: float

    @property
    def seconds(self) -> float:
        """Length, s."""
        return float((self.end - self.start) / np.timedelta64(1, "s"))


@dataclass(frozen=True, eq=False)
class Curve:
    """Light curve of a band: its edges (keV) and the rate in each drawn bin, ct s⁻¹."""

    low: float
    high: float
    rate: Floats


class FileView(param.Parameterized):
    """One open science file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    StixError, OSError
        If the file cannot be read.
    """

    corrected = param.Boolean(default=True, doc="Rates are corrected for dead time")
    box = param.ClassSelector(
        class_=TimeEnergySelection, default=None, allow_None=True, doc="What is chosen, in whole bins"
    )
    span = param.Tuple(default=None, length=2, allow_None=True, doc="Times between which the drawing was zoomed")
    problem = param.String("", doc="Why what was chosen last cannot be")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.data = opened(path)
        self.spectra = spectra_of(path)
        self.asked = ""  # the typed time range, if it differs from the whole bins
        self.energies_chosen = False  # by the visitor or a link, not by a tab

    @property
    def has_pixels(self) -> bool:
        """Whether images can be made from it."""
        return isinstance(self.data, PixelData)

    @property
    def drawn(self) -> CountSpectra:
        """Spectrogram of the file, or of the zoomed part, in as many bins as fit."""
        shown = self.spectra if self.span is None else self.spectra.between(*self.span)
        return merge_bins(shown, DRAWN_BINS)

    @property
    def curves(self) -> list[Curve]:
        """Light curves of the bands covered by the file."""
        drawn, curves = self.drawn, []
        for low, high in BANDS:
            rate = drawn.light_curve(low, high, corrected=self.corrected)
            if np.isfinite(rate).any():
                inside = (drawn.e_low >= low) & (drawn.e_high <= high)
                curves.append(Curve(float(drawn.e_low[inside][0]), float(drawn.e_high[inside][-1]), rate))
        return curves

    def choose(
        self,
        start: np.datetime64,
        end: np.datetime64,
        low: float,
        high: float,
        *,
        typed: bool = False,
        rule: WindowRule = WindowRule.CENTRES,
        exact: bool = False,
    ) -> None:
        """Select a time and energy range, rounded to whole bins. Errors are reported in `problem`.

        Parameters
        ----------
        typed : bool
            Whether the times were typed: then `asked` says where whole bins differ from them.
        rule : WindowRule
            How times are rounded to whole bins.
        exact : bool
            Refuse typed times that are not bin edges.
        """
        try:
            box = self.snap(start, end, low, high, rule)
        except SelectionError as error:
            self.problem = str(error)
            return
        asked = ""
        if typed and isinstance(self.data, PixelData) and (window := self.data.asked(start, end, rule)).differs:
            asked = str(window)
        if asked and exact:
            self.problem = f"the time range does not match whole bins: {asked}"
            return
        self.problem, self.asked = "", asked
        same = self.box is not None and (box.low, box.high) == (self.box.low, self.box.high)
        self.energies_chosen |= not (typed and same)  # a typed time comes with the energies that were shown
        if box != self.box:  # a dragged box often stays in the same bins
            self.box = box

    def offer_energies(self, low: float, high: float) -> None:
        """Change the energies of the selection, keV, unless they were chosen or the file has none of these."""
        box = self.box
        if box is None or self.energies_chosen:
            return
        try:
            self.box = self.snap(box.start, box.end, low, high)
        except SelectionError as error:
            log.info("%s keeps its energies: %s", self.path.name, error)

    def snap(
        self,
        start: np.datetime64,
        end: np.datetime64,
        low: float,
        high: float,
        rule: WindowRule = WindowRule.CENTRES,
    ) -> TimeEnergySelection:
        """A range rounded to whole bins.

        Raises
        ------
        SelectionError
            If it does not overlap the file.
        """
        if isinstance(self.data, PixelData):
            return TimeEnergySelection(*snapped(self.data, start, end, low, high, rule))
        spectra = self.spectra
        bins = bins_of_window(spectra.t_start, spectra.t_end, start, end, name=self.path.name, rule=rule)
        channels = (spectra.e_high > low) & (spectra.e_low < high)
        if not channels.any():
            message = f"{self.path.name} has no data in this energy range"
            raise SelectionError(message)
        return TimeEnergySelection(
            *window_of_bins(spectra.t_start, spectra.t_end, bins),
            float(self.spectra.e_low[channels][0]),
            float(self.spectra.e_high[channels][-1]),
        )

    def spectrum(
        self,
        box: TimeEnergySelection | None = None,
        background: PixelData | None = None,
        calibration: CalibrationCatalog = SHIPPED,
    ) -> WindowSpectrum:
        """Spectrum of the time range, or of the whole file.

        Raises
        ------
        StixError
            If it cannot be computed; see `stixcore.spectra.window_spectrum`.
        """
        if isinstance(self.data, PixelData):
            times = slice(None) if box is None else self.data.time_bins(box.start, box.end)
            return window_spectrum(self.data, times, background, calibration)
        shown = self.spectra if box is None else self.spectra.within(box.start, box.end)
        closed = np.isfinite(shown.e_high)
        counts, corrected = shown.counts[:, closed].sum(axis=0), shown.corrected[:, closed].sum(axis=0)
        exposure = shown.duration.sum() * shown.width[closed]
        nothing = np.full(counts.size, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(counts > 0, corrected / np.sqrt(counts), 0.0) / exposure
        return WindowSpectrum(
            shown.e_low[closed], shown.e_high[closed], corrected / exposure, error, nothing, nothing.copy()
        )

    def pixels(self, box: TimeEnergySelection | None = None) -> Floats | None:
        """Counts per detector and pixel in the range, (32, 12) ct; None for a spectrogram."""
        if not isinstance(self.data, PixelData):
            return None
        if box is None:
            return pixel_counts(self.data)
        times, channels = self.data.time_bins(box.start, box.end), self.data.energy_channels(box.low, box.high)
        return pixel_counts(self.data, times, channels)

    def recorded(self, box: TimeEnergySelection) -> float:
        """Counts of all detectors and pixels in a box, ct; for a spectrogram, those summed on board."""
        if (pixels := self.pixels(box)) is not None:
            return float(pixels.sum())
        shown = self.spectra.within(box.start, box.end)
        channels = (shown.e_low >= box.low) & (shown.e_high <= box.high)
        return float(shown.counts[:, channels].sum())

    def cards(self) -> Sequence[tuple[str, tuple[tuple[str, str, str], ...]]]:
        """Headers of the file; empty if they can no longer be read."""
        try:
            return read_cards(self.path)
        except (StixError, OSError):
            return ()

    def peak_minute(self) -> TimeEnergySelection:
        """Default selection: a minute at the peak of the lowest band, 6-10 keV if available."""
        low, high = self.first_band
        rate = self.spectra.light_curve(low, high)
        peak = int(np.nanargmax(np.where(np.isfinite(rate), rate, -1.0)))
        middle = self.spectra.t_start[peak] + (self.spectra.t_end[peak] - self.spectra.t_start[peak]) // 2
        half = np.timedelta64(30, "s")
        return self.snap(middle - half, middle + half, low, high)

    @property
    def first_band(self) -> tuple[float, float]:
        """Energies of an image by default, keV: 6-10 keV if available."""
        for low, high in ((6.0, 10.0), *BANDS):
            if np.isfinite(self.spectra.light_curve(low, high)).any():
                return low, high
        closed = np.isfinite(self.spectra.e_high)
        return float(self.spectra.e_low[closed][0]), float(self.spectra.e_high[closed][0])
