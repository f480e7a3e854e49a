"""A request that a worker has claimed: its waiting, running and finished image sets, and its final state."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from archive.errors import ArchiveBusy
from jobs.executors.base import Progress
from jobs.imaging.task import ImagingResult
from jobs.queue.journal import Request, RequestState, TaskResult
from jobs.queue.measure_once import MeasurementResult
from jobs.queue.planner import Result, Task
from jobs.shared.errors import ExecutorFault, WorkerCrashed, WorkerDied
from stixcore.errors import StixError, public_sentence

#: Faults that may be temporary; the image set is tried again.
TRANSIENT = (OSError, sqlite3.OperationalError, ExecutorFault, ArchiveBusy)


@dataclass
class Running:
    """A running task: its number, time limit [s], start time (monotonic, s; None: not started) and current step."""

    part: int
    limit: float
    started: float | None = None
    number: int = 0


@dataclass(eq=False)
class ClaimedRequest:
    """A request that this worker has claimed, and the progress of its image sets.

    Attributes
    ----------
    request : Request
        As claimed.
    waiting : (number, task) of every image set that is not yet submitted
    running : ticket → Running
    unfiled : (number, result) of finished image sets that are not yet in the index
    ended : results that are not yet in the journal
    spent : float, s
        Computing time that is not yet in the journal.
    fault : str
        Why the request must return to the queue; empty when it need not.
    lost : set of int; numbers of the image sets that a fault ended
    cancelling : bool
        Whether the user has cancelled it.
    """

    request: Request
    waiting: deque[tuple[int, Task]]
    finished: int
    running: dict[int, Running] = field(default_factory=dict)
    unfiled: list[tuple[int, ImagingResult | MeasurementResult]] = field(default_factory=list)
    ended: list[TaskResult] = field(default_factory=list)
    spent: float = 0.0
    total_spent: float = 0.0
    fault: str = ""
    lost: set[int] = field(default_factory=set)
    cancelling: bool = False
    step: tuple[str, int, int] = ("", 0, 0)
    told: tuple[str, int, int] = ("", 0, 0)
    steps: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether every image set has ended and is in the index and in the journal."""
        return not (self.waiting or self.running or self.unfiled or self.ended)

    @property
    def can_go_on(self) -> bool:
        """Whether an image set can be submitted now."""
        if not self.waiting:
            return False
        _, task = self.waiting[0]
        return not (task.waits_for_others and (self.running or self.unfiled or self.ended))

    def hear(self, progress: Progress) -> None:
        """Record the current step of an image set."""
        running = self.running[progress.ticket]
        running.number, self.steps = progress.number, progress.total
        of_all = self.request.task_count
        sets = self.request.set_count
        prefix = f"image set {running.part + 1} of {sets}: " if sets > 1 and running.part < sets else ""
        self.step = (prefix + progress.step, self.finished * progress.total + self._under_way, of_all * progress.total)

    @property
    def _under_way(self) -> int:
        return sum(running.number for running in self.running.values())

    def spend(self, running: Running, now: float) -> None:
        """Add the computing time of an image set."""
        if running.started is not None:
            self.spent += now - running.started
            self.total_spent += now - running.started

    def take(self, ticket: int, result: Result | None, error: Exception | None, now: float) -> None:
        """Record the result or the error of an image set."""
        running = self.running.pop(ticket)
        self.spend(running, now)
        self.finished += 1
        if isinstance(result, ImagingResult | MeasurementResult):
            self.unfiled.append((running.part, result))
        elif result is not None:  # a rendering, which has no rows
            self.ended.append(TaskResult(running.part, result.run_id, ""))
        elif isinstance(error, TRANSIENT) and not isinstance(error, WorkerCrashed):
            self.finished -= 1
            self.give_back(running.part, sentence_of(error), everything=not isinstance(error, WorkerDied))
        else:
            self.ended.append(TaskResult(running.part, None, sentence_of(error)))

    def give_back(self, part: int, fault: str, *, everything: bool) -> None:
        """Leave an image set for a later attempt; with ``everything``, also those that wait, which would fail too."""
        self.fault = fault
        self.lost.add(part)
        if everything:
            self.lost.update(number for number, _ in self.waiting)
            self.waiting.clear()

    def take_back(self, runs: Collection[str], fault: str, *, everything: bool) -> None:
        """Leave image sets for a later attempt whose runs could not be put into the index."""
        for number, _ in [pair for pair in self.unfiled if pair[1].run_id in runs]:
            self.give_back(number, fault, everything=everything)
        self.unfiled = [pair for pair in self.unfiled if pair[1].run_id not in runs]

    def drop_waiting(self, reason: str) -> None:
        """Fail the image sets that are not yet submitted."""
        self.ended += [TaskResult(number, None, reason) for number, _ in self.waiting]
        self.waiting.clear()


def verdict(parts: Sequence[TaskResult], set_count: int) -> tuple[RequestState, str]:
    """Final state and reason of a request whose tasks have all ended; the first ``set_count`` make image sets."""
    failed = [part for part in parts if part.run_id is None]
    if not failed:
        return RequestState.DONE, ""
    state = RequestState.DONE if len(failed) < len(parts) else RequestState.FAILED
    sets = [part for part in failed if part.part < set_count]
    if set_count <= 1 or not sets:
        return state, failed[0].reason
    return state, f"{len(sets)} of {set_count} image sets could not be made; the first: {sets[0].reason}"


def sentence_of(error: BaseException | None) -> str:
    """The reason of a failure in one sentence, for the user."""
    if error is None:
        return "it ended without a reason"
    if isinstance(error, StixError | ExecutorFault):
        return public_sentence(error)
    if isinstance(error, MemoryError):
        return "it needs more memory than an image set may take"
    if isinstance(error, OSError | sqlite3.Error):
        return f"the machine could not do it ({public_sentence(error)})"
    return f"internal error: {type(error).__name__}: {public_sentence(error)}"
