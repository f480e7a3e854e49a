"""Runs one computation at a time, and then only the newest one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)


class NewestOnly:
    """Runs computations in a thread of this process. While one runs, only the newest later one waits.

    So no outdated computation is started, and results follow a dragged box as fast as possible, without a fixed delay
    that would be too long on an idle machine and too short on a busy one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._busy = False
        self._closed = False
        self._next: Callable[[], None] | None = None
        self.begun = 0

    def ask(self, question: Callable[[], None]) -> None:
        """Schedule a computation; it passes on its result itself, from the other thread."""
        with self._lock:
            if self._closed:
                return
            if self._busy:
                self._next = question
                return
            self._busy = True
        _threads().submit(self._work, question)

    def close(self) -> None:
        """Start no further computation: the session has ended."""
        with self._lock:
            self._closed, self._next = True, None

    def _work(self, question: Callable[[], None] | None) -> Any:
        while question is not None:
            self.begun += 1
            try:
                question()
            except Exception:  # an error must not stop the next one
                log.exception("a background update of a page failed")
            with self._lock:
                question, self._next = self._next, None
                self._busy = question is not None


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads of all sessions: two, so that one slow computation does not block the others."""
    return ThreadPoolExecutor(2, thread_name_prefix="latest")
