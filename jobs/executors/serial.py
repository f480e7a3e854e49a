"""An executor that runs tasks in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.executors.base import Event, Executor, Finished, Progress, Started, reporting_to


class SerialExecutor(Executor):
    """Runs one task per call of `events`, in this process."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, tuple[Callable[[Any], Any], Any]] = {}

    @property
    def free(self) -> int:
        """1 if no task waits, otherwise 0."""
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
        events: list[Event] = [Started(ticket)]
        with reporting_to(lambda step, number, total: events.append(Progress(ticket, step, number, total))):
            result, error = outcome(function, task)
        return [*events, Finished(ticket, result, error)]

    def cancel(self, ticket: int) -> None:
        """See `Executor.cancel`."""
        self._waiting.pop(ticket, None)

    def close(self) -> None:
        """See `Executor.close`."""
        self._waiting.clear()


def outcome(function: Callable[[Any], Any], task: Any) -> tuple[Any, Exception | None]:
    """Result of ``function(task)`` or its exception."""
    try:
        return function(task), None
    except Exception as error:  # noqa: BLE001 - the caller handles it
        return None, error
