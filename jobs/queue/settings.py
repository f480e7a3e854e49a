"""The numbers of the worker's loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerSettings:
    """How long everything may take, s unless it says otherwise.

    Attributes
    ----------
    lease : float
        A request whose worker was not heard of for so long is taken up by another.
    beat : float
        Between signs of life; a cancellation is noticed within this.
    poll : float
        Longest wait for events, and between two looks at an empty queue.
    sweep : float
        Between two looks for expired leases.
    drain : float
        After SIGTERM: how long image sets that were begun may go on.
    backoff : tuple of float
        Waits after the first, second, … fault of a request; the last one for all further.
    lock_wait : float
        How long the archive's write lock is waited for at a time.
    patience : float
        A result that cannot be filed for so long is a fault.
    tidy : float
        Idle time after which the read model is derived anew.
    at_once : int
        Requests claimed beyond those that keep all processes busy, so that a small one need not wait for a big one.
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
