"""Intervals and limits of the worker's loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerSettings:
    """Intervals and limits of the worker's loop, in seconds unless stated otherwise.

    Attributes
    ----------
    lease : float
        Another worker takes over a request whose worker sent no heartbeat for this long.
    beat : float
        Interval between heartbeats, and the longest delay of a cancellation.
    poll : float
        Longest wait for events, and interval between checks of an empty queue.
    sweep : float
        Interval between checks for expired leases.
    drain : float
        How long running image sets may continue after SIGTERM.
    backoff : tuple of float
        Delays after the first, second, … fault of a request; the last one also for all later faults.
    lock_wait : float
        Timeout of one attempt to take the archive's write lock.
    patience : float
        After failing to put a result into the index for this long, the request returns to the queue.
    tidy : float
        Idle time after which the read model is rebuilt.
    at_once : int
        Largest number of claimed requests while all of them have image sets waiting, so that small requests need not
        wait for big ones.
    memory_bytes : int or None, byte
        See `make_executor`.
    """

    lease: float = 30.0
    beat: float = 1.0
    poll: float = 0.2
    sweep: float = 2.0
    drain: float = 60.0
    backoff: tuple[float, ...] = (2.0, 10.0, 60.0, 300.0)
    lock_wait: float = 1.0
    patience: float = 120.0
    tidy: float = 30.0
    at_once: int = 4
    memory_bytes: int | None = 1 << 30
