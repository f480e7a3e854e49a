"""Plan a request: its image sets or spectra, and the files that each of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archive import Archive, NotInArchive
from archive.index.schema import RunKind, ScienceFile
from jobs.imaging.task import ImagingTask, RunContext, band_label
from jobs.inputs import BackgroundChoice, InputCatalog, classes_of, flare_named_in
from jobs.queue.measurement_requests import MeasurementRequest, QueuedRequest
from jobs.queue.region_requests import RegionsRequest
from jobs.queue.requests import AUTO, NONE, ImagingRequest
from jobs.queue.spectrum_requests import SpectrumTaskRequest
from jobs.queue.submit import background_file_of, science_file_of
from jobs.regions.task import RegionChoice, RegionTask
from jobs.spectra.task import SpectrumContext, SpectrumTask
from stixcore.options import ImageRequest
from stixcore.prepare import LOCATION_ENERGY


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
    given = _given_background(archive, request)
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
    choice = _choice(inputs, file, given, request.background, (part.start, part.end), part.energy)
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


def plan_spectrum(archive: Archive, request: SpectrumTaskRequest, user: str, created: np.datetime64) -> SpectrumTask:
    """The task of a request for a spectrum; parameters and errors as `plan_request`."""
    plan = _MeasurementPlan.of(archive, request, LOCATION_ENERGY)
    return SpectrumTask(
        wanted=request.request(request.start, request.end),
        **plan.task_arguments(user, created, hidden=request.hidden),
    )


def plan_regions(archive: Archive, request: RegionsRequest, user: str, created: np.datetime64) -> RegionTask:
    """The task of a request for spectra of regions; parameters and errors as `plan_request`."""
    plan = _MeasurementPlan.of(archive, request, request.image.energy)
    return RegionTask(
        wanted=RegionChoice(
            image=request.image,
            regions=request.regions,
            spectrum=request.spectrum.request(request.start, request.end),
            models=request.models,
            least_counts=request.least_counts,
        ),
        **plan.task_arguments(user, created, hidden=request.hidden),
    )


@dataclass(frozen=True)
class _MeasurementPlan:
    """Files of a request for spectra."""

    archive: Archive
    file: ScienceFile
    inputs: InputCatalog
    choice: BackgroundChoice
    span: tuple[np.datetime64, np.datetime64]

    @classmethod
    def of(cls, archive: Archive, request: MeasurementRequest, energy: tuple[float, float]) -> _MeasurementPlan:
        """Choose the files; the background must cover ``energy``, keV."""
        file = science_file_of(archive, request.uid)
        request.check_file(file)
        span = request.start, request.end
        inputs = InputCatalog.around(archive, file, *span, backgrounds=request.background == AUTO)
        given = _given_background(archive, request)
        return cls(archive, file, inputs, _choice(inputs, file, given, request.background, span, energy), span)

    def task_arguments(self, user: str, created: np.datetime64, *, hidden: bool) -> dict[str, Any]:
        """Arguments of a `MeasurementTask`."""
        chosen = self.choice.chosen
        return {
            "root": self.archive.root,
            "science": self.archive.path_of(self.file.path),
            "background": None if chosen is None else self.archive.path_of(chosen.path),
            "aspect": tuple(self.archive.path_of(row.path) for row in self.inputs.aspect_for(self.file, *self.span)),
            "context": self._context(user, hidden=hidden),
            "created": created,
            "calibration": self.inputs.calibration,
        }

    def _context(self, user: str, *, hidden: bool) -> SpectrumContext:
        flare = self.inputs.flare_during(self.file, *self.span)
        return SpectrumContext(
            kind=RunKind.USER,
            author=user,
            uid=self.file.uid,
            science_name=self.file.name,
            flare_id=flare.flare_id if flare else _named_flare(self.archive, self.file.purpose),
            background_uid=self.choice.chosen.uid if self.choice.chosen else None,
            hidden=hidden,
        )


def _given_background(archive: Archive, request: QueuedRequest) -> ScienceFile | None:
    """The background file that a request names."""
    return None if request.background in (AUTO, NONE) else background_file_of(archive, request.background)


def _choice(
    inputs: InputCatalog,
    file: ScienceFile,
    given: ScienceFile | None,
    background: str,
    span: tuple[np.datetime64, np.datetime64],
    energy: tuple[float, float],
) -> BackgroundChoice:
    if background == AUTO:
        return inputs.background_for(file, *span, energy)
    return BackgroundChoice(given, "as asked for" if given else "no background subtracted: as asked for", ())


def _named_flare(archive: Archive, purpose: str) -> str | None:
    """The flare that a purpose names, by its id in the flare list if it is there."""
    named = flare_named_in(purpose)
    try:
        return archive.flare(named).flare_id
    except NotInArchive:
        return named or None
