"""Limits how much work of all sessions runs in threads at a time, and how much waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobs.shared.errors import LimitReached


class LimitedThreads:
    """Runs work of all sessions in threads; some of it waits for its turn, and more is refused.

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
        self._turns = threading.BoundedSemaphore(running)
        self._places = threading.BoundedSemaphore(running + waiting)

    def run(self, work: Callable[[], object]) -> None:
        """Run ``work`` in a thread when it is its turn.

        Raises
        ------
        LimitReached
            If too much is waiting.
        """
        if not self._places.acquire(blocking=False):
            raise LimitReached(self._refusal)

        def in_turn() -> None:
            try:
                with self._turns:
                    work()
            finally:
                self._places.release()

        try:
            threading.Thread(target=in_turn, name=self._name, daemon=True).start()
        except RuntimeError:  # the server is ending
            self._places.release()
            raise
