"""How each kind of request, for images, spectra or a rendering, is planned and run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archive import Archive
from jobs.imaging.task import ImagingResult, ImagingTask
from jobs.queue.journal import Request
from jobs.queue.make_once import make_once
from jobs.queue.measure_once import MeasurementResult, regions_once, spectrum_once
from jobs.queue.planning import plan_regions, plan_request, plan_spectrum
from jobs.queue.region_requests import RegionsRequest
from jobs.queue.requests import ImagingRequest
from jobs.queue.spectrum_requests import SpectrumTaskRequest
from jobs.regions.task import RegionTask
from jobs.renderings.requests import CubeRequest, parse_any
from jobs.renderings.run import RenderResult, RenderTask, purge_renderings, run_rendering
from jobs.shared.limits import Limits
from jobs.spectra.task import SpectrumTask

type Task = ImagingTask | SpectrumTask | RegionTask | RenderTask
type Result = ImagingResult | MeasurementResult | RenderResult


class RequestPlanner:
    """The worker's `jobs.queue.planner.Planner`, for every kind of request."""

    #: Modules that child processes import while they wait for work.
    preload: tuple[str, ...] = ("jobs.renderings.planner",)

    def plan(self, archive: Archive, request: Request, created: np.datetime64, limits: Limits) -> list[Task]:
        """Tasks of a request, in the order of their numbers; the task that draws a cube comes last.

        Raises
        ------
        BadRequest, LimitReached
            When it cannot be satisfied.
        """
        asked = parse_any(request.body, limits)
        if isinstance(asked, ImagingRequest):
            return list(plan_request(archive, asked, request.user, created))
        if isinstance(asked, SpectrumTaskRequest):
            return [plan_spectrum(archive, asked, request.user, created)]
        if isinstance(asked, RegionsRequest):
            return [plan_regions(archive, asked, request.user, created)]
        last = RenderTask(archive.root, request.request_id, asked, request.user, created)
        if not isinstance(asked, CubeRequest):
            return [last]
        images = plan_request(archive, asked.imaging, request.user, created)
        return [*(replace(task, ensemble=asked.ensemble) for task in images), last]

    def run(self, task: Task) -> Result:
        """Run a task in this process.

        Raises
        ------
        StixError
            When the inputs allow no result.
        """
        if isinstance(task, RenderTask):
            return run_rendering(task)
        if isinstance(task, SpectrumTask):
            return spectrum_once(task)
        return regions_once(task) if isinstance(task, RegionTask) else make_once(task)

    def purge(self, archive: Archive, now: np.datetime64) -> int:
        """Remove old renderings; returns how many."""
        return purge_renderings(archive, now)
