"""Light curves from pixel data and spectrograms, for times without quick-look files.

They are made when asked for and never put into the series of quick-look bins: the bins of a science file have other
lengths, pixel data include all pixels that were read out, and a spectrogram the detectors that were summed on board.
Every answer names its files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive.errors import QueryRefused
from archive.index.filters import ScienceFilter
from archive.index.schema import ScienceFile
from archive.index.series import BAND_EDGES, BANDS, COUNTS, LIGHT_CURVES
from archive.lightcurves.corrections import TRANSMISSION, Corrections, append_said, said_of
from archive.lightcurves.read import LightCurveView
from stixcore.calibration.attenuator import QUIET_QUANTILE, without_attenuator
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
CORRECTED_ATTENUATOR = (
    "Rates with the attenuator in are corrected in 25-50 and 50-84 keV only, above the quiet level of the file; below "
    "25 keV the transmission depends on the spectrum."
)
NO_QUIET = "not corrected for the attenuator: too few bins with it out, so the quiet level is unknown."
#: Bins with the attenuator out that the quiet level of a file needs.
ENOUGH_QUIET = 10


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
    live_fraction : (n,) float or None
        Mean over the detectors; NaN where it is unknown, and in gaps.
    attenuator_corrected : (n,) bool or None
        Bins with the attenuator in that were corrected for it, in the bands where that is possible.
    """

    view: LightCurveView
    files: tuple[str, ...] = ()
    file: NDArray[np.int64] | None = None
    live_time_corrected: bool = True
    cautions: tuple[str, ...] = ()
    live_fraction: Floats | None = None
    attenuator_corrected: NDArray[np.bool_] | None = None


def science_curve(
    archive: ArchiveQueries,
    start: np.datetime64,
    end: np.datetime64,
    max_points: int = 2000,
    *,
    simulated: bool = False,
    corrected: bool = True,
    attenuator: bool = False,
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
    attenuator : bool
        Correct 25-50 and 50-84 keV for the attenuator. The quiet level is that of the file's own bins without it.

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
    rates, done = [], []
    for name, spectra in taken:
        of_file, inside = band_rates(spectra, corrected=corrected), spectra.rcr > 0
        possible = attenuator and (~inside).sum() >= ENOUGH_QUIET
        if possible:
            of_file = _without_attenuator(of_file, inside)
        elif attenuator and inside.any():
            cautions.append(f"{name}: {NO_QUIET}")
        rates.append(of_file)
        done.append(inside & possible)
    if any((spectra.rcr > 0).any() for _, spectra in taken):
        cautions.append(CORRECTED_ATTENUATOR if any(one.any() for one in done) else ATTENUATOR)
    return _curve(taken, rates, done, corrected, cautions)


def _without_attenuator(rates: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Rates of a file in which the attenuator is in ``inside``, corrected in the bands where that is possible."""
    rates = rates.copy()
    for number, band in enumerate(BANDS):
        if band in TRANSMISSION:
            quiet = float(np.quantile(rates[~inside, number], QUIET_QUANTILE))
            rates[inside, number] = without_attenuator(rates[inside, number], quiet, TRANSMISSION[band])
    return rates


def science_rows(curve: ScienceCurve, *, simulated: bool, say_corrections: bool = False) -> pa.Table:
    """Bins of a curve as rows of the table of light curves; ``file`` is the file, ``version`` is empty.

    With ``say_corrections`` there are two more columns: ``live_fraction`` and ``corrected_for``.
    """
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
    rows = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema)
    if not say_corrections:
        return rows
    n = curve.view.rcr.size
    live = np.full(n, np.nan) if curve.live_fraction is None else curve.live_fraction
    done = np.zeros(n, dtype=bool) if curve.attenuator_corrected is None else curve.attenuator_corrected
    return append_said(rows, live[keep], said_of(Corrections(curve.live_time_corrected, attenuator=True), done[keep]))


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


def _curve(
    taken: list[tuple[str, CountSpectra]],
    rates: list[Floats],
    done: list[NDArray[np.bool_]],
    corrected: bool,
    cautions: list[str],
) -> ScienceCurve:
    """The bins of all files together."""
    spectra = [one for _, one in taken]

    def joined(name: str, kind: str) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, kind), *(getattr(one, name) for one in spectra)])

    begin, end = joined("t_start", "datetime64[us]"), joined("t_end", "datetime64[us]")
    seconds, rcr = joined("duration", "float"), joined("rcr", "int64").astype(np.int64)
    sizes = [one.duration.size for one in spectra]
    file = np.repeat(np.arange(len(spectra)), sizes).astype(np.int64)
    view, gaps = with_gaps(begin, end, seconds, np.concatenate([np.empty((0, len(BANDS))), *rates]), rcr)
    return ScienceCurve(
        view=view,
        files=tuple(name for name, _ in taken),
        file=np.insert(file, gaps, -1),
        live_time_corrected=corrected,
        cautions=tuple(cautions),
        live_fraction=np.insert(joined("live_fraction", "float"), gaps, np.nan),
        attenuator_corrected=np.insert(np.concatenate([np.zeros(0, bool), *done]), gaps, False),
    )


def with_gaps(
    begin: NDArray[np.datetime64],
    end: NDArray[np.datetime64],
    seconds: Floats,
    rates: Floats,
    rcr: NDArray[np.int64],
    triggers: Floats | None = None,
) -> tuple[LightCurveView, NDArray[np.int64]]:
    """View of bins, with a row of NaN where the next one begins later than the last one ends; and places of such rows.

    Parameters
    ----------
    begin, end : (n,) datetime64
    seconds : (n,) float, s
    rates : (n, 5) float, ct s⁻¹
    rcr : (n,) int
    triggers : (n,) float, s⁻¹, optional
    """
    gaps = np.flatnonzero((begin[1:] - end[:-1]) / np.timedelta64(1, "s") > 0.5 * seconds[1:]) + 1
    mean = np.insert(rates, gaps, np.nan, axis=0)
    known = np.full(begin.size, np.nan) if triggers is None else triggers
    known = np.insert(known, gaps, np.nan)
    view = LightCurveView(
        time=np.insert(begin, gaps, end[gaps - 1]).astype("datetime64[us]"),
        bucket_s=0.0,
        seconds=np.insert(seconds, gaps, 0.0),
        low=mean,
        mean=mean,
        high=mean,
        triggers_low=known,
        triggers_mean=known,
        triggers_high=known,
        rcr=np.insert(rcr, gaps, -1),
    )
    return view, gaps
