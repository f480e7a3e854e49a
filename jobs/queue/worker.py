"""The worker: claims requests, runs their tasks on an executor, and puts the results into the index.

One loop in one thread. Each turn sends the heartbeat, requeues expired leases, claims requests, submits tasks, reads
events, enforces time limits, files results and ends complete requests. Tasks run elsewhere (`jobs.executors.base`), so
they cannot stop the loop. Every step can be repeated, so nothing is lost when the worker is killed between two of them.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType

import numpy as np

from archive import Archive
from jobs.executors.base import Event, Executor, Finished, Progress, Started
from jobs.executors.make import make_executor
from jobs.imaging.task import ImagingResult
from jobs.queue.claimed import TRANSIENT, ClaimedRequest, Running, sentence_of, verdict
from jobs.queue.journal import Journal, Request, RequestState, TaskResult
from jobs.queue.leases import Leases
from jobs.queue.make_once import index_results
from jobs.queue.measure_once import MeasurementResult, index_measurements
from jobs.queue.owners import Owner
from jobs.queue.planner import Planner
from jobs.queue.settings import WorkerSettings
from jobs.shared.errors import ExecutorFault, SchedulerLost
from jobs.shared.limits import RESERVED_NAMES, Limits
from stixcore.errors import StixError

__all__ = ["Planner", "Worker", "WorkerSettings", "run_worker"]

log = logging.getLogger(__name__)

#: A larger step backwards means that the clock was set.
_CLOCK_STEP = np.timedelta64(5, "s")


class Worker:
    """The worker's loop.

    Parameters
    ----------
    root : Path
        Folder of an archive.
    planner : Planner
        Plans and runs requests.
    executor : Executor
        Where tasks run; closed with the worker.
    clock : callable
        Current time, UTC (datetime64[us]).
    settings : WorkerSettings, optional
    limits : Limits, optional
    accepts : callable, optional
        Whether a user is registered, because anyone who can write the journal could add a row.
    engine : str, optional
        Where tasks run, for people.
    timer, sleep : callables
        Monotonic time [s] and a function that waits.
    refresh : callable, optional
        Brings what follows from new images up to date, given an archive and the current time; called when the worker
        has been idle for a while after it filed images.

    Raises
    ------
    NotAnArchive
        When the folder is not an archive.
    """

    def __init__(
        self,
        root: Path,
        planner: Planner,
        executor: Executor,
        clock: Callable[[], np.datetime64],
        settings: WorkerSettings | None = None,
        *,
        limits: Limits | None = None,
        accepts: Callable[[str], bool] | None = None,
        engine: str = "",
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        refresh: Callable[[Archive, np.datetime64], object] | None = None,
    ) -> None:
        self._refresh = refresh
        self.settings, self.limits = settings or WorkerSettings(), limits or Limits()
        self.archive = Archive(root, lock_timeout_s=self.settings.lock_wait)
        self.journal, self.leases = Journal(self.archive.root), Leases(self.archive.root)
        self._planner, self._executor, self._engine = planner, executor, engine or type(executor).__name__
        self._clock, self._timer, self._sleep = clock, timer, sleep
        self._accepts = accepts or (lambda user: user not in RESERVED_NAMES)
        self._owner = Owner(self.archive.root)
        self._active: dict[int, ClaimedRequest] = {}
        self._stopping = threading.Event()
        self._last_clock = clock()
        self._due: dict[str, float] = {}
        self._unfiled_since: float | None = None
        self._filed_at: float | None = None
        self._tidying: threading.Thread | None = None
        self.ended = 0

    @property
    def name(self) -> str:
        """Name of this worker in the journal."""
        return self._owner.name

    def stop(self) -> None:
        """Finish running tasks, then leave; may be called from a signal handler or another thread."""
        self._stopping.set()

    def run(self, *, until_idle: bool = False) -> int:
        """Work until `stop`, or with ``until_idle`` until the queue is empty; returns the number of ended requests."""
        log.info("worker %s on %s serves %s", self.name, self._engine, self.archive.root)
        with closing(self.leases.hold()), self._ending():
            stop_at: float | None = None
            while True:
                self.turn()
                if self._stopping.is_set():
                    stop_at = self._timer() + self.settings.drain if stop_at is None else stop_at
                    if not any(active.running for active in self._active.values()) or self._timer() >= stop_at:
                        break
                elif until_idle and not self._active and not self.leases.waits(self._clock()):
                    if self._filed_at is not None:
                        self._catch_up()
                    break
        return self.ended

    def turn(self) -> None:
        """Run every step of the loop once; a step that fails is tried again in the next turn."""
        steps = (self._beat, self._sweep, self._claim, self._hand_out, self._listen, self._end_overdue, self._file)
        for step in (*steps, self._close_complete, self._tidy):
            try:
                step()
            except (*TRANSIENT, sqlite3.Error, StixError) as fault:
                log.warning("%s: %s", step.__name__.strip("_"), fault)
                self._sleep(self.settings.poll)
            except Exception:
                log.exception("a mistake of ours; the worker goes on")
                self._sleep(self.settings.poll)

    # Heartbeats and leases

    def _beat(self) -> None:
        now = self._clock()
        if now < self._last_clock - _CLOCK_STEP:
            log.warning("the clock was set back from %s to %s", self._last_clock, now)
            self._due["beat"] = 0.0
            self._due["sweep"] = self._timer() + self.settings.lease  # time for the others to renew their leases
        self._last_clock = now
        if self._is_due("sign", 10.0 * self.settings.beat):
            self.leases.sign_in(self.name, self._engine, now)
        if not self._is_due("beat", self.settings.beat):
            return
        held = self.leases.beat(self.name, now, self.settings.lease)
        for request_id in self._active.keys() - held.keys():
            log.warning("request %d was taken by another worker", request_id)
            self._abandon(self._active.pop(request_id))
        for request_id in held.keys() - self._active.keys():  # the journal failed after the claim
            self.leases.release(request_id, self.name, now)
        for active in self._active.values():
            if held[active.request.request_id] and not active.cancelling:
                active.cancelling = True
                self._abandon(active)

    def _sweep(self) -> None:
        if not self._stopping.is_set() and self._is_due("sweep", self.settings.sweep):
            for request_id in self.leases.requeue(
                self._clock(), self.settings.lease, is_dead=self._owner.is_dead, deaths=self.limits.deaths
            ):
                log.warning("request %d is back in the queue: its worker is gone", request_id)

    # From the queue to the executor

    def _claim(self) -> None:
        while not self._stopping.is_set() and self._has_room():
            request = self.leases.claim(self.name, self._clock(), self.settings.lease)
            if request is None:
                return
            number, user = request.request_id, request.user
            log.info("request %d of %s begins: %s, %s", number, user, request.uid, request.contents)
            self._begin(request)
            self._due["extra"] = self._timer() + 2.0 * self.settings.beat  # other workers may claim first

    def _has_room(self) -> bool:
        waiting = sum(len(active.waiting) for active in self._active.values())
        if waiting < self._executor.free:
            return True
        # claim one more, so that a small request need not wait for big ones
        only_big = bool(self._active) and all(active.waiting for active in self._active.values())
        return only_big and len(self._active) < self.settings.at_once and self._is_due("extra", self.settings.beat)

    def _begin(self, request: Request) -> None:
        """Plan a claimed request."""
        started = request.started_at
        try:
            if not self._accepts(request.user):
                self._finish(request, RequestState.FAILED, f"{request.user} is not a registered user")
                return
            tasks = self._planner.plan(
                self.archive, request, self._clock() if started is None else started, self.limits
            )
            known = {part.part for part in self.journal.parts(request.request_id)}
        except TRANSIENT as fault:
            self._send_back(request, sentence_of(fault))
        except StixError as error:
            self._finish(request, RequestState.FAILED, sentence_of(error))
        except Exception as error:
            log.exception("request %d cannot be planned", request.request_id)
            self._finish(request, RequestState.FAILED, sentence_of(error))
        else:
            if len(known) < len(tasks):  # an animation or cube is made again from the new images
                known -= {number for number in known if tasks[number].waits_for_others}
            left = deque((number, task) for number, task in enumerate(tasks) if number not in known)
            self._active[request.request_id] = ClaimedRequest(request, left, finished=len(known))

    def _hand_out(self) -> None:
        """Submit tasks of all requests in turn: the request with the fewest running tasks comes first."""
        while not self._stopping.is_set() and self._executor.free > 0:
            candidates = [active for active in self._active.values() if active.can_go_on]
            if not candidates:
                return
            active = min(candidates, key=lambda candidate: (len(candidate.running), candidate.total_spent))
            number, task = active.waiting.popleft()
            limit = min(self.limits.task * task.image_sets, self.limits.request)
            active.running[self._executor.submit(self._planner.run, task)] = Running(number, limit)

    # Events and results

    def _listen(self) -> None:
        at_work = any(active.running for active in self._active.values())
        try:
            events = self._executor.events(self.settings.poll if at_work else 0.0)
        except ExecutorFault as fault:
            for active in self._active.values():
                self._abandon(active, fault=sentence_of(fault))
            raise
        if not at_work and not self._has_work():
            self._sleep(self.settings.poll)
        holders = {ticket: active for active in self._active.values() for ticket in active.running}
        for event in events:
            if event.ticket in holders:
                self._hear(holders[event.ticket], event)
        for active in self._active.values():
            if active.step != active.told and self._is_due(f"step {active.request.request_id}", self.settings.poll):
                self.leases.progress(active.request.request_id, self.name, *active.step)
                active.told = active.step

    def _hear(self, active: ClaimedRequest, event: Event) -> None:
        match event:
            case Started(ticket):
                active.running[ticket].started = self._timer()
            case Progress():
                active.hear(event)
            case Finished(ticket, result, error):
                # a lost scheduler ends all tasks at once; it is logged once, when the request goes back to the queue
                if error is not None and not isinstance(error, StixError | SchedulerLost):
                    log.warning("request %d: %r", active.request.request_id, error, exc_info=error)
                active.take(ticket, result, error, self._timer())

    def _has_work(self) -> bool:
        """Whether the next turn has something to do although no task is running."""
        return any(
            active.is_complete or active.unfiled or active.ended or (active.can_go_on and self._executor.free > 0)
            for active in self._active.values()
        )

    def _end_overdue(self) -> None:
        now, limits = self._timer(), self.limits
        for active in self._active.values():
            for ticket, running in list(active.running.items()):
                if running.started is not None and now - running.started > running.limit:
                    self._executor.stop(ticket)
                    active.spend(active.running.pop(ticket), now)
                    active.finished += 1
                    reason = f"stopped after {running.limit:g} s, the most {active.request.noun} may take"
                    active.ended.append(TaskResult(running.part, None, reason))
            if active.waiting and active.request.elapsed_s + active.total_spent > limits.request:
                active.drop_waiting(f"the request took {limits.request:g} s of computing, the most it may take")

    def _file(self) -> None:
        """Put results into the index, then record them in the journal."""
        made = [result for active in self._active.values() for _, result in active.unfiled]
        if made:
            if not self._is_due("file", 0.0):
                return
            self._put_into_index(made)
            self._unfiled_since, self._filed_at = None, self._timer()
        for active in self._active.values():
            active.ended += [TaskResult(number, result.run_id, "") for number, result in active.unfiled]
            active.unfiled.clear()
            if active.ended or active.spent:
                self.leases.record(active.request.request_id, self.name, active.ended, active.spent)
                active.ended.clear()
                active.spent = 0.0

    def _put_into_index(self, made: list[ImagingResult | MeasurementResult]) -> None:
        """Put results into the index. Those that cannot be filed fail, except after a temporary fault."""
        active = tuple(self._active.values())
        try:
            gone = index_results(self.archive, [one for one in made if isinstance(one, ImagingResult)])
            gone |= index_measurements(self.archive, [one for one in made if isinstance(one, MeasurementResult)])
        except TRANSIENT as fault:
            self._due["file"] = self._timer() + self.settings.lock_wait
            if self._unfiled_since is None:
                self._unfiled_since = self._timer()
            if self._timer() - self._unfiled_since > self.settings.patience:
                self._unfiled_since = None
                for one in active:
                    one.take_back({result.run_id for result in made}, sentence_of(fault), everything=True)
            raise
        except Exception as error:
            log.exception("results cannot be filed")
            reason = f"its results could not be put into the index: {sentence_of(error)}"
            for one in active:
                one.ended += [TaskResult(number, None, reason) for number, _ in one.unfiled]
                one.unfiled.clear()
        else:
            for one in active:
                one.take_back(gone, "its results were removed meanwhile", everything=False)

    # The end of a request

    def _close_complete(self) -> None:
        for request_id, active in list(self._active.items()):
            if not active.is_complete:
                continue
            request = active.request
            if active.cancelling:
                ended = self.journal.parts(request_id)
                made = sum(part.run_id is not None and part.part < request.set_count for part in ended)
                after = f" after {made} of {request.set_count} image sets" if request.set_count else ""
                self._finish(request, RequestState.CANCELLED, f"cancelled{after}")
            elif active.fault and request.faults + 1 < self.limits.retries:
                self._send_back(request, active.fault)
            else:
                if active.lost:
                    given_up = [TaskResult(number, None, active.fault) for number in sorted(active.lost)]
                    self.leases.record(request_id, self.name, given_up, 0.0)
                self._finish(request, *verdict(self.journal.parts(request_id), request.set_count))
            del self._active[request_id]
            self._due.pop(f"step {request_id}", None)

    def _finish(self, request: Request, state: RequestState, reason: str) -> None:
        if self.leases.finish(request.request_id, self.name, self._clock(), state, reason):
            self.ended += 1
            log.info("request %d %s%s", request.request_id, state, f": {reason}" if reason else "")

    def _send_back(self, request: Request, fault: str) -> None:
        waits = self.settings.backoff
        delay = waits[min(request.faults, len(waits) - 1)]
        log.warning("request %d waits %g s for its next attempt: %s", request.request_id, delay, fault)
        self.leases.release(request.request_id, self.name, self._clock(), delay_s=delay, fault=fault)

    def _abandon(self, active: ClaimedRequest, fault: str = "") -> None:
        """Stop the running tasks of a request; with ``fault``, leave all its tasks for a later attempt."""
        for ticket, running in list(active.running.items()):
            self._executor.cancel(ticket)
            active.spend(active.running.pop(ticket), self._timer())
            if fault:
                active.give_back(running.part, fault, everything=True)
        if not fault:
            active.waiting.clear()

    # Idle times

    def _tidy(self) -> None:
        """When idle: refresh flares, rebuild the read model, remove old requests and renderings."""
        if self._active or self._stopping.is_set():
            return
        at_rest = self._tidying is None or not self._tidying.is_alive()
        if at_rest and self._filed_at is not None and self._timer() - self._filed_at > self.settings.tidy:
            self._filed_at = None
            self._tidying = threading.Thread(target=self._catch_up, name="read model")
            self._tidying.start()
        if self._is_due("purge", 86400.0):
            forgotten = self.journal.purge(self._clock())
            if forgotten:
                log.info("forgot %d old requests", forgotten)
            removed = self._planner.purge(self.archive, self._clock())
            if removed:
                log.info("removed %d old renderings", removed)

    def _catch_up(self) -> None:
        """Refresh flares whose images have changed, and rebuild the read model."""
        with closing(Archive(self.archive.root, lock_timeout_s=self.settings.tidy)) as archive:
            try:
                if self._refresh is not None:
                    self._refresh(archive, self._clock())
                archive.build_read_model()
            except (StixError, OSError) as fault:  # the next images, or the next previews, do it
                log.warning("flares and read model: %s", fault)
            except Exception:
                log.exception("flares and read model")

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """However the loop ends, return requests to the queue, and stop processes and release locks."""
        try:
            yield
        finally:
            for active in self._active.values():
                self._abandon(active)
            with suppress(*TRANSIENT):
                self._file()
            with suppress(*TRANSIENT):
                for request_id in self._active:
                    self.leases.release(request_id, self.name, self._clock())
                self.leases.sign_out(self.name)
            self._executor.close()
            if self._tidying is not None:
                self._tidying.join()
            self._owner.release()
            self.archive.close()

    def _is_due(self, what: str, interval: float) -> bool:
        """Whether a step is due now; if so, it is due again after ``interval`` seconds."""
        now = self._timer()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + interval
        return True


def run_worker(
    root: Path,
    planner: Planner,
    clock: Callable[[], np.datetime64],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    settings: WorkerSettings | None = None,
    limits: Limits | None = None,
    accepts: Callable[[str], bool] | None = None,
    until_idle: bool = False,
    refresh: Callable[[Archive, np.datetime64], object] | None = None,
) -> int:
    """Run a worker in the main thread until SIGTERM or Ctrl-C.

    It then finishes running tasks; a second signal ends it at once.

    Parameters
    ----------
    root, planner, clock, settings, limits, accepts, refresh
        As `Worker`.
    workers : int
        Number of child processes.
    scheduler : str, optional
        Address of a Dask scheduler to use instead.
    until_idle : bool
        Return when the queue is empty.

    Returns
    -------
    int
        Number of ended requests.

    Raises
    ------
    SchedulerLost
        When no scheduler answers at that address.
    """
    settings = settings or WorkerSettings()
    executor = make_executor(
        workers, scheduler, preload=planner.preload, memory_bytes=settings.memory_bytes, isolated=True
    )
    engine = f"Dask at {scheduler}" if scheduler else f"{workers} processes" if workers > 1 else "one process"
    try:
        worker = Worker(
            root,
            planner,
            executor,
            clock,
            settings,
            limits=limits,
            accepts=accepts,
            engine=engine,
            refresh=refresh,
        )
    except BaseException:
        executor.close()
        raise

    def leave(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
        log.info("leaving when what was begun is done")
        worker.stop()

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return worker.run(until_idle=until_idle)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
