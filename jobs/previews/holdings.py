"""What previews are made from, as the archive has it now: asked for once, and then answered from memory.

Making previews and finding out which would be others today ask the same questions here, so they cannot disagree.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archive import Archive, AuxFile, Flare, ScienceFile, ScienceFilter
from archive.index.schema import AUX_FILES
from jobs.inputs import MAX_DISTANCE, BackgroundChoice, choose_background
from jobs.previews.windows import FlareInterval
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.calibration.pointing import MAX_GAP
from stixcore.fits.spec import ProductKind
from stixcore.reconstruct import LOCATION_ENERGY

type _Time = np.datetime64


@dataclass(frozen=True, eq=False)
class Holdings:
    """Files and flares of an archive, at the moment of `of`.

    Attributes
    ----------
    science : dict
        Pixel-data files by name, every version.
    quiet : dict
        Background files that count, by their middle; of real and (True) simulated data.
    aspect : dict
        Auxiliary files that count, by their start; of real and (True) simulated data.
    flares : list of Flare
        Those with start and end, by their peak.
    calibration : CalibrationCatalog
    """

    science: dict[str, ScienceFile]
    quiet: dict[bool, list[ScienceFile]]
    aspect: dict[bool, list[AuxFile]]
    flares: list[Flare]
    calibration: CalibrationCatalog = SHIPPED

    @classmethod
    def of(cls, archive: Archive) -> Holdings:
        """Ask an archive."""
        every = archive.science_files(ScienceFilter(product=ProductKind.PIXEL_DATA, superseded=True))
        quiet = sorted((f for f in every if f.is_background and f.superseded_by is None), key=_middle)
        found = archive.query("SELECT * FROM aux_files WHERE superseded_by IS NULL ORDER BY t_start, name")
        aspect = AUX_FILES.to_rows(found.select(AUX_FILES.arrow.names))
        return cls(
            {file.name: file for file in every},
            {which: [file for file in quiet if file.simulated == which] for which in (False, True)},
            {which: [row for row in aspect if row.simulated == which] for which in (False, True)},
            [flare for flare in archive.flares() if flare.t_start and flare.t_end],
            archive.calibration,
        )

    def flares_in(self, file: ScienceFile) -> dict[str, Flare]:
        """Flares whose peak lies in a file, by id; simulated ones in simulated files only."""
        inside = self.flares[bisect_left(self._peaks, file.t_start) : bisect_left(self._peaks, file.t_end)]
        return {flare.flare_id: flare for flare in inside if flare.simulated == file.simulated}

    def background_for(
        self, file: ScienceFile, start: _Time, end: _Time, energy: tuple[float, float]
    ) -> BackgroundChoice:
        """The background of a window [keV] of a file, with the reasons."""
        middle = start + (end - start) // 2
        files, middles = self.quiet[file.simulated], self._middles[file.simulated]
        near = files[bisect_left(middles, middle - MAX_DISTANCE) : bisect_right(middles, middle + MAX_DISTANCE)]
        # the full-disk map needs its own band too
        wide = min(energy[0], LOCATION_ENERGY[0]), max(energy[1], LOCATION_ENERGY[1])
        return choose_background(near, start, end, wide, file.name, self.calibration)

    def aspect_for(self, file: ScienceFile, start: _Time, end: _Time) -> list[AuxFile]:
        """Auxiliary files to take the pointing of a window from, nearest first; see `Archive.aux_for`."""
        middle = start + (end - start) // 2
        rows, starts = self.aspect[file.simulated], self._aspect_starts[file.simulated]
        begun = rows[: bisect_right(starts, middle + MAX_GAP)]
        near = [row for row in begun[-_ASPECT_FILES:] if row.t_end >= middle - MAX_GAP]
        return sorted(near, key=lambda row: max(row.t_start - middle, middle - row.t_end, np.timedelta64(0, "us")))

    @cached_property
    def _peaks(self) -> list[_Time]:
        return [flare.t_peak for flare in self.flares]

    @cached_property
    def _middles(self) -> dict[bool, list[_Time]]:
        return _by_simulated(self.quiet, _middle)

    @cached_property
    def _aspect_starts(self) -> dict[bool, list[_Time]]:
        return _by_simulated(self.aspect, lambda row: row.t_start)


#: Among so many files that begin last before a moment are those that reach it: a file holds a day.
_ASPECT_FILES = 64


def intervals_of(flares: dict[str, Flare]) -> list[FlareInterval]:
    """Flares as the boxes take them."""
    return [FlareInterval(one.flare_id, one.t_start, one.t_end) for one in flares.values() if one.t_start and one.t_end]


def _by_simulated[Row](rows: dict[bool, list[Row]], key: Callable[[Row], _Time]) -> dict[bool, list[_Time]]:
    return {which: [key(row) for row in some] for which, some in rows.items()}


def _middle(file: ScienceFile) -> _Time:
    return file.t_start + (file.t_end - file.t_start) // 2
