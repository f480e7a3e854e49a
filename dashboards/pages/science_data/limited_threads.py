"""Limits how much work of all sessions runs in threads at a time, and how much waits; shares it between clients."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from jobs.shared.errors import LimitReached


@dataclass(frozen=True)
class _Waiting:
    client: str
    work: Callable[[], object]


class LimitedThreads:
    """Runs work of all sessions in threads; some of it waits for its turn, and more is refused.

    One client has at most half of all places, and of those who wait the one whose last turn is longest ago is next.
    The threads are daemons, so that a server that ends does not wait for them.

    Parameters
    ----------
    name : str
        Of the threads.
    running, waiting : int
        Most that runs, and most that waits, at a time.
    refusal : str
        Sentence for visitors whose work is refused.
    """

    def __init__(self, name: str, *, running: int, waiting: int, refusal: str) -> None:
        self._name, self._refusal = name, refusal
        self._most_running, self._places = running, running + waiting
        self._places_of_one = max(self._places // 2, 1)
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []
        self._running = self._turns = 0
        #: Number of the last turn of every client that has a place.
        self._last_turns: dict[str, int] = {}

    def run(self, work: Callable[[], object], client: str) -> None:
        """Run ``work`` in a thread when it is its turn.

        Parameters
        ----------
        work : callable
        client : str
            Who shares places and turns with nobody else: from `dashboards.shared.visitors.session_client`.

        Raises
        ------
        LimitReached
            If too much is waiting, or too much of this client.
        """
        with self._lock:
            if self._held.total() >= self._places:
                raise LimitReached(self._refusal)
            if self._held[client] >= self._places_of_one:
                message = f"{self._places_of_one} of yours or of your network run or wait; try again when one is done"
                raise LimitReached(message)
            self._held[client] += 1
            self._waiting.append(_Waiting(client, work))
            self._start_next()

    def _start_next(self) -> None:
        """Start what is next, if a thread is free. Called with the lock."""
        if self._running == self._most_running or not self._waiting:
            return
        following = min(self._waiting, key=lambda one: self._last_turns.get(one.client, 0))
        self._waiting.remove(following)
        self._turns += 1
        self._last_turns[following.client] = self._turns
        thread = threading.Thread(target=self._run, args=(following,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the server is ending
            self._leave(following.client)
            raise
        self._running += 1

    def _run(self, one: _Waiting) -> None:
        try:
            one.work()
        finally:
            with self._lock:
                self._running -= 1
                self._leave(one.client)
                self._start_next()

    def _leave(self, client: str) -> None:
        """Give a place back. Called with the lock."""
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
            self._last_turns.pop(client, None)
