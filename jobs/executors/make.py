"""Choose an executor from command-line options, and run a batch of tasks on one.

Dask is imported only when a scheduler is given.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import cast

from jobs.executors.base import TRIES, Executor, Finished
from jobs.executors.processes import ChildExecutor
from jobs.executors.serial import SerialExecutor
from jobs.shared.errors import SchedulerLost

#: How long a batch waits for a lost scheduler, s.
PATIENCE_S = 600.0


def make_executor(
    workers: int = 1,
    scheduler: str | None = None,
    *,
    preload: tuple[str, ...] = (),
    memory_bytes: int | None = None,
    isolated: bool = False,
) -> Executor:
    """Make the executor for some command-line options.

    Parameters
    ----------
    workers : int
        Number of child processes. With one, and not ``isolated``, tasks run in this process.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://host:8786"; ``workers`` is then ignored.
    preload : tuple of str
        Modules that child processes import before their first task.
    memory_bytes : int, optional
        Memory that a child process may use beyond that of its modules.
    isolated : bool
        Never run tasks in this process, so that a crash or lack of memory does not end it.

    Raises
    ------
    SchedulerLost
        When no scheduler answers at that address.
    """
    if scheduler is not None:
        from jobs.executors.dask import DaskExecutor  # takes a second to import

        return DaskExecutor(scheduler)
    if workers <= 1 and not isolated:
        return SerialExecutor()
    return ChildExecutor(max(workers, 1), preload=preload, memory_bytes=memory_bytes)


def run_all[Task, Result](
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int = 1,
    *,
    executor: Executor | None = None,
) -> Iterator[tuple[Task, Result | Exception]]:
    """Apply ``function`` to every task; closing the generator cancels the remaining ones.

    Parameters
    ----------
    function : callable
        Must be importable by name unless tasks run in this process.
    tasks : iterable
        Consumed only as fast as tasks run, so it may be a long generator.
    workers : int
        With 1, tasks run in this process, in order; with more, in child processes, in the order of completion.
    executor : Executor, optional
        Runs the tasks instead; it is not closed.

    Yields
    ------
    (task, result) or (task, exception)

    Raises
    ------
    SchedulerLost
        When the scheduler of a cluster is lost for longer than `PATIENCE_S`.
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
    """Wait a moment for a free worker; ``since``: when the wait began, None the first time."""
    since = time.monotonic() if since is None else since
    if time.monotonic() - since > PATIENCE_S:
        message = f"there has been no place to work for {PATIENCE_S:g} s"
        raise SchedulerLost(message)
    time.sleep(0.2)
    return since
