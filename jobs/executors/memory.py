"""Limit the private memory of a process, so that an allocation fails before the machine runs out of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def limit_memory(extra: int) -> None:
    """Let private memory grow by at most ``extra`` bytes (Linux; does nothing on other systems).

    Limiting the address space (RLIMIT_AS) would not work: threads reserve much more of it than they use.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return
    import resource

    (present,) = re.findall(r"^VmData:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(present) * 1024 + extra
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


@contextmanager
def limited_memory(extra: int) -> Iterator[None]:
    """Apply `limit_memory` within a context."""
    try:
        import resource
    except ImportError:  # not a Unix
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit_memory(extra)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
