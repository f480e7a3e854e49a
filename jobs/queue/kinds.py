"""The kinds of work a request may ask for: how each is planned and run. The worker knows no more of them than this."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archive import Archive
from jobs.imaging.parts import PartResult, run_part
from jobs.imaging.task import ImagingTask
from jobs.queue.journal import Request
from jobs.queue.planning import plan_request
from jobs.queue.requests import ImagingRequest
from jobs.renderings.requests import CubeRequest, parse_any
from jobs.renderings.run import RenderResult, RenderTask, run_rendering
from jobs.shared.limits import Limits

type Task = ImagingTask | RenderTask
type Result = PartResult | RenderResult


def plan(archive: Archive, request: Request, created: np.datetime64, limits: Limits) -> list[Task]:
    """Tasks of a request, in the order of their numbers; one that `waits_for_others` comes last.

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


def waits_for_others(task: Task) -> bool:
    """Whether a task begins only when all others of its request have ended and are filed."""
    return isinstance(task, RenderTask)


def run_task(task: Task) -> Result:
    """Do it, wherever this is."""
    return run_rendering(task) if isinstance(task, RenderTask) else run_part(task)
