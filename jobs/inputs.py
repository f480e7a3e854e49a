"""Which background file for which flare: every candidate is kept with the reason for or against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from archive.index.schema import ScienceFile
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import CalibrationError

#: A background is searched this far before and after a flare.
MAX_DISTANCE = np.timedelta64(60, "D")
#: Shorter quiet intervals add more noise than they remove.
MIN_DURATION = 600.0  # s
_FLARE_IN_PURPOSE = re.compile(r"\bFlare (\d{10})\b")


@dataclass(frozen=True)
class BackgroundCandidate:
    """A possible background.

    Attributes
    ----------
    name, uid : str
    distance_h : float
        From the flare to the middle of the background, hours, negative when it was taken before.
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
    """The chosen file (None: none qualifies), why, and all that were looked at, best first."""

    chosen: ScienceFile | None
    reason: str
    candidates: tuple[BackgroundCandidate, ...]

    @property
    def candidates_json(self) -> str:
        """For the index."""
        return json.dumps([asdict(candidate) for candidate in self.candidates])


def flare_named_in(purpose: str) -> str:
    """Id of the flare that a science file was requested for ("Flare 2211111136, Solar Flare, …"); empty: none named."""
    named = _FLARE_IN_PURPOSE.search(purpose)
    return named[1] if named else ""


def choose_background(
    files: Iterable[ScienceFile],
    start: np.datetime64,
    end: np.datetime64,
    energy: tuple[float, float],
    own_name: str = "",
    catalog: CalibrationCatalog = SHIPPED,
) -> BackgroundChoice:
    """Nearest in time among the files that qualify, at most 60 days away on either side.

    Parameters
    ----------
    files : iterable of ScienceFile
        Background files, see `ScienceFile.is_background`.
    start, end : datetime64
        The flare's window. Distances are from its middle; its energy table is the one in force at its start, as for the
        image (`stixcore.reconstruct.calibration_at`).
    energy : (low, high), keV
        Band that has to be covered.
    own_name : str
        The science file itself, never its own background.
    catalog : CalibrationCatalog
        Says which energy table was in force when.
    """
    time = start + (end - start) // 2
    judged = []
    for file in files:
        middle = file.t_start + (file.t_end - file.t_start) // 2
        if file.name == own_name or abs(middle - time) > MAX_DISTANCE:
            continue
        distance = float((middle - time) / np.timedelta64(3600, "s"))
        reason = _objection(file, start, end, energy, catalog)
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


def _objection(
    file: ScienceFile,
    start: np.datetime64,
    end: np.datetime64,
    energy: tuple[float, float],
    catalog: CalibrationCatalog,
) -> str:
    """Why a file cannot serve as background, empty when it can."""
    try:
        own, flare = catalog.energy_table_at(file.t_start).name, catalog.energy_table_at(start).name
    except CalibrationError as error:
        return str(error)
    objections = (
        (file.t_start <= start + (end - start) // 2 < file.t_end, "was taken during the flare"),
        (file.duration_s < MIN_DURATION, f"only {file.duration_s:.0f} s long, {MIN_DURATION:.0f} s needed"),
        (not file.all_detectors, "not all detectors were read out"),
        (
            file.e_low > energy[0] or file.e_high < energy[1],
            f"covers {file.e_low:g}-{file.e_high:g} keV, not {energy[0]:g}-{energy[1]:g} keV",
        ),
        (file.rcr_max > 0, "the attenuator was in"),
        (own != flare, f"another energy table was on board ({own}, not {flare})"),
    )
    return next((reason for applies, reason in objections if applies), "")
