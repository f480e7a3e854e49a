"""Where work runs: this process, child processes, a Dask cluster. One interface, one set of promises.

A task is a function, importable by name, and one argument; both are pickled. Tasks do not depend on one another and may
run twice: a process that dies is replaced and its task started again, here and on a cluster. A task that raises comes
back as its exception, so one bad input never ends a batch. Only the process that submits writes the index; tasks
write files and return rows.

Dask is imported when a scheduler is named, and not before.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain, count
from types import TracebackType
from typing import Any, Self, cast

from jobs.shared.errors import SchedulerLost

#: A task that was running when its process died is started again until it has had this many tries.
TRIES = 3
#: How long a batch waits for a scheduler that went away, s.
PATIENCE_S = 600.0

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


class SerialExecutor(Executor):
    """In this process, one after the other, while somebody waits for events."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, tuple[Callable[[Any], Any], Any]] = {}

    @property
    def free(self) -> int:
        """One at a time."""
        return 1 - len(self._waiting)

    def submit(self, function: Callable[[Any], Any], task: Any) -> int:
        """See `Executor.submit`."""
        ticket = next(self._tickets)
        self._waiting[ticket] = (function, task)
        return ticket

    def events(self, timeout_s: float) -> list[Event]:  # noqa: ARG002 - nothing happens while one waits
        """Run the oldest task."""
        if not self._waiting:
            return []
        ticket = next(iter(self._waiting))
        function, task = self._waiting.pop(ticket)
        told: list[Event] = [Started(ticket)]
        with reporting_to(lambda step, number, total: told.append(Progress(ticket, step, number, total))):
            result, error = outcome(function, task)
        return [*told, Finished(ticket, result, error)]

    def cancel(self, ticket: int) -> None:
        """See `Executor.cancel`."""
        self._waiting.pop(ticket, None)

    def close(self) -> None:
        """See `Executor.close`."""
        self._waiting.clear()


def outcome(function: Callable[[Any], Any], task: Any) -> tuple[Any, Exception | None]:
    """Result of ``function(task)``, or its exception."""
    try:
        return function(task), None
    except Exception as error:  # noqa: BLE001 - the caller decides what becomes of it
        return None, error


def make_executor(
    workers: int = 1,
    scheduler: str | None = None,
    *,
    preload: tuple[str, ...] = (),
    memory_bytes: int | None = None,
    isolated: bool = False,
) -> Executor:
    """Executor for what a user asked for on the command line.

    Parameters
    ----------
    workers : int
        Child processes; with one, and not ``isolated``, work runs in this process.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://host:8786"; ``workers`` does not count then.
    preload : tuple of str
        Modules that child processes import while they wait for their first task.
    memory_bytes : int, optional
        Memory that a child process may take beyond what its modules need.
    isolated : bool
        Never in this process: a crash, or too much memory, must not end it.

    Raises
    ------
    SchedulerLost
        When no scheduler answers at that address.
    """
    if scheduler is not None:
        from jobs.executors.dask import DaskExecutor

        return DaskExecutor(scheduler)
    if workers <= 1 and not isolated:
        return SerialExecutor()
    from jobs.executors.processes import ChildExecutor

    return ChildExecutor(max(workers, 1), preload=preload, memory_bytes=memory_bytes)


def run_all[Task, Result](
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int = 1,
    *,
    executor: Executor | None = None,
) -> Iterator[tuple[Task, Result | Exception]]:
    """Apply ``function`` to every task; closing the generator cancels what is left.

    Parameters
    ----------
    function : callable
        Importable by name unless it runs in this process.
    tasks : iterable
        Taken from as places get free, so it may be a generator of any length.
    workers : int
        1: in this process, in order. More: that many child processes, in the order of completion.
    executor : Executor, optional
        Runs them instead; stays open.

    Yields
    ------
    (task, result) or (task, exception)

    Raises
    ------
    SchedulerLost
        When the scheduler of a cluster went away and did not come back for `PATIENCE_S`. Until then it is waited for.
    """
    if executor is None:
        with make_executor(workers) as own:
            yield from run_all(function, tasks, executor=own)
        return
    waiting = chain.from_iterable([(task, 1)] for task in tasks)
    again: deque[tuple[Task, int]] = deque()
    running: dict[int, tuple[Task, int]] = {}
    exhausted, away_since = False, None
    try:
        while running or again or not exhausted:
            while executor.free > 0 and (again or not exhausted):
                item = again.popleft() if again else next(waiting, None)
                if item is None:
                    exhausted = True
                else:
                    running[executor.submit(function, item[0])] = item
            if not running and (again or not exhausted):
                away_since = _wait_for(away_since)
                continue
            away_since = None
            for event in executor.events(timeout_s=1.0):
                if not isinstance(event, Finished) or event.ticket not in running:
                    continue
                task, tries = running.pop(event.ticket)
                if isinstance(event.error, SchedulerLost) and tries < TRIES:
                    again.append((task, tries + 1))
                else:
                    yield task, cast("Result | Exception", event.result if event.error is None else event.error)
    finally:
        for ticket in running:
            executor.cancel(ticket)


def _wait_for(since: float | None) -> float:
    """Wait a moment for a place to work; ``since`` when there has been none, None for the first time."""
    since = time.monotonic() if since is None else since
    if time.monotonic() - since > PATIENCE_S:
        message = f"there has been no place to work for {PATIENCE_S:g} s"
        raise SchedulerLost(message)
    time.sleep(0.2)
    return since
