"""Where work runs: this process, child processes, a Dask cluster. One interface, one set of promises.

A task is a function, importable by name, and one argument; both are pickled. Tasks do not depend on one another and may
run twice: a process that dies is replaced and its task started again, here and on a cluster. A task that raises comes
back as its exception, so one bad input never ends a batch. Only the process that submits writes the index; tasks
write files and return rows.
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

#: A task that was running when its process died is started again until it has had this many tries.
TRIES = 3

type Report = Callable[[str, int, int], None]
_report: ContextVar[Report | None] = ContextVar("stix_jobs_report", default=None)


def report_progress(step: str, number: int, total: int) -> None:
    """Tell whoever waits for the task at hand which step begins, the ``number``-th of ``total``; costs nothing else."""
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
    """A task began, for the first time or again."""

    ticket: int


@dataclass(frozen=True)
class Progress:
    """What a task said with `report_progress`."""

    ticket: int
    step: str
    number: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A task ended, with a result or (``error``) an exception."""

    ticket: int
    result: Any = None
    error: Exception | None = None


type Event = Started | Progress | Finished


class Executor(ABC):
    """Runs tasks. One thread uses it; close it, or use it as a context."""

    def __init__(self) -> None:
        self._tickets = count(1)

    @property
    @abstractmethod
    def free(self) -> int:
        """How many tasks it would take now; more may be submitted, but they could not be called back cheaply."""

    @abstractmethod
    def submit(self, function: Callable[[Any], Any], task: Any) -> int:
        """Have ``function(task)`` run; returns the ticket that its events carry."""

    @abstractmethod
    def events(self, timeout_s: float) -> list[Event]:
        """What happened since the last call; waits at most ``timeout_s`` when nothing did."""

    @abstractmethod
    def cancel(self, ticket: int) -> None:
        """Let a task go, running or not: no more events of it. Child processes are stopped at once."""

    def stop(self, ticket: int) -> None:
        """Cancel a task that hangs, at whatever price."""
        self.cancel(ticket)

    @abstractmethod
    def close(self) -> None:
        """Stop; what runs is let go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
