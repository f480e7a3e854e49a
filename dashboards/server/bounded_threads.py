"""Threads for work that may block (locks, disk, password hashes), so that the event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from dashboards.shared.limits import WebLimits
from stixcore.errors import StixError


class ServerBusy(StixError):
    """Too much work of one kind is waiting already."""


class BoundedThreads:
    """A thread pool for one kind of work, with a limit on what may wait for it.

    Parameters
    ----------
    name : str
        Name of the threads.
    threads : int
        Number of threads.
    waiting : int
        Calls that may wait for a thread.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._present = threads + waiting, 0

    async def run[Answer](self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """Call a function in one of the threads.

        Raises
        ------
        ServerBusy
            If too much is waiting; the function is not called.
        """
        if self._present >= self._most:
            message = "the server is busy; try again in a moment"
            raise ServerBusy(message)
        self._present += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        finally:
            self._present -= 1


@cache
def password_threads() -> BoundedThreads:
    """Two password hashes at a time: each takes 64 MiB and a tenth of a second of a core."""
    return BoundedThreads("password", 2, WebLimits().waiting)


@cache
def account_threads() -> BoundedThreads:
    """Threads for changes of accounts and sessions, which wait for a lock and for the disk."""
    return BoundedThreads("account", 4, WebLimits().waiting)


@cache
def journal_threads() -> BoundedThreads:
    """Threads for queries of the journal, which wait while a worker or a backup locks it."""
    return BoundedThreads("journal", 4, WebLimits().waiting)
