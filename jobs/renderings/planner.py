"""How each kind of request, for images or for a rendering, is planned and run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archive import Archive
from jobs.imaging.task import ImagingResult, ImagingTask
from jobs.queue.journal import Request
from jobs.queue.make_once import make_once
from jobs.queue.planning import plan_request
from jobs.queue.requests import ImagingRequest
from jobs.renderings.requests import CubeRequest, parse_any
from jobs.renderings.run import RenderResult, RenderTask, purge_renderings, run_rendering
from jobs.shared.limits import Limits

type Task = ImagingTask | RenderTask
type Result = ImagingResult | RenderResult


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
        return run_rendering(task) if isinstance(task, RenderTask) else make_once(task)

    def purge(self, archive: Archive, now: np.datetime64) -> int:
        """Remove old renderings; returns how many."""
        return purge_renderings(archive, now)
