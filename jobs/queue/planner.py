"""The interface between the worker and what it runs; `jobs.renderings.planner` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from archive import Archive
from jobs.queue.journal import Request
from jobs.shared.limits import Limits


class Task(Protocol):
    """A task. It can be pickled."""

    @property
    def waits_for_others(self) -> bool:
        """Whether it starts only after all other tasks of its request have ended and are in the index."""

    @property
    def image_sets(self) -> int:
        """Number of image sets that take as long: the limit of its computing time is that of so many."""


class Result(Protocol):
    """The result of a task. It can be pickled."""

    @property
    def run_id(self) -> str:
        """Id of the run or the rendering."""


class Planner(Protocol):
    """Plans and runs requests. It can be pickled, because its method `run` is sent to child processes."""

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
        """Remove expired results; returns how many."""
