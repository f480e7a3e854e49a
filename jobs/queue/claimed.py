"""A request that a worker has claimed: what of it waits, runs, is to be filed; and what became of it."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from archive.errors import ArchiveBusy
from jobs.executors.base import Progress
from jobs.imaging.task import ImagingResult
from jobs.queue.journal import Request, RequestState, TaskResult
from jobs.queue.planner import Result, Task
from jobs.shared.errors import ExecutorFault, WorkerCrashed, WorkerDied
from stixcore.errors import StixError, public_sentence

#: What may pass by itself.
TRANSIENT = (OSError, sqlite3.OperationalError, ExecutorFault, ArchiveBusy)


@dataclass
class Running:
    """An image set at work: its number, when it was started (monotonic, s; None: not yet), its step."""

    part: int
    started: float | None = None
    number: int = 0


@dataclass(eq=False)
class ClaimedRequest:
    """A claimed request.

    Attributes
    ----------
    request : Request
        As claimed.
    waiting : (number, task) of every image set to be handed out
    running : ticket → Running
    unfiled : (number, result) of image sets that are made and not in the index yet
    ended : image sets to be noted in the journal
    spent : float, s
        Computing time not noted yet.
    fault : str
        Why the request will have to go back to the queue.
    lost : set of numbers of image sets that a fault ended
    cancelling : bool
    """

    request: Request
    waiting: deque[tuple[int, Task]]
    finished: int
    running: dict[int, Running] = field(default_factory=dict)
    unfiled: list[tuple[int, ImagingResult]] = field(default_factory=list)
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
        """Whether nothing is left to hand out, wait for, file or note."""
        return not (self.waiting or self.running or self.unfiled or self.ended)

    @property
    def can_go_on(self) -> bool:
        """Whether something can be handed out now."""
        if not self.waiting:
            return False
        _, task = self.waiting[0]
        return not (task.waits_for_others and (self.running or self.unfiled or self.ended))

    def hear(self, progress: Progress) -> None:
        """Note a step of an image set."""
        running = self.running[progress.ticket]
        running.number, self.steps = progress.number, progress.total
        of_all = self.request.task_count
        prefix = f"image set {running.part + 1} of {of_all}: " if of_all > 1 else ""
        self.step = (prefix + progress.step, self.finished * progress.total + self._under_way, of_all * progress.total)

    @property
    def _under_way(self) -> int:
        return sum(running.number for running in self.running.values())

    def spend(self, running: Running, now: float) -> None:
        """Note the time that an image set took."""
        if running.started is not None:
            self.spent += now - running.started
            self.total_spent += now - running.started

    def take(self, ticket: int, result: Result | None, error: Exception | None, now: float) -> None:
        """Take the end of an image set."""
        running = self.running.pop(ticket)
        self.spend(running, now)
        self.finished += 1
        if isinstance(result, ImagingResult):
            self.unfiled.append((running.part, result))
        elif result is not None:  # it has no rows
            self.ended.append(TaskResult(running.part, result.run_id, ""))
        elif isinstance(error, TRANSIENT) and not isinstance(error, WorkerCrashed):
            self.finished -= 1
            self.give_back(running.part, sentence_of(error), everything=not isinstance(error, WorkerDied))
        else:
            self.ended.append(TaskResult(running.part, None, sentence_of(error)))

    def give_back(self, part: int, fault: str, *, everything: bool) -> None:
        """Leave an image set for a later attempt; ``everything``: those that wait would fare no better."""
        self.fault = fault
        self.lost.add(part)
        if everything:
            self.lost.update(number for number, _ in self.waiting)
            self.waiting.clear()

    def take_back(self, runs: Collection[str], fault: str, *, everything: bool) -> None:
        """Leave those made image sets for a later attempt whose runs could not be filed."""
        for number, _ in [pair for pair in self.unfiled if pair[1].run_id in runs]:
            self.give_back(number, fault, everything=everything)
        self.unfiled = [pair for pair in self.unfiled if pair[1].run_id not in runs]

    def drop_waiting(self, reason: str) -> None:
        """Give up what was not handed out yet."""
        self.ended += [TaskResult(number, None, reason) for number, _ in self.waiting]
        self.waiting.clear()


def verdict(parts: Sequence[TaskResult]) -> tuple[RequestState, str]:
    """State and reason of a request all of whose image sets have ended."""
    failed = [part for part in parts if part.run_id is None]
    if not failed:
        return RequestState.DONE, ""
    if len(parts) == 1:
        return RequestState.FAILED, failed[0].reason
    made = len(parts) - len(failed)
    state = RequestState.DONE if made else RequestState.FAILED
    return state, f"{len(failed)} of {len(parts)} image sets could not be made; the first: {failed[0].reason}"


def sentence_of(error: BaseException | None) -> str:
    """Why something failed, for the user."""
    if error is None:
        return "it ended without a reason"
    if isinstance(error, StixError | ExecutorFault):
        return public_sentence(error)
    if isinstance(error, MemoryError):
        return "it needs more memory than an image set may take"
    if isinstance(error, OSError | sqlite3.Error):
        return f"the machine could not do it ({public_sentence(error)})"
    return f"internal error: {type(error).__name__}: {public_sentence(error)}"
