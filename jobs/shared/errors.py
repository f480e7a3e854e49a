"""Exceptions of jobs. A `StixError` is the fault of what was asked for and not retried; a fault of the machinery is."""

from __future__ import annotations

from stixcore.errors import StixError


class BadRequest(StixError):
    """A request for images that is not built like one, or that its science file cannot satisfy."""


class LimitReached(StixError):
    """More than one user, or one request, may have."""


class NotAllowed(StixError):
    """Somebody who may not do that: a guest who submits, a user who cancels what is another's."""


class NoSuchRequest(StixError):
    """The journal has no request of that number."""


class JournalVersion(StixError):
    """A journal written by newer software."""


class ExecutorFault(Exception):
    """The place where work runs failed, not the work: worth another try."""


class WorkerDied(ExecutorFault):
    """A process was killed or crashed while it worked, every time it was tried."""


class WorkerCrashed(WorkerDied):
    """A process came to an end by itself while it worked, every time it was tried: the work is what ends it."""


class SchedulerLost(ExecutorFault):
    """The Dask scheduler cannot be reached."""
