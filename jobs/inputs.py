"""Choose the inputs of an image: background file, auxiliary (aspect) files and flare.

Previews, requests, pages and downloads all use these functions, so they agree. The choices are
part of the recipe and of its id.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from archive import Archive, AuxFile, Flare, Image, ScienceFile, ScienceFilter
from archive.index.schema import AUX_FILES
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.calibration.pointing import MAX_GAP
from stixcore.errors import CalibrationError
from stixcore.fits.spec import ProductKind
from stixcore.prepare import LOCATION_ENERGY

#: Backgrounds are searched this far before and after a flare.
MAX_DISTANCE = np.timedelta64(60, "D")
#: Shorter quiet intervals add more noise than they remove.
MIN_DURATION = 600.0  # s
#: A file covers a day, so of the files that start before a time, the last ones include all that cover it.
_ASPECT_FILES = 64
_FLARE_IN_PURPOSE = re.compile(r"\bFlare (\d{10})\b")
_NOTHING = np.timedelta64(0, "us")
_DAY = np.timedelta64(86_400_000_000, "us")

type _Time = np.datetime64


@dataclass(frozen=True, eq=False)
class InputCatalog:
    """Files and flares of an archive, read from the index once and searched in memory.

    Attributes
    ----------
    science : dict
        Pixel-data files by name, every version.
    quiet : dict
        Current background files ordered by their middle; real ones under False, simulated ones under True.
    aspect : dict
        The same for auxiliary files, ordered by start and name.
    flares : list of Flare
        Flares with start and end, ordered by peak.
    calibration : CalibrationCatalog
    """

    science: dict[str, ScienceFile]
    quiet: dict[bool, list[ScienceFile]]
    aspect: dict[bool, list[AuxFile]]
    flares: list[Flare]
    calibration: CalibrationCatalog = SHIPPED

    @classmethod
    def of(cls, archive: Archive) -> InputCatalog:
        """All files and flares of an archive."""
        every = archive.science_files(ScienceFilter(product=ProductKind.PIXEL_DATA, superseded=True))
        quiet = (file for file in every if file.is_background and file.superseded_by is None)
        found = archive.query("SELECT * FROM aux_files WHERE superseded_by IS NULL")
        aspect = AUX_FILES.to_rows(found.select(AUX_FILES.arrow.names))
        return cls._sorted(every, quiet, aspect, archive.flares(), archive.calibration)

    @classmethod
    def around(
        cls, archive: Archive, file: ScienceFile, start: _Time, end: _Time, *, backgrounds: bool = True
    ) -> InputCatalog:
        """Inputs for windows of one science file from ``start`` to ``end``; optionally without backgrounds."""
        which = ScienceFilter(product=ProductKind.PIXEL_DATA, is_background=True, simulated=file.simulated)
        reach = float((end - start) / np.timedelta64(2, "s")) + MAX_GAP / np.timedelta64(1, "s")
        return cls._sorted(
            (file,),
            archive.science_files(which) if backgrounds else (),
            archive.aux_for(_middle(start, end), within_s=reach, simulated=file.simulated),
            archive.flares(file.t_start, file.t_end),
            archive.calibration,
        )

    @classmethod
    def _sorted(
        cls,
        science: Iterable[ScienceFile],
        quiet: Iterable[ScienceFile],
        aspect: Iterable[AuxFile],
        flares: Iterable[Flare],
        calibration: CalibrationCatalog,
    ) -> InputCatalog:
        by_middle = sorted(quiet, key=_middle_of)
        by_start = sorted(aspect, key=lambda row: (row.t_start, row.name))
        return cls(
            {file.name: file for file in science},
            {which: [file for file in by_middle if file.simulated == which] for which in (False, True)},
            {which: [row for row in by_start if row.simulated == which] for which in (False, True)},
            [flare for flare in flares if flare.t_start and flare.t_end],
            calibration,
        )

    def flares_in(self, file: ScienceFile) -> dict[str, Flare]:
        """Flares with their peak in a file, by id; simulated ones only for simulated files."""
        inside = self.flares[bisect_left(self._peaks, file.t_start) : bisect_left(self._peaks, file.t_end)]
        return {flare.flare_id: flare for flare in inside if flare.simulated == file.simulated}

    def listed_id(self, flare_id: str) -> str:
        """The id in the flare list of the flare with an id; unchanged if the list does not know it."""
        return self._listed_ids.get(flare_id, flare_id)

    def flare_during(self, file: ScienceFile, start: _Time, end: _Time) -> Flare | None:
        """The flare that overlaps a window of a file most; None when none does. Simulated ones as in `flares_in`."""

        def shared(flare: Flare) -> np.timedelta64:
            if flare.t_start is None or flare.t_end is None:
                return _NOTHING
            return min(flare.t_end, end) - max(flare.t_start, start)

        # a flare with a peak further away has ended
        near = self.flares[bisect_left(self._peaks, start - _DAY) : bisect_right(self._peaks, end + _DAY)]
        same = (flare for flare in near if flare.simulated == file.simulated)
        best = max(same, key=shared, default=None)
        return best if best is not None and shared(best) > _NOTHING else None

    def background_for(
        self, file: ScienceFile, start: _Time, end: _Time, energy: tuple[float, float]
    ) -> BackgroundChoice:
        """Choose the background for a window of a file, ``energy`` in keV; see `choose_background`."""
        middle = _middle(start, end)
        files, middles = self.quiet[file.simulated], self._middles[file.simulated]
        near = files[bisect_left(middles, middle - MAX_DISTANCE) : bisect_right(middles, middle + MAX_DISTANCE)]
        return choose_background(near, start, end, energy, file.name, self.calibration)

    def aspect_for(self, file: ScienceFile, start: _Time, end: _Time) -> list[AuxFile]:
        """Auxiliary files with the pointing for a window of a file; see `choose_aspect`."""
        rows, starts = self.aspect[file.simulated], self._aspect_starts[file.simulated]
        begun = rows[: bisect_right(starts, _middle(start, end) + MAX_GAP)]
        return choose_aspect(begun[-_ASPECT_FILES:], start, end)

    @cached_property
    def _peaks(self) -> list[_Time]:
        return [flare.t_peak for flare in self.flares]

    @cached_property
    def _listed_ids(self) -> dict[str, str]:
        others = {name: flare.flare_id for flare in self.flares for name in (flare.other_ids or "").split()}
        return others | {flare.flare_id: flare.flare_id for flare in self.flares}

    @cached_property
    def _middles(self) -> dict[bool, list[_Time]]:
        return _by_simulated(self.quiet, _middle_of)

    @cached_property
    def _aspect_starts(self) -> dict[bool, list[_Time]]:
        return _by_simulated(self.aspect, lambda row: row.t_start)


def choose_aspect(files: Iterable[AuxFile], start: np.datetime64, end: np.datetime64) -> list[AuxFile]:
    """Auxiliary files with records within `MAX_GAP` of the middle of a window.

    The nearest comes first; at equal distance, the one that starts first. The order is part of the recipe's id.
    """
    middle = _middle(start, end)
    near = (row for row in files if row.t_start - MAX_GAP <= middle <= row.t_end + MAX_GAP)
    return sorted(
        near, key=lambda row: (max(row.t_start - middle, middle - row.t_end, _NOTHING), row.t_start, row.name)
    )


#: Columns of images that are those of the flare.
CLASSES = ("goes_class", "goes_flux", "goes_estimated", "goes_estimated_flux")


def classes_of(flare: Flare | Image | None) -> dict[str, Any]:
    """`CLASSES` of a flare, or of an image of it; None without one."""
    return {name: getattr(flare, name, None) for name in CLASSES}


def flare_named_in(purpose: str) -> str:
    """Id of the flare in the purpose of a science file ("Flare 2211111136, Solar Flare, …"); empty without one."""
    named = _FLARE_IN_PURPOSE.search(purpose)
    return named[1] if named else ""


@dataclass(frozen=True)
class BackgroundCandidate:
    """A background file and whether it qualifies.

    Attributes
    ----------
    name, uid : str
    distance_h : float
        Hours from the flare to the middle of the background; negative when it is earlier.
    qualifies : bool
    reason : str
        Why it does not qualify; empty when it does.
    """

    name: str
    uid: str
    distance_h: float
    qualifies: bool
    reason: str = ""


@dataclass(frozen=True)
class BackgroundChoice:
    """The chosen file (None when none qualifies), the reason, and all candidates, best first."""

    chosen: ScienceFile | None
    reason: str
    candidates: tuple[BackgroundCandidate, ...]

    @property
    def candidates_json(self) -> str:
        """The candidates as JSON, for the index."""
        return json.dumps([asdict(candidate) for candidate in self.candidates])


def choose_background(
    files: Iterable[ScienceFile],
    start: np.datetime64,
    end: np.datetime64,
    energy: tuple[float, float],
    own_name: str = "",
    catalog: CalibrationCatalog = SHIPPED,
) -> BackgroundChoice:
    """Choose the nearest background file in time that qualifies, at most 60 days away.

    Parameters
    ----------
    files : iterable of ScienceFile
        Background files, see `ScienceFile.is_background`.
    start, end : datetime64
        Time window of the image. Distances are measured from its middle. The energy table is the one in force at its
        start, as for the image (`stixcore.prepare.prepare`).
    energy : (low, high), keV
        Band of the image. The background must also cover `LOCATION_ENERGY`, the band of the full-disk map that locates
        the flare.
    own_name : str
        Name of the science file, which cannot be its own background.
    catalog : CalibrationCatalog
        Gives the energy table in force at a time.
    """
    time = _middle(start, end)
    covered = min(energy[0], LOCATION_ENERGY[0]), max(energy[1], LOCATION_ENERGY[1])
    judged = []
    for file in files:
        middle = _middle_of(file)
        if file.name == own_name or abs(middle - time) > MAX_DISTANCE:
            continue
        distance = float((middle - time) / np.timedelta64(3600, "s"))
        reason = _reason_against(file, start, end, covered, catalog)
        judged.append((BackgroundCandidate(file.name, file.uid, distance, not reason, reason), file))
    judged.sort(key=lambda pair: (not pair[0].qualifies, abs(pair[0].distance_h), pair[0].name))
    candidates = tuple(candidate for candidate, _ in judged)
    good = [pair for pair in judged if pair[0].qualifies]
    if not good:
        looked_at = f"none of {len(judged)} candidates qualifies" if judged else "no background file within 60 days"
        return BackgroundChoice(None, f"no background subtracted: {looked_at}", candidates)
    best, chosen = good[0]
    side = "after" if best.distance_h > 0 else "before"
    reason = f"nearest of {len(good)} that qualify: {abs(best.distance_h):.1f} h {side} the flare"
    return BackgroundChoice(chosen, reason, candidates)


def _reason_against(
    file: ScienceFile,
    start: np.datetime64,
    end: np.datetime64,
    energy: tuple[float, float],
    catalog: CalibrationCatalog,
) -> str:
    """Why a file does not qualify as background; empty when it does."""
    try:
        own, flare = catalog.energy_table_at(file.t_start).name, catalog.energy_table_at(start).name
    except CalibrationError as error:
        return str(error)
    conditions = (
        (file.t_start <= _middle(start, end) < file.t_end, "was taken during the flare"),
        (file.duration_s < MIN_DURATION, f"only {file.duration_s:.0f} s long, {MIN_DURATION:.0f} s needed"),
        (not file.all_detectors, "not all detectors were read out"),
        (
            file.e_low > energy[0] or file.e_high < energy[1],
            f"covers {file.e_low:g}-{file.e_high:g} keV, not {energy[0]:g}-{energy[1]:g} keV",
        ),
        (file.rcr_max > 0, "the attenuator was in"),
        (own != flare, f"another energy table was on board ({own}, not {flare})"),
    )
    return next((reason for applies, reason in conditions if applies), "")


def _by_simulated[Row](rows: dict[bool, list[Row]], key: Callable[[Row], _Time]) -> dict[bool, list[_Time]]:
    return {which: [key(row) for row in some] for which, some in rows.items()}


def _middle(start: _Time, end: _Time) -> _Time:
    return start + (end - start) // 2


def _middle_of(file: ScienceFile) -> _Time:
    return _middle(file.t_start, file.t_end)
