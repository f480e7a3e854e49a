"""The interface of executors: this process, child processes or a Dask cluster.

A task is a function that can be imported by name and one argument; both are pickled. Tasks are independent and may run
twice: a process that dies is replaced and its task is started again. A task that raises returns its exception, so one
bad input never ends a batch. Only the submitting process writes the index; tasks write files and return rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self

#: Number of times a task is started if its process dies.
TRIES = 3

type Report = Callable[[str, int, int], None]
_report: ContextVar[Report | None] = ContextVar("stix_jobs_report", default=None)


def report_progress(step: str, number: int, total: int) -> None:
    """Report that a step of the current task begins, the ``number``-th of ``total``; does nothing if nobody listens."""
    report = _report.get()
    if report is not None:
        report(step, number, total)


@contextmanager
def reporting_to(report: Report) -> Iterator[None]:
    """Within this context `report_progress` calls ``report``."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


@dataclass(frozen=True)
class Started:
    """A task has started, for the first time or again."""

    ticket: int


@dataclass(frozen=True)
class Progress:
    """A task has called `report_progress`."""

    ticket: int
    step: str
    number: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A task has ended with a result or an exception (``error``)."""

    ticket: int
    result: Any = None
    error: Exception | None = None


type Event = Started | Progress | Finished


class Executor(ABC):
    """Runs tasks. Use it from one thread, and close it or use it as a context manager."""

    def __init__(self) -> None:
        self._tickets = count(1)

    @property
    @abstractmethod
    def free(self) -> int:
        """Number of tasks it can take now. More may be submitted, but are harder to cancel."""

    @abstractmethod
    def submit(self, function: Callable[[Any], Any], task: Any) -> int:
        """Submit ``function(task)``; returns the ticket that identifies its events."""

    @abstractmethod
    def events(self, timeout_s: float) -> list[Event]:
        """Events since the last call; if there are none, waits at most ``timeout_s``."""

    @abstractmethod
    def cancel(self, ticket: int) -> None:
        """Cancel a task, running or not: it has no more events. Child processes are stopped at once."""

    def stop(self, ticket: int) -> None:
        """Cancel a task that hangs, if necessary by restarting its worker."""
        self.cancel(ticket)

    @abstractmethod
    def close(self) -> None:
        """Stop the executor; running tasks are cancelled."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
