"""An executor that runs tasks on a Dask cluster, whose workers have the same software and the same folders.

If a worker dies, Dask starts its tasks on another one, `TRIES` times by default (``allowed-failures``).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Queue
from time import monotonic
from typing import Any

from distributed import Client, Future, get_worker
from distributed.scheduler import KilledWorker

from jobs.executors.base import Event, Executor, Finished, Progress, Started, reporting_to
from jobs.shared.errors import SchedulerLost, WorkerDied

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
#: Interval between attempts to reach a lost scheduler, s.
RETRY_S = 5.0
#: Interval between queries of the number of workers, s.
_COUNT_S = 2.0
#: Least number of tasks in flight, however few threads there are: an adaptive cluster grows with its queue.
_LEAST_IN_FLIGHT = 16
_RESULT_TIMEOUT_S = 10.0
_RESTART_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class _Call:
    """What is sent to a worker."""

    ticket: int
    topic: str
    function: Callable[[Any], Any]
    task: Any


class DaskExecutor(Executor):
    """Runs tasks on the workers of a Dask scheduler.

    When the scheduler is lost, running tasks end with `SchedulerLost`, and no tasks are taken until it is back.

    Parameters
    ----------
    address : str
        "tcp://host:8786", or "tls://…".
    timeout_s : float
        How long to wait for the scheduler at first.

    Raises
    ------
    SchedulerLost
        When no scheduler answers.
    """

    def __init__(self, address: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        super().__init__()
        self._address = address
        self._topic = f"stix-jobs-{uuid.uuid4().hex}"
        self._running: dict[int, Future] = {}
        self._places: dict[int, str] = {}  # ticket → worker on which it was last started
        self._queue: Queue[int | Event] = Queue()
        self._threads, self._counted = 0, float("-inf")
        self._tried = monotonic()
        self._restarts: list[threading.Thread] = []
        logging.getLogger("distributed.client").addFilter(_is_worth_logging)
        self._client: Client | None = self._connect(timeout_s)

    @property
    def free(self) -> int:
        """Twice the number of threads, minus the tasks in flight."""
        client = self._connected()
        if client is None:
            return 0
        if monotonic() - self._counted > _COUNT_S:
            with contextlib.suppress(OSError, TimeoutError):  # just lost: the next call notices
                self._threads = sum(client.nthreads().values())
            self._counted = monotonic()
        return max(2 * self._threads, _LEAST_IN_FLIGHT) - len(self._running)

    def submit(self, function: Callable[[Any], Any], task: Any) -> int:
        """See `Executor.submit`."""
        ticket = next(self._tickets)
        client = self._connected()
        if client is None:
            self._queue.put(Finished(ticket, error=self._lost()))
            return ticket
        call = _Call(ticket, self._topic, function, task)
        future = client.submit(_run_call, call, key=f"{self._topic}-{ticket}", pure=False)
        self._running[ticket] = future
        future.add_done_callback(lambda _: self._queue.put(ticket))
        return ticket

    def events(self, timeout_s: float) -> list[Event]:
        """See `Executor.events`."""
        if self._running:
            self._connected()
        items = []
        with contextlib.suppress(Empty):
            items.append(self._queue.get(timeout=timeout_s))
            while True:
                items.append(self._queue.get_nowait())
        return [event for item in items if (event := self._event(item)) is not None]

    def cancel(self, ticket: int) -> None:
        """Cancel a task. If it has started, it continues on the cluster, unless `stop` is used; its result is lost."""
        future = self._running.pop(ticket, None)
        self._places.pop(ticket, None)
        if future is not None and self._client is not None:
            with contextlib.suppress(OSError, TimeoutError):
                future.cancel(force=True)

    def stop(self, ticket: int) -> None:
        """Cancel a task and restart its worker; other tasks of that worker are started again elsewhere."""
        place, client = self._places.get(ticket), self._client
        self.cancel(ticket)
        if place is not None and client is not None:
            log.warning("restarting the Dask worker %s", place)
            self._restarts = [thread for thread in self._restarts if thread.is_alive()]
            self._restarts.append(threading.Thread(target=_restart, args=(client, place), daemon=True))
            self._restarts[-1].start()

    def close(self) -> None:
        """Disconnect from the scheduler; submitted tasks are cancelled."""
        for ticket in list(self._running):
            self.cancel(ticket)
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=2)
        for thread in self._restarts:  # they end without a client
            thread.join(_RESTART_TIMEOUT_S)

    def _connect(self, timeout_s: float) -> Client:
        try:
            client = Client(self._address, timeout=timeout_s, set_as_default=False, name="stix-jobs")
        except (OSError, TimeoutError) as error:
            message = f"no Dask scheduler answers at {self._address}"
            raise SchedulerLost(message) from error
        client.subscribe_topic(self._topic, self._hear)
        return client

    def _connected(self) -> Client | None:
        """The client, or None while the scheduler is away; running tasks then end with an error."""
        if self._client is not None and self._client.status == "running":
            return self._client
        if self._client is not None:
            log.warning("lost the Dask scheduler at %s", self._address)
            for ticket in self._running:
                self._queue.put(Finished(ticket, error=self._lost()))
            self._running.clear()
            self._places.clear()
            with contextlib.suppress(OSError, TimeoutError):
                self._client.close(timeout=0)
            self._client = None
        if monotonic() - self._tried >= RETRY_S:
            with contextlib.suppress(SchedulerLost):
                self._client = self._connect(RETRY_S / 2)
                log.warning("found the Dask scheduler at %s again", self._address)
            self._tried = monotonic()
        return self._client

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Receive what a task has logged; called in the client's thread."""
        content = event[1]
        ticket = content["ticket"]
        if content["total"]:
            self._queue.put(Progress(ticket, content["step"], content["number"], content["total"]))
        else:
            self._places[ticket] = content["worker"]
            self._queue.put(Started(ticket))

    def _event(self, item: int | Event) -> Event | None:
        """The event of an item of the queue; None when its task has been cancelled."""
        if isinstance(item, Finished):
            return item
        if not isinstance(item, int):
            return item if item.ticket in self._running else None
        future = self._running.get(item)
        if future is None:
            return None
        try:
            finished = Finished(item, future.result(timeout=_RESULT_TIMEOUT_S))
        except TimeoutError:
            if future.status == "error":
                finished = Finished(item, error=TimeoutError("the task timed out"))
            else:  # the worker that held the result died; Dask runs the task again
                future.add_done_callback(lambda _: self._queue.put(item))
                return None
        except KilledWorker:
            finished = Finished(item, error=WorkerDied("the Dask workers that worked on it died, one after the other"))
        except Exception as error:  # noqa: BLE001 - the caller handles it
            finished = Finished(item, error=self._lost() if future.status in ("cancelled", "lost") else error)
        del self._running[item]
        self._places.pop(item, None)
        return finished

    def _lost(self) -> SchedulerLost:
        return SchedulerLost(f"lost the Dask scheduler at {self._address}")


def _run_call(call: _Call) -> Any:
    """Run a task on a worker of the cluster; its progress is sent through the scheduler's event log."""
    worker = get_worker()

    def say(step: str, number: int, total: int) -> None:
        worker.log_event(call.topic, {"ticket": call.ticket, "step": step, "number": number, "total": total})

    say("", 0, 0)
    with reporting_to(say):
        return call.function(call.task)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Whether to log a record: not when a client is closed while it tries to reach its scheduler.

    Dask logs that with a traceback, and we log in one line that the scheduler is lost.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], CancelledError))


def _restart(client: Client, place: str) -> None:
    with contextlib.suppress(OSError, TimeoutError, ValueError, KeyError):  # it may be gone already
        client.restart_workers([place], timeout=_RESTART_TIMEOUT_S, raise_for_error=False)
