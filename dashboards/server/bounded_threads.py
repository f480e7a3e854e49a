"""Threads for work that may wait (locks, disk, password hashes), so that the loop that serves everybody never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from dashboards.shared.limits import WebLimits
from stixcore.errors import StixError


class ServerBusy(StixError):
    """As much work of one kind as the server takes is waiting already."""


class BoundedThreads:
    """Some threads for one kind of work, and a bound on what may wait for them.

    Parameters
    ----------
    name : str
        Of the threads.
    threads : int
        Pieces of work at the same time.
    waiting : int
        Pieces of work that may wait for a thread.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._present = threads + waiting, 0

    async def run[Answer](self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """Call a function in one of the threads.

        Raises
        ------
        ServerBusy
            When too much is waiting; the function is not called.
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
    """Two passwords at a time: each takes 64 MiB and a tenth of a second of a core."""
    return BoundedThreads("password", 2, WebLimits().waiting)


@cache
def account_threads() -> BoundedThreads:
    """For changes of accounts and sessions, which wait for a lock and for the disk."""
    return BoundedThreads("account", 4, WebLimits().waiting)


@cache
def journal_threads() -> BoundedThreads:
    """For questions to the journal of requests, which wait while a worker or a backup has it."""
    return BoundedThreads("journal", 4, WebLimits().waiting)
