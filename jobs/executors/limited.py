"""One computation in a child process, with limits of time and memory, for somebody who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from jobs.executors.base import Finished, Progress
from jobs.executors.processes import ChildExecutor
from jobs.shared.errors import LimitReached


@dataclass(frozen=True)
class ChildLimits:
    """What a computation may take: seconds, bytes beyond those of the libraries; and its name in refusals (plural)."""

    seconds: float
    memory: int
    what: str


def run_limited(
    function: Callable[[Any], Any],
    task: Any,
    limits: ChildLimits,
    on_progress: Callable[[str, int, int], None] | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Any:
    """Run ``function(task)`` in a child process, and return its result.

    Parameters
    ----------
    function : callable
        A function of a module.
    task
        Its argument.
    limits : ChildLimits
    on_progress : callable, optional
        Receives what the function reports with `jobs.executors.base.report_progress`.
    is_wanted : callable
        Whether somebody still waits; if not, the process is ended.

    Raises
    ------
    LimitReached
        When it takes too long, needs too much memory, or is no longer wanted.
    StixError, WorkerDied
        As ``function``; when the process ends early.
    """
    with ChildExecutor(1, preload=(function.__module__,), memory_bytes=limits.memory) as child:
        child.submit(function, task)
        deadline = monotonic() + limits.seconds
        while monotonic() < deadline:
            if not is_wanted():
                message = f"{limits.what} are no longer wanted"
                raise LimitReached(message)
            for event in child.events(0.2):
                if isinstance(event, Progress) and on_progress is not None:
                    on_progress(event.step, event.number, event.total)
                if isinstance(event, Finished):
                    return _result(event, limits)
    message = f"{limits.what} took longer than {limits.seconds:g} s, the most they may take"
    raise LimitReached(message)


def _result(event: Finished, limits: ChildLimits) -> Any:
    if isinstance(event.error, MemoryError):
        message = f"{limits.what} need more than {limits.memory >> 20} MiB of memory, the most they may take"
        raise LimitReached(message)
    if event.error is not None:
        raise event.error
    return event.result
