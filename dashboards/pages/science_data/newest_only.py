"""Answers to a question that changes faster than it can be answered: one at a time, and only the newest."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)


class NewestOnly:
    """Runs questions in a thread of this process. While one runs, the newest that came meanwhile waits, and no other.

    So nothing stale is ever begun, and a box that is being dragged is followed as fast as answers can be had, without
    a delay that would be too long on a quiet machine and too short on a busy one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._busy = False
        self._closed = False
        self._next: Callable[[], None] | None = None
        self.begun = 0

    def ask(self, question: Callable[[], None]) -> None:
        """Have a question answered; it passes its answer on by itself, from the other thread."""
        with self._lock:
            if self._closed:
                return
            if self._busy:
                self._next = question
                return
            self._busy = True
        _threads().submit(self._work, question)

    def close(self) -> None:
        """Begin nothing more: the session has ended."""
        with self._lock:
            self._closed, self._next = True, None

    def _work(self, question: Callable[[], None] | None) -> Any:
        while question is not None:
            self.begun += 1
            try:
                question()
            except Exception:  # the next one shall be answered all the same
                log.exception("a question of a page failed")
            with self._lock:
                question, self._next = self._next, None
                self._busy = question is not None


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads of all sessions: two, so that one long question leaves room for the others."""
    return ThreadPoolExecutor(2, thread_name_prefix="latest")
