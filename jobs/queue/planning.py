"""From a request to image sets: which files each of them needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archive import Archive
from archive.index.filters import ScienceFilter
from archive.index.schema import AuxFile, Flare, RunKind, ScienceFile
from jobs.imaging.task import ImagingTask, RunContext, band_label
from jobs.inputs import BackgroundChoice, choose_background, flare_named_in
from jobs.queue.requests import AUTO, NONE, ImagingRequest
from jobs.queue.submit import background_file_of, science_file_of
from stixcore.calibration.catalog import CalibrationCatalog
from stixcore.calibration.pointing import MAX_GAP
from stixcore.fits.spec import ProductKind
from stixcore.reconstruct import LOCATION_ENERGY, ImageRequest


def plan_request(archive: Archive, request: ImagingRequest, user: str, created: np.datetime64) -> list[ImagingTask]:
    """Tasks of a request, one per image set, in the order of their numbers.

    Parameters
    ----------
    archive : Archive
    request : ImagingRequest
    user : str
        Becomes the author.
    created : datetime64
        Written as time of creation, the same whenever the request is planned: so the same files come out.

    Raises
    ------
    BadRequest
        When a file is not in the archive, or cannot satisfy the request.
    """
    file = science_file_of(archive, request.uid)
    request.check_file(file)
    surroundings = _surroundings(archive, request, file)
    return [_task(archive, file, surroundings, part, request, user, created) for part in request.parts()]


@dataclass(frozen=True)
class _Surroundings:
    """What else the archive has for a request: asked for once, however many image sets there are."""

    quiet: list[ScienceFile]
    given: ScienceFile | None
    aspect: list[AuxFile]
    flares: list[Flare]
    calibration: CalibrationCatalog


def _surroundings(archive: Archive, request: ImagingRequest, file: ScienceFile) -> _Surroundings:
    start, end = min(t for t, _ in request.time_ranges), max(t for _, t in request.time_ranges)
    middle = start + (end - start) // 2
    within = float((end - start) / np.timedelta64(2, "s")) + MAX_GAP / np.timedelta64(1, "s")
    return _Surroundings(
        quiet=archive.science_files(
            ScienceFilter(product=ProductKind.PIXEL_DATA, is_background=True, simulated=file.simulated)
        )
        if request.background == AUTO
        else [],
        given=None if request.background in (AUTO, NONE) else background_file_of(archive, request.background),
        aspect=archive.aux_for(middle, within_s=within, simulated=file.simulated),
        flares=[flare for flare in archive.flares(file.t_start, file.t_end) if flare.t_start and flare.t_end],
        calibration=archive.calibration,
    )


def _task(
    archive: Archive,
    file: ScienceFile,
    surroundings: _Surroundings,
    part: ImageRequest,
    request: ImagingRequest,
    user: str,
    created: np.datetime64,
) -> ImagingTask:
    middle = part.start + (part.end - part.start) // 2
    choice = _choice(surroundings, part, request, file)
    near = [row for row in surroundings.aspect if row.t_start - MAX_GAP <= middle <= row.t_end + MAX_GAP]
    near.sort(key=lambda row: (max(row.t_start - middle, middle - row.t_end, np.timedelta64(0, "us")), row.t_start))
    flare = _flare(surroundings.flares, part)
    return ImagingTask(
        root=archive.root,
        request=part,
        science=archive.path_of(file.path),
        background=archive.path_of(choice.chosen.path) if choice.chosen else None,
        aspect=tuple(archive.path_of(row.path) for row in near),
        context=RunContext(
            kind=RunKind.USER,
            author=user,
            uid=file.uid,
            science_name=file.name,
            band=band_label(part.energy),
            flare_id=flare.flare_id if flare else flare_named_in(file.purpose) or None,
            goes_class=flare.goes_class if flare else None,
            goes_flux=flare.goes_flux if flare else None,
            background_uid=choice.chosen.uid if choice.chosen else None,
            background_reason=choice.reason,
            background_candidates=choice.candidates_json,
            simulated=file.simulated,
            hidden=request.hidden,
        ),
        created=created,
        calibration=surroundings.calibration,
    )


def _choice(
    surroundings: _Surroundings, part: ImageRequest, request: ImagingRequest, file: ScienceFile
) -> BackgroundChoice:
    if request.background == NONE:
        return BackgroundChoice(None, "no background subtracted: as asked for", ())
    if surroundings.given is not None:
        return BackgroundChoice(surroundings.given, "as asked for", ())
    # the full-disk map needs its own band too
    energy = (min(part.energy[0], LOCATION_ENERGY[0]), max(part.energy[1], LOCATION_ENERGY[1]))
    return choose_background(surroundings.quiet, part.start, part.end, energy, file.name, surroundings.calibration)


def _flare(flares: list[Flare], part: ImageRequest) -> Flare | None:
    """The flare that shares most time with an image set."""

    def shared(flare: Flare) -> np.timedelta64:
        if flare.t_start is None or flare.t_end is None:
            return np.timedelta64(0, "us")
        return min(flare.t_end, part.end) - max(flare.t_start, part.start)

    best = max(flares, key=shared, default=None)
    return best if best is not None and shared(best) > np.timedelta64(0, "us") else None
