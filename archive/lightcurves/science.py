"""Light curves from pixel data and spectrograms, for times without quick-look files.

They are made when asked for and never put into the series of quick-look bins: the bins of a science file have other
lengths, pixel data include all pixels that were read out, and a spectrogram the detectors that were summed on board.
Every answer names its files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive.errors import QueryRefused
from archive.index.filters import ScienceFilter
from archive.index.schema import ScienceFile
from archive.index.series import BAND_EDGES, BANDS, COUNTS, LIGHT_CURVES
from archive.lightcurves.read import LightCurveView
from stixcore.errors import InvalidProduct
from stixcore.fits.read import read_pixel_data, read_spectrogram
from stixcore.fits.spec import ProductKind
from stixcore.instrument.tables import N_PIXELS
from stixcore.spectra import CountSpectra, count_spectra, merge_bins

if TYPE_CHECKING:
    from archive.queries import ArchiveQueries

Floats = NDArray[np.float64]

#: Longest window, and largest number of files that are read for it.
LONGEST, MOST_FILES = np.timedelta64(1, "D"), 6
#: Kinds of files, the preferred first; visibilities have no light curve.
_KINDS = (ProductKind.PIXEL_DATA, ProductKind.RAW_PIXEL_DATA, ProductKind.SUMMED_PIXEL_DATA, ProductKind.SPECTROGRAM)
_EDGES = (*BAND_EDGES.tolist(), 84.0)
#: Channel edges may differ by this much from those of a band, keV; energy calibration moves them by less.
_TOLERANCE = 0.3
ATTENUATOR = (
    "Rates with the attenuator in are not corrected for it: its transmission changes within a band, so that of a band "
    "depends on the spectrum."
)


@dataclass(frozen=True, eq=False)
class ScienceCurve:
    """A time window of light curves from science files.

    Attributes
    ----------
    view : LightCurveView
        As that of quick-look bins; triggers are NaN, and so is a band that the channels of a file do not divide into.
    files : tuple of str
        Names of the science files, in order of time.
    file : (n,) int
        Place of each bin's file in ``files``; -1 in a gap.
    live_time_corrected : bool
    cautions : tuple of str
        Files and bins that are not what was asked for, and why.
    """

    view: LightCurveView
    files: tuple[str, ...] = ()
    file: NDArray[np.int64] | None = None
    live_time_corrected: bool = True
    cautions: tuple[str, ...] = ()


def science_curve(
    archive: ArchiveQueries,
    start: np.datetime64,
    end: np.datetime64,
    max_points: int = 2000,
    *,
    simulated: bool = False,
    corrected: bool = True,
) -> ScienceCurve:
    """Light curves of the science files in a time window, in the five bands of quick-look light curves.

    Where files overlap, pixel data come before spectrograms, and the earlier file before the later.

    Parameters
    ----------
    archive : ArchiveQueries
    start, end : datetime64
        UTC at Solar Orbiter; at most one day apart.
    max_points : int
        About the largest number of bins; adjacent bins of a file are merged.
    simulated : bool
        Simulated or real files; the two are never mixed.
    corrected : bool
        Divide rates by the live fraction.

    Raises
    ------
    QueryRefused
        When the window is empty or too long, or ``max_points`` is too small.
    """
    if not (start < end <= start + LONGEST) or max_points < 2:
        message = f"light curves of science files need a window of at most {LONGEST}, found {start} … {end}"
        raise QueryRefused(message)
    rows, cautions = _files_in(archive, start, end, simulated), []
    if len(rows) > MOST_FILES:
        cautions.append(f"{MOST_FILES} of {len(rows)} science files in this window are shown.")
        rows = rows[:MOST_FILES]
    taken: list[tuple[str, CountSpectra]] = []
    for row in rows:
        try:
            spectra, lacks = _read(archive, row)
        except (InvalidProduct, OSError) as error:
            cautions.append(f"{row.name} cannot be read: {error}")
            continue
        free = (spectra.t_end > start) & (spectra.t_start < end)
        for _, other in taken:
            free &= (spectra.t_end <= other.t_start[0]) | (spectra.t_start >= other.t_end[-1])
        if free.any():
            taken.append((row.name, merge_bins(_rows(spectra, free), max(2, max_points // len(rows)))))
            if lacks:
                cautions.append(lacks)
            if corrected and spectra.caution:
                cautions.append(f"{row.name}: {spectra.caution}")
    taken.sort(key=lambda one: one[1].t_start[0])
    if any((spectra.rcr > 0).any() for _, spectra in taken):
        cautions.append(ATTENUATOR)
    view, file = _view([spectra for _, spectra in taken], corrected)
    return ScienceCurve(view, tuple(name for name, _ in taken), file, corrected, tuple(cautions))


def science_rows(curve: ScienceCurve, *, simulated: bool) -> pa.Table:
    """Bins of a curve as rows of the table of light curves; ``file`` is the science file, ``version`` is empty."""
    keep = curve.view.rcr >= 0
    file = np.zeros(0, dtype=np.int64) if curve.file is None else curve.file[keep]
    columns = {
        "time": curve.view.time[keep],
        "duration_s": curve.view.seconds[keep],
        **{name: curve.view.mean[keep, band] * curve.view.seconds[keep] for band, name in enumerate(COUNTS)},
        "triggers": curve.view.triggers_mean[keep],
        "rcr": curve.view.rcr[keep],
        "simulated": np.full(int(keep.sum()), simulated),
        "file": [curve.files[place] for place in file],
        "version": [""] * int(keep.sum()),
    }
    schema = LIGHT_CURVES.arrow
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema)


def _files_in(archive: ArchiveQueries, start: np.datetime64, end: np.datetime64, simulated: bool) -> list[ScienceFile]:
    """Science files that overlap a window and can have a light curve, by precedence."""
    which = ScienceFilter(t_start=start, t_end=end, simulated=simulated, is_background=False)
    found = [row for row in archive.science_files(which) if row.product in _KINDS]
    return sorted(found, key=lambda row: (row.product == ProductKind.SPECTROGRAM, row.t_start, row.name))


def _read(archive: ArchiveQueries, row: ScienceFile) -> tuple[CountSpectra, str]:
    """Spectra of a file, and which pixels they lack."""
    path = archive.path_of(row.path)
    if row.product == ProductKind.SPECTROGRAM:
        return count_spectra(read_spectrogram(path)), ""
    data = read_pixel_data(path)
    pixels = int(data.pixel_mask.any(axis=0).sum())
    lacks = f"Rates of {row.name} are lower because only {pixels} of {N_PIXELS} pixels were read out."
    return count_spectra(data), lacks if pixels < N_PIXELS else ""


def _rows(spectra: CountSpectra, rows: NDArray[np.bool_]) -> CountSpectra:
    names = ("t_start", "t_end", "duration", "counts", "corrected", "live_fraction", "rcr")
    return replace(spectra, **{name: getattr(spectra, name)[rows] for name in names})


def band_rates(spectra: CountSpectra, *, corrected: bool = True) -> Floats:
    """Rates in the bands of quick-look light curves, (n_time, 5) float, ct s⁻¹.

    NaN for a band whose edges are not edges of channels: part of a band would be mistaken for all of it.
    """
    rates = np.full((spectra.duration.size, len(BANDS)), np.nan)
    for band, (low, high) in enumerate(pairwise(_EDGES)):
        begins = np.abs(spectra.e_low - low) < _TOLERANCE
        ends = np.abs(spectra.e_high - high) < _TOLERANCE
        if begins.any() and ends.any():
            rates[:, band] = spectra.light_curve(low - _TOLERANCE, high + _TOLERANCE, corrected=corrected)
    return rates


def _view(spectra: list[CountSpectra], corrected: bool) -> tuple[LightCurveView, NDArray[np.int64]]:
    """The bins of all files together, with a row of NaN where the next one begins later than the last one ends."""
    if not spectra:
        none, bands = np.empty(0), np.empty((0, len(BANDS)))
        whole = np.empty(0, dtype=np.int64)
        times = np.empty(0, dtype="datetime64[us]")
        return LightCurveView(times, 0.0, none, bands, bands, bands, none, none, none, whole), whole
    begin, end = (np.concatenate([getattr(one, name) for one in spectra]) for name in ("t_start", "t_end"))
    seconds = np.concatenate([one.duration for one in spectra])
    rates = np.concatenate([band_rates(one, corrected=corrected) for one in spectra])
    rcr = np.concatenate([one.rcr for one in spectra]).astype(np.int64)
    file = np.repeat(np.arange(len(spectra)), [one.duration.size for one in spectra])
    gaps = np.flatnonzero((begin[1:] - end[:-1]) / np.timedelta64(1, "s") > 0.5 * seconds[1:]) + 1
    mean = np.insert(rates, gaps, np.nan, axis=0)
    unknown = np.full(mean.shape[0], np.nan)
    view = LightCurveView(
        time=np.insert(begin, gaps, end[gaps - 1]).astype("datetime64[us]"),
        bucket_s=0.0,
        seconds=np.insert(seconds, gaps, 0.0),
        low=mean,
        mean=mean,
        high=mean,
        triggers_low=unknown,
        triggers_mean=unknown,
        triggers_high=unknown,
        rcr=np.insert(rcr, gaps, -1),
    )
    return view, np.insert(file, gaps, -1)
