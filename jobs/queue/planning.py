"""Plan a request: its image sets and the files that each of them needs."""

from __future__ import annotations

import numpy as np

from archive import Archive, NotInArchive
from archive.index.schema import RunKind, ScienceFile
from jobs.imaging.task import ImagingTask, RunContext, band_label
from jobs.inputs import BackgroundChoice, InputCatalog, classes_of, flare_named_in
from jobs.queue.requests import AUTO, NONE, ImagingRequest
from jobs.queue.submit import background_file_of, science_file_of
from stixcore.options import ImageRequest


def plan_request(archive: Archive, request: ImagingRequest, user: str, created: np.datetime64) -> list[ImagingTask]:
    """Tasks of a request, one per image set, in the order of their numbers.

    Parameters
    ----------
    archive : Archive
    request : ImagingRequest
    user : str
        Author of the runs.
    created : datetime64
        Creation time, the same whenever the request is planned, so that the files are the same.

    Raises
    ------
    BadRequest
        When a file is not in the archive, or cannot satisfy the request.
    """
    file = science_file_of(archive, request.uid)
    request.check_file(file)
    given = None if request.background in (AUTO, NONE) else background_file_of(archive, request.background)
    start, end = min(t for t, _ in request.time_ranges), max(t for _, t in request.time_ranges)
    inputs = InputCatalog.around(archive, file, start, end, backgrounds=request.background == AUTO)
    return [_task(archive, file, inputs, given, part, request, user, created) for part in request.parts()]


def _task(
    archive: Archive,
    file: ScienceFile,
    inputs: InputCatalog,
    given: ScienceFile | None,
    part: ImageRequest,
    request: ImagingRequest,
    user: str,
    created: np.datetime64,
) -> ImagingTask:
    if request.background == AUTO:
        choice = inputs.background_for(file, part.start, part.end, part.energy)
    else:
        choice = BackgroundChoice(given, "as asked for" if given else "no background subtracted: as asked for", ())
    flare = inputs.flare_during(file, part.start, part.end)
    return ImagingTask(
        root=archive.root,
        request=part,
        science=archive.path_of(file.path),
        background=archive.path_of(choice.chosen.path) if choice.chosen else None,
        aspect=tuple(archive.path_of(row.path) for row in inputs.aspect_for(file, part.start, part.end)),
        context=RunContext(
            kind=RunKind.USER,
            author=user,
            uid=file.uid,
            science_name=file.name,
            band=band_label(part.energy),
            flare_id=flare.flare_id if flare else _named_flare(archive, file.purpose),
            **classes_of(flare),
            background_uid=choice.chosen.uid if choice.chosen else None,
            background_reason=choice.reason,
            background_candidates=choice.candidates_json,
            simulated=file.simulated,
            hidden=request.hidden,
        ),
        created=created,
        calibration=inputs.calibration,
    )


def _named_flare(archive: Archive, purpose: str) -> str | None:
    """The flare that a purpose names, by its id in the flare list if it is there."""
    named = flare_named_in(purpose)
    try:
        return archive.flare(named).flare_id
    except NotInArchive:
        return named or None
