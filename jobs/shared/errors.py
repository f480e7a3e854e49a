"""Exceptions of jobs.

A `StixError` is caused by the input and is not retried. An `ExecutorFault` is caused by the system and is retried.
"""

from __future__ import annotations

from stixcore.errors import StixError


class BadRequest(StixError):
    """A request that is invalid, or that needs data its files do not have."""


class LimitReached(StixError):
    """A limit for one user or one request is exceeded."""


class NotAllowed(StixError):
    """The user may not do this, such as a guest who submits a request or a user who cancels that of another."""


class NoSuchRequest(StixError):
    """No request has this number."""


class JournalVersion(StixError):
    """The journal was written by newer software."""


class ExecutorFault(Exception):
    """The executor failed, not the task; the task can be tried again."""


class WorkerDied(ExecutorFault):
    """A process was killed or crashed in every attempt to run a task."""


class WorkerCrashed(WorkerDied):
    """A process crashed in every attempt to run a task, so the task itself is the cause."""


class SchedulerLost(ExecutorFault):
    """The Dask scheduler cannot be reached."""
