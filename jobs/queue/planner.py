"""What the worker knows of the tasks of a request; `jobs.renderings.planner` knows the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from archive import Archive
from jobs.queue.journal import Request
from jobs.shared.limits import Limits


class Task(Protocol):
    """A task; pickles."""

    @property
    def waits_for_others(self) -> bool:
        """Whether it starts only when all other tasks of its request have ended and are in the index."""


class Result(Protocol):
    """What a task gives back; pickles."""

    @property
    def run_id(self) -> str:
        """Id of the run, or of the rendering."""


class Planner(Protocol):
    """Plans and runs requests; pickles, since its method `run` is sent to child processes."""

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that child processes import while they wait for work."""

    def plan(self, archive: Archive, request: Request, created: np.datetime64, limits: Limits) -> Sequence[Task]:
        """Tasks of a request, in the order of their numbers.

        Raises
        ------
        BadRequest, LimitReached
            When it cannot be satisfied.
        """

    def run(self, task: Any) -> Result:
        """Run one of these tasks.

        Raises
        ------
        StixError
            When the inputs allow no result.
        """

    def purge(self, archive: Archive, now: np.datetime64) -> int:
        """Remove results that are kept for a while only; returns how many."""
