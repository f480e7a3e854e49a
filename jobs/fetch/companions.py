"""Companions of science files: aspect and light-curve files of each day they touch, and a background.

A science file may begin before the requested time range or end after it, and its background is often days away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from archive import Archive, NotInArchive, ScienceFile, ScienceFilter
from archive.layout import FileName
from jobs.inputs import MIN_DURATION, choose_background
from stixcore.calibration.pointing import MAX_GAP
from stixcore.fits.spec import IMAGEABLE, ProductKind
from stixcore.prepare import LOCATION_ENERGY

_DAY = np.timedelta64(1, "D")
#: Time ranges around a flare in which a background is searched on a server, one after the other.
REACHES = (np.timedelta64(3, "D"), np.timedelta64(14, "D"))
#: Largest file with one time bin, such as a background, byte; current ones have 60 to 160 kB.
BACKGROUND_BYTES = 400_000
#: Largest number of possible backgrounds that are fetched for one flare.
CANDIDATES = 3

type Span = tuple[np.datetime64, np.datetime64]


def missing_days(names: Iterable[FileName], asked: Span) -> list[Span]:
    """Runs of whole UTC days that science files touch outside the requested range ``asked``.

    Aspect records up to 300 s before or after a file also belong to it.
    """
    first, last = (time.astype("datetime64[D]") for time in asked)
    touched: set[np.datetime64] = set()
    for name in names:
        if not name.uid:
            continue
        start, end = (name.start - MAX_GAP).astype("datetime64[D]"), (name.end + MAX_GAP).astype("datetime64[D]")
        touched |= set(np.arange(start, end + _DAY))
    days = sorted(day for day in touched if not first <= day <= last)
    runs: list[list[np.datetime64]] = []
    for day in days:
        if runs and day - runs[-1][-1] == _DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return [(run[0].astype("datetime64[s]"), run[-1] + _DAY - np.timedelta64(1, "s")) for run in runs]


def without_background(archive: Archive, names: Iterable[str]) -> list[ScienceFile]:
    """Pixel-data files without a suitable background in the archive, in order of time."""
    found = []
    for name in names:
        try:
            file = archive.science_file(name)
        except NotInArchive:  # refused by ingest
            continue
        if file.product in IMAGEABLE and not file.is_background and not has_background(archive, file):
            found.append(file)
    return sorted(found, key=lambda file: (file.t_start, file.name))


def has_background(archive: Archive, file: ScienceFile) -> bool:
    """Whether the archive has a suitable background for a science file, in the energy band that locates flares."""
    which = ScienceFilter(product=str(ProductKind.PIXEL_DATA), is_background=True, simulated=file.simulated)
    middle = middle_of(file)
    files = archive.science_files(which)
    choice = choose_background(files, middle, middle, LOCATION_ENERGY, file.name, archive.calibration)
    return choice.chosen is not None


def middle_of(file: ScienceFile) -> np.datetime64:
    """Middle of a science file."""
    return file.t_start + (file.t_end - file.t_start) // 2


def possible_backgrounds(names: Sequence[FileName], flare: np.datetime64) -> list[int]:
    """Indices of files that may be backgrounds by name, nearest first: compressed pixel data of ten minutes or more."""
    shortest = np.timedelta64(int(MIN_DURATION), "s")
    fit = [
        number
        for number, name in enumerate(names)
        if name.kind is ProductKind.PIXEL_DATA and name.end - name.start >= shortest
    ]
    return sorted(fit, key=lambda number: (abs(names[number].start - flare), names[number].name))
