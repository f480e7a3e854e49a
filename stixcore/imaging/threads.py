"""Limit linear algebra to one thread: for the thin matrix products here, more threads cost more than they gain."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # inspects the loaded libraries, which takes a few milliseconds


def single_threaded() -> AbstractContextManager[object]:
    """Context in which BLAS uses one thread; on a busy machine imaging is up to fifty times faster with it."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context
